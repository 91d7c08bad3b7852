//! The deliveries of one system: what its taker fetched, and the sessions that take it.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use contract::Deliver;
use domain::{EnvelopeId, SmppSystemId};
use queue::Queue;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::bounds::Bounds;
use super::systems::Systems;
use super::taker;
use crate::config::Config;

/// One delivery under way.
#[derive(Debug)]
pub(super) struct Job {
    /// The envelope that it came in.
    pub(super) envelope: EnvelopeId,
    pub(super) deliver: Deliver,
}

/// What became of a delivery.
#[derive(Debug)]
pub(super) enum Fate {
    /// The customer has it, or never will.
    Done,
    /// To go out again later.
    Later,
}

/// What the sessions and the taker of one system share. Locked per batch.
#[derive(Debug)]
pub(super) struct Lane {
    waiting: Mutex<VecDeque<Job>>,
    bells: Mutex<Vec<Arc<Notify>>>,
    /// Deliveries that all receiving sessions together may have unanswered.
    windows: AtomicUsize,
    /// Rings when a session came or went, or took something.
    pub(super) changed: Notify,
    /// Bounded by what the taker lets into the lane.
    pub(super) fates: mpsc::UnboundedSender<(Job, Fate)>,
    /// Ties the parts of long messages.
    reference: AtomicU8,
}

impl Lane {
    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Job>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, jobs: Vec<Job>) {
        self.lock().extend(jobs);
        self.bells.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|bell| bell.notify_one());
    }

    /// Takes up to `max` deliveries, in their order.
    pub(super) fn take(&self, max: usize) -> Vec<Job> {
        let mut waiting = self.lock();
        let count = waiting.len().min(max);
        let taken: Vec<Job> = waiting.drain(..count).collect();
        drop(waiting);
        if !taken.is_empty() {
            self.changed.notify_one();
        }
        taken
    }

    /// Takes deliveries back to the front, for another session.
    pub(super) fn put_back(&self, jobs: Vec<Job>) {
        if jobs.is_empty() {
            return;
        }
        let mut waiting = self.lock();
        jobs.into_iter().rev().for_each(|job| waiting.push_front(job));
        drop(waiting);
        self.bells.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|bell| bell.notify_one());
        self.changed.notify_one();
    }

    pub(super) fn clear(&self) -> Vec<Job> {
        std::mem::take(&mut *self.lock()).into()
    }

    /// Drops what came in an envelope that is somebody else's now.
    pub(super) fn forget(&self, envelope: EnvelopeId) {
        self.lock().retain(|job| job.envelope != envelope);
    }

    pub(super) fn waiting(&self) -> usize {
        self.lock().len()
    }

    /// Deliveries that may be under way at once; 0 without a receiving session.
    pub(super) fn windows(&self) -> usize {
        self.windows.load(Ordering::Acquire)
    }

    pub(super) fn reference(&self) -> u8 {
        self.reference.fetch_add(1, Ordering::Relaxed)
    }
}

/// A session's end of a lane; leaves on drop.
#[derive(Debug)]
pub(super) struct Receiver {
    pub(super) lane: Arc<Lane>,
    /// Rings when there is something to deliver.
    pub(super) bell: Arc<Notify>,
    window: usize,
}

impl Receiver {
    fn new(lane: Arc<Lane>, window: usize) -> Self {
        let bell = Arc::new(Notify::new());
        let window = window.max(1);
        lane.bells.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&bell));
        lane.windows.fetch_add(window, Ordering::AcqRel);
        lane.changed.notify_one();
        Self { lane, bell, window }
    }

    pub(super) fn resize(&mut self, window: usize) {
        let window = window.max(1);
        self.lane.windows.fetch_add(window, Ordering::AcqRel);
        self.lane.windows.fetch_sub(std::mem::replace(&mut self.window, window), Ordering::AcqRel);
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let mut bells = self.lane.bells.lock().unwrap_or_else(PoisonError::into_inner);
        bells.retain(|bell| !Arc::ptr_eq(bell, &self.bell));
        drop(bells);
        self.lane.windows.fetch_sub(self.window, Ordering::AcqRel);
        self.lane.changed.notify_one();
    }
}

/// The lanes of every system that had a receiving session here.
#[derive(Debug)]
pub(super) struct Lanes {
    running: Mutex<HashMap<SmppSystemId, (Arc<Lane>, CancellationToken)>>,
    tasks: TaskTracker,
    queue: Arc<dyn Queue>,
    config: Arc<Config>,
    bounds: Bounds,
}

impl Lanes {
    pub(super) fn new(queue: Arc<dyn Queue>, config: &Arc<Config>, bounds: &Bounds) -> Self {
        Self {
            running: Mutex::default(),
            tasks: TaskTracker::new(),
            queue,
            config: Arc::clone(config),
            bounds: bounds.clone(),
        }
    }

    /// The end of the system's lane for one more session; starts the lane where there is none.
    pub(super) fn join(&self, system: SmppSystemId, window: usize) -> Receiver {
        let mut lanes = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let (lane, _) = lanes.entry(system).or_insert_with(|| self.start(system));
        Receiver::new(Arc::clone(lane), window)
    }

    fn start(&self, system: SmppSystemId) -> (Arc<Lane>, CancellationToken) {
        let (fates, told) = mpsc::unbounded_channel();
        let lane = Arc::new(Lane {
            waiting: Mutex::default(),
            bells: Mutex::default(),
            windows: AtomicUsize::new(0),
            changed: Notify::new(),
            fates,
            reference: AtomicU8::new(0),
        });
        let stop = CancellationToken::new();
        let parts = taker::Parts {
            system,
            lane: Arc::clone(&lane),
            queue: Arc::clone(&self.queue),
            config: Arc::clone(&self.config),
            bounds: self.bounds.clone(),
            stop: stop.clone(),
        };
        self.tasks.spawn(taker::run(parts, told));
        (lane, stop)
    }

    /// Ends the lanes of systems that are gone.
    pub(super) fn keep(&self, systems: &Systems) {
        let mut lanes = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.retain(|id, (_, stop)| {
            let stays = systems.get(*id).is_some();
            if !stays {
                stop.cancel();
            }
            stays
        });
    }

    /// Settles what is answered, gives back the rest, and waits until that is done.
    pub(super) async fn stop(&self) {
        for (_, (_, stop)) in self.running.lock().unwrap_or_else(PoisonError::into_inner).drain() {
            stop.cancel();
        }
        self.tasks.close();
        self.tasks.wait().await;
    }
}
