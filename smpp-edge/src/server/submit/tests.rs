use std::collections::BTreeMap;

use chrono::TimeDelta;
use contract::{Alphabet, BindCounts, Encoding, PartOf};
use domain::{AccountId, SmppSystemId};
use smpp::Tlvs;

use super::*;

fn system() -> SystemSettings {
    SystemSettings {
        id: SmppSystemId::generate(),
        account_id: AccountId::generate(),
        system_id: "customer".to_owned(),
        password_hash: Octets::default(),
        binds: BindCounts { transmitters: 1, receivers: 1, transceivers: 1 },
        addresses: Vec::new(),
        segments_per_second: 0,
        burst: 0,
        window: 10,
        senders: Vec::new(),
        default_sender: None,
        default_alphabet: Alphabet::Gsm7,
        receipts: contract::system::ReceiptStyle::default(),
        inbound: contract::system::InboundStyle::default(),
        service_types: BTreeMap::from([("OTP".to_owned(), "transactional".to_owned())]),
        enabled: true,
    }
}

fn now() -> DateTime<Utc> {
    "2026-11-23T06:00:00Z".parse().unwrap()
}

fn sm(short_message: &[u8]) -> Sm<'_> {
    Sm {
        source: Address::new(5, 0, b"Chappe"),
        destination: Address::new(1, 1, b"998901234567"),
        short_message,
        ..Sm::default()
    }
}

fn read(sm: &Sm<'_>) -> Result<Read, Status> {
    from_sm(sm, &system(), now())
}

/// Text, encoding and segments of octets under a `data_coding`, for a system with this default.
fn check_text(octets: &[u8], data_coding: u8, default: Alphabet, expected: (&str, Encoding)) {
    let system = SystemSettings { default_alphabet: default, ..system() };
    let read = from_sm(&Sm { data_coding, ..sm(octets) }, &system, now()).unwrap();
    let got = (read.submission.text.expose(), read.submission.encoding);
    assert_eq!(got, expected, "{octets:02X?} as {data_coding:#04X} of {default:?}");
    assert_eq!(read.submission.fields.data_coding, Some(data_coding));
}

#[test]
fn alphabets() {
    use Alphabet::{Ascii, Binary, Gsm7, Gsm7Packed, Latin1, Ucs2};
    for (octets, data_coding, default, expected) in [
        (&b"Hello"[..], 0x00, Gsm7, ("Hello", Encoding::Gsm7)),
        (b"", 0x00, Gsm7, ("", Encoding::Gsm7)),
        (b"\x00\x02\x11\x1B\x65", 0x00, Gsm7, ("@$_\u{20AC}", Encoding::Gsm7)),
        (b"@$_", 0x00, Latin1, ("@$_", Encoding::Gsm7)),
        (b"\xE8\x32\x9B\xFD\x06", 0x00, Gsm7Packed, ("hello", Encoding::Gsm7)),
        (b"\xC4\xE1", 0x00, Latin1, ("\u{C4}\u{E1}", Encoding::Latin1)),
        (b"caf\xE9", 0x03, Gsm7, ("caf\u{E9}", Encoding::Gsm7)),
        (b"plain", 0x01, Gsm7, ("plain", Encoding::Gsm7)),
        (b"a`b", 0x00, Ascii, ("a`b", Encoding::Latin1)),
        (b"\x04\x1F\x04\x40", 0x08, Gsm7, ("\u{41F}\u{440}", Encoding::Ucs2)),
        (b"\xD8\x3D\xDE\x00", 0x08, Gsm7, ("\u{1F600}", Encoding::Ucs2)),
        (b"\x00a", 0x00, Ucs2, ("a", Encoding::Ucs2)),
        (b"\x00\xFF", 0x04, Gsm7, ("00ff", Encoding::Binary)),
        (b"\x00\xFF", 0x02, Gsm7, ("00ff", Encoding::Binary)),
        (b"\x00\xFF", 0xF5, Gsm7, ("00ff", Encoding::Binary)),
        (b"\x00\xFF", 0x00, Binary, ("00ff", Encoding::Binary)),
        (b"now", 0x10, Latin1, ("now", Encoding::Gsm7)),
        (b"now", 0xF0, Gsm7, ("now", Encoding::Gsm7)),
        (b"\x04\x1F", 0x18, Gsm7, ("\u{41F}", Encoding::Ucs2)),
        (b"mail", 0xC8, Gsm7, ("mail", Encoding::Gsm7)),
        (b"\xBF\xE0", 0x06, Gsm7, ("\u{41F}\u{440}", Encoding::Ucs2)),
        (b"\xF9\xEC", 0x07, Gsm7, ("\u{5E9}\u{5DC}", Encoding::Ucs2)),
        (b"\x83\x65", 0x05, Gsm7, ("8365", Encoding::Binary)),
        // Not septets: what was meant is read.
        ("\u{41F}\u{440}".as_bytes(), 0x00, Gsm7, ("\u{41F}\u{440}", Encoding::Ucs2)),
        (b"caf\xE9", 0x00, Gsm7, ("caf\u{E9}", Encoding::Gsm7)),
    ] {
        check_text(octets, data_coding, default, expected);
    }
}

