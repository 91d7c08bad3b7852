//! The GSM 7-bit default alphabet (3GPP TS 23.038, section 6.2.1), both ways, unpacked and packed.

use super::{Encoding, Error};

/// The septet that says "the next one is from the extension table".
pub const ESC: u8 = 0x1B;

/// Septet to character (6.2.1). ESC stands as a space: that is what a handset shows for a lone one.
const BASE: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å', //
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', ' ', 'Æ', 'æ', 'ß', 'É', //
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/', //
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?', //
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', //
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§', //
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', //
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
];

/// Septet after ESC to character (6.2.1.1).
const EXTENSION: [(u8, char); 10] = [
    (0x0A, '\u{0C}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2F, '\\'),
    (0x3C, '['),
    (0x3D, '~'),
    (0x3E, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

/// Marks an entry of [`REVERSE`] that needs ESC in front.
const EXTENDED: u8 = 0x80;
/// Marks a character that the alphabet lacks.
const NONE: u8 = 0xFF;
/// One past Ω, the highest character of the alphabet but for the euro sign.
const REVERSE_LEN: usize = 0x3AA;

/// Character to septet, by code point: one lookup answers "is it in the alphabet, and what does it cost".
static REVERSE: [u8; REVERSE_LEN] = reverse();

#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "TryFrom is not const; septets are below 128 and code points below 0x3AA, or not stored"
)]
const fn reverse() -> [u8; REVERSE_LEN] {
    let mut table = [NONE; REVERSE_LEN];
    let mut septet = 0;
    while septet < BASE.len() {
        if septet != ESC as usize {
            table[BASE[septet] as usize] = septet as u8;
        }
        septet += 1;
    }
    let mut row = 0;
    while row < EXTENSION.len() {
        let (code, character) = EXTENSION[row];
        if (character as usize) < REVERSE_LEN {
            table[character as usize] = EXTENDED | code;
        }
        row += 1;
    }
    table
}

/// The septets a character takes: 1 or 2, or `None` when the alphabet lacks it.
#[inline]
pub fn septets(character: char) -> Option<usize> {
    match lookup(character) {
        NONE => None,
        code => Some(1 + usize::from(code >> 7)),
    }
}

#[inline]
fn lookup(character: char) -> u8 {
    if character == '€' {
        return EXTENDED | 0x65;
    }
    usize::try_from(u32::from(character)).ok().and_then(|point| REVERSE.get(point)).map_or(NONE, |&code| code)
}

/// Appends `text` to `septets`, one septet per octet, ESC pairs for the extension table.
pub fn encode_into(text: &str, septets: &mut Vec<u8>) -> Result<(), Error> {
    for (at, character) in text.chars().enumerate() {
        let code = lookup(character);
        if code == NONE {
            return Err(Error::Unencodable { at, encoding: Encoding::Gsm7 });
        }
        if code & EXTENDED != 0 {
            septets.push(ESC);
        }
        septets.push(code & !EXTENDED);
    }
    Ok(())
}

/// What a handset shows for unpacked septets: an unknown extension code shows the character of the base table
/// (6.2.1.1, note 3), a lone ESC shows a space, an octet above 0x7F is no septet and shows U+FFFD.
pub fn decode(septets: &[u8]) -> String {
    let mut text = String::with_capacity(septets.len());
    let mut rest = septets.iter().copied();
    while let Some(septet) = rest.next() {
        if septet != ESC {
            text.push(base(septet));
            continue;
        }
        match rest.next() {
            Some(code) => text.push(extension(code).unwrap_or_else(|| base(code))),
            None => text.push(base(ESC)),
        }
    }
    text
}

fn base(septet: u8) -> char {
    BASE.get(usize::from(septet)).copied().unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn extension(code: u8) -> Option<char> {
    EXTENSION.iter().find(|row| row.0 == code).map(|row| row.1)
}

/// Packs septets into octets (3GPP TS 23.038, 6.1.2.1.1), after `fill_bits` zero bits (0 to 6) that align the
/// text behind a user data header. Bits above the seventh are dropped.
pub fn pack(septets: &[u8], fill_bits: u32) -> Vec<u8> {
    let mut octets = Vec::with_capacity(septets.len() * 7 / 8 + 1);
    let mut held: u16 = 0;
    let mut bits = fill_bits.min(6);
    for &septet in septets {
        held |= u16::from(septet & 0x7F) << bits;
        bits += 7;
        if bits >= 8 {
            octets.push(held.to_le_bytes()[0]);
            held >>= 8;
            bits -= 8;
        }
    }
    if bits > 0 && !septets.is_empty() {
        octets.push(held.to_le_bytes()[0]);
    }
    octets
}

/// The septets inside packed octets after `fill_bits` (0 to 6), at most `septets_max` of them. A count is needed
/// because seven spare bits at the end look like an `@`.
pub fn unpack(octets: &[u8], fill_bits: u32, septets_max: usize) -> Vec<u8> {
    let mut septets = Vec::with_capacity((octets.len() * 8 / 7).min(septets_max));
    let skip = fill_bits.min(6);
    let mut held: u16 = 0;
    let mut bits = 0;
    for (at, &octet) in octets.iter().enumerate() {
        held |= u16::from(octet) << bits;
        bits += 8;
        if at == 0 {
            held >>= skip;
            bits -= skip;
        }
        while bits >= 7 && septets.len() < septets_max {
            septets.push(held.to_le_bytes()[0] & 0x7F);
            held >>= 7;
            bits -= 7;
        }
        if septets.len() == septets_max {
            break;
        }
    }
    septets
}

/// The septet that fills seven spare bits, where zero bits would read as an `@` (6.1.2.3.1).
const CR: u8 = 0x0D;

/// Zero bits between a user data header of `header_bytes` (its length octet included) and packed text, so that the
/// text begins at a septet (3GPP TS 23.040, 9.2.3.24). 0 without a header.
pub const fn fill_bits(header_bytes: usize) -> u32 {
    // A septet border comes every seven octets; each octet less leaves one bit less to fill.
    [0, 6, 5, 4, 3, 2, 1][header_bytes % 7]
}

/// Packs septets for a carrier that tells octets and not septets, as SMPP does, behind a header of `header_bytes`.
/// Seven spare bits are filled with CR; a wanted CR that ends on an octet gets a second one, so that it is not taken
/// for filling (6.1.2.3.1: a handset shows two like one).
pub fn pack_filled(septets: &[u8], header_bytes: usize) -> Vec<u8> {
    let needs_cr = match (septets.last(), spare_bits(header_bytes, septets.len())) {
        (None, _) => false,
        (Some(_), 7) => true,
        (Some(&last), spare) => last == CR && spare == 0,
    };
    let fill_bits = fill_bits(header_bytes);
    if needs_cr { pack(&[septets, &[CR]].concat(), fill_bits) } else { pack(septets, fill_bits) }
}

/// The septets of packed text whose length is told in octets, behind a header of `header_bytes`. A septet that could
/// be nothing but filling is dropped: a last CR that ends on an octet, and a last `@` there, because many senders
/// fill with zeros. The price is a wanted `@` at the end of every eighth length.
pub fn unpack_filled(octets: &[u8], header_bytes: usize) -> Vec<u8> {
    let mut septets = unpack(octets, fill_bits(header_bytes), usize::MAX);
    if spare_bits(header_bytes, septets.len()) == 0 && matches!(septets.last(), Some(&(CR | 0))) {
        septets.pop();
    }
    septets
}

/// Bits of the last octet that the septets behind a header leave unused.
const fn spare_bits(header_bytes: usize, septets: usize) -> usize {
    let fill_bits = (7 - header_bytes % 7) % 7;
    (8 - (fill_bits + septets * 7) % 8) % 8
}
