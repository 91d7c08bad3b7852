//! The queue on SQS: the conformance suite against an emulator, and what goes wrong at Amazon.

use std::sync::Arc;
use std::time::Duration;

use ::queue::suite::{self, Features};
use ::queue::{Delivery, Error, Out, Queue, SendError, Settle, Take};
use sqs_emulator::{Fault, SqsEmulator};

/// As far as the emulator goes, whose depths are exact; Amazon's are not.
const FEATURES: Features = Features { any_bytes: true, ordered: false, exact_depth: false, fast_wake: true };

async fn open(sqs: &SqsEmulator) -> Arc<dyn Queue> {
    ::queue::open(&sqs.url("it")).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn sqs_passes_the_suite() {
    let sqs = SqsEmulator::start().await;
    suite::run(open(&sqs).await, open(&sqs).await, FEATURES).await;
}

/// What comes within two seconds, leased for a minute.
async fn receive(queue: &dyn Queue, max: usize) -> Vec<Delivery> {
    let take = Take { max, wait: Duration::from_secs(2), lease: Duration::from_mins(1) };
    queue.receive("route", take).await.unwrap()
}

fn batch(count: usize) -> Vec<Out> {
    (0..count).map(|number| Out::now(format!("message {number}"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_costs_a_request_for_ten() {
    let sqs = SqsEmulator::start().await;
    let queue = open(&sqs).await;
    queue.create("route").await.unwrap();
    assert!(queue.send("route", &batch(100)).await.iter().all(Result::is_ok));
    let mut came = Vec::new();
    while came.len() < 100 {
        came.extend(receive(queue.as_ref(), 100).await);
    }
    let acks = came.into_iter().map(|one| (one.lease, Settle::Ack)).collect();
    assert!(queue.settle("route", acks).await.iter().all(Result::is_ok));
    let requests = sqs.requests();
    assert_eq!((requests["SendMessageBatch"], requests["DeleteMessageBatch"]), (10, 10), "{requests:?}");
}

/// One fault of Amazon, what it is injected into, and how often.
struct Row {
    action: &'static str,
    fault: Fault,
    times: usize,
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_that_pass_cost_no_message() {
    let rows = [
        Row { action: "SendMessageBatch", fault: Fault::throttled(), times: 1 },
        Row { action: "SendMessageBatch", fault: Fault::internal(), times: 1 },
        Row { action: "ReceiveMessage", fault: Fault::throttled(), times: 1 },
        Row { action: "DeleteMessageBatch", fault: Fault::throttled(), times: 1 },
    ];
    for Row { action, fault, times } in rows {
        let sqs = SqsEmulator::start().await;
        let queue = open(&sqs).await;
        queue.create("route").await.unwrap();
        sqs.inject(action, fault, times);
        let sent = queue.send("route", &batch(3)).await;
        assert!(sent.iter().all(Result::is_ok), "{action}: {sent:?}");
        let came = receive(queue.as_ref(), 9).await;
        assert_eq!(came.len(), 3, "{action}");
        let acks = came.into_iter().map(|one| (one.lease, Settle::Ack)).collect();
        let settled = queue.settle("route", acks).await;
        assert!(settled.iter().all(Result::is_ok), "{action}: {settled:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_gone_is_named() {
    let sqs = SqsEmulator::start().await;
    let queue = open(&sqs).await;
    let sent = queue.send("nowhere", &batch(1)).await;
    assert!(matches!(sent[..], [Err(SendError::Failed(Error::NoQueue(_)))]), "{sent:?}");
}
