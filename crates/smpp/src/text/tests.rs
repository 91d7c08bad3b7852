use proptest::prelude::*;

use super::{Concat, Encoding, Error, PARTS_MAX, choose, count, count_as, decode, encode, gsm7, split};
use Encoding::{Gsm7, Latin1, Ucs2};

#[test]
fn gsm7_octets_and_characters() {
    let check = |text: &str, octets: &[u8]| {
        assert_eq!(encode(text, Gsm7).as_deref(), Ok(octets), "encode {text:?}");
        assert_eq!(decode(octets, Gsm7), text, "decode {octets:02x?}");
    };
    check("", &[]);
    check("@", &[0x00]);
    check("$_", &[0x02, 0x11]);
    check("hello", b"hello");
    check("\n\r", &[0x0A, 0x0D]);
    check("£¥èéùìòÇØøÅå", &[1, 3, 4, 5, 6, 7, 8, 9, 11, 12, 14, 15]);
    check("ΔΦΓΛΩΠΨΣΘΞ", &[0x10, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1A]);
    check(
        "ÆæßÉ¤¡ÄÖÑÜ§¿äöñüà",
        &[0x1C, 0x1D, 0x1E, 0x1F, 0x24, 0x40, 0x5B, 0x5C, 0x5D, 0x5E, 0x5F, 0x60, 0x7B, 0x7C, 0x7D, 0x7E, 0x7F],
    );
    check(
        "\u{0C}^{}\\[~]|€",
        &[
            0x1B, 0x0A, 0x1B, 0x14, 0x1B, 0x28, 0x1B, 0x29, 0x1B, 0x2F, 0x1B, 0x3C, 0x1B, 0x3D, 0x1B, 0x3E, 0x1B, 0x40,
            0x1B, 0x65,
        ],
    );
}

#[test]
fn gsm7_shows_something_for_every_octet() {
    let check = |octets: &[u8], text: &str| assert_eq!(decode(octets, Gsm7), text, "{octets:02x?}");
    check(&[0x1B, 0x41], "A");
    check(&[0x1B, 0x1B], " ");
    check(&[0x61, 0x1B], "a ");
    check(&[0x80, 0xFF], "\u{FFFD}\u{FFFD}");
    check(&[0x1B, 0xE5], "\u{FFFD}");
}

#[test]
fn characters_outside_an_alphabet_are_refused_by_position() {
    let check = |text: &str, encoding, at| {
        assert_eq!(encode(text, encoding), Err(Error::Unencodable { at, encoding }), "{text:?}");
        assert_eq!(count_as(text, encoding, Concat::Udh8), Err(Error::Unencodable { at, encoding }), "{text:?}");
    };
    check("ab`", Gsm7, 2);
    check("ç", Gsm7, 0);
    check("\u{1B}", Gsm7, 0);
    check("\u{00}", Gsm7, 0);
    check("oʻzbek", Gsm7, 1);
    check("😀", Gsm7, 0);
    check("a€", Latin1, 1);
}

#[test]
fn ucs2_and_latin1_octets() {
    let check = |text: &str, encoding, octets: &[u8]| {
        assert_eq!(encode(text, encoding).as_deref(), Ok(octets), "encode {text:?}");
        assert_eq!(decode(octets, encoding), text, "decode {octets:02x?}");
    };
    check("Привет", Ucs2, &[0x04, 0x1F, 0x04, 0x40, 0x04, 0x38, 0x04, 0x32, 0x04, 0x35, 0x04, 0x42]);
    check("😀", Ucs2, &[0xD8, 0x3D, 0xDE, 0x00]);
    check("é", Latin1, &[0xE9]);
    assert_eq!(decode(&[0xD8, 0x3D], Ucs2), "\u{FFFD}");
    assert_eq!(decode(&[0x00, 0x41, 0x00], Ucs2), "A\u{FFFD}");
}

#[test]
fn data_coding_both_ways() {
    let check = |data_coding, encoding| {
        assert_eq!(Encoding::from_data_coding(data_coding), encoding, "{data_coding}");
    };
    for encoding in [Gsm7, Ucs2, Latin1] {
        check(encoding.data_coding(), Some(encoding));
    }
    check(0x01, Some(Latin1));
    check(0x02, None);
    check(0x04, None);
    check(0x10, Some(Gsm7));
    check(0x18, Some(Ucs2));
    check(0xF0, Some(Gsm7));
    check(0xF4, None);
}

