//! Receipts and messages from handsets, to the customer.

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use contract::system::{IdForm, InboundStyle, ReceiptPdu};
use contract::{Alphabet, Deliver, Encoding, SystemSettings, What, queues};
use domain::{MessageId, State};
use smpp::pdu::Bind;
use smpp::{Body, CommandId, Status, Tag};

use crate::rig::{NAME, PASSWORD, Rig, bounds, inbound, receipt, system, until};

/// An id as receipts carry it where nothing else is set.
fn written(id: MessageId) -> String {
    IdForm::default().render(id)
}

#[tokio::test]
async fn a_receipt_waits_for_a_session_and_is_settled_by_its_answer() {
    let system = system();
    let rig = Rig::start(&system).await;
    let id = MessageId::generate();
    rig.deliver(&system, vec![receipt(id, State::Delivered)]).await;
    let mut transmitter = rig.bound(CommandId::BIND_TRANSMITTER).await;
    assert_eq!(transmitter.ask(&Body::EnquireLink).await.status, Status::ROK, "a transmitter gets nothing");
    let mut esme = rig.transceiver().await;
    let got = esme.next().await;
    let sm = got.sm();
    assert_eq!((sm.esm_class, sm.data_coding, sm.source.addr), (4, 0, &b"998901234567"[..]));
    assert_eq!((sm.source.ton, sm.destination.addr), (1, &b"Chappe"[..]));
    let text = format!(
        "id:{id} sub:001 dlvrd:001 submit date:2605041159 done date:2605041200 stat:DELIVRD err:000 text:Hello",
        id = written(id)
    );
    assert_eq!(sm.short_message, text.as_bytes());
    assert_eq!(sm.tlvs.receipted_message_id(), Some(written(id).as_bytes()));
    assert_eq!(sm.tlvs.get(Tag::RECEIPTED_MESSAGE_ID).unwrap().value.last(), Some(&0));
    assert_eq!(sm.tlvs.message_state(), Some(2));
    assert_eq!(rig.queue.bodies(&queues::deliver(system.id)).len(), 1, "not settled before the answer");
    esme.answer(&got, Status::ROK).await;
    rig.wait_until_settled(&system).await;
    until("one delivered", || rig.status.sessions().iter().any(|session| session.delivered == 1)).await;
    rig.stop().await;
}

#[tokio::test]
async fn states_as_the_customer_is_told_them() {
    let system = SystemSettings { window: 1, ..system() };
    let rig = Rig::start(&system).await;
    let mut esme = rig.bound(CommandId::BIND_RECEIVER).await;
    for (state, esm_class, name, tlv) in [
        (State::Delivered, 0x04, "DELIVRD", 2),
        (State::Expired, 0x04, "EXPIRED", 3),
        (State::Canceled, 0x04, "DELETED", 4),
        (State::Undelivered, 0x04, "UNDELIV", 5),
        (State::Failed, 0x04, "UNDELIV", 5),
        (State::Rejected, 0x04, "REJECTD", 8),
        (State::Unconfirmed, 0x04, "UNKNOWN", 7),
        (State::Accepted, 0x20, "ACCEPTD", 6),
        (State::Sent, 0x20, "ENROUTE", 1),
        (State::Buffered, 0x20, "ENROUTE", 1),
    ] {
        rig.deliver(&system, vec![receipt(MessageId::generate(), state)]).await;
        let got = esme.next().await;
        let text = String::from_utf8(got.sm().short_message.to_vec()).unwrap();
        assert!(text.contains(&format!(" stat:{name} ")), "{state:?}: {text}");
        assert_eq!((got.sm().esm_class, got.sm().tlvs.message_state()), (esm_class, Some(tlv)), "{state:?}");
        esme.answer(&got, Status::ROK).await;
    }
    rig.wait_until_settled(&system).await;
    rig.stop().await;
}

