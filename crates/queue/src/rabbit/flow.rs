//! What the broker hands to one handle out of one queue, ahead of the calls that take it.
//!
//! A consumer that is cancelled while messages are under way makes the broker take those back by itself (since 3.9.11),
//! and they then count as received once more; to an edge such a message may be one that another edge has sent, and is
//! held back. So consumers stay from call to call, each with a prefetch, and together they never bring more than the
//! calls of one moment asked for, with what is leased already. What comes while nobody waits lies in `buffer`, without
//! a lease, until somebody does. When nobody asked for [`ASKED_WITHIN`] the consumers are cancelled, and what has lain for
//! [`BUFFERED_MAX`] goes back.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::StreamExt as _;
use lapin::message::Delivery as Raw;
use lapin::options::BasicConsumeOptions;
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use super::answer::give_back;
use super::fault::{Fault, within};

/// How long even an impatient look waits for what is there: the broker answers before it delivers.
const LOOK_TIME: Duration = Duration::from_millis(10);

/// Consumers of a queue that nobody asked for so long are cancelled.
const ASKED_WITHIN: Duration = Duration::from_secs(1);

/// How long a message may lie here before it goes back. Whoever takes by a slow rate comes again within half a lease.
const BUFFERED_MAX: Duration = Duration::from_secs(30);

/// The flow of one queue to one handle.
#[derive(Debug)]
pub(super) struct Flow {
    queue: String,
    channel: Channel,
    /// Locked while consumers come and go.
    consumers: tokio::sync::Mutex<Consumers>,
    state: Mutex<State>,
    /// Rung when a message came, and when a consumer ended.
    came: Notify,
}

#[derive(Debug, Default)]
struct Consumers {
    /// How many there ever were.
    count: u64,
    /// The prefetch that the next one gets.
    prefetch: u16,
    running: Vec<Running>,
}

/// A consumer. Each message that it brought holds a clone of `places` until it is settled.
#[derive(Debug)]
struct Running {
    tag: String,
    prefetch: usize,
    places: Arc<()>,
    pump: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    buffer: VecDeque<Came>,
    /// What the calls that wait now want, together.
    wanted: usize,
    asked_at: Instant,
    /// Consumers that bring messages.
    running: usize,
    fault: Option<Fault>,
}

/// A message that came. It takes a place of its consumer's prefetch for as long as this lives.
#[derive(Debug)]
pub(super) struct Came {
    pub(super) raw: Raw,
    pub(super) place: Place,
    at: Instant,
}

/// A place in the prefetch of a consumer, free when dropped.
#[derive(Debug)]
pub(super) struct Place {
    _of: Arc<()>,
}

impl Flow {
    pub(super) fn start(queue: &str, channel: Channel) -> Arc<Self> {
        let state = State { buffer: VecDeque::new(), wanted: 0, asked_at: Instant::now(), running: 0, fault: None };
        let flow = Arc::new(Self {
            queue: queue.to_owned(),
            channel,
            consumers: tokio::sync::Mutex::default(),
            state: Mutex::new(state),
            came: Notify::new(),
        });
        tokio::spawn(put_away(Arc::downgrade(&flow)));
        flow
    }

    pub(super) fn is_alive(&self) -> bool {
        self.channel.status().connected()
    }

    /// Messages that came and that nobody took yet.
    pub(super) fn buffered(&self) -> usize {
        self.state().buffer.len()
    }

    /// Takes up to `max` messages, and waits for the first until `deadline`, or until `given_up`.
    pub(super) async fn take<T>(
        self: &Arc<Self>,
        max: usize,
        deadline: Instant,
        given_up: &mut oneshot::Sender<T>,
    ) -> Result<Vec<Came>, Fault> {
        let _asking = Asking::new(self, max);
        self.open().await?;
        let until = deadline.max(Instant::now() + LOOK_TIME);
        loop {
            let mut came = std::pin::pin!(self.came.notified());
            came.as_mut().enable();
            let batch = self.pop(max)?;
            if !batch.is_empty() {
                return Ok(batch);
            }
            tokio::select! {
                () = came => {}
                () = sleep_until(until) => return Ok(Vec::new()),
                () = given_up.closed() => return Ok(Vec::new()),
            }
        }
    }

    fn pop(&self, max: usize) -> Result<Vec<Came>, Fault> {
        let mut state = self.state();
        if state.buffer.is_empty() && state.running == 0 {
            return Err(state.fault.clone().unwrap_or(Fault::Cancelled));
        }
        let count = max.min(state.buffer.len());
        Ok(state.buffer.drain(..count).collect())
    }

    /// Lets the consumers bring what the waiting calls want.
    async fn open(self: &Arc<Self>) -> Result<(), Fault> {
        let mut consumers = self.consumers.lock().await;
        consumers.running.retain(|one| !one.pump.is_finished());
        let missing = {
            let state = self.state();
            state.wanted.saturating_sub(state.buffer.len())
        };
        let (prefetch, free) = consumers.places();
        if missing > 0 && prefetch > 2 * (prefetch - free + missing) {
            let old = std::mem::take(&mut consumers.running);
            self.consume(&mut consumers, missing).await?;
            return self.cancel(old).await;
        }
        if missing > free {
            self.consume(&mut consumers, missing - free).await?;
        }
        Ok(())
    }