#[test]
fn packed_septets() {
    let check = |text: &str, fill_bits, octets: &[u8]| {
        let septets = encode(text, Gsm7).unwrap();
        assert_eq!(gsm7::pack(&septets, fill_bits), octets, "pack {text:?}");
        assert_eq!(gsm7::unpack(octets, fill_bits, septets.len()), septets, "unpack {text:?}");
    };
    check("", 0, &[]);
    check("hellohello", 0, &[0xE8, 0x32, 0x9B, 0xFD, 0x46, 0x97, 0xD9, 0xEC, 0x37]);
    check("1234567", 0, &[0x31, 0xD9, 0x8C, 0x56, 0xB3, 0xDD, 0x00]);
    check("12345678", 0, &[0x31, 0xD9, 0x8C, 0x56, 0xB3, 0xDD, 0x70]);
    // Behind a six-octet header one fill bit brings the text to a septet boundary.
    check("A", 1, &[0x82]);
}

#[test]
fn packing_where_only_octets_are_told() {
    let check = |text: &str, header_bytes, octets: &[u8], shown: &str| {
        let septets = encode(text, Gsm7).unwrap();
        assert_eq!(gsm7::pack_filled(&septets, header_bytes), octets, "pack {text:?} behind {header_bytes}");
        let unpacked = gsm7::unpack_filled(octets, header_bytes);
        assert_eq!(gsm7::decode(&unpacked), shown, "unpack {text:?} behind {header_bytes}");
    };
    check("", 0, &[], "");
    check("hellohello", 0, &[0xE8, 0x32, 0x9B, 0xFD, 0x46, 0x97, 0xD9, 0xEC, 0x37], "hellohello");
    // Seven spare bits hold a CR (0x0D << 1), which is not shown.
    check("1234567", 0, &[0x31, 0xD9, 0x8C, 0x56, 0xB3, 0xDD, 0x1A], "1234567");
    check("12345678", 0, &[0x31, 0xD9, 0x8C, 0x56, 0xB3, 0xDD, 0x70], "12345678");
    // A wanted CR that ends on an octet comes twice, which a handset shows like one.
    check("1234567\r", 0, &[0x31, 0xD9, 0x8C, 0x56, 0xB3, 0xDD, 0x1A, 0x0D], "1234567\r\r");
    check("A\r", 0, &[0xC1, 0x06], "A\r");
    check("A", 6, &[0x82], "A");
    // Six fill bits behind a header of one septet and a bit (15 octets): the text begins in the next octet but one.
    check("A", 8, &[0x40, 0x10], "A");
    // Senders that fill with zeros: no `@` at the end.
    assert_eq!(gsm7::unpack_filled(&[0x31, 0xD9, 0x8C, 0x56, 0xB3, 0xDD, 0x00], 0), b"1234567");
    // Elsewhere a zero is a wanted `@`.
    assert_eq!(gsm7::decode(&gsm7::unpack_filled(&gsm7::pack_filled(b"12\0", 0), 0)), "12@");
}

#[test]
fn fill_bits_bring_text_to_a_septet() {
    let bits = [0, 6, 5, 4, 3, 2, 1, 0, 6];
    for (header_bytes, bits) in (0..).zip(bits) {
        assert_eq!(gsm7::fill_bits(header_bytes), bits, "{header_bytes}");
        assert_eq!((header_bytes * 8 + usize::try_from(bits).unwrap()) % 7, 0, "{header_bytes}");
    }
}

#[test]
fn segments_and_units() {
    let check = |text: String, encoding, segments, units| {
        let counted = count(&text);
        assert_eq!((counted.encoding, counted.segments, counted.units), (encoding, segments, units), "{text:?}");
        assert_eq!(choose(&text), encoding);
    };
    check(String::new(), Gsm7, 1, 0);
    check("a".repeat(160), Gsm7, 1, 160);
    check("a".repeat(161), Gsm7, 2, 161);
    check("a".repeat(306), Gsm7, 2, 306);
    check("a".repeat(307), Gsm7, 3, 307);
    check("€".repeat(80), Gsm7, 1, 160);
    check("€".repeat(81), Gsm7, 2, 162);
    // 76 pairs and one septet lost per part: 152 of 153 are used.
    check("€".repeat(152), Gsm7, 2, 304);
    check("€".repeat(153), Gsm7, 3, 306);
    check("a".repeat(152) + "€" + &"a".repeat(152), Gsm7, 3, 306);
    check("я".repeat(70), Ucs2, 1, 70);
    check("я".repeat(71), Ucs2, 2, 71);
    check("я".repeat(134), Ucs2, 2, 134);
    check("я".repeat(135), Ucs2, 3, 135);
    check("😀".repeat(35), Ucs2, 1, 70);
    check("😀".repeat(66), Ucs2, 2, 132);
    check("😀".repeat(67), Ucs2, 3, 134);
    check("a".repeat(69) + "ʻ", Ucs2, 1, 70);
    check("a".repeat(160) + "ʻ", Ucs2, 3, 161);
    check("€".repeat(70) + "ʻ", Ucs2, 2, 71);
}

