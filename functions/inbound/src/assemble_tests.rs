use contract::{Alphabet, Encoding, Octets, WireAddress};
use domain::{OperatorId, Private};
use smpp::text::{self, gsm7};

use super::*;
use crate::decode::read;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

/// A part of a world with one operator, one handset and one number.
fn part(id: u128, place: u8, total: u8, octets: &[u8], seconds: i64) -> InboundPart {
    let address = |addr: &str| WireAddress { ton: 1, npi: 1, addr: Private::new(addr) };
    InboundPart {
        id: Uuid::from_u128(id),
        operator_id: OperatorId::from_uuid(Uuid::from_u128(1)),
        from: address("998901234567"),
        to: address("4400"),
        alphabet: Alphabet::Gsm7,
        octets: Octets(octets.to_vec()),
        header_bytes: 0,
        part_of: Some(PartOf { reference: 7, wide: false, total, part: place }),
        data_coding: 0,
        tlvs: Octets::default(),
        received_at: at(seconds),
    }
}

fn waits(item: InboundPart) -> StoredPart {
    StoredPart { stored_at: item.received_at, item, message: None }
}

fn went(item: InboundPart, message: u128) -> StoredPart {
    StoredPart { message: Some(InboundId::from_uuid(Uuid::from_u128(message))), ..waits(item) }
}

/// What is handed over: the id of each message, and what it says.
fn told(assembled: &Assembled) -> Vec<(u128, String)> {
    assembled.wholes.iter().map(|whole| (whole.id.uuid().as_u128(), read(&whole.parts).0)).collect()
}

const DAY: i64 = 86_400;

/// What is told of it, what is stored, what was begun when is over, what is handed over, how many parts are marked.
type Row<'a> = (&'a str, Vec<StoredPart>, Option<i64>, Vec<(u128, String)>, usize);
/// Parts in their alphabets (none: it is missing), the text they make, and how it is written best.
type Text<'a> = (Vec<(Alphabet, Option<Vec<u8>>)>, &'a str, Encoding);

#[test]
#[expect(clippy::too_many_lines, reason = "a table of rows")]
fn parts_become_messages() {
    let p = |id, place, text: &str, seconds| part(id, place, 3, text.as_bytes(), seconds);
    let other_handset = |mut part: InboundPart| {
        part.from.addr = Private::new("998907654321");
        part
    };
    let other_total = |mut item: InboundPart| {
        item.part_of = item.part_of.map(|of| PartOf { total: 2, ..of });
        item
    };
    let whole = |id: u128, text: &str| (id, text.to_owned());
    let rows: Vec<Row<'_>> = vec![
        (
            "in order",
            [p(1, 1, "a", 0), p(2, 2, "b", 1), p(3, 3, "c", 2)].map(waits).into(),
            None,
            vec![whole(1, "abc")],
            3,
        ),
        (
            "last first",
            [p(1, 3, "c", 0), p(2, 2, "b", 0), p(3, 1, "a", 0)].map(waits).into(),
            None,
            vec![whole(1, "abc")],
            3,
        ),
        ("one is missing", [p(1, 1, "a", 0), p(2, 3, "c", 1)].map(waits).into(), None, vec![], 0),
        ("a part twice", [p(1, 1, "a", 0), p(2, 1, "a", 1), p(3, 3, "c", 2)].map(waits).into(), None, vec![], 0),
        (
            "a part twice, then whole",
            [p(1, 1, "a", 0), p(2, 1, "a", 1), p(3, 3, "c", 2), p(4, 2, "b", 3)].map(waits).into(),
            None,
            vec![whole(1, "abc")],
            4,
        ),
        (
            "two handsets",
            [p(1, 1, "a", 0), other_handset(p(2, 2, "x", 1)), other_handset(p(3, 3, "y", 1))].map(waits).into(),
            None,
            vec![],
            0,
        ),
        (
            "another total",
            [p(1, 1, "a", 0), p(2, 2, "b", 0), other_total(p(3, 1, "x", 1)), other_total(p(4, 2, "y", 1))]
                .map(waits)
                .into(),
            None,
            vec![whole(3, "xy")],
            2,
        ),
        ("time is over", [p(1, 1, "a", 0), p(2, 3, "c", 5)].map(waits).into(), Some(0), vec![whole(1, "a[...]c")], 2),
        ("the end is missing", [p(1, 1, "a", 0)].map(waits).into(), Some(0), vec![whole(1, "a[...]")], 1),
        ("the beginning is missing", [p(1, 3, "c", 0)].map(waits).into(), Some(0), vec![whole(1, "[...]c")], 1),
        ("time is not over", [p(1, 1, "a", 1), p(2, 3, "c", 5)].map(waits).into(), Some(0), vec![], 0),
        (
            "the reference is used again after days",
            [p(1, 1, "a", 0), p(2, 2, "b", 0), p(3, 3, "z", 2 * DAY)].map(waits).into(),
            None,
            vec![whole(1, "ab[...]")],
            2,
        ),
        (
            "the reference is used again before the end",
            [p(1, 1, "a", 0), p(2, 2, "b", 0), p(3, 1, "x", 9), p(4, 2, "y", 9), p(5, 3, "z", 9)].map(waits).into(),
            None,
            vec![whole(1, "ab[...]"), whole(3, "xyz")],
            5,
        ),
        (
            "one part of a message that is done comes again",
            vec![
                went(p(1, 1, "a", 0), 1),
                went(p(2, 2, "b", 0), 1),
                went(p(3, 3, "c", 0), 1),
                waits(p(4, 2, "b", 300)),
            ],
            Some(9_000),
            vec![],
            1,
        ),
        (
            "all of a message that is done comes again with other ids",
            vec![
                went(p(1, 1, "a", 0), 1),
                went(p(2, 2, "b", 0), 1),
                went(p(3, 3, "c", 0), 1),
                waits(p(4, 1, "a", 60)),
                waits(p(5, 2, "b", 60)),
                waits(p(6, 3, "c", 60)),
            ],
            None,
            vec![],
            3,
        ),
        (
            "the same is said an hour later",
            vec![
                went(p(1, 1, "a", 0), 1),
                went(p(2, 2, "b", 0), 1),
                went(p(3, 3, "c", 0), 1),
                waits(p(4, 1, "a", 3_600)),
                waits(p(5, 2, "b", 3_600)),
                waits(p(6, 3, "c", 3_600)),
            ],
            None,
            vec![whole(4, "abc")],
            3,
        ),
        (
            "the last part comes when the rest was handed over",
            vec![went(p(1, 1, "a", 0), 1), went(p(2, 2, "b", 0), 1), waits(p(3, 3, "c", 900))],
            Some(900),
            vec![whole(3, "[...]c")],
            1,
        ),
    ];
    for (name, stored, over, expected, marks) in rows {
        let assembled = assemble(stored, over.map(at));
        assert_eq!(told(&assembled), expected, "{name}");
        assert_eq!(assembled.marks.len(), marks, "{name}");
    }
}

