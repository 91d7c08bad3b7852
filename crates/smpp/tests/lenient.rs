//! What real peers send and the specification does not allow: read leniently where it can be read, refused strictly,
//! and never at the cost of what follows. And every PDU there is, from any values and back.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a failure here is a failure of the test")]

use bytes::BytesMut;
use proptest::prelude::*;
use smpp::pdu::{
    Address, AlertNotification, Bind, BindResp, CancelSm, DataSm, Destination, Destinations, MessageResp, Outbind,
    QuerySm, QuerySmResp, ReplaceSm, Sm, SubmitMulti, SubmitMultiResp, Unsuccessful,
};
use smpp::{Body, CommandId, Policy, Status, Tag, Tlvs, decode, encode, tlv};

fn pdu(command_id: CommandId, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + body.len()).unwrap();
    let header: Vec<u8> = [length, command_id.0, 0, 1].iter().flat_map(|number| number.to_be_bytes()).collect();
    [&header, body].concat()
}

/// How this body is read under either policy, or in which field it fails.
fn check(command_id: CommandId, octets: &[u8], lenient: Result<Body<'_>, &str>, strict: Result<Body<'_>, &str>) {
    let bytes = pdu(command_id, octets);
    for (policy, expected) in [(Policy::Lenient, lenient), (Policy::Strict, strict)] {
        let read = decode(&bytes, policy).unwrap().body.map_err(|error| error.field);
        assert_eq!(read, expected, "{command_id:?} {policy:?} {octets:?}");
    }
}

#[test]
fn strings_without_nul_with_two_and_longer_than_they_may_be() {
    let resp = |message_id, tlvs| Body::SubmitSmResp(MessageResp { message_id, tlvs: Tlvs::new(tlvs) });
    let id = CommandId::SUBMIT_SM_RESP;
    check(id, b"7f", Ok(resp(b"7f", b"")), Err("message_id"));
    check(id, b"7f\0", Ok(resp(b"7f", b"")), Ok(resp(b"7f", b"")));
    // The second NUL is where optional parameters begin, and too little for one.
    check(id, b"7f\0\0", Ok(resp(b"7f", b"\0")), Ok(resp(b"7f", b"\0")));
    assert_eq!(Tlvs::new(b"\0").iter().count(), 0);
    let long = [b'7'; 70];
    let longer = [&long[..], b"\0"].concat();
    check(id, &longer, Ok(resp(&long, b"")), Err("message_id"));
    check(id, &long, Ok(resp(&long, b"")), Err("message_id"));

    let name = b"a-system-id-of-24-octets";
    let bind = Bind { interface_version: 0x34, ..Bind::new(name, b"a password of 24 octets.") };
    let octets = b"a-system-id-of-24-octets\0a password of 24 octets.\0\0\x34\0\0\0";
    check(CommandId::BIND_TRANSCEIVER, octets, Ok(Body::BindTransceiver(bind)), Err("system_id"));
    let unclosed = &octets[..octets.len() - 1];
    check(CommandId::BIND_TRANSCEIVER, unclosed, Ok(Body::BindTransceiver(bind)), Err("system_id"));
    let resp = BindResp { system_id: b"smsc", tlvs: Tlvs::NONE };
    check(CommandId::BIND_RECEIVER_RESP, b"smsc", Ok(Body::BindReceiverResp(resp)), Err("system_id"));
}

/// A `deliver_sm` from `1/1/9` to `5/0/Acme` with this `sm_length` and what follows it.
fn deliver(sm_length: u8, rest: &[u8]) -> Vec<u8> {
    [&b"\0\x01\x019\0\x05\0Acme\0\0\0\0\0\0\0\0\0\0"[..], &[sm_length], rest].concat()
}

