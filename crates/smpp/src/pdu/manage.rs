//! Asking about messages that were submitted: query, cancel, replace (SMPP 3.4 §4.8 to §4.10), and
//! `alert_notification` (§4.12).

use bytes::{BufMut, BytesMut};

use super::message::Address;
use super::read::{Field, Reader};
use super::write;
use crate::frame::{BodyError, EncodeError};
use crate::status::Status;
use crate::tlv::Tlvs;

/// `query_sm`: how is this message?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuerySm<'a> {
    /// The id from the `submit_sm_resp`.
    pub message_id: &'a [u8],
    /// Sender; must be that of the message.
    pub source: Address<'a>,
}

impl<'a> QuerySm<'a> {
    pub(crate) fn read(mut r: Reader<'a>) -> Result<Self, BodyError> {
        let message_id = r.text(&Field::MESSAGE_ID)?;
        Ok(Self { message_id, source: Address::read(&mut r, &Field::SOURCE)? })
    }

    pub(crate) fn write(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        write::text(out, "message_id", self.message_id)?;
        self.source.write(out, "source_addr")
    }
}

/// `query_sm_resp`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuerySmResp<'a> {
    /// The id asked about.
    pub message_id: &'a [u8],
    /// When it reached its final state, or empty.
    pub final_date: &'a [u8],
    /// 1 ENROUTE, 2 DELIVERED, 3 EXPIRED, 4 DELETED, 5 UNDELIVERABLE, 6 ACCEPTED, 7 UNKNOWN, 8 REJECTED.
    pub message_state: u8,
    /// Error code of the network, 0 for none.
    pub error_code: u8,
}

impl<'a> QuerySmResp<'a> {
    pub(crate) fn read(mut r: Reader<'a>) -> Result<Self, BodyError> {
        if r.is_empty() {
            return Ok(Self::default());
        }
        Ok(Self {
            message_id: r.text(&Field::MESSAGE_ID)?,
            final_date: r.text(&Field::FINAL_DATE)?,
            message_state: r.u8("message_state")?,
            error_code: r.u8("error_code")?,
        })
    }

    pub(crate) fn write(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        write::text(out, "message_id", self.message_id)?;
        write::text(out, "final_date", self.final_date)?;
        out.put_slice(&[self.message_state, self.error_code]);
        Ok(())
    }
}

/// `cancel_sm`: do not deliver this message. An empty id cancels by sender and addressee.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CancelSm<'a> {
    /// Service type of the message, where the id is empty.
    pub service_type: &'a [u8],
    /// The id from the `submit_sm_resp`, or empty.
    pub message_id: &'a [u8],
    /// Sender; must be that of the message.
    pub source: Address<'a>,
    /// Addressee, where the id is empty.
    pub destination: Address<'a>,
}

impl<'a> CancelSm<'a> {
    pub(crate) fn read(mut r: Reader<'a>) -> Result<Self, BodyError> {
        Ok(Self {
            service_type: r.text(&Field::SERVICE_TYPE)?,
            message_id: r.text(&Field::MESSAGE_ID)?,
            source: Address::read(&mut r, &Field::SOURCE)?,
            destination: Address::read(&mut r, &Field::DESTINATION)?,
        })
    }

    pub(crate) fn write(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        write::text(out, "service_type", self.service_type)?;
        write::text(out, "message_id", self.message_id)?;
        self.source.write(out, "source_addr")?;
        self.destination.write(out, "destination_addr")
    }
}

/// `replace_sm`: deliver this text instead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplaceSm<'a> {
    /// The id from the `submit_sm_resp`.
    pub message_id: &'a [u8],
    /// Sender; must be that of the message.
    pub source: Address<'a>,
    /// New time of delivery, or empty.
    pub schedule_delivery_time: &'a [u8],
    /// New validity, or empty.
    pub validity_period: &'a [u8],
    /// Receipts wanted.
    pub registered_delivery: u8,
    /// Predefined message at the SMSC.
    pub sm_default_msg_id: u8,
    /// New text.
    pub short_message: &'a [u8],
    /// Optional parameters (5.0 allows the text here).
    pub tlvs: Tlvs<'a>,
}

impl<'a> ReplaceSm<'a> {
    pub(crate) fn read(mut r: Reader<'a>) -> Result<Self, BodyError> {
        let message_id = r.text(&Field::MESSAGE_ID)?;
        let source = Address::read(&mut r, &Field::SOURCE)?;
        let schedule_delivery_time = r.text(&Field::SCHEDULE)?;
        let validity_period = r.text(&Field::VALIDITY)?;
        let registered_delivery = r.u8("registered_delivery")?;
        let sm_default_msg_id = r.u8("sm_default_msg_id")?;
        let sm_length = usize::from(r.u8("sm_length")?);
        let short = BodyError { status: Status::RINVMSGLEN, field: "short_message" };
        let short_message = r.octets(sm_length, short)?;
        Ok(Self {
            message_id,
            source,
            schedule_delivery_time,
            validity_period,
            registered_delivery,
            sm_default_msg_id,
            short_message,
            tlvs: Tlvs::new(r.rest()),
        })
    }

    pub(crate) fn write(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        write::text(out, "message_id", self.message_id)?;
        self.source.write(out, "source_addr")?;
        write::text(out, "schedule_delivery_time", self.schedule_delivery_time)?;
        write::text(out, "validity_period", self.validity_period)?;
        out.put_slice(&[self.registered_delivery, self.sm_default_msg_id]);
        write::counted(out, "short_message", self.short_message)?;
        out.put_slice(self.tlvs.raw());
        Ok(())
    }
}

/// `alert_notification`: a handset is reachable again. Has no response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlertNotification<'a> {
    /// The handset.
    pub source: Address<'a>,
    /// Who asked to be told.
    pub esme: Address<'a>,
    /// Optional parameters, among them the availability.
    pub tlvs: Tlvs<'a>,
}

impl<'a> AlertNotification<'a> {
    pub(crate) fn read(mut r: Reader<'a>) -> Result<Self, BodyError> {
        Ok(Self {
            source: Address::read(&mut r, &Field::SOURCE_LONG)?,
            esme: Address::read(&mut r, &Field::DESTINATION_LONG)?,
            tlvs: Tlvs::new(r.rest()),
        })
    }

    pub(crate) fn write(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        self.source.write(out, "source_addr")?;
        self.esme.write(out, "esme_addr")?;
        out.put_slice(self.tlvs.raw());
        Ok(())
    }
}
