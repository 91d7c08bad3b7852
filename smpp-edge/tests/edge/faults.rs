//! What breaks, and who notices.

use std::sync::atomic::Ordering;
use std::time::Duration;

use contract::{OutcomeClass, Routed, queues};
use smsc::{Answers, Fault, FaultKind, Profile};

use crate::rig::{Rig, config, messages, operator, until};

#[tokio::test]
async fn no_answer_is_an_unknown_outcome() {
    let (smsc, settings) = operator(Profile { answers: Answers::Never, ..Profile::default() }).await;
    let rig = Rig::start(config(), &[&settings]).await;
    rig.submit(&settings, &messages(5)).await;
    let outcomes = rig.wait_for_outcomes(5).await;
    for outcome in &outcomes {
        assert_eq!((outcome.class, outcome.segments[0].status), (OutcomeClass::Unknown, None));
    }
    assert_eq!((smsc.repeats().distinct, smsc.repeats().repeated), (5, 0), "nothing is sent blindly again");
    rig.wait_until_settled(&settings).await;
    rig.stop().await;
}

#[tokio::test]
async fn connections_that_close_lose_nothing_but_answers() {
    let fault = Fault { after_submits: 15, kind: FaultKind::Close };
    let (smsc, settings) = operator(Profile { fault: Some(fault), ..Profile::default() }).await;
    let rig = Rig::start(config(), &[&settings]).await;
    rig.submit(&settings, &messages(100)).await;
    let outcomes = rig.wait_for_outcomes(100).await;
    let unknown = outcomes.iter().filter(|o| o.class == OutcomeClass::Unknown).count();
    assert!(outcomes.iter().all(|o| matches!(o.class, OutcomeClass::Accepted | OutcomeClass::Unknown)));
    assert!(unknown < 100, "{unknown}");
    assert_eq!(smsc.repeats().repeated, 0);
    rig.wait_until_settled(&settings).await;
    rig.stop().await;
}

#[tokio::test]
async fn garbage_closes_only_its_session() {
    let fault = Fault { after_submits: 5, kind: FaultKind::Garbage };
    let (bad, bad_settings) = operator(Profile { fault: Some(fault), ..Profile::default() }).await;
    let (_good, good_settings) = operator(Profile::default()).await;
    let rig = Rig::start(config(), &[&bad_settings, &good_settings]).await;
    rig.submit(&bad_settings, &messages(30)).await;
    rig.submit(&good_settings, &messages(100)).await;
    let of_good = || rig.outcomes().iter().filter(|o| o.operator_id == good_settings.id).count();
    until("outcomes of the good operator", || of_good() == 100).await;
    let of_bad = || rig.outcomes().iter().filter(|o| o.operator_id == bad_settings.id).count();
    until("outcomes of the bad operator", || of_bad() == 30).await;
    assert_eq!(bad.repeats().repeated, 0);
    rig.stop().await;
}

#[tokio::test]
async fn a_stalled_operator_delays_no_other() {
    let fault = Fault { after_submits: 0, kind: FaultKind::Stall };
    let (_bad, bad_settings) = operator(Profile { fault: Some(fault), ..Profile::default() }).await;
    let (_good, good_settings) = operator(Profile::default()).await;
    let mut slow = config();
    slow.response_timeout = Duration::from_mins(1);
    let rig = Rig::start(slow, &[&bad_settings, &good_settings]).await;
    rig.wait_for_binds(&bad_settings, 2).await;
    rig.submit(&bad_settings, &messages(1_000)).await;
    let started = std::time::Instant::now();
    rig.submit(&good_settings, &messages(500)).await;
    rig.wait_for_outcomes(500).await;
    assert!(started.elapsed() < Duration::from_secs(3));
    rig.stop().await;
}

