//! Bytes in, PDUs out, and back: tables of what peers send, and properties over everything they could send.

#![expect(clippy::too_many_lines, reason = "tables of cases")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use bytes::{Buf, BytesMut};
use proptest::prelude::*;
use smpp::frame::HEADER_BYTES;
use smpp::pdu::{
    Address, AlertNotification, Bind, BindResp, CancelSm, DataSm, Destination, Destinations, MessageResp, Outbind,
    QuerySm, QuerySmResp, ReplaceSm, Sm, SubmitMulti, SubmitMultiResp, Unsuccessful,
};
use smpp::{Body, CommandId, EncodeError, Frame, FrameError, Framer, Policy, Status, Tag, Tlvs, decode, encode, tlv};

/// One PDU with these four header numbers and this body.
fn pdu(command_id: CommandId, status: u32, sequence_number: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER_BYTES + body.len()).unwrap();
    let mut pdu = Vec::new();
    for number in [length, command_id.0, status, sequence_number] {
        pdu.extend(number.to_be_bytes());
    }
    pdu.extend(body);
    pdu
}

fn encoded(status: Status, sequence_number: u32, body: &Body<'_>) -> BytesMut {
    let mut out = BytesMut::new();
    encode(&mut out, status, sequence_number, body).unwrap();
    out
}

const SUBMIT: &[u8] = b"\0\x05\0Bank\0\x01\x01998901234567\0\0\0\0\0\0\x01\0\0\0\x02hi";

#[test]
fn well_formed_bodies() {
    let submit = Sm {
        source: Address::new(5, 0, b"Bank"),
        destination: Address::new(1, 1, b"998901234567"),
        registered_delivery: 1,
        short_message: b"hi",
        ..Sm::default()
    };
    for (command_id, bytes, body) in [
        (
            CommandId::BIND_TRANSCEIVER,
            &b"esme\0secret\0\0\x34\0\0\0"[..],
            Body::BindTransceiver(Bind::new(b"esme", b"secret")),
        ),
        (
            CommandId::BIND_TRANSCEIVER_RESP,
            b"smsc\0\x02\x10\0\x01\x34",
            Body::BindTransceiverResp(BindResp { system_id: b"smsc", tlvs: Tlvs::new(b"\x02\x10\0\x01\x34") }),
        ),
        (CommandId::OUTBIND, b"a\0b\0", Body::Outbind(Outbind { system_id: b"a", password: b"b" })),
        (CommandId::ENQUIRE_LINK, b"", Body::EnquireLink),
        (CommandId::UNBIND_RESP, b"", Body::UnbindResp),
        (CommandId::GENERIC_NACK, b"", Body::GenericNack),
        (CommandId::SUBMIT_SM, SUBMIT, Body::SubmitSm(submit)),
        (CommandId::DELIVER_SM, SUBMIT, Body::DeliverSm(submit)),
        (CommandId::SUBMIT_SM_RESP, b"77\0", Body::SubmitSmResp(MessageResp::new(b"77"))),
        (
            CommandId::DATA_SM,
            b"\0\x05\0Bank\0\x01\x019\0\0\x01\x08\x04\x24\0\x02hi",
            Body::DataSm(DataSm {
                source: Address::new(5, 0, b"Bank"),
                destination: Address::new(1, 1, b"9"),
                registered_delivery: 1,
                data_coding: 8,
                tlvs: Tlvs::new(b"\x04\x24\0\x02hi"),
                ..DataSm::default()
            }),
        ),
        (
            CommandId::QUERY_SM,
            b"77\0\x01\x019\0",
            Body::QuerySm(QuerySm { message_id: b"77", source: Address::new(1, 1, b"9") }),
        ),
        (
            CommandId::QUERY_SM_RESP,
            b"77\0\0\x02\0",
            Body::QuerySmResp(QuerySmResp { message_id: b"77", message_state: 2, ..QuerySmResp::default() }),
        ),
        (
            CommandId::CANCEL_SM,
            b"\x0077\0\x01\x019\0\0\0\0",
            Body::CancelSm(CancelSm { message_id: b"77", source: Address::new(1, 1, b"9"), ..CancelSm::default() }),
        ),
        (
            CommandId::REPLACE_SM,
            b"77\0\x01\x019\0\0\0\x01\0\x02hi",
            Body::ReplaceSm(ReplaceSm {
                message_id: b"77",
                source: Address::new(1, 1, b"9"),
                registered_delivery: 1,
                short_message: b"hi",
                ..ReplaceSm::default()
            }),
        ),
        (
            CommandId::ALERT_NOTIFICATION,
            b"\x01\x019\0\x01\x018\0",
            Body::AlertNotification(AlertNotification {
                source: Address::new(1, 1, b"9"),
                esme: Address::new(1, 1, b"8"),
                tlvs: Tlvs::NONE,
            }),
        ),
        (CommandId(0x111), b"anything", Body::Other(CommandId(0x111), b"anything")),
    ] {
        let bytes = pdu(command_id, 0, 7, bytes);
        for policy in [Policy::Strict, Policy::Lenient] {
            assert_eq!(decode(&bytes, policy).unwrap().body, Ok(body), "{command_id:?}");
        }
        assert_eq!(encoded(Status::ROK, 7, &body), bytes, "{command_id:?}");
    }
}

