use std::borrow::Cow;

use proptest::prelude::*;

use super::{Date, Receipt, State, Tlvs, id::Rule, parse};

const DAY: Date = Date { year: 2026, month: 11, day: 23, hour: 9, minute: 5, second: 0 };

fn receipt(id: &'static str, state: State) -> Receipt<'static> {
    Receipt { id: Some(id.into()), state: Some(state), ..Receipt::default() }
}

#[test]
fn written_form() {
    let written = Receipt {
        submit_date: Some(DAY),
        done_date: Some(DAY),
        text: Cow::Borrowed(b"hello"),
        ..receipt("7f", State::Delivered)
    };
    let expected =
        "id:7f sub:001 dlvrd:001 submit date:2611230905 done date:2611230905 stat:DELIVRD err:000 text:hello";
    assert_eq!(String::from_utf8(written.to_octets()).unwrap(), expected);
    let failed = Receipt { error: Some("21".into()), ..receipt("7f", State::Undeliverable) };
    assert!(failed.to_string().contains(" dlvrd:000 "));
    assert!(failed.to_string().ends_with(" stat:UNDELIV err:21 text:"));
}

fn check(text: &str, expected: &Receipt<'_>) {
    assert_eq!(&parse(text.as_bytes()), expected, "{text:?}");
}

#[test]
fn text_that_operators_send() {
    check(
        "id:1 sub:001 dlvrd:001 submit date:2611230905 done date:261123090500 stat:DELIVRD err:000 text:hi",
        &Receipt {
            submitted: Some(1),
            delivered: Some(1),
            submit_date: Some(DAY),
            done_date: Some(DAY),
            error: Some("000".into()),
            text: Cow::Borrowed(b"hi"),
            ..receipt("1", State::Delivered)
        },
    );
    // Any order, any case, few keys.
    check("stat:EXPIRED id:1", &receipt("1", State::Expired));
    check("ID:1 STAT:rejectd", &receipt("1", State::Rejected));
    check(
        "id:1 done date:20261123090500 stat:DELIVRD",
        &Receipt { done_date: Some(DAY), ..receipt("1", State::Delivered) },
    );
    check(
        "id:1 done_date:202611230905 stat:DELIVRD",
        &Receipt { done_date: Some(DAY), ..receipt("1", State::Delivered) },
    );
    check("id: 1  stat: DELIVERED ", &receipt("1", State::Delivered));
    check("id:1,stat:UNDELIVERABLE,err:x", &Receipt { error: Some("x".into()), ..receipt("1", State::Undeliverable) });
    check("id:a:b stat:ACCEPTED", &receipt("a:b", State::Accepted));
    check(
        "id:7e0f6c0e-6a29-4b1e-9d7b-0b6b3a0c9f11 stat:DELIVRD",
        &receipt("7e0f6c0e-6a29-4b1e-9d7b-0b6b3a0c9f11", State::Delivered),
    );
}

#[test]
fn text_that_operators_send_and_should_not() {
    // Error is any string; keys that we do not know end it and everything else.
    check(
        "id:1 err:no route stat:UNDELIV",
        &Receipt { error: Some("no route".into()), ..receipt("1", State::Undeliverable) },
    );
    check(
        "id:1 err:SS7:21 mcc:434 stat:UNDELIV price:0.1",
        &Receipt { error: Some("SS7:21".into()), ..receipt("1", State::Undeliverable) },
    );
    check(
        "id:1 err:no way mcc:434 stat:UNDELIV",
        &Receipt { error: Some("no way".into()), ..receipt("1", State::Undeliverable) },
    );
    check("id:1 err: stat:UNDELIV", &receipt("1", State::Undeliverable));
    // Senseless values are missing values.
    check("id:1 sub:x submit date:26112309 done date:2613230905 stat:DELIVRD", &receipt("1", State::Delivered));
    check("id:1 stat:BUFFERED", &Receipt { state: None, ..receipt("1", State::Unknown) });
    check("id: stat:DELIVRD", &Receipt { id: None, ..receipt("", State::Delivered) });
    // The text takes the rest, whatever it looks like.
    check(
        "id:1 stat:UNDELIV Text:id:2 stat:DELIVRD",
        &Receipt { text: Cow::Borrowed(b"id:2 stat:DELIVRD"), ..receipt("1", State::Undeliverable) },
    );
    check("id:1 stat:DELIVRD text:", &receipt("1", State::Delivered));
    check("text:hi id:1 stat:DELIVRD", &Receipt { text: Cow::Borrowed(b"hi "), ..receipt("1", State::Delivered) });
    // Keys inside words are no keys.
    check("orderid:9 id:1 prestat:REJECTD stat:DELIVRD", &receipt("1", State::Delivered));
    check("", &Receipt::default());
    check("hello, where is my order?", &Receipt::default());
}

#[test]
fn text_need_not_be_characters() {
    let parsed = parse(b"id:1 stat:DELIVRD text:\xFF\x00\xE9");
    assert_eq!(parsed.text.as_ref(), b"\xFF\x00\xE9");
    assert_eq!(parse(b"id:\xFF stat:DELIVRD").id.as_deref(), Some("\u{FFFD}"));
}

#[test]
fn tlvs_win() {
    let check = |id: Option<&[u8]>, state: Option<u8>, expected: Receipt<'_>| {
        let tlvs = Tlvs { receipted_message_id: id, message_state: state };
        assert_eq!(parse(b"id:1 stat:DELIVRD").with_tlvs(tlvs), expected);
    };
    check(None, None, receipt("1", State::Delivered));
    check(Some(b"2\0"), Some(5), receipt("2", State::Undeliverable));
    check(Some(b"2"), None, receipt("2", State::Delivered));
    check(Some(b"2\0garbage"), None, receipt("2", State::Delivered));
    check(Some(b""), Some(77), receipt("1", State::Delivered));
    check(Some(b"\0"), None, receipt("1", State::Delivered));
}