    async fn consume(self: &Arc<Self>, consumers: &mut Consumers, prefetch: usize) -> Result<(), Fault> {
        let credit = u16::try_from(prefetch).unwrap_or(u16::MAX);
        if consumers.prefetch != credit {
            within("setting the prefetch", self.channel.basic_qos(credit, <_>::default())).await?;
            consumers.prefetch = credit;
        }
        // A tag that was used before may confuse a quorum queue (rabbitmq-server issue 5927).
        let tag = format!("chappe.{}", consumers.count);
        consumers.count += 1;
        let (queue, options) = (self.queue.as_str().into(), BasicConsumeOptions::default());
        let consuming = self.channel.basic_consume(queue, tag.as_str().into(), options, FieldTable::default());
        let consumer = within("consuming", consuming).await?;
        let places = Arc::new(());
        self.state().running += 1;
        let pump = tokio::spawn(pump(Arc::downgrade(self), consumer, Arc::clone(&places)));
        consumers.running.push(Running { tag, prefetch: credit.into(), places, pump });
        Ok(())
    }

    /// Cancels consumers; what they still bring lies in the buffer then.
    async fn cancel(&self, running: Vec<Running>) -> Result<(), Fault> {
        for one in running {
            let cancelling = self.channel.basic_cancel(one.tag.as_str().into(), <_>::default());
            within("cancelling", cancelling).await?;
            let drained = async {
                let _ = one.pump.await;
                Ok(())
            };
            within("cancelling", drained).await?;
        }
        Ok(())
    }

    /// Cancels all consumers unless somebody waits, and hands out what came and was not taken, where it came before.
    pub(super) async fn close(&self, before: Instant) -> Vec<Came> {
        let mut consumers = self.consumers.lock().await;
        if self.state().wanted > 0 {
            return Vec::new();
        }
        let running = std::mem::take(&mut consumers.running);
        if let Err(fault) = self.cancel(running).await {
            tracing::debug!("consumers of {} are not cancelled: {fault}", self.queue);
        }
        let mut state = self.state();
        let old = state.buffer.partition_point(|came| came.at <= before);
        state.buffer.drain(..old).collect()
    }

    fn push(&self, raw: Raw, place: Place) {
        self.state().buffer.push_back(Came { raw, place, at: Instant::now() });
        self.came.notify_waiters();
    }

    fn ended(&self, fault: Option<Fault>) {
        let mut state = self.state();
        state.running = state.running.saturating_sub(1);
        state.fault = fault.or(state.fault.take());
        drop(state);
        self.came.notify_waiters();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Consumers {
    /// How many places all have, and how many of these are free.
    fn places(&self) -> (usize, usize) {
        let free = |one: &Running| {
            // One clone lies with the pump, one here.
            let taken = Arc::strong_count(&one.places).saturating_sub(2);
            one.prefetch.saturating_sub(taken)
        };
        (self.running.iter().map(|one| one.prefetch).sum(), self.running.iter().map(free).sum())
    }
}

/// A call that waits.
struct Asking<'a> {
    flow: &'a Flow,
    max: usize,
}

impl<'a> Asking<'a> {
    fn new(flow: &'a Flow, max: usize) -> Self {
        let mut state = flow.state();
        state.wanted += max;
        state.asked_at = Instant::now();
        drop(state);
        Self { flow, max }
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut state = self.flow.state();
        state.wanted = state.wanted.saturating_sub(self.max);
        state.asked_at = Instant::now();
    }
}

/// Carries what a consumer brings into the buffer, until it ends.
async fn pump(flow: Weak<Flow>, mut consumer: Consumer, places: Arc<()>) {
    let mut fault = None;
    while let Some(next) = consumer.next().await {
        let Some(flow) = flow.upgrade() else { return };
        match next {
            Ok(raw) => flow.push(raw, Place { _of: Arc::clone(&places) }),
            Err(error) => fault = Some(error.into()),
        }
    }
    if let Some(flow) = flow.upgrade() {
        flow.ended(fault);
    }
}

/// Looks after what nobody asks for any more, for as long as there is a flow.
async fn put_away(flow: Weak<Flow>) {
    loop {
        sleep(ASKED_WITHIN).await;
        let Some(flow) = flow.upgrade() else { return };
        let is_asked = {
            let state = flow.state();
            state.wanted > 0 || state.asked_at.elapsed() < ASKED_WITHIN
        };
        let long_ago = Instant::now().checked_sub(BUFFERED_MAX);
        if let (false, Some(long_ago)) = (is_asked, long_ago) {
            give_back(flow.close(long_ago).await.into_iter().map(|came| came.raw.acker)).await;
        }
    }
}
