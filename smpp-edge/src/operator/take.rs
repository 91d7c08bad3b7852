//! The taker: fetches envelopes for one operator while it has sessions to send on, and keeps their leases.

mod envelopes;

use std::sync::Arc;
use std::time::Duration;

use contract::edge::OperatorSettings;
use contract::queues;
use domain::hours;
use queue::{Delivery, Take, chain};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Lane, Shared, send_done};
use crate::job::Encoder;
use crate::let_go::let_go;
use envelopes::Envelopes;

/// Messages that wait in the pool at least, whatever the windows are, and at most.
const READY_MIN: usize = 200;
const READY_MAX: usize = 10_000;
/// Envelopes taken at once.
const ENVELOPES_MAX: usize = 20;
/// Wait after the queue failed.
const QUEUE_PAUSE: Duration = Duration::from_secs(1);
/// Settings are looked at this often where nothing else happens.
const IDLE_LOOK: Duration = Duration::from_secs(1);
/// A lease is extended so often within its time.
const EXTENSIONS_PER_LEASE: u32 = 3;

/// Runs until `stop`.
pub(super) async fn run(
    lane: Arc<Lane>,
    settings: watch::Receiver<Arc<OperatorSettings>>,
    shared: Shared,
    stop: CancellationToken,
) {
    let id = settings.borrow().id;
    let queue_name: Arc<str> = queues::submit(id).into();
    let encoder = Encoder::new(Arc::clone(&settings.borrow()), Arc::clone(&lane.reference));
    let mut taker = Taker { envelopes: Envelopes::new(queue_name, id, &shared), encoder, lane, settings, shared };
    taker.create_queue(&stop).await;
    let mut extend = interval(taker.shared.config.lease / EXTENSIONS_PER_LEASE);
    extend.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut alone_since: Option<Instant> = None;
    let mut let_go = std::pin::pin!(let_go(stop.clone()));
    while !stop.is_cancelled() {
        let max = taker.envelopes_wanted();
        if max == 0 {
            taker.give_back_when_alone(&mut alone_since).await;
            tokio::select! {
                () = stop.cancelled() => break,
                () = taker.lane.pool.drained.notified() => {}
                () = taker.lane.submitters_changed.notified() => {}
                () = sleep(IDLE_LOOK) => {}
                _ = extend.tick() => taker.envelopes.extend().await,
            }
            continue;
        }
        alone_since = None;
        let wait = taker.shared.config.receive_wait.min(taker.shared.queue.patience());
        let take = Take { max, wait, lease: taker.shared.config.lease };
        let queue = Arc::clone(&taker.shared.queue);
        let queue_name = Arc::clone(taker.envelopes.queue_name());
        // Not dropped half-way without need: what it has leased by then may wait for the end of its lease.
        let mut receiving = std::pin::pin!(queue.receive(&queue_name, take));
        let received = loop {
            tokio::select! {
                received = &mut receiving => break Some(received),
                () = &mut let_go => break None,
                () = sleep(IDLE_LOOK) => taker.give_back_when_alone(&mut alone_since).await,
                _ = extend.tick() => taker.envelopes.extend().await,
            }
        };
        match received {
            None => break,
            Some(Ok(deliveries)) => taker.accept(deliveries).await,
            Some(Err(error)) => {
                tracing::warn!(error = %chain(&error), "cannot receive from {queue_name}");
                let _ = timeout(QUEUE_PAUSE, stop.cancelled()).await;
            }
        }
    }
    taker.shared.queue.let_go(taker.envelopes.queue_name()).await;
    taker.keep_leases().await;
}

struct Taker {
    envelopes: Envelopes,
    encoder: Encoder,
    lane: Arc<Lane>,
    settings: watch::Receiver<Arc<OperatorSettings>>,
    shared: Shared,
}

impl Taker {
    async fn create_queue(&self, stop: &CancellationToken) {
        let name = self.envelopes.queue_name();
        while let Err(error) = self.shared.queue.create(name).await {
            tracing::warn!(error = %chain(&error), "cannot create queue {name}");
            if timeout(QUEUE_PAUSE, stop.cancelled()).await.is_ok() {
                return;
            }
        }
    }

    /// How many envelopes to take now: none without a bound session, and never more messages than the windows turn
    /// over in a moment or this edge's part of the rate allows within half a lease.
    fn envelopes_wanted(&self) -> usize {
        let submitters = self.submitters();
        if submitters == 0 {
            return 0;
        }
        let settings = self.settings.borrow();
        let windows = submitters.saturating_mul(usize::from(settings.window)).saturating_mul(2);
        let by_rate = self.lane.pool.segments_in(self.shared.config.lease / 2).max(1);
        let target = windows.clamp(READY_MIN, READY_MAX).min(by_rate);
        let room = self.lane.pool.room(target);
        // Refill by halves: fewer and larger receives.
        if room < target / 2 {
            return 0;
        }
        (room / self.envelopes.messages_per_envelope()).clamp(1, ENVELOPES_MAX)
    }

    async fn accept(&mut self, deliveries: Vec<Delivery>) {
        if deliveries.is_empty() {
            return;
        }
        let settings = Arc::clone(&self.settings.borrow());
        if !self.encoder.is_of(&settings) {
            self.encoder = Encoder::new(settings, Arc::clone(&self.lane.reference));
        }
        let jobs = self.envelopes.open(deliveries, &self.encoder).await;
        self.lane.pool.push(jobs);
        self.lane.ring();
    }

    /// Sessions that may submit now: none outside of the operator's hours.
    fn submitters(&self) -> usize {
        let now = (self.shared.config.clock)();
        let is_open = hours::is_open(&self.settings.borrow().profile.open_hours, now);
        if is_open { self.lane.submitters() } else { 0 }
    }

    /// Without any session that may submit for a while, messages go back to the queue: another edge may have one.
    async fn give_back_when_alone(&self, since: &mut Option<Instant>) {
        if self.submitters() > 0 {
            *since = None;
            return;
        }
        let now = Instant::now();
        if now.duration_since(*since.get_or_insert(now)) < self.shared.config.return_after {
            return;
        }
        send_done(&self.shared.publishers.outcomes, self.lane.pool.give_back()).await;
        self.shared.queue.let_go(self.envelopes.queue_name()).await;
    }

    /// While the binds finish their windows, what they work on stays ours.
    async fn keep_leases(&mut self) {
        let until = Instant::now() + self.shared.config.drain;
        let mut extend = interval(self.shared.config.lease / EXTENSIONS_PER_LEASE);
        while self.lane.submitters() > 0 && Instant::now() < until {
            tokio::select! {
                () = self.lane.submitters_changed.notified() => {}
                () = tokio::time::sleep_until(until) => {}
                _ = extend.tick() => self.envelopes.extend().await,
            }
        }
    }
}
