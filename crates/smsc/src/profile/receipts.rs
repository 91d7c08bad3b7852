//! How receipts look, when they come and what they say.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use smpp::receipt::State;
use smpp::receipt::template::STANDARD;

use super::IdForm;
use super::chance::Draw;

/// Delivery receipts: whether, when, what and in which form.
#[expect(clippy::struct_excessive_bools, reason = "each is a quirk of the field, alone or with others")]
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
    /// The form of the id in `receipted_message_id` where it differs from that in the text.
    pub tlv_ids: Option<IdForm>,
    /// Of a message in parts: a receipt for each, or for which.
    pub parts: ReceiptParts,
    /// After the final receipt another one says otherwise.
    pub second_final: Option<SecondFinal>,
    /// Send them over a bind other than that of the submit.
    pub other_bind: bool,
    /// The whole `esm_class` instead of that of a receipt; 0 hides what it is.
    pub esm_class: Option<u8>,
    /// The text instead of that of the format, with placeholders as in `smpp::receipt::template`.
    pub template: Option<String>,
    /// Digits of dates: 10 (`YYMMDDhhmm`), 12 (and seconds) or 14 (and four digits of the year).
    pub date_digits: u8,
    /// The time zone of dates, in minutes east of UTC.
    pub utc_offset_minutes: i32,
    /// The error code of every receipt that does not say DELIVRD, instead of 001 to 005.
    pub error: Option<String>,
    /// With TLV `network_error_code` (GSM, and the number in the error code).
    pub network_error: bool,
    /// `receipted_message_id` without its closing NUL.
    pub tlv_without_nul: bool,
    /// As `data_sm` with the text in `message_payload`, and not as `deliver_sm`.
    pub data_sm: bool,
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
            tlv_ids: None,
            parts: ReceiptParts::default(),
            second_final: None,
            other_bind: false,
            esm_class: None,
            template: None,
            date_digits: 10,
            utc_offset_minutes: 0,
            error: None,
            network_error: false,
            tlv_without_nul: false,
            data_sm: false,
            window: 100,
            resend_ms: 10_000,
            attempts_max: 5,
        }
    }
}

impl Receipts {
    /// The error code of a receipt in this state, where `usual` is that of the outcome.
    pub(crate) fn error_of<'a>(&'a self, state: State, usual: &'a str) -> &'a str {
        match &self.error {
            Some(error) if state.is_final() && state != State::Delivered => error,
            _ => usual,
        }
    }

    /// The template, where the text is not simply that of the format.
    pub(crate) fn own_template(&self) -> Option<Cow<'_, str>> {
        let template = match (&self.template, self.format) {
            (Some(template), _) => template,
            (None, Format::Standard | Format::TextOnly) if self.date_digits != 10 => STANDARD,
            _ => return None,
        };
        let digits = self.date_digits;
        if digits == 10 {
            return Some(template.into());
        }
        let longer = |name: &str| (format!("{{{name}}}"), format!("{{{name}:{digits}}}"));
        let [(submit, longer_submit), (done, longer_done)] = ["submit_date", "done_date"].map(longer);
        Some(template.replace(&submit, &longer_submit).replace(&done, &longer_done).into())
    }
}

/// Which parts of a message get a receipt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptParts {
    /// Every part.
    #[default]
    Each,
    /// One for the whole message, with the id of its first part.
    First,
    /// One for the whole message, with the id of its last part.
    Last,
}

/// A final receipt after the final receipt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecondFinal {
    /// What it says.
    pub outcome: Outcome,
    /// Time from the first one to this one.
    pub after_ms: u64,
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
