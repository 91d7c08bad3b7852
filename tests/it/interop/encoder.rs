//! Every PDU that our encoder can make, with every optional parameter that we know, before Wireshark's dissector.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::BytesMut;
use smpp::pcap::From;
use smpp::pdu::{
    Address, AlertNotification, Bind, BindResp, CancelSm, DataSm, Destination, Destinations, ESM_RECEIPT, ESM_UDHI,
    MessageResp, Outbind, QuerySm, QuerySmResp, ReplaceSm, Sm, SubmitMulti, SubmitMultiResp, Unsuccessful,
};
use smpp::udh::{Concat, Reference};
use smpp::{Body, Status, Tag, Tlvs, encode, tlv};

use super::pcap::Chunk;
use super::tshark;

/// The commands of SMPP 3.4, requests and answers.
const COMMANDS: usize = 27;
const SOURCE: Address<'static> = Address::new(5, 0, b"Bank");
const DESTINATION: Address<'static> = Address::new(1, 1, b"998901234567");
const RECEIPT: &[u8] = b"id:7 sub:001 dlvrd:001 submit date:2601011200 done date:2601011201 stat:DELIVRD err:000 text:";
/// Every optional parameter by its name here, with a value of the width that the specification gives it.
const TLVS: [(Tag, &[u8]); 16] = [
    (Tag::ADDITIONAL_STATUS_INFO, b"no such number\0"),
    (Tag::RECEIPTED_MESSAGE_ID, b"0192fa3c\0"),
    (Tag::USER_MESSAGE_REFERENCE, &[0, 7]),
    (Tag::SOURCE_PORT, &[0x0B, 0x84]),
    (Tag::DESTINATION_PORT, &[0x0B, 0x84]),
    (Tag::SAR_MSG_REF_NUM, &[0, 9]),
    (Tag::SAR_TOTAL_SEGMENTS, &[1]),
    (Tag::SAR_SEGMENT_SEQNUM, &[1]),
    (Tag::SC_INTERFACE_VERSION, &[0x34]),
    (Tag::CALLBACK_NUM, b"\x01\x01\x01998901234567"),
    (Tag::MS_AVAILABILITY_STATUS, &[0]),
    (Tag::NETWORK_ERROR_CODE, &[3, 0, 1]),
    (Tag::DELIVERY_FAILURE_REASON, &[0]),
    (Tag::MORE_MESSAGES_TO_SEND, &[1]),
    (Tag::MESSAGE_STATE, &[2]),
    // Of a vendor.
    (Tag(0x1403), b"0123"),
];

fn tlvs(list: &[(Tag, &[u8])]) -> BytesMut {
    let mut out = BytesMut::new();
    for (tag, value) in list {
        tlv::put(&mut out, *tag, value).unwrap();
    }
    out
}

/// PDUs in the order of writing.
#[derive(Default)]
struct Written {
    out: BytesMut,
    sequence: u32,
    /// Where each PDU ends.
    ends: Vec<usize>,
    /// How many of each command.
    counts: BTreeMap<String, usize>,
}

impl Written {
    fn add(&mut self, status: Status, body: &Body<'_>) {
        self.sequence += 1;
        encode(&mut self.out, status, self.sequence, body).unwrap();
        self.ends.push(self.out.len());
        *self.counts.entry(body.command_id().name().to_owned()).or_default() += 1;
    }

    /// In both directions.
    fn both(&mut self, message: Sm<'_>) {
        self.add(Status::ROK, &Body::SubmitSm(message));
        self.add(Status::ROK, &Body::DeliverSm(message));
    }

