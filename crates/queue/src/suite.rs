//! The conformance suite: what every backend must do, and by name what some cannot.
//!
//! `suite::run` is for tests; it panics at the first broken promise and says which.

mod basics;
mod leases;
mod parking;
mod waking;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::{Delivery, Lease, Out, Queue, Settle, Take};

/// The honest differences between backends. What is `false` here is tested to fail softly or not at all.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a named feature")]
pub struct Features {
    /// Bodies may be any bytes; otherwise text that is legal in XML (SQS).
    pub any_bytes: bool,
    /// Messages that were sent one after the other come in that order.
    pub ordered: bool,
    /// Depths are exact and at once; otherwise they are not tested.
    pub exact_depth: bool,
    /// What is under lease is handed to nobody else; otherwise it may be, rarely (standard queues of SQS).
    pub once: bool,
    /// A waiting receiver is woken in less than [`WAKE_MAX`].
    pub fast_wake: bool,
}

/// How soon a waiting receiver sees a message, with feature `fast_wake`.
pub const WAKE_MAX: Duration = Duration::from_millis(500);

/// The bound of each case.
const CASE_TIMEOUT: Duration = Duration::from_secs(30);

/// What a case works with: a queue of its own, seen from two processes' worth of handles.
#[derive(Clone, Debug)]
pub struct Rig {
    /// A queue of this case alone, already created.
    pub name: String,
    pub queue: Arc<dyn Queue>,
    /// A second, separately opened handle of the same backend.
    pub other: Arc<dyn Queue>,
    pub features: Features,
}

type Case = fn(Rig) -> Pin<Box<dyn Future<Output = ()> + Send>>;

const CASES: &[(&str, Case)] = &[
    ("sends_and_receives_bodies_unchanged", |rig| Box::pin(basics::bodies_unchanged(rig))),
    ("sends_a_long_batch", |rig| Box::pin(basics::long_batch(rig))),
    ("refuses_only_the_item_that_is_too_large", |rig| Box::pin(basics::too_large(rig))),
    ("refuses_bad_names_and_unknown_queues", |rig| Box::pin(basics::bad_queues(rig))),
    ("creating_twice_is_no_error", |rig| Box::pin(basics::create_twice(rig))),
    ("keeps_the_order", |rig| Box::pin(basics::keeps_the_order(rig))),
    ("keeps_queues_apart", |rig| Box::pin(basics::queues_apart(rig))),
    ("delays", |rig| Box::pin(basics::delays(rig))),
    ("tells_the_depth", |rig| Box::pin(basics::depth(rig))),
    ("a_leased_message_is_nobody_elses", |rig| Box::pin(leases::exclusive(rig))),
    ("an_expired_lease_comes_again", |rig| Box::pin(leases::expires(rig))),
    ("an_extended_lease_holds", |rig| Box::pin(leases::extends(rig))),
    ("an_outdated_lease_settles_nothing", |rig| Box::pin(leases::outdated(rig))),
    ("a_lease_settles_once", |rig| Box::pin(leases::settles_once(rig))),
    ("retry_comes_again_after_its_delay", |rig| Box::pin(leases::retries(rig))),
    ("a_mixed_batch_settles_item_by_item", |rig| Box::pin(leases::mixed_batch(rig))),
    ("competing_receivers_share", |rig| Box::pin(leases::competing(rig))),
    ("parks_with_the_reason", |rig| Box::pin(parking::parks(rig))),
    ("replays_a_parked_message", |rig| Box::pin(parking::replays(rig))),
    ("discards_a_parked_message", |rig| Box::pin(parking::discards(rig))),
    ("an_empty_wait_ends_in_time", |rig| Box::pin(waking::ends_in_time(rig))),
    ("a_send_wakes_a_waiting_receiver", |rig| Box::pin(waking::send_wakes(rig))),
    ("a_retry_wakes_a_waiting_receiver", |rig| Box::pin(waking::retry_wakes(rig))),
    ("no_send_is_slept_through", |rig| Box::pin(waking::never_sleeps_through(rig))),
];

/// Runs every case, each on a queue of its own. `queue` and `other` are two handles of one backend.
pub async fn run(queue: Arc<dyn Queue>, other: Arc<dyn Queue>, features: Features) {
    for (case_name, case) in CASES {
        let name = format!("suite.{}", uuid::Uuid::new_v4().simple());
        queue.create(&name).await.expect("the queue can be created");
        let rig = Rig { name, queue: Arc::clone(&queue), other: Arc::clone(&other), features };
        tracing::info!("queue suite: {case_name}");
        let ran = tokio::time::timeout(CASE_TIMEOUT, tokio::spawn(case(rig))).await;
        match ran {
            Ok(Ok(())) => {}
            Ok(Err(panic)) => panic!("queue suite: {case_name} failed: {panic}"),
            Err(elapsed) => panic!("queue suite: {case_name} hangs: {elapsed}"),
        }
    }
}

impl Rig {
    /// Sends bodies, all of which must be taken.
    async fn send(&self, bodies: &[&str]) {
        let batch: Vec<Out> = bodies.iter().map(|body| Out::now(body.as_bytes().to_vec())).collect();
        self.send_all(&batch).await;
    }

    async fn send_all(&self, batch: &[Out]) {
        let results = self.queue.send(&self.name, batch).await;
        assert_eq!(results.len(), batch.len(), "one result per item");
        for result in results {
            result.expect("the item is sent");
        }
    }

    /// Receives at most `max` messages with a lease of a minute, waiting up to 2 seconds.
    async fn receive(&self, max: usize) -> Vec<Delivery> {
        self.receive_with(max, Duration::from_secs(2), Duration::from_mins(1)).await
    }

    /// Whatever is there now.
    async fn look(&self) -> Vec<Delivery> {
        self.receive_with(100, Duration::ZERO, Duration::from_mins(1)).await
    }

    async fn receive_with(&self, max: usize, wait: Duration, lease: Duration) -> Vec<Delivery> {
        let take = Take { max, wait, lease };
        self.queue.receive(&self.name, take).await.expect("receiving works")
    }

    /// Receives until `count` messages are there, in rounds.
    async fn gather(&self, count: usize) -> Vec<Delivery> {
        let mut all = Vec::new();
        while all.len() < count {
            let some = self.receive(count - all.len()).await;
            assert!(!some.is_empty(), "{} of {count} messages came", all.len());
            for one in some {
                if !self.features.once {
                    all.retain(|old: &Delivery| old.id != one.id);
                }
                all.push(one);
            }
        }
        all
    }

    /// Settles one delivery; whether it was taken.
    async fn settle(&self, lease: &Lease, settle: Settle) -> bool {
        let results = self.queue.settle(&self.name, vec![(lease.clone(), settle)]).await;
        assert_eq!(results.len(), 1, "one result per item");
        results[0].is_ok()
    }
}

/// Bodies as text, in order of receipt.
fn texts(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(|one| String::from_utf8_lossy(&one.body).into_owned()).collect()
}

/// The only delivery of a receipt that must have brought exactly one.
fn only(mut deliveries: Vec<Delivery>) -> Delivery {
    assert_eq!(deliveries.len(), 1, "exactly one message comes");
    deliveries.remove(0)
}
