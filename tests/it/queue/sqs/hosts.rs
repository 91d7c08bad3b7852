//! The hosts over SQS: the consumer, and Lambda's event source mapping as the emulator plays it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::host::lambda::{Batches, Settling, SqsEvent, Window};
use ::host::{Delivery, Failure, Handler, Options, consume};
use ::queue::Queue;
use anyhow::anyhow;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{LIMIT, batch, raw, route, send};

/// Rejects 7, and fails at every other number once.
#[derive(Default)]
struct Picky {
    handled: AtomicUsize,
    failed: Mutex<HashSet<u32>>,
}

impl Handler for Picky {
    const NAME: &'static str = "route";
    type Envelope = u32;

    async fn handle(&self, number: u32, _: &Delivery) -> Result<(), Failure> {
        if number == 7 {
            return Err(Failure::reject("no sevens"));
        }
        if self.failed.lock().unwrap().insert(number) && number.is_multiple_of(2) {
            return Err(anyhow!("not yet").into());
        }
        self.handled.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

/// All but 7 are handled, and that is parked with its reason.
async fn assert_done(handler: &Picky, queue: &dyn Queue) {
    testkit::eventually(LIMIT, async || {
        let depth = queue.depth("route").await.unwrap();
        (depth.ready, depth.waiting, depth.parked) == (0, 0, 1)
    })
    .await;
    assert_eq!(handler.handled.load(Ordering::SeqCst), 29);
    let parked = queue.parked("route", 9).await.unwrap();
    assert!(parked[0].why.contains("no sevens"), "{}", parked[0].why);
    assert_eq!(&parked[0].body[..], b"7");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_works_off_a_queue_and_ends_soon_when_idle() {
    let (sqs, queue) = route().await;
    send(queue.as_ref(), &batch(30)).await;
    let (handler, shutdown) = (Arc::new(Picky::default()), CancellationToken::new());
    let consuming =
        tokio::spawn(consume(Arc::clone(&handler), Arc::clone(&queue), Options::of("route"), shutdown.clone()));
    assert_done(&handler, queue.as_ref()).await;
    let polls = || sqs.requests()["ReceiveMessage"];
    let before = polls();
    let started = Instant::now();
    shutdown.cancel();
    tokio::time::timeout(LIMIT, consuming).await.unwrap().unwrap();
    assert!(started.elapsed() < Duration::from_secs(6), "an idle poll of 20 s delays no shutdown");
    assert!(polls() <= before + 1, "idle queues are polled seldom");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_source_mapping_works_off_a_queue() {
    let (sqs, queue) = route().await;
    send(queue.as_ref(), &batch(30)).await;
    let handler = Arc::new(Picky::default());
    let settling = Settling::new(Arc::clone(&queue), &sqs.url("it"));
    let batches = Arc::new(Batches::new(Arc::clone(&handler), Arc::new(settling)));
    let mapping = sqs.mapping("it-route", 10, move |event| {
        let batches = Arc::clone(&batches);
        async move {
            let event: SqsEvent = serde_json::from_value(event)?;
            let response = batches.handle(event, Window::lasting(Duration::from_secs(30))).await?;
            Ok(serde_json::to_value(response)?)
        }
    });
    assert_done(&handler, queue.as_ref()).await;
    assert!(mapping.invocations() >= 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_lambda_cannot_read_deletes_nothing() {
    let (sqs, queue) = route().await;
    raw(&sqs, "SetQueueAttributes", json!({ "Attributes": { "VisibilityTimeout": "1" } })).await;
    send(queue.as_ref(), &batch(2)).await;
    let calls = Arc::new(AtomicUsize::new(0));
    let answers: [Option<Value>; 4] = [
        None,
        Some(json!("nonsense")),
        Some(json!({ "batchItemFailures": [{ "itemIdentifier": "" }] })),
        Some(json!({ "batchItemFailures": [{ "itemIdentifier": "somebody else's" }] })),
    ];
    let counted = Arc::clone(&calls);
    let mapping = sqs.mapping("it-route", 10, move |_| {
        let call = counted.fetch_add(1, Ordering::SeqCst);
        let answer = answers.get(call).cloned();
        async move { answer.unwrap_or(Some(json!({}))).ok_or_else(|| anyhow!("the function failed")) }
    });
    let depth = async || queue.depth("route").await.unwrap();
    testkit::eventually(LIMIT, async || calls.load(Ordering::SeqCst) >= 4).await;
    testkit::eventually(LIMIT, async || depth().await.ready + depth().await.waiting == 0).await;
    assert!(mapping.invocations() >= 5);
}