    fn add_all(&mut self, bodies: &[Body<'_>]) {
        for body in bodies {
            self.add(Status::ROK, body);
        }
    }
}

fn sessions(written: &mut Written) {
    let version = tlvs(&[(Tag::SC_INTERFACE_VERSION, &[0x34])]);
    let bind = Bind {
        system_type: b"VMA",
        addr_ton: 1,
        addr_npi: 1,
        address_range: b"^9989",
        ..Bind::new(b"fifteen_letters", b"password")
    };
    let resp = BindResp { system_id: b"chappe", tlvs: Tlvs::new(&version) };
    written.add_all(&[
        Body::Outbind(Outbind { system_id: b"esme", password: b"secret" }),
        Body::BindReceiver(bind),
        Body::BindReceiverResp(resp),
        Body::BindTransmitter(bind),
        Body::BindTransmitterResp(resp),
        Body::BindTransceiver(bind),
        Body::BindTransceiverResp(resp),
        Body::BindTransceiver(Bind::new(b"", b"")),
        Body::BindTransceiverResp(BindResp::default()),
        Body::EnquireLink,
        Body::EnquireLinkResp,
        Body::Unbind,
        Body::UnbindResp,
        Body::GenericNack,
    ]);
}

fn management(written: &mut Written) {
    let availability = tlvs(&[(Tag::MS_AVAILABILITY_STATUS, &[1])]);
    let [source, destination] = [SOURCE, DESTINATION];
    let state = QuerySmResp { message_id: b"7", final_date: b"260101120000000+", message_state: 2, error_code: 0 };
    let replace = ReplaceSm {
        message_id: b"7",
        source,
        schedule_delivery_time: b"000000000100000R",
        validity_period: b"260101120000020-",
        registered_delivery: 1,
        short_message: b"better",
        ..ReplaceSm::default()
    };
    written.add_all(&[
        Body::QuerySm(QuerySm { message_id: b"7", source }),
        Body::QuerySmResp(state),
        Body::QuerySmResp(QuerySmResp { final_date: b"", message_state: 1, ..state }),
        Body::CancelSm(CancelSm { service_type: b"CMT", message_id: b"7", source, destination }),
        Body::CancelSmResp,
        Body::ReplaceSm(replace),
        Body::ReplaceSmResp,
        Body::AlertNotification(AlertNotification { source, esme: destination, tlvs: Tlvs::new(&availability) }),
    ]);
}

fn messages(written: &mut Written) {
    let every = tlvs(&TLVS);
    let plain = Sm {
        service_type: b"CMT",
        source: SOURCE,
        destination: DESTINATION,
        registered_delivery: 1,
        short_message: b"Hello",
        ..Sm::default()
    };
    let timed = Sm {
        esm_class: 3,
        priority_flag: 3,
        protocol_id: 0x41,
        schedule_delivery_time: b"260101120000000+",
        validity_period: b"000001000000000R",
        replace_if_present_flag: 1,
        sm_default_msg_id: 1,
        ..plain
    };
    let receipt = Sm { esm_class: ESM_RECEIPT, short_message: RECEIPT, tlvs: Tlvs::new(&every), ..plain };
    for message in [plain, timed, receipt, Sm { short_message: b"", ..plain }] {
        written.both(message);
    }
    written.both(Sm { short_message: &[b'a'; 254], ..plain });
    for data_coding in 0..=u8::MAX {
        written.both(Sm { data_coding, short_message: b"\x04\x1F\x04\x40", ..plain });
    }
    for payload_bytes in [1, 255, 1_000, 65_000] {
        let payload = tlvs(&[(Tag::MESSAGE_PAYLOAD, &vec![b'x'; payload_bytes])]);
        written.both(Sm { short_message: b"", tlvs: Tlvs::new(&payload), ..plain });
    }
    for (tag, value) in TLVS {
        written.both(Sm { tlvs: Tlvs::new(&tlvs(&[(tag, value)])), ..plain });
    }
    parts(written, plain);
    let data = DataSm { source: SOURCE, destination: DESTINATION, registered_delivery: 1, ..DataSm::default() };
    let payload = tlvs(&[(Tag::MESSAGE_PAYLOAD, b"Hello")]);
    written.add_all(&[
        Body::DataSm(DataSm { tlvs: Tlvs::new(&payload), ..data }),
        Body::DataSm(DataSm { esm_class: ESM_RECEIPT, tlvs: Tlvs::new(&every), ..data }),
    ]);
}

/// Long messages: by user data header and by optional parameters.
fn parts(written: &mut Written, plain: Sm<'_>) {
    for reference in [Reference::Bits8(7), Reference::Bits16(700)] {
        for part in 1..=3 {
            let octets = Concat { reference, total: 3, part }.prefix(b"a part of three");
            written.both(Sm { esm_class: ESM_UDHI, short_message: &octets, ..plain });
        }
    }
    for part in 1..=2 {
        let sar: [(Tag, &[u8]); 3] =
            [(Tag::SAR_MSG_REF_NUM, &[0, 21]), (Tag::SAR_TOTAL_SEGMENTS, &[2]), (Tag::SAR_SEGMENT_SEQNUM, &[part])];
        written.both(Sm { tlvs: Tlvs::new(&tlvs(&sar)), ..plain });
    }
}

fn answers(written: &mut Written) {
    let why = tlvs(&[(Tag::DELIVERY_FAILURE_REASON, &[2]), (Tag::NETWORK_ERROR_CODE, &[3, 0, 1])]);
    let resp = MessageResp::new(b"0192fa3c-7b1e-7cc0-8000-000000000001");
    let none = MessageResp::default();
    written.add_all(&[Body::SubmitSmResp(resp), Body::SubmitSmResp(none), Body::DeliverSmResp(none)]);
    written.add_all(&[Body::DataSmResp(resp), Body::DataSmResp(none)]);
    for &status in Status::NAMED {
        for body in [Body::SubmitSmResp(none), Body::DeliverSmResp(none), Body::DataSmResp(none), Body::GenericNack] {
            written.add(status, &body);
        }
        written.add(status, &Body::BindTransceiverResp(BindResp::default()));
    }
    written.add(Status::RDELIVERYFAILURE, &Body::DataSmResp(MessageResp { tlvs: Tlvs::new(&why), ..resp }));
}

fn many(written: &mut Written) {
    let mut destinations = BytesMut::new();
    Destination::Address(DESTINATION).write(&mut destinations).unwrap();
    Destination::List(b"friends").write(&mut destinations).unwrap();
    let message = Sm { source: SOURCE, short_message: b"Hello, all", ..Sm::default() };
    let multi = SubmitMulti { destinations: Destinations::new(2, &destinations), message };
    let mut refused = BytesMut::new();
    Unsuccessful { destination: DESTINATION, status: Status::RINVDSTADR }.write(&mut refused).unwrap();
    written.add_all(&[
        Body::SubmitMulti(multi),
        Body::SubmitMultiResp(SubmitMultiResp::new(b"7", 0, b"")),
        Body::SubmitMultiResp(SubmitMultiResp::new(b"7", 1, &refused)),
    ]);
}

fn everything() -> Written {
    let mut written = Written::default();
    for make in [sessions, management, messages, answers, many] {
        make(&mut written);
    }
    written
}

/// The octets, cut at these places.
fn cut(octets: &[u8], ends: impl Iterator<Item = usize>) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut start = 0;
    for end in ends.map(|end| end.min(octets.len())).chain([octets.len()]) {
        if start < end {
            let at = Duration::from_micros(u64::try_from(start).unwrap());
            chunks.push(Chunk { connection: 0, from: From::Client, at, octets: octets[start..end].to_vec() });
        }
        start = end;
    }
    chunks
}

