//! The states a receipt can report.

/// What became of a message (SMPP 3.4, table 5-2 for the TLV and appendix B for the names).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// On its way; not final.
    Enroute,
    /// On the handset.
    Delivered,
    /// Validity ran out.
    Expired,
    /// Removed before delivery.
    Deleted,
    /// The network could not deliver it.
    Undeliverable,
    /// Taken by customer service or by the next operator; not final in practice.
    Accepted,
    /// The operator does not know.
    Unknown,
    /// Refused.
    Rejected,
}

impl State {
    /// Every state, in the order of its TLV value.
    pub const ALL: [Self; 8] = [
        Self::Enroute,
        Self::Delivered,
        Self::Expired,
        Self::Deleted,
        Self::Undeliverable,
        Self::Accepted,
        Self::Unknown,
        Self::Rejected,
    ];

    /// The name inside receipt text, seven characters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enroute => "ENROUTE",
            Self::Delivered => "DELIVRD",
            Self::Expired => "EXPIRED",
            Self::Deleted => "DELETED",
            Self::Undeliverable => "UNDELIV",
            Self::Accepted => "ACCEPTD",
            Self::Unknown => "UNKNOWN",
            Self::Rejected => "REJECTD",
        }
    }

    /// The value of TLV `message_state`.
    pub const fn tlv(self) -> u8 {
        match self {
            Self::Enroute => 1,
            Self::Delivered => 2,
            Self::Expired => 3,
            Self::Deleted => 4,
            Self::Undeliverable => 5,
            Self::Accepted => 6,
            Self::Unknown => 7,
            Self::Rejected => 8,
        }
    }

    /// From TLV `message_state`. The two that 5.0 added mean for us: 0 (scheduled) still on its way, 9 (skipped)
    /// refused.
    pub const fn from_tlv(value: u8) -> Option<Self> {
        match value {
            0 | 1 => Some(Self::Enroute),
            2 => Some(Self::Delivered),
            3 => Some(Self::Expired),
            4 => Some(Self::Deleted),
            5 => Some(Self::Undeliverable),
            6 => Some(Self::Accepted),
            7 => Some(Self::Unknown),
            8 | 9 => Some(Self::Rejected),
            _ => None,
        }
    }

    /// From receipt text, in any case, written out or shortened as operators do: the first five letters decide
    /// (`DELIVRD` and `DELIVERED`, `UNDELIV` and `UNDELIVERABLE`, `ACCEPTD` and `ACCEPTED`).
    pub fn from_name(name: &str) -> Option<Self> {
        const STEM_BYTES: usize = 5;
        let stem = name.get(..STEM_BYTES)?;
        let matches = |state: &Self| state.name()[..STEM_BYTES].eq_ignore_ascii_case(stem);
        Self::ALL.into_iter().find(matches)
    }

    /// No other state follows, as far as the operator is concerned. `Unknown` is final: nothing more will come.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Enroute | Self::Accepted)
    }
}
