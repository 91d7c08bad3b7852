//! Queue `callback`: what happened, for a customer's webhook.

use chrono::{DateTime, Utc};
use domain::inbound::Action;
use domain::{AccountId, InboundId, MessageId, Micros, Number, Private, State};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::envelope::Item;
use crate::message::Encoding;

/// One event for one URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CustomerEvent {
    /// A message of the customer came to a state.
    Message(MessageEvent),
    /// A handset wrote to a number of the customer.
    Inbound(InboundEvent),
}

impl CustomerEvent {
    /// The event's id: `webhook-id` of every attempt, so that a customer can drop repeats.
    pub const fn id(&self) -> Uuid {
        match self {
            Self::Message(event) => event.id,
            Self::Inbound(event) => event.id,
        }
    }

    /// Whose it is.
    pub const fn account_id(&self) -> AccountId {
        match self {
            Self::Message(event) => event.account_id,
            Self::Inbound(event) => event.account_id,
        }
    }

    /// The message that it is about, in either direction.
    pub const fn about(&self) -> Uuid {
        match self {
            Self::Message(event) => event.message_id.uuid(),
            Self::Inbound(event) => event.inbound_id.uuid(),
        }
    }

    /// Where to.
    pub fn url(&self) -> &str {
        match self {
            Self::Message(event) => &event.url,
            Self::Inbound(event) => &event.url,
        }
    }
}

impl Item for CustomerEvent {
    const KIND: &'static str = "customer.event";
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
    /// Where to.
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
    /// Where to.
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
