//! What the world outside is told: systems for billing and reporting that are not ours.
//!
//! These are told one by one, as the JSON that is shown here, to whoever listens on the topics `messaging` and
//! `billing`; on their way there they travel in envelopes like everything else. `crates/outbox/NEWS.md` is for those
//! who listen.

use chrono::{DateTime, Utc};
use domain::{AccountId, Currency, MessageId, Micros, Number, OperatorId, State};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::envelope::Item;

/// One piece of news.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum News {
    /// A message came to a state.
    #[serde(rename = "message.state")]
    Change(Change),
    /// A message costs its sender something, or something else than before.
    #[serde(rename = "message.charge")]
    Charge(Charge),
}

impl News {
    /// Its id: the same news may come twice, and has the same id then.
    pub const fn id(&self) -> Uuid {
        match self {
            Self::Change(change) => change.id,
            Self::Charge(charge) => charge.id,
        }
    }

    /// The routing key: `dlr.<state>`, `bill_request.submit_sm_resp.<account>` for what a submit costs, and
    /// `bill_request.deliver_sm.<account>` for what the end of a message costs.
    pub fn key(&self) -> String {
        match self {
            Self::Change(change) => format!("dlr.{}", change.state.name()),
            Self::Charge(charge) => {
                let what = if charge.is_final { "deliver_sm" } else { "submit_sm_resp" };
                format!("bill_request.{what}.{}", charge.account_id)
            }
        }
    }
}

impl Item for News {
    const KIND: &'static str = "news";
}

/// A message came to a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The news' id.
    pub id: Uuid,
    /// Whose message.
    pub account_id: AccountId,
    /// The message.
    pub message_id: MessageId,
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
    /// Short messages that it takes.
    pub segments: u8,
}

/// What a message costs its sender by now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// The news' id.
    pub id: Uuid,
    /// Who pays.
    pub account_id: AccountId,
    /// The message.
    pub message_id: MessageId,
    /// Who carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator_id: Option<OperatorId>,
    /// When it was decided.
    pub at: DateTime<Utc>,
    /// The message has ended; otherwise an operator has accepted it.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// Short messages that the operator accepted.
    pub segments: u8,
    /// All that was taken from the sender's wallet for it by now: not what was added by this step.
    pub captured: Micros,
    /// The currency of the wallet.
    pub currency: Currency,
    /// The customer's own reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_reference: Option<String>,
}
