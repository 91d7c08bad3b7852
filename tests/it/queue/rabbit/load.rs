//! Senders and receivers that go on until they are told to stop, over faults of every kind.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ::queue::{Out, Queue, Settle, Take};
use testkit::eventually;
use tokio::task::JoinHandle;
use tokio::time::interval;

use super::LIMIT;

/// Messages of one send.
const BATCH: usize = 10;

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(2);

/// A running load on one queue.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicUsize>,
    came: Arc<AtomicUsize>,
    sending: JoinHandle<BTreeSet<String>>,
    receiving: JoinHandle<()>,
    queue: Arc<dyn Queue>,
    name: &'static str,
}

impl Load {
    pub(super) fn start(queue: &Arc<dyn Queue>, other: &Arc<dyn Queue>, name: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (sent, came) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let sending = tokio::spawn(send(Arc::clone(other), name, Arc::clone(&stop), Arc::clone(&sent)));
        let receiving = tokio::spawn(receive(Arc::clone(queue), name, Arc::clone(&came)));
        Self { stop, sent, came, sending, receiving, queue: Arc::clone(queue), name }
    }

    /// Waits until more was sent and more came.
    pub(super) async fn goes_on(&self) {
        for counter in [&self.sent, &self.came] {
            let before = counter.load(Ordering::Relaxed);
            eventually(LIMIT, async || counter.load(Ordering::Relaxed) >= before + BATCH).await;
        }
    }

    /// Stops sending, and waits until everything that was taken came.
    pub(super) async fn assert_whole(self) {
        self.stop.store(true, Ordering::Relaxed);
        let sent = self.sending.await.unwrap();
        assert!(!sent.is_empty());
        eventually(LIMIT, async || self.came.load(Ordering::Relaxed) >= sent.len()).await;
        eventually(LIMIT, async || {
            let depth = self.queue.depth(self.name).await.unwrap();
            depth.ready + depth.waiting == 0
        })
        .await;
        self.receiving.abort();
    }
}

/// Sends each message until the broker has it.
async fn send(queue: Arc<dyn Queue>, name: &str, stop: Arc<AtomicBool>, count: Arc<AtomicUsize>) -> BTreeSet<String> {
    let mut sent = BTreeSet::new();
    let mut attempt = interval(PAUSE);
    while !stop.load(Ordering::Relaxed) {
        let mut left: Vec<String> = (0..BATCH).map(|n| format!("{name} {}", sent.len() + n)).collect();
        sent.extend(left.iter().cloned());
        while !left.is_empty() {
            attempt.tick().await;
            let batch: Vec<Out> = left.iter().map(|body| Out::now(body.clone())).collect();
            let results = queue.send(name, &batch).await;
            left = left.drain(..).zip(results).filter(|(_, result)| result.is_err()).map(|(body, _)| body).collect();
        }
        count.fetch_add(BATCH, Ordering::Relaxed);
    }
    sent
}

/// Receives and acknowledges, and counts what came for the first time.
async fn receive(queue: Arc<dyn Queue>, name: &str, count: Arc<AtomicUsize>) {
    let take = Take { max: 7, wait: Duration::from_millis(500), lease: Duration::from_secs(5) };
    let mut came = BTreeSet::new();
    let mut attempt = interval(PAUSE);
    loop {
        attempt.tick().await;
        let Ok(deliveries) = queue.receive(name, take).await else { continue };
        let settles = deliveries.iter().map(|one| (one.lease.clone(), Settle::Ack)).collect();
        queue.settle(name, settles).await;
        came.extend(deliveries.into_iter().map(|one| one.body));
        count.store(came.len(), Ordering::Relaxed);
    }
}
