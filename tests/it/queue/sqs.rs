//! The queue on SQS: the conformance suite against an emulator of ours and against moto, and what SQS alone asks for.

mod faults;
mod hosts;
mod moto;

use std::sync::Arc;
use std::time::Duration;

use ::queue::suite::{self, Features};
use ::queue::{Delivery, Error, Out, Queue, SendError, Settle, SettleError, Take};
use serde_json::{Value, json};
use sqs_emulator::SqsEmulator;
use tokio::time::Instant;

/// Ages are not told, whoever answers; the counts are tested below.
const FEATURES: Features =
    Features { any_bytes: true, ordered: false, exact_depth: false, once: true, fast_wake: true };

/// What a busy machine may take.
const LIMIT: Duration = Duration::from_secs(20);

const MINUTE: Duration = Duration::from_mins(1);

/// An emulator with a queue `route` on it.
async fn route() -> (SqsEmulator, Arc<dyn Queue>) {
    let sqs = SqsEmulator::start().await;
    let queue = open(&sqs).await;
    queue.create("route").await.unwrap();
    (sqs, queue)
}

async fn open(sqs: &SqsEmulator) -> Arc<dyn Queue> {
    ::queue::open(&sqs.url("it")).await.unwrap()
}

/// What comes within two seconds, leased for so long.
async fn receive(queue: &dyn Queue, max: usize, lease: Duration) -> Vec<Delivery> {
    queue.receive("route", Take { max, wait: Duration::from_secs(2), lease }).await.unwrap()
}

fn batch(count: usize) -> Vec<Out> {
    (0..count).map(|number| Out::now(number.to_string())).collect()
}

async fn send(queue: &dyn Queue, batch: &[Out]) {
    let sent = queue.send("route", batch).await;
    assert!(sent.iter().all(Result::is_ok), "{sent:?}");
}

/// Settles all alike; whether each was taken.
async fn settle(queue: &dyn Queue, deliveries: &[Delivery], verb: Settle) -> Vec<Result<(), SettleError>> {
    queue.settle("route", deliveries.iter().map(|one| (one.lease.clone(), verb.clone())).collect()).await
}

fn texts(deliveries: &[Delivery]) -> Vec<String> {
    let mut texts: Vec<_> = deliveries.iter().map(|one| String::from_utf8_lossy(&one.body).into_owned()).collect();
    texts.sort();
    texts
}

