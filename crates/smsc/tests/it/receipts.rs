//! Receipts and messages from handsets.

use std::time::{Duration, Instant};

use smpp::pdu::Sm;
use smpp::receipt::State;
use smpp::text::{self, Encoding};
use smpp::udh::Udh;
use smpp::{Body, CommandId, Status};
use smsc::{Format, IdForm, Outcome, Outcomes, Profile, Receipts, Rule};

use crate::client::{Client, NUMBER, message, smsc, until, with_receipts};

#[tokio::test]
async fn receipts_name_the_message_and_its_end() {
    let smsc = smsc(Profile::default()).await;
    let mut client = Client::transceiver(&smsc).await;
    let id = client.submit_and_wait(NUMBER, "hi").await.message_id();
    let receipt = client.receive().await;
    assert_eq!(receipt.receipt(), (id, State::Delivered));
    let sm = receipt.deliver_sm();
    assert_eq!((sm.source.addr, sm.destination.addr), (NUMBER.as_bytes(), &b"Acme"[..]));
    client.answer(&receipt, Status::ROK).await;
    until(|| smsc.counters().deliveries_confirmed == 1).await;
    assert_eq!(smsc.counters().receipts_sent, 1);
}

#[tokio::test]
async fn receipts_of_every_format_can_be_read() {
    for format in [Format::Standard, Format::TextOnly, Format::TlvOnly, Format::Terse, Format::Reordered] {
        let outcomes = Outcomes { expired_per_mille: 1000, ..Outcomes::default() };
        let smsc = smsc(with_receipts(Receipts { format, outcomes, ..Receipts::default() })).await;
        let mut client = Client::transceiver(&smsc).await;
        let id = client.submit_and_wait(NUMBER, "hi").await.message_id();
        assert_eq!(client.receive().await.receipt(), (id, State::Expired), "{format:?}");
    }
}

#[tokio::test]
async fn rules_decide_the_outcome() {
    let rules = [
        ("01", Outcome::Undelivered, Some(State::Undeliverable)),
        ("02", Outcome::Expired, Some(State::Expired)),
        ("03", Outcome::Rejected, Some(State::Rejected)),
        ("04", Outcome::Deleted, Some(State::Deleted)),
        ("05", Outcome::Unknown, Some(State::Unknown)),
        ("06", Outcome::Silent, None),
        ("07", Outcome::Delivered, Some(State::Delivered)),
    ];
    let rule = |suffix: &str, outcome| Rule { suffix: suffix.into(), outcome: Some(outcome), ..Rule::default() };
    let profile = Profile { rules: rules.iter().map(|row| rule(row.0, row.1)).collect(), ..Profile::default() };
    let smsc = smsc(profile).await;
    let mut client = Client::transceiver(&smsc).await;
    for (suffix, _, state) in rules {
        client.submit_and_wait(&format!("9989012345{suffix}"), "hi").await;
        match state {
            Some(state) => assert_eq!(client.receive().await.receipt().1, state),
            None => assert!(client.is_silent().await),
        }
    }
}

#[tokio::test]
async fn only_receipts_that_were_asked_for_come() {
    let failing = Outcomes { undelivered_per_mille: 1000, ..Outcomes::default() };
    for (outcomes, wanted) in [(Outcomes::default(), [false, true, false, true]), (failing, [false, true, true, false])]
    {
        let smsc = smsc(with_receipts(Receipts { outcomes, ..Receipts::default() })).await;
        let mut client = Client::transceiver(&smsc).await;
        for (registered_delivery, wanted) in (0..).zip(wanted) {
            let sm = Sm { registered_delivery, ..message(NUMBER, b"hi") };
            client.ask(&Body::SubmitSm(sm)).await;
            if wanted {
                client.receive().await.receipt();
            }
        }
        assert!(client.is_silent().await);
    }
}

#[tokio::test]
async fn receipts_wait_for_a_receiver_of_the_account() {
    let smsc = smsc(Profile::default()).await;
    let mut transmitter = Client::transmitter(&smsc).await;
    let first = transmitter.submit_and_wait(NUMBER, "hi").await.message_id();
    assert!(transmitter.is_silent().await);
    assert_eq!(smsc.pending(), 1);
    let mut receiver = Client::receiver(&smsc).await;
    assert_eq!(receiver.receive().await.receipt().0, first);
    // And with the receiver there, it is told of the next one.
    let second = transmitter.submit_and_wait(NUMBER, "ho").await.message_id();
    assert_eq!(receiver.receive().await.receipt().0, second);
}

