//! How the operator behaves; may be changed while it runs.

use serde::{Deserialize, Serialize};
use smpp::receipt::State;

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
    /// Delivery receipts.
    pub receipts: Receipts,
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
}

/// How a message's number is written as an id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdForm {
    /// Decimal digits.
    #[default]
    Decimal,
    /// Twenty decimal digits with leading zeros.
    PaddedDecimal,
    /// Lower-case hexadecimal digits.
    Hex,
    /// The shape of a UUID.
    Uuid,
    /// Decimal digits, each id given to two messages.
    Repeated,
    /// An empty id.
    Empty,
}

impl IdForm {
    /// The id of the message with this number.
    pub fn render(self, number: u64) -> String {
        match self {
            Self::Decimal => number.to_string(),
            Self::PaddedDecimal => format!("{number:020}"),
            Self::Hex => format!("{number:x}"),
            Self::Uuid => {
                let [high, low] = [mix(number), mix(!number)];
                let (version, variant) = (0x4000 | (high & 0x0FFF), 0x8000 | (low >> 50));
                let (start, middle, end) = (high >> 32, (high >> 16) & 0xFFFF, low & 0xFFFF_FFFF_FFFF);
                format!("{start:08x}-{middle:04x}-{version:04x}-{variant:04x}-{end:012x}")
            }
            Self::Repeated => (number / 2).to_string(),
            Self::Empty => String::new(),
        }
    }
}

/// Delivery receipts: whether, when, what and in which form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Receipts {
    /// Send them to who asks for them in `registered_delivery`.
    pub enabled: bool,
    /// Time from the submit to the receipt.
    pub delay_ms: u64,
    /// At most this much is added to the delay, by chance.
    pub jitter_ms: u64,
    /// Send the receipt before the answer to the submit.
    pub before_answer: bool,
    /// Report ENROUTE first.
    pub intermediate: bool,
    /// How many times each receipt is sent; 2 makes duplicates.
    pub copies: u8,
    /// Shares of the outcomes.
    pub outcomes: Outcomes,
    /// What the receipt looks like.
    pub format: Format,
    /// The form of the id where it differs from that in the answer.
    pub ids: Option<IdForm>,
    /// Receipts of one bind that may wait for their answer.
    pub window: usize,
    /// Time after which an unanswered receipt is sent again.
    pub resend_ms: u64,
    /// How often one receipt is sent at most.
    pub attempts_max: u32,
}

impl Default for Receipts {
    fn default() -> Self {
        Self {
            enabled: true,
            delay_ms: 0,
            jitter_ms: 0,
            before_answer: false,
            intermediate: false,
            copies: 1,
            outcomes: Outcomes::default(),
            format: Format::default(),
            ids: None,
            window: 100,
            resend_ms: 10_000,
            attempts_max: 5,
        }
    }
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// DELIVRD.
    #[default]
    Delivered,
    /// UNDELIV.
    Undelivered,
    /// EXPIRED.
    Expired,
    /// REJECTD.
    Rejected,
    /// DELETED.
    Deleted,
    /// UNKNOWN.
    Unknown,
    /// No receipt at all.
    Silent,
}

impl Outcome {
    /// The state in the receipt and the error code next to it; `None` for no receipt.
    pub const fn state(self) -> Option<(State, &'static str)> {
        match self {
            Self::Delivered => Some((State::Delivered, "000")),
            Self::Undelivered => Some((State::Undeliverable, "001")),
            Self::Expired => Some((State::Expired, "002")),
            Self::Rejected => Some((State::Rejected, "003")),
            Self::Deleted => Some((State::Deleted, "004")),
            Self::Unknown => Some((State::Unknown, "005")),
            Self::Silent => None,
        }
    }
}

/// Shares of outcomes in thousandths; what is left of the thousand is delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Outcomes {
    /// UNDELIV.
    pub undelivered_per_mille: u32,
    /// EXPIRED.
    pub expired_per_mille: u32,
    /// REJECTD.
    pub rejected_per_mille: u32,
    /// No receipt.
    pub silent_per_mille: u32,
}

/// What a receipt looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// The text of the specification's appendix B, and TLVs.
    #[default]
    Standard,
    /// The same text without TLVs.
    TextOnly,
    /// TLVs and no text.
    TlvOnly,
    /// `id:… stat:… err:…`, no TLVs.
    Terse,
    /// Keys in another order and case, dates of fourteen digits, no TLVs.
    Reordered,
}

/// What breaks after some submits of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Submits of the session that still go well.
    pub after_submits: u64,
    /// What happens at the next one.
    pub kind: FaultKind,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The connection closes; what was not yet answered stays unanswered.
    Close,
    /// Nothing is read or written any more, the connection stays open.
    Stall,
    /// Octets that are no PDU are sent, then nothing more is read.
    Garbage,
}

impl Profile {
    /// The rule for this destination.
    pub(crate) fn rule(&self, destination: &[u8]) -> Option<&Rule> {
        self.rules.iter().find(|rule| destination.ends_with(rule.suffix.as_bytes()))
    }

    /// The status that message `draw` is refused with, if it is.
    pub(crate) fn refusal(&self, draw: Draw) -> Option<u32> {
        draw.pick(self.refusals.iter().map(|refusal| (refusal.status, refusal.per_mille)))
    }
}

impl Outcomes {
    /// The outcome of message `draw`.
    pub(crate) fn of(&self, draw: Draw) -> Outcome {
        let shares = [
            (Outcome::Undelivered, self.undelivered_per_mille),
            (Outcome::Expired, self.expired_per_mille),
            (Outcome::Rejected, self.rejected_per_mille),
            (Outcome::Silent, self.silent_per_mille),
        ];
        draw.pick(shares.into_iter()).unwrap_or_default()
    }
}

/// A repeatable random number for one choice about one message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draw(u64);

impl Draw {
    /// `salt` tells the choices about one message apart.
    pub(crate) const fn new(seed: u64, number: u64, salt: u64) -> Self {
        Self(mix(mix(seed ^ (salt << 56)) ^ number))
    }

    /// 0 to `max`, both included.
    pub(crate) const fn up_to(self, max: u64) -> u64 {
        match max.checked_add(1) {
            Some(range) => self.0 % range,
            None => self.0,
        }
    }

    /// The value whose share, in thousandths and one after the other, this number falls into.
    fn pick<T>(self, shares: impl Iterator<Item = (T, u32)>) -> Option<T> {
        let mut left = self.0 % 1000;
        for (value, share) in shares {
            let share = u64::from(share);
            if left < share {
                return Some(value);
            }
            left -= share;
        }
        None
    }
}

/// The finaliser of splitmix64: spreads neighbouring numbers over all 64 bits.
const fn mix(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests;