#[test]
fn lengths_that_are_not_those_of_the_text() {
    let base = Sm { source: Address::new(1, 1, b"9"), destination: Address::new(5, 0, b"Acme"), ..Sm::default() };
    let id = CommandId::DELIVER_SM;
    let read = |short_message, tlvs| Ok(Body::DeliverSm(Sm { short_message, tlvs: Tlvs::new(tlvs), ..base }));
    // Too long a length is refused, too short a one leaves the rest of the text to optional parameters.
    check(id, &deliver(5, b"text"), Err("short_message"), Err("short_message"));
    check(id, &deliver(2, b"text"), read(b"te", b"xt"), read(b"te", b"xt"));
    check(id, &deliver(0, b""), read(b"", b""), read(b"", b""));
    // 255 octets, which 5.0 allows.
    let text = [b'x'; 255];
    check(id, &deliver(255, &text), read(&text, b""), read(&text, b""));
    // A NUL is an `@` of the GSM alphabet, and no end.
    check(id, &deliver(3, b"a\0b"), read(b"a\0b", b""), read(b"a\0b", b""));
    // Both kinds of text: both are there, and `short_message` counts.
    let both = pdu(id, &deliver(2, b"hi\x04\x24\0\x04long"));
    let Ok(Body::DeliverSm(sm)) = decode(&both, Policy::Strict).unwrap().body else { panic!("no message") };
    assert_eq!((sm.text(), sm.tlvs.message_payload()), (&b"hi"[..], Some(&b"long"[..])));
    // Octets behind the last parameter, and a parameter that is cut off.
    let cut = pdu(id, &deliver(0, b"\x04\x27\0\x01\x02\x00\x1E\0\x09abc"));
    let Ok(Body::DeliverSm(sm)) = decode(&cut, Policy::Strict).unwrap().body else { panic!("no message") };
    assert_eq!((sm.tlvs.message_state(), sm.tlvs.iter().count()), (Some(2), 1));
}

#[test]
fn bodies_where_there_are_none_and_none_where_there_are() {
    for (id, body) in [
        (CommandId::ENQUIRE_LINK, Body::EnquireLink),
        (CommandId::ENQUIRE_LINK_RESP, Body::EnquireLinkResp),
        (CommandId::UNBIND, Body::Unbind),
        (CommandId::UNBIND_RESP, Body::UnbindResp),
        (CommandId::GENERIC_NACK, Body::GenericNack),
        (CommandId::CANCEL_SM_RESP, Body::CancelSmResp),
        (CommandId::REPLACE_SM_RESP, Body::ReplaceSmResp),
    ] {
        for octets in [&b""[..], b"\0", b"odd octets"] {
            check(id, octets, Ok(body), Ok(body));
        }
    }
    for (id, body) in [
        (CommandId::BIND_TRANSMITTER_RESP, Body::BindTransmitterResp(BindResp::default())),
        (CommandId::BIND_RECEIVER_RESP, Body::BindReceiverResp(BindResp::default())),
        (CommandId::BIND_TRANSCEIVER_RESP, Body::BindTransceiverResp(BindResp::default())),
        (CommandId::SUBMIT_SM_RESP, Body::SubmitSmResp(MessageResp::default())),
        (CommandId::DELIVER_SM_RESP, Body::DeliverSmResp(MessageResp::default())),
        (CommandId::DATA_SM_RESP, Body::DataSmResp(MessageResp::default())),
        (CommandId::QUERY_SM_RESP, Body::QuerySmResp(QuerySmResp::default())),
        (CommandId::SUBMIT_MULTI_RESP, Body::SubmitMultiResp(SubmitMultiResp::default())),
    ] {
        check(id, b"", Ok(body), Ok(body));
    }
}

