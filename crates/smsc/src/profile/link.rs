//! Quirks of the session and of single PDUs.

use serde::{Deserialize, Serialize};

/// How the operator behaves on a session, apart from messages.
#[expect(clippy::struct_excessive_bools, reason = "each is a quirk of the field, alone or with others")]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Link {
    /// Send `outbind` as soon as somebody connects.
    pub outbind: bool,
    /// Leave binds unanswered.
    pub ignore_bind: bool,
    /// `sc_interface_version` in the answer to a bind; `None`: 0x34 to those who said 0x34 or more, 0: never.
    pub interface_version: Option<u8>,
    /// Leave `unbind` unanswered, and stay.
    pub ignore_unbind: bool,
    /// Leave `enquire_link` unanswered.
    pub ignore_enquire_link: bool,
    /// Send `enquire_link` so often to who is bound; 1 is a flood.
    pub enquire_link_every_ms: Option<u64>,
    /// Write no more octets than this in a second.
    pub bytes_per_second_max: Option<u32>,
}

/// How PDUs differ from the specification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wire {
    /// Refused submits get a `message_id` too, where a bare header is right.
    pub id_on_refusal: bool,
    /// How the `message_id` of answers ends.
    pub id_nul: Nul,
    /// PDUs that are only a header, and refusals, get a body of some octets.
    pub body_on_header_only: bool,
}

/// How a string ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nul {
    /// With a NUL.
    #[default]
    One,
    /// With the PDU.
    None,
    /// With two NULs.
    Two,
}
