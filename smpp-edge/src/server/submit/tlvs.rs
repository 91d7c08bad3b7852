//! Optional parameters of a submit: which are understood here, and which go on to the operator.

use contract::{Octets, PartOf};
use smpp::tlv::Tag;
use smpp::{Status, Tlvs};

/// Relative validity in seconds; stands above `validity_period` (section 5.3.2.9).
pub(super) const QOS_TIME_TO_LIVE: Tag = Tag(0x0017);
/// Octets of a parameter's tag and length.
const HEAD_BYTES: usize = 4;

/// Whether they end where the PDU ends. What is left over may be text of a message whose `sm_length` was too small, so
/// it is no detail; zeros are, some peers fill up with them.
pub(super) fn check(tlvs: Tlvs<'_>) -> Result<(), Status> {
    let read: usize = tlvs.iter().map(|tlv| HEAD_BYTES + tlv.value.len()).sum();
    let rest = tlvs.raw().get(read..).unwrap_or_default();
    if rest.iter().all(|octet| *octet == 0) { Ok(()) } else { Err(Status::RINVOPTPARSTREAM) }
}

/// The part that the `sar_` parameters tell of; none where one of them is missing or makes no sense.
pub(super) fn sar(tlvs: Tlvs<'_>) -> Option<PartOf> {
    if tlvs.is_empty() {
        return None;
    }
    let reference = u16::try_from(tlvs.int(Tag::SAR_MSG_REF_NUM)? & 0xFFFF).ok()?;
    let total = u8::try_from(tlvs.int(Tag::SAR_TOTAL_SEGMENTS)?).ok()?;
    let part = u8::try_from(tlvs.int(Tag::SAR_SEGMENT_SEQNUM)?).ok()?;
    (total > 1 && (1..=total).contains(&part)).then_some(PartOf { reference, wide: true, total, part })
}

/// What goes on to the operator: everything but what is said otherwise already.
pub(super) fn passed(tlvs: Tlvs<'_>) -> Octets {
    let mut octets = Vec::new();
    for tlv in tlvs {
        let said = matches!(
            tlv.tag,
            Tag::MESSAGE_PAYLOAD
                | Tag::SAR_MSG_REF_NUM
                | Tag::SAR_TOTAL_SEGMENTS
                | Tag::SAR_SEGMENT_SEQNUM
                | QOS_TIME_TO_LIVE
        );
        // A lone zero tag is filling.
        if said || tlv.tag == Tag(0) {
            continue;
        }
        octets.extend(tlv.tag.0.to_be_bytes());
        octets.extend(u16::try_from(tlv.value.len()).unwrap_or(0).to_be_bytes());
        octets.extend(tlv.value);
    }
    Octets(octets)
}
