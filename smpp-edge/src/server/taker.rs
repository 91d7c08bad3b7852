//! The taker of a lane: fetches deliveries while somebody is bound, settles them when they are answered.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use contract::{Deliver, Envelope, queues, seal};
use domain::{EnvelopeId, SmppSystemId};
use queue::{Delivery, Lease, Out, Queue, Settle, SettleError, Take};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::bounds::Bounds;
use super::lane::{Fate, Job, Lane};
use crate::config::Config;
use crate::let_go::let_go;
use crate::recent::Recent;

/// Deliveries that wait in the lane at least before it is filled up, and at most.
const WAITING_MIN: usize = 20;
const WAITING_MAX: usize = 2_000;
/// Envelopes taken at once.
const ENVELOPES_MAX: usize = 20;
/// Ids of finished envelopes that are remembered, for an acknowledgement that was lost.
const FINISHED_MAX: usize = 1_000;
/// Fates taken at once.
const FATES_MAX: usize = 1_000;
/// Wait after the queue failed.
const QUEUE_PAUSE: Duration = Duration::from_secs(1);
/// A lane waits so many times longer for its queue than others do: there is one for each bound system, and most
/// are idle.
const WAITS: u32 = 3;
/// A lease is extended so often within its time.
const EXTENSIONS_PER_LEASE: u32 = 3;
/// Time for a lane to settle what is answered, once it ends.
const SETTLE_LIMIT: Duration = Duration::from_secs(5);

/// What a taker works with.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) system: SmppSystemId,
    pub(super) lane: Arc<Lane>,
    pub(super) queue: Arc<dyn Queue>,
    pub(super) config: Arc<Config>,
    pub(super) bounds: Bounds,
    pub(super) stop: CancellationToken,
}

/// An envelope under way.
#[derive(Debug)]
struct Held {
    lease: Lease,
    /// Deliveries that came in it, and that have no fate yet.
    total: usize,
    left: usize,
}

/// A look into the queue that is under way.
type Receiving = Pin<Box<dyn Future<Output = Result<Vec<Delivery>, queue::Error>> + Send>>;

struct Taker {
    parts: Parts,
    name: Arc<str>,
    held: HashMap<EnvelopeId, Held>,
    finished: Recent<EnvelopeId>,
    /// To go out again after a time, and not in the queue yet. The envelopes that they came in are settled after that.
    again: Vec<(Job, Duration)>,
    /// To be settled.
    settled: Vec<(Lease, Settle)>,
    /// The queue was told that nobody receives.
    is_let_go: bool,
}

/// Runs until `stop`; then settles what is answered and gives back the rest.
pub(super) async fn run(parts: Parts, mut fates: mpsc::UnboundedReceiver<(Job, Fate)>) {
    let mut taker = Taker::new(parts);
    taker.create_queue().await;
    let mut extend = interval(taker.parts.config.lease / EXTENSIONS_PER_LEASE);
    extend.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (stop, lane) = (taker.parts.stop.clone(), Arc::clone(&taker.parts.lane));
    // Not dropped half-way without need: what it has leased by then may wait for the end of its lease.
    let mut receiving: Option<Receiving> = None;
    let mut let_go = std::pin::pin!(let_go(stop.clone()));
    let mut told = Vec::new();
    while !stop.is_cancelled() || receiving.is_some() {
        if receiving.is_none() && !stop.is_cancelled() {
            receiving = taker.receive();
        }
        tokio::select! {
            received = finish(&mut receiving) => {
                receiving = None;
                taker.received(received).await;
            }
            _ = fates.recv_many(&mut told, FATES_MAX) => taker.note(&mut told),
            _ = extend.tick() => taker.extend().await,
            () = lane.changed.notified() => {}
            () = sleep(QUEUE_PAUSE), if !taker.again.is_empty() => {}
            () = stop.cancelled(), if !stop.is_cancelled() => {}
            () = &mut let_go, if receiving.is_some() => receiving = None,
        }
        taker.give_back_when_alone();
        taker.save().await;
        taker.let_go_when_alone(receiving.is_none()).await;
    }
    while let Ok(fate) = fates.try_recv() {
        told.push(fate);
    }
    taker.note(&mut told);
    taker.give_back();
    let settling = async {
        taker.save().await;
        taker.parts.queue.let_go(&taker.name).await;
    };
    let _ = timeout(SETTLE_LIMIT, settling).await;
}

