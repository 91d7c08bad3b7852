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
    /// Octets of the header that stood before them, its length octet included; 0: none. Packed septets are aligned
    /// behind it (3GPP TS 23.040 section 9.2.3.24).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub header_bytes: u8,
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

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(value: &u8) -> bool {
    *value == 0
}

impl Item for InboundPart {
    const KIND: &'static str = "inbound.part";
}