#[test]
fn lists_that_lie_about_their_length() {
    let multi = |dests: &[u8]| [&b"\0\0\0\0"[..], dests, b"\0\0\0\0\0\0\0\0\0\0"].concat();
    let id = CommandId::SUBMIT_MULTI;
    let all = Destination::Address(Address::new(1, 1, b"9"));
    for (dests, lenient) in [
        (&b"\x01\x01\x01\x019\0"[..], Ok(vec![all])),
        (b"\0", Ok(vec![])),
        (b"\x02\x01\x01\x019\0\x02friends\0", Ok(vec![all, Destination::List(b"friends")])),
        (b"\x01\x03\x01\x019\0", Err(Status::RINVDESTFLAG)),
        (b"\x02\x01\x01\x019\0", Err(Status::RINVDESTFLAG)),
        (b"\xFF", Err(Status::RINVDESTFLAG)),
    ] {
        let bytes = pdu(id, &multi(dests));
        let read = match decode(&bytes, Policy::Lenient).unwrap().body {
            Ok(Body::SubmitMulti(multi)) => Ok(multi.destinations.iter().collect()),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.status),
        };
        assert_eq!(read, lenient, "{dests:?}");
    }
    // More refusals announced than there are: those that are there.
    let octets = pdu(CommandId::SUBMIT_MULTI_RESP, b"7f\0\x09\x01\x019\0\0\0\0\x0B\x01");
    let Ok(Body::SubmitMultiResp(resp)) = decode(&octets, Policy::Lenient).unwrap().body else { panic!("no answer") };
    assert_eq!(resp.unsuccessful().map(|refused| refused.status).collect::<Vec<_>>(), [Status::RINVDSTADR]);
}

/// Strings, numbers and octets that any PDU is made of.
#[derive(Debug)]
struct Values {
    strings: Vec<Vec<u8>>,
    numbers: [u8; 12],
    octets: Vec<u8>,
    tlvs: Vec<u8>,
    destinations: (u8, Vec<u8>),
    refusals: (u8, Vec<u8>),
}

prop_compose! {
    fn values()(
        strings in prop::collection::vec(prop::collection::vec(1..=255_u8, 0..70), 7),
        numbers: [u8; 12],
        octets in prop::collection::vec(any::<u8>(), 0..=255),
        list in prop::collection::vec((any::<u16>(), prop::collection::vec(any::<u8>(), 0..300)), 0..6),
        parties in prop::collection::vec((any::<bool>(), any::<u8>(), prop::collection::vec(1..=255_u8, 0..25),
                                          any::<u32>()), 0..=255),
    ) -> Values {
        let (mut tlvs, mut destinations, mut refusals) = (BytesMut::new(), BytesMut::new(), BytesMut::new());
        for (tag, value) in &list {
            tlv::put(&mut tlvs, Tag(*tag), value).unwrap();
        }
        for (is_list, number, name, status) in &parties {
            let address = Address::new(*number, *number, name);
            let destination = if *is_list { Destination::List(name) } else { Destination::Address(address) };
            destination.write(&mut destinations).unwrap();
            Unsuccessful { destination: address, status: Status(*status) }.write(&mut refusals).unwrap();
        }
        let count = u8::try_from(parties.len()).unwrap();
        Values {
            strings, numbers, octets, tlvs: tlvs.to_vec(),
            destinations: (count, destinations.to_vec()), refusals: (count, refusals.to_vec()),
        }
    }
}

