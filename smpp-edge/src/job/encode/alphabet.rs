//! Which octets a text becomes at this operator, and which `data_coding` says so.

use std::borrow::Cow;

use bytes::Bytes;
use contract::profile::{Coding, Profile};
use contract::{Alphabet, Encoding, Routed};
use smpp::text::{self, gsm7};

use super::Unencodable;

/// Usual numbers (SMPP 3.4 section 5.2.19; with a message class 3GPP TS 23.038 section 4).
const LATIN1: u8 = 3;
const BINARY: u8 = 4;
const UCS2: u8 = 8;
const FLASH: u8 = 0x10;
const FLASH_UCS2: u8 = 0x18;
/// The bits of a message class.
const CLASS: u8 = 0x03;

/// User data before it is cut.
#[derive(Debug)]
pub(super) struct Data {
    pub(super) octets: Bytes,
    pub(super) unit: Unit,
    pub(super) form: Form,
    /// `data_coding`.
    pub(super) number: u8,
}

/// What must not be cut in two, and how much room it takes on the radio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Septet,
    Octet,
    Utf16,
}

/// What becomes of septets once they are cut. The operator puts them on the radio as GSM 7-bit in any case, so they
/// are cut and billed as such.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    AsIs,
    Packed,
    /// ISO 8859-1, of which ASCII is a part.
    Latin1,
}

impl Form {
    /// One part in this form, behind a header of so many octets.
    pub(super) fn apply(self, part: &[u8], header_bytes: usize) -> Cow<'_, [u8]> {
        match self {
            Self::AsIs => Cow::Borrowed(part),
            Self::Packed => Cow::Owned(gsm7::pack_filled(part, header_bytes)),
            Self::Latin1 => {
                let characters = gsm7::decode(part);
                Cow::Owned(characters.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect())
            }
        }
    }
}

/// The octets of a message for this operator.
pub(super) fn data(routed: &Routed, profile: &Profile) -> Result<Data, Unencodable> {
    let given = routed.smpp.as_deref().and_then(|fields| fields.data_coding);
    let coding = &profile.coding;
    if routed.encoding == Encoding::Binary {
        let octets = from_hex(routed.text.expose()).ok_or(Unencodable)?;
        return Ok(Data { octets, unit: Unit::Octet, form: Form::AsIs, number: binary(coding, given) });
    }
    let text = substituted(routed.text.expose(), profile);
    let changed = matches!(text, Cow::Owned(_));
    match routed.encoding {
        // A substitution may have removed what GSM 7-bit lacks, or brought something that it lacks.
        Encoding::Gsm7 | Encoding::Ucs2 if changed => Ok(match text::choose(&text) {
            text::Encoding::Gsm7 => gsm(&text, coding, given)?,
            _ => ucs2(&text, coding, given),
        }),
        Encoding::Gsm7 => gsm(&text, coding, given),
        Encoding::Latin1 => match text::encode(&text, text::Encoding::Latin1) {
            Ok(octets) => {
                let number = coding.latin1.unwrap_or(LATIN1);
                Ok(Data { octets: octets.into(), unit: Unit::Octet, form: Form::AsIs, number })
            }
            Err(_) if changed => Ok(ucs2(&text, coding, given)),
            Err(_) => Err(Unencodable),
        },
        Encoding::Ucs2 | Encoding::Binary => Ok(ucs2(&text, coding, given)),
    }
}

/// A text of the GSM alphabet, in what `data_coding` 0 means here unless GSM 7-bit has a number of its own.
fn gsm(text: &str, coding: &Coding, given: Option<u8>) -> Result<Data, Unencodable> {
    let own_number = coding.gsm7.filter(|number| *number != 0);
    let below = |limit: u32| text.chars().all(|character| u32::from(character) < limit);
    let form = match (own_number, coding.default_alphabet) {
        (Some(_), _) | (None, Alphabet::Gsm7 | Alphabet::Binary) => Form::AsIs,
        (None, Alphabet::Gsm7Packed) => Form::Packed,
        (None, Alphabet::Latin1) if below(0x100) => Form::Latin1,
        (None, Alphabet::Ascii) if below(0x80) => Form::Latin1,
        (None, Alphabet::Latin1 | Alphabet::Ascii) => return Ok(ucs2(text, coding, given)),
        (None, Alphabet::Ucs2) => {
            return Ok(Data { number: 0, ..ucs2(text, coding, given) });
        }
    };
    let septets = text::encode(text, text::Encoding::Gsm7).map_err(|_| Unencodable)?;
    let number = match given {
        // Message waiting indication in GSM 7-bit.
        Some(given @ 0xC0..=0xDF) => given,
        Some(given) if class_of(given).is_some() => with_class(coding.flash.unwrap_or(FLASH), given),
        _ => own_number.unwrap_or(0),
    };
    Ok(Data { octets: septets.into(), unit: Unit::Septet, form, number })
}

fn ucs2(text: &str, coding: &Coding, given: Option<u8>) -> Data {
    let octets: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let number = match given {
        // Message waiting indication in UCS-2.
        Some(given @ 0xE0..=0xEF) => given,
        Some(given) if class_of(given).is_some() => with_class(coding.flash_ucs2.unwrap_or(FLASH_UCS2), given),
        _ => coding.ucs2.unwrap_or(UCS2),
    };
    Data { octets: octets.into(), unit: Unit::Utf16, form: Form::AsIs, number }
}

/// Binary data with a message class keeps its number: 0x14 to 0x17 and 0xF4 to 0xF7.
fn binary(coding: &Coding, given: Option<u8>) -> u8 {
    match given {
        Some(given @ (0x14..=0x17 | 0xF4..=0xF7)) if coding.binary.is_none() => given,
        _ => coding.binary.unwrap_or(BINARY),
    }
}

/// The message class of a `data_coding`, where it has one.
const fn class_of(data_coding: u8) -> Option<u8> {
    match data_coding {
        0x10..=0x1F | 0x30..=0x3F | 0x50..=0x5F | 0x70..=0x7F | 0xF0..=0xFF => Some(data_coding & CLASS),
        _ => None,
    }
}

/// The operator's number for flash messages (class 0), with the class that was given.
const fn with_class(flash: u8, given: u8) -> u8 {
    match given & CLASS {
        0 => flash,
        class => (flash & !CLASS) | class,
    }
}

/// The text with this operator's characters.
fn substituted<'a>(text: &'a str, profile: &Profile) -> Cow<'a, str> {
    let table = &profile.substitutions;
    if table.is_empty() || !text.chars().any(|character| table.contains_key(&character)) {
        return Cow::Borrowed(text);
    }
    let mut changed = String::with_capacity(text.len());
    for character in text.chars() {
        match table.get(&character) {
            Some(instead) => changed.push_str(instead),
            None => changed.push(character),
        }
    }
    Cow::Owned(changed)
}

/// Two hexadecimal digits per octet.
fn from_hex(text: &str) -> Option<Bytes> {
    let digit = |octet: u8| char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let octets: Option<Vec<u8>> = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    octets.filter(|_| rest.is_empty()).map(Bytes::from)
}
