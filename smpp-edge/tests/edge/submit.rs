//! Submitting: what arrives at the handset, and which outcome is told.

use std::collections::HashSet;

use chrono::{TimeDelta, Utc};
use contract::{OutcomeClass, ReceiptState, queues};
use smsc::{Answers, Format, IdForm, Outcome, Profile, Receipts, Refusal, Rule};

use crate::rig::{Rig, config, message, messages, operator, until};

#[tokio::test]
async fn every_message_arrives_once_and_is_told() {
    let (smsc, settings) = operator(Profile::default()).await;
    let rig = Rig::start(config(), &[&settings]).await;
    let sent = messages(500);
    rig.submit(&settings, &sent).await;
    let outcomes = rig.wait_for_outcomes(500).await;
    assert!(outcomes.iter().all(|o| o.class == OutcomeClass::Accepted && o.segments.len() == 1));
    let ids: HashSet<_> = outcomes.iter().map(|o| o.message_id).collect();
    assert_eq!(ids, sent.iter().map(|m| m.message_id).collect());
    rig.wait_until_settled(&settings).await;
    let repeats = smsc.repeats();
    assert_eq!((repeats.distinct, repeats.repeated), (500, 0));
    assert_eq!(smsc.shown("998900000007")[0].text, "text 7");

    until("receipts", || rig.receipts().len() == 500).await;
    until("confirmed receipts", || smsc.counters().deliveries_confirmed == 500).await;
    let accepted: HashSet<_> = outcomes.into_iter().filter_map(|o| o.segments[0].smpp_message_id.clone()).collect();
    let receipts = rig.receipts();
    assert!(receipts.iter().all(|r| r.state == ReceiptState::Delivered && accepted.contains(&r.smpp_message_id)));
    rig.stop().await;
}

#[tokio::test]
async fn texts_arrive_as_they_were_written() {
    let (smsc, settings) = operator(Profile::default()).await;
    let rig = Rig::start(config(), &[&settings]).await;
    let texts = [
        "Hello".to_owned(),
        "€{}[]~".to_owned(),
        "Салом, дунё".to_owned(),
        "🙂".repeat(40),
        "long ".repeat(90),
        "длинный ".repeat(30),
    ];
    let number = |n: usize| (998_901_000_000 + n).to_string();
    let sent: Vec<_> = texts.iter().enumerate().map(|(n, text)| message(&number(n), text)).collect();
    rig.submit(&settings, &sent).await;
    let outcomes = rig.wait_for_outcomes(texts.len()).await;
    for (n, text) in texts.iter().enumerate() {
        let shown = smsc.shown(&number(n));
        assert_eq!((shown.len(), shown[0].text.as_str(), shown[0].source.as_str()), (1, text.as_str(), "Chappe"));
        let outcome = outcomes.iter().find(|o| o.message_id == sent[n].message_id).unwrap();
        assert_eq!(outcome.segments.len(), usize::from(sent[n].segments));
        let numbers: Vec<u8> = outcome.segments.iter().map(|s| s.segment).collect();
        assert_eq!(numbers, (1..=sent[n].segments).collect::<Vec<_>>());
    }
    assert!(smsc.log().iter().all(|m| m.registered_delivery == 1));
    rig.stop().await;
}

#[tokio::test]
async fn a_message_longer_than_the_window_arrives() {
    let (smsc, mut settings) = operator(Profile::default()).await;
    (settings.window, settings.binds) = (1, 1);
    let rig = Rig::start(config(), &[&settings]).await;
    let text = "window ".repeat(150);
    rig.submit(&settings, &[message("998901234567", &text)]).await;
    let outcomes = rig.wait_for_outcomes(1).await;
    assert_eq!((outcomes[0].class, outcomes[0].segments.len()), (OutcomeClass::Accepted, 7));
    assert_eq!(smsc.times_seen("998901234567", &text), 1);
    rig.stop().await;
}

/// One status, and what becomes of a message that gets it: class, segments told, submits made.
async fn check(status: u32, class: OutcomeClass, submits: u64) {
    let rule = Rule { suffix: "1".to_owned(), status: Some(status), ..Rule::default() };
    let (smsc, settings) = operator(Profile { rules: vec![rule], ..Profile::default() }).await;
    let rig = Rig::start(config(), &[&settings]).await;
    let refused = message("998901111111", "refused");
    rig.submit(&settings, &[refused.clone(), message("998901111112", "fine")]).await;
    let outcomes = rig.wait_for_outcomes(2).await;
    let outcome = outcomes.iter().find(|o| o.message_id == refused.message_id).unwrap();
    assert_eq!((outcome.class, outcome.segments[0].status), (class, Some(status)), "{status:#x}");
    assert_eq!(smsc.counters().submits, submits + 1, "{status:#x}");
    rig.wait_until_settled(&settings).await;
    rig.stop().await;
}

#[tokio::test]
async fn statuses_decide_retries_and_classes() {
    for (status, class, submits) in [
        (0x0B, OutcomeClass::Permanent, 1),
        (0x0A, OutcomeClass::Temporary, 1),
        (0x08, OutcomeClass::Temporary, 3),
        (0x45, OutcomeClass::Temporary, 3),
        (0xFF, OutcomeClass::Temporary, 2),
        (0x401, OutcomeClass::Temporary, 2),
        (0x15, OutcomeClass::Temporary, 1),
    ] {
        check(status, class, submits).await;
    }
}