impl Values {
    fn address(&self, at: usize) -> Address<'_> {
        Address::new(self.numbers[at], self.numbers[at + 1], &self.strings[at])
    }

    fn tlvs(&self) -> Tlvs<'_> {
        Tlvs::new(&self.tlvs)
    }

    fn sm(&self) -> Sm<'_> {
        let [.., esm_class, protocol_id, priority_flag, registered_delivery, replace, data_coding] = self.numbers;
        Sm {
            service_type: &self.strings[4],
            source: self.address(0),
            destination: self.address(2),
            esm_class,
            protocol_id,
            priority_flag,
            schedule_delivery_time: &self.strings[5],
            validity_period: &self.strings[6],
            registered_delivery,
            replace_if_present_flag: replace,
            data_coding,
            sm_default_msg_id: self.numbers[0],
            short_message: &self.octets,
            tlvs: self.tlvs(),
        }
    }

    /// Every PDU there is.
    fn bodies(&self) -> Vec<Body<'_>> {
        let [system_id, password, system_type, range, ..] = self.strings.as_slice() else { panic!("seven strings") };
        let [version, ton, npi, state, error_code, ..] = self.numbers;
        let bind = Bind {
            system_type,
            interface_version: version,
            addr_ton: ton,
            addr_npi: npi,
            address_range: range,
            ..Bind::new(system_id, password)
        };
        let bind_resp = BindResp { system_id, tlvs: self.tlvs() };
        let resp = MessageResp { message_id: system_id, tlvs: self.tlvs() };
        let sm = self.sm();
        let (count, raw) = (self.destinations.0, &self.destinations.1);
        let message = Sm { destination: Address::default(), ..sm };
        let (source, destination, tlvs) = (self.address(0), self.address(2), self.tlvs());
        let Sm { service_type, esm_class, registered_delivery, data_coding, .. } = sm;
        vec![
            Body::BindReceiver(bind),
            Body::BindTransmitter(bind),
            Body::BindTransceiver(bind),
            Body::BindReceiverResp(bind_resp),
            Body::BindTransmitterResp(bind_resp),
            Body::BindTransceiverResp(bind_resp),
            Body::Outbind(Outbind { system_id, password }),
            Body::SubmitSm(sm),
            Body::DeliverSm(sm),
            Body::SubmitSmResp(resp),
            Body::DeliverSmResp(resp),
            Body::DataSmResp(resp),
            Body::DataSm(DataSm {
                service_type,
                source,
                destination,
                esm_class,
                registered_delivery,
                data_coding,
                tlvs,
            }),
            Body::SubmitMulti(SubmitMulti { destinations: Destinations::new(count, raw), message }),
            Body::SubmitMultiResp(SubmitMultiResp::new(system_id, self.refusals.0, &self.refusals.1)),
            Body::QuerySm(QuerySm { message_id: system_id, source }),
            Body::QuerySmResp(QuerySmResp {
                message_id: system_id,
                final_date: password,
                message_state: state,
                error_code,
            }),
            Body::CancelSm(CancelSm { service_type, message_id: system_id, source, destination }),
            Body::ReplaceSm(ReplaceSm {
                message_id: system_id,
                source,
                schedule_delivery_time: sm.schedule_delivery_time,
                validity_period: sm.validity_period,
                registered_delivery,
                sm_default_msg_id: state,
                short_message: &self.octets,
                tlvs,
            }),
            Body::AlertNotification(AlertNotification { source, esme: destination, tlvs }),
            Body::CancelSmResp,
            Body::ReplaceSmResp,
            Body::Unbind,
            Body::UnbindResp,
            Body::EnquireLink,
            Body::EnquireLinkResp,
            Body::GenericNack,
            Body::Other(CommandId(0x0000_0111), &self.octets),
        ]
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_pdu_round_trips(values in values(), status: u32, sequence_number: u32) {
        for body in values.bodies() {
            let mut octets = BytesMut::new();
            encode(&mut octets, Status(status), sequence_number, &body).unwrap();
            prop_assert_eq!(octets.len(), usize::try_from(u32::from_be_bytes(*octets.first_chunk().unwrap())).unwrap());
            let frame = decode(&octets, Policy::Lenient).unwrap();
            prop_assert_eq!((frame.header.command_status, frame.header.sequence_number), (Status(status), sequence_number));
            prop_assert_eq!(frame.header.command_id, body.command_id());
            prop_assert_eq!(frame.body, Ok(body));
        }
    }

    /// However a PDU is cut short, the header stays and nothing panics. Whatever is still read was read whole.
    #[test]
    fn every_pdu_may_be_cut_anywhere(values in values(), at: prop::sample::Index) {
        for body in values.bodies() {
            let mut octets = BytesMut::new();
            encode(&mut octets, Status::ROK, 7, &body).unwrap();
            let cut = &octets[..16 + at.index(octets.len() - 15)];
            for policy in [Policy::Strict, Policy::Lenient] {
                let frame = decode(cut, policy).unwrap();
                prop_assert_eq!((frame.header.command_id, frame.header.sequence_number), (body.command_id(), 7));
                if let Ok(read) = frame.body {
                    let mut again = BytesMut::new();
                    encode(&mut again, Status::ROK, 7, &read).unwrap();
                    prop_assert_eq!(decode(&again, Policy::Lenient).unwrap().body, Ok(read));
                }
            }
        }
    }
}
