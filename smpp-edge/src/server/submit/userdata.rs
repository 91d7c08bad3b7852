//! User data: its header, its alphabet, its text.

use std::fmt::Write as _;

use contract::{Alphabet, Encoding, PartOf};
use smpp::Status;
use smpp::text::{self, gsm7};
use smpp::udh::{CONCAT_8, CONCAT_16, Concat, Reference, Udh};

/// Octets of a short message, and of a part behind a header for concatenation.
const OCTETS: usize = 140;
const PART_OCTETS: usize = 134;

/// What a submit says.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) text: String,
    pub(super) encoding: Encoding,
    pub(super) part_of: Option<PartOf>,
    /// Elements of the header other than concatenation.
    pub(super) udh: Vec<u8>,
}

/// Reads user data. A header is looked for where `esm_class` announces one, and where one for concatenation stands
/// all the same: as text it would make no sense in any alphabet.
pub(super) fn read(data: &[u8], announced: bool, data_coding: u8, default: Alphabet) -> Result<Read, Status> {
    if !announced && !is_concat(data) {
        let (text, encoding) = read_text(data, data_coding, default, 0);
        return Ok(Read { text, encoding, part_of: None, udh: Vec::new() });
    }
    let (header, body) = Udh::parse(data).map_err(|_| Status::RINVESMCLASS)?;
    let mut udh = Vec::new();
    for element in header.elements() {
        if !matches!(element.id, CONCAT_8 | CONCAT_16) {
            udh.extend([element.id, u8::try_from(element.data.len()).unwrap_or(0)]);
            udh.extend(element.data);
        }
    }
    let (text, encoding) = read_text(body, data_coding, default, data.len() - body.len());
    Ok(Read { text, encoding, part_of: header.concat().and_then(part_of), udh })
}

/// A whole header for concatenation and nothing else, of numbers that make sense.
const fn is_concat(data: &[u8]) -> bool {
    match data {
        [5, CONCAT_8, 3, _, total, part, ..] | [6, CONCAT_16, 4, _, _, total, part, ..] => {
            *total > 1 && *part >= 1 && *part <= *total
        }
        _ => false,
    }
}

/// A message of one part is no part.
fn part_of(concat: Concat) -> Option<PartOf> {
    let (reference, wide) = match concat.reference {
        Reference::Bits8(reference) => (u16::from(reference), false),
        Reference::Bits16(reference) => (reference, true),
    };
    (concat.total > 1).then_some(PartOf { reference, wide, total: concat.total, part: concat.part })
}

/// The text behind a header of `header_bytes`, and how it was written.
pub(crate) fn read_text(octets: &[u8], data_coding: u8, default: Alphabet, header_bytes: usize) -> (String, Encoding) {
    match alphabet(data_coding, default) {
        Alphabet::Gsm7 if octets.is_ascii() => (gsm7::decode(octets), Encoding::Gsm7),
        Alphabet::Gsm7Packed => (gsm7::decode(&gsm7::unpack_filled(octets, header_bytes)), Encoding::Gsm7),
        // No septets: what was meant is guessed, for the sender cannot see the difference.
        Alphabet::Gsm7 => shortest(super::lossy(octets), Encoding::Ucs2),
        Alphabet::Latin1 | Alphabet::Ascii if data_coding == 6 => shortest(decode(octets, cyrillic), Encoding::Ucs2),
        Alphabet::Latin1 | Alphabet::Ascii if data_coding == 7 => shortest(decode(octets, hebrew), Encoding::Ucs2),
        Alphabet::Latin1 | Alphabet::Ascii => shortest(decode(octets, char::from), Encoding::Latin1),
        Alphabet::Ucs2 => {
            let text = text::decode(octets, text::Encoding::Ucs2);
            (text, Encoding::Ucs2)
        }
        Alphabet::Binary => (hex(octets), Encoding::Binary),
    }
}

/// Text that the GSM alphabet has goes in it: it takes the fewest segments.
fn shortest(text: String, otherwise: Encoding) -> (String, Encoding) {
    let in_gsm = text.chars().all(|character| gsm7::septets(character).is_some());
    (text, if in_gsm { Encoding::Gsm7 } else { otherwise })
}

/// The alphabet that `data_coding` announces (section 5.2.19, and GSM 03.38 section 4 for its groups). What we cannot
/// read goes through as octets, under the same `data_coding`.
const fn alphabet(data_coding: u8, default: Alphabet) -> Alphabet {
    match data_coding {
        0x00 => default,
        0x01 => Alphabet::Ascii,
        // 6 and 7 are other halves of ISO 8859, told apart where they are read.
        0x03 | 0x06 | 0x07 => Alphabet::Latin1,
        0x08 | 0x18..=0x1B | 0xE0..=0xEF => Alphabet::Ucs2,
        0x10..=0x13 | 0xC0..=0xDF | 0xF0..=0xF3 => match default {
            Alphabet::Gsm7Packed => Alphabet::Gsm7Packed,
            _ => Alphabet::Gsm7,
        },
        _ => Alphabet::Binary,
    }
}

fn decode(octets: &[u8], character: impl Fn(u8) -> char) -> String {
    octets.iter().map(|octet| character(*octet)).collect()
}

/// ISO 8859-5.
fn cyrillic(octet: u8) -> char {
    let point = match octet {
        0xF0 => 0x2116,
        0xFD => 0x00A7,
        0xA1..=0xAC | 0xAE..=0xFF => u32::from(octet) + 0x360,
        _ => u32::from(octet),
    };
    char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// ISO 8859-8.
fn hebrew(octet: u8) -> char {
    let point = if (0xE0..=0xFA).contains(&octet) { u32::from(octet) + 0x4F0 } else { u32::from(octet) };
    char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn hex(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() * 2);
    for octet in octets {
        // A string takes everything that is written to it.
        let _never_fails = write!(text, "{octet:02x}");
    }
    text
}

/// Short messages that a text takes where it is not cut already.
pub(crate) fn segments(text: &str, encoding: Encoding) -> usize {
    let of = |encoding| text::count_as(text, encoding, text::Concat::Udh8).map_or(1, |count| count.segments);
    match encoding {
        // Most are so short that they need no counting.
        _ if text.len() <= 70 => 1,
        Encoding::Gsm7 => of(text::Encoding::Gsm7),
        Encoding::Ucs2 => of(text::Encoding::Ucs2),
        Encoding::Latin1 => of(text::Encoding::Latin1),
        Encoding::Binary if text.len() / 2 <= OCTETS => 1,
        Encoding::Binary => (text.len() / 2).div_ceil(PART_OCTETS),
    }
}
