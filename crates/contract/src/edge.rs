//! The internal API: what the edge is told, and what it tells.

use chrono::{DateTime, Utc};
use domain::{MessageId, OperatorId, Private};
use serde::{Deserialize, Serialize};

use crate::profile::Profile;
use crate::system::SystemSettings;

/// How a session with an operator is bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BindType {
    /// Submits and receives.
    #[default]
    Transceiver,
    /// Submits only.
    Transmitter,
    /// Receives only.
    Receiver,
}

impl BindType {
    /// The name in SQL, API and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transceiver => "transceiver",
            Self::Transmitter => "transmitter",
            Self::Receiver => "receiver",
        }
    }

    /// Reads the name; `None` when it is none of the three.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Transceiver, Self::Transmitter, Self::Receiver].into_iter().find(|b| b.name() == name)
    }
}

/// How to bind to an operator and how fast to submit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorSettings {
    /// Its id.
    pub id: OperatorId,
    /// Its name, for logs and metrics.
    pub name: String,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Our name there.
    pub system_id: String,
    /// Our password there.
    pub password: Private,
    /// Mostly empty.
    #[serde(default)]
    pub system_type: String,
    /// What kind of sessions.
    pub bind_type: BindType,
    /// How many sessions, 1 to 100.
    pub binds: u16,
    /// Unanswered submits per session, 1 to 10,000.
    pub window: u16,
    /// Segments per second over all sessions; 0 means no limit.
    pub tps: u32,
    /// Off: its sessions are closed and its queue waits.
    pub enabled: bool,
    /// In what it differs from others.
    #[serde(default)]
    pub profile: Box<Profile>,
    /// The key of our certificate there, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_key: Option<Private>,
}

/// All that an edge needs to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeSnapshot {
    /// Grows with every change; an edge that has this one need not read it again.
    pub version: i64,
    /// Every operator that is not deleted.
    pub operators: Vec<OperatorSettings>,
    /// Every system of a customer, enabled or not.
    #[serde(default)]
    pub systems: Vec<SystemSettings>,
}

/// Where one session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BindState {
    /// TCP or bind under way.
    Connecting,
    /// Bound.
    Bound,
    /// Waits before the next try.
    BackingOff,
    /// The operator refused the bind: a person must look.
    Refused,
    /// Closed by us.
    Closed,
}

/// One session with an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindStatus {
    /// From 0. The two sessions of a pair have one number.
    pub bind: u16,
    /// What it is bound as, or will be.
    #[serde(default)]
    pub bind_type: BindType,
    /// Where it stands.
    pub state: BindState,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Unanswered submits.
    pub in_flight: u32,
    /// How many there may be.
    #[serde(default)]
    pub window: u16,
    /// Segments submitted since the edge began to keep this session, over reconnects.
    #[serde(default)]
    pub submits: u64,
    /// Of these, per second of late.
    #[serde(default)]
    pub submits_per_second: u32,
    /// What went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// The sessions of one operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorStatus {
    /// Which operator.
    pub operator_id: OperatorId,
    /// Its sessions.
    pub binds: Vec<BindStatus>,
}

/// A submit that may have been made already: (message, hop).
pub type SubmitKey = (MessageId, u8);