#[test]
fn segments_are_counted_where_the_customer_did_not_cut() {
    let long = |count| vec![b'a'; count];
    for (octets, data_coding, expected) in [
        (long(0), 0, 1),
        (long(160), 0, 1),
        (long(161), 0, 2),
        (long(254), 0, 2),
        (b"\0a".repeat(70), 8, 1),
        (b"\0a".repeat(71), 8, 2),
        (long(140), 4, 1),
        (long(141), 4, 2),
        (long(160), 3, 1),
    ] {
        let read = read(&Sm { data_coding, ..sm(&octets) }).unwrap();
        assert_eq!(read.segments, expected, "{} octets as {data_coding}", octets.len());
    }
    let mut payload = bytes::BytesMut::new();
    smpp::tlv::put(&mut payload, smpp::Tag::MESSAGE_PAYLOAD, &long(459)).unwrap();
    assert_eq!(read(&Sm { tlvs: Tlvs::new(&payload), ..sm(b"") }).unwrap().segments, 3);
    payload.clear();
    smpp::tlv::put(&mut payload, smpp::Tag::MESSAGE_PAYLOAD, &long(255 * 153 + 1)).unwrap();
    let refused = read(&Sm { tlvs: Tlvs::new(&payload), ..sm(b"") });
    assert_eq!(refused.unwrap_err(), Status::RINVMSGLEN);
}

/// The parts of user data: text, which part, other elements.
type Parts<'a> = (&'a str, Option<(u16, bool, u8, u8)>, &'a [u8]);

fn check_header(octets: &[u8], esm_class: u8, expected: Result<Parts<'_>, Status>) {
    let part = |part: PartOf| (part.reference, part.wide, part.total, part.part);
    let read = read(&Sm { esm_class, ..sm(octets) }).map(|read| read.submission);
    let got = read.as_ref().map(|s| (s.text.expose(), s.fields.part_of.map(part), &s.fields.udh.0[..]));
    assert_eq!(got.map_err(|status| *status), expected, "{octets:02X?} with {esm_class:#04X}");
}

#[test]
fn user_data_headers() {
    for (octets, esm_class, expected) in [
        (&b"\x05\x00\x03\x2A\x03\x01Hi"[..], 0x40, Ok(("Hi", Some((0x2A, false, 3, 1)), &b""[..]))),
        (b"\x06\x08\x04\x01\x2A\x03\x02Hi", 0x43, Ok(("Hi", Some((0x12A, true, 3, 2)), b""))),
        (
            b"\x0B\x05\x04\x0B\x84\x0B\x84\x00\x03\x07\x02\x02Hi",
            0x40,
            Ok(("Hi", Some((7, false, 2, 2)), b"\x05\x04\x0B\x84\x0B\x84")),
        ),
        (b"\x06\x05\x04\x0B\x84\x0B\x84Hi", 0x40, Ok(("Hi", None, b"\x05\x04\x0B\x84\x0B\x84"))),
        (b"\x05\x00\x03\x2A\x01\x01Hi", 0x40, Ok(("Hi", None, b""))),
        (b"\x05\x00\x03\x2A\x02\x00Hi", 0x40, Ok(("Hi", None, b""))),
        // The bit without a header, and a header that is torn.
        (b"Hello", 0x40, Err(Status::RINVESMCLASS)),
        (b"", 0x40, Err(Status::RINVESMCLASS)),
        (b"\x05\x00\x04\x2A\x03\x01Hi", 0x40, Err(Status::RINVESMCLASS)),
        // A header without the bit.
        (b"\x05\x00\x03\x2A\x03\x01Hi", 0x00, Ok(("Hi", Some((0x2A, false, 3, 1)), b""))),
        (b"\x06\x08\x04\x01\x2A\x03\x02Hi", 0x03, Ok(("Hi", Some((0x12A, true, 3, 2)), b""))),
        // Looks like one, and is none.
        (b"\x05\x00\x03\x2A\x03\x04Hi", 0x00, Ok(("\u{E9}@\u{A5}*\u{A5}\u{E8}Hi", None, b""))),
    ] {
        check_header(octets, esm_class, expected);
    }
}

