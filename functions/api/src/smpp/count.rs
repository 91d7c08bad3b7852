//! How many short messages a submit takes, and in which encoding it travels.

use contract::{Encoding, SmppFields};
use smpp::text::{self, Concat, PARTS_MAX};

use super::status::Why;

/// Octets of user data in one short message (3GPP TS 23.040 section 9.2.3.24).
const OCTETS_MAX: usize = 140;
/// Octets of binary user data in one part of several.
const PART_OCTETS_MAX: usize = 134;
/// The element that numbers parts, by whether its reference has 16 bits: with its tag and length.
const PART_ELEMENT: [usize; 2] = [5, 6];

/// Encoding and number of short messages.
///
/// A text in Latin-1 goes out as GSM 7-bit or UCS-2, whichever is cheaper: operators disagree about Latin-1. A
/// message that its customer cut, or that has a header of its own, is one short message or too long.
pub(super) fn count(body: &str, encoding: Encoding, fields: &SmppFields) -> Result<(Encoding, u8), Why> {
    if body.contains('\0') {
        return Err(Why::InvalidText);
    }
    let header = header_octets(fields);
    if header > 0 {
        let room = OCTETS_MAX.checked_sub(header).ok_or(Why::TextTooLong)?;
        return Ok((one(body, encoding, room)?, 1));
    }
    let (encoding, segments) = match encoding {
        Encoding::Binary => {
            let octets = octets(body)?;
            (encoding, if octets <= OCTETS_MAX { 1 } else { octets.div_ceil(PART_OCTETS_MAX) })
        }
        Encoding::Ucs2 => (encoding, count_as(body, text::Encoding::Ucs2)?),
        Encoding::Gsm7 | Encoding::Latin1 => {
            let count = text::count(body);
            let is_gsm7 = count.encoding == text::Encoding::Gsm7;
            (if is_gsm7 { Encoding::Gsm7 } else { Encoding::Ucs2 }, count.segments)
        }
    };
    let segments = u8::try_from(segments).ok().filter(|n| usize::from(*n) <= PARTS_MAX);
    Ok((encoding, segments.ok_or(Why::TextTooLong)?))
}

/// Octets of the user data header that this message travels with; a message cut by SAR parameters gets one too.
fn header_octets(fields: &SmppFields) -> usize {
    let part = fields.part_of.map_or(0, |part| PART_ELEMENT[usize::from(part.wide)]);
    match part + fields.udh.0.len() {
        0 => 0,
        elements => elements + 1,
    }
}

fn count_as(body: &str, encoding: text::Encoding) -> Result<usize, Why> {
    text::count_as(body, encoding, Concat::Udh8).map(|count| count.segments).map_err(|_| Why::InvalidText)
}

/// The encoding of a text that must fit into `room` octets.
fn one(body: &str, encoding: Encoding, room: usize) -> Result<Encoding, Why> {
    let units = |encoding| text::count_as(body, encoding, Concat::Udh8).ok().map(|count| count.units);
    let gsm7 = || units(text::Encoding::Gsm7).filter(|septets| *septets <= room * 8 / 7).map(|_| Encoding::Gsm7);
    let ucs2 = || units(text::Encoding::Ucs2).filter(|units| units * 2 <= room).map(|_| Encoding::Ucs2);
    let latin1 = || units(text::Encoding::Latin1).filter(|octets| *octets <= room).map(|_| Encoding::Latin1);
    let found = match encoding {
        Encoding::Binary => (octets(body)? <= room).then_some(encoding),
        Encoding::Ucs2 => ucs2(),
        Encoding::Gsm7 => gsm7().or_else(ucs2),
        // A part stays in its own encoding where GSM 7-bit lacks a character: half a message in UCS-2 would not fit.
        Encoding::Latin1 => gsm7().or_else(latin1),
    };
    found.ok_or(Why::TextTooLong)
}

/// How many octets two hexadecimal digits each are.
fn octets(body: &str) -> Result<usize, Why> {
    let good = body.len().is_multiple_of(2) && body.bytes().all(|digit| digit.is_ascii_hexdigit());
    if good { Ok(body.len() / 2) } else { Err(Why::InvalidText) }
}

#[cfg(test)]
mod tests {
    use contract::{Octets, PartOf};

    use super::*;

    fn part(wide: bool) -> SmppFields {
        let part_of = Some(PartOf { reference: 7, wide, total: 3, part: 1 });
        SmppFields { part_of, ..SmppFields::default() }
    }

    fn header(octets: usize) -> SmppFields {
        SmppFields { udh: Octets(vec![0; octets]), ..SmppFields::default() }
    }

    #[test]
    fn segments_follow_encoding_and_header() {
        use Encoding::{Binary, Gsm7, Latin1, Ucs2};
        let whole = SmppFields::default;
        let rows = [
            ("x".repeat(160), Gsm7, whole(), Ok((Gsm7, 1))),
            ("x".repeat(161), Gsm7, whole(), Ok((Gsm7, 2))),
            (String::new(), Gsm7, whole(), Ok((Gsm7, 1))),
            ("ж".repeat(71), Ucs2, whole(), Ok((Ucs2, 2))),
            ("plain".to_owned(), Ucs2, whole(), Ok((Ucs2, 1))),
            ("é".repeat(160), Latin1, whole(), Ok((Gsm7, 1))),
            ("ê".repeat(71), Latin1, whole(), Ok((Ucs2, 2))),
            ("ff".repeat(140), Binary, whole(), Ok((Binary, 1))),
            ("ff".repeat(141), Binary, whole(), Ok((Binary, 2))),
            ("ff".repeat(134 * 255), Binary, whole(), Ok((Binary, 255))),
            ("ff".repeat(134 * 255 + 1), Binary, whole(), Err(Why::TextTooLong)),
            ("fff".to_owned(), Binary, whole(), Err(Why::InvalidText)),
            ("fg".to_owned(), Binary, whole(), Err(Why::InvalidText)),
            ("x".repeat(153 * 255 + 1), Gsm7, whole(), Err(Why::TextTooLong)),
            ("a\0b".to_owned(), Ucs2, whole(), Err(Why::InvalidText)),
            ("x".repeat(153), Gsm7, part(false), Ok((Gsm7, 1))),
            ("x".repeat(154), Gsm7, part(false), Err(Why::TextTooLong)),
            ("x".repeat(152), Gsm7, part(true), Ok((Gsm7, 1))),
            ("x".repeat(153), Gsm7, part(true), Err(Why::TextTooLong)),
            ("ж".repeat(67), Ucs2, part(false), Ok((Ucs2, 1))),
            ("ж".repeat(68), Ucs2, part(false), Err(Why::TextTooLong)),
            ("é".repeat(153), Latin1, part(false), Ok((Gsm7, 1))),
            ("ê".repeat(134), Latin1, part(false), Ok((Latin1, 1))),
            ("ê".repeat(135), Latin1, part(false), Err(Why::TextTooLong)),
            ("ff".repeat(134), Binary, part(false), Ok((Binary, 1))),
            ("ff".repeat(135), Binary, part(false), Err(Why::TextTooLong)),
            ("ff".repeat(133), Binary, header(6), Ok((Binary, 1))),
            ("ff".repeat(134), Binary, header(6), Err(Why::TextTooLong)),
            ("x".to_owned(), Gsm7, header(140), Err(Why::TextTooLong)),
        ];
        for (at, (body, encoding, fields, expected)) in rows.into_iter().enumerate() {
            assert_eq!(count(&body, encoding, &fields), expected, "row {at}");
        }
    }
}
