//! What an operator sends on its own: receipts, and messages from handsets.

use bytes::BytesMut;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use contract::edge::OperatorSettings;
use contract::profile::{Coding, IdRule, Profile};
use contract::{Alphabet, InboundPart, Octets, PartOf, Receipt, ReceiptState, WireAddress};
use domain::Private;
use smpp::pdu::Sm;
use smpp::receipt::{self, State, id::Rule};
use smpp::tlv::{self, Tag};
use smpp::udh::{Concat, Reference, Udh};
use uuid::Uuid;

/// Octets of a receipt's text that are kept for disputes.
const RAW_BYTES_MAX: usize = 512;
/// A time in a receipt counts as UTC only when it is this close to now: operators write local times without a zone.
const ZONE_TOLERANCE: TimeDelta = TimeDelta::minutes(10);
/// The bits of `esm_class` that tell the message type (SMPP 3.4 section 5.2.12).
const ESM_TYPE: u8 = 0x3C;

/// The form in which ids of responses are kept. With [`ids_of_receipts`] it makes both the same.
pub(super) const fn ids_of_responses(rule: IdRule) -> Rule {
    match rule {
        IdRule::Raw => Rule::Raw,
        IdRule::Stripped | IdRule::ReceiptDecimal => Rule::Stripped,
        IdRule::ReceiptHex => Rule::DecimalToHex,
    }
}

/// The form in which ids of receipts are looked up.
const fn ids_of_receipts(rule: IdRule) -> Rule {
    match rule {
        IdRule::Raw => Rule::Raw,
        IdRule::Stripped | IdRule::ReceiptHex => Rule::Stripped,
        IdRule::ReceiptDecimal => Rule::DecimalToHex,
    }
}

/// Whether a message from the operator is a receipt: by `esm_class`, or, without a type there, by the parameters of
/// one, which a handset cannot send. By its text only where the profile says so.
pub(super) fn is_receipt(sm: &Sm<'_>, profile: &Profile) -> bool {
    if sm.is_receipt() || sm.is_intermediate() {
        return true;
    }
    if sm.esm_class & ESM_TYPE != 0 {
        return false;
    }
    let has_tlvs = sm.tlvs.receipted_message_id().is_some() && sm.tlvs.message_state().is_some();
    has_tlvs || (profile.receipts.without_esm_class && reads_as_receipt(text(sm)))
}

fn reads_as_receipt(text: &[u8]) -> bool {
    let read = receipt::parse(text);
    read.id.is_some() && read.state.is_some()
}

/// What a message says: an operator that fills both fields may have cut the shorter one.
fn text<'a>(sm: &Sm<'a>) -> &'a [u8] {
    let payload = sm.tlvs.message_payload().unwrap_or_default();
    if payload.len() > sm.short_message.len() { payload } else { sm.short_message }
}

/// Reads a receipt. One without a readable id or state is passed on all the same: somebody has to look at it.
pub(super) fn receipt(operator: &OperatorSettings, sm: &Sm<'_>, now: DateTime<Utc>) -> Receipt {
    let profile = &operator.profile;
    let text = text(sm);
    let tlvs = receipt::Tlvs {
        receipted_message_id: sm.tlvs.receipted_message_id(),
        message_state: sm.tlvs.message_state().and_then(|state| u8::try_from(state).ok()),
    };
    let read = receipt::parse(text).with_tlvs(tlvs);
    let id = read.id.as_deref().map(|id| ids_of_receipts(profile.receipts.ids).apply(id).into_owned());
    let raw = text.get(..RAW_BYTES_MAX).unwrap_or(text);
    let error = read.error.as_deref().map_or_else(|| network_error(sm).unwrap_or_default(), str::to_owned);
    Receipt {
        operator_id: operator.id,
        smpp_message_id: id.unwrap_or_default(),
        state: state_of(sm, read.state),
        meaning: profile.errors.receipts.get(&error).cloned(),
        error,
        done_at: read.done_date.and_then(|date| done_at(date, profile.receipts.zone_minutes, now)),
        received_at: now,
        raw: Private::new(String::from_utf8_lossy(raw)),
        lookups: 0,
    }
}

/// An intermediate notification never ends a message, whatever it says.
fn state_of(sm: &Sm<'_>, read: Option<State>) -> ReceiptState {
    if sm.is_intermediate() {
        return state(read.filter(|state| !state.is_final()).unwrap_or(State::Enroute));
    }
    state(read.unwrap_or(State::Unknown))
}

/// The error code where only the parameter has it: a type of network, and two octets.
fn network_error(sm: &Sm<'_>) -> Option<String> {
    match *sm.tlvs.get(Tag::NETWORK_ERROR_CODE)?.value {
        [_, high, low] => Some(u16::from_be_bytes([high, low]).to_string()),
        _ => None,
    }
}

/// A date of the operator's zone; without one only what can be no other zone's time.
fn done_at(date: receipt::Date, zone_minutes: Option<i16>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let at = utc(date)?;
    match zone_minutes {
        Some(minutes) => Some(at - TimeDelta::minutes(minutes.into())).filter(|at| *at - now < ZONE_TOLERANCE),
        None => Some(at).filter(|at| (*at - now).abs() < ZONE_TOLERANCE),
    }
}

