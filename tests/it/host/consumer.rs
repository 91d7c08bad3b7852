//! What a consumer does about time: long work, outages, shutdown.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ::host::{Delivery, Failure, Handler, Options, consume};
use ::queue::{Out, Queue, Settle};
use testkit::Database;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::LIMIT;
use super::spy::Spy;

/// Settings that a test can wait for.
pub(super) fn options(queue: &str) -> Options {
    Options { lease: Duration::from_secs(1), wait: Duration::from_millis(200), ..Options::of(queue) }
}

/// Works until it is let go.
struct Gated(Semaphore);

impl Handler for Gated {
    const NAME: &'static str = "gated";
    type Envelope = u32;

    async fn handle(&self, _: u32, _: &Delivery) -> Result<(), Failure> {
        self.0.acquire().await?.forget();
        Ok(())
    }
}

/// A consumer at work on a database of its own.
struct Rig {
    _database: Database,
    handler: Arc<Gated>,
    queue: Arc<Spy>,
    shutdown: CancellationToken,
    consuming: JoinHandle<()>,
}

impl Rig {
    async fn start(options: Options) -> Self {
        let database = Database::fresh().await;
        let queue = Arc::new(Spy::on(::queue::open(&database.url()).await.unwrap()));
        let handler = Arc::new(Gated(Semaphore::new(0)));
        let shutdown = CancellationToken::new();
        let consuming = tokio::spawn(consume(handler.clone(), queue.clone(), options, shutdown.clone()));
        testkit::eventually(LIMIT, async || queue.depth("gated").await.is_ok()).await;
        Self { _database: database, handler, queue, shutdown, consuming }
    }

    async fn send(&self, count: usize) {
        let batch = vec![Out::now("7"); count];
        assert!(self.queue.send("gated", &batch).await.iter().all(Result::is_ok));
    }

    async fn received(&self, count: usize) {
        testkit::eventually(LIMIT, async || self.queue.received() == count).await;
    }

    async fn stop(self) -> Arc<Spy> {
        self.shutdown.cancel();
        tokio::time::timeout(LIMIT, self.consuming).await.unwrap().unwrap();
        self.queue
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_work_keeps_its_lease() {
    let rig = Rig::start(options("gated")).await;
    rig.send(1).await;
    testkit::eventually(LIMIT, async || rig.queue.extensions.load(Ordering::SeqCst) >= 6).await;
    rig.handler.0.add_permits(1);
    testkit::eventually(LIMIT, async || !rig.queue.settled().is_empty()).await;
    let queue = rig.stop().await;
    assert_eq!(queue.received(), 1, "nobody received it meanwhile");
    assert_eq!(queue.settled(), [("7".to_owned(), Settle::Ack)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_taken_than_there_is_place_for() {
    let rig = Rig::start(Options { concurrency: 3, ..options("gated") }).await;
    rig.send(5).await;
    rig.received(3).await;
    testkit::eventually(LIMIT, async || rig.queue.extensions.load(Ordering::SeqCst) >= 2).await;
    assert_eq!(rig.queue.received(), 3);
    rig.handler.0.add_permits(5);
    testkit::eventually(LIMIT, async || rig.queue.settled().len() == 5).await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_finishes_what_was_begun() {
    let rig = Rig::start(options("gated")).await;
    rig.send(2).await;
    rig.received(2).await;
    rig.shutdown.cancel();
    rig.handler.0.add_permits(2);
    let queue = rig.stop().await;
    assert_eq!(queue.settled().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_ends_with_the_grace() {
    let rig = Rig::start(Options { grace: Duration::from_millis(300), ..options("gated") }).await;
    rig.send(1).await;
    rig.received(1).await;
    let queue = rig.stop().await;
    assert!(queue.settled().is_empty(), "it comes again when its lease ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_the_queue_is_survived() {
    let rig = Rig::start(options("gated")).await;
    rig.send(1).await;
    rig.received(1).await;
    rig.queue.is_down.store(true, Ordering::SeqCst);
    rig.handler.0.add_permits(2);
    testkit::eventually(LIMIT, async || rig.queue.refusals.load(Ordering::SeqCst) >= 4).await;
    rig.send(1).await;
    rig.queue.is_down.store(false, Ordering::SeqCst);
    testkit::eventually(LIMIT, async || rig.queue.settled().len() >= 2).await;
    assert_eq!(rig.queue.depth("gated").await.unwrap().ready, 0);
    rig.stop().await;
}