#[test]
fn states_by_name_and_value() {
    for (value, state) in (1..).zip(State::ALL) {
        assert_eq!(state.tlv(), value);
        assert_eq!(State::from_tlv(value), Some(state));
        assert_eq!(State::from_name(state.name()), Some(state));
    }
    let check = |name, state| assert_eq!(State::from_name(name), state, "{name}");
    check("undelivrd", Some(State::Undeliverable));
    check("Rejected", Some(State::Rejected));
    check("DELI", None);
    check("DELIÉRED", None);
    assert_eq!(State::from_tlv(10), None);
}

#[test]
fn ids_by_rule() {
    let check = |rule: Rule, id: &str, expected: &str| {
        assert_eq!(rule.apply(id), expected, "{rule:?} {id}");
    };
    check(Rule::Raw, "00ab ", "00ab");
    check(Rule::Stripped, "00ab\0", "AB");
    check(Rule::Stripped, "000", "0");
    check(Rule::Stripped, "", "");
    check(Rule::DecimalToHex, "0255", "FF");
    check(Rule::DecimalToHex, "00ff", "FF");
    check(Rule::DecimalToHex, "+5", "+5");
    check(Rule::HexToDecimal, "0ff", "255");
    check(Rule::HexToDecimal, "zz", "ZZ");
    check(Rule::HexToDecimal, "", "");
    // More than 128 bits is no number but still an id.
    check(Rule::HexToDecimal, &"f".repeat(33), &"F".repeat(33));
}

fn dates() -> impl Strategy<Value = Date> {
    (2000u16..2100, 1u8..=12, 1u8..=31, 0u8..24, 0u8..60).prop_map(|(year, month, day, hour, minute)| Date {
        year,
        month,
        day,
        hour,
        minute,
        second: 0,
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        id in "[0-9a-zA-Z-]{1,40}",
        counts in (0u32..1000, 0u32..1000),
        dates in (dates(), dates()),
        state in prop::sample::select(State::ALL.to_vec()),
        error in "[0-9A-Z]{1,6}",
        text: Vec<u8>,
    ) {
        let written = Receipt {
            id: Some(id.into()),
            submitted: Some(counts.0),
            delivered: Some(counts.1),
            submit_date: Some(dates.0),
            done_date: Some(dates.1),
            state: Some(state),
            error: Some(error.into()),
            text: text.into(),
        };
        let octets = written.to_octets();
        prop_assert_eq!(parse(&octets), written);
    }

    #[test]
    fn parsing_never_panics(message: Vec<u8>) {
        let _ = parse(&message);
    }

    #[test]
    fn parsing_pieces_never_panics(pieces in prop::collection::vec(prop::sample::select(vec![
        "id:", "sub:", "dlvrd:", "submit date:", "done date:", "stat:", "err:", "text:", " ", "1", "DELIVRD", "2611230905", "é", ":", ",",
    ]), 0..40)) {
        let _ = parse(pieces.concat().as_bytes());
    }

    #[test]
    fn hex_and_decimal_undo_each_other(value: u128) {
        let decimal = value.to_string();
        let hex = Rule::DecimalToHex.apply(&decimal).into_owned();
        prop_assert_eq!(Rule::HexToDecimal.apply(&hex), decimal);
    }
}