#[tokio::test]
async fn receipts_late_early_intermediate_and_twice() {
    let smsc = smsc(with_receipts(Receipts { delay_ms: 300, ..Receipts::default() })).await;
    let mut client = Client::transceiver(&smsc).await;
    let start = Instant::now();
    client.submit_and_wait(NUMBER, "late").await;
    client.receive().await.receipt();
    assert!(start.elapsed() >= Duration::from_millis(299));

    smsc.set_profile(with_receipts(Receipts { before_answer: true, ..Receipts::default() }));
    client.submit(NUMBER, "early").await;
    let early = client.receive().await.receipt().0;
    assert_eq!(client.receive().await.message_id(), early);

    smsc.set_profile(with_receipts(Receipts { intermediate: true, copies: 2, ..Receipts::default() }));
    let id = client.submit_and_wait(NUMBER, "often").await.message_id();
    for state in [State::Enroute, State::Delivered, State::Delivered] {
        assert_eq!(client.receive().await.receipt(), (id.clone(), state));
    }
}

#[tokio::test]
async fn ids_in_receipts_may_take_another_form() {
    let receipts = Receipts { ids: Some(IdForm::Hex), format: Format::TextOnly, ..Receipts::default() };
    let smsc = smsc(with_receipts(receipts)).await;
    let mut client = Client::transceiver(&smsc).await;
    let decimal = client.submit_and_wait(NUMBER, "hi").await.message_id();
    let hex = client.receive().await.receipt().0;
    assert_eq!(u64::from_str_radix(&hex, 16).ok(), decimal.parse().ok());
}

#[tokio::test]
async fn unanswered_receipts_fill_the_window_and_come_again() {
    let receipts = Receipts { window: 2, resend_ms: 200, attempts_max: 2, ..Receipts::default() };
    let smsc = smsc(with_receipts(receipts)).await;
    let mut client = Client::transceiver(&smsc).await;
    let mut transmitter = Client::transmitter(&smsc).await;
    for text in ["a", "b", "c"] {
        transmitter.submit_and_wait(NUMBER, text).await;
    }
    let first = client.receive().await;
    client.receive().await;
    assert!(client.is_silent().await);
    client.answer(&first, Status::ROK).await;
    let third = client.receive().await.receipt().0;
    // The second and the third were not answered: each comes once more.
    let mut again = [client.receive().await.receipt().0, client.receive().await.receipt().0];
    again.sort();
    assert!(again.contains(&third));
    until(|| smsc.counters().deliveries_dropped == 2).await;
    assert_eq!((smsc.counters().receipts_sent, smsc.pending()), (5, 0));
}

#[tokio::test]
async fn refused_receipts_come_again_only_if_that_may_help() {
    let smsc = smsc(Profile::default()).await;
    let mut client = Client::transceiver(&smsc).await;
    client.submit_and_wait(NUMBER, "hi").await;
    let receipt = client.receive().await;
    client.answer(&receipt, Status::RX_T_APPN).await;
    let again = client.receive().await;
    assert_eq!(again.receipt(), receipt.receipt());
    client.answer(&again, Status::RX_P_APPN).await;
    until(|| smsc.counters().deliveries_dropped == 1).await;
    assert_eq!((smsc.counters().deliveries_failed, smsc.pending()), (2, 0));
}

#[tokio::test]
async fn receipts_of_a_lost_session_go_to_the_next() {
    let smsc = smsc(Profile::default()).await;
    let mut client = Client::transceiver(&smsc).await;
    let id = client.submit_and_wait(NUMBER, "hi").await.message_id();
    client.receive().await.receipt();
    drop(client);
    let mut next = Client::transceiver(&smsc).await;
    assert_eq!(next.receive().await.receipt().0, id);
}

#[tokio::test]
async fn handsets_write_too() {
    let smsc = smsc(Profile::default()).await;
    assert!(smsc.deliver("nobody", NUMBER, "1234", "STOP").is_err());
    smsc.deliver("acme", NUMBER, "1234", "STOP").unwrap();
    let mut client = Client::receiver(&smsc).await;
    let stop = client.receive().await;
    assert_eq!(stop.head().0, CommandId::DELIVER_SM);
    assert_eq!((stop.deliver_sm().short_message, stop.deliver_sm().source.addr), (&b"STOP"[..], NUMBER.as_bytes()));

    let long = "я".repeat(100);
    smsc.deliver("acme", NUMBER, "1234", &long).unwrap();
    let mut shown = String::new();
    for part in 1..=2 {
        let delivery = client.receive().await;
        let (udh, body) = Udh::parse(delivery.deliver_sm().short_message).unwrap();
        assert_eq!(udh.concat().map(|concat| (concat.total, concat.part)), Some((2, part)));
        shown += &text::decode(body, Encoding::Ucs2);
    }
    assert_eq!(shown, long);
}