async fn finish(receiving: &mut Option<Receiving>) -> Result<Vec<Delivery>, queue::Error> {
    match receiving {
        Some(receiving) => receiving.await,
        None => std::future::pending().await,
    }
}

impl Taker {
    fn new(parts: Parts) -> Self {
        Self {
            name: queues::deliver(parts.system).into(),
            parts,
            held: HashMap::new(),
            finished: Recent::new(FINISHED_MAX),
            again: Vec::new(),
            settled: Vec::new(),
            is_let_go: false,
        }
    }

    async fn create_queue(&self) {
        while let Err(error) = self.parts.queue.create(&self.name).await {
            tracing::warn!(error = %error, "cannot create queue {}", self.name);
            if timeout(QUEUE_PAUSE, self.parts.stop.cancelled()).await.is_ok() {
                return;
            }
        }
    }

    /// Begins to receive, where there is somebody to deliver to and little waits for them.
    fn receive(&self) -> Option<Receiving> {
        let windows = self.parts.lane.windows();
        let target = windows.saturating_mul(2).clamp(WAITING_MIN, WAITING_MAX);
        if windows == 0 || self.parts.lane.waiting() > target / 2 || self.again.len() > WAITING_MAX {
            return None;
        }
        let (queue, name) = (Arc::clone(&self.parts.queue), Arc::clone(&self.name));
        let wait = self.parts.config.receive_wait.min(queue.patience()) * WAITS;
        let lease = self.parts.config.lease;
        Some(Box::pin(async move {
            let received = queue.receive(&name, Take { max: ENVELOPES_MAX, wait, lease }).await;
            if received.is_err() {
                sleep(QUEUE_PAUSE).await;
            }
            received
        }))
    }

    async fn received(&mut self, received: Result<Vec<Delivery>, queue::Error>) {
        let deliveries = match received {
            Ok(deliveries) => deliveries,
            Err(error) => {
                tracing::warn!(error = %error, "cannot receive from {}", self.name);
                if matches!(error, queue::Error::NoQueue(_)) {
                    self.create_queue().await;
                }
                return;
            }
        };
        let mut jobs = Vec::new();
        for delivery in deliveries {
            match serde_json::from_slice::<Envelope<Deliver>>(&delivery.body) {
                Ok(envelope) => self.open(delivery.lease, envelope, &mut jobs),
                // The message of a decode error may quote the body; where it went wrong is enough.
                Err(error) => {
                    let (kind, column) = (error.classify(), error.column());
                    tracing::error!("envelope {} of {} is parked: {kind:?}", delivery.id, self.name);
                    self.settled.push((delivery.lease, Settle::Park(format!("cannot be read: {kind:?} at {column}"))));
                }
            }
        }
        if !jobs.is_empty() {
            self.parts.lane.push(jobs);
        }
    }

    fn open(&mut self, lease: Lease, envelope: Envelope<Deliver>, jobs: &mut Vec<Job>) {
        if let Some(held) = self.held.get_mut(&envelope.id) {
            held.lease = lease;
            return;
        }
        if self.finished.contains(&envelope.id) {
            self.settled.push((lease, Settle::Ack));
            return;
        }
        let total = envelope.items.len();
        self.held.insert(envelope.id, Held { lease, total, left: total });
        jobs.extend(envelope.items.into_iter().map(|deliver| Job { envelope: envelope.id, deliver }));
    }

    fn note(&mut self, told: &mut Vec<(Job, Fate)>) {
        for (job, fate) in told.drain(..) {
            match fate {
                Fate::Done => self.done(job.envelope),
                // What is somebody else's by now goes out again from there.
                Fate::Later if !self.held.contains_key(&job.envelope) => {}
                Fate::Later => {
                    let wait = self.wait(&job.deliver);
                    self.again.push((job, wait));
                }
            }
        }
    }

    /// The older a delivery is, the longer it can wait.
    fn wait(&self, deliver: &Deliver) -> Duration {
        let now = (self.parts.config.clock)();
        let made = deliver.id.get_timestamp().map_or(0, |made| made.to_unix().0);
        let age = u64::try_from(now.timestamp()).unwrap_or(0).saturating_sub(made);
        Duration::from_secs(age / 2).clamp(self.parts.bounds.again_min, self.parts.bounds.again_max)
    }