/// A message from a handset, or a part of one.
pub(super) fn part(operator: &OperatorSettings, sm: &Sm<'_>, now: DateTime<Utc>) -> InboundPart {
    let (part_of, octets) = split_header(sm);
    let header_bytes = u8::try_from(text(sm).len() - octets.len()).unwrap_or(u8::MAX);
    let address = |address: smpp::pdu::Address<'_>| WireAddress {
        ton: address.ton,
        npi: address.npi,
        addr: Private::new(String::from_utf8_lossy(address.addr)),
    };
    InboundPart {
        id: Uuid::now_v7(),
        operator_id: operator.id,
        from: address(sm.source),
        to: address(sm.destination),
        alphabet: alphabet(sm.data_coding, &operator.profile.coding),
        octets: Octets(octets.to_vec()),
        header_bytes,
        part_of: part_of.or_else(|| sar(sm)),
        data_coding: sm.data_coding,
        tlvs: Octets(tlvs_beside_text(sm)),
        received_at: now,
    }
}

/// The text without its header, and what the header numbers. A header that was announced and cannot be read was none;
/// one that was not announced is seen by its first octets, which no text begins with.
fn split_header<'a>(sm: &Sm<'a>) -> (Option<PartOf>, &'a [u8]) {
    let text = text(sm);
    let unannounced = matches!(text, [5, 0, 3, _, total, ..] | [6, 8, 4, _, _, total, ..] if *total > 1);
    if !sm.has_udh() && !unannounced {
        return (None, text);
    }
    match Udh::parse(text) {
        Ok((udh, body)) if sm.has_udh() || udh.concat().is_some() => (udh.concat().map(part_of), body),
        _ => (None, text),
    }
}

fn part_of(concat: Concat) -> PartOf {
    let (reference, wide) = match concat.reference {
        Reference::Bits8(reference) => (reference.into(), false),
        Reference::Bits16(reference) => (reference, true),
    };
    PartOf { reference, wide, total: concat.total, part: concat.part }
}

/// Numbers in parameters instead of a header.
fn sar(sm: &Sm<'_>) -> Option<PartOf> {
    let octet = |tag| sm.tlvs.int(tag).and_then(|value| u8::try_from(value).ok());
    let reference = u16::try_from(sm.tlvs.int(Tag::SAR_MSG_REF_NUM)?).ok()?;
    let (total, part) = (octet(Tag::SAR_TOTAL_SEGMENTS)?, octet(Tag::SAR_SEGMENT_SEQNUM)?);
    (part >= 1 && part <= total).then_some(PartOf { reference, wide: true, total, part })
}

/// The parameters but for the text, which is told already.
fn tlvs_beside_text(sm: &Sm<'_>) -> Vec<u8> {
    let mut out = BytesMut::new();
    for tlv in sm.tlvs.iter().filter(|tlv| tlv.tag != Tag::MESSAGE_PAYLOAD) {
        // It came with this length.
        let _fits = tlv::put(&mut out, tlv.tag, tlv.value);
    }
    out.to_vec()
}

/// How the octets under a `data_coding` become text: numbers of the profile first, then what is usual (SMPP 3.4
/// section 5.2.19, 3GPP TS 23.038 section 4).
fn alphabet(data_coding: u8, coding: &Coding) -> Alphabet {
    let is = |number: Option<u8>| number == Some(data_coding);
    let default = coding.default_alphabet;
    match data_coding {
        _ if is(coding.gsm7) && data_coding != 0 => Alphabet::Gsm7,
        _ if is(coding.ucs2) || is(coding.flash_ucs2) => Alphabet::Ucs2,
        _ if is(coding.latin1) => Alphabet::Latin1,
        _ if is(coding.binary) => Alphabet::Binary,
        0x00 | 0xC0..=0xDF => default,
        _ if is(coding.flash) => default,
        0x01 => Alphabet::Ascii,
        0x03 => Alphabet::Latin1,
        0x08 | 0xE0..=0xEF => Alphabet::Ucs2,
        // The general group with a message class: bits 3 and 2 tell the alphabet. Compressed text is nobody's.
        0x10..=0x1F | 0x50..=0x5F => match data_coding >> 2 & 3 {
            0 => default,
            2 => Alphabet::Ucs2,
            _ => Alphabet::Binary,
        },
        0xF0..=0xFF if data_coding & 4 == 0 => default,
        _ => Alphabet::Binary,
    }
}

const fn state(state: State) -> ReceiptState {
    match state {
        State::Enroute => ReceiptState::Enroute,
        State::Delivered => ReceiptState::Delivered,
        State::Expired => ReceiptState::Expired,
        State::Deleted => ReceiptState::Deleted,
        State::Undeliverable => ReceiptState::Undeliverable,
        State::Accepted => ReceiptState::Accepted,
        State::Unknown => ReceiptState::Unknown,
        State::Rejected => ReceiptState::Rejected,
    }
}

fn utc(date: receipt::Date) -> Option<DateTime<Utc>> {
    let day = NaiveDate::from_ymd_opt(date.year.into(), date.month.into(), date.day.into())?;
    let second = u32::from(date.second).min(59);
    Some(day.and_hms_opt(date.hour.into(), date.minute.into(), second)?.and_utc())
}

#[cfg(test)]
mod tests;
