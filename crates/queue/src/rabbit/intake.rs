//! Receiving from one queue, and the leases on what came.
//!
//! Each call of `receive` is a consumer of its own, whose prefetch is what the call may take and which is cancelled
//! before the call returns. So a handle never holds a message that nobody asked for: an acknowledgement gives credit
//! to no consumer. What the broker hands to a consumer in the moment of its cancellation it takes back by itself
//! (since 3.9.11); that message then counts as received once more.
//!
//! **Invariant:** a message that came and was not given back has an entry in `leases`, until it is settled, its lease
//! ends or the channel breaks. A channel that broke is never used again, so an old lease finds nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::{FutureExt as _, StreamExt as _};
use lapin::message::Delivery as Raw;
use lapin::options::{BasicConsumeOptions, BasicNackOptions};
use lapin::types::FieldTable;
use lapin::{Acker, Channel, Consumer};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use super::fault::{CALL_TIMEOUT, Fault, within};
use super::stamp::Stamp;
use crate::{Delivery, Lease};

/// How long even an impatient look waits for what is there: the broker answers before it delivers.
const LOOK_TIME: Duration = Duration::from_millis(10);

/// How often leases are looked through for those that ended.
const LEASE_TICK: Duration = Duration::from_millis(50);

/// How often an answer that is not written yet looks whether its connection still stands.
const ALIVE_TICK: Duration = Duration::from_millis(50);

/// The longest that a message is leased, all extensions together. RabbitMQ closes a channel with a delivery of 30
/// minutes by default (`consumer_timeout`), and with it all other leases.
const LEASE_LIFE_MAX: Duration = Duration::from_mins(25);

/// Where one handle receives one queue's messages from.
#[derive(Debug)]
pub(super) struct Intake {
    queue: String,
    channel: Channel,
    session: u64,
    /// The prefetch that the next consumer gets. Locked from setting it until that consumer is there.
    prefetch: tokio::sync::Mutex<u16>,
    consumers: AtomicU64,
    leases: Mutex<Leases>,
    /// Rung when there is a first lease, and at the end.
    leased: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Leases {
    last: u64,
    held: HashMap<u64, Held>,
}

/// A message under lease.
#[derive(Debug)]
pub(super) struct Held {
    acker: Acker,
    /// Counts the receipt that it is leased by.
    pub(super) stamp: Stamp,
    pub(super) body: Bytes,
    since: Instant,
    ends: Instant,
}

impl Intake {
    pub(super) fn start(queue: &str, channel: Channel, session: u64) -> Arc<Self> {
        let intake = Arc::new(Self {
            queue: queue.to_owned(),
            channel,
            session,
            prefetch: tokio::sync::Mutex::new(0),
            consumers: AtomicU64::new(0),
            leases: Mutex::default(),
            leased: Arc::default(),
        });
        tokio::spawn(end_leases(Arc::downgrade(&intake), Arc::clone(&intake.leased)));
        intake
    }

    pub(super) fn is_alive(&self) -> bool {
        self.channel.status().connected()
    }

    /// Takes up to `max` messages, and waits for the first until `deadline`, or until `given_up`.
    pub(super) async fn take<T>(
        &self,
        max: u16,
        deadline: Instant,
        given_up: &mut oneshot::Sender<T>,
    ) -> Result<Vec<Raw>, Fault> {
        let (tag, mut consumer) = self.consume(max).await?;
        let mut came = Vec::new();
        tokio::select! {
            first = consumer.next() => came.push(first.ok_or(Fault::Cancelled)??),
            () = sleep_until(deadline.max(Instant::now() + LOOK_TIME)) => {}
            () = given_up.closed() => {}
        }
        while came.len() < max.into()
            && let Some(Some(next)) = consumer.next().now_or_never()
        {
            came.push(next?);
        }
        self.cancel(&tag, consumer, came, max.into()).await
    }

    async fn consume(&self, max: u16) -> Result<(String, Consumer), Fault> {
        // A tag that was used before may confuse a quorum queue (rabbitmq-server issue 5927).
        let tag = format!("chappe.{}", self.consumers.fetch_add(1, Ordering::Relaxed));
        let mut prefetch = self.prefetch.lock().await;
        if *prefetch != max {
            within("setting the prefetch", self.channel.basic_qos(max, <_>::default())).await?;
            *prefetch = max;
        }
        let (queue, options) = (self.queue.as_str().into(), BasicConsumeOptions::default());
        let consuming = self.channel.basic_consume(queue, tag.as_str().into(), options, FieldTable::default());
        let consumer = within("consuming", consuming).await?;
        Ok((tag, consumer))
    }

