//! How the operator behaves; may be changed while it runs.

mod chance;
mod check;
mod fault;
mod ids;
mod link;
mod receipts;

use serde::{Deserialize, Serialize};
use smpp::Status;

pub use check::Problems;
pub use fault::{Fault, FaultKind};
pub use ids::IdForm;
pub use link::{Link, Nul, Wire};
pub use receipts::{Format, Outcome, Outcomes, ReceiptParts, Receipts, SecondFinal};

pub(crate) use chance::Draw;

use crate::Mobile;

/// Behaviour towards all accounts. The default is a good operator: quick, orderly, everything delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// Time from a submit to its answer.
    pub latency_ms: u64,
    /// At most this much is added to the latency, by chance: answers overtake each other.
    pub jitter_ms: u64,
    /// Submits per second and bind; more are answered with `ESME_RTHROTTLED`.
    pub submits_per_second_max: Option<u32>,
    /// Submits of one bind that may wait for their answer; more are answered with `ESME_RTHROTTLED`.
    pub window_max: Option<usize>,
    /// Answer every bind with this status instead of taking it.
    pub bind_status: Option<u32>,
    /// Shares of submits that are refused, in thousandths.
    pub refusals: Vec<Refusal>,
    /// What happens to certain destinations; the first match counts, before any share.
    pub rules: Vec<Rule>,
    /// How submits are answered.
    pub answers: Answers,
    /// The form of message ids in answers.
    pub ids: IdForm,
    /// The status of submits over the rate or the window, instead of `ESME_RTHROTTLED` (0x58): 0x14, 0x08, 0x45 and
    /// codes of vendors are seen too.
    pub throttle_status: Option<u32>,
    /// Delivery receipts.
    pub receipts: Receipts,
    /// Messages from handsets that every session gets which binds to receive.
    pub mobile: Vec<Mobile>,
    /// The session itself: binds, links and speed.
    pub link: Link,
    /// PDUs that are not quite as the specification has them.
    pub wire: Wire,
    /// What breaks, once per session.
    pub fault: Option<Fault>,
}

/// A share of submits answered with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// The `command_status`, for example 0x58 for `ESME_RTHROTTLED`.
    pub status: u32,
    /// Of a thousand submits, how many.
    pub per_mille: u32,
}

/// What happens to destinations that end in certain digits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// The last digits of the destination.
    pub suffix: String,
    /// Refuse with this `command_status`.
    pub status: Option<u32>,
    /// The outcome that the receipt reports.
    pub outcome: Option<Outcome>,
    /// What the handset writes back.
    pub reply: Option<String>,
}

/// How submits are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answers {
    /// One after the other.
    #[default]
    InOrder,
    /// Of what is answered at one moment, the last submit first.
    Reversed,
    /// Not at all; the message is taken nevertheless, and receipts come.
    Never,
    /// Each twice.
    Twice,
    /// Before each one another with a sequence number that no submit had.
    Stray,
    /// Only with a sequence number that no submit had.
    Misnumbered,
}

impl Profile {
    /// The status of submits that come too fast.
    pub(crate) fn throttle_status(&self) -> Status {
        self.throttle_status.map_or(Status::RTHROTTLED, Status)
    }

    /// The rule for this destination.
    pub(crate) fn rule(&self, destination: &[u8]) -> Option<&Rule> {
        self.rules.iter().find(|rule| destination.ends_with(rule.suffix.as_bytes()))
    }

    /// The status that message `draw` is refused with, if it is.
    pub(crate) fn refusal(&self, draw: Draw) -> Option<u32> {
        draw.pick(self.refusals.iter().map(|refusal| (refusal.status, refusal.per_mille)))
    }
}

#[cfg(test)]
mod tests;