#[tokio::test]
async fn receipts_by_the_systems_style() {
    let mut system = system();
    system.receipts.template = Some("{id}|{stat}|{err}|{done_date:12}".to_owned());
    system.receipts.id_form = IdForm::Hex;
    system.receipts.pdu = ReceiptPdu::DataSm;
    let rig = Rig::start(&system).await;
    let id = MessageId::generate();
    let What::Receipt(told) = receipt(id, State::Undelivered) else { panic!() };
    let told = contract::CustomerReceipt { error: "027".to_owned(), user_message_reference: Some(0x1234), ..told };
    let text = format!("{}|UNDELIV|027|260504120010", id.uuid().simple());
    rig.deliver(&system, vec![What::Receipt(told.clone())]).await;
    let mut esme = rig.bound(CommandId::BIND_RECEIVER).await;
    let got = esme.next().await;
    let Body::DataSm(data) = got.body() else { panic!("{got:?}") };
    assert_eq!((data.esm_class, data.tlvs.message_payload()), (4, Some(text.as_bytes())));
    assert_eq!(data.tlvs.get(Tag::NETWORK_ERROR_CODE).unwrap().value, [3, 0, 27]);
    assert_eq!(data.tlvs.int(Tag::USER_MESSAGE_REFERENCE), Some(0x1234));
    esme.answer(&got, Status::ROK).await;
    rig.wait_until_settled(&system).await;
    esme.ask(&Body::Unbind).await;
    // A peer of an older version knows neither data_sm nor parameters.
    rig.deliver(&system, vec![What::Receipt(told)]).await;
    let mut old = rig.connect().await;
    let mut asked = Bind::new(NAME.as_bytes(), PASSWORD.as_bytes());
    asked.interface_version = 0x33;
    old.ask(&Body::BindReceiver(asked)).await;
    let got = old.next().await;
    assert_eq!((got.sm().short_message, got.sm().tlvs.is_empty()), (text.as_bytes(), true));
    old.answer(&got, Status::ROK).await;
    rig.wait_until_settled(&system).await;
    rig.stop().await;
}

/// A text from a handset, and the PDUs that carry it: `esm_class`, `data_coding` and user data of each.
async fn check(style: (Alphabet, InboundStyle), (text, encoding): (&str, Encoding), expected: &[(u8, u8, Vec<u8>)]) {
    let system = SystemSettings { default_alphabet: style.0, inbound: style.1, ..system() };
    let rig = Rig::start(&system).await;
    rig.deliver(&system, vec![inbound(text, encoding)]).await;
    let mut esme = rig.transceiver().await;
    for (esm_class, data_coding, octets) in expected {
        let got = esme.next().await;
        let sm = got.sm();
        assert_eq!((sm.source.addr, sm.destination.addr), (&b"998901234567"[..], &b"4444"[..]));
        let mut data = sm.text().to_vec();
        if *esm_class == 0x40 {
            // The reference is any.
            data[3] = 0;
        }
        assert_eq!((sm.esm_class, sm.data_coding, &data), (*esm_class, *data_coding, octets), "{style:?} {text:?}");
        esme.answer(&got, Status::ROK).await;
    }
    rig.wait_until_settled(&system).await;
    rig.stop().await;
}

#[tokio::test]
async fn messages_from_handsets() {
    use InboundStyle::{Parts, Payload};
    let long = "a".repeat(170);
    let part = |total: u8, part: u8, text: &[u8]| [&[5, 0, 3, 0, total, part][..], text].concat();
    let whole = vec![(0x40, 0, part(2, 1, &[b'a'; 153])), (0x40, 0, part(2, 2, &[b'a'; 17]))];
    let gsm = Alphabet::Gsm7;
    check((gsm, Parts), ("a_b", Encoding::Gsm7), &[(0, 0, b"a\x11b".to_vec())]).await;
    check((Alphabet::Latin1, Parts), ("a_b\u{E1}", Encoding::Ucs2), &[(0, 0, b"a_b\xE1".to_vec())]).await;
    check((Alphabet::Gsm7Packed, Parts), ("hello", Encoding::Gsm7), &[(0, 0, b"\xE8\x32\x9B\xFD\x06".to_vec())]).await;
    check((gsm, Parts), ("\u{41F}", Encoding::Ucs2), &[(0, 8, b"\x04\x1F".to_vec())]).await;
    check((Alphabet::Ascii, Parts), ("\u{E9}", Encoding::Gsm7), &[(0, 8, b"\x00\xE9".to_vec())]).await;
    check((gsm, Parts), ("00ff", Encoding::Binary), &[(0, 4, b"\x00\xFF".to_vec())]).await;
    check((gsm, Parts), ("", Encoding::Gsm7), &[(0, 0, Vec::new())]).await;
    check((gsm, Parts), (&long, Encoding::Gsm7), &whole).await;
    check((gsm, Payload), (&long, Encoding::Gsm7), &[(0, 0, vec![b'a'; 170])]).await;
}

