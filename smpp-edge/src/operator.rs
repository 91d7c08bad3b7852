//! One operator: its binds, the messages that wait for them, and the taker that fetches more.

mod pool;
mod take;

pub(crate) use pool::Pool;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::Instant;

use contract::edge::OperatorSettings;
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bind;
use crate::config::Config;
use crate::job::Done;
use crate::publish::Publishers;
use crate::seats::Seated;
use crate::settings::Settings;
use crate::status::EdgeStatus;

/// What every part of the edge is given.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) config: Arc<Config>,
    pub(crate) settings: Arc<dyn Settings>,
    pub(crate) queue: Arc<dyn queue::Queue>,
    pub(crate) publishers: Publishers,
    pub(crate) status: EdgeStatus,
}

/// What the binds and the taker of one operator share.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) pool: Pool,
    /// Binds that can submit now.
    submitters: AtomicUsize,
    /// Rings when that number changes.
    pub(crate) submitters_changed: Notify,
    /// One bell per bind, so that no ring is lost on a bind that is busy.
    bells: std::sync::Mutex<Vec<Arc<Notify>>>,
    /// Numbers the messages that are cut into several segments.
    pub(crate) reference: Arc<AtomicU16>,
}

impl Lane {
    fn new(tps: u32) -> Self {
        Self {
            pool: Pool::new(tps, Instant::now()),
            submitters: AtomicUsize::new(0),
            submitters_changed: Notify::new(),
            bells: std::sync::Mutex::default(),
            // Not from 0 again after every start: handsets remember references for days.
            reference: Arc::new(AtomicU16::new(rand::random())),
        }
    }

    /// Binds that can submit now.
    pub(crate) fn submitters(&self) -> usize {
        self.submitters.load(Ordering::Acquire)
    }

    /// A bind can submit, or no longer can.
    pub(crate) fn set_submitter(&self, can_submit: bool) {
        if can_submit {
            self.submitters.fetch_add(1, Ordering::AcqRel);
        } else {
            self.submitters.fetch_sub(1, Ordering::AcqRel);
        }
        self.submitters_changed.notify_one();
    }

    /// Tells every bind that there is something to send.
    pub(crate) fn ring(&self) {
        let bells = self.bells.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        bells.iter().for_each(|bell| bell.notify_one());
    }

    fn add_bell(&self) -> Arc<Notify> {
        let bell = Arc::new(Notify::new());
        let mut bells = self.bells.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        bells.retain(|bell| Arc::strong_count(bell) > 1);
        bells.push(Arc::clone(&bell));
        bell
    }
}

/// An operator at work. [`stop`](Self::stop) it; dropping it ends its parts and leaves what they worked on behind.
#[derive(Debug)]
pub(crate) struct Operator {
    settings: watch::Sender<Arc<OperatorSettings>>,
    lane: Arc<Lane>,
    /// By the number of their seat.
    binds: BTreeMap<u16, CancellationToken>,
    taker: CancellationToken,
    tasks: TaskTracker,
    shared: Shared,
}

impl Operator {
    /// Starts the taker; binds come with their seats.
    pub(crate) fn start(settings: OperatorSettings, shared: Shared) -> Self {
        let lane = Arc::new(Lane::new(settings.tps));
        let (sender, receiver) = watch::channel(Arc::new(settings));
        let tasks = TaskTracker::new();
        let taker = CancellationToken::new();
        tasks.spawn(take::run(Arc::clone(&lane), receiver, shared.clone(), taker.clone()));
        Self { settings: sender, lane, binds: BTreeMap::new(), taker, tasks, shared }
    }

    /// Applies changed settings. Binds compare for themselves and reconnect only where they must.
    pub(crate) fn apply(&mut self, settings: OperatorSettings) {
        if **self.settings.borrow() == settings {
            return;
        }
        tracing::info!(operator.id = %settings.id, "settings of operator {} changed", settings.name);
        self.settings.send_replace(Arc::new(settings));
        self.match_rate();
    }

    /// A bind for each seat: stops those whose seat is given back or lost, and starts those that came.
    pub(crate) fn match_binds(&mut self, seats: &BTreeMap<u16, Arc<Seated>>) {
        let before = self.binds.len();
        self.binds.retain(|number, stop| {
            let stays = seats.contains_key(number);
            if !stays {
                stop.cancel();
            }
            stays
        });
        let stayed = self.binds.len();
        for (number, seat) in seats {
            if !self.binds.contains_key(number) {
                let stop = self.start_bind(*number, Arc::clone(seat));
                self.binds.insert(*number, stop);
            }
        }
        if (before, stayed) != (stayed, self.binds.len()) {
            self.match_rate();
        }
    }

    fn start_bind(&self, number: u16, seat: Arc<Seated>) -> CancellationToken {
        let stop = CancellationToken::new();
        let parts = bind::Parts {
            number,
            seat,
            lane: Arc::clone(&self.lane),
            bell: self.lane.add_bell(),
            settings: self.settings.subscribe(),
            shared: self.shared.clone(),
            stop: stop.clone(),
        };
        self.tasks.spawn(bind::run(parts));
        stop
    }

    /// The rate is shared as the binds are: each edge has the part of it that it has of them.
    fn match_rate(&self) {
        let settings = self.settings.borrow();
        let ours = u16::try_from(self.binds.len()).unwrap_or(u16::MAX).min(settings.binds);
        self.lane.pool.set_tps(settings.tps, (ours, settings.binds), Instant::now());
    }

    /// Stops taking, lets the windows empty, unbinds; what was not sent goes back to the queue.
    pub(crate) async fn stop(self) {
        let id = self.settings.borrow().id;
        self.taker.cancel();
        self.binds.values().for_each(CancellationToken::cancel);
        self.tasks.close();
        self.tasks.wait().await;
        let at = (self.shared.config.clock)();
        let left = self.lane.pool.clear().into_iter();
        let done = left.map(|job| if job.is_untouched() { job.give_back() } else { job.finish(id, at) });
        send_done(&self.shared.publishers.outcomes, done.collect()).await;
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.taker.cancel();
        self.binds.values().for_each(CancellationToken::cancel);
    }
}

/// Hands what is done to the outcome publisher; waits for its turn.
pub(crate) async fn send_done(outcomes: &mpsc::Sender<Vec<Done>>, done: Vec<Done>) {
    if !done.is_empty() && outcomes.send(done).await.is_err() {
        tracing::warn!("outcomes came after their publisher had ended; their envelopes come again");
    }
}
