//! Whether a message that an operator had goes to another one: a pure rule over what all its hops came to.
//!
//! **Invariant:** a message of which anything was delivered is never sent again, nor one whose validity is over, nor
//! more often than its policy and [`HOPS_MAX`] allow.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::state::{State, of_segments};

/// Operators that a message is offered to, one after the other, whatever a policy says.
pub const HOPS_MAX: u8 = 3;
/// The shortest and the longest wait for a receipt that a policy may name, in seconds.
pub const RECEIPT_TIMEOUT_SECONDS: std::ops::RangeInclusive<u32> = 10..=86_400;

/// Our codes of failures that are the handset's or its owner's: no other operator changes them.
const SUBSCRIBER_CODES: [&str; 13] = [
    "absent_subscriber",
    "unknown_subscriber",
    "invalid_number",
    "subscriber_barred",
    "call_barred",
    "subscriber_busy",
    "subscriber_error",
    "handset_off",
    "handset_error",
    "handset_full",
    "memory_full",
    "opted_out",
    "ported_out",
];

/// What an account, or a routing rule, says about messages that an operator took and did not deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Operators that may have a message in all; 1: it stays with the first. At most [`HOPS_MAX`].
    pub hops_max: u8,
    /// Seconds from the submit after which a message without its final receipt goes on; not said: it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_timeout_seconds: Option<u32>,
}

/// One segment at one operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Which try at a route.
    pub hop: u8,
    /// Where it stands there: `sent` and `buffered` are open, `failed` was refused at the submit.
    pub state: State,
    /// The operator's error code, where its receipt has one.
    pub error: Option<String>,
}

/// Where a message stands with all its operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What its customer was told last.
    pub state: State,
    /// Which try at a route it is on.
    pub hop: u8,
    /// How many segments it has.
    pub segments: u8,
    /// Operators that may have it in all; `None`: receipts send it nowhere.
    pub hops_max: Option<u8>,
    /// Not submitted after this.
    pub expires_at: DateTime<Utc>,
    /// It was taken from the operator before, which never got it, and nobody else has it yet.
    pub is_between: bool,
    /// The operator of its hop never got it: its validity ended before.
    pub has_lapsed: bool,
    /// All its parts, of every hop.
    pub parts: Vec<Part>,
}

/// What happened at one hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// A final receipt says that a part was not delivered; whether another operator may do better.
    Receipt {
        /// See [`elsewhere`].
        elsewhere: bool,
    },
    /// The final receipt did not come in time.
    NoReceipt,
    /// The operator refused the submit, or a part of it; whether another may take it.
    Submit {
        /// The class of the refusal.
        elsewhere: bool,
    },
}

/// What becomes of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: it is with another operator by now, or has ended.
    Ignore,
    /// It goes on waiting: for the receipts of its other parts, or of an operator that has not said how it ended.
    Wait,
    /// It ends with what this hop came to.
    End,
    /// It is offered to the next operator. When there is none it ends with what this hop came to, or waits where
    /// `waits`.
    Reroute {
        /// An operator has not said yet how it ended.
        waits: bool,
    },
}

/// What becomes of a message after `why` happened at its try `hop`. A failure of an earlier try counts where the try that it is
/// on has failed: then it is the word that was waited for.
pub fn verdict(standing: &Standing, hop: u8, why: Why, now: DateTime<Utc>) -> Verdict {
    let counts = standing.hop == hop || standing.waits_for(hop, why);
    if !counts || standing.state.is_final() && why == Why::NoReceipt {
        return Verdict::Ignore;
    }
    if standing.state.is_final() {
        return Verdict::End;
    }
    let elsewhere = match why {
        Why::Receipt { elsewhere } | Why::Submit { elsewhere } => elsewhere,
        Why::NoReceipt => true,
    };
    let waits = standing.is_open(why, hop);
    if !elsewhere || !standing.may_go_on(why, now) {
        // Where nobody else can help, an earlier operator will not either; a timeout alone ends nothing.
        let ends = why != Why::NoReceipt && (!elsewhere || !waits);
        return if ends { Verdict::End } else { Verdict::Wait };
    }
    let has_open = |hop| standing.of(hop).any(|part| is_open(part.state));
    if matches!(why, Why::Receipt { .. }) && (has_open(hop) || has_open(standing.hop)) {
        return Verdict::Wait;
    }
    Verdict::Reroute { waits }
}

