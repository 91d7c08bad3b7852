//! From a delivery to the PDUs that carry it, as the system wants them.

mod inbound;
mod receipt;

use bytes::BytesMut;
use contract::{Deliver, SystemSettings, What, WireAddress};
use smpp::pdu::Address;
use smpp::{Body, EncodeError, Status, encode};

pub(super) use receipt::state;

/// Where the sequence number stands in a PDU.
const SEQUENCE_AT: std::ops::Range<usize> = 12..16;
/// From this `interface_version` on a peer knows optional parameters.
pub(super) const TLVS_SINCE: u8 = 0x34;

/// A PDU without its sequence number.
#[derive(Debug)]
pub(super) struct Rendered(BytesMut);

impl Rendered {
    fn new(body: &Body<'_>) -> Result<Self, EncodeError> {
        let mut octets = BytesMut::with_capacity(256);
        encode(&mut octets, Status::ROK, 0, body)?;
        Ok(Self(octets))
    }

    /// Appends the PDU under a sequence number.
    pub(super) fn write(&self, output: &mut BytesMut, sequence_number: u32) {
        let at = output.len();
        output.extend_from_slice(&self.0);
        if let Some(slot) = output.get_mut(at..).and_then(|pdu| pdu.get_mut(SEQUENCE_AT)) {
            slot.copy_from_slice(&sequence_number.to_be_bytes());
        }
    }
}

/// The PDUs of one delivery for a peer of this version. `reference` ties the parts of a long message.
///
/// # Errors
/// When what it holds fits no PDU, which no retry will change.
pub(super) fn pdus(
    deliver: &Deliver,
    system: &SystemSettings,
    version: u8,
    reference: u8,
) -> Result<Vec<Rendered>, EncodeError> {
    let with_tlvs = version >= TLVS_SINCE;
    match &deliver.what {
        What::Receipt(told) => receipt::pdu(told, system, with_tlvs).map(|pdu| vec![pdu]),
        What::Inbound(message) => inbound::pdus(message, system, with_tlvs, reference),
    }
}

fn address(address: &WireAddress) -> Address<'_> {
    Address::new(address.ton, address.npi, address.addr.expose().as_bytes())
}
