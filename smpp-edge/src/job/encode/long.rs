//! Messages of several segments: where they are cut, and what numbers the parts.

use bytes::Bytes;
use contract::profile::Long;
use contract::{PartOf, SmppFields};
use smpp::text::{self, gsm7};
use smpp::udh;

use super::alphabet::{Data, Unit};
use super::{Carrier, Unencodable};

/// Octets of user data in one segment on the radio (3GPP TS 23.040 section 9.2.3.16).
const USER_DATA_BYTES: usize = 140;
/// Octets of a concatenation element.
const CONCAT_8_BYTES: usize = 5;
const CONCAT_16_BYTES: usize = 6;

/// A message in parts.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) parts: Vec<Bytes>,
    pub(super) carrier: Carrier,
    /// How the first part is numbered, as the operator reads it; `None`: the message goes in one.
    pub(super) first: Option<PartOf>,
    pub(super) has_header: bool,
}

/// Cuts `data` in the operator's way. What a customer has cut stays in one piece and only gets the operator's form of
/// numbering. `reference` is asked only when a number is needed.
pub(super) fn cut(
    data: Data,
    long: Long,
    fields: Option<&SmppFields>,
    reference: impl FnOnce() -> u16,
) -> Result<Cut, Unencodable> {
    let elements = fields.map(|fields| fields.udh.0.as_slice()).unwrap_or_default();
    if let Some(part_of) = fields.and_then(|fields| fields.part_of) {
        // A payload is a whole message: a part of one goes by header.
        let long = if long == Long::Payload { if part_of.wide { Long::Udh16 } else { Long::Udh8 } } else { long };
        return Ok(number(std::slice::from_ref(&data.octets), &data, (long, elements), part_of));
    }
    let is_single = data.octets.len() <= room(data.unit, header_bytes(elements, 0));
    if is_single && elements.is_empty() && data.form == super::alphabet::Form::AsIs {
        return Ok(Cut { parts: vec![data.octets], carrier: Carrier::Short, first: None, has_header: false });
    }
    if is_single || long == Long::Payload {
        let carrier = if is_single { Carrier::Short } else { Carrier::Payload };
        let part = with_header(elements, None, &data.octets, &data);
        return Ok(Cut { parts: vec![part], carrier, first: None, has_header: !elements.is_empty() });
    }
    // Where the operator makes the header, it takes as much room as ours would.
    let concat_bytes = if long == Long::Udh16 { CONCAT_16_BYTES } else { CONCAT_8_BYTES };
    let pieces = pieces(&data, room(data.unit, header_bytes(elements, concat_bytes)))?;
    let total = u8::try_from(pieces.len()).map_err(|_| Unencodable)?;
    let first = PartOf { reference: reference(), wide: true, total, part: 1 };
    Ok(number(&pieces, &data, (long, elements), first))
}

/// Octets of a header with these elements and one of `concat_bytes`; none where there is nothing in it.
const fn header_bytes(elements: &[u8], concat_bytes: usize) -> usize {
    let inside = elements.len() + concat_bytes;
    if inside == 0 { 0 } else { 1 + inside }
}

/// Octets of `data` that fit behind a header: septets lie eight in seven octets on the radio.
const fn room(unit: Unit, header_bytes: usize) -> usize {
    let octets = USER_DATA_BYTES.saturating_sub(header_bytes);
    match unit {
        Unit::Septet => octets * 8 / 7,
        Unit::Octet => octets,
        Unit::Utf16 => octets / 2 * 2,
    }
}

/// Pieces of at most `room` octets. Neither an escape nor a surrogate pair is torn.
fn pieces(data: &Data, room: usize) -> Result<Vec<Bytes>, Unencodable> {
    let octets = &data.octets;
    if room < 4 {
        return Err(Unencodable);
    }
    let mut pieces = Vec::with_capacity(octets.len().div_ceil(room));
    let mut from = 0;
    while from < octets.len() {
        if pieces.len() == text::PARTS_MAX {
            return Err(Unencodable);
        }
        let full = from.saturating_add(room).min(octets.len());
        let is_last = full == octets.len();
        let torn = match data.unit {
            _ if is_last => 0,
            // An escape is never the second of a pair, so one in the last place opens a pair.
            Unit::Septet => usize::from(octets.get(full - 1) == Some(&gsm7::ESC)),
            // 0xD800 to 0xDBFF: the first half of a surrogate pair.
            Unit::Utf16 => octets.get(full - 2).map_or(0, |high| if high & 0xFC == 0xD8 { 2 } else { 0 }),
            Unit::Octet => 0,
        };
        let to = full - torn;
        pieces.push(octets.slice(from..to));
        from = to;
    }
    Ok(pieces)
}

/// The pieces with their numbers, the first of which is `first`.
fn number(pieces: &[Bytes], data: &Data, (long, elements): (Long, &[u8]), first: PartOf) -> Cut {
    if long == Long::Sar {
        let parts = pieces.iter().map(|piece| with_header(elements, None, piece, data));
        let has_header = !elements.is_empty();
        return Cut { parts: parts.collect(), carrier: Carrier::Sar, first: Some(first), has_header };
    }
    let [_, low] = first.reference.to_be_bytes();
    let (reference, first) = if long == Long::Udh16 {
        (udh::Reference::Bits16(first.reference), PartOf { wide: true, ..first })
    } else {
        (udh::Reference::Bits8(low), PartOf { wide: false, reference: low.into(), ..first })
    };
    let concat = |part| udh::Concat { reference, total: first.total, part };
    let numbered = pieces.iter().zip(first.part..=u8::MAX);
    let parts = numbered.map(|(piece, part)| with_header(elements, Some(concat(part)), piece, data));
    Cut { parts: parts.collect(), carrier: Carrier::Short, first: Some(first), has_header: true }
}

/// One piece in the form of the operator's alphabet, behind a header with the number and the customer's elements.
fn with_header(elements: &[u8], concat: Option<udh::Concat>, piece: &[u8], data: &Data) -> Bytes {
    let mut octets = Vec::with_capacity(1 + CONCAT_16_BYTES + elements.len() + piece.len());
    match concat {
        Some(concat) => concat.write(&mut octets),
        None if elements.is_empty() => {}
        None => octets.push(0),
    }
    octets.extend_from_slice(elements);
    let header_bytes = octets.len();
    if let Some(length) = octets.first_mut() {
        // A customer's header came in one PDU and behind one octet of length.
        *length = u8::try_from(header_bytes - 1).unwrap_or(u8::MAX);
    }
    octets.extend_from_slice(&data.form.apply(piece, header_bytes));
    octets.into()
}