#[tokio::test]
async fn answers_decide_what_becomes_of_a_delivery() {
    let system = system();
    let rig = Rig::start(&system).await;
    let mut esme = rig.transceiver().await;
    for (status, again) in [
        (Status::ROK, false),
        (Status::RX_T_APPN, true),
        (Status::RMSGQFUL, true),
        (Status::RTHROTTLED, true),
        (Status::RSYSERR, true),
        (Status::RX_P_APPN, false),
        (Status::RX_R_APPN, false),
        (Status::RINVDSTADR, false),
    ] {
        rig.deliver(&system, vec![receipt(MessageId::generate(), State::Delivered)]).await;
        let first = esme.next().await;
        esme.answer(&first, status).await;
        if again {
            let second = esme.next().await;
            assert_eq!(second.sm(), first.sm(), "{status}");
            esme.answer(&second, Status::ROK).await;
        }
        rig.wait_until_settled(&system).await;
    }
    // A nack for a delivery is a refusal of it; one for nothing is nobody's.
    rig.deliver(&system, vec![receipt(MessageId::generate(), State::Delivered)]).await;
    let got = esme.next().await;
    esme.send_as(&Body::GenericNack, Status::RINVCMDID, got.number).await;
    rig.wait_until_settled(&system).await;
    rig.stop().await;
}

#[tokio::test]
async fn only_what_was_refused_for_now_goes_out_again() {
    let system = SystemSettings { window: 3, ..system() };
    let rig = Rig::start(&system).await;
    let ids = [(); 3].map(|()| MessageId::generate());
    rig.deliver(&system, ids.map(|id| receipt(id, State::Delivered)).to_vec()).await;
    let mut esme = rig.transceiver().await;
    let got = [esme.next().await, esme.next().await, esme.next().await];
    for (got, status) in got.iter().zip([Status::ROK, Status::RX_T_APPN, Status::ROK]) {
        esme.answer(got, status).await;
    }
    let again = esme.next().await;
    assert_eq!(again.sm().tlvs.receipted_message_id(), Some(written(ids[1]).as_bytes()));
    esme.answer(&again, Status::ROK).await;
    rig.wait_until_settled(&system).await;
    rig.stop().await;
}

#[tokio::test]
async fn the_window_is_held_and_the_order_kept() {
    let system = SystemSettings { window: 2, ..system() };
    let rig = Rig::start(&system).await;
    let ids: Vec<MessageId> = (0..20).map(|_| MessageId::generate()).collect();
    rig.deliver(&system, ids.iter().map(|id| receipt(*id, State::Delivered)).collect()).await;
    let mut esme = rig.transceiver().await;
    let mut open = Vec::new();
    for id in &ids {
        if open.len() == 2 {
            // With two unanswered the next thing that comes is the answer to our enquiry.
            assert_eq!(esme.ask(&Body::EnquireLink).await.command, CommandId::ENQUIRE_LINK_RESP);
            esme.answer(&open.remove(0), Status::ROK).await;
        }
        let got = esme.next().await;
        assert_eq!(got.sm().tlvs.receipted_message_id(), Some(written(*id).as_bytes()));
        open.push(got);
    }
    for got in open {
        esme.answer(&got, Status::ROK).await;
    }
    rig.wait_until_settled(&system).await;
    rig.stop().await;
}