#[test]
fn a_bad_body_keeps_its_header() {
    let long_name = [b'a'; 40];
    let cut = |octets: usize| SUBMIT[..octets].to_vec();
    let bind = |system_id: &[u8]| [system_id, b"\0pw\0\0\x34\0\0\0"].concat();
    for (command_id, body, strict, lenient) in [
        (CommandId::SUBMIT_SM, cut(0), Some("service_type"), Some("addr_ton")),
        (CommandId::SUBMIT_SM, cut(2), Some("addr_npi"), Some("addr_npi")),
        (CommandId::SUBMIT_SM, cut(5), Some("source_addr"), Some("addr_ton")),
        (CommandId::SUBMIT_SM, cut(SUBMIT.len() - 1), Some("short_message"), Some("short_message")),
        (CommandId::SUBMIT_SM, cut(SUBMIT.len()), None, None),
        (CommandId::BIND_RECEIVER, bind(&long_name), Some("system_id"), None),
        (CommandId::BIND_RECEIVER, bind(b"esme"), None, None),
        (CommandId::BIND_RECEIVER, b"esme\0pw\0\0\x34\0\0no-nul".to_vec(), Some("address_range"), None),
        (CommandId::SUBMIT_SM_RESP, b"".to_vec(), None, None),
        (CommandId::SUBMIT_SM_RESP, b"no-nul".to_vec(), Some("message_id"), None),
        (CommandId::SUBMIT_SM_RESP, b"id\0\x04\x27\0\x09cut".to_vec(), None, None),
        (CommandId::ENQUIRE_LINK, b"trailing".to_vec(), None, None),
        (CommandId::CANCEL_SM_RESP, b"trailing".to_vec(), None, None),
    ] {
        let bytes = pdu(command_id, 0x58, 0xFFFF_FFFF, &body);
        for (policy, wrong) in [(Policy::Strict, strict), (Policy::Lenient, lenient)] {
            let frame = decode(&bytes, policy).unwrap();
            let header = frame.header;
            assert_eq!((header.command_id, header.sequence_number), (command_id, 0xFFFF_FFFF));
            assert_eq!(header.command_status, Status::RTHROTTLED);
            assert_eq!(frame.body.err().map(|e| e.field), wrong, "{command_id:?} {policy:?} {body:?}");
        }
    }
}

#[test]
fn sm_length_does_not_reach_into_the_next_pdu() {
    let mut lying = SUBMIT.to_vec();
    let at = lying.len() - 3;
    lying[at] = 18;
    let mut stream = BytesMut::from(&pdu(CommandId::SUBMIT_SM, 0, 1, &lying)[..]);
    stream.extend(pdu(CommandId::ENQUIRE_LINK, 0, 2, b""));
    let framer = Framer::default();
    let first = framer.next(&mut stream).unwrap().unwrap();
    assert_eq!(decode(&first, Policy::Lenient).unwrap().body.unwrap_err().status, Status::RINVMSGLEN);
    let second = framer.next(&mut stream).unwrap().unwrap();
    assert_eq!(decode(&second, Policy::Lenient).unwrap().body, Ok(Body::EnquireLink));
}

#[test]
fn only_a_bad_length_is_fatal() {
    let framer = Framer::new(100);
    for (bytes, expected) in [
        (&b""[..], Ok(None)),
        (b"\0\0\0", Ok(None)),
        (b"\0\0\0\x0F", Err(FrameError::TooShort(15))),
        (b"\0\0\0\0", Err(FrameError::TooShort(0))),
        (b"\0\0\0\x65", Err(FrameError::TooLong(101, 100))),
        (b"\xFF\xFF\xFF\xFF", Err(FrameError::TooLong(u32::MAX, 100))),
        (b"\0\0\0\x64", Ok(None)),
        (b"\0\0\0\x10\0\0\0\x15\0\0\0\0\0\0\0\x01extra", Ok(Some(16))),
    ] {
        assert_eq!(framer.peek(bytes), expected, "{bytes:?}");
    }
}

