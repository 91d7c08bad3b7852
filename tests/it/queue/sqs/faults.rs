//! What goes wrong at Amazon: entries that fail beside others that do not, throttling, lost answers, messages twice.

use std::collections::BTreeSet;
use std::time::Duration;

use ::queue::{Settle, SettleError, Take};
use sqs_emulator::Fault;

use super::{LIMIT, MINUTE, batch, receive, route, send, settle, texts};

const SEND: &str = "SendMessageBatch";
const RECEIVE: &str = "ReceiveMessage";
const DELETE: &str = "DeleteMessageBatch";
const HIDE: &str = "ChangeMessageVisibilityBatch";

/// Three messages go through every action while one fault is met so often: none is lost, whatever came twice is gone in
/// the end.
#[tokio::test(flavor = "multi_thread")]
async fn faults_that_pass_cost_no_message() {
    let forget = || Fault::ForgetEntries { places: vec![1] };
    let throttle_entry = || Fault::entries_refused(&[2], "RequestThrottled");
    let rows: Vec<(&str, Fault, usize)> = vec![
        (SEND, Fault::throttled(), 2),
        (SEND, Fault::internal(), 2),
        (SEND, Fault::entries_internal(&[0, 2]), 1),
        (SEND, throttle_entry(), 1),
        (SEND, forget(), 1),
        (SEND, Fault::LoseAnswer, 1),
        (SEND, Fault::Delay(Duration::from_millis(300)), 1),
        (RECEIVE, Fault::throttled(), 2),
        (RECEIVE, Fault::LoseAnswer, 1),
        (RECEIVE, Fault::Duplicate, 1),
        (DELETE, Fault::throttled(), 2),
        (DELETE, Fault::entries_internal(&[1]), 1),
        (DELETE, throttle_entry(), 1),
        (DELETE, forget(), 1),
        (DELETE, Fault::LoseAnswer, 1),
        (HIDE, Fault::internal(), 2),
        (HIDE, Fault::entries_internal(&[0, 1, 2]), 2),
        (HIDE, Fault::LoseAnswer, 1),
    ];
    let rows = rows.into_iter().map(|(action, fault, times)| tokio::spawn(check(action, fault, times)));
    for row in rows.collect::<Vec<_>>() {
        row.await.unwrap();
    }
}

async fn check(action: &'static str, fault: Fault, times: usize) {
    let (sqs, queue) = route().await;
    let what = format!("{action} meets {fault:?}");
    sqs.inject(action, fault, times);
    send(queue.as_ref(), &batch(3)).await;
    let mut seen = BTreeSet::new();
    let take = Take { max: 9, wait: Duration::from_secs(3), lease: Duration::from_secs(2) };
    let mut is_first = true;
    loop {
        let came = queue.receive("route", take).await.unwrap();
        if came.is_empty() {
            break;
        }
        seen.extend(texts(&came));
        // Every message is retried once, so that hiding is tried as well.
        let verb = if is_first { Settle::Retry(Duration::ZERO) } else { Settle::Ack };
        is_first = false;
        for result in settle(queue.as_ref(), &came, verb).await {
            assert!(matches!(result, Ok(()) | Err(SettleError::Outdated)), "{what}: {result:?}");
        }
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["0", "1", "2"], "{what}");
    let depth = queue.depth("route").await.unwrap();
    assert_eq!((depth.ready, depth.waiting, depth.parked), (0, 0, 0), "{what}");
}

#[tokio::test]
async fn an_entry_that_is_refused_fails_alone() {
    let (sqs, queue) = route().await;
    sqs.inject(SEND, Fault::entries_refused(&[1], "AccessDenied"), 1);
    let sent = queue.send("route", &batch(3)).await;
    assert_eq!(sent.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    let came = receive(queue.as_ref(), 9, MINUTE).await;
    assert_eq!(texts(&came), ["0", "2"]);
    sqs.inject(DELETE, Fault::entries_refused(&[0], "ReceiptHandleIsInvalid"), 1);
    let settled = settle(queue.as_ref(), &came, Settle::Ack).await;
    assert!(matches!(settled[..], [Err(SettleError::Outdated), Ok(())]), "{settled:?}");
    assert_eq!(sqs.requests()[SEND], 1, "what will fail again is not tried again");
}

#[tokio::test]
async fn tries_are_bounded_and_what_was_not_settled_can_be_again() {
    let (sqs, queue) = route().await;
    send(queue.as_ref(), &batch(2)).await;
    let came = receive(queue.as_ref(), 9, MINUTE).await;
    sqs.inject(DELETE, Fault::entries_internal(&[1]), 1);
    sqs.inject(DELETE, Fault::entries_internal(&[0]), 2);
    let settled = settle(queue.as_ref(), &came, Settle::Ack).await;
    assert!(matches!(settled[..], [Ok(()), Err(SettleError::Failed(_))]), "{settled:?}");
    assert_eq!(sqs.requests()[DELETE], 3);
    let settled = settle(queue.as_ref(), &came, Settle::Ack).await;
    assert!(matches!(settled[..], [Err(SettleError::Outdated), Ok(())]), "{settled:?}");
    sqs.inject(SEND, Fault::internal(), 9);
    let before = sqs.requests()[SEND];
    assert!(queue.send("route", &batch(1)).await[0].is_err());
    assert_eq!(sqs.requests()[SEND] - before, 3);
}

#[tokio::test]
async fn a_message_is_parked_before_it_is_deleted_and_only_once() {
    let (sqs, queue) = route().await;
    send(queue.as_ref(), &batch(1)).await;
    let came = receive(queue.as_ref(), 9, MINUTE).await;
    let park = || settle(queue.as_ref(), &came, Settle::Park("why".to_owned()));
    sqs.inject(SEND, Fault::entries_refused(&[0], "AccessDenied"), 1);
    assert!(matches!(park().await[..], [Err(SettleError::Failed(_))]));
    assert!(!sqs.requests().contains_key(DELETE), "what is not parked is not deleted");
    sqs.inject(DELETE, Fault::entries_refused(&[0], "AccessDenied"), 1);
    assert!(matches!(park().await[..], [Err(SettleError::Failed(_))]));
    assert!(matches!(park().await[..], [Ok(())]), "its copy is there, it need only be deleted");
    let parked = queue.parked("route", 9).await.unwrap();
    assert_eq!(parked.iter().map(|one| one.why.as_str()).collect::<Vec<_>>(), ["why"]);
    let take = Take { max: 1, wait: Duration::ZERO, lease: MINUTE };
    assert!(queue.receive("route", take).await.unwrap().is_empty());
}

#[tokio::test]
async fn further_polls_that_fail_cost_only_time() {
    let (sqs, queue) = route().await;
    send(queue.as_ref(), &batch(30)).await;
    sqs.inject(RECEIVE, Fault::Delay(Duration::ZERO), 1);
    sqs.inject(RECEIVE, Fault::throttled(), 6);
    let first = receive(queue.as_ref(), 30, MINUTE).await;
    assert_eq!(first.len(), 10, "the others come with the next call");
    let mut seen = texts(&first);
    testkit::eventually(LIMIT, async || {
        seen.extend(texts(&receive(queue.as_ref(), 30, MINUTE).await));
        seen.len() == 30
    })
    .await;
}
