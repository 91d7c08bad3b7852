//! Messages from handsets.

use bytes::{Bytes, BytesMut};
use contract::system::InboundStyle;
use contract::{Alphabet, CustomerInbound, Encoding, SystemSettings};
use smpp::pdu::{ESM_UDHI, Sm};
use smpp::text::{self, Concat, gsm7};
use smpp::tlv::{self, Tag};
use smpp::udh::{self, Reference};
use smpp::{Body, EncodeError, Tlvs};

use super::{Rendered, address};

/// Octets of a short message, and of a part behind a header for concatenation.
const OCTETS: usize = 140;
const PART_OCTETS: usize = 134;
/// Octets of a header for concatenation with an 8-bit reference.
const HEADER_BYTES: usize = 6;
/// `data_coding` of octets.
const BINARY: u8 = 4;

/// User data, cut already.
struct Cut {
    data_coding: u8,
    parts: Vec<Bytes>,
}

pub(super) fn pdus(
    message: &CustomerInbound,
    system: &SystemSettings,
    with_tlvs: bool,
    reference: u8,
) -> Result<Vec<Rendered>, EncodeError> {
    let cut = cut(message, system.default_alphabet);
    if with_tlvs && system.inbound == InboundStyle::Payload {
        let whole = whole(message, system.default_alphabet);
        let mut tlvs = BytesMut::new();
        tlv::put(&mut tlvs, Tag::MESSAGE_PAYLOAD, &whole)?;
        let sm = Sm { data_coding: cut.data_coding, tlvs: Tlvs::new(&tlvs), ..addressed(message) };
        return Ok(vec![Rendered::new(&Body::DeliverSm(sm))?]);
    }
    if let [single] = &cut.parts[..] {
        let sm = Sm { data_coding: cut.data_coding, short_message: single, ..addressed(message) };
        return Ok(vec![Rendered::new(&Body::DeliverSm(sm))?]);
    }
    let too_long = EncodeError::TooLong { field: "short_message" };
    let total = u8::try_from(cut.parts.len()).map_err(|_| too_long)?;
    let part = |(part, octets): (u8, &Bytes)| {
        let concat = udh::Concat { reference: Reference::Bits8(reference), total, part };
        let short = concat.prefix(octets);
        let sm = Sm { data_coding: cut.data_coding, esm_class: ESM_UDHI, short_message: &short, ..addressed(message) };
        Rendered::new(&Body::DeliverSm(sm))
    };
    (1..=total).zip(&cut.parts).map(part).collect()
}

fn addressed(message: &CustomerInbound) -> Sm<'_> {
    Sm { source: address(&message.from), destination: address(&message.to), ..Sm::default() }
}

/// How the text is written for this system: its default alphabet under `data_coding` 0 where that has every
/// character, else UCS-2.
fn alphabet(message: &CustomerInbound, default: Alphabet) -> (Alphabet, u8) {
    let text = message.text.expose();
    let fits = match default {
        Alphabet::Gsm7 | Alphabet::Gsm7Packed => text.chars().all(|character| gsm7::septets(character).is_some()),
        Alphabet::Latin1 => text.chars().all(|character| u8::try_from(character).is_ok()),
        Alphabet::Ascii => text.is_ascii(),
        Alphabet::Ucs2 | Alphabet::Binary => false,
    };
    match message.encoding {
        Encoding::Binary => (Alphabet::Binary, BINARY),
        // Written in UCS-2 and yet in the alphabet: the shorter form says the same.
        _ if fits => (default, 0),
        _ => (Alphabet::Ucs2, text::Encoding::Ucs2.data_coding()),
    }
}

fn cut(message: &CustomerInbound, default: Alphabet) -> Cut {
    let (alphabet, data_coding) = alphabet(message, default);
    let text = message.text.expose();
    let split = |encoding| text::split(text, encoding, Concat::Udh8).unwrap_or_default();
    let mut parts = match alphabet {
        Alphabet::Gsm7 => split(text::Encoding::Gsm7),
        Alphabet::Gsm7Packed => {
            let parts = split(text::Encoding::Gsm7);
            let header = if parts.len() > 1 { HEADER_BYTES } else { 0 };
            parts.iter().map(|septets| gsm7::pack_filled(septets, header).into()).collect()
        }
        Alphabet::Latin1 | Alphabet::Ascii => split(text::Encoding::Latin1),
        Alphabet::Ucs2 => split(text::Encoding::Ucs2),
        Alphabet::Binary => {
            let octets = Bytes::from(unhex(text));
            let size = if octets.len() <= OCTETS { OCTETS } else { PART_OCTETS };
            let from = (0..octets.len()).step_by(size);
            from.map(|from| octets.slice(from..octets.len().min(from + size))).collect()
        }
    };
    if parts.is_empty() {
        parts.push(Bytes::new());
    }
    Cut { data_coding, parts }
}

fn whole(message: &CustomerInbound, default: Alphabet) -> Vec<u8> {
    let text = message.text.expose();
    let encode = |encoding| text::encode(text, encoding).unwrap_or_default();
    match alphabet(message, default).0 {
        Alphabet::Gsm7 => encode(text::Encoding::Gsm7),
        Alphabet::Gsm7Packed => gsm7::pack_filled(&encode(text::Encoding::Gsm7), 0),
        Alphabet::Latin1 | Alphabet::Ascii => encode(text::Encoding::Latin1),
        Alphabet::Ucs2 => encode(text::Encoding::Ucs2),
        Alphabet::Binary => unhex(text),
    }
}

/// The octets of a text in hexadecimal; what is none is left out.
fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|digit| u8::try_from(digit.to_digit(16)?).ok()).collect();
    let (pairs, _odd) = digits.as_chunks::<2>();
    pairs.iter().map(|[high, low]| high << 4 | low).collect()
}
