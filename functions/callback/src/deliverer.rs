//! Taking what is due and trying it, so that one slow customer costs the others nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use host::Clock;
use store::webhooks::{self, Delivery};
use store::{Db, Error};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::attempt::{ANSWER_LIMIT, Sender};

/// Tries under way at once.
const TRIES_MAX: usize = 256;
/// Tries under way at once to one host.
const TRIES_PER_HOST: usize = 16;
/// Deliveries taken at once.
const TAKE_MAX: i64 = 64;
/// Nobody else gets a delivery while it is tried; longer than a try can take.
const LEASE: TimeDelta = TimeDelta::seconds(60);
/// A delivery whose host has enough to do is looked at again after this.
const BUSY_HOST: TimeDelta = TimeDelta::milliseconds(250);
/// With less time left than this no try is begun: most customers answer within it.
const TRY_MIN: Duration = Duration::from_secs(5);
/// How often it looks without being woken.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Delivers what is due.
#[derive(Debug, Clone)]
pub struct Deliverer {
    db: Db,
    sender: Sender,
    clock: Arc<dyn Clock>,
    stored: Arc<Notify>,
    tries: Arc<Semaphore>,
    hosts: Arc<Mutex<HashMap<String, usize>>>,
}

impl Deliverer {
    /// A deliverer over `db`, woken by `stored`.
    pub fn new(db: Db, sender: Sender, clock: Arc<dyn Clock>, stored: Arc<Notify>) -> Self {
        let (tries, hosts) = (Arc::new(Semaphore::new(TRIES_MAX)), Arc::default());
        Self { db, sender, clock, stored, tries, hosts }
    }

    /// Delivers until `shutdown`, then waits for the tries that are under way.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        let tasks = TaskTracker::new();
        tokio::pin!(shutdown);
        loop {
            let more = match self.round(&tasks, ANSWER_LIMIT).await {
                Ok(taken) => taken > 0,
                Err(error) => {
                    tracing::warn!(error = format!("{:#}", anyhow::Error::new(error)), "cannot take due webhooks");
                    false
                }
            };
            tokio::select! {
                () = &mut shutdown => break,
                () = std::future::ready(()), if more => {}
                () = self.stored.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        tasks.close();
        tasks.wait().await;
    }

    /// Delivers what is due, until nothing is or the time is over; then nothing of it runs any more. A customer who
    /// takes longer than the time that is left has failed one try. Answers how many were taken.
    ///
    /// # Errors
    /// When the database fails. What was taken comes again when its lease ends.
    pub async fn deliver_due(&self, until: Instant) -> Result<usize, Error> {
        let mut done = 0;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left < TRY_MIN {
                return Ok(done);
            }
            let tasks = TaskTracker::new();
            let taken = self.round(&tasks, ANSWER_LIMIT.min(left)).await;
            tasks.close();
            tasks.wait().await;
            match taken? {
                0 => return Ok(done),
                taken => done += taken,
            }
        }
    }

    /// Takes what is due and starts a try of each, which takes no longer than `limit`. Answers how many were taken.
    async fn round(&self, tasks: &TaskTracker, limit: Duration) -> Result<usize, Error> {
        let now = self.clock.now();
        let free = i64::try_from(self.tries.available_permits()).unwrap_or(0).min(TAKE_MAX);
        if free == 0 {
            return Ok(0);
        }
        let due = webhooks::take_due(&self.db, free, now, now + LEASE).await?;
        let taken = due.len();
        for delivery in due {
            let Ok(permit) = self.tries.clone().acquire_owned().await else { break };
            if let Some(host) = self.enter(&delivery) {
                let this = self.clone();
                tasks.spawn(async move { this.deliver(delivery, host, permit, limit).await });
            } else {
                let event = &delivery.event;
                webhooks::postpone(&self.db, event.account_id(), event.id(), now + BUSY_HOST).await?;
            }
        }
        Ok(taken)
    }

    async fn deliver(&self, delivery: Delivery, host: String, permit: OwnedSemaphorePermit, limit: Duration) {
        let event = &delivery.event;
        let attempt = self.sender.attempt(event, delivery.attempts, self.clock.now(), limit).await;
        let result = match &attempt {
            webhooks::Attempt::Delivered { .. } => "delivered",
            webhooks::Attempt::Failed { next_attempt_at: Some(_), .. } => "retry",
            webhooks::Attempt::Failed { next_attempt_at: None, .. } => "parked",
        };
        metrics::counter!("chappe_webhook_attempts_total", "result" => result).increment(1);
        let now = self.clock.now();
        // When this fails the lease ends and the delivery is tried again: at least once.
        if let Err(error) = webhooks::record(&self.db, event.account_id(), event.id(), &attempt, now).await {
            tracing::warn!(event.id = %event.id(), error = %error, "cannot store the try of webhook {}", event.id());
        }
        self.leave(&host);
        drop(permit);
    }

    /// Counts a try to the delivery's host; `None` when it has enough.
    fn enter(&self, delivery: &Delivery) -> Option<String> {
        let url = reqwest::Url::parse(delivery.event.url()).ok();
        let host = url.as_ref().and_then(|url| url.host_str()).unwrap_or_default().to_owned();
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let tries = hosts.entry(host.clone()).or_default();
        if *tries >= TRIES_PER_HOST {
            return None;
        }
        *tries += 1;
        Some(host)
    }

    fn leave(&self, host: &str) {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tries) = hosts.get_mut(host) {
            *tries = tries.saturating_sub(1);
            if *tries == 0 {
                hosts.remove(host);
            }
        }
    }
}