    fn done(&mut self, envelope: EnvelopeId) {
        let Some(held) = self.held.get_mut(&envelope) else { return };
        held.left = held.left.saturating_sub(1);
        if held.left == 0
            && let Some(held) = self.held.remove(&envelope)
        {
            self.finished.insert(envelope);
            self.settled.push((held.lease, Settle::Ack));
        }
    }

    /// Nobody is bound here: the customer may be on its way to another edge, which then has the deliveries at once.
    fn give_back_when_alone(&mut self) {
        if self.parts.lane.windows() == 0 {
            self.give_back();
        }
    }

    /// What the queue handed over ahead of a look goes back, too.
    async fn let_go_when_alone(&mut self, is_looked: bool) {
        let is_alone = self.parts.lane.windows() == 0;
        if is_alone && is_looked && !self.is_let_go {
            self.parts.queue.let_go(&self.name).await;
        }
        self.is_let_go = is_alone && is_looked;
    }

    /// Untouched envelopes go back as they are; of the others, what is left goes back in one of its own.
    fn give_back(&mut self) {
        let jobs = self.parts.lane.clear();
        let mut counts: HashMap<EnvelopeId, usize> = HashMap::new();
        for job in &jobs {
            *counts.entry(job.envelope).or_default() += 1;
        }
        for (id, count) in counts {
            let untouched = self.held.get(&id).is_some_and(|held| held.total == count);
            if untouched && let Some(held) = self.held.remove(&id) {
                self.settled.push((held.lease, Settle::Retry(Duration::ZERO)));
            }
        }
        let left = jobs.into_iter().filter(|job| self.held.contains_key(&job.envelope));
        self.again.extend(left.map(|job| (job, Duration::ZERO)));
    }

    /// Publishes what goes out again, then settles what is done.
    async fn save(&mut self) {
        if !self.again.is_empty() {
            let jobs = std::mem::take(&mut self.again);
            let (outs, kept): (Vec<Out>, Vec<_>) =
                jobs.into_iter().filter_map(|(job, wait)| Some((self.out(&job, wait)?, (job, wait)))).unzip();
            let sent = self.parts.queue.send(&self.name, &outs).await;
            for (result, (job, wait)) in sent.into_iter().zip(kept) {
                match result {
                    Ok(()) => self.done(job.envelope),
                    Err(error) => {
                        tracing::warn!(error = %error, "cannot publish a delivery again");
                        self.again.push((job, wait));
                    }
                }
            }
        }
        if !self.settled.is_empty() {
            let settled = std::mem::take(&mut self.settled);
            let results = self.parts.queue.settle(&self.name, settled.clone()).await;
            for (result, settled) in results.into_iter().zip(settled) {
                let Err(error) = result else { continue };
                tracing::warn!(error = %error, "cannot settle an envelope of {}", self.name);
                // Else it would lie there until its lease is over.
                if matches!(error, SettleError::Failed(_)) {
                    self.settled.push(settled);
                }
            }
        }
    }

    fn out(&self, job: &Job, wait: Duration) -> Option<Out> {
        let sealed = seal(std::slice::from_ref(&job.deliver), (self.parts.config.clock)());
        match sealed {
            Ok(sealed) => sealed.into_iter().next().map(|sealed| Out::after(wait, sealed.body)),
            Err(error) => {
                // A bug in the type; the envelope is never settled and comes again.
                tracing::error!(error = %error, "a delivery cannot be written");
                None
            }
        }
    }

    /// Extends every lease. An envelope that somebody else got is theirs from now on.
    async fn extend(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let (ids, leases): (Vec<EnvelopeId>, Vec<Lease>) =
            self.held.iter().map(|(id, held)| (*id, held.lease.clone())).unzip();
        let results = self.parts.queue.extend(&self.name, &leases, self.parts.config.lease).await;
        for (id, result) in ids.into_iter().zip(results) {
            match result {
                Err(SettleError::Outdated) => {
                    tracing::warn!("envelope {id} of {} was given to somebody else", self.name);
                    self.held.remove(&id);
                    self.parts.lane.forget(id);
                }
                Err(SettleError::Failed(error)) => {
                    tracing::warn!(error = %error, "cannot extend the lease of envelope {id}");
                }
                Ok(()) => {}
            }
        }
    }
}
