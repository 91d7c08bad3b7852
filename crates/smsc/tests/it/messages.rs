//! Submits: answers, refusals, and what a handset shows.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use smpp::pdu::{DataSm, ESM_UDHI, Sm};
use smpp::text::{self, Encoding};
use smpp::tlv::{self, Tag};
use smpp::udh::{Concat, Reference};
use smpp::{Body, CommandId, Status, Tlvs};
use smsc::{Answers, IdForm, Profile, Refusal, Rule};

use crate::client::{Client, NUMBER, message, quiet, smsc};

#[tokio::test]
async fn pipelined_submits_are_answered_in_order_with_their_own_ids() {
    let smsc = smsc(quiet(|_| {})).await;
    let mut client = Client::transceiver(&smsc).await;
    let mut sent = Vec::new();
    for number in 0..500 {
        sent.push(client.submit(NUMBER, &format!("message {number}")).await);
    }
    let mut ids = HashSet::new();
    for sequence in sent {
        let answer = client.receive().await;
        assert_eq!(answer.head(), (CommandId::SUBMIT_SM_RESP, Status::ROK, sequence));
        ids.insert(answer.message_id());
    }
    assert_eq!(ids.len(), 500);
    let logged: HashSet<_> = smsc.log().iter().map(smsc::Accepted::message_id).collect();
    assert_eq!(logged, ids);
    let counters = smsc.counters();
    assert_eq!((counters.submits, counters.accepted, counters.answers_sent), (500, 500, 500));
}

#[tokio::test]
async fn answers_come_late_reversed_or_never() {
    let smsc = smsc(quiet(|profile| profile.latency_ms = 300)).await;
    let mut client = Client::transmitter(&smsc).await;
    let start = Instant::now();
    client.submit_and_wait(NUMBER, "late").await;
    assert!(start.elapsed() >= Duration::from_millis(299));

    let mut three = BytesMut::new();
    for sequence in 101..=103 {
        smpp::encode(&mut three, Status::ROK, sequence, &Body::SubmitSm(message(NUMBER, b"hi"))).unwrap();
    }
    smsc.set_profile(quiet(|profile| profile.answers = Answers::Reversed));
    client.send_bytes(&three).await;
    for sequence in [103, 102, 101] {
        assert_eq!(client.receive().await.head().2, sequence);
    }

    smsc.set_profile(quiet(|profile| profile.answers = Answers::Never));
    client.send_bytes(&three).await;
    assert!(client.is_silent().await);
    assert_eq!(client.ask(&Body::EnquireLink).await.head().1, Status::ROK);
    assert_eq!(smsc.counters().accepted, 7);
}

#[tokio::test]
async fn ids_take_the_form_asked_for() {
    let smsc = smsc(quiet(|profile| profile.ids = IdForm::Hex)).await;
    let mut client = Client::transmitter(&smsc).await;
    let id = client.submit_and_wait(NUMBER, "hi").await.message_id();
    assert!(u64::from_str_radix(&id, 16).is_ok(), "{id}");
    smsc.set_profile(quiet(|profile| profile.ids = IdForm::Repeated));
    let mut ids = Vec::new();
    for text in ["a", "b", "c", "d"] {
        ids.push(client.submit_and_wait(NUMBER, text).await.message_id());
    }
    let distinct: HashSet<_> = ids.iter().collect();
    assert!(distinct.len() < ids.len(), "{ids:?}");
}

#[tokio::test]
async fn refusals_by_rule_share_rate_and_window() {
    let refuse =
        |suffix: &str, status: Status| Rule { suffix: suffix.into(), status: Some(status.0), ..Rule::default() };
    let check = async |profile: Profile, expected: Status| {
        let smsc = smsc(profile).await;
        let mut client = Client::transmitter(&smsc).await;
        let status = client.submit_and_wait(NUMBER, "hi").await.head().1;
        assert_eq!(status, expected);
        assert_eq!(smsc.counters().refused, u64::from(expected != Status::ROK));
        assert_eq!(smsc.log().len(), usize::from(expected == Status::ROK));
    };
    let share = |status: Status| vec![Refusal { status: status.0, per_mille: 1000 }];
    check(quiet(|profile| profile.rules = vec![refuse("67", Status::RINVDSTADR)]), Status::RINVDSTADR).await;
    check(quiet(|profile| profile.rules = vec![refuse("68", Status::RINVDSTADR)]), Status::ROK).await;
    check(quiet(|profile| profile.refusals = share(Status::RSYSERR)), Status::RSYSERR).await;
    check(quiet(|profile| profile.submits_per_second_max = Some(0)), Status::RTHROTTLED).await;
    check(quiet(|profile| profile.window_max = Some(0)), Status::RTHROTTLED).await;
}