#[tokio::test]
async fn a_dead_operator_keeps_its_queue() {
    let (smsc, settings) = operator(Profile::default()).await;
    let rig = Rig::start(config(), &[&settings]).await;
    rig.wait_for_binds(&settings, 2).await;
    let addr = smsc.addr();
    smsc.stop().await;
    rig.wait_for_binds(&settings, 0).await;
    rig.submit(&settings, &messages(50)).await;
    let outcome = until("an outcome", || !rig.outcomes().is_empty());
    assert!(tokio::time::timeout(Duration::from_millis(300), outcome).await.is_err());
    let again = smsc::Smsc::start(smsc::Config { listen: addr, ..smsc::Config::default() }).await.unwrap();
    let outcomes = rig.wait_for_outcomes(50).await;
    assert!(outcomes.iter().all(|o| o.class == OutcomeClass::Accepted));
    assert_eq!(again.repeats().repeated, 0);
    rig.stop().await;
}

#[tokio::test]
async fn a_queue_outage_drops_no_session_and_no_outcome() {
    let (smsc, settings) = operator(Profile { latency_ms: 30, ..Profile::default() }).await;
    let rig = Rig::start(config(), &[&settings]).await;
    rig.wait_for_binds(&settings, 2).await;
    rig.submit(&settings, &messages(100)).await;
    until("submits", || smsc.counters().submits > 10).await;
    rig.queue.is_down.store(true, Ordering::SeqCst);
    let drop = until("a bind that drops", || smsc.bound("chappe") < 2);
    assert!(tokio::time::timeout(Duration::from_millis(500), drop).await.is_err());
    rig.queue.is_down.store(false, Ordering::SeqCst);
    rig.wait_for_outcomes(100).await;
    until("receipts", || rig.receipts().len() == 100).await;
    assert_eq!((smsc.repeats().repeated, smsc.counters().binds), (0, 2));
    rig.stop().await;
}

#[tokio::test]
async fn a_repeated_envelope_submits_only_what_has_no_outcome() {
    let (smsc, settings) = operator(Profile::default()).await;
    let rig = Rig::start(config(), &[&settings]).await;
    let sent = messages(10);
    rig.platform.known.lock().unwrap().extend(sent.iter().take(4).map(|m| (m.message_id, m.hop)));
    rig.submit(&settings, &sent).await;
    rig.wait_for_outcomes(10).await;
    assert_eq!(*rig.platform.asked.lock().unwrap(), 0, "a first envelope is not asked about");
    rig.wait_until_settled(&settings).await;
    // The same messages in other envelopes: this edge remembers what it published.
    rig.submit(&settings, &sent).await;
    rig.wait_until_settled(&settings).await;
    assert_eq!(rig.outcomes().len(), 10);
    rig.stop().await;
    assert_eq!(smsc.repeats().repeated, 0);
}

#[tokio::test]
async fn what_another_operator_delivered_meanwhile_is_not_submitted() {
    let (smsc, settings) = operator(Profile::default()).await;
    let rig = Rig::start(config(), &[&settings]).await;
    let sent: Vec<Routed> = messages(10).into_iter().map(|message| Routed { hop: 1, ..message }).collect();
    rig.platform.known.lock().unwrap().extend(sent.iter().take(4).map(|m| (m.message_id, m.hop)));
    rig.submit(&settings, &sent).await;
    rig.wait_for_outcomes(6).await;
    rig.wait_until_settled(&settings).await;
    assert_eq!((smsc.counters().submits, *rig.platform.asked.lock().unwrap()), (6, 1));
    rig.stop().await;
}

#[tokio::test]
async fn after_a_crash_the_known_outcomes_are_not_submitted_again() {
    let (smsc, settings) = operator(Profile::default()).await;
    let first = Rig::start(config(), &[]).await;
    let queue = queues::submit(settings.id);
    queue::Queue::create(first.queue.as_ref(), &queue).await.unwrap();
    let sent = messages(10);
    first.submit(&settings, &sent).await;
    // An edge took the envelope and died.
    let take = queue::Take { max: 1, wait: Duration::ZERO, lease: Duration::from_mins(1) };
    queue::Queue::receive(first.queue.as_ref(), &queue, take).await.unwrap();
    first.queue.expire_leases(&queue);
    first.platform.known.lock().unwrap().extend(sent.iter().take(4).map(|m| (m.message_id, m.hop)));
    first.platform.set(settings.clone());
    first.wait_for_outcomes(6).await;
    first.wait_until_settled(&settings).await;
    assert_eq!(*first.platform.asked.lock().unwrap(), 1);
    assert_eq!(smsc.counters().submits, 6);
    first.stop().await;
}