/// A request as somebody else makes it, about the queue `it-route` unless the body names another.
async fn raw(sqs: &SqsEmulator, action: &str, mut body: Value) -> Value {
    if body.get("QueueUrl").is_none() {
        body["QueueUrl"] = json!(format!("{}/000000000000/it-route", sqs.endpoint()));
    }
    let client = reqwest::Client::new();
    let request = client.post(sqs.endpoint()).header("x-amz-target", format!("AmazonSQS.{action}")).json(&body);
    request.send().await.unwrap().json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn sqs_passes_the_suite() {
    let sqs = SqsEmulator::start().await;
    suite::run(open(&sqs).await, open(&sqs).await, FEATURES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_costs_a_request_for_ten() {
    let (sqs, queue) = route().await;
    send(queue.as_ref(), &batch(100)).await;
    let came = receive(queue.as_ref(), 100, MINUTE).await;
    assert_eq!(came.len(), 100);
    assert!(settle(queue.as_ref(), &came, Settle::Ack).await.iter().all(Result::is_ok));
    let requests = sqs.requests();
    for action in ["SendMessageBatch", "ReceiveMessage", "DeleteMessageBatch"] {
        assert_eq!(requests[action], 10, "{requests:?}");
    }
}

#[tokio::test]
async fn a_request_holds_no_more_bytes_than_sqs_takes() {
    let (sqs, queue) = route().await;
    let large = vec![Out::now("x".repeat(100 * 1024)); 5];
    send(queue.as_ref(), &large).await;
    assert_eq!(sqs.requests()["SendMessageBatch"], 3, "two of 100 KiB fit into one of 256");
    assert_eq!(receive(queue.as_ref(), 10, MINUTE).await.len(), 5);
    // What is not text grows on its way, beyond what this queue takes.
    let bytes = 250 * 1024;
    let refused = queue.send("route", &[Out::now(vec![0; bytes]), Out::now("small")]).await;
    assert!(matches!(refused[..], [Err(SendError::TooLarge { bytes: b }), Ok(())] if b == bytes), "{refused:?}");
}

#[tokio::test]
async fn the_group_goes_along_where_it_may_be_one() {
    let (sqs, queue) = route().await;
    let of = |group: &str| Out { group: Some(group.to_owned()), ..Out::now("x") };
    send(queue.as_ref(), &[of("acc_01"), of("with space"), of(&"x".repeat(129))]).await;
    let came = raw(&sqs, "ReceiveMessage", json!({ "MaxNumberOfMessages": 10 })).await;
    let groups = came["Messages"].as_array().unwrap().iter().map(|one| one["Attributes"]["MessageGroupId"].as_str());
    assert_eq!(groups.collect::<Vec<_>>(), [Some("acc_01"), None, None]);
}

#[tokio::test]
async fn what_is_never_settled_is_moved_by_sqs_and_shown() {
    let (sqs, queue) = route().await;
    let attributes = raw(&sqs, "GetQueueAttributes", json!({ "AttributeNames": ["RedrivePolicy"] })).await;
    let policy: Value = serde_json::from_str(attributes["Attributes"]["RedrivePolicy"].as_str().unwrap()).unwrap();
    assert_eq!(policy["maxReceiveCount"], 25, "the host parks after 20");
    let dead_letters = &policy["deadLetterTargetArn"];
    assert!(dead_letters.as_str().unwrap().ends_with(":it-route--parked"), "{dead_letters}");
    let twice = json!({ "deadLetterTargetArn": dead_letters, "maxReceiveCount": 2 }).to_string();
    raw(&sqs, "SetQueueAttributes", json!({ "Attributes": { "RedrivePolicy": twice } })).await;
    send(queue.as_ref(), &batch(1)).await;
    for received in [1, 2] {
        let came = receive(queue.as_ref(), 1, Duration::from_secs(1)).await;
        assert_eq!(came[0].received, received);
    }
    assert!(receive(queue.as_ref(), 1, MINUTE).await.is_empty(), "SQS moved it");
    let parked = queue.parked("route", 9).await.unwrap();
    assert_eq!(parked[0].why, "received 2 times and never settled (moved by SQS)");
    assert_eq!(queue.depth("route").await.unwrap().parked, 1);
    assert!(queue.replay("route", &parked[0].id).await.unwrap());
    assert_eq!(receive(queue.as_ref(), 1, MINUTE).await[0].received, 1);
}

#[tokio::test]
async fn an_outdated_lease_is_not_asked_of_sqs() {
    let (sqs, queue) = route().await;
    send(queue.as_ref(), &batch(1)).await;
    let old = receive(queue.as_ref(), 1, Duration::from_secs(1)).await;
    let new = receive(queue.as_ref(), 1, MINUTE).await;
    for verb in [Settle::Ack, Settle::Retry(Duration::ZERO), Settle::Park("old".to_owned())] {
        let settled = settle(queue.as_ref(), &old, verb).await;
        assert!(matches!(settled[..], [Err(SettleError::Outdated)]), "{settled:?}");
    }
    let requests = sqs.requests();
    assert!(!requests.contains_key("DeleteMessageBatch"), "{requests:?}");
    assert!(!requests.contains_key("ChangeMessageVisibilityBatch"), "{requests:?}");
    assert!(matches!(settle(queue.as_ref(), &new, Settle::Ack).await[..], [Ok(())]));
}

#[tokio::test]
async fn a_poll_whose_caller_is_gone_gives_back_what_it_gets() {
    let (sqs, queue) = route().await;
    let poller = Arc::clone(&queue);
    let take = Take { max: 1, wait: LIMIT, lease: Duration::from_mins(10) };
    let polling = tokio::spawn(async move { poller.receive("route", take).await });
    testkit::eventually(LIMIT, async || sqs.requests().contains_key("ReceiveMessage")).await;
    polling.abort();
    assert!(polling.await.unwrap_err().is_cancelled());
    send(queue.as_ref(), &batch(1)).await;
    let again = queue.receive("route", take).await.unwrap();
    assert_eq!(texts(&again), ["0"], "it does not wait for the end of the lease");
}

#[tokio::test]
async fn what_comes_before_it_is_due_is_hidden_again() {
    let (sqs, queue) = route().await;
    let due = chrono::Utc::now() + chrono::Duration::seconds(2);
    let due = json!({ "DataType": "String", "StringValue": due.timestamp_millis().to_string() });
    raw(&sqs, "SendMessage", json!({ "MessageBody": "later", "MessageAttributes": { "due": due } })).await;
    let started = Instant::now();
    let take = Take { max: 9, wait: LIMIT, lease: MINUTE };
    assert_eq!(texts(&queue.receive("route", take).await.unwrap()), ["later"]);
    assert!(started.elapsed() >= Duration::from_millis(1_900), "it came too early");
    let refused = queue.send("route", &[Out::after(Duration::from_hours(14 * 24), "x")]).await;
    assert!(matches!(refused[..], [Err(SendError::Failed(Error::Backend(_)))]), "SQS would drop it: {refused:?}");
}

#[tokio::test]
async fn queues_that_others_made_keep_their_attributes() {
    let sqs = SqsEmulator::start().await;
    let attributes = json!({ "VisibilityTimeout": "77", "DelaySeconds": "0" });
    raw(&sqs, "CreateQueue", json!({ "QueueName": "it-route", "Attributes": attributes })).await;
    let queue = open(&sqs).await;
    queue.create("route").await.unwrap();
    let told = raw(&sqs, "GetQueueAttributes", json!({ "AttributeNames": ["All"] })).await;
    assert_eq!(told["Attributes"]["VisibilityTimeout"], "77");
    assert!(told["Attributes"]["RedrivePolicy"].is_string(), "what was missing was added");
    queue.create("route").await.unwrap();
}

#[tokio::test]
async fn all_queues_are_listed_page_by_page() {
    let sqs = SqsEmulator::start().await;
    let queue = open(&sqs).await;
    for number in 0..1_100 {
        raw(&sqs, "CreateQueue", json!({ "QueueName": format!("it-submit--{number:04}") })).await;
    }
    for name in ["other-route", "it-submit--0000--parked"] {
        raw(&sqs, "CreateQueue", json!({ "QueueName": name })).await;
    }
    let names = queue.queues().await.unwrap();
    assert_eq!((names.len(), names[0].as_str(), names[1_099].as_str()), (1_100, "submit.0000", "submit.1099"));
}

#[tokio::test]
async fn depths_are_counted() {
    let (_sqs, queue) = route().await;
    send(queue.as_ref(), &batch(3)).await;
    send(queue.as_ref(), &[Out::after(MINUTE, "later")]).await;
    let held = receive(queue.as_ref(), 1, MINUTE).await;
    let depth = queue.depth("route").await.unwrap();
    assert_eq!((depth.ready, depth.waiting, depth.parked), (2, 2, 0));
    assert!(settle(queue.as_ref(), &held, Settle::Park("why".to_owned())).await[0].is_ok());
    let depth = queue.depth("route").await.unwrap();
    assert_eq!((depth.ready, depth.waiting, depth.parked), (2, 1, 1));
}

#[tokio::test]
async fn a_queue_that_is_gone_is_named_and_found_again() {
    let (sqs, queue) = route().await;
    send(queue.as_ref(), &batch(1)).await;
    raw(&sqs, "DeleteQueue", json!({})).await;
    let sent = queue.send("route", &batch(1)).await;
    assert!(matches!(sent[..], [Err(SendError::Failed(Error::NoQueue(_)))]), "{sent:?}");
    queue.create("route").await.unwrap();
    send(queue.as_ref(), &batch(1)).await;
    assert!(matches!(queue.create("a--b").await, Err(Error::BadName(_))));
}