#[tokio::test]
async fn a_throttled_message_goes_again_until_it_is_taken() {
    let refusals = vec![Refusal { status: 0x58, per_mille: 300 }];
    let (smsc, settings) = operator(Profile { refusals, ..Profile::default() }).await;
    let rig = Rig::start(config(), &[&settings]).await;
    rig.submit(&settings, &messages(100)).await;
    let outcomes = rig.wait_for_outcomes(100).await;
    assert!(outcomes.iter().all(|o| o.class == OutcomeClass::Accepted));
    assert!(smsc.counters().refused > 0);
    assert_eq!((smsc.repeats().distinct, smsc.repeats().repeated), (100, 0));
    rig.stop().await;
}

#[tokio::test]
async fn answers_out_of_order_find_their_messages() {
    let profile = Profile { answers: Answers::Reversed, latency_ms: 20, jitter_ms: 20, ..Profile::default() };
    let (smsc, settings) = operator(profile).await;
    let rig = Rig::start(config(), &[&settings]).await;
    let sent = messages(60);
    rig.submit(&settings, &sent).await;
    let outcomes = rig.wait_for_outcomes(60).await;
    for entry in smsc.log() {
        let sent = sent.iter().find(|m| m.to.digits().as_bytes() == &*entry.destination).unwrap();
        let outcome = outcomes.iter().find(|o| o.message_id == sent.message_id).unwrap();
        assert_eq!(outcome.segments[0].smpp_message_id, Some(entry.message_id()));
    }
    rig.stop().await;
}

#[tokio::test]
async fn an_expired_message_is_not_submitted() {
    let (smsc, settings) = operator(Profile::default()).await;
    let rig = Rig::start(config(), &[&settings]).await;
    let mut late = message("998901234567", "late");
    late.expires_at = Utc::now() - TimeDelta::seconds(1);
    rig.submit(&settings, &[late]).await;
    let outcomes = rig.wait_for_outcomes(1).await;
    assert_eq!((outcomes[0].class, outcomes[0].segments.len()), (OutcomeClass::Expired, 0));
    assert_eq!(smsc.counters().submits, 0);
    rig.wait_until_settled(&settings).await;
    rig.stop().await;
}

#[tokio::test]
async fn the_rate_is_held() {
    let (smsc, mut settings) = operator(Profile::default()).await;
    settings.tps = 100;
    let rig = Rig::start(config(), &[&settings]).await;
    rig.wait_for_binds(&settings, 2).await;
    let started = std::time::Instant::now();
    rig.submit(&settings, &messages(100)).await;
    rig.wait_for_outcomes(100).await;
    let took = started.elapsed();
    assert!((900..2_000).contains(&took.as_millis()), "100 messages at 100 per second took {took:?}");
    assert_eq!(smsc.counters().accepted, 100);
    rig.stop().await;
}

#[tokio::test]
async fn an_unreadable_envelope_is_parked_and_the_rest_goes_on() {
    let (_smsc, settings) = operator(Profile::default()).await;
    let rig = Rig::start(config(), &[&settings]).await;
    let queue = queues::submit(settings.id);
    let bad = queue::Out::now(&b"{\"v\":9}"[..]);
    queue::Queue::send(rig.queue.as_ref(), &queue, &[bad]).await[0].as_ref().unwrap();
    rig.submit(&settings, &messages(3)).await;
    rig.wait_for_outcomes(3).await;
    until("a parked envelope", || rig.queue.parked_count(&queue) == 1).await;
    rig.stop().await;
}

#[tokio::test]
async fn receipts_in_any_form_are_read() {
    for format in [Format::Standard, Format::TextOnly, Format::TlvOnly, Format::Terse, Format::Reordered] {
        let receipts = Receipts { format, intermediate: true, ..Receipts::default() };
        let rule = Rule { suffix: "1".to_owned(), outcome: Some(Outcome::Undelivered), ..Rule::default() };
        let profile = Profile { receipts, ids: IdForm::Uuid, rules: vec![rule], ..Profile::default() };
        let (_smsc, settings) = operator(profile).await;
        let rig = Rig::start(config(), &[&settings]).await;
        rig.submit(&settings, &[message("998901234561", "bad"), message("998901234562", "good")]).await;
        let outcomes = rig.wait_for_outcomes(2).await;
        until("two receipts of each", || rig.receipts().len() == 4).await;
        for outcome in outcomes {
            let id = outcome.segments[0].smpp_message_id.clone().unwrap();
            let states: Vec<_> = rig.receipts().iter().filter(|r| r.smpp_message_id == id).map(|r| r.state).collect();
            assert!(states.contains(&ReceiptState::Enroute), "{format:?}: {states:?}");
            let last = states.iter().any(|s| matches!(s, ReceiptState::Delivered | ReceiptState::Undeliverable));
            assert!(last, "{format:?}: {states:?}");
        }
        rig.stop().await;
    }
}