#[tokio::test]
async fn a_fifth_is_throttled() {
    let refusals = vec![Refusal { status: Status::RTHROTTLED.0, per_mille: 200 }];
    let smsc = smsc(quiet(|profile| profile.refusals = refusals)).await;
    let mut client = Client::transmitter(&smsc).await;
    for _ in 0..1000 {
        client.submit_and_wait(NUMBER, "hi").await;
    }
    let counters = smsc.counters();
    assert!((150..250).contains(&counters.throttled), "{counters:?}");
    assert_eq!(counters.accepted + counters.throttled, 1000);
}

#[tokio::test]
async fn segments_that_the_radio_could_not_carry_are_refused() {
    let smsc = smsc(quiet(|_| {})).await;
    let mut client = Client::transmitter(&smsc).await;
    for (data_coding, bytes, status) in [
        (0, 160, Status::ROK),
        (0, 161, Status::RINVMSGLEN),
        (8, 140, Status::ROK),
        (8, 142, Status::RINVMSGLEN),
        (3, 141, Status::RINVMSGLEN),
    ] {
        let text = vec![b'a'; bytes];
        let body = Body::SubmitSm(Sm { data_coding, ..message(NUMBER, &text) });
        assert_eq!(client.ask(&body).await.head().1, status, "{data_coding} {bytes}");
    }
    let broken = Body::SubmitSm(Sm { esm_class: ESM_UDHI, ..message(NUMBER, b"\x09oops") });
    assert_eq!(client.ask(&broken).await.head().1, Status::RINVESMCLASS);
}

#[tokio::test]
async fn handsets_show_what_was_meant() {
    let smsc = smsc(quiet(|_| {})).await;
    let mut client = Client::transceiver(&smsc).await;
    let long = "Ўзбекистон 😀 ".repeat(20);
    let encoding = text::choose(&long);
    let parts = text::split(&long, encoding, text::Concat::Udh16).unwrap();
    let total = u8::try_from(parts.len()).unwrap();
    for (part, body) in (1..=total).zip(&parts).rev() {
        let octets = Concat { reference: Reference::Bits16(700), total, part }.prefix(body);
        let sm = Sm { esm_class: ESM_UDHI, data_coding: encoding.data_coding(), ..message(NUMBER, &octets) };
        assert_eq!(client.ask(&Body::SubmitSm(sm)).await.head().1, Status::ROK);
    }
    for (part, body) in [(1, "by "), (2, "TLV")] {
        let mut tlvs = BytesMut::new();
        tlv::put(&mut tlvs, Tag::SAR_MSG_REF_NUM, &[0, 7]).unwrap();
        tlv::put(&mut tlvs, Tag::SAR_TOTAL_SEGMENTS, &[2]).unwrap();
        tlv::put(&mut tlvs, Tag::SAR_SEGMENT_SEQNUM, &[part]).unwrap();
        let sm = Sm { tlvs: Tlvs::new(&tlvs), ..message(NUMBER, body.as_bytes()) };
        client.ask(&Body::SubmitSm(sm)).await;
    }
    let payload = "x".repeat(1000);
    let mut tlvs = BytesMut::new();
    tlv::put(&mut tlvs, Tag::MESSAGE_PAYLOAD, payload.as_bytes()).unwrap();
    let destination = message(NUMBER, b"").destination;
    let data = DataSm { destination, tlvs: Tlvs::new(&tlvs), ..DataSm::default() };
    assert_eq!(client.ask(&Body::DataSm(data)).await.head().0, CommandId::DATA_SM_RESP);
    client.ask(&Body::SubmitSm(message(NUMBER, &text::encode("50 €", Encoding::Gsm7).unwrap()))).await;

    let shown: Vec<String> = smsc.shown(NUMBER).into_iter().map(|shown| shown.text).collect();
    assert_eq!(shown, [long.as_str(), "by TLV", &payload, "50 €"]);
    assert!(smsc.shown("998900000000").is_empty());
}

#[tokio::test]
async fn repeated_messages_are_counted() {
    let smsc = smsc(quiet(|_| {})).await;
    let mut client = Client::transmitter(&smsc).await;
    for text in ["once", "twice", "twice"] {
        client.submit_and_wait(NUMBER, text).await;
    }
    let seen = ["never", "once", "twice"].map(|text| smsc.times_seen(NUMBER, text));
    assert_eq!(seen, [0, 1, 2]);
    assert_eq!((smsc.repeats().distinct, smsc.repeats().repeated), (2, 1));
}
