//! Receiving from one queue, and the leases on what came.
//!
//! **Invariant:** a message that came, was taken and was not given back has an entry in `leases`, until it is settled, its
//! lease ends or the channel breaks. A channel that broke is never used again, so an old lease finds nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use lapin::{Acker, Channel};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::answer::{ack, give_back};
use super::flow::{Came, Flow, Place};
use super::stamp::Stamp;
use crate::{Delivery, Lease};

/// How often leases are looked through for those that ended.
const LEASE_TICK: Duration = Duration::from_millis(50);

/// The longest that a message is leased, all extensions together. RabbitMQ closes a channel with a delivery of 30
/// minutes by default (`consumer_timeout`), and with it all other leases.
const LEASE_LIFE_MAX: Duration = Duration::from_mins(25);

/// Where one handle receives one queue's messages from.
#[derive(Debug)]
pub(super) struct Intake {
    pub(super) flow: Arc<Flow>,
    session: u64,
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
    _place: Place,
    /// Counts the receipt that it is leased by.
    pub(super) stamp: Stamp,
    pub(super) body: Bytes,
    since: Instant,
    ends: Instant,
}

impl Intake {
    pub(super) fn start(queue: &str, channel: Channel, session: u64) -> Arc<Self> {
        let intake = Arc::new(Self {
            flow: Flow::start(queue, channel),
            session,
            leases: Mutex::default(),
            leased: Arc::default(),
        });
        tokio::spawn(end_leases(Arc::downgrade(&intake), Arc::clone(&intake.leased)));
        intake
    }

    pub(super) fn is_alive(&self) -> bool {
        self.flow.is_alive()
    }

    /// Leases messages to whoever asked for them.
    pub(super) fn lease(&self, came: Vec<Came>, lease: Duration) -> Vec<Delivery> {
        let since = Instant::now();
        let mut leases = self.leases();
        let mut deliveries = Vec::with_capacity(came.len());
        for Came { raw, place, .. } in came {
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
            let held = Held { acker: raw.acker, _place: place, stamp, body, since, ends: since + lease };
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
