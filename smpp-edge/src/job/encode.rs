//! From a routed message to its `submit_sm` PDUs, as the operator's profile wants them.

mod address;
mod alphabet;
mod long;
#[cfg(test)]
mod tests;
mod validity;

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use contract::edge::OperatorSettings;
use contract::profile::{Plan, Profile, Validity};
use contract::{PartOf, Routed, SmppFields};
use domain::Sender;
use smpp::pdu::{Address, ESM_UDHI, Sm};
use smpp::tlv::{self, Tag};
use smpp::{Body, EncodeError, Status, Tlvs, encode};

/// `registered_delivery`: a receipt for success and for failure.
const RECEIPT_ALWAYS: u8 = 1;
/// Octets that `short_message` holds (SMPP 3.4 section 5.2.22); what is longer goes as `message_payload`.
const SHORT_MESSAGE_MAX: usize = 254;
/// Before this `interface_version` there are no optional parameters.
const TLVS_FROM: u8 = 0x34;
/// Optional parameters that say how this edge sends a text; a customer's own would contradict them.
const OURS: [Tag; 4] = [Tag::SAR_MSG_REF_NUM, Tag::SAR_TOTAL_SEGMENTS, Tag::SAR_SEGMENT_SEQNUM, Tag::MESSAGE_PAYLOAD];

/// Why a message cannot be put on the wire: a text that its encoding cannot hold, or of more than 255 parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text cannot be encoded")]
pub(crate) struct Unencodable;

/// Encodes messages for one operator. Made anew when its settings change: what a profile says to every message is
/// worked out once.
#[derive(Debug)]
pub(crate) struct Encoder {
    settings: Arc<OperatorSettings>,
    /// Numbers the messages that are cut into several segments; the operator's binds share it.
    reference: Arc<AtomicU16>,
    service_type: Bytes,
    tlvs: Bytes,
}

impl Encoder {
    pub(crate) fn new(settings: Arc<OperatorSettings>, reference: Arc<AtomicU16>) -> Self {
        let profile = &settings.profile;
        let tlvs = vendor_tlvs(profile, &[]);
        Self { service_type: profile.service_type.clone().into(), tlvs, settings, reference }
    }

    /// Whether this one was made from these settings.
    pub(crate) fn is_of(&self, settings: &Arc<OperatorSettings>) -> bool {
        Arc::ptr_eq(&self.settings, settings)
    }

    pub(crate) fn profile(&self) -> &Profile {
        &self.settings.profile
    }

    /// The PDUs of one message.
    pub(crate) fn encode(&self, routed: &Routed) -> Result<Encoded, Unencodable> {
        let profile = self.profile();
        let fields = routed.smpp.as_deref();
        let data = alphabet::data(routed, profile)?;
        let data_coding = data.number;
        let long::Cut { parts, carrier, first, has_header } =
            long::cut(data, profile.long, fields, || self.reference.fetch_add(1, Ordering::Relaxed))?;
        let mut encoded = Encoded {
            to: address::destination(routed, profile),
            to_plan: address::destination_plan(&profile.addresses),
            from: routed.from.clone(),
            from_plan: address::source_plan(&routed.from, fields, &profile.addresses),
            data_coding,
            parts,
            carrier,
            first,
            has_header,
            validity: profile.validity,
            expires_at: routed.expires_at,
            billed: routed.segments.max(1),
            service_type: self.service_type.clone(),
            tlvs: self.tlvs.clone(),
            protocol_id: 0,
            priority: 0,
            replace_if_present: false,
        };
        if let Some(fields) = fields {
            encoded.add(fields, profile);
        }
        Ok(encoded)
    }
}

/// How the parts of a message travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carrier {
    /// In `short_message`, with a header where there are several.
    Short,
    /// In `short_message`, numbered by `sar_*` parameters.
    Sar,
    /// In `message_payload`.
    Payload,
}

/// A message as its PDUs say it.
#[derive(Debug)]
pub(crate) struct Encoded {
    to: String,
    to_plan: Plan,
    from: Sender,
    from_plan: Plan,
    data_coding: u8,
    /// The user data of each PDU, header included.
    parts: Vec<Bytes>,
    carrier: Carrier,
    /// How the first part is numbered, as the operator reads it; the others count on from it.
    first: Option<PartOf>,
    has_header: bool,
    validity: Validity,
    pub(super) expires_at: DateTime<Utc>,
    /// Segments that the customer pays.
    pub(super) billed: u8,
    service_type: Bytes,
    tlvs: Bytes,
    protocol_id: u8,
    priority: u8,
    replace_if_present: bool,
}

