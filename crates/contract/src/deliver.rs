//! Queue `deliver.<system>`: receipts and messages from handsets for an SMPP customer.

use chrono::{DateTime, Utc};
use domain::{AccountId, InboundId, MessageId, Private, SmppSystemId, State};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::envelope::Item;
use crate::fields::WireAddress;
use domain::Encoding;

/// One PDU for a customer, kept until one of its sessions takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deliver {
    /// UUID v7.
    pub id: Uuid,
    /// For whom.
    pub system_id: SmppSystemId,
    /// Whose it is.
    pub account_id: AccountId,
    /// Dropped when nobody took it by then.
    pub expires_at: DateTime<Utc>,
    /// What it says.
    pub what: What,
}

impl Item for Deliver {
    const KIND: &'static str = "smpp.deliver";
}

/// What is delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum What {
    /// What became of a message of the customer.
    Receipt(CustomerReceipt),
    /// A message from a handset.
    Inbound(CustomerInbound),
}

/// A receipt as the customer gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerReceipt {
    /// The id that the customer was told.
    pub message_id: MessageId,
    /// Where the message went: the source of the receipt.
    pub recipient: WireAddress,
    /// Where it came from: the destination of the receipt.
    pub sender: WireAddress,
    /// Where the message stands; `buffered` and `sent` make an intermediate notification.
    pub state: State,
    /// The error code, three characters at best; `000` when there is none.
    pub error: String,
    /// When the customer submitted it.
    pub submitted_at: DateTime<Utc>,
    /// When it came to this state.
    pub done_at: DateTime<Utc>,
    /// Short messages that it took.
    pub segments: u8,
    /// The beginning of its text, at most 20 characters.
    pub text: Private,
    /// The customer's `user_message_reference`, where one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_message_reference: Option<u16>,
}

/// A message from a handset as the customer gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerInbound {
    /// Its id.
    pub inbound_id: InboundId,
    /// The handset.
    pub from: WireAddress,
    /// The number or short code that it wrote to.
    pub to: WireAddress,
    /// What it says; for [`Encoding::Binary`] two hexadecimal digits per octet.
    pub text: Private,
    /// How it is written best.
    pub encoding: Encoding,
    /// Parts were missing when the time was over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// When the operator sent it.
    pub received_at: DateTime<Utc>,
}
