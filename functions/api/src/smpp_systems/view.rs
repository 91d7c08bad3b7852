//! What is shown of a system. Never its password, but once when it is made.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use contract::IdForm;
use contract::system::{InboundStyle, ReceiptPdu};
use serde::Serialize;
use utoipa::ToSchema;

/// How a customer may bind, and what its sessions do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SmppSystem)]
#[expect(clippy::struct_field_names, reason = "`system_id` is what SMPP calls it")]
pub(super) struct System {
    /// Its id.
    id: String,
    /// Whose it is.
    account_id: String,
    /// The name it binds by.
    #[schema(example = "shop")]
    system_id: String,
    /// Sessions that submit only, over all edges.
    transmitters: u16,
    /// Sessions that receive only.
    receivers: u16,
    /// Sessions that do both.
    transceivers: u16,
    /// Where it may come from; empty: anywhere.
    addresses: Vec<String>,
    /// Segments per second over all its sessions; 0: no limit of its own.
    segments_per_second: u32,
    /// Segments at once.
    burst: u32,
    /// Unanswered requests per session, each way.
    window: u16,
    /// Sender IDs it may use, of those of the account; empty: all of them.
    senders: Vec<String>,
    /// Used where a submit names no source.
    default_sender: Option<String>,
    /// What `data_coding` 0 means.
    default_alphabet: &'static str,
    /// `deliver_sm` or `data_sm`.
    #[schema(value_type = String)]
    receipt_pdu: ReceiptPdu,
    /// The text of receipts; `null`: the form of SMPP 3.4 appendix B.
    receipt_template: Option<String>,
    /// `text`, `hex`, `decimal` or `uuid`.
    #[schema(value_type = String)]
    id_form: IdForm,
    /// `parts` or `payload`.
    #[schema(value_type = String)]
    inbound: InboundStyle,
    /// From `service_type` to a class of traffic.
    service_types: BTreeMap<String, String>,
    /// May bind.
    enabled: bool,
    /// When it was made.
    #[serde(serialize_with = "crate::time::millis")]
    created_at: DateTime<Utc>,
}

/// A system, and its password where one was made just now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SmppSystemMade)]
pub(super) struct MadeSystem {
    #[serde(flatten)]
    pub(super) system: System,
    /// The password that was made. It is not shown again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) password: Option<String>,
}

impl System {
    pub(super) fn of(row: store::smpp_systems::System) -> Self {
        let store::smpp_systems::System { settings, created_at } = row;
        Self {
            id: settings.id.to_string(),
            account_id: settings.account_id.to_string(),
            system_id: settings.system_id,
            transmitters: settings.binds.transmitters,
            receivers: settings.binds.receivers,
            transceivers: settings.binds.transceivers,
            addresses: settings.addresses,
            segments_per_second: settings.segments_per_second,
            burst: settings.burst,
            window: settings.window,
            senders: settings.senders,
            default_sender: settings.default_sender,
            default_alphabet: settings.default_alphabet.name(),
            receipt_pdu: settings.receipts.pdu,
            receipt_template: settings.receipts.template,
            id_form: settings.receipts.id_form,
            inbound: settings.inbound,
            service_types: settings.service_types,
            enabled: settings.enabled,
            created_at,
        }
    }
}
