//! The host that consumes a queue in a process of its own, or in one together with others.
//!
//! One loop owns the state; everything that waits (receiving, handling, settling, extending) is a task that comes
//! back as an event. So handling goes on while a batch is settled, and finished work gathers into the next batch.
//!
//! **Invariant:** what is held, finished or being settled counts against the places that there are; nothing is received
//! for which there is none. There are as many as `concurrency` says, and two bundles more where requests carry bundles:
//! so that each can be full.

mod options;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use queue::{Delivery as Received, Lease, Queue, Settle, SettleError, Take, chain};
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::process::{Verdict, process};
use crate::{Delivery, Handler};

pub use options::Options;

/// The waits between attempts to reach a queue that does not answer: the first, and the longest.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// At a shutdown, a receive call that still waits for messages has this long: longer than most backends wait. One that
/// waits longer is dropped. What its backend leased for it meanwhile goes back at once where the backend can see to it
/// (SQS, while the process lives), and otherwise comes again when its lease ends; nothing is lost.
const LET_GO_AFTER: Duration = Duration::from_secs(3);

/// The most deliveries that are settled with one call.
const SETTLE_MAX: usize = 100;

/// Consumes until `shutdown`, then finishes what was begun, within the grace. What does not finish in time comes
/// again when its lease ends. Makes the queue where it does not exist.
pub async fn consume<H: Handler>(
    handler: Arc<H>,
    queue: Arc<dyn Queue>,
    options: Options,
    shutdown: CancellationToken,
) {
    let mut consumer = Consumer::new(handler, queue, options);
    let mut extend_tick = interval((consumer.options.lease / 3).max(Duration::from_millis(1)));
    extend_tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut deadline, mut let_go) = (None, None);
    loop {
        consumer.start_what_can_start();
        if consumer.tasks.is_empty() && consumer.stopping {
            consumer.queue.let_go(&consumer.options.queue).await;
            return;
        }
        tokio::select! {
            Some(event) = consumer.tasks.join_next_with_id() => consumer.on(event),
            _ = extend_tick.tick() => consumer.start_extending(),
            () = shutdown.cancelled(), if !consumer.stopping => {
                consumer.stopping = true;
                deadline = Some(Instant::now() + consumer.options.grace);
                let_go = Some(Instant::now() + LET_GO_AFTER);
            }
            () = until(let_go), if let_go.is_some() => {
                let_go = None;
                consumer.stop_receiving();
            }
            () = until(deadline), if deadline.is_some() => {
                let unfinished = consumer.held.len();
                tracing::warn!(unfinished, "grace is over, {unfinished} deliveries come again");
                return;
            }
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// What a task came back with.
enum Event {
    Received(Result<Vec<Received>, queue::Error>),
    Handled(Verdict),
    /// What could not be settled yet, and whether the queue answered.
    Settled {
        left: Vec<(Lease, Settle)>,
        answered: bool,
    },
    Extended,
}

struct Consumer<H> {
    handler: Arc<H>,
    queue: Arc<dyn Queue>,
    options: Options,
    tasks: JoinSet<Event>,
    /// Deliveries that are being handled, by their task.
    held: HashMap<Id, Lease>,
    /// Verdicts that wait for the next batch.
    done: Vec<(Lease, Settle)>,
    /// How many deliveries the running settle call carries; 0 while there is none.
    settling: usize,
    /// The wait before the next settle call.
    settle_pause: Duration,
    /// The running receive call.
    receiving: Option<AbortHandle>,
    /// The wait before the next receive call.
    receive_pause: Duration,
    extending: bool,
    stopping: bool,
    /// The most deliveries in hand.
    places: usize,
    /// The most deliveries that are handled.
    handling: Arc<Semaphore>,
}

impl<H: Handler> Consumer<H> {
    fn new(handler: Arc<H>, queue: Arc<dyn Queue>, options: Options) -> Self {
        let ahead = if queue.bundle() > 1 { 2 * queue.bundle() } else { 0 };
        Self {
            handler,
            places: options.concurrency + ahead,
            handling: Arc::new(Semaphore::new(options.concurrency)),
            queue,
            options,
            tasks: JoinSet::new(),
            held: HashMap::new(),
            done: Vec::new(),
            settling: 0,
            settle_pause: Duration::ZERO,
            receiving: None,
            receive_pause: Duration::ZERO,
            extending: false,
            stopping: false,
        }
    }

    fn start_what_can_start(&mut self) {
        if self.settling == 0 && !self.done.is_empty() {
            self.start_settling();
        }
        if self.receiving.is_none() && !self.stopping {
            self.start_receiving();
        }
    }

    fn start_receiving(&mut self) {
        let used = self.held.len() + self.done.len() + self.settling;
        let bundle = self.queue.bundle();
        let max = self.places.saturating_sub(used).min(self.options.batch.max(bundle));
        if max < bundle {
            return;
        }
        let wait = self.options.wait.min(self.queue.patience());
        let take = Take { max, wait, lease: self.options.lease };
        let (queue, name, pause) = (Arc::clone(&self.queue), self.options.queue.clone(), self.receive_pause);
        self.receiving = Some(self.tasks.spawn(async move {
            sleep(pause).await;
            Event::Received(receive(queue.as_ref(), &name, take).await)
        }));
    }

    fn stop_receiving(&self) {
        if let Some(receiving) = &self.receiving {
            receiving.abort();
        }
    }

    fn start_settling(&mut self) {
        let batch: Vec<_> = self.done.drain(..self.done.len().min(SETTLE_MAX)).collect();
        self.settling = batch.len();
        let (queue, name, pause) = (Arc::clone(&self.queue), self.options.queue.clone(), self.settle_pause);
        self.tasks.spawn(async move {
            sleep(pause).await;
            settle(queue.as_ref(), &name, batch).await
        });
    }

    /// Every third of a lease, all that is still held is extended; a lost call leaves time for another.
    fn start_extending(&mut self) {
        if self.extending || self.held.is_empty() {
            return;
        }
        self.extending = true;
        let leases: Vec<Lease> = self.held.values().cloned().collect();
        let (queue, name, lease) = (Arc::clone(&self.queue), self.options.queue.clone(), self.options.lease);
        self.tasks.spawn(async move {
            let results = queue.extend(&name, &leases, lease).await;
            if let Some(Err(error)) = results.iter().find(|result| matches!(result, Err(SettleError::Failed(_)))) {
                tracing::warn!(queue = %name, "leases on queue {name} were not extended: {error}");
            }
            Event::Extended
        });
    }

    fn start_handling(&mut self, received: Received) {
        let handler = Arc::clone(&self.handler);
        let delivery = Delivery {
            queue: self.options.queue.clone(),
            id: received.id,
            received: received.received,
            enqueued_at: Some(received.enqueued_at),
        };
        let body = received.body;
        let turns = Arc::clone(&self.handling);
        let handling = self.tasks.spawn(async move {
            let _turn = turns.acquire_owned().await;
            Event::Handled(process(handler.as_ref(), &body, &delivery).await)
        });
        self.held.insert(handling.id(), received.lease);
    }

    fn on(&mut self, event: Result<(Id, Event), JoinError>) {
        match event {
            Ok((_, Event::Received(received))) => self.on_received(received),
            Ok((id, Event::Handled(verdict))) => self.on_handled(id, verdict),
            Ok((_, Event::Settled { left, answered })) => {
                self.settling = 0;
                self.settle_pause = next_pause(self.settle_pause, answered);
                self.done.extend(left);
            }
            Ok((_, Event::Extended)) => self.extending = false,
            Err(error) => self.on_lost(&error),
        }
    }

    fn on_received(&mut self, received: Result<Vec<Received>, queue::Error>) {
        self.receiving = None;
        self.receive_pause = next_pause(self.receive_pause, received.is_ok());
        match received {
            Ok(deliveries) if self.stopping => {
                let back = deliveries.into_iter().map(|one| (one.lease, Settle::Retry(Duration::ZERO)));
                self.done.extend(back);
            }
            Ok(deliveries) => deliveries.into_iter().for_each(|one| self.start_handling(one)),
            Err(error) => {
                let (queue, pause) = (&self.options.queue, self.receive_pause);
                tracing::warn!(%queue, "cannot receive from queue {queue}, again in {pause:?}: {}", chain(&error));
            }
        }
    }

    fn on_handled(&mut self, id: Id, verdict: Verdict) {
        let Some(lease) = self.held.remove(&id) else {
            return;
        };
        let settle = match verdict {
            Verdict::Ack => Settle::Ack,
            Verdict::Retry(after) => Settle::Retry(after),
            Verdict::Park(why) => Settle::Park(why),
        };
        self.done.push((lease, settle));
    }

    /// A task ended without an event: a panic in a queue backend, or beside the handler. Its delivery comes again
    /// when the lease ends.
    fn on_lost(&mut self, error: &JoinError) {
        if error.is_cancelled() {
            self.receiving = None;
            return;
        }
        tracing::error!("a task of the consumer was lost: {error}");
        if self.held.remove(&error.id()).is_none() {
            (self.receiving, self.extending, self.settling) = (None, false, 0);
            self.receive_pause = BACK_OFF.1;
        }
    }
}

/// Receives; makes the queue first where it does not exist.
async fn receive(queue: &dyn Queue, name: &str, take: Take) -> Result<Vec<Received>, queue::Error> {
    match queue.receive(name, take).await {
        Err(queue::Error::NoQueue(_)) => {
            queue.create(name).await?;
            queue.receive(name, take).await
        }
        received => received,
    }
}

async fn settle(queue: &dyn Queue, name: &str, batch: Vec<(Lease, Settle)>) -> Event {
    let results = queue.settle(name, batch.clone()).await;
    let mut left = Vec::new();
    let mut answered = true;
    for (item, result) in batch.into_iter().zip(results) {
        match result {
            Ok(()) => {}
            Err(SettleError::Outdated) => {
                tracing::warn!(queue = %name, "a lease on queue {name} ended before its work");
            }
            Err(SettleError::Failed(error)) => {
                if answered {
                    tracing::warn!(queue = %name, "cannot settle on queue {name}: {}", chain(&error));
                }
                answered = false;
                left.push(item);
            }
        }
    }
    Event::Settled { left, answered }
}

/// No pause after success, and a doubled one after each failure.
fn next_pause(last: Duration, is_well: bool) -> Duration {
    if is_well {
        return Duration::ZERO;
    }
    (last * 2).clamp(BACK_OFF.0, BACK_OFF.1)
}
