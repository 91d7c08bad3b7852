//! One operator: its binds, the messages that wait for them, and the taker that fetches more.

pub(crate) mod hours;
mod pool;
mod take;

pub(crate) use pool::Pool;

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

/// An operator at work. Dropping it stops nothing: call [`stop`](Self::stop).
#[derive(Debug)]
pub(crate) struct Operator {
    settings: watch::Sender<Arc<OperatorSettings>>,
    lane: Arc<Lane>,
    binds: Vec<CancellationToken>,
    taker: CancellationToken,
    tasks: TaskTracker,
    shared: Shared,
}

impl Operator {
    /// Starts the binds and the taker.
    pub(crate) fn start(settings: OperatorSettings, shared: Shared) -> Self {
        let lane = Arc::new(Lane::new(settings.tps));
        let (sender, receiver) = watch::channel(Arc::new(settings));
        let tasks = TaskTracker::new();
        let taker = CancellationToken::new();
        tasks.spawn(take::run(Arc::clone(&lane), receiver, shared.clone(), taker.clone()));
        let mut operator = Self { settings: sender, lane, binds: Vec::new(), taker, tasks, shared };
        operator.match_binds();
        operator
    }

    /// Applies changed settings. Binds compare for themselves and reconnect only where they must.
    pub(crate) fn apply(&mut self, settings: OperatorSettings) {
        if **self.settings.borrow() == settings {
            return;
        }
        tracing::info!(operator.id = %settings.id, "settings of operator {} changed", settings.name);
        self.lane.pool.set_tps(settings.tps, Instant::now());
        self.settings.send_replace(Arc::new(settings));
        self.match_binds();
    }

    /// As many binds as the settings say: stops the last or starts further ones.
    fn match_binds(&mut self) {
        let wanted = self.settings.borrow().binds;
        while self.binds.len() > usize::from(wanted) {
            if let Some(stop) = self.binds.pop() {
                stop.cancel();
            }
        }
        for number in u16::try_from(self.binds.len()).unwrap_or(u16::MAX)..wanted {
            let stop = CancellationToken::new();
            let parts = bind::Parts {
                number,
                lane: Arc::clone(&self.lane),
                bell: self.lane.add_bell(),
                settings: self.settings.subscribe(),
                shared: self.shared.clone(),
                stop: stop.clone(),
            };
            self.tasks.spawn(bind::run(parts));
            self.binds.push(stop);
        }
    }

    /// Stops taking, lets the windows empty, unbinds; what was not sent goes back to the queue.
    pub(crate) async fn stop(self) {
        let id = self.settings.borrow().id;
        self.taker.cancel();
        self.binds.iter().for_each(CancellationToken::cancel);
        self.tasks.close();
        self.tasks.wait().await;
        let at = (self.shared.config.clock)();
        let left = self.lane.pool.clear().into_iter();
        let done = left.map(|job| if job.is_untouched() { job.give_back() } else { job.finish(id, at) });
        send_done(&self.shared.publishers.outcomes, done.collect()).await;
    }
}

/// Hands what is done to the outcome publisher; waits for its turn.
pub(crate) async fn send_done(outcomes: &mpsc::Sender<Vec<Done>>, done: Vec<Done>) {
    if !done.is_empty() && outcomes.send(done).await.is_err() {
        tracing::warn!("outcomes came after their publisher had ended; their envelopes come again");
    }
}
