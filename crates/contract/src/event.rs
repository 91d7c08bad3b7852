//! Queue `callback`: what happened to a message, for its customer's webhook.

use chrono::{DateTime, Utc};
use domain::{AccountId, MessageId, Micros, Number, State};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::envelope::Item;

/// One event for one URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerEvent {
    /// The event's id: `webhook-id` of every attempt, so that a customer can drop repeats.
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

impl Item for CustomerEvent {
    const KIND: &'static str = "customer.event";
}
