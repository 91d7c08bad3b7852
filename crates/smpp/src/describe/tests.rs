use bytes::BytesMut;

use super::*;
use crate::frame::{Policy, decode, encode};
use crate::pdu::{Destinations, ESM_INTERMEDIATE, ESM_RECEIPT, ESM_UDHI, Outbind, SubmitMultiResp, Unsuccessful};
use crate::{CommandId, tlv};

fn words(status: Status, body: &Body<'_>, show: Show) -> Description {
    let mut octets = BytesMut::new();
    encode(&mut octets, status, 7, body).unwrap();
    describe(&decode(&octets, Policy::Lenient).unwrap(), show)
}

fn message() -> Sm<'static> {
    Sm {
        source: Address::new(5, 0, b"Acme"),
        destination: Address::new(1, 1, b"998901234567"),
        registered_delivery: 1,
        short_message: b"code 1234",
        ..Sm::default()
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn lines_say_what_matters() {
    let receipt = b"id:7f stat:UNDELIV err:001";
    let part = b"\x05\0\x03\x09\x03\x02text";
    let mut payload = BytesMut::new();
    tlv::put(&mut payload, Tag::MESSAGE_PAYLOAD, b"long").unwrap();
    let data = DataSm { destination: Address::new(1, 1, b"9"), tlvs: Tlvs::new(&payload), ..DataSm::default() };
    let mut to = BytesMut::new();
    Destination::List(b"friends").write(&mut to).unwrap();
    let multi = SubmitMulti { destinations: Destinations::new(1, &to), message: message() };
    for (status, body, line) in [
        (Status::ROK, Body::EnquireLink, "enquire_link seq 7"),
        (Status::ROK, Body::EnquireLinkResp, "enquire_link_resp seq 7 ESME_ROK (0x00000000)"),
        (Status::RINVCMDID, Body::GenericNack, "generic_nack seq 7 ESME_RINVCMDID (0x00000003)"),
        (
            Status::ROK,
            Body::BindTransceiver(Bind::new(b"acme", b"secret")),
            "bind_transceiver seq 7: system_id acme, version 0x34",
        ),
        (Status::ROK, Body::Outbind(Outbind { system_id: b"mc", password: b"secret" }), "outbind seq 7: system_id mc"),
        (
            Status::ROK,
            Body::SubmitSm(message()),
            "submit_sm seq 7: to 1/1 (12 octets), from 5/0 (4 octets), 9 octets of GSM 7-bit",
        ),
        (
            Status::ROK,
            Body::SubmitSm(Sm { esm_class: ESM_UDHI, data_coding: 8, short_message: part, ..message() }),
            "submit_sm seq 7: to 1/1 (12 octets), from 5/0 (4 octets), part 2 of 3, 4 octets of UCS-2",
        ),
        (
            Status::ROK,
            Body::SubmitSm(Sm { esm_class: ESM_UDHI, data_coding: 4, short_message: b"\x99", ..Sm::default() }),
            "submit_sm seq 7: to 0/0 (0 octets), from 0/0 (0 octets), a user data header that cannot be read, \
             1 octets of another alphabet",
        ),
        (
            Status::ROK,
            Body::DeliverSm(Sm { esm_class: ESM_RECEIPT, short_message: receipt, ..Sm::default() }),
            "deliver_sm seq 7: to 0/0 (0 octets), from 0/0 (0 octets), receipt UNDELIV of id 7f, \
             26 octets of GSM 7-bit",
        ),
        (
            Status::ROK,
            Body::DeliverSm(Sm { esm_class: ESM_INTERMEDIATE, short_message: b"?", ..Sm::default() }),
            "deliver_sm seq 7: to 0/0 (0 octets), from 0/0 (0 octets), intermediate notification no state of id \
             (none), 1 octets of GSM 7-bit",
        ),
        (
            Status::ROK,
            Body::DataSm(data),
            "data_sm seq 7: to 1/1 (1 octets), from 0/0 (0 octets), 4 octets of GSM 7-bit",
        ),
        (
            Status::ROK,
            Body::SubmitMulti(multi),
            "submit_multi seq 7: to 1 destinations, from 5/0 (4 octets), 9 octets of GSM 7-bit",
        ),
        (
            Status::RTHROTTLED,
            Body::SubmitSmResp(MessageResp::default()),
            "submit_sm_resp seq 7 ESME_RTHROTTLED (0x00000058)",
        ),
        (
            Status::ROK,
            Body::SubmitSmResp(MessageResp::new(b"7f\n")),
            "submit_sm_resp seq 7 ESME_ROK (0x00000000): id 7f\\n",
        ),
        (
            Status::ROK,
            Body::QuerySmResp(QuerySmResp { message_id: b"7f", message_state: 2, ..QuerySmResp::default() }),
            "query_sm_resp seq 7 ESME_ROK (0x00000000): id 7f, DELIVRD",
        ),
        (Status::ROK, Body::Other(CommandId(0x111), b"xyz"), "unknown command 0x00000111 seq 7: 3 octets"),
        (
            Status::ROK,
            Body::Other(CommandId::SUBMIT_SM, b"\0\x01"),
            "submit_sm seq 7: unreadable: addr_npi: ESME_RINVCMDLEN (0x00000002)",
        ),
    ] {
        assert_eq!(words(status, &body, Show::Hidden).line, line);
    }
}

#[test]
fn details_name_every_field_that_says_something() {
    let mut tlvs = BytesMut::new();
    for (tag, value) in [
        (Tag::MESSAGE_STATE, &[2][..]),
        (Tag::RECEIPTED_MESSAGE_ID, b"7f\0"),
        (Tag::NETWORK_ERROR_CODE, &[3, 0, 27]),
        (Tag::SAR_TOTAL_SEGMENTS, &[3]),
        (Tag(0x1401), b"9"),
        (Tag(0x7777), b"\0"),
    ] {
        tlv::put(&mut tlvs, tag, value).unwrap();
    }
    let sm = Sm { validity_period: b"000001000000000R", priority_flag: 2, tlvs: Tlvs::new(&tlvs), ..message() };
    let told = words(Status::ROK, &Body::SubmitSm(sm), Show::Full);
    for (name, value) in [
        ("destination_addr", "1/1 998901234567"),
        ("source_addr", "5/0 Acme"),
        ("text", "\"code 1234\""),
        ("priority_flag", "2"),
        ("validity_period", "000001000000000R"),
        ("registered_delivery", "0x01"),
        ("data_coding", "0x00"),
        ("message_state", "DELIVRD"),
        ("receipted_message_id", "7f"),
        ("network_error_code", "03001b"),
        ("sar_total_segments", "3"),
        ("vendor 0x1401", "39"),
        ("unknown 0x7777", "00"),
    ] {
        assert!(told.details.contains(&(name.to_owned(), value.to_owned())), "{name}: {told}");
    }
    assert!(!told.details.iter().any(|(name, _)| name == "protocol_id"));
    let mut refused = BytesMut::new();
    let who = Unsuccessful { destination: Address::new(1, 1, b"9"), status: Status::RINVDSTADR };
    who.write(&mut refused).unwrap();
    let resp = Body::SubmitMultiResp(SubmitMultiResp::new(b"7f", 1, &refused));
    let told = words(Status::ROK, &resp, Show::Full).to_string();
    assert!(told.ends_with("id 7f\n    unsuccess_sme: 1/1 9: ESME_RINVDSTADR (0x0000000B)"), "{told}");
}

#[test]
fn numbers_texts_and_passwords_stay_hidden() {
    let mut tlvs = BytesMut::new();
    for (tag, value) in [
        (Tag::CALLBACK_NUM, &b"998901234567"[..]),
        (Tag::CALLBACK_NUM, b"1234"),
        (Tag::MESSAGE_PAYLOAD, b"1234"),
        (Tag(0x1400), b"1234"),
    ] {
        tlv::put(&mut tlvs, tag, value).unwrap();
    }
    let sm = Sm { tlvs: Tlvs::new(&tlvs), ..message() };
    let bind = Bind::new(b"acme", b"secret");
    for body in [Body::SubmitSm(sm), Body::DeliverSm(sm), Body::BindReceiver(bind)] {
        let told = words(Status::ROK, &body, Show::Hidden).to_string();
        for secret in ["9989", "1234", "31323334", "Acme", "secret"] {
            assert!(!told.contains(secret), "{told}");
        }
    }
    let told = words(Status::ROK, &Body::BindReceiver(bind), Show::Full).to_string();
    assert!(!told.contains("secret"), "{told}");
    // Nor can a peer write lines of its own.
    let forged = Sm { source: Address::new(0, 0, b"a\nb"), short_message: b"\r\nforged", ..Sm::default() };
    let told = words(Status::ROK, &Body::SubmitSm(forged), Show::Full);
    assert!(told.details.iter().all(|(_, value)| !value.contains('\n')), "{told}");
}