#[test]
fn parts_by_parameters() {
    for (tlvs, expected) in [
        (&b"\x02\x0C\x00\x02\x01\x02\x02\x0E\x00\x01\x03\x02\x0F\x00\x01\x02"[..], Some((0x102, 3, 2))),
        (b"\x02\x0F\x00\x01\x02\x02\x0E\x00\x01\x03\x02\x0C\x00\x01\x07", Some((7, 3, 2))),
        (b"\x02\x0C\x00\x02\x01\x02\x02\x0E\x00\x01\x03", None),
        (b"\x02\x0C\x00\x02\x01\x02\x02\x0E\x00\x01\x03\x02\x0F\x00\x01\x04", None),
        (b"\x02\x0C\x00\x02\x01\x02\x02\x0E\x00\x01\x01\x02\x0F\x00\x01\x01", None),
        (b"", None),
    ] {
        let read = read(&Sm { tlvs: Tlvs::new(tlvs), ..sm(b"Hi") }).unwrap().submission.fields;
        assert_eq!(read.part_of.map(|part| (part.reference, part.total, part.part)), expected, "{tlvs:02X?}");
        assert_eq!(read.tlvs.0, b"", "what is understood is not passed on");
    }
}

#[test]
fn what_is_refused_and_with_what() {
    let payload = b"\x04\x24\x00\x02Hi";
    for (sm, expected) in [
        (sm(b"Hi"), Status::ROK),
        (Sm { esm_class: 0x03, ..sm(b"Hi") }, Status::ROK),
        (Sm { esm_class: 0x80, ..sm(b"Hi") }, Status::ROK),
        (Sm { esm_class: 0x08, ..sm(b"Hi") }, Status::ROK),
        (Sm { esm_class: 0x04, ..sm(b"Hi") }, Status::RINVESMCLASS),
        (Sm { esm_class: 0x20, ..sm(b"Hi") }, Status::RINVESMCLASS),
        (Sm { priority_flag: 3, ..sm(b"Hi") }, Status::ROK),
        (Sm { priority_flag: 4, ..sm(b"Hi") }, Status::RINVPRTFLG),
        (Sm { replace_if_present_flag: 1, ..sm(b"Hi") }, Status::ROK),
        (Sm { replace_if_present_flag: 2, ..sm(b"Hi") }, Status::RINVREPFLAG),
        (Sm { registered_delivery: 0xFF, ..sm(b"Hi") }, Status::ROK),
        (Sm { sm_default_msg_id: 1, ..sm(b"Hi") }, Status::ROK),
        (Sm { sm_default_msg_id: 1, ..sm(b"") }, Status::RINVDFTMSGID),
        (Sm { tlvs: Tlvs::new(payload), ..sm(b"") }, Status::ROK),
        (Sm { tlvs: Tlvs::new(payload), ..sm(b"Hi") }, Status::RINVMSGLEN),
        (Sm { tlvs: Tlvs::new(b"\x04\x24\x00\x00"), ..sm(b"Hi") }, Status::ROK),
        // A parameter that ends behind the PDU: the tail of a text whose sm_length was too small, perhaps.
        (Sm { tlvs: Tlvs::new(b"\x14\x00\x00\x09x"), ..sm(b"Hi") }, Status::RINVOPTPARSTREAM),
        (Sm { tlvs: Tlvs::new(b"lo"), ..sm(b"Hel") }, Status::RINVOPTPARSTREAM),
        (Sm { tlvs: Tlvs::new(b"\0\0\0"), ..sm(b"Hi") }, Status::ROK),
        (Sm { destination: Address::new(1, 1, b""), ..sm(b"Hi") }, Status::RINVDSTADR),
        (Sm { destination: Address::new(1, 1, &[b'1'; 65]), ..sm(b"Hi") }, Status::RINVDSTADR),
        (Sm { source: Address::new(1, 1, &[b'1'; 65]), ..sm(b"Hi") }, Status::RINVSRCADR),
        (Sm { schedule_delivery_time: b"nonsense", ..sm(b"Hi") }, Status::RINVSCHED),
        (Sm { schedule_delivery_time: b"261123050000000+", ..sm(b"Hi") }, Status::RINVSCHED),
        (Sm { validity_period: b"nonsense", ..sm(b"Hi") }, Status::RINVEXPIRY),
        (Sm { validity_period: b"261123055959000+", ..sm(b"Hi") }, Status::RINVEXPIRY),
        (
            Sm { schedule_delivery_time: b"000001000000000R", validity_period: b"000000230000000R", ..sm(b"Hi") },
            Status::RINVEXPIRY,
        ),
        (Sm { tlvs: Tlvs::new(b"\x00\x17\x00\x04\0\0\0\0"), ..sm(b"Hi") }, Status::RINVEXPIRY),
    ] {
        let status = read(&sm).err().unwrap_or(Status::ROK);
        assert_eq!(status, expected, "{sm:?}");
    }
}

