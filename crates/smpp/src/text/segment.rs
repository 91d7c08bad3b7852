//! How many segments a text needs, and the cut itself.
//!
//! **Invariant:** [`count_as`] and [`split`] agree for every text. A segment holds 140 octets on the radio; a
//! concatenation header takes 6 or 7 of them. Neither an ESC pair nor a surrogate pair is ever cut.

use bytes::Bytes;

use super::{Encoding, Error, encode, gsm7};

/// The most parts one message can have: the part number is one octet (3GPP TS 23.040, 9.2.3.24.1).
pub const PARTS_MAX: usize = 255;

/// Which concatenation header will stand in front of each part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Concat {
    /// 8-bit reference, 6 octets: understood everywhere.
    #[default]
    Udh8,
    /// 16-bit reference, 7 octets: references collide less at volume.
    Udh16,
}

impl Concat {
    /// Units that fit into one part behind this header: floor((140 - header) * 8 / bits per unit).
    pub const fn part_max(self, encoding: Encoding) -> usize {
        match (self, encoding) {
            (Self::Udh8, Encoding::Gsm7) => 153,
            (Self::Udh8, Encoding::Ucs2) => 67,
            (Self::Udh8, Encoding::Latin1) => 134,
            (Self::Udh16, Encoding::Gsm7) => 152,
            (Self::Udh16, Encoding::Ucs2) => 66,
            (Self::Udh16, Encoding::Latin1) => 133,
        }
    }
}

/// What a text costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// The encoding counted for.
    pub encoding: Encoding,
    /// Segments to send and to bill; 1 for an empty text. More than [`PARTS_MAX`] cannot be sent.
    pub segments: usize,
    /// Septets, UTF-16 units or octets of the whole text, without headers.
    pub units: usize,
}

/// The cheapest encoding that keeps every character: GSM 7-bit where it can, else UCS-2. Latin-1 is never chosen:
/// operators disagree about it, and it holds fewer characters than GSM 7-bit.
pub fn choose(text: &str) -> Encoding {
    count(text).encoding
}

/// Encoding, segments and units of `text` in one pass, with [`Concat::Udh8`].
pub fn count(text: &str) -> Count {
    let mut septets = Filling::new(Encoding::Gsm7, Concat::Udh8);
    let mut rest = text.chars();
    let mut before = 0;
    while let Some(character) = rest.next() {
        let Some(units) = gsm7::septets(character) else {
            // So far each character was in the GSM alphabet, hence one UTF-16 unit: the count goes on from here.
            let mut utf16 = Filling::after(before, Encoding::Ucs2, Concat::Udh8);
            utf16.add(character.len_utf16());
            rest.for_each(|character| utf16.add(character.len_utf16()));
            return utf16.count();
        };
        septets.add(units);
        before += 1;
    }
    septets.count()
}

/// As [`count`], for a given encoding and header. [`Error::Unencodable`] when a character does not fit.
pub fn count_as(text: &str, encoding: Encoding, concat: Concat) -> Result<Count, Error> {
    let mut filling = Filling::new(encoding, concat);
    for (at, character) in text.chars().enumerate() {
        let units = units(character, encoding).ok_or(Error::Unencodable { at, encoding })?;
        filling.add(units);
    }
    Ok(filling.count())
}

fn units(character: char, encoding: Encoding) -> Option<usize> {
    match encoding {
        Encoding::Gsm7 => gsm7::septets(character),
        Encoding::Ucs2 => Some(character.len_utf16()),
        Encoding::Latin1 => u8::try_from(u32::from(character)).ok().map(|_| 1),
    }
}

/// Octets of each segment, without headers, in order. One segment when the text fits without a header; the octets
/// share one allocation.
pub fn split(text: &str, encoding: Encoding, concat: Concat) -> Result<Vec<Bytes>, Error> {
    let octets = Bytes::from(encode(text, encoding)?);
    let units = octets.len() / encoding.unit_bytes();
    if units <= encoding.single_max() {
        return Ok(vec![octets]);
    }
    let part_bytes = concat.part_max(encoding) * encoding.unit_bytes();
    let mut parts = Vec::with_capacity(octets.len().div_ceil(part_bytes));
    let mut from = 0;
    while from < octets.len() {
        if parts.len() == PARTS_MAX {
            return Err(Error::TooLong { units, segments_max: PARTS_MAX });
        }
        let to = cut(&octets, from, part_bytes, encoding);
        parts.push(octets.slice(from..to));
        from = to;
    }
    Ok(parts)
}

/// Where the part that starts at `from` ends: full, or one unit earlier when a pair would be torn.
fn cut(octets: &[u8], from: usize, part_bytes: usize, encoding: Encoding) -> usize {
    let full = from + part_bytes;
    if full >= octets.len() {
        return octets.len();
    }
    let torn = match encoding {
        // In encoded text ESC is never the second of a pair, so an ESC in the last place opens one.
        Encoding::Gsm7 => octets[full - 1] == gsm7::ESC,
        // 0xD800 to 0xDBFF: the first half of a surrogate pair.
        Encoding::Ucs2 => octets[full - 2] & 0xFC == 0xD8,
        Encoding::Latin1 => false,
    };
    if torn { full - encoding.unit_bytes() } else { full }
}

/// Segments being filled, character by character.
struct Filling {
    encoding: Encoding,
    part_max: usize,
    parts: usize,
    in_part: usize,
    units: usize,
}

impl Filling {
    fn new(encoding: Encoding, concat: Concat) -> Self {
        Self::after(0, encoding, concat)
    }

    /// The state after `units` characters of one unit each.
    fn after(units: usize, encoding: Encoding, concat: Concat) -> Self {
        let part_max = concat.part_max(encoding);
        let parts = units.div_ceil(part_max).max(1);
        let in_part = units - (parts - 1) * part_max;
        Self { encoding, part_max, parts, in_part, units }
    }

    #[inline]
    fn add(&mut self, units: usize) {
        self.units += units;
        self.in_part += units;
        if self.in_part > self.part_max {
            self.parts += 1;
            self.in_part = units;
        }
    }

    fn count(self) -> Count {
        let single = self.units <= self.encoding.single_max();
        let segments = if single { 1 } else { self.parts };
        Count { encoding: self.encoding, segments, units: self.units }
    }
}