impl Standing {
    fn of(&self, hop: u8) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(move |part| part.hop == hop)
    }

    /// What the parts of one hop come to together.
    pub fn state_of(&self, hop: u8) -> State {
        of_segments(&self.of(hop).map(|part| part.state).collect::<Vec<_>>())
    }

    /// Why a part of a hop was not delivered, in the operator's own code.
    pub fn error_of(&self, hop: u8) -> Option<&str> {
        let failed = self.of(hop).filter(|part| is_undelivered(part.state));
        failed.filter_map(|part| part.error.as_deref()).find(|error| !error.trim_matches('0').is_empty())
    }

    /// Parts that are known of a hop.
    pub fn parts_at(&self, hop: u8) -> usize {
        self.of(hop).count()
    }

    /// Segments that the operator of a hop took.
    pub fn accepted_at(&self, hop: u8) -> u8 {
        let taken = self.of(hop).filter(|part| part.state != State::Failed).count();
        u8::try_from(taken).unwrap_or(u8::MAX)
    }

    /// Segments that the operator of a hop refused.
    pub fn refused_at(&self, hop: u8) -> u8 {
        let refused = self.of(hop).filter(|part| part.state == State::Failed).count();
        u8::try_from(refused).unwrap_or(u8::MAX)
    }

    /// The try that it is on has failed, so that it can only wait for what an operator before says.
    fn waits_for(&self, hop: u8, why: Why) -> bool {
        let mut parts = self.of(self.hop).peekable();
        let has_failed = match parts.peek() {
            None => self.is_between || self.has_lapsed,
            Some(_) => parts.any(|part| is_undelivered(part.state) || part.state == State::Failed),
        };
        hop < self.hop && has_failed && matches!(why, Why::Receipt { .. })
    }

    /// An operator has the whole message and has not said how it ended.
    fn is_open(&self, why: Why, hop: u8) -> bool {
        let others = (0..=self.hop).filter(|other| *other != hop || why == Why::NoReceipt);
        others.into_iter().any(|other| {
            let mut parts = self.of(other).peekable();
            parts.peek().is_some() && parts.all(|part| is_open(part.state))
        })
    }

    fn may_go_on(&self, why: Why, now: DateTime<Utc>) -> bool {
        let taken = (0..=self.hop).map(|hop| self.accepted_at(hop)).max().unwrap_or(0);
        // What no operator ever took goes on without a policy; routing knows its bounds.
        if matches!(why, Why::Submit { .. }) && taken == 0 {
            return true;
        }
        let is_delivered = self.parts.iter().any(|part| part.state == State::Delivered);
        // Between two operators it is on its next try already.
        let next = self.hop + u8::from(!self.is_between);
        self.hops_max.is_some_and(|max| next < max.min(HOPS_MAX)) && !is_delivered && now < self.expires_at
    }
}

const fn is_open(state: State) -> bool {
    matches!(state, State::Sent | State::Buffered)
}

const fn is_undelivered(state: State) -> bool {
    matches!(state, State::Undelivered | State::Expired | State::Rejected)
}

/// Whether another operator may deliver what one did not, where nobody says so for its error code. `code` is ours, from
/// the operator's profile, or the operator's own. Absent and unknown subscribers are so everywhere; what the network, the
/// route or a filter refused, and what nobody explained, may get through elsewhere.
pub fn elsewhere(state: State, code: Option<&str>) -> bool {
    state != State::Expired && code.is_none_or(|code| !SUBSCRIBER_CODES.contains(&code))
}

#[cfg(test)]
mod tests;