#[tokio::test]
async fn a_repeated_envelope_waits_for_the_outcomes_that_are_not_stored_yet() {
    let (smsc, settings) = operator(Profile::default()).await;
    let rig = Rig::start(config(), &[]).await;
    let queue = queues::submit(settings.id);
    queue::Queue::create(rig.queue.as_ref(), &queue).await.unwrap();
    let sent = messages(10);
    rig.submit(&settings, &sent).await;
    let take = queue::Take { max: 1, wait: Duration::ZERO, lease: Duration::from_mins(1) };
    queue::Queue::receive(rig.queue.as_ref(), &queue, take).await.unwrap();
    rig.queue.expire_leases(&queue);
    // What the dead edge published is being stored by somebody.
    let age = Some(Duration::from_mins(1));
    rig.queue.told_depth.lock().unwrap().0 = queue::Depth { oldest_waiting_age: age, ..queue::Depth::default() };
    rig.platform.set(settings.clone());
    until("looks", || rig.queue.told_depth.lock().unwrap().1 >= 2).await;
    assert_eq!((smsc.counters().submits, *rig.platform.asked.lock().unwrap()), (0, 0));
    rig.platform.known.lock().unwrap().extend(sent.iter().take(4).map(|m| (m.message_id, m.hop)));
    rig.queue.told_depth.lock().unwrap().0 = queue::Depth::default();
    rig.wait_for_outcomes(6).await;
    rig.wait_until_settled(&settings).await;
    assert_eq!(smsc.counters().submits, 6);
    rig.stop().await;
}

#[tokio::test]
async fn a_slow_operator_keeps_its_leases() {
    let (smsc, mut settings) = operator(Profile { latency_ms: 400, ..Profile::default() }).await;
    (settings.window, settings.binds) = (1, 1);
    let mut short = config();
    short.lease = Duration::from_millis(600);
    let rig = Rig::start(short, &[&settings]).await;
    rig.submit(&settings, &messages(6)).await;
    rig.wait_for_outcomes(6).await;
    rig.wait_until_settled(&settings).await;
    assert_eq!((smsc.repeats().repeated, *rig.platform.asked.lock().unwrap()), (0, 0));
    rig.stop().await;
}

#[tokio::test]
async fn a_shutdown_finishes_its_windows_and_gives_the_rest_back() {
    let (smsc, settings) = operator(Profile { latency_ms: 200, ..Profile::default() }).await;
    let rig = Rig::start(config(), &[&settings]).await;
    rig.wait_for_binds(&settings, 2).await;
    rig.submit(&settings, &messages(200)).await;
    until("full windows", || smsc.counters().submits >= 20).await;
    let started = std::time::Instant::now();
    let id = settings.id;
    let queue = rig.stop().await;
    assert!(started.elapsed() < Duration::from_secs(3));
    let bodies = queue.bodies(queues::BILL);
    let told: usize = bodies
        .iter()
        .map(|b| serde_json::from_slice::<contract::Envelope<contract::Outcome>>(b).unwrap().items)
        .map(|outcomes| outcomes.iter().filter(|o| o.class == OutcomeClass::Accepted).count())
        .sum();
    assert_eq!(u64::try_from(told).unwrap(), smsc.counters().accepted, "every submit was told");
    assert!(!queue.bodies(&queues::submit(id)).is_empty(), "the rest waits in the queue");
    assert_eq!(smsc.bound("chappe"), 0);
}
