//! Items on the road of a message: accepted, routed, submitted, receipted.

use chrono::{DateTime, Utc};
use domain::routing::Question;
use domain::routing::margin::Earned;
use domain::{
    AccountId, Currency, Encoding, MessageId, Micros, Network, Number, OperatorId, Private, Sender, State,
    TemplateName, TrafficClass,
};
use serde::{Deserialize, Serialize};

use crate::envelope::Item;
use crate::fields::{PartOf, SmppFields};
use crate::profile::ReceiptMeaning;

/// Queue `route`: a message whose money is held and that needs an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The message.
    pub message_id: MessageId,
    /// Whose it is.
    pub account_id: AccountId,
    /// Where it goes.
    pub to: Number,
    /// What the handset shows as its origin.
    pub from: Sender,
    /// What it says.
    pub text: Private,
    /// How it travels.
    pub encoding: Encoding,
    /// How many short messages it takes.
    pub segments: u8,
    /// The network that it was priced for.
    pub mcc_mnc: Network,
    /// Not submitted after this.
    pub expires_at: DateTime<Utc>,
    /// What kind of traffic it is, where its customer said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic_class: Option<TrafficClass>,
    /// The template that it was made of, where its customer said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateName>,
    /// What the house earns for a segment by the prices that it was accepted at; not said of the house's own messages, nor by
    /// who wrote it before this was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earned: Option<Earned>,
    /// Operators that had it before, in order; its length is the number of this hop.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<OperatorId>,
    /// What its SMPP customer said beyond that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smpp: Option<Box<SmppFields>>,
    /// An operator has taken it before: what must be known of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reroute: Option<Box<Reroute>>,
    /// The last of `tried`, where it never got the message: it was taken from there while it had no session, and goes back where
    /// no other operator takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited_for: Option<OperatorId>,
}

impl Accepted {
    /// What routing must know of it. `paid` is what operators before were paid for a segment, `probes`
    /// are operators with a half-open breaker that it may go to.
    pub fn question<'a>(
        &'a self,
        paid: &'a [(Currency, Micros)],
        probes: &'a [OperatorId],
        at: DateTime<Utc>,
    ) -> Question<'a> {
        Question {
            account: self.account_id,
            to: self.to,
            network: self.mcc_mnc,
            sender: self.from.as_str(),
            traffic_class: self.traffic_class,
            template: self.template.as_ref(),
            encoding: self.encoding,
            segments: self.segments,
            turn: turn(self.message_id),
            tried: &self.tried,
            paid,
            probes,
            earned: self.earned,
            priced_at: accepted_at(self.message_id).unwrap_or(at),
            at,
        }
    }
}

/// The milliseconds in an id say when its message was accepted.
fn accepted_at(message: MessageId) -> Option<DateTime<Utc>> {
    let (seconds, nanos) = message.uuid().get_timestamp()?.to_unix();
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
}

/// A number that is spread evenly over messages: the random end of the id.
fn turn(message: MessageId) -> u64 {
    message.uuid().as_u64_pair().1 & (u64::MAX >> 2)
}

/// A message that an operator took, and that shall go to another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reroute {
    /// How it ends when there is no other; `None`: it waits for the receipt of whoever took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<Otherwise>,
    /// What the operators before cost for the whole message, by currency.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paid: Vec<Paid>,
}

/// How a message ends that finds no other operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Otherwise {
    /// So.
    pub state: State,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Segments that the last operator took; counts where no submit was settled yet.
    #[serde(default)]
    pub accepted: u8,
    /// Its error is charged like a delivery by tariffs that charge on delivery.
    #[serde(default)]
    pub billable: bool,
}

/// What operators were paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paid {
    /// In this currency.
    pub currency: Currency,
    /// So much.
    pub amount: Micros,
}

impl Item for Accepted {
    const KIND: &'static str = "message.accepted";

    fn tenant(&self) -> Option<AccountId> {
        Some(self.account_id)
    }
}