#[test]
fn times() {
    let later = |seconds| Some(now() + TimeDelta::seconds(seconds));
    for (schedule, validity, tlvs, expected) in [
        (&b""[..], &b""[..], &b""[..], (None, None)),
        (b"0", b"000000000000000R", b"", (None, None)),
        (b"000000010000000R", b"", b"", (later(3600), None)),
        (b"", b"261123070000000+", b"", (None, later(3600))),
        (b"261123070000000+", b"000002000000000R", b"", (later(3600), later(2 * 86_400))),
        (b"", b"000002000000000R", b"\x00\x17\x00\x04\0\0\0\x3C", (None, later(60))),
        // A clock that is a minute behind.
        (b"261123055900000+", b"", b"", (None, None)),
    ] {
        let given =
            Sm { schedule_delivery_time: schedule, validity_period: validity, tlvs: Tlvs::new(tlvs), ..sm(b"Hi") };
        let read = read(&given).unwrap().submission;
        assert_eq!((read.scheduled_at, read.expires_at), expected, "{schedule:?} {validity:?}");
    }
}

#[test]
fn senders() {
    let check = |addr: &[u8], senders: &[&str], default: Option<&str>, expected: Result<&str, Status>| {
        let system = SystemSettings {
            senders: senders.iter().map(|&sender| sender.to_owned()).collect(),
            default_sender: default.map(str::to_owned),
            ..system()
        };
        let sm = Sm { source: Address::new(5, 0, addr), ..sm(b"Hi") };
        let read = from_sm(&sm, &system, now()).map(|read| read.submission.from);
        assert_eq!(read, expected.map(str::to_owned), "{addr:?} of {senders:?} or {default:?}");
    };
    check(b"Chappe", &[], None, Ok("Chappe"));
    check(b"", &[], None, Ok(""));
    check(b"", &[], Some("Bank"), Ok("Bank"));
    check(b" ", &["Bank"], Some("Bank"), Ok("Bank"));
    check(b"Chappe", &["Bank"], Some("Bank"), Err(Status::RINVSRCADR));
    check(b"BANK", &["Bank"], None, Ok("BANK"));
    check(b"+998901112233", &["998901112233"], None, Ok("+998901112233"));
    check(b"", &["Bank"], None, Err(Status::RINVSRCADR));
    check(b"Bj\xF6rn", &[], None, Ok("Bj\u{F6}rn"));
}

#[test]
fn everything_else_goes_through() {
    let tlvs = b"\x02\x04\x00\x02\x12\x34\x14\x01\x00\x03abc\x04\x24\x00\x02Hi\x02\x0A\x00\x02\x0B\x84";
    let sm = Sm {
        service_type: b"OTP",
        protocol_id: 0x41,
        priority_flag: 2,
        replace_if_present_flag: 1,
        registered_delivery: 0x11,
        data_coding: 0xF0,
        tlvs: Tlvs::new(tlvs),
        ..sm(b"")
    };
    let Submission { fields, registered_delivery, traffic_class, .. } = read(&sm).unwrap().submission;
    assert_eq!((fields.source, fields.destination), (Some((5, 0)), Some((1, 1))));
    assert_eq!((fields.service_type.as_str(), traffic_class.as_deref()), ("OTP", Some("transactional")));
    assert_eq!((fields.protocol_id, fields.priority, fields.replace_if_present), (0x41, 2, true));
    assert_eq!((registered_delivery, fields.data_coding), (0x11, Some(0xF0)));
    assert_eq!(fields.tlvs.0, b"\x02\x04\x00\x02\x12\x34\x14\x01\x00\x03abc\x02\x0A\x00\x02\x0B\x84");
    let data = DataSm {
        destination: Address::new(1, 1, b"998901234567"),
        registered_delivery: 1,
        tlvs: Tlvs::new(b"\x04\x24\x00\x02Hi"),
        ..DataSm::default()
    };
    let read = from_data(&data, &system(), now()).unwrap().submission;
    assert_eq!((read.text.expose(), read.registered_delivery, read.fields.source), ("Hi", 1, None));
}
