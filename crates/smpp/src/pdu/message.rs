//! Messages: `submit_sm` and `deliver_sm` (one layout, SMPP 3.4 §4.4 and §4.6), `data_sm` (§4.7) and their responses.

use bytes::{BufMut, BytesMut};

use super::read::{Field, Reader};
use super::write;
use crate::frame::{BodyError, EncodeError};
use crate::status::Status;
use crate::tlv::Tlvs;

/// A number or name with its type of number (TON) and numbering plan (NPI).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Address<'a> {
    /// 0 unknown, 1 international, 2 national, 5 alphanumeric.
    pub ton: u8,
    /// 0 unknown, 1 ISDN (E.164).
    pub npi: u8,
    /// The digits or letters, as bytes: peers send other things than ASCII.
    pub addr: &'a [u8],
}

impl<'a> Address<'a> {
    /// An address of these three parts.
    pub const fn new(ton: u8, npi: u8, addr: &'a [u8]) -> Self {
        Self { ton, npi, addr }
    }

    pub(crate) fn read(r: &mut Reader<'a>, field: &Field) -> Result<Self, BodyError> {
        let ton = r.u8("addr_ton")?;
        let npi = r.u8("addr_npi")?;
        Ok(Self { ton, npi, addr: r.text(field)? })
    }

    pub(crate) fn write(&self, out: &mut BytesMut, field: &'static str) -> Result<(), EncodeError> {
        out.put_u8(self.ton);
        out.put_u8(self.npi);
        write::text(out, field, self.addr)
    }
}

impl std::fmt::Debug for Address<'_> {
    /// Shows the shape; numbers of people stay out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{} octets", self.ton, self.npi, self.addr.len())
    }
}

/// `submit_sm` or `deliver_sm`.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Sm<'a> {
    /// Service asked for; mostly empty.
    pub service_type: &'a [u8],
    /// Sender.
    pub source: Address<'a>,
    /// Addressee.
    pub destination: Address<'a>,
    /// Mode, type and features (§5.2.12); see [`is_receipt`](Self::is_receipt) and [`has_udh`](Self::has_udh).
    pub esm_class: u8,
    /// Protocol identifier (GSM 03.40).
    pub protocol_id: u8,
    /// 0 lowest to 3 highest.
    pub priority_flag: u8,
    /// When to deliver, `YYMMDDhhmmsstnnp` or empty.
    pub schedule_delivery_time: &'a [u8],
    /// Until when to try, same format or empty.
    pub validity_period: &'a [u8],
    /// Bits 1-0: 0 no receipt, 1 always, 2 on failure; bit 4 intermediate.
    pub registered_delivery: u8,
    /// Replaces an earlier message of the same sender and addressee.
    pub replace_if_present_flag: u8,
    /// Alphabet: 0 the operator's default, 3 Latin-1, 8 UCS-2.
    pub data_coding: u8,
    /// Predefined message at the SMSC; 0 none.
    pub sm_default_msg_id: u8,
    /// The text, at most 254 octets by 3.4 (255 can be told). Empty where `message_payload` carries it.
    pub short_message: &'a [u8],
    /// Optional parameters.
    pub tlvs: Tlvs<'a>,
}

/// `esm_class` of a delivery receipt, in bits 5-2.
pub const ESM_RECEIPT: u8 = 0x04;
/// `esm_class` of an intermediate notification, in bits 5-2.
pub const ESM_INTERMEDIATE: u8 = 0x20;
/// `esm_class` bit that says the text starts with a user data header.
pub const ESM_UDHI: u8 = 0x40;
/// The bits of `esm_class` that tell the message type.
const ESM_TYPE_MASK: u8 = 0x3C;

impl<'a> Sm<'a> {
    #[inline]
    pub(crate) fn read(mut r: Reader<'a>) -> Result<Self, BodyError> {
        let service_type = r.text(&Field::SERVICE_TYPE)?;
        let source = Address::read(&mut r, &Field::SOURCE)?;
        let destination = Address::read(&mut r, &Field::DESTINATION)?;
        Self { service_type, source, destination, ..Self::default() }.read_from_esm_class(r)
    }

    /// The part that `submit_multi` shares: everything behind the addressees.
    #[inline]
    pub(crate) fn read_from_esm_class(self, mut r: Reader<'a>) -> Result<Self, BodyError> {
        let esm_class = r.u8("esm_class")?;
        let protocol_id = r.u8("protocol_id")?;
        let priority_flag = r.u8("priority_flag")?;
        let schedule_delivery_time = r.text(&Field::SCHEDULE)?;
        let validity_period = r.text(&Field::VALIDITY)?;
        let registered_delivery = r.u8("registered_delivery")?;
        let replace_if_present_flag = r.u8("replace_if_present_flag")?;
        let data_coding = r.u8("data_coding")?;
        let sm_default_msg_id = r.u8("sm_default_msg_id")?;
        let sm_length = usize::from(r.u8("sm_length")?);
        let short = BodyError { status: Status::RINVMSGLEN, field: "short_message" };
        let short_message = r.octets(sm_length, short)?;
        Ok(Self {
            esm_class,
            protocol_id,
            priority_flag,
            schedule_delivery_time,
            validity_period,
            registered_delivery,
            replace_if_present_flag,
            data_coding,
            sm_default_msg_id,
            short_message,
            tlvs: Tlvs::new(r.rest()),
            ..self
        })
    }

