use chrono::TimeZone;
use contract::profile::{Errors, ReceiptMeaning, Receipts};
use smpp::Tlvs;

use super::*;
use crate::job::tests::settings;

#[test]
fn receipts_as_they_come() {
    let now = Utc.with_ymd_and_hms(2026, 5, 4, 12, 0, 30).unwrap();
    let full = b"id:0a1F sub:001 dlvrd:001 submit date:2605041159 done date:2605041200 stat:DELIVRD err:000 text:hi";
    let tlvs = b"\x00\x1E\x00\x03T7\0\x04\x27\x00\x01\x05";
    for (text, tlvs, id, expected, error, timed) in [
        (&full[..], &b""[..], "0a1F", ReceiptState::Delivered, "000", true),
        (full, tlvs, "T7", ReceiptState::Undeliverable, "000", true),
        (b"", tlvs, "T7", ReceiptState::Undeliverable, "", false),
        (b"id:9 stat:EXPIRED done date:2605041700 err:12", b"", "9", ReceiptState::Expired, "12", false),
        (b"id:9 stat:EXPIRED", b"\x04\x23\x00\x03\x03\x01\x02", "9", ReceiptState::Expired, "258", false),
        (b"hello", b"", "", ReceiptState::Unknown, "", false),
    ] {
        let sm = Sm { esm_class: 4, short_message: text, tlvs: Tlvs::new(tlvs), ..Sm::default() };
        let read = receipt(&settings(Profile::default()), &sm, now);
        assert_eq!((read.smpp_message_id.as_str(), read.state, read.error.as_str()), (id, expected, error));
        assert_eq!(read.done_at.is_some(), timed, "{text:?}");
    }
}

#[test]
fn ids_of_responses_and_receipts_become_the_same() {
    for (rule, response, receipt, same) in [
        (IdRule::Raw, " 0aF ", "0aF", true),
        (IdRule::Raw, "10", "010", false),
        (IdRule::Stripped, "00000000000000012345", "12345", true),
        (IdRule::Stripped, "4f3c-00ab", "4F3C-00AB", true),
        (IdRule::ReceiptHex, "123456789", "75bcd15", true),
        (IdRule::ReceiptHex, "0123456789", "075BCD15", true),
        (IdRule::ReceiptHex, "no-number", "NO-NUMBER", true),
        (IdRule::ReceiptDecimal, "75BCD15", "123456789", true),
        (IdRule::ReceiptDecimal, "075bcd15", "0000123456789", true),
        (IdRule::ReceiptDecimal, "75BCD15", "75BCD16", false),
    ] {
        let (a, b) = (ids_of_responses(rule).apply(response), ids_of_receipts(rule).apply(receipt));
        assert_eq!(a == b, same, "{rule:?}: {response} and {receipt} become {a} and {b}");
    }
}

#[test]
fn what_counts_as_a_receipt() {
    let text = b"id:1 stat:DELIVRD".as_slice();
    let tlvs = b"\x00\x1E\x00\x021\0\x04\x27\x00\x01\x02".as_slice();
    for (esm_class, text, tlvs, by_class, by_text) in [
        (0x04, b"".as_slice(), b"".as_slice(), true, true),
        (0x44, text, b"", true, true),
        (0x20, text, b"", true, true),
        (0x00, text, b"", false, true),
        (0x00, b"id:1 hello", b"", false, false),
        (0x00, b"hi", tlvs, true, true),
        (0x08, text, tlvs, false, false),
    ] {
        let sm = Sm { esm_class, short_message: text, tlvs: Tlvs::new(tlvs), ..Sm::default() };
        let broken =
            Profile { receipts: Receipts { without_esm_class: true, ..Receipts::default() }, ..Profile::default() };
        assert_eq!(is_receipt(&sm, &Profile::default()), by_class, "{esm_class:#x}");
        assert_eq!(is_receipt(&sm, &broken), by_text, "{esm_class:#x}");
    }
}

#[test]
fn an_intermediate_notification_ends_nothing() {
    let now = Utc::now();
    for (text, expected) in [
        (b"id:1 stat:ENROUTE".as_slice(), ReceiptState::Enroute),
        (b"id:1 stat:ACCEPTD", ReceiptState::Accepted),
        (b"id:1 stat:UNDELIV", ReceiptState::Enroute),
        (b"id:1", ReceiptState::Enroute),
    ] {
        let sm = Sm { esm_class: 0x20, short_message: text, ..Sm::default() };
        assert_eq!(receipt(&settings(Profile::default()), &sm, now).state, expected);
    }
}