#[test]
fn a_stream_split_anywhere_gives_the_same_pdus() {
    let pdus =
        [pdu(CommandId::SUBMIT_SM, 0, 1, SUBMIT), pdu(CommandId::UNBIND, 0, 2, b""), pdu(CommandId(9), 0, 3, b"x")];
    let stream = pdus.concat();
    let framer = Framer::default();
    for split in 0..=stream.len() {
        let mut received = BytesMut::new();
        let mut cut = Vec::new();
        for part in [&stream[..split], &stream[split..]] {
            received.extend_from_slice(part);
            while let Some(pdu) = framer.next(&mut received).unwrap() {
                cut.push(pdu.to_vec());
            }
        }
        assert_eq!(cut, pdus, "split at {split}");
        assert!(received.is_empty());
    }
}

#[test]
fn refusals_are_bare_headers() {
    for (status, body, octets) in [
        (Status::RBINDFAIL, Body::BindTransceiverResp(BindResp::default()), 16),
        (Status::RTHROTTLED, Body::SubmitSmResp(MessageResp::default()), 16),
        (Status::ROK, Body::DeliverSmResp(MessageResp::default()), 17),
        (Status::RSYSERR, Body::SubmitSmResp(MessageResp::new(b"7")), 18),
    ] {
        assert_eq!(encoded(status, 1, &body).len(), octets, "{body:?}");
    }
}

#[test]
fn what_cannot_be_told_is_refused_and_leaves_the_buffer() {
    let mut out = BytesMut::from(&b"before"[..]);
    let long = [b'a'; 256];
    for (body, error) in [
        (Body::SubmitSm(Sm { short_message: &long, ..Sm::default() }), EncodeError::TooLong { field: "short_message" }),
        (
            Body::SubmitSm(Sm { destination: Address::new(1, 1, b"9\x009"), ..Sm::default() }),
            EncodeError::NulInside { field: "destination_addr" },
        ),
        (Body::BindReceiver(Bind::new(b"a\0", b"")), EncodeError::NulInside { field: "system_id" }),
    ] {
        assert_eq!(encode(&mut out, Status::ROK, 1, &body), Err(error));
        assert_eq!(&out[..], b"before");
    }
}

#[test]
fn submit_multi_walks_its_lists() {
    let mut raw = BytesMut::new();
    let to = [Destination::Address(Address::new(1, 1, b"998901")), Destination::List(b"friends")];
    for destination in to {
        destination.write(&mut raw).unwrap();
    }
    let message = Sm { source: Address::new(5, 0, b"Bank"), short_message: b"hi", ..Sm::default() };
    let body = Body::SubmitMulti(SubmitMulti { destinations: Destinations::new(2, &raw), message });
    let bytes = encoded(Status::ROK, 1, &body);
    let Ok(Body::SubmitMulti(read)) = decode(&bytes, Policy::Strict).unwrap().body else {
        panic!("not a submit_multi")
    };
    assert_eq!((read.destinations.iter().collect::<Vec<_>>(), read.message), (to.to_vec(), message));

    let refused = Unsuccessful { destination: Address::new(1, 1, b"998901"), status: Status::RINVDSTADR };
    let mut raw = BytesMut::new();
    refused.write(&mut raw).unwrap();
    let body = Body::SubmitMultiResp(SubmitMultiResp::new(b"77", 1, &raw));
    let bytes = encoded(Status::ROK, 1, &body);
    let Ok(Body::SubmitMultiResp(read)) = decode(&bytes, Policy::Strict).unwrap().body else { panic!("not a resp") };
    assert_eq!(read.unsuccessful().collect::<Vec<_>>(), [refused]);
}

#[test]
fn text_is_found_where_it_is() {
    let payload = Tlvs::new(b"\x04\x24\0\x04long");
    for (short_message, tlvs, text) in
        [(&b"hi"[..], Tlvs::NONE, &b"hi"[..]), (b"", payload, b"long"), (b"hi", payload, b"hi"), (b"", Tlvs::NONE, b"")]
    {
        assert_eq!(Sm { short_message, tlvs, ..Sm::default() }.text(), text);
    }
    for (esm_class, receipt, intermediate, udh) in [
        (0x00, false, false, false),
        (0x04, true, false, false),
        (0x07, true, false, false),
        (0x20, false, true, false),
        (0x40, false, false, true),
        (0x44, true, false, true),
        (0x08, false, false, false),
    ] {
        let sm = Sm { esm_class, ..Sm::default() };
        assert_eq!((sm.is_receipt(), sm.is_intermediate(), sm.has_udh()), (receipt, intermediate, udh), "{esm_class}");
    }
}

