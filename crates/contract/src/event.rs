//! Queue `callback`: what happened, for a customer's webhook.

use chrono::{DateTime, Utc};
use domain::inbound::Action;
use domain::{AccountId, InboundId, MessageId, Micros, Number, Private, State, ThresholdId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::envelope::Item;
use domain::Encoding;

/// The type of an event about a message from a handset.
pub const INBOUND: &str = "message.inbound";
/// The type of an event about a balance that fell below a threshold.
pub const BALANCE_LOW: &str = "balance.low";

/// One event for one URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CustomerEvent {
    /// A message of the customer came to a state.
    Message(MessageEvent),
    /// A handset wrote to a number of the customer.
    Inbound(InboundEvent),
    /// What a wallet can spend fell below a threshold.
    Balance(BalanceEvent),
}

impl CustomerEvent {
    /// The event's id: `webhook-id` of every attempt, so that a customer can drop repeats.
    pub const fn id(&self) -> Uuid {
        match self {
            Self::Message(event) => event.id,
            Self::Inbound(event) => event.id,
            Self::Balance(event) => event.id,
        }
    }

    /// Whose it is.
    pub const fn account_id(&self) -> AccountId {
        match self {
            Self::Message(event) => event.account_id,
            Self::Inbound(event) => event.account_id,
            Self::Balance(event) => event.account_id,
        }
    }

    /// The message that it is about, in either direction, or the threshold.
    pub const fn about(&self) -> Uuid {
        match self {
            Self::Message(event) => event.message_id.uuid(),
            Self::Inbound(event) => event.inbound_id.uuid(),
            Self::Balance(event) => event.threshold_id.uuid(),
        }
    }

    /// The event's type, which webhooks and listeners are told: `message.delivered`, `message.inbound`.
    pub fn name(&self) -> String {
        match self {
            Self::Message(event) => format!("message.{}", event.state),
            Self::Inbound(_) => INBOUND.to_owned(),
            Self::Balance(_) => BALANCE_LOW.to_owned(),
        }
    }

    /// What a customer gets, by webhook and by WebSocket. Documented in the API's description; fields are only ever
    /// added.
    pub fn body(&self) -> Value {
        let (timestamp, data) = match self {
            Self::Message(event) => (event.at, event.data()),
            Self::Inbound(event) => (event.received_at, event.data()),
            Self::Balance(event) => (event.at, event.data()),
        };
        json!({ "type": self.name(), "timestamp": timestamp, "data": data })
    }

    /// Where to; empty: nowhere by webhook.
    pub fn url(&self) -> &str {
        match self {
            Self::Message(event) => &event.url,
            Self::Inbound(event) => &event.url,
            Self::Balance(event) => &event.url,
        }
    }
}

impl Item for CustomerEvent {
    const KIND: &'static str = "customer.event";

    fn tenant(&self) -> Option<AccountId> {
        Some(self.account_id())
    }
}

/// A message came to a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageEvent {
    /// The event's id.
    pub id: Uuid,
    /// Whose it is.
    pub account_id: AccountId,
    /// The message.
    pub message_id: MessageId,
    /// Where to; empty: nowhere by webhook.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// The state that was reached.
    pub state: State,
    /// When.
    pub at: DateTime<Utc>,
    /// Why, where a code was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Where the message goes.
    pub to: Number,
    /// The customer's own reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_reference: Option<String>,
    /// Short messages that it took.
    pub segments: u8,
    /// What it has cost the customer by now.
    pub price: Micros,
    /// The currency of the price.
    pub currency: domain::Currency,
}

/// A message from a handset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboundEvent {
    /// The event's id.
    pub id: Uuid,
    /// Whose it is.
    pub account_id: AccountId,
    /// The message.
    pub inbound_id: InboundId,
    /// Where to; empty: nowhere by webhook.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// The handset: E.164 where it is a number, else as it came.
    pub from: Private,
    /// The number or short code that it wrote to.
    pub to: String,
    /// What it says; for [`Encoding::Binary`] two hexadecimal digits per octet.
    pub text: Private,
    /// How it is written best.
    pub encoding: Encoding,
    /// Short messages that it came in.
    pub parts: u8,
    /// Parts were missing when the time was over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// When the operator sent it; its first part.
    pub received_at: DateTime<Utc>,
    /// The keyword that made it the customer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyword: Option<String>,
    /// What it did besides being delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
}

/// What a wallet can spend fell below a threshold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceEvent {
    /// The event's id.
    pub id: Uuid,
    /// Whose wallet.
    pub account_id: AccountId,
    /// Which threshold.
    pub threshold_id: ThresholdId,
    /// Where to; empty: nowhere by webhook.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// The threshold's amount.
    pub threshold: Micros,
    /// What could be spent when it was looked at.
    pub available: Micros,
    /// The wallet's currency.
    pub currency: domain::Currency,
    /// When that was.
    pub at: DateTime<Utc>,
}

impl BalanceEvent {
    fn data(&self) -> Value {
        json!({
            "id": self.threshold_id,
            "account_id": self.account_id,
            "threshold": { "amount": self.threshold, "currency": self.currency },
            "available": { "amount": self.available, "currency": self.currency },
        })
    }
}

impl MessageEvent {
    fn data(&self) -> Value {
        json!({
            "id": self.message_id,
            "account_id": self.account_id,
            "state": self.state,
            "code": self.code,
            "to": self.to,
            "client_reference": self.client_reference,
            "segments": self.segments,
            "price": { "amount": self.price, "currency": self.currency },
        })
    }
}

impl InboundEvent {
    fn data(&self) -> Value {
        json!({
            "id": self.inbound_id,
            "account_id": self.account_id,
            "from": self.from,
            "to": self.to,
            "text": self.text,
            "encoding": self.encoding,
            "parts": self.parts,
            "partial": self.partial,
            "received_at": self.received_at,
            "keyword": self.keyword,
            "action": self.action,
        })
    }
}