#[tokio::test]
async fn what_a_lost_session_did_not_answer_goes_to_the_next() {
    let system = system();
    let rig = Rig::start(&system).await;
    let ids: Vec<MessageId> = (0..5).map(|_| MessageId::generate()).collect();
    rig.deliver(&system, ids.iter().map(|id| receipt(*id, State::Delivered)).collect()).await;
    let mut first = rig.transceiver().await;
    let got = first.next().await;
    first.answer(&got, Status::ROK).await;
    until("one delivered", || rig.status.sessions()[0].delivered == 1).await;
    drop(first);
    until("no session", || rig.status.sessions().is_empty()).await;
    let mut second = rig.transceiver().await;
    for id in &ids[1..] {
        let got = second.next().await;
        assert_eq!(got.sm().tlvs.receipted_message_id(), Some(written(*id).as_bytes()));
        second.answer(&got, Status::ROK).await;
    }
    rig.wait_until_settled(&system).await;
    rig.stop().await;
}

#[tokio::test]
async fn what_is_not_answered_in_time_goes_out_again() {
    let system = system();
    let limits = smpp_edge::Bounds { response_timeout: Duration::from_millis(200), ..bounds() };
    let rig = Rig::start_with(limits, std::slice::from_ref(&system), |listener| listener).await;
    rig.deliver(&system, vec![receipt(MessageId::generate(), State::Delivered)]).await;
    let mut esme = rig.transceiver().await;
    let (first, started) = (esme.next().await, Instant::now());
    let second = esme.next().await;
    assert!(started.elapsed() >= Duration::from_millis(200));
    assert_eq!(first.sm(), second.sm());
    // Late answers belong to nothing.
    esme.answer(&first, Status::ROK).await;
    esme.answer(&second, Status::ROK).await;
    rig.wait_until_settled(&system).await;
    rig.stop().await;
}

#[tokio::test]
async fn what_has_expired_is_dropped() {
    let system = system();
    let rig = Rig::start(&system).await;
    let deliver = |what, minutes| Deliver {
        id: uuid::Uuid::now_v7(),
        system_id: system.id,
        account_id: system.account_id,
        expires_at: Utc::now() + TimeDelta::minutes(minutes),
        what,
    };
    let (old, fresh) = (MessageId::generate(), MessageId::generate());
    let both = [deliver(receipt(old, State::Delivered), -1), deliver(receipt(fresh, State::Delivered), 1)];
    rig.deliver_all(&system, &both).await;
    let mut esme = rig.transceiver().await;
    let got = esme.next().await;
    assert_eq!(got.sm().tlvs.receipted_message_id(), Some(written(fresh).as_bytes()));
    esme.answer(&got, Status::ROK).await;
    rig.wait_until_settled(&system).await;
    rig.stop().await;
}

#[tokio::test]
async fn what_nobody_takes_goes_back_for_other_edges() {
    let system = SystemSettings { window: 1, ..system() };
    let rig = Rig::start(&system).await;
    let ids: Vec<MessageId> = (0..3).map(|_| MessageId::generate()).collect();
    rig.deliver(&system, ids.iter().map(|id| receipt(*id, State::Delivered)).collect()).await;
    let mut esme = rig.transceiver().await;
    let got = esme.next().await;
    esme.answer(&got, Status::ROK).await;
    esme.next().await;
    drop(esme);
    let queue = rig.stop().await;
    // The first is done; the others lie in the queue and can be received at once.
    let take = queue::Take { max: 10, wait: Duration::ZERO, lease: Duration::from_secs(1) };
    let left = queue::Queue::receive(queue.as_ref(), &queues::deliver(system.id), take).await.unwrap();
    let left: usize = left.iter().map(|one| one.body.windows(12).filter(|w| w == b"\"message_id\"").count()).sum();
    assert_eq!(left, 2);
}

#[tokio::test]
async fn what_cannot_be_read_is_parked() {
    let system = system();
    let rig = Rig::start(&system).await;
    let name = queues::deliver(system.id);
    queue::Queue::send(rig.queue.as_ref(), &name, &[queue::Out::now(&b"{}"[..])]).await[0].as_ref().unwrap();
    let _esme = rig.transceiver().await;
    until("one parked", || rig.queue.parked_count(&name) == 1).await;
    rig.stop().await;
}