    pub(crate) fn write(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        write::text(out, "service_type", self.service_type)?;
        self.source.write(out, "source_addr")?;
        self.destination.write(out, "destination_addr")?;
        self.write_from_esm_class(out)
    }

    /// The part that `submit_multi` shares: everything behind the addressees.
    pub(crate) fn write_from_esm_class(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        out.put_slice(&[self.esm_class, self.protocol_id, self.priority_flag]);
        write::text(out, "schedule_delivery_time", self.schedule_delivery_time)?;
        write::text(out, "validity_period", self.validity_period)?;
        out.put_slice(&[
            self.registered_delivery,
            self.replace_if_present_flag,
            self.data_coding,
            self.sm_default_msg_id,
        ]);
        write::counted(out, "short_message", self.short_message)?;
        out.put_slice(self.tlvs.raw());
        Ok(())
    }

    /// The text, from `short_message` or, where that is empty, from `message_payload`.
    pub fn text(&self) -> &'a [u8] {
        if !self.short_message.is_empty() {
            return self.short_message;
        }
        self.tlvs.message_payload().unwrap_or_default()
    }

    /// Whether `esm_class` says that this is a delivery receipt. Decided by these bits and never by the text: a
    /// handset can write any text.
    pub const fn is_receipt(&self) -> bool {
        self.esm_class & ESM_TYPE_MASK == ESM_RECEIPT
    }

    /// Whether `esm_class` says that this is an intermediate notification.
    pub const fn is_intermediate(&self) -> bool {
        self.esm_class & ESM_TYPE_MASK == ESM_INTERMEDIATE
    }

    /// Whether the text starts with a user data header.
    pub const fn has_udh(&self) -> bool {
        self.esm_class & ESM_UDHI != 0
    }
}

impl std::fmt::Debug for Sm<'_> {
    /// Shows the shape; text and numbers stay out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sm")
            .field("source", &self.source)
            .field("destination", &self.destination)
            .field("esm_class", &self.esm_class)
            .field("data_coding", &self.data_coding)
            .field("registered_delivery", &self.registered_delivery)
            .field("short_message_bytes", &self.short_message.len())
            .field("tlvs", &self.tlvs)
            .finish_non_exhaustive()
    }
}

/// `submit_sm_resp`, `deliver_sm_resp` or `data_sm_resp`: an id, mostly empty in `deliver_sm_resp` and on refusals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageResp<'a> {
    /// The operator's id of the message, kept as it came.
    pub message_id: &'a [u8],
    /// Optional parameters.
    pub tlvs: Tlvs<'a>,
}

impl<'a> MessageResp<'a> {
    /// A response with this id and no optional parameters.
    pub const fn new(message_id: &'a [u8]) -> Self {
        Self { message_id, tlvs: Tlvs::NONE }
    }

    #[inline]
    pub(crate) fn read(mut r: Reader<'a>) -> Result<Self, BodyError> {
        if r.is_empty() {
            return Ok(Self::default());
        }
        Ok(Self { message_id: r.text(&Field::MESSAGE_ID)?, tlvs: Tlvs::new(r.rest()) })
    }

    pub(crate) fn write(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        write::text(out, "message_id", self.message_id)?;
        out.put_slice(self.tlvs.raw());
        Ok(())
    }
}

/// `data_sm`: a message whose text is always in `message_payload`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DataSm<'a> {
    /// Service asked for.
    pub service_type: &'a [u8],
    /// Sender.
    pub source: Address<'a>,
    /// Addressee.
    pub destination: Address<'a>,
    /// Mode, type and features, as in [`Sm`].
    pub esm_class: u8,
    /// Receipts wanted, as in [`Sm`].
    pub registered_delivery: u8,
    /// Alphabet, as in [`Sm`].
    pub data_coding: u8,
    /// Optional parameters, among them the text.
    pub tlvs: Tlvs<'a>,
}

impl<'a> DataSm<'a> {
    pub(crate) fn read(mut r: Reader<'a>) -> Result<Self, BodyError> {
        Ok(Self {
            service_type: r.text(&Field::SERVICE_TYPE)?,
            source: Address::read(&mut r, &Field::SOURCE_LONG)?,
            destination: Address::read(&mut r, &Field::DESTINATION_LONG)?,
            esm_class: r.u8("esm_class")?,
            registered_delivery: r.u8("registered_delivery")?,
            data_coding: r.u8("data_coding")?,
            tlvs: Tlvs::new(r.rest()),
        })
    }

    pub(crate) fn write(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        write::text(out, "service_type", self.service_type)?;
        self.source.write(out, "source_addr")?;
        self.destination.write(out, "destination_addr")?;
        out.put_slice(&[self.esm_class, self.registered_delivery, self.data_coding]);
        out.put_slice(self.tlvs.raw());
        Ok(())
    }
}