#[test]
fn part_sizes() {
    let check = |encoding, concat, single, part| {
        let text = "a".repeat(single);
        assert_eq!(split(&text, encoding, concat).unwrap().len(), 1);
        let parts = split(&(text + "a"), encoding, concat).unwrap();
        assert_eq!(parts[0].len(), part * encoding.unit_bytes(), "{encoding:?} {concat:?}");
    };
    check(Gsm7, Concat::Udh8, 160, 153);
    check(Gsm7, Concat::Udh16, 160, 152);
    check(Latin1, Concat::Udh8, 140, 134);
    check(Latin1, Concat::Udh16, 140, 133);
    check(Ucs2, Concat::Udh8, 70, 67);
    check(Ucs2, Concat::Udh16, 70, 66);
}

#[test]
fn at_most_255_parts() {
    let fits = "a".repeat(153 * PARTS_MAX);
    assert_eq!(split(&fits, Gsm7, Concat::Udh8).unwrap().len(), PARTS_MAX);
    let longer = fits + "a";
    let units = longer.len();
    let expected = Err(Error::TooLong { units, segments_max: PARTS_MAX });
    assert_eq!(split(&longer, Gsm7, Concat::Udh8), expected);
    assert_eq!(count(&longer).segments, PARTS_MAX + 1);
}

/// Texts that lean on what can go wrong: extension characters, surrogate pairs, part borders.
fn texts() -> impl Strategy<Value = String> {
    let gsm = prop::collection::vec(prop::sample::select(vec!['a', 'Z', ' ', '@', 'é', 'Ω', '€', '[', '\n']), 0..700);
    let wide = prop::collection::vec(prop::sample::select(vec!['a', '€', 'я', 'ʻ', '😀', '\u{FFFF}']), 0..400);
    prop_oneof![gsm.prop_map(String::from_iter), wide.prop_map(String::from_iter), any::<String>(), "[ -ÿ]{0,300}",]
}

fn encodings() -> impl Strategy<Value = Encoding> {
    prop::sample::select(vec![Gsm7, Ucs2, Latin1])
}

fn concats() -> impl Strategy<Value = Concat> {
    prop::sample::select(vec![Concat::Udh8, Concat::Udh16])
}

proptest! {
    #[test]
    fn encode_then_decode_is_identity(text in texts(), encoding in encodings()) {
        if let Ok(octets) = encode(&text, encoding) {
            prop_assert_eq!(decode(&octets, encoding), text);
        }
    }

    #[test]
    fn count_equals_split(text in texts(), encoding in encodings(), concat in concats()) {
        match (count_as(&text, encoding, concat), split(&text, encoding, concat)) {
            (Ok(counted), Ok(parts)) => {
                prop_assert_eq!(counted.segments, parts.len());
                let bytes: usize = parts.iter().map(bytes::Bytes::len).sum();
                prop_assert_eq!(counted.units * encoding.unit_bytes(), bytes);
            }
            (Ok(counted), Err(Error::TooLong { .. })) => prop_assert!(counted.segments > PARTS_MAX),
            (counted, parts) => prop_assert_eq!(counted.err(), parts.err()),
        }
    }

    #[test]
    fn the_chosen_encoding_always_works(text in texts()) {
        let counted = count(&text);
        prop_assert_eq!(Ok(counted), count_as(&text, counted.encoding, Concat::Udh8));
        prop_assert_eq!(counted.encoding == Gsm7, encode(&text, Gsm7).is_ok());
    }

    #[test]
    fn parts_fit_and_join_to_the_text(text in texts(), encoding in encodings(), concat in concats()) {
        if let Ok(parts) = split(&text, encoding, concat) {
            let max = if parts.len() == 1 { encoding.single_max() } else { concat.part_max(encoding) };
            prop_assert!(parts.iter().all(|part| part.len() <= max * encoding.unit_bytes()));
            let joined: String = parts.iter().map(|part| decode(part, encoding)).collect();
            prop_assert_eq!(joined, text);
        }
    }

    #[test]
    fn pack_then_unpack_is_identity(septets in prop::collection::vec(0u8..128, 0..200), fill_bits in 0u32..7) {
        let packed = gsm7::pack(&septets, fill_bits);
        prop_assert_eq!(gsm7::unpack(&packed, fill_bits, septets.len()), septets);
    }

    /// Nothing is lost but filling, whatever header stands in front, and 160 septets fit into 140 octets.
    #[test]
    fn filled_packing_is_undone(septets in prop::collection::vec(0u8..128, 0..=160), header_bytes in 0usize..20) {
        let packed = gsm7::pack_filled(&septets, header_bytes);
        prop_assert!(packed.len() * 8 <= septets.len() * 7 + 14);
        let unpacked = gsm7::unpack_filled(&packed, header_bytes);
        match septets.last() {
            Some(0x0D) => prop_assert!(unpacked.starts_with(&septets) && unpacked.len() <= septets.len() + 1),
            Some(0) => prop_assert!(septets.starts_with(&unpacked) && unpacked.len() + 1 >= septets.len()),
            _ => prop_assert_eq!(unpacked, septets),
        }
    }
}
