use std::collections::BTreeMap;

use contract::profile::{Addresses, Coding, Long, Session, VendorTlv};
use contract::{Alphabet, Encoding, Octets};
use smpp::{Policy, decode};

use super::*;
use crate::job::tests::{encoder, routed};

/// What one PDU says, owned.
#[derive(Debug, PartialEq, Eq)]
struct Pdu {
    esm_class: u8,
    data_coding: u8,
    registered_delivery: u8,
    short: Vec<u8>,
    tlvs: Vec<(u16, Vec<u8>)>,
}

/// The PDUs of a message, handed to `look` one by one.
fn each(routed: &Routed, profile: Profile, mut look: impl FnMut(&Sm<'_>)) {
    let encoded = encoder(profile).encode(routed).unwrap();
    for segment in 0..encoded.pdus() {
        let (mut out, mut scratch) = (BytesMut::new(), BytesMut::new());
        let segment = u8::try_from(segment).unwrap();
        encoded.write((&mut out, &mut scratch), segment, 1, Utc::now()).unwrap();
        let Ok(Body::SubmitSm(sm)) = decode(&out, Policy::Strict).unwrap().body else { panic!("no submit_sm") };
        look(&sm);
    }
}

fn pdus(routed: &Routed, profile: Profile) -> Vec<Pdu> {
    let mut pdus = Vec::new();
    each(routed, profile, |sm| {
        pdus.push(Pdu {
            esm_class: sm.esm_class,
            data_coding: sm.data_coding,
            registered_delivery: sm.registered_delivery,
            short: sm.short_message.to_vec(),
            tlvs: sm.tlvs.iter().map(|tlv| (tlv.tag.0, tlv.value.to_vec())).collect(),
        });
    });
    pdus
}

fn with(fields: SmppFields, text: &str, encoding: Encoding) -> Routed {
    Routed { smpp: Some(Box::new(fields)), ..routed(text, encoding, 1) }
}

fn coding(coding: Coding) -> Profile {
    Profile { coding, ..Profile::default() }
}

fn long(long: Long) -> Profile {
    Profile { long, ..Profile::default() }
}

#[test]
fn alphabets() {
    use Encoding::{Binary, Gsm7, Latin1, Ucs2};
    let default = |default_alphabet| coding(Coding { default_alphabet, ..Coding::default() });
    let numbers = || {
        let (gsm7, latin1, ucs2, binary) = (Some(1), Some(0x33), Some(0x18), Some(2));
        coding(Coding { gsm7, latin1, ucs2, binary, ..Coding::default() })
    };
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
    for (text, encoding, profile, data_coding, octets) in [
        ("@$_", Gsm7, Profile::default(), 0, b"\x00\x02\x11".to_vec()),
        ("@$_", Gsm7, default(Alphabet::Latin1), 0, b"@$_".to_vec()),
        ("\u{e9}{}", Gsm7, default(Alphabet::Latin1), 0, b"\xE9{}".to_vec()),
        ("\u{20ac}1", Gsm7, default(Alphabet::Latin1), 8, utf16("\u{20ac}1")),
        ("a@b", Gsm7, default(Alphabet::Ascii), 0, b"a@b".to_vec()),
        ("\u{e9}", Gsm7, default(Alphabet::Ascii), 8, utf16("\u{e9}")),
        ("hi", Gsm7, default(Alphabet::Ucs2), 0, utf16("hi")),
        ("hellohello", Gsm7, default(Alphabet::Gsm7Packed), 0, b"\xE8\x32\x9B\xFD\x46\x97\xD9\xEC\x37".to_vec()),
        ("hello12", Gsm7, default(Alphabet::Gsm7Packed), 0, b"\xE8\x32\x9B\xFD\x8E\xC9\x1A".to_vec()),
        ("@", Gsm7, numbers(), 1, b"\x00".to_vec()),
        ("\u{416}", Ucs2, Profile::default(), 8, utf16("\u{416}")),
        ("\u{416}", Ucs2, numbers(), 0x18, utf16("\u{416}")),
        ("\u{e5}", Latin1, Profile::default(), 3, b"\xE5".to_vec()),
        ("\u{e5}", Latin1, numbers(), 0x33, b"\xE5".to_vec()),
        ("00ffA5", Binary, Profile::default(), 4, b"\x00\xFF\xA5".to_vec()),
        ("00", Binary, numbers(), 2, b"\x00".to_vec()),
    ] {
        let pdus = pdus(&routed(text, encoding, 1), profile);
        assert_eq!((pdus[0].data_coding, &pdus[0].short, pdus.len()), (data_coding, &octets, 1), "{text}");
    }
    for bad in ["0", "0g", "+f"] {
        assert!(encoder(Profile::default()).encode(&routed(bad, Binary, 1)).is_err(), "{bad}");
    }
}

#[test]
fn message_classes() {
    let own = || coding(Coding { flash: Some(0xF0), flash_ucs2: Some(0x28), ..Coding::default() });
    for (given, encoding, profile, expected) in [
        (0x10, Encoding::Gsm7, Profile::default(), 0x10),
        (0xF0, Encoding::Gsm7, Profile::default(), 0x10),
        (0xF0, Encoding::Gsm7, own(), 0xF0),
        (0x10, Encoding::Gsm7, own(), 0xF0),
        (0x12, Encoding::Gsm7, own(), 0xF2),
        (0x18, Encoding::Ucs2, Profile::default(), 0x18),
        (0x18, Encoding::Ucs2, own(), 0x28),
        (0x19, Encoding::Ucs2, Profile::default(), 0x19),
        (0x08, Encoding::Ucs2, own(), 8),
        (0x00, Encoding::Gsm7, own(), 0),
        (0xC8, Encoding::Gsm7, own(), 0xC8),
        (0xE1, Encoding::Ucs2, own(), 0xE1),
        (0xF5, Encoding::Binary, Profile::default(), 0xF5),
        (0x02, Encoding::Binary, Profile::default(), 4),
    ] {
        let fields = SmppFields { data_coding: Some(given), ..SmppFields::default() };
        let text = if encoding == Encoding::Binary { "61" } else { "a" };
        assert_eq!(pdus(&with(fields, text, encoding), profile)[0].data_coding, expected, "{given:#x}");
    }
}

#[test]
fn long_messages() {
    let text = "a".repeat(310);
    let message = routed(&text, Encoding::Gsm7, 3);
    let lengths = |profile| pdus(&message, profile).iter().map(|pdu| pdu.short.len()).collect::<Vec<_>>();
    assert_eq!(lengths(long(Long::Udh8)), [159, 159, 10]);
    assert_eq!(lengths(long(Long::Udh16)), [159, 159, 13]);
    assert_eq!(lengths(long(Long::Sar)), [153, 153, 4]);
    assert_eq!(lengths(long(Long::Payload)), [0]);

    let narrow = pdus(&message, long(Long::Udh8));
    assert_eq!((&narrow[2].short[..6], narrow[2].esm_class), (&[5, 0, 3, 7, 3, 3][..], 0x40));
    let wide = pdus(&message, long(Long::Udh16));
    assert_eq!((&wide[1].short[..7], wide[1].esm_class), (&[6, 8, 4, 1, 7, 3, 2][..], 0x40));
    let sar = pdus(&message, long(Long::Sar));
    assert_eq!(sar[1].tlvs, [(0x020C, vec![1, 7]), (0x020E, vec![3]), (0x020F, vec![2])]);
    assert_eq!(sar[1].esm_class, 0);
    let payload = pdus(&message, long(Long::Payload));
    assert_eq!((payload[0].tlvs.len(), payload[0].tlvs[0].0, payload[0].tlvs[0].1.len()), (1, 0x0424, 310));
    // A message of one segment needs none of it.
    for long_form in [Long::Udh8, Long::Udh16, Long::Sar, Long::Payload] {
        let pdus = pdus(&routed("short", Encoding::Gsm7, 1), long(long_form));
        assert_eq!((pdus.len(), pdus[0].esm_class, pdus[0].tlvs.len(), pdus[0].short.len()), (1, 0, 0, 5));
    }
}

#[test]
fn no_pair_is_torn() {
    let escaped = format!("{}{}", "a".repeat(152), "\u{20ac}".repeat(20));
    let parts = pdus(&routed(&escaped, Encoding::Gsm7, 2), Profile::default());
    assert_eq!((parts[0].short.len(), parts[1].short[6]), (6 + 152, 0x1B));
    let emoji = format!("{}{}", "a".repeat(66), "\u{1F642}".repeat(20));
    let parts = pdus(&routed(&emoji, Encoding::Ucs2, 2), Profile::default());
    assert_eq!((parts[0].short.len(), parts[1].short[6] & 0xFC), (6 + 132, 0xD8));
}

#[test]
fn other_alphabets_are_cut_where_gsm_is_billed() {
    let text = "[".repeat(100);
    let profile = |default_alphabet| coding(Coding { default_alphabet, ..Coding::default() });
    let lengths = |profile| {
        let pdus = pdus(&routed(&text, Encoding::Gsm7, 2), profile);
        pdus.iter().map(|pdu| pdu.short.len()).collect::<Vec<_>>()
    };
    assert_eq!(lengths(profile(Alphabet::Gsm7)), [6 + 152, 6 + 48]);
    assert_eq!(lengths(profile(Alphabet::Latin1)), [6 + 76, 6 + 24]);
    // 152 septets and one bit of filling in 134 octets, 48 and one in 43.
    assert_eq!(lengths(profile(Alphabet::Gsm7Packed)), [6 + 134, 6 + 43]);
}

#[test]
fn more_parts_than_billed_are_sent_without_a_receipt() {
    let text = format!("{}\u{20ac}", "a".repeat(158));
    let profile = coding(Coding { default_alphabet: Alphabet::Ascii, ..Coding::default() });
    let pdus = pdus(&routed(&text, Encoding::Gsm7, 1), profile);
    let receipts: Vec<_> = pdus.iter().map(|pdu| pdu.registered_delivery).collect();
    assert_eq!(receipts, [1, 0, 0]);
}

#[test]
fn parts_of_a_customer_stay_parts() {
    let part_of = |wide| Some(PartOf { reference: 0x0203, wide, total: 3, part: 2 });
    let ports = Octets(vec![0x05, 0x04, 0x00, 0x01, 0x00, 0x02]);
    let fields = |wide, udh| SmppFields { part_of: part_of(wide), udh, ..SmppFields::default() };
    for (profile, wide, udh, header, esm_class, tlvs) in [
        (long(Long::Udh8), false, Octets::default(), &b"\x05\x00\x03\x03\x03\x02"[..], 0x40, 0),
        (long(Long::Udh16), false, Octets::default(), b"\x06\x08\x04\x02\x03\x03\x02", 0x40, 0),
        (long(Long::Sar), true, Octets::default(), b"", 0, 3),
        (long(Long::Payload), true, Octets::default(), b"\x06\x08\x04\x02\x03\x03\x02", 0x40, 0),
        (long(Long::Udh8), false, ports.clone(), b"\x0B\x00\x03\x03\x03\x02\x05\x04\x00\x01\x00\x02", 0x40, 0),
        (long(Long::Sar), true, ports.clone(), b"\x06\x05\x04\x00\x01\x00\x02", 0x40, 3),
    ] {
        // As long as a part can be: it is never cut again.
        let text = "b".repeat(160);
        let pdus = pdus(&with(fields(wide, udh), &text, Encoding::Gsm7), profile);
        assert_eq!(pdus.len(), 1);
        assert_eq!(pdus[0].short, [header, text.as_bytes()].concat());
        assert_eq!((pdus[0].esm_class, pdus[0].tlvs.len()), (esm_class, tlvs));
    }
    // A header without numbers.
    let fields = SmppFields { udh: ports, ..SmppFields::default() };
    let pdus = pdus(&with(fields, "aa", Encoding::Binary), Profile::default());
    assert_eq!((pdus[0].short.as_slice(), pdus[0].esm_class), (&b"\x06\x05\x04\x00\x01\x00\x02\xAA"[..], 0x40));
}

#[test]
fn substitutions() {
    let table = [('\u{2bb}', "'"), ('\u{2026}', "..."), ('\u{43}', "\u{416}")];
    let substitutions: BTreeMap<char, String> = table.map(|(from, to)| (from, to.to_owned())).into();
    for (text, encoding, data_coding, octets) in [
        ("o\u{2bb}zbek\u{2026}", Encoding::Ucs2, 0, b"o'zbek...".to_vec()),
        ("ABD", Encoding::Gsm7, 0, b"ABD".to_vec()),
        ("AC", Encoding::Gsm7, 8, b"\x00A\x04\x16".to_vec()),
        ("AC", Encoding::Latin1, 8, b"\x00A\x04\x16".to_vec()),
    ] {
        let profile = Profile { substitutions: substitutions.clone(), ..Profile::default() };
        let pdus = pdus(&routed(text, encoding, 1), profile);
        assert_eq!((pdus[0].data_coding, &pdus[0].short), (data_coding, &octets), "{text}");
    }
}

#[test]
fn addresses() {
    let plan = |ton, npi| Some(Plan { ton, npi });
    let fixed = || Addresses {
        alphanumeric: plan(0, 1),
        short_code: plan(3, 8),
        number: plan(2, 9),
        destination: plan(0, 0),
        keep_source: false,
        destination_prefix: "+".to_owned(),
    };
    let keep = || Addresses { keep_source: true, ..Addresses::default() };
    for (sender, given, addresses, source, destination, to) in [
        ("Bank", None, Addresses::default(), (5, 0), (1, 1), "998901234567"),
        ("998901234567", None, Addresses::default(), (1, 1), (1, 1), "998901234567"),
        ("1234", None, Addresses::default(), (0, 0), (1, 1), "998901234567"),
        ("7 days", None, Addresses::default(), (5, 0), (1, 1), "998901234567"),
        ("Bank", None, fixed(), (0, 1), (0, 0), "+998901234567"),
        ("1234", Some((6, 6)), fixed(), (3, 8), (0, 0), "+998901234567"),
        ("998901234567", None, fixed(), (2, 9), (0, 0), "+998901234567"),
        ("1234", Some((6, 6)), keep(), (6, 6), (1, 1), "998901234567"),
        ("1234", None, keep(), (0, 0), (1, 1), "998901234567"),
    ] {
        let fields = SmppFields { source: given, ..SmppFields::default() };
        let message = Routed { from: Sender::parse(sender).unwrap(), ..with(fields, "a", Encoding::Gsm7) };
        each(&message, Profile { addresses, ..Profile::default() }, |sm| {
            assert_eq!((sm.source.ton, sm.source.npi, sm.source.addr), (source.0, source.1, sender.as_bytes()));
            assert_eq!((sm.destination.ton, sm.destination.npi), destination);
            assert_eq!(sm.destination.addr, to.as_bytes());
        });
    }
}

#[test]
fn what_a_customer_says_is_passed_on() {
    let mut raw = BytesMut::new();
    for (tag, value) in [(0x1401, &b"own"[..]), (0x0204, b"\x00\x07"), (0x0424, b"no"), (0x020C, b"\x00\x01")] {
        tlv::put(&mut raw, Tag(tag), value).unwrap();
    }
    let fields = || SmppFields {
        service_type: "OTP".to_owned(),
        protocol_id: 0x41,
        priority: 3,
        replace_if_present: true,
        tlvs: Octets(raw.to_vec()),
        ..SmppFields::default()
    };
    let vendor = |tag, value: &[u8]| VendorTlv { tag, value: Octets(value.to_vec()) };
    let tlvs = || vec![vendor(0x1400, b"x"), vendor(0x1401, b"theirs")];
    let profile = || Profile { tlvs: tlvs(), ..Profile::default() };
    each(&with(fields(), "a", Encoding::Gsm7), profile(), |sm| {
        assert_eq!((sm.service_type, sm.protocol_id, sm.priority_flag), (&b"OTP"[..], 0x41, 3));
        assert_eq!(sm.replace_if_present_flag, 1);
        let tlvs: Vec<_> = sm.tlvs.iter().map(|tlv| (tlv.tag.0, tlv.value)).collect();
        assert_eq!(tlvs, [(0x1401, &b"own"[..]), (0x0204, b"\x00\x07"), (0x1400, b"x")]);
    });
    // The operator's word on the service wins, and one of 3.3 gets no parameters.
    let session = Session { interface_version: 0x33, ..Session::default() };
    let old = Profile { session, service_type: "WAP".to_owned(), ..profile() };
    each(&with(fields(), "a", Encoding::Gsm7), old, |sm| {
        assert_eq!((sm.service_type, sm.tlvs.is_empty()), (&b"WAP"[..], true));
    });
    each(&routed("a", Encoding::Gsm7, 1), profile(), |sm| assert_eq!(sm.tlvs.iter().count(), 2));
}

#[test]
fn validity_in_the_operators_form() {
    for (validity, expected) in
        [(Validity::Relative, 16), (Validity::Absolute { zone_minutes: 300 }, 16), (Validity::None, 0)]
    {
        each(&routed("a", Encoding::Gsm7, 1), Profile { validity, ..Profile::default() }, |sm| {
            assert_eq!(sm.validity_period.len(), expected, "{validity:?}");
        });
    }
}