/// Queue `submit.<operator>`: a message for one operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routed {
    /// The message.
    pub message_id: MessageId,
    /// Whose it is.
    pub account_id: AccountId,
    /// Which try at a route this is: 0 is the first. (message, hop) names a submit for ever.
    pub hop: u8,
    /// Where it goes.
    pub to: Number,
    /// What the handset shows as its origin.
    pub from: Sender,
    /// What it says.
    pub text: Private,
    /// How it travels.
    pub encoding: Encoding,
    /// How many short messages it takes.
    pub segments: u8,
    /// Not submitted after this.
    pub expires_at: DateTime<Utc>,
    /// What its SMPP customer said beyond that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smpp: Option<Box<SmppFields>>,
}

impl Item for Routed {
    const KIND: &'static str = "message.routed";

    fn tenant(&self) -> Option<AccountId> {
        Some(self.account_id)
    }
}

/// How a submit ended, as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeClass {
    /// Every segment was answered with `ESME_ROK`.
    Accepted,
    /// Refused by this operator, after retries where the status asked for them; another may take it.
    Temporary,
    /// Refused, and no other operator would take it: bad number, bad text.
    Permanent,
    /// Not submitted: its validity had run out.
    Expired,
    /// Sent, but never answered: it may be on its way. Waits for a receipt.
    Unknown,
}

/// The answer to one segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentOutcome {
    /// From 1.
    pub segment: u8,
    /// SMPP `command_status`; `None` when no answer came.
    pub status: Option<u32>,
    /// The operator's id, normalised by the rule of its profile; `None` where it gave none.
    pub smpp_message_id: Option<String>,
    /// How the PDU was numbered among others, by its header or its `sar_*` parameters; `None` where it stood alone, and
    /// in envelopes of before this was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_of: Option<PartOf>,
}

/// Queue `bill`: how one submit ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The message.
    pub message_id: MessageId,
    /// Whose it is.
    pub account_id: AccountId,
    /// Who was asked.
    pub operator_id: OperatorId,
    /// The hop of the [`Routed`] that this answers.
    pub hop: u8,
    /// As a whole.
    pub class: OutcomeClass,
    /// When the last answer came.
    pub at: DateTime<Utc>,
    /// Segment by segment; empty when nothing was submitted.
    pub segments: Vec<SegmentOutcome>,
}

impl Item for Outcome {
    const KIND: &'static str = "submit.outcome";

    fn tenant(&self) -> Option<AccountId> {
        Some(self.account_id)
    }
}

/// What a receipt says (SMPP 3.4 section 5.2.28, `message_state`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptState {
    /// On its way.
    Enroute,
    /// On the handset.
    Delivered,
    /// Its validity ran out at the operator.
    Expired,
    /// Deleted at the operator.
    Deleted,
    /// The network could not deliver it.
    Undeliverable,
    /// Accepted on behalf of the subscriber; not final.
    Accepted,
    /// The operator does not know.
    Unknown,
    /// Refused by the network.
    Rejected,
}

impl ReceiptState {
    /// The name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enroute => "enroute",
            Self::Delivered => "delivered",
            Self::Expired => "expired",
            Self::Deleted => "deleted",
            Self::Undeliverable => "undeliverable",
            Self::Accepted => "accepted",
            Self::Unknown => "unknown",
            Self::Rejected => "rejected",
        }
    }
}

/// Queue `dlr`: a receipt as an operator sent it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Who sent it.
    pub operator_id: OperatorId,
    /// The id it names, normalised like [`SegmentOutcome::smpp_message_id`].
    pub smpp_message_id: String,
    /// What it says.
    pub state: ReceiptState,
    /// The operator's error code, as it came; empty when there is none.
    pub error: String,
    /// What the operator's profile says about that code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meaning: Option<ReceiptMeaning>,
    /// When the operator says it happened.
    pub done_at: Option<DateTime<Utc>>,
    /// When we got it.
    pub received_at: DateTime<Utc>,
    /// The text as it came, for disputes. It may quote the message, so it hides itself.
    pub raw: Private,
    /// How often it was looked up without success; it may come before the outcome that it belongs to.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lookups: u8,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(lookups: &u8) -> bool {
    *lookups == 0
}

impl Item for Receipt {
    const KIND: &'static str = "receipt";
}
