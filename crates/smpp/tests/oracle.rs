//! A second opinion: `rusmpp-core` builds the same PDU from the same values. Both must write the same octets, and each
//! must read what the other wrote. For well-formed PDUs only: with broken ones the two differ on purpose.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a failure here is a failure of the test")]

use bytes::BytesMut;
use proptest::prelude::*;
use rusmpp_core::command::owned::Command;
use rusmpp_core::decode::owned::DecodeWithLength;
use rusmpp_core::encode::{Length, owned::Encode};
use rusmpp_core::pdus::owned as theirs;
use rusmpp_core::pdus::owned::Pdu;
use rusmpp_core::tlvs::owned::{MessageDeliveryRequestTlvValue, MessageSubmissionRequestTlvValue};
use rusmpp_core::types::owned::{AnyOctetString, COctetString, EmptyOrFullCOctetString, OctetString};
use rusmpp_core::values::owned::{
    DestAddress, DistributionListName, MessagePayload, ServiceType, SmeAddress, UnsuccessSme,
};
use rusmpp_core::values::{
    EsmClass, InterfaceVersion, MessageState, MsAvailabilityStatus, PriorityFlag, RegisteredDelivery,
    ReplaceIfPresentFlag,
};
use smpp::pdu::{
    Address, AlertNotification, Bind, BindResp, CancelSm, DataSm, Destination, Destinations, MessageResp, Outbind,
    QuerySm, QuerySmResp, ReplaceSm, Sm, SubmitMulti, SubmitMultiResp, Unsuccessful,
};
use smpp::tlv::{self, Tag};
use smpp::{Body, Policy, Status, Tlvs};

/// The values that PDUs are made of.
#[derive(Clone, Debug)]
struct Values {
    status: u32,
    sequence_number: u32,
    system_id: String,
    password: String,
    service_type: String,
    addresses: [(u8, u8, String); 2],
    message_id: String,
    time: &'static str,
    flags: [u8; 6],
    text: Vec<u8>,
    reference: u16,
    state: u8,
}

prop_compose! {
    fn values()(
        status in prop::sample::select(vec![0u32, 0x08, 0x0B, 0x58, 0xFE, 0x401]),
        sequence_number in 1u32..0x8000_0000,
        names in ("[!-~]{0,15}", "[!-~]{0,8}", "[A-Z]{0,5}", "[!-~]{0,64}"),
        addresses in [(0u8..7, 0u8..2, "[+0-9A-Za-z]{0,20}"), (0u8..7, 0u8..2, "[+0-9A-Za-z]{0,20}")],
        time in prop::sample::select(vec!["", "261123090500000R", "261123090500012+"]),
        flags in any::<[u8; 6]>(),
        // Not empty: the other side reads an empty TLV as one without a value.
        text in prop::collection::vec(any::<u8>(), 1..=254),
        reference: u16,
        state in 1u8..=8,
    ) -> Values {
        let (system_id, password, service_type, message_id) = names;
        Values {
            status, sequence_number, system_id, password, service_type, addresses, message_id, time, flags, text,
            reference, state,
        }
    }
}

/// A string of theirs: with its NUL.
fn c<const MAX: usize>(text: &str) -> COctetString<1, MAX> {
    COctetString::from_vec([text.as_bytes(), b"\0"].concat()).unwrap()
}

fn moment(text: &str) -> EmptyOrFullCOctetString<17> {
    EmptyOrFullCOctetString::from_vec([text.as_bytes(), b"\0"].concat()).unwrap()
}