#[test]
fn what_is_no_part_is_a_message_by_itself() {
    let of = |part, total| Some(PartOf { reference: 7, wide: false, total, part });
    for (part_of, alone) in
        [(None, true), (of(1, 1), true), (of(0, 2), true), (of(3, 2), true), (of(1, 0), true), (of(2, 2), false)]
    {
        let item = InboundPart { part_of, ..part(1, 1, 2, b"x", 0) };
        assert_eq!(key_of(&item).is_none(), alone, "{part_of:?}");
    }
}

#[test]
fn octets_are_joined_before_they_are_read() {
    let ucs2 = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
    let gsm = |text: &str| text::encode(text, text::Encoding::Gsm7).unwrap();
    let smile = ucs2("a🙂b");
    let euro = gsm("1€2");
    let (utf, seven) = (Alphabet::Ucs2, Alphabet::Gsm7);
    let rows: Vec<Text<'_>> = vec![
        (vec![(seven, Some(gsm("Hello @[]")))], "Hello @[]", Encoding::Gsm7),
        (vec![(utf, Some(ucs2("Салом, дунё")))], "Салом, дунё", Encoding::Ucs2),
        // Octet by octet, through surrogates and through units.
        (smile.iter().map(|octet| (utf, Some(vec![*octet]))).collect(), "a🙂b", Encoding::Ucs2),
        // The pair is cut between its two halves.
        (vec![(utf, Some(smile[..4].to_vec())), (utf, Some(smile[4..].to_vec()))], "a🙂b", Encoding::Ucs2),
        // ESC is cut from its character.
        (vec![(seven, Some(euro[..2].to_vec())), (seven, Some(euro[2..].to_vec()))], "1€2", Encoding::Gsm7),
        (
            vec![(seven, Some(gsm("a"))), (seven, None), (seven, None), (seven, Some(gsm("d")))],
            "a[...]d",
            Encoding::Gsm7,
        ),
        // A half pair before a gap is nothing.
        (vec![(utf, Some(smile[..4].to_vec())), (utf, None)], "a\u{FFFD}[...]", Encoding::Ucs2),
        (
            vec![(Alphabet::Latin1, Some(b"caf\xe9 ".to_vec())), (Alphabet::Latin1, Some(b"\xfc".to_vec()))],
            "café ü",
            Encoding::Gsm7,
        ),
        (vec![(Alphabet::Ascii, Some(b"`x`\x80".to_vec()))], "`x`\u{FFFD}", Encoding::Ucs2),
        (vec![(seven, Some(gsm("a"))), (utf, Some(ucs2("б")))], "aб", Encoding::Ucs2),
        (
            vec![(Alphabet::Binary, Some(vec![0, 255])), (Alphabet::Binary, None), (Alphabet::Binary, Some(vec![16]))],
            "00ff10",
            Encoding::Binary,
        ),
        (vec![(Alphabet::Ascii, Some(vec![b'a', 0, b'b']))], "a\u{FFFD}b", Encoding::Ucs2),
        (vec![(utf, Some(Vec::new()))], "", Encoding::Gsm7),
    ];
    for (parts, expected, encoding) in rows {
        let parts: Vec<Option<InboundPart>> = parts
            .into_iter()
            .map(|(alphabet, octets)| octets.map(|octets| InboundPart { alphabet, ..part(1, 1, 2, &octets, 0) }))
            .collect();
        assert_eq!(read(&parts), (expected.to_owned(), encoding));
    }
}

#[test]
fn packed_parts_are_read_behind_their_headers() {
    let long = "Packed: {1€} and more of the same, until it takes two. ".repeat(4);
    let septets = text::encode(&long, text::Encoding::Gsm7).unwrap();
    for (header_bytes, cut) in [(0_u8, 160), (6, 153), (7, 152), (6, 10), (0, septets.len())] {
        let parts: Vec<Option<InboundPart>> = septets
            .chunks(cut)
            .map(|septets| {
                let octets = gsm7::pack_filled(septets, usize::from(header_bytes));
                Some(InboundPart { alphabet: Alphabet::Gsm7Packed, header_bytes, ..part(1, 1, 2, &octets, 0) })
            })
            .collect();
        assert_eq!(read(&parts).0, long, "{header_bytes} octets of header, parts of {cut}");
    }
}