#[test]
fn zone_and_meaning_come_from_the_profile() {
    let now = Utc.with_ymd_and_hms(2026, 5, 4, 12, 0, 30).unwrap();
    let meaning = ReceiptMeaning { code: "absent_subscriber".to_owned(), billable: true, reroute: None };
    let errors = Errors { receipts: [("0b2".to_owned(), meaning.clone())].into(), ..Errors::default() };
    for (zone_minutes, date, expected) in [
        (Some(300), "2605041700", Some(Utc.with_ymd_and_hms(2026, 5, 4, 12, 0, 0).unwrap())),
        (Some(300), "20260503115959", Some(Utc.with_ymd_and_hms(2026, 5, 3, 6, 59, 59).unwrap())),
        (Some(-60), "2605041700", None),
        (None, "2605041700", None),
        (None, "260504120010", Some(Utc.with_ymd_and_hms(2026, 5, 4, 12, 0, 10).unwrap())),
    ] {
        let receipts = Receipts { zone_minutes, ..Receipts::default() };
        let profile = Profile { receipts, errors: errors.clone(), ..Profile::default() };
        let text = format!("id:1 done date:{date} stat:UNDELIV err:0b2");
        let sm = Sm { esm_class: 4, short_message: text.as_bytes(), ..Sm::default() };
        let read = receipt(&settings(profile), &sm, now);
        assert_eq!((read.done_at, read.meaning), (expected, Some(meaning.clone())), "{zone_minutes:?} {date}");
    }
}

#[test]
fn headers_of_handsets() {
    let narrow = |part| Some(PartOf { reference: 7, wide: false, total: 2, part });
    let wide = Some(PartOf { reference: 0x0102, wide: true, total: 3, part: 2 });
    let sar = b"\x02\x0C\x00\x02\x01\x02\x02\x0E\x00\x01\x03\x02\x0F\x00\x01\x02".as_slice();
    for (esm_class, text, tlvs, part_of, body) in [
        (0x40, b"\x05\x00\x03\x07\x02\x01hi".as_slice(), b"".as_slice(), narrow(1), b"hi".as_slice()),
        // Ports first, then the numbers.
        (0x40, b"\x0B\x05\x04\x00\x01\x00\x02\x00\x03\x07\x02\x02hi", b"", narrow(2), b"hi"),
        (0x40, b"\x06\x08\x04\x01\x02\x03\x02hi", b"", wide, b"hi"),
        // Announced and not there.
        (0x40, b"hello", b"", None, b"hello"),
        // There and not announced.
        (0x00, b"\x05\x00\x03\x07\x02\x01hi", b"", narrow(1), b"hi"),
        (0x00, b"\x05\x00\x03\x07\x02\x05hi", b"", None, b"\x05\x00\x03\x07\x02\x05hi"),
        (0x00, b"hi", sar, wide, b"hi"),
        (0x00, b"hi", b"", None, b"hi"),
    ] {
        let sm = Sm { esm_class, short_message: text, tlvs: Tlvs::new(tlvs), ..Sm::default() };
        let read = part(&settings(Profile::default()), &sm, Utc::now());
        assert_eq!((read.part_of, read.octets.0.as_slice()), (part_of, body), "{text:?}");
    }
}

#[test]
fn the_longer_of_two_texts_counts() {
    let payload = b"\x04\x24\x00\x05whole\x14\x00\x00\x01x".as_slice();
    for (short, expected) in
        [(b"".as_slice(), b"whole".as_slice()), (b"who", b"whole"), (b"longer text", b"longer text")]
    {
        let sm = Sm { short_message: short, tlvs: Tlvs::new(payload), ..Sm::default() };
        let read = part(&settings(Profile::default()), &sm, Utc::now());
        assert_eq!((read.octets.0.as_slice(), read.tlvs.0.as_slice()), (expected, b"\x14\x00\x00\x01x".as_slice()));
    }
}

#[test]
fn alphabets_by_data_coding_and_profile() {
    use Alphabet::{Ascii, Binary, Gsm7, Gsm7Packed, Latin1, Ucs2};
    let usual = Coding::default();
    let packed = Coding { default_alphabet: Gsm7Packed, ..Coding::default() };
    let latin1 = Coding { default_alphabet: Latin1, gsm7: Some(1), ucs2: Some(0x19), ..Coding::default() };
    for (data_coding, coding, expected) in [
        (0x00, &usual, Gsm7),
        (0x00, &packed, Gsm7Packed),
        (0x00, &latin1, Latin1),
        (0x01, &usual, Ascii),
        (0x01, &latin1, Gsm7),
        (0x02, &usual, Binary),
        (0x03, &usual, Latin1),
        (0x04, &usual, Binary),
        (0x06, &usual, Binary),
        (0x08, &usual, Ucs2),
        (0x10, &usual, Gsm7),
        (0x11, &packed, Gsm7Packed),
        (0x15, &usual, Binary),
        (0x18, &usual, Ucs2),
        (0x19, &latin1, Ucs2),
        (0xC8, &usual, Gsm7),
        (0xE0, &usual, Ucs2),
        (0xF1, &usual, Gsm7),
        (0xF5, &usual, Binary),
    ] {
        assert_eq!(alphabet(data_coding, coding), expected, "{data_coding:#x}");
    }
}
