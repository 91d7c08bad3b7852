//! Message text on the wire: which encoding a text needs, its octets, and how it is cut into segments.
//!
//! Three encodings cover practice: the GSM 7-bit default alphabet (one septet per octet, as SMPP carries it),
//! UCS-2 (really UTF-16BE, so emoji work) and Latin-1. Nothing here knows of PDUs or sockets.

pub mod gsm7;
mod segment;

pub use segment::{Concat, Count, PARTS_MAX, choose, count, count_as, split};

/// How text is put into octets. The value of `data_coding` says which (SMPP 3.4, 5.2.19).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// GSM 03.38 default alphabet and its extension table, one septet per octet; `data_coding` 0.
    Gsm7,
    /// UTF-16 big endian, with surrogate pairs where a character needs them; `data_coding` 8.
    Ucs2,
    /// ISO 8859-1; `data_coding` 3.
    Latin1,
}

/// Why a text cannot be encoded or split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A character is not in the alphabet. The character itself stays out of the error: texts are private.
    #[error("character {at} of the text is not in the alphabet of {encoding:?}")]
    Unencodable {
        /// Position of the character, counted in characters from 0.
        at: usize,
        /// The alphabet that lacks it.
        encoding: Encoding,
    },
    /// The text needs more parts than a concatenation header can number.
    #[error("text of {units} units does not fit into {segments_max} segments")]
    TooLong {
        /// Length of the text in septets, UTF-16 units or octets.
        units: usize,
        /// The most parts a message can have: [`PARTS_MAX`].
        segments_max: usize,
    },
}

impl Encoding {
    /// The `data_coding` octet that announces this encoding.
    pub const fn data_coding(self) -> u8 {
        match self {
            Self::Gsm7 => 0,
            Self::Latin1 => 3,
            Self::Ucs2 => 8,
        }
    }

    /// The encoding that a `data_coding` octet announces, with the message classes of GSM 03.38 section 4;
    /// `None` for binary and for alphabets that we cannot read. What 0 means at an operator is a setting:
    /// this says GSM 7-bit, as the specification does.
    pub const fn from_data_coding(data_coding: u8) -> Option<Self> {
        match data_coding {
            0x00 | 0x10..=0x13 | 0xC0..=0xDF | 0xF0..=0xF3 => Some(Self::Gsm7),
            // IA5 is ASCII, which Latin-1 contains.
            0x01 | 0x03 => Some(Self::Latin1),
            0x08 | 0x18..=0x1B | 0xE0..=0xEF => Some(Self::Ucs2),
            _ => None,
        }
    }

    /// Units of one segment without a user data header: septets, UTF-16 units or octets.
    pub const fn single_max(self) -> usize {
        match self {
            Self::Gsm7 => 160,
            Self::Ucs2 => 70,
            Self::Latin1 => 140,
        }
    }

    /// Octets that one unit takes inside `short_message`.
    pub const fn unit_bytes(self) -> usize {
        match self {
            Self::Gsm7 | Self::Latin1 => 1,
            Self::Ucs2 => 2,
        }
    }
}

/// The octets of `text`, not yet split.
pub fn encode(text: &str, encoding: Encoding) -> Result<Vec<u8>, Error> {
    let mut octets = Vec::with_capacity(text.len());
    match encoding {
        Encoding::Gsm7 => gsm7::encode_into(text, &mut octets)?,
        Encoding::Ucs2 => octets.extend(text.encode_utf16().flat_map(u16::to_be_bytes)),
        Encoding::Latin1 => {
            for (at, character) in text.chars().enumerate() {
                let octet = u8::try_from(u32::from(character));
                octets.push(octet.map_err(|_| Error::Unencodable { at, encoding })?);
            }
        }
    }
    Ok(octets)
}

/// What a handset shows for `octets`. Nothing is refused: what has no character becomes U+FFFD.
pub fn decode(octets: &[u8], encoding: Encoding) -> String {
    match encoding {
        Encoding::Gsm7 => gsm7::decode(octets),
        Encoding::Ucs2 => decode_utf16(octets),
        Encoding::Latin1 => octets.iter().copied().map(char::from).collect(),
    }
}

/// UTF-16BE; lone surrogates and a dangling last octet become U+FFFD.
fn decode_utf16(octets: &[u8]) -> String {
    let (pairs, rest) = octets.as_chunks::<2>();
    let units = pairs.iter().copied().map(u16::from_be_bytes);
    let mut text: String =
        char::decode_utf16(units).map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    if !rest.is_empty() {
        text.push(char::REPLACEMENT_CHARACTER);
    }
    text
}

#[cfg(test)]
mod tests;