#[test]
fn the_dissector_takes_everything_that_we_can_write() {
    let written = everything();
    let commands = written.counts.keys();
    assert_eq!(commands.len(), COMMANDS, "{:?}", written.counts);
    let octets = written.out.as_ref();
    // One PDU in a packet; then many in one, and some torn apart. (The dissector does not take packets that are
    // shorter than a header for SMPP.)
    let by_pdu = cut(octets, written.ends.iter().copied());
    assert_eq!(tshark::assert_well_formed(&by_pdu), written.counts);
    let by_size = cut(octets, (1_009..octets.len()).step_by(1_009));
    assert_eq!(tshark::assert_well_formed(&by_size), written.counts);
}

#[test]
fn the_dissector_is_awake() {
    let mut written = Written::default();
    written.add(Status::ROK, &Body::SubmitSm(Sm { short_message: b"Hello", ..Sm::default() }));
    let whole = written.out.to_vec();
    assert_eq!(tshark::judge(&cut(&whole, [].into_iter())).complaints, Vec::<String>::new());
    // The text claims to be longer than the PDU.
    let mut broken = whole.clone();
    let length_at = whole.len() - 6;
    assert_eq!(broken[length_at], 5);
    broken[length_at] = 50;
    let verdict = tshark::judge(&cut(&broken, [].into_iter()));
    assert!(verdict.complaints.iter().any(|one| one.contains("Malformed")), "{verdict:?}");
}
