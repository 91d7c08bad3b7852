//! The broker restarts, is killed or cannot be reached for a moment: handles recover by themselves, nothing is lost.

use std::sync::Arc;
use std::time::Duration;

use ::queue::{Delivery, Error, Lease, Out, Queue, SendError, Settle, SettleError};
use testkit::{RabbitMq, eventually, until_some};
use tokio::time::Instant;

use super::load::Load;
use super::proxy::Proxy;
use super::{LIMIT, receive, send};

/// How fast a call must fail while nobody listens.
const FAST: Duration = Duration::from_secs(2);

/// A message that this handle holds.
async fn hold(queue: &dyn Queue) -> Delivery {
    queue.create("held").await.unwrap();
    send(queue, "held", &["held"]).await;
    receive(queue, "held", 1).await.remove(0)
}

/// A lease of a connection that broke is good for nothing, and its message comes again.
async fn assert_held_comes_again(queue: &dyn Queue, held: Delivery) {
    let lease: Lease = held.lease.clone();
    // An acknowledgement that is written before anybody noticed is lost, and nobody can know.
    let outdated = async || queue.extend("held", std::slice::from_ref(&lease), LIMIT).await[0].is_err();
    eventually(LIMIT, outdated).await;
    for settle in [Settle::Ack, Settle::Retry(Duration::ZERO), Settle::Park("late".to_owned())] {
        let settled = queue.settle("held", vec![(lease.clone(), settle)]).await;
        assert!(matches!(settled[..], [Err(SettleError::Outdated)]), "{settled:?}");
    }
    let again = until_some(LIMIT, async || {
        let take = ::queue::Take { max: 9, wait: Duration::from_secs(1), lease: LIMIT };
        queue.receive("held", take).await.ok()?.pop()
    })
    .await;
    let extended = queue.extend("held", &[lease], LIMIT).await;
    assert!(matches!(extended[..], [Err(SettleError::Outdated)]), "{extended:?}");
    assert_eq!((again.id, again.received), (held.id, 2));
    assert!(queue.settle("held", vec![(again.lease, Settle::Ack)]).await[0].is_ok());
}

/// While the broker is away calls fail, and soon.
async fn assert_fails_fast(queue: &dyn Queue) {
    eventually(LIMIT, async || {
        let started = Instant::now();
        let sent = queue.send("spare", &[Out::now("lost?")]).await;
        assert!(started.elapsed() < FAST, "{:?}", started.elapsed());
        matches!(sent[..], [Err(SendError::Failed(Error::Backend(_)))])
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_broker_restarts() {
    let mut broker = RabbitMq::start().await;
    let url = broker.url();
    let (queue, other) = (::queue::open(&url).await.unwrap(), ::queue::open(&url).await.unwrap());
    for name in ["load", "later", "spare"] {
        queue.create(name).await.unwrap();
    }
    let later = [Out::after(Duration::from_secs(1), "later")];
    assert!(queue.send("later", &later).await.iter().all(Result::is_ok));
    let load = Load::start(&queue, &other, "load");
    load.goes_on().await;
    eventually(LIMIT, async || receive(queue.as_ref(), "later", 1).await.len() == 1).await;

    let held = hold(queue.as_ref()).await;
    broker.stop_app().await;
    assert_fails_fast(queue.as_ref()).await;
    broker.start_app().await;
    load.goes_on().await;
    assert_held_comes_again(queue.as_ref(), held).await;

    let held = hold(queue.as_ref()).await;
    assert!(queue.send("later", &later).await.iter().all(Result::is_ok));
    broker.kill();
    assert_fails_fast(queue.as_ref()).await;
    broker.restart().await;
    load.goes_on().await;
    assert_held_comes_again(queue.as_ref(), held).await;
    eventually(LIMIT, async || receive(queue.as_ref(), "later", 1).await.len() == 1).await;
    load.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_line_is_cut() {
    let broker = RabbitMq::shared().await;
    let proxy = Proxy::to(broker.port()).await;
    let url = proxy.url(&broker.url(), broker.port());
    let queue: Arc<dyn Queue> = ::queue::open(&url).await.unwrap();
    let other = ::queue::open(&url).await.unwrap();
    queue.create("load").await.unwrap();
    let load = Load::start(&queue, &other, "load");
    for _ in 0..5 {
        load.goes_on().await;
        let held = hold(queue.as_ref()).await;
        proxy.cut();
        assert_held_comes_again(queue.as_ref(), held).await;
    }
    load.assert_whole().await;
}
