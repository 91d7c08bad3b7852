//! Receipts (SMPP 3.4, appendix B).

use bytes::BytesMut;
use chrono::{DateTime, Datelike, Timelike, Utc};
use contract::system::ReceiptPdu;
use contract::{CustomerReceipt, SystemSettings};
use domain::State;
use smpp::pdu::{DataSm, ESM_INTERMEDIATE, ESM_RECEIPT, Sm};
use smpp::receipt::{self, Date, Receipt};
use smpp::tlv::{self, Tag};
use smpp::{Body, EncodeError, Tlvs};

use super::{Rendered, address};

/// Octets of `short_message`, at most.
const SHORT_BYTES_MAX: usize = 254;
/// `network_error_code`: the type of a GSM network.
const NETWORK_GSM: u8 = 3;

/// What we say of a state. `failed` (an operator refused the submit, or none took it) is `UNDELIV`: the message was
/// accepted by us and did not arrive.
pub(crate) const fn state(state: State) -> receipt::State {
    match state {
        State::Accepted => receipt::State::Accepted,
        State::Scheduled | State::Held | State::Queued | State::Sent | State::Buffered => receipt::State::Enroute,
        State::Unconfirmed => receipt::State::Unknown,
        State::Delivered => receipt::State::Delivered,
        State::Undelivered | State::Failed => receipt::State::Undeliverable,
        State::Expired => receipt::State::Expired,
        State::Rejected => receipt::State::Rejected,
        State::Canceled => receipt::State::Deleted,
    }
}

pub(super) fn pdu(told: &CustomerReceipt, system: &SystemSettings, with_tlvs: bool) -> Result<Rendered, EncodeError> {
    let style = &system.receipts;
    let id = style.id_form.render(told.message_id);
    let text = text(told, &id, style.template.as_deref());
    let mut tlvs = BytesMut::new();
    let esm_class = if told.state.is_final() { ESM_RECEIPT } else { ESM_INTERMEDIATE };
    let (source, destination) = (address(&told.recipient), address(&told.sender));
    let fits = text.len() <= SHORT_BYTES_MAX;
    if with_tlvs {
        put_tlvs(&mut tlvs, told, &id)?;
        if !fits || style.pdu == ReceiptPdu::DataSm {
            tlv::put(&mut tlvs, Tag::MESSAGE_PAYLOAD, &text)?;
        }
    }
    // `data_sm` came with 3.4, like the parameters that it cannot do without.
    if with_tlvs && style.pdu == ReceiptPdu::DataSm {
        let data = DataSm { source, destination, esm_class, tlvs: Tlvs::new(&tlvs), ..DataSm::default() };
        return Rendered::new(&Body::DataSm(data));
    }
    let short = if with_tlvs && !fits { &[][..] } else { text.get(..SHORT_BYTES_MAX).unwrap_or(&text) };
    let sm = Sm { source, destination, esm_class, short_message: short, tlvs: Tlvs::new(&tlvs), ..Sm::default() };
    Rendered::new(&Body::DeliverSm(sm))
}

fn put_tlvs(tlvs: &mut BytesMut, told: &CustomerReceipt, id: &str) -> Result<(), EncodeError> {
    tlv::put_text(tlvs, Tag::RECEIPTED_MESSAGE_ID, id.as_bytes())?;
    tlv::put(tlvs, Tag::MESSAGE_STATE, &[state(told.state).tlv()])?;
    if let Some(error) = told.error.parse::<u16>().ok().filter(|error| *error != 0) {
        let [high, low] = error.to_be_bytes();
        tlv::put(tlvs, Tag::NETWORK_ERROR_CODE, &[NETWORK_GSM, high, low])?;
    }
    if let Some(reference) = told.user_message_reference {
        tlv::put(tlvs, Tag::USER_MESSAGE_REFERENCE, &reference.to_be_bytes())?;
    }
    Ok(())
}

/// In ASCII, which every library reads, whatever alphabet the system has: receipts are read by programs.
fn text(told: &CustomerReceipt, id: &str, template: Option<&str>) -> Vec<u8> {
    let state = state(told.state);
    let segments = u32::from(told.segments.max(1));
    let receipt = Receipt {
        id: Some(id.into()),
        submitted: Some(segments),
        delivered: Some(if state == receipt::State::Delivered { segments } else { 0 }),
        submit_date: Some(date(told.submitted_at)),
        done_date: Some(date(told.done_at)),
        state: Some(state),
        error: Some(if told.error.is_empty() { "000" } else { told.error.as_str() }.into()),
        text: ascii(told.text.expose()).into(),
    };
    template.map_or_else(|| receipt.to_octets(), |template| receipt::render(template, &receipt))
}

fn ascii(text: &str) -> Vec<u8> {
    let shown = |character: char| u8::try_from(character).ok().filter(|octet| (0x20..0x7F).contains(octet));
    text.chars().map(|character| shown(character).unwrap_or(b'?')).collect()
}

/// In UTC.
fn date(at: DateTime<Utc>) -> Date {
    let small = |value: u32| u8::try_from(value).unwrap_or(0);
    Date {
        year: u16::try_from(at.year()).unwrap_or(2000),
        month: small(at.month()),
        day: small(at.day()),
        hour: small(at.hour()),
        minute: small(at.minute()),
        second: small(at.second()),
    }
}
