//! Queue `inbound`: what handsets send, part by part as it came from an operator.

use chrono::{DateTime, Utc};
use domain::OperatorId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::envelope::Item;
use crate::fields::{Alphabet, PartOf, WireAddress};
use crate::octets::Octets;

/// One `deliver_sm` or `data_sm` that is no receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboundPart {
    /// UUID v7, made by the edge.
    pub id: Uuid,
    /// Who sent it.
    pub operator_id: OperatorId,
    /// The handset.
    pub from: WireAddress,
    /// The number or short code that it wrote to.
    pub to: WireAddress,
    /// How `octets` become text, by the operator's profile.
    pub alphabet: Alphabet,
    /// User data without its header. Parts are joined before they are read: a character may be cut in two.
    pub octets: Octets,
    /// Which part of which message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_of: Option<PartOf>,
    /// As it came.
    pub data_coding: u8,
    /// Optional parameters, as they came.
    #[serde(default, skip_serializing_if = "Octets::is_empty")]
    pub tlvs: Octets,
    /// When it came.
    pub received_at: DateTime<Utc>,
}

impl Item for InboundPart {
    const KIND: &'static str = "inbound.part";
}