#[test]
fn nothing_private_in_debug() {
    let bind = format!("{:?}", Bind::new(b"esme", b"s3cret"));
    assert!(bind.contains("esme") && !bind.contains("s3cret"), "{bind}");
    let sm = Sm { destination: Address::new(1, 1, b"998901234567"), short_message: b"code 1234", ..Sm::default() };
    let sm = format!("{sm:?}");
    assert!(!sm.contains("1234") && !sm.contains("57, 57, 56"), "{sm}");
}

fn text(max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(1..=255_u8, 0..max)
}

prop_compose! {
    fn any_tlvs()(list in prop::collection::vec((any::<u16>(), prop::collection::vec(any::<u8>(), 0..40)), 0..5))
        -> Vec<u8>
    {
        let mut raw = BytesMut::new();
        for (tag, value) in list {
            tlv::put(&mut raw, Tag(tag), &value).unwrap();
        }
        raw.to_vec()
    }
}

proptest! {
    #[test]
    fn sm_round_trips(
        strings in (text(6), text(21), text(21), text(17), text(17)),
        numbers in any::<[u8; 11]>(),
        short_message in prop::collection::vec(any::<u8>(), 0..=255),
        raw in any_tlvs(),
        sequence_number in any::<u32>(),
    ) {
        let (service_type, source, destination, schedule, validity) = &strings;
        let [a, b, c, d, esm_class, protocol_id, priority_flag, reg, replace, data_coding, default_id] = numbers;
        let sm = Sm {
            service_type, source: Address::new(a, b, source), destination: Address::new(c, d, destination),
            esm_class, protocol_id, priority_flag, schedule_delivery_time: schedule, validity_period: validity,
            registered_delivery: reg, replace_if_present_flag: replace, data_coding, sm_default_msg_id: default_id,
            short_message: &short_message, tlvs: Tlvs::new(&raw),
        };
        for body in [Body::SubmitSm(sm), Body::DeliverSm(sm)] {
            let bytes = encoded(Status::ROK, sequence_number, &body);
            let frame = decode(&bytes, Policy::Lenient).unwrap();
            prop_assert_eq!(frame.header.sequence_number, sequence_number);
            prop_assert_eq!(frame.body, Ok(body));
        }
    }

    #[test]
    fn binds_round_trip(system_id in text(16), password in text(9), system_type in text(13), range in text(41),
                        numbers in any::<[u8; 3]>()) {
        let [interface_version, addr_ton, addr_npi] = numbers;
        let bind = Bind { system_id: &system_id, password: &password, system_type: &system_type, interface_version,
                          addr_ton, addr_npi, address_range: &range };
        for body in [Body::BindReceiver(bind), Body::BindTransmitter(bind), Body::BindTransceiver(bind)] {
            let bytes = encoded(Status::ROK, 1, &body);
            prop_assert_eq!(decode(&bytes, Policy::Lenient).unwrap().body, Ok(body));
        }
    }

    #[test]
    fn responses_round_trip(message_id in text(65), raw in any_tlvs(), status in any::<u32>()) {
        let resp = MessageResp { message_id: &message_id, tlvs: Tlvs::new(&raw) };
        for body in [Body::SubmitSmResp(resp), Body::DeliverSmResp(resp), Body::DataSmResp(resp)] {
            let bytes = encoded(Status(status), 1, &body);
            let frame = decode(&bytes, Policy::Lenient).unwrap();
            prop_assert_eq!(frame.header.command_status, Status(status));
            prop_assert_eq!(frame.body, Ok(body));
        }
    }

    /// Whatever decodes can be written again and then reads the same.
    #[test]
    fn arbitrary_bodies_never_panic(which in 0..27_usize, odd in any::<u32>(), octets in prop::collection::vec(
        prop_oneof![3 => Just(0_u8), 1 => any::<u8>()], 0..300)) {
        let known = [0x1, 0x2, 0x3, 0x4, 0x5, 0x6, 0x7, 0x8, 0x9, 0xB, 0x15, 0x21, 0x102, 0x103];
        let id = known.get(which / 2).copied().unwrap_or(odd);
        let bytes = pdu(CommandId(if which % 2 == 0 { id } else { id | 0x8000_0000 }), 0, odd, &octets);
        for policy in [Policy::Strict, Policy::Lenient] {
            let Frame { body: Ok(body), .. } = decode(&bytes, policy).unwrap() else { continue };
            let _ = format!("{body:?}");
            let again = encoded(Status::ROK, 1, &body);
            prop_assert_eq!(decode(&again, policy).unwrap().body, Ok(body));
        }
    }

    #[test]
    fn an_arbitrary_stream_never_panics(stream in prop::collection::vec(any::<u8>(), 0..400)) {
        let framer = Framer::new(200);
        let mut rest = &stream[..];
        while let Ok(Some(octets)) = framer.peek(rest) {
            let _ = decode(&rest[..octets], Policy::Lenient);
            rest.advance(octets);
        }
    }
}
