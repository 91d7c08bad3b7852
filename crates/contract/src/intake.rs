//! The internal API for customers' SMPP sessions: submits, and questions about what was submitted.

use chrono::{DateTime, Utc};
use domain::{AccountId, MessageId, Private, SmppSystemId, State};
use serde::{Deserialize, Serialize};

use crate::fields::SmppFields;
use domain::Encoding;

/// One message that an SMPP customer submitted; what the edge could not judge is judged by the intake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// Made by the edge, so that a submission that comes a second time is known. UUID v7.
    pub message_id: MessageId,
    /// Who pays.
    pub account_id: AccountId,
    /// Who gets the receipts.
    pub system_id: SmppSystemId,
    /// The destination as it came: digits, perhaps behind `+` or `00`.
    pub to: Private,
    /// The source as it came, or the system's default sender.
    pub from: String,
    /// What it says; for [`Encoding::Binary`] two hexadecimal digits per octet.
    pub text: Private,
    /// How the customer wrote it.
    pub encoding: Encoding,
    /// Everything else.
    pub fields: SmppFields,
    /// Section 5.2.17, as it came.
    pub registered_delivery: u8,
    /// Not submitted after this; the platform's default when nothing was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// Not submitted before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_at: Option<DateTime<Utc>>,
    /// The id that the customer was told, where it is not this message's own: `submit_multi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_id: Option<MessageId>,
    /// The long message that this is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub long: Option<LongPart>,
    /// What kind of traffic it is, from the `service_type` by the system's map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic_class: Option<String>,
}

/// One part of a message that the customer cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LongPart {
    /// The part that came first; it stands for the whole where messages are listed.
    pub head: MessageId,
    /// Which part, from 1.
    pub part: u8,
    /// Of how many.
    pub total: u8,
}

/// Many submissions at once, in the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submissions {
    /// At most 1,000.
    pub submissions: Vec<Submission>,
    /// The same were sent before and their verdicts were lost: those that are stored already are accepted.
    #[serde(default)]
    pub repeated: bool,
}

/// What became of one submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum SubmitVerdict {
    /// Durable, and paid for.
    Accepted,
    /// Nothing was stored.
    Refused(Refusal),
}

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// SMPP `command_status`.
    pub status: u32,
    /// The stable code of the API's catalogue, for logs and metrics.
    pub code: String,
}

/// A question about one message of a system, by `query_sm`, `cancel_sm` or `replace_sm`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AboutMessage {
    /// Who asks.
    pub account_id: AccountId,
    /// On which system; a system sees its own messages only.
    pub system_id: SmppSystemId,
    /// Which message.
    pub message_id: MessageId,
    /// Its source as given now; must be that of the submit (section 4.8). Empty: not compared.
    pub from: String,
    /// What to do.
    pub act: Act,
}

/// What is asked about a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "act")]
pub enum Act {
    /// Where does it stand?
    Query,
    /// Do not send it. Possible while it is accepted or scheduled.
    Cancel,
    /// Another text, of as many segments. Possible while it is scheduled.
    Replace {
        /// The new text.
        text: Private,
        /// How it was written.
        encoding: Encoding,
        /// Other times, where they are given.
        scheduled_at: Option<DateTime<Utc>>,
        /// Other times, where they are given.
        expires_at: Option<DateTime<Utc>>,
    },
}

/// Where a message stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageReport {
    /// Its state.
    pub state: State,
    /// When it reached a final one.
    pub final_at: Option<DateTime<Utc>>,
    /// The error code of the last receipt, as a number where it is one.
    pub error: u8,
}

/// The answer about a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "answer")]
pub enum Answer {
    /// Done, or known.
    Report(MessageReport),
    /// Not done.
    Refused(Refusal),
}