impl Values {
    fn address(&self, at: usize) -> Address<'_> {
        let (ton, npi, addr) = &self.addresses[at];
        Address::new(*ton, *npi, addr.as_bytes())
    }

    /// Our message, with these optional parameters.
    fn sm<'a>(&'a self, tlvs: &'a [u8]) -> Sm<'a> {
        let [esm_class, protocol_id, priority_flag, registered_delivery, replace_if_present_flag, data_coding] =
            self.flags;
        Sm {
            service_type: self.service_type.as_bytes(),
            source: self.address(0),
            destination: self.address(1),
            esm_class,
            protocol_id,
            priority_flag,
            schedule_delivery_time: self.time.as_bytes(),
            validity_period: self.time.as_bytes(),
            registered_delivery,
            replace_if_present_flag,
            data_coding,
            sm_default_msg_id: protocol_id,
            short_message: &self.text,
            tlvs: Tlvs::new(tlvs),
        }
    }

    /// Octets of TLVs of a submit and of a receipt, ours, and the same in their types.
    fn tlvs(&self) -> (Vec<u8>, Vec<MessageSubmissionRequestTlvValue>, Vec<u8>, Vec<MessageDeliveryRequestTlvValue>) {
        let mut submit = BytesMut::new();
        tlv::put(&mut submit, Tag::SAR_MSG_REF_NUM, &self.reference.to_be_bytes()).unwrap();
        tlv::put(&mut submit, Tag::SAR_TOTAL_SEGMENTS, &[self.state]).unwrap();
        tlv::put(&mut submit, Tag::MESSAGE_PAYLOAD, &self.text).unwrap();
        let mut receipt = BytesMut::new();
        tlv::put_text(&mut receipt, Tag::RECEIPTED_MESSAGE_ID, self.message_id.as_bytes()).unwrap();
        tlv::put(&mut receipt, Tag::MESSAGE_STATE, &[self.state]).unwrap();
        let payload = MessagePayload::new(AnyOctetString::from_slice(&self.text));
        let submit_theirs = vec![
            MessageSubmissionRequestTlvValue::SarMsgRefNum(self.reference),
            MessageSubmissionRequestTlvValue::SarTotalSegments(self.state),
            MessageSubmissionRequestTlvValue::MessagePayload(payload),
        ];
        let receipt_theirs = vec![
            MessageDeliveryRequestTlvValue::ReceiptedMessageId(c(&self.message_id)),
            MessageDeliveryRequestTlvValue::MessageState(MessageState::from(self.state)),
        ];
        (submit.to_vec(), submit_theirs, receipt.to_vec(), receipt_theirs)
    }

    /// Both write the same octets, and each reads the other's.
    fn check(&self, status: u32, ours: &Body<'_>, pdu: impl Into<Pdu>) {
        let mut written = BytesMut::new();
        smpp::encode(&mut written, Status(status), self.sequence_number, ours).unwrap();
        let command = Command::new(status.into(), self.sequence_number, pdu);
        let mut expected = BytesMut::new();
        expected.extend_from_slice(&u32::try_from(4 + command.length()).unwrap().to_be_bytes());
        command.encode(&mut expected);
        assert_eq!(written, expected, "{:?}", ours.command_id());

        let read = smpp::decode(&expected, Policy::Strict).unwrap();
        assert_eq!(read.body, Ok(*ours));
        let header = (read.header.command_status.0, read.header.sequence_number);
        assert_eq!(header, (status, self.sequence_number));

        let mut unread = written.split_off(4);
        let length = unread.len();
        let (read, consumed) = Command::decode(&mut unread, length).unwrap();
        assert_eq!((read, consumed), (command, length));
    }
}

fn sessions(values: &Values) {
    let (system_id, password) = (&values.system_id, &values.password);
    let [version, ton, npi, ..] = values.flags;
    let bind = Bind {
        interface_version: version,
        addr_ton: ton,
        addr_npi: npi,
        system_type: values.service_type.as_bytes(),
        address_range: values.addresses[0].2.as_bytes(),
        ..Bind::new(system_id.as_bytes(), password.as_bytes())
    };
    macro_rules! binds {
        ($($ours:ident $theirs:ident),*) => { $(
            let same = theirs::$theirs::new(
                c(system_id),
                c(password),
                c(&values.service_type),
                version.into(),
                ton.into(),
                npi.into(),
                c(&values.addresses[0].2),
            );
            values.check(0, &Body::$ours(bind), same);
        )* };
    }
    binds!(BindTransmitter BindTransmitter, BindReceiver BindReceiver, BindTransceiver BindTransceiver);
    let tlvs = [&[0x02, 0x10, 0, 1], &[version][..]].concat();
    let resp = BindResp { system_id: system_id.as_bytes(), tlvs: Tlvs::new(&tlvs) };
    let version = Some(InterfaceVersion::from(version));
    values.check(0, &Body::BindTransmitterResp(resp), theirs::BindTransmitterResp::new(c(system_id), version));
    values.check(0, &Body::BindReceiverResp(resp), theirs::BindReceiverResp::new(c(system_id), version));
    values.check(0, &Body::BindTransceiverResp(resp), theirs::BindTransceiverResp::new(c(system_id), version));
    let outbind = Outbind { system_id: system_id.as_bytes(), password: password.as_bytes() };
    values.check(0, &Body::Outbind(outbind), theirs::Outbind::new(c(system_id), c(password)));
    for (ours, same) in [
        (Body::EnquireLink, Pdu::EnquireLink),
        (Body::EnquireLinkResp, Pdu::EnquireLinkResp),
        (Body::Unbind, Pdu::Unbind),
        (Body::UnbindResp, Pdu::UnbindResp),
        (Body::GenericNack, Pdu::GenericNack),
        (Body::CancelSmResp, Pdu::CancelSmResp),
        (Body::ReplaceSmResp, Pdu::ReplaceSmResp),
    ] {
        values.check(values.status, &ours, same);
    }
}

