//! The states of a message, and the only ways between them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a message stands. Transitions go up in [`State::rank`]; a final state is left only by a late
/// receipt that corrects `unconfirmed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Validated, priced, held, durable.
    Accepted,
    /// To be sent at a later time.
    Scheduled,
    /// Waits for a reason: quiet hours, moderation, a paused route.
    Held,
    /// An operator is chosen; waits for its turn.
    Queued,
    /// `submit_sm_resp` was `ESME_ROK` for every segment.
    Sent,
    /// The operator reports ENROUTE or ACCEPTD.
    Buffered,
    /// No receipt within validity and grace.
    Unconfirmed,
    /// Final receipt DELIVRD for every segment.
    Delivered,
    /// The network could not deliver it.
    Undelivered,
    /// Its validity ran out, in our queue or at the operator.
    Expired,
    /// Refused before submit: policy, price, route, blacklist.
    Rejected,
    /// The operator refused the submit, or attempts ran out.
    Failed,
    /// Withdrawn by the customer before submit.
    Canceled,
}

/// Why a string is not a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected one of accepted, scheduled, held, queued, sent, buffered, unconfirmed, delivered, undelivered, expired, rejected, failed, canceled"
)]
pub struct ParseError;

impl State {
    /// Every state, in the order of a message's life.
    pub const ALL: [Self; 13] = [
        Self::Accepted,
        Self::Scheduled,
        Self::Held,
        Self::Queued,
        Self::Sent,
        Self::Buffered,
        Self::Unconfirmed,
        Self::Delivered,
        Self::Undelivered,
        Self::Expired,
        Self::Rejected,
        Self::Failed,
        Self::Canceled,
    ];

    /// How far a message has come: a transition never goes down.
    pub const fn rank(self) -> i16 {
        match self {
            Self::Accepted => 0,
            Self::Scheduled | Self::Held => 1,
            Self::Queued => 2,
            Self::Sent => 3,
            Self::Buffered => 4,
            Self::Unconfirmed => 8,
            Self::Delivered | Self::Undelivered | Self::Expired | Self::Rejected | Self::Failed | Self::Canceled => 9,
        }
    }

    /// Nothing more is expected to happen; the message holds no money.
    pub const fn is_final(self) -> bool {
        self.rank() >= Self::Unconfirmed.rank()
    }

    /// The rank from which on a state is final, for SQL.
    pub const FINAL_RANK: i16 = Self::Unconfirmed.rank();

    /// May a message in `self` go to `next`? Equal states are no transition.
    pub const fn may_become(self, next: Self) -> bool {
        self.rank() < next.rank()
    }

    /// The name in SQL, API, console and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Scheduled => "scheduled",
            Self::Held => "held",
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Buffered => "buffered",
            Self::Unconfirmed => "unconfirmed",
            Self::Delivered => "delivered",
            Self::Undelivered => "undelivered",
            Self::Expired => "expired",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for State {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::ALL.into_iter().find(|state| state.name() == text).ok_or(ParseError)
    }
}

/// The state of one segment at the operator, and the state of its message that follows from all of them.
///
/// A message is delivered when every segment is; one failed segment decides as soon as every segment has its
/// final receipt or one has failed for good.
pub fn of_segments(segments: &[State]) -> State {
    let failed = [State::Rejected, State::Undelivered, State::Expired].into_iter().find(|s| segments.contains(s));
    if let Some(state) = failed {
        return if state == State::Rejected { State::Undelivered } else { state };
    }
    if !segments.is_empty() && segments.iter().all(|s| *s == State::Delivered) {
        return State::Delivered;
    }
    if segments.iter().any(|s| matches!(s, State::Buffered | State::Delivered)) {
        return State::Buffered;
    }
    State::Sent
}

#[cfg(test)]
mod tests {
    use super::State::{Buffered, Delivered, Expired, Rejected, Sent, Unconfirmed, Undelivered};
    use super::*;

    #[test]
    fn names_round_trip() {
        for state in State::ALL {
            assert_eq!(state.name().parse(), Ok(state));
        }
        assert_eq!("done".parse::<State>(), Err(ParseError));
    }

    #[test]
    fn final_states_stay_and_only_a_late_receipt_corrects_unconfirmed() {
        for from in State::ALL.into_iter().filter(|s| s.is_final()) {
            for to in State::ALL {
                let corrected = from == Unconfirmed && to.rank() == 9;
                assert_eq!(from.may_become(to), corrected, "{from} -> {to}");
            }
        }
    }

    #[test]
    fn a_message_follows_its_segments() {
        let rows: [(&[State], State); 7] = [
            (&[Delivered], Delivered),
            (&[Delivered, Sent], Buffered),
            (&[Delivered, Delivered], Delivered),
            (&[Delivered, Undelivered], Undelivered),
            (&[Sent, Expired], Expired),
            (&[Rejected], Undelivered),
            (&[Buffered, Sent], Buffered),
        ];
        for (segments, expected) in rows {
            assert_eq!(of_segments(segments), expected, "{segments:?}");
        }
    }
}
