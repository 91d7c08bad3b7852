//! How much lies in a queue, as far as AMQP tells.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lapin::options::QueueDeclareOptions;
use tokio::time::Instant;

use super::fault::{Fault, within};
use super::link::Session;
use super::{Shared, stamp, topology};
use crate::{Depth, Error};

/// How old the list of buckets may be.
const BUCKETS_AGE: Duration = Duration::from_secs(2);

/// When queues were last seen without a message; who never was, when this handle was opened. AMQP tells no message's
/// age, but none is older than that, as far as this handle can know.
#[derive(Debug)]
pub(super) struct Seen {
    opened: Instant,
    ready: Mutex<HashMap<String, Instant>>,
    delayed: Mutex<HashMap<String, Instant>>,
}

impl Default for Seen {
    fn default() -> Self {
        Self { opened: Instant::now(), ready: Mutex::default(), delayed: Mutex::default() }
    }
}

impl Seen {
    /// Notes a count; tells for how long at most there have been messages.
    fn age(&self, empties: &Mutex<HashMap<String, Instant>>, queue: &str, count: u64, at: Instant) -> Option<Duration> {
        let mut empties = empties.lock().unwrap_or_else(PoisonError::into_inner);
        if count == 0 {
            empties.insert(queue.to_owned(), at);
            return None;
        }
        Some(empties.get(queue).unwrap_or(&self.opened).elapsed())
    }
}

pub(super) async fn depth(shared: &Shared, queue: &str) -> Result<Depth, Error> {
    look(shared, queue).await.map_err(|fault| fault.of(queue))
}

async fn look(shared: &Shared, queue: &str) -> Result<Depth, Fault> {
    let session = shared.sending.session().await?;
    let looked_at = Instant::now();
    let ready = count(&session, queue).await?;
    let parked = count(&session, &topology::parked(queue)).await?;
    let names = shared.names.all(&session, BUCKETS_AGE).await?;
    let mut delayed = 0;
    for bucket in topology::buckets(queue, names.iter()) {
        delayed += count(&session, &bucket).await?;
    }
    let intake = shared.intake_known(queue).await;
    // What this handle holds, and what the broker handed to it and nobody took yet.
    let (leased, oldest_leased) = intake.as_ref().map(|intake| intake.leased()).unwrap_or_default();
    let (leased, ahead) = (wide(leased), wide(intake.map_or(0, |intake| intake.flow.buffered())));
    let ready = ready + ahead;
    let seen = &shared.seen;
    let delayed_age = seen.age(&seen.delayed, queue, delayed, looked_at);
    let bounded = |count: u64| count.min(Depth::COUNT_MAX.into());
    Ok(Depth {
        ready: bounded(ready),
        waiting: bounded(delayed + leased),
        parked: bounded(parked),
        oldest_age: seen.age(&seen.ready, queue, ready, looked_at),
        oldest_waiting_age: oldest_leased.map(stamp::age).max(delayed_age),
    })
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// How many messages of a queue may be received.
pub(super) async fn count(session: &Session, name: &str) -> Result<u64, Fault> {
    let options = QueueDeclareOptions { passive: true, ..<_>::default() };
    session
        .ask(async |channel| {
            let asking = channel.queue_declare(name.into(), options, <_>::default());
            Ok(within("counting messages", asking).await?.message_count().into())
        })
        .await
}