fn messages(values: &Values) {
    let (submit_tlvs, submit_same, receipt_tlvs, receipt_same) = values.tlvs();
    let [esm_class, protocol_id, priority_flag, registered_delivery, replace, data_coding] = values.flags;
    let [(source_ton, source_npi, source), (ton, npi, destination)] = &values.addresses;
    macro_rules! same {
        ($theirs:ident, $tlvs:expr) => {
            theirs::$theirs::new(
                ServiceType::new(c(&values.service_type)),
                (*source_ton).into(),
                (*source_npi).into(),
                c(source),
                (*ton).into(),
                (*npi).into(),
                c(destination),
                EsmClass::from(esm_class),
                protocol_id,
                PriorityFlag::from(priority_flag),
                moment(values.time),
                moment(values.time),
                RegisteredDelivery::from(registered_delivery),
                ReplaceIfPresentFlag::from(replace),
                data_coding.into(),
                protocol_id,
                OctetString::from_slice(&values.text).unwrap(),
                $tlvs,
            )
        };
    }
    values.check(0, &Body::SubmitSm(values.sm(&submit_tlvs)), same!(SubmitSm, submit_same.clone()));
    values.check(0, &Body::SubmitSm(values.sm(&[])), same!(SubmitSm, vec![]));
    values.check(0, &Body::DeliverSm(values.sm(&receipt_tlvs)), same!(DeliverSm, receipt_same));
    let data = DataSm {
        service_type: values.service_type.as_bytes(),
        source: values.address(0),
        destination: values.address(1),
        esm_class,
        registered_delivery,
        data_coding,
        tlvs: Tlvs::new(&submit_tlvs),
    };
    let data_same = theirs::DataSm::new(
        ServiceType::new(c(&values.service_type)),
        (*source_ton).into(),
        (*source_npi).into(),
        c(source),
        (*ton).into(),
        (*npi).into(),
        c(destination),
        EsmClass::from(esm_class),
        RegisteredDelivery::from(registered_delivery),
        data_coding.into(),
        submit_same,
    );
    values.check(0, &Body::DataSm(data), data_same);
    let resp = MessageResp::new(values.message_id.as_bytes());
    let id = || c(&values.message_id);
    values.check(0, &Body::SubmitSmResp(resp), theirs::SubmitSmResp::new(id(), vec![]));
    values.check(0, &Body::DeliverSmResp(resp), theirs::DeliverSmResp::new(id(), vec![]));
    values.check(0, &Body::DataSmResp(resp), theirs::DataSmResp::new(id(), vec![]));
}

