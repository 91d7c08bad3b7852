//! The queue in RabbitMQ: the conformance suite, and what it alone promises.

mod faults;
mod load;
mod news;
mod proxy;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use ::queue::suite::{self, Features};
use ::queue::{Delivery, Error, Out, Queue, SendError, Settle, Take};
use testkit::{RabbitMq, eventually};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const FEATURES: Features = Features { any_bytes: true, ordered: true, exact_depth: true, once: true, fast_wake: true };

/// For whatever takes a broken connection to be noticed and made again.
const LIMIT: Duration = Duration::from_mins(1);

/// A virtual host of one's own on the shared broker, seen from two processes' worth of handles.
async fn two_handles() -> (Arc<dyn Queue>, Arc<dyn Queue>) {
    let url = RabbitMq::shared().await.url();
    (::queue::open(&url).await.unwrap(), ::queue::open(&url).await.unwrap())
}

async fn send(queue: &dyn Queue, name: &str, bodies: &[&str]) {
    let batch: Vec<Out> = bodies.iter().map(|body| Out::now(body.as_bytes().to_vec())).collect();
    assert!(queue.send(name, &batch).await.iter().all(Result::is_ok));
}

/// What comes within two seconds, leased for a minute.
async fn receive(queue: &dyn Queue, name: &str, max: usize) -> Vec<Delivery> {
    let take = Take { max, wait: Duration::from_secs(2), lease: Duration::from_mins(1) };
    queue.receive(name, take).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn rabbitmq_passes_the_suite() {
    let (queue, other) = two_handles().await;
    suite::run(queue, other, FEATURES).await;
}

/// Receives until so many came.
async fn gather(queue: &dyn Queue, name: &str, count: usize) -> Vec<Delivery> {
    let mut came = Vec::new();
    while came.len() < count {
        let more = receive(queue, name, count - came.len()).await;
        assert!(!more.is_empty(), "{} of {count} came", came.len());
        came.extend(more);
    }
    came
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_is_handed_no_more_ahead_than_it_asked_for_and_lets_that_go() {
    let (queue, other) = two_handles().await;
    queue.create("route").await.unwrap();
    send(queue.as_ref(), "route", &["1", "2", "3", "4", "5", "6"]).await;
    let held = gather(queue.as_ref(), "route", 2).await;
    assert_eq!(gather(other.as_ref(), "route", 2).await.len(), 2, "two are leased, none is fetched beyond");

    let acks = held.into_iter().map(|one| (one.lease, Settle::Ack)).collect();
    assert!(queue.settle("route", acks).await.iter().all(Result::is_ok));
    eventually(LIMIT, async || other.depth("route").await.unwrap().ready == 0).await;
    eventually(LIMIT, async || queue.depth("route").await.unwrap().ready == 2).await;

    queue.let_go("route").await;
    let theirs = gather(other.as_ref(), "route", 2).await;
    assert!(theirs.iter().all(|one| one.received == 1), "what nobody took was not received");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_less_is_handed_less() {
    let (queue, other) = two_handles().await;
    queue.create("route").await.unwrap();
    for max in [100, 1] {
        let look = Take { max, wait: Duration::ZERO, lease: LIMIT };
        assert!(queue.receive("route", look).await.unwrap().is_empty());
    }
    send(other.as_ref(), "route", &["1", "2", "3"]).await;
    assert_eq!(gather(other.as_ref(), "route", 2).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_asks_for_goes_back_by_itself() {
    let (queue, other) = two_handles().await;
    queue.create("route").await.unwrap();
    send(queue.as_ref(), "route", &["1"]).await;
    assert_eq!(receive(queue.as_ref(), "route", 9).await.len(), 1);
    send(other.as_ref(), "route", &["2"]).await;
    eventually(LIMIT, async || receive(other.as_ref(), "route", 9).await.len() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stops_waiting_loses_nothing() {
    let (queue, other) = two_handles().await;
    queue.create("route").await.unwrap();
    let take = Take { max: 9, wait: LIMIT, lease: LIMIT };
    let waiting = tokio::time::timeout(Duration::from_millis(300), queue.receive("route", take)).await;
    assert!(waiting.is_err(), "nothing comes");
    send(queue.as_ref(), "route", &["one"]).await;
    eventually(LIMIT, async || receive(other.as_ref(), "route", 9).await.len() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_process_sees_the_queues_of_all() {
    let (queue, other) = two_handles().await;
    for (handle, name) in [(&queue, "bill"), (&other, "dlr"), (&queue, "route")] {
        handle.create(name).await.unwrap();
    }
    let later = [Out::after(Duration::from_mins(2), "later")];
    assert!(other.send("dlr", &later).await.iter().all(Result::is_ok));
    for handle in [queue, other] {
        assert_eq!(handle.queues().await.unwrap(), ["bill", "dlr", "route"]);
        eventually(LIMIT, async || handle.depth("dlr").await.unwrap().waiting == 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_delays_go_through_several_buckets() {
    let (queue, other) = two_handles().await;
    queue.create("route").await.unwrap();
    let sent_at = std::time::Instant::now();
    let later = [Out::after(Duration::from_millis(3_400), "later")];
    assert!(queue.send("route", &later).await.iter().all(Result::is_ok));
    let take = Take { max: 9, wait: Duration::from_secs(20), lease: LIMIT };
    let came = other.receive("route", take).await.unwrap();
    let took = sent_at.elapsed();
    assert_eq!((came.len(), came[0].received), (1, 1), "buckets count as no receipt");
    assert!(took >= Duration::from_millis(3_400), "it came too early, after {took:?}");
    assert!(took < Duration::from_secs(6), "it came after {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_routed_is_told() {
    let (queue, _) = two_handles().await;
    queue.create("route").await.unwrap();
    for batch in [vec![Out::now("x"), Out::now("y")], vec![Out::after(Duration::from_secs(1), "x")]] {
        let sent = queue.send("no.such", &batch).await;
        assert!(sent.iter().all(|one| matches!(one, Err(SendError::Failed(Error::NoQueue(_))))), "{sent:?}");
    }
    send(queue.as_ref(), "route", &["still works"]).await;
    assert!(matches!(queue.parked("no.such", 9).await, Err(Error::NoQueue(_))));
}

/// A broker that introduces itself and says no more.
async fn serve_greeting(listener: tokio::net::TcpListener, version: &'static str) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut header = [0; 8];
        stream.read_exact(&mut header).await.unwrap();
        let table = [b"\x07versionS\0\0\0", &[u8::try_from(version.len()).unwrap()][..], version.as_bytes()].concat();
        let length = u32::try_from(table.len()).unwrap().to_be_bytes();
        let method = [b"\0\x0a\0\x0a\0\x09", &length[..], &table, b"\0\0\0\x05PLAIN\0\0\0\x05en_US"].concat();
        let size = u32::try_from(method.len()).unwrap().to_be_bytes();
        stream.write_all(&[b"\x01\0\0", &size[..], &method, b"\xce"].concat()).await.unwrap();
    }
}

#[tokio::test]
async fn an_old_broker_is_refused_with_what_to_do() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("amqp://test:hunter2@{}", listener.local_addr().unwrap());
    tokio::spawn(serve_greeting(listener, "3.8.9"));
    let queue = ::queue::open(&url).await.unwrap();
    let refused = queue.create("route").await.unwrap_err();
    let told = format!("{:#}", anyhow::Error::new(refused));
    assert!(told.contains("3.8.9 is too old") && told.contains("upgrade") && !told.contains("hunter2"), "{told}");
}

#[tokio::test]
async fn a_wrong_password_is_told_and_not_shown() {
    let broker = RabbitMq::shared().await;
    let url = broker.url().replace(":test@", ":hunter2@");
    let queue = ::queue::open(&url).await.unwrap();
    let refused = queue.create("route").await.unwrap_err();
    let told = format!("{:#} {queue:?}", anyhow::Error::new(refused));
    assert!(told.contains("ACCESS_REFUSED") && !told.contains("hunter2"), "{told}");
}
