//! Operators that do wrong: nothing is lost, nothing is sent twice, and each message has its outcome.

use std::time::Duration;

use chrono::{Timelike, Utc};
use contract::OutcomeClass;
use contract::profile::{OpenHours, UnknownPolicy};
use smsc::{Answers, Fault, FaultKind, Link, Profile};

use crate::rig::{Rig, config, messages, operator, until};

/// Sends to an operator that does wrong until every message has an outcome; `done` says which may be.
async fn each_has_an_outcome(case: &str, theirs: Profile, may_be: &[OutcomeClass]) {
    let (smsc, settings) = operator(theirs).await;
    let mut short = config();
    (short.enquire_after, short.enquire_timeout) = (Duration::from_millis(300), Duration::from_millis(300));
    short.pdu_timeout = Duration::from_millis(300);
    let rig = Rig::start(short, &[&settings]).await;
    rig.submit(&settings, &messages(40)).await;
    let outcomes = rig.wait_for_outcomes(40).await;
    assert!(outcomes.iter().all(|o| may_be.contains(&o.class)), "{case}");
    assert_eq!(smsc.repeats().repeated, 0, "{case}");
    rig.wait_until_settled(&settings).await;
    rig.stop().await;
}

#[tokio::test]
async fn faults_of_a_session() {
    use OutcomeClass::{Accepted, Unknown};
    let fault = |kind| Profile { fault: Some(Fault { after_submits: 15, kind }), ..Profile::default() };
    for (case, theirs, may_be) in [
        ("closes in mid-window", fault(FaultKind::Close), &[Accepted, Unknown][..]),
        ("half an answer", fault(FaultKind::Cut), &[Accepted, Unknown]),
        ("half-open", fault(FaultKind::Stall), &[Accepted, Unknown]),
        ("never reads", fault(FaultKind::NeverRead), &[Accepted, Unknown]),
        ("unbinds", fault(FaultKind::Unbind), &[Accepted, Unknown]),
        ("garbage", fault(FaultKind::Garbage), &[Accepted, Unknown]),
        ("answers after the timeout", Profile { latency_ms: 900, ..Profile::default() }, &[Unknown]),
        ("unknown numbers only", Profile { answers: Answers::Misnumbered, ..Profile::default() }, &[Unknown]),
        (
            "enquire_link is ignored",
            Profile { link: Link { ignore_enquire_link: true, ..Link::default() }, ..Profile::default() },
            &[Accepted],
        ),
    ] {
        each_has_an_outcome(case, theirs, may_be).await;
    }
}

#[tokio::test]
async fn one_octet_at_a_time_holds_no_session() {
    let (smsc, settings) = operator(Profile::default()).await;
    let mut short = config();
    (short.pdu_timeout, short.backoff_max) = (Duration::from_millis(200), Duration::from_millis(50));
    let rig = Rig::start(short, &[&settings]).await;
    rig.wait_for_binds(&settings, 2).await;
    let link = Link { bytes_per_second_max: Some(1), enquire_link_every_ms: Some(10), ..Link::default() };
    smsc.set_profile(Profile { link, ..Profile::default() });
    until("closed sessions", || rig.status.bound(settings.id) == 0).await;
    smsc.set_profile(Profile::default());
    rig.submit(&settings, &messages(10)).await;
    rig.wait_for_outcomes(10).await;
    rig.stop().await;
}

#[tokio::test]
async fn a_profile_may_say_to_send_again_once() {
    let (smsc, mut settings) = operator(Profile { answers: Answers::Never, ..Profile::default() }).await;
    settings.profile.unknown = UnknownPolicy::Resend;
    let rig = Rig::start(config(), &[&settings]).await;
    rig.submit(&settings, &messages(5)).await;
    let outcomes = rig.wait_for_outcomes(5).await;
    assert!(outcomes.iter().all(|o| o.class == OutcomeClass::Unknown && o.segments.len() == 1));
    assert_eq!((smsc.repeats().distinct, smsc.repeats().repeated), (5, 5));
    rig.wait_until_settled(&settings).await;
    rig.stop().await;
}

#[tokio::test]
async fn outside_of_its_hours_an_operator_gets_nothing() {
    let (smsc, mut settings) = operator(Profile::default()).await;
    let now = Utc::now();
    let minute = u16::try_from(now.hour() * 60 + now.minute()).unwrap();
    let hours = |from, until| {
        let (from_minute, until_minute) = ((minute + from) % 1_440, (minute + until) % 1_440);
        vec![OpenHours { days: Vec::new(), from_minute, until_minute, zone_minutes: 0 }]
    };
    settings.profile.open_hours = hours(120, 180);
    let rig = Rig::start(config(), &[&settings]).await;
    rig.wait_for_binds(&settings, 2).await;
    rig.submit(&settings, &messages(20)).await;
    let sent = until("a submit", || smsc.counters().submits > 0);
    assert!(tokio::time::timeout(Duration::from_millis(500), sent).await.is_err());
    assert_eq!(rig.status.bound(settings.id), 2, "its sessions stay");
    settings.profile.open_hours = hours(1_380, 120);
    rig.platform.set(settings.clone());
    rig.wait_for_outcomes(20).await;
    assert_eq!(smsc.counters().binds, 2);
    rig.stop().await;
}

#[tokio::test]
async fn a_session_without_messages_is_opened_anew() {
    let (smsc, mut settings) = operator(Profile::default()).await;
    settings.binds = 1;
    settings.profile.session.inactivity_seconds = 1;
    let rig = Rig::start(config(), &[&settings]).await;
    until("another bind", || smsc.counters().binds >= 2).await;
    rig.submit(&settings, &messages(5)).await;
    rig.wait_for_outcomes(5).await;
    rig.stop().await;
}