fn requests_about_messages(values: &Values) {
    let [(source_ton, source_npi, source), (ton, npi, destination)] = &values.addresses;
    let (source_ton, source_npi, ton, npi) = (*source_ton, *source_npi, *ton, *npi);
    let [registered_delivery, default_id, ..] = values.flags;
    let message_id = values.message_id.as_bytes();
    let id = || c(&values.message_id);

    let query = QuerySm { message_id, source: values.address(0) };
    let same = theirs::QuerySm::new(id(), source_ton.into(), source_npi.into(), c(source));
    values.check(0, &Body::QuerySm(query), same);

    let final_date = values.time.as_bytes();
    let resp = QuerySmResp { message_id, final_date, message_state: values.state, error_code: default_id };
    let same = theirs::QuerySmResp::new(id(), moment(values.time), values.state.into(), default_id);
    values.check(0, &Body::QuerySmResp(resp), same);

    let cancel = CancelSm {
        service_type: values.service_type.as_bytes(),
        message_id,
        source: values.address(0),
        destination: values.address(1),
    };
    let same = theirs::CancelSm::new(
        ServiceType::new(c(&values.service_type)),
        id(),
        source_ton.into(),
        source_npi.into(),
        c(source),
        ton.into(),
        npi.into(),
        c(destination),
    );
    values.check(0, &Body::CancelSm(cancel), same);

    let mut payload = BytesMut::new();
    tlv::put(&mut payload, Tag::MESSAGE_PAYLOAD, &values.text).unwrap();
    let replace = ReplaceSm {
        message_id,
        source: values.address(0),
        schedule_delivery_time: values.time.as_bytes(),
        validity_period: values.time.as_bytes(),
        registered_delivery,
        sm_default_msg_id: default_id,
        short_message: &values.text,
        tlvs: Tlvs::new(&payload),
    };
    let same = theirs::ReplaceSm::new(
        id(),
        source_ton.into(),
        source_npi.into(),
        c(source),
        moment(values.time),
        moment(values.time),
        RegisteredDelivery::from(registered_delivery),
        default_id,
        OctetString::from_slice(&values.text).unwrap(),
        Some(MessagePayload::new(AnyOctetString::from_slice(&values.text))),
    );
    values.check(0, &Body::ReplaceSm(replace), same);

    let tlvs = [&[0x04, 0x22, 0, 1], &[values.state][..]].concat();
    let alert = AlertNotification { source: values.address(0), esme: values.address(1), tlvs: Tlvs::new(&tlvs) };
    let same = theirs::AlertNotification::new(
        source_ton.into(),
        source_npi.into(),
        c(source),
        ton.into(),
        npi.into(),
        c(destination),
        Some(MsAvailabilityStatus::from(values.state)),
    );
    values.check(0, &Body::AlertNotification(alert), same);
}

fn multi(values: &Values) {
    let [(source_ton, source_npi, source), (ton, npi, destination)] = &values.addresses;
    let [esm_class, protocol_id, priority_flag, registered_delivery, replace, data_coding] = values.flags;
    let mut raw = BytesMut::new();
    Destination::Address(values.address(1)).write(&mut raw).unwrap();
    Destination::List(source.as_bytes()).write(&mut raw).unwrap();
    let (tlvs, tlvs_same, ..) = values.tlvs();
    let message = Sm { destination: Address::default(), ..values.sm(&tlvs) };
    let ours = SubmitMulti { destinations: Destinations::new(2, &raw), message };
    let same = theirs::SubmitMulti::new(
        ServiceType::new(c(&values.service_type)),
        (*source_ton).into(),
        (*source_npi).into(),
        c(source),
        vec![
            DestAddress::SmeAddress(SmeAddress::new((*ton).into(), (*npi).into(), c(destination))),
            DestAddress::DistributionListName(DistributionListName::new(c(source))),
        ],
        EsmClass::from(esm_class),
        protocol_id,
        PriorityFlag::from(priority_flag),
        moment(values.time),
        moment(values.time),
        RegisteredDelivery::from(registered_delivery),
        ReplaceIfPresentFlag::from(replace),
        data_coding.into(),
        protocol_id,
        OctetString::from_slice(&values.text).unwrap(),
        tlvs_same,
    );
    values.check(0, &Body::SubmitMulti(ours), same);

    let mut raw = BytesMut::new();
    let refused = Unsuccessful { destination: values.address(1), status: Status(values.status) };
    refused.write(&mut raw).unwrap();
    let resp = SubmitMultiResp::new(values.message_id.as_bytes(), 1, &raw);
    let refused = UnsuccessSme::new((*ton).into(), (*npi).into(), c(destination), values.status.into());
    let same = theirs::SubmitMultiResp::new(c(&values.message_id), vec![refused], vec![]);
    values.check(0, &Body::SubmitMultiResp(resp), same);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_agree_on_sessions(values in values()) {
        sessions(&values);
    }

    #[test]
    fn both_agree_on_messages(values in values()) {
        messages(&values);
    }

    #[test]
    fn both_agree_on_requests_about_messages(values in values()) {
        requests_about_messages(&values);
    }

    #[test]
    fn both_agree_on_messages_to_many(values in values()) {
        multi(&values);
    }
}
