//! What breaks.

use serde::{Deserialize, Serialize};

/// What breaks after some submits of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// Submits of the session that still go well.
    pub after_submits: u64,
    /// What happens at the next one.
    pub kind: FaultKind,
}

/// What happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The connection closes; what was not yet answered stays unanswered.
    #[default]
    Close,
    /// Half of an answer is written, then the connection closes.
    Cut,
    /// Nothing is read or written any more, the connection stays open: a half-open connection.
    Stall,
    /// Nothing is read any more; receipts and messages from handsets still come.
    NeverRead,
    /// The operator sends `unbind`, serves on, and closes at the answer.
    Unbind,
    /// Octets that are no PDU are sent, then nothing more is read.
    Garbage,
}
