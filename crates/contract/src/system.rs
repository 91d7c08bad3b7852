//! The internal API for customers' SMPP systems: who may bind, and who is bound.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{AccountId, MessageId, SessionId, SmppSystemId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::edge::BindType;
use crate::fields::Alphabet;
use crate::octets::Octets;

/// How a customer may bind and what its sessions do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemSettings {
    /// Its id.
    pub id: SmppSystemId,
    /// Whose it is.
    pub account_id: AccountId,
    /// The name it binds by: 1 to 15 characters, unique on the platform.
    pub system_id: String,
    /// HMAC-SHA-256 of the password with the platform's key.
    pub password_hash: Octets,
    /// How many sessions of each kind, over all edges; 0: none of this kind.
    pub binds: BindCounts,
    /// Networks it may come from, as `192.0.2.0/24` or one address; empty: any.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// Segments per second over all its sessions; 0: no limit of its own.
    pub segments_per_second: u32,
    /// Segments at once.
    pub burst: u32,
    /// Unanswered requests per session, each way.
    pub window: u16,
    /// Sender IDs it may use, of those of the account; empty: all of them.
    #[serde(default)]
    pub senders: Vec<String>,
    /// Used where `source_addr` is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_sender: Option<String>,
    /// What `data_coding` 0 means.
    #[serde(default)]
    pub default_alphabet: Alphabet,
    /// How it gets receipts.
    #[serde(default)]
    pub receipts: ReceiptStyle,
    /// How it gets long messages from handsets.
    #[serde(default)]
    pub inbound: InboundStyle,
    /// From `service_type` to the class of traffic.
    #[serde(default)]
    pub service_types: BTreeMap<String, String>,
    /// Off: binds are refused and its sessions are closed.
    pub enabled: bool,
}

/// Sessions by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindCounts {
    /// That submit only.
    pub transmitters: u16,
    /// That receive only.
    pub receivers: u16,
    /// That do both.
    pub transceivers: u16,
}

impl BindCounts {
    /// How many of one kind.
    pub const fn of(self, bind_type: BindType) -> u16 {
        match bind_type {
            BindType::Transmitter => self.transmitters,
            BindType::Receiver => self.receivers,
            BindType::Transceiver => self.transceivers,
        }
    }
}

/// How receipts look.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReceiptStyle {
    /// Which PDU carries them.
    pub pdu: ReceiptPdu,
    /// The text, with `{id} {sub} {dlvrd} {submit_date} {done_date} {stat} {err} {text}` in it; `None`: the form of
    /// SMPP 3.4 appendix B.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// How ids are written, in responses and receipts alike.
    pub id_form: IdForm,
}

/// The PDU that carries receipts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptPdu {
    /// `deliver_sm`, as everybody expects.
    #[default]
    DeliverSm,
    /// `data_sm`, with the text in `message_payload`.
    DataSm,
}

/// How long messages from handsets are handed over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InboundStyle {
    /// In parts with user data headers.
    #[default]
    Parts,
    /// In one PDU with `message_payload`.
    Payload,
}

/// How a message id is written for an SMPP customer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdForm {
    /// The 26 characters that follow `msg_` everywhere else: many libraries read receipts as GSM 7-bit, where the
    /// octet of `_` is another character, and would find no message by that id.
    #[default]
    Text,
    /// 32 hexadecimal digits in lower case.
    Hex,
    /// Decimal digits, up to 39 of them.
    Decimal,
    /// 36 characters with hyphens.
    Uuid,
}

/// How ids of messages begin outside of SMPP.
const TEXT_PREFIX: &str = "msg_";

impl IdForm {
    /// The id in this form.
    pub fn render(self, id: MessageId) -> String {
        match self {
            Self::Text => id.to_string().trim_start_matches(TEXT_PREFIX).to_owned(),
            Self::Hex => id.uuid().simple().to_string(),
            Self::Decimal => id.uuid().as_u128().to_string(),
            Self::Uuid => id.uuid().hyphenated().to_string(),
        }
    }

    /// Reads an id in this form, in any case of letters; the text also with its `msg_`.
    pub fn parse(self, text: &str) -> Option<MessageId> {
        match self {
            Self::Text if text.starts_with(TEXT_PREFIX) => text.parse().ok(),
            Self::Text => format!("{TEXT_PREFIX}{text}").parse().ok(),
            Self::Decimal => text.parse().ok().map(Uuid::from_u128).map(MessageId::from_uuid),
            Self::Hex | Self::Uuid => Uuid::try_parse(text).ok().map(MessageId::from_uuid),
        }
    }
}

/// One session of a customer, as its edge reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionStatus {
    /// Made at the bind.
    pub id: SessionId,
    /// Which system.
    pub system_id: SmppSystemId,
    /// Whose it is.
    pub account_id: AccountId,
    /// How it is bound.
    pub bind_type: BindType,
    /// Address and port of the peer.
    pub peer: String,
    /// Over TLS.
    pub tls: bool,
    /// The peer's `interface_version`, 0x34 mostly.
    pub interface_version: u8,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Requests of the customer without an answer.
    pub in_flight: u32,
    /// Our deliveries without an answer.
    pub delivering: u32,
    /// Submits so far.
    pub submits: u64,
    /// Of which were accepted.
    pub accepted: u64,
    /// Of which were too fast.
    pub throttled: u64,
    /// Deliveries that the customer took.
    pub delivered: u64,
    /// What went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// What the platform tells an edge in answer to its report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Orders {
    /// Sessions of customers that somebody wants closed.
    pub cut: Vec<SessionId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_back_in_every_form() {
        let id = MessageId::generate();
        for form in [IdForm::Text, IdForm::Hex, IdForm::Decimal, IdForm::Uuid] {
            let written = form.render(id);
            assert!(written.len() <= 64, "message_id has 65 octets with its NUL");
            assert_eq!(form.parse(&written), Some(id), "{form:?}");
            assert_eq!(form.parse(&written.to_ascii_uppercase()), Some(id), "{form:?}");
            let is_safe = written.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
            assert!(is_safe, "{form:?}: {written} is the same in ASCII and in GSM 7-bit");
            assert_eq!(form.parse("nonsense"), None, "{form:?}");
        }
        assert_eq!(IdForm::Text.parse(&id.to_string()), Some(id), "as it is written elsewhere");
    }
}