    /// Cancels a consumer and returns everything that came to it. One whose prefetch is used up gets nothing more, so
    /// its cancellation need only be sent before any acknowledgement is.
    async fn cancel(
        &self,
        tag: &str,
        mut consumer: Consumer,
        mut came: Vec<Raw>,
        max: usize,
    ) -> Result<Vec<Raw>, Fault> {
        let (channel, tag) = (self.channel.clone(), tag.to_owned());
        let cancelling =
            async move { within("cancelling", channel.basic_cancel(tag.as_str().into(), <_>::default())).await };
        let mut cancelling = Box::pin(cancelling);
        // The first poll sends it.
        let sent = (&mut cancelling).now_or_never();
        if came.len() >= max {
            if sent.is_none() {
                tokio::spawn(cancelling);
            }
            return Ok(came);
        }
        match sent {
            Some(cancelled) => cancelled?,
            None => cancelling.await?,
        }
        let draining = async {
            while let Some(next) = consumer.next().await {
                came.push(next?);
            }
            Ok(())
        };
        within("cancelling", draining).await?;
        Ok(came)
    }

    /// Leases messages to whoever asked for them.
    pub(super) fn lease(&self, came: Vec<Raw>, lease: Duration) -> Vec<Delivery> {
        let since = Instant::now();
        let mut leases = self.leases();
        let mut deliveries = Vec::with_capacity(came.len());
        for raw in came {
            let stamp = Stamp::receipt(&raw);
            let body = Bytes::from(raw.data);
            leases.last += 1;
            let number = leases.last;
            deliveries.push(Delivery {
                id: stamp.id.clone(),
                lease: Lease::of_rabbit(self.session, number),
                body: body.clone(),
                received: stamp.received,
                enqueued_at: stamp.sent_at(),
            });
            let held = Held { acker: raw.acker, stamp, body, since, ends: since + lease };
            leases.held.insert(number, held);
        }
        drop(leases);
        self.leased.notify_one();
        deliveries
    }

    /// Takes the message of a lease out; none when the lease is outdated.
    pub(super) fn release(&self, lease: &Lease) -> Option<Held> {
        let number = lease.rabbit(self.session)?;
        self.leases().held.remove(&number)
    }

    /// Puts back what could not be settled; its lease goes on.
    pub(super) fn put_back(&self, lease: &Lease, held: Held) {
        if let Some(number) = lease.rabbit(self.session) {
            self.leases().held.insert(number, held);
            self.leased.notify_one();
        }
    }

    /// Lets a lease end `after` from now; whether it still holds.
    pub(super) fn extend(&self, lease: &Lease, after: Duration) -> bool {
        let mut leases = self.leases();
        let held = lease.rabbit(self.session).and_then(|number| leases.held.get_mut(&number));
        let Some(held) = held.filter(|held| held.since.elapsed() < LEASE_LIFE_MAX) else {
            return false;
        };
        held.ends = (Instant::now() + after).min(held.since + LEASE_LIFE_MAX);
        true
    }

    /// How many messages are leased, and when the oldest was sent.
    pub(super) fn leased(&self) -> (usize, Option<i64>) {
        let leases = self.leases();
        (leases.held.len(), leases.held.values().map(|held| held.stamp.sent_at_ms).min())
    }

    fn leases(&self) -> MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes out every lease that ended, in the order in which the messages came.
    fn ended(&self) -> Vec<Held> {
        let now = Instant::now();
        let mut leases = self.leases();
        let ended: BTreeMap<u64, Held> = leases.held.extract_if(|_, held| held.ends <= now).collect();
        ended.into_values().collect()
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        self.leased.notify_one();
    }
}

impl Held {
    /// Tells the broker that the message is done; whether that still counts.
    pub(super) async fn ack(&self) -> bool {
        ack(&self.acker).await
    }
}

/// Tells the broker that a message is done; whether that still counts.
pub(super) async fn ack(acker: &Acker) -> bool {
    written(acker, acker.ack(<_>::default())).await
}

/// Gives messages back to the broker. Where that fails, the connection is gone, and the broker takes them back on its
/// own.
pub(super) async fn give_back(ackers: impl IntoIterator<Item = Acker>) {
    let options = BasicNackOptions { multiple: false, requeue: true };
    let nacking = ackers.into_iter().map(|acker| async move { written(&acker, acker.nack(options)).await });
    join_all(nacking).await;
}

/// Waits until an answer to a delivery is written; whether it was. lapin loses an answer that is given in the moment
/// in which its connection ends, and whoever waits for that one waits for ever: so the connection is looked at too.
async fn written(acker: &Acker, answer: impl Future<Output = lapin::Result<bool>>) -> bool {
    let mut answer = std::pin::pin!(answer);
    let give_up = Instant::now() + CALL_TIMEOUT;
    loop {
        match timeout(ALIVE_TICK, &mut answer).await {
            Ok(written) => return matches!(written, Ok(true)),
            Err(_) if acker.poisoned() || Instant::now() >= give_up => return false,
            Err(_) => {}
        }
    }
}

/// Gives back the messages whose lease ended, for as long as there is an intake.
async fn end_leases(intake: Weak<Intake>, leased: Arc<Notify>) {
    loop {
        let Some(intake) = intake.upgrade() else { return };
        if intake.leases().held.is_empty() {
            drop(intake);
            leased.notified().await;
            continue;
        }
        give_back(intake.ended().into_iter().map(|held| held.acker)).await;
        drop(intake);
        tokio::time::sleep(LEASE_TICK).await;
    }
}