impl Encoded {
    /// PDUs to send. An operator whose alphabet or headers take more room gets more of them than are billed, and
    /// one that cuts messages itself gets one.
    pub(super) const fn pdus(&self) -> usize {
        self.parts.len()
    }

    /// How the operator sees a PDU numbered among others; `None` where it stands alone.
    pub(super) fn part_of(&self, segment: u8) -> Option<PartOf> {
        self.first.map(|first| PartOf { part: first.part.saturating_add(segment), ..first })
    }

    /// What an SMPP customer said beyond text and addresses.
    fn add(&mut self, fields: &SmppFields, profile: &Profile) {
        if self.service_type.is_empty() {
            self.service_type = fields.service_type.clone().into();
        }
        self.protocol_id = fields.protocol_id;
        self.priority = fields.priority;
        self.replace_if_present = fields.replace_if_present;
        if !fields.tlvs.is_empty() {
            self.tlvs = vendor_tlvs(profile, &fields.tlvs.0);
        }
    }

    /// Appends one PDU to `out`. `scratch` is for its optional parameters.
    pub(crate) fn write(
        &self,
        (out, scratch): (&mut BytesMut, &mut BytesMut),
        segment: u8,
        number: u32,
        now: DateTime<Utc>,
    ) -> Result<(), EncodeError> {
        let part = self.parts.get(usize::from(segment)).map(AsRef::as_ref).unwrap_or_default();
        let in_payload = self.carrier == Carrier::Payload || part.len() > SHORT_MESSAGE_MAX;
        let tlvs: &[u8] = if in_payload || self.carrier == Carrier::Sar {
            scratch.clear();
            self.put_tlvs(scratch, segment, in_payload.then_some(part))?;
            scratch
        } else {
            &self.tlvs
        };
        let (validity, length) = validity::octets(self.validity, self.expires_at, now);
        let submit = Sm {
            service_type: &self.service_type,
            source: Address::new(self.from_plan.ton, self.from_plan.npi, self.from.as_str().as_bytes()),
            destination: Address::new(self.to_plan.ton, self.to_plan.npi, self.to.as_bytes()),
            // The operator's default mode: messages are stored and forwarded, as receipts need it.
            esm_class: if self.has_header { ESM_UDHI } else { 0 },
            protocol_id: self.protocol_id,
            priority_flag: self.priority,
            validity_period: validity.get(..length).unwrap_or_default(),
            // What is sent beyond the billed segments has no place that a receipt could be matched with.
            registered_delivery: if segment < self.billed { RECEIPT_ALWAYS } else { 0 },
            replace_if_present_flag: u8::from(self.replace_if_present),
            data_coding: self.data_coding,
            short_message: if in_payload { &[] } else { part },
            tlvs: Tlvs::new(tlvs),
            ..Sm::default()
        };
        encode(out, Status::ROK, number, &Body::SubmitSm(submit))
    }

    fn put_tlvs(&self, out: &mut BytesMut, segment: u8, payload: Option<&[u8]>) -> Result<(), EncodeError> {
        if self.carrier == Carrier::Sar
            && let Some(PartOf { reference, total, part, .. }) = self.part_of(segment)
        {
            tlv::put(out, Tag::SAR_MSG_REF_NUM, &reference.to_be_bytes())?;
            tlv::put(out, Tag::SAR_TOTAL_SEGMENTS, &[total])?;
            tlv::put(out, Tag::SAR_SEGMENT_SEQNUM, &[part])?;
        }
        if let Some(payload) = payload {
            tlv::put(out, Tag::MESSAGE_PAYLOAD, payload)?;
        }
        out.extend_from_slice(&self.tlvs);
        Ok(())
    }
}

/// The customer's optional parameters, then those of the profile whose tags the customer does not use.
fn vendor_tlvs(profile: &Profile, customer: &[u8]) -> Bytes {
    if profile.session.interface_version < TLVS_FROM || (customer.is_empty() && profile.tlvs.is_empty()) {
        return Bytes::new();
    }
    let customer = Tlvs::new(customer);
    let own = profile.tlvs.iter().filter(|own| customer.get(Tag(own.tag)).is_none());
    let own = own.map(|own| (Tag(own.tag), own.value.0.as_slice()));
    let mut out = BytesMut::new();
    for (tag, value) in customer.iter().map(|tlv| (tlv.tag, tlv.value)).chain(own) {
        if !OURS.contains(&tag) {
            // A value that its length cannot tell came from no PDU and is refused by the API.
            let _fits = tlv::put(&mut out, tag, value);
        }
    }
    out.freeze()
}
