//! The messages of one operator that wait for a bind, and the rate that all its binds share.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::bucket::Bucket;
use crate::job::{Done, Job};

/// Messages that wait for a retry, at most; with more of them nothing new is taken from the queue.
const DELAYED_MAX: usize = 10_000;

/// Shared by the taker and the binds of one operator. Locked per batch, never per message.
#[derive(Debug)]
pub(crate) struct Pool {
    inner: Mutex<Inner>,
    /// Rings when the pool has become emptier, for the taker.
    pub(crate) drained: Notify,
}

#[derive(Debug)]
struct Inner {
    ready: VecDeque<Job>,
    delayed: BinaryHeap<Delayed>,
    bucket: Bucket,
}

#[derive(Debug)]
struct Delayed {
    due: Instant,
    job: Job,
}

impl PartialEq for Delayed {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Delayed {}

impl PartialOrd for Delayed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The one that is due first is the greatest.
impl Ord for Delayed {
    fn cmp(&self, other: &Self) -> Ordering {
        other.due.cmp(&self.due)
    }
}

impl Pool {
    /// An empty pool of `tps` segments per second.
    pub(crate) fn new(tps: u32, now: Instant) -> Self {
        let inner = Inner { ready: VecDeque::new(), delayed: BinaryHeap::new(), bucket: Bucket::new(tps, now) };
        Self { inner: Mutex::new(inner), drained: Notify::new() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another rate, or another part of it.
    pub(crate) fn set_tps(&self, tps: u32, part: (u16, u16), now: Instant) {
        self.lock().bucket.set_rate(tps, part, now);
    }

    /// Segments that this edge's part of the rate allows in so long a time.
    pub(crate) fn segments_in(&self, time: Duration) -> usize {
        self.lock().bucket.tokens_in(time)
    }

    /// Adds messages behind the others.
    pub(crate) fn push(&self, jobs: impl IntoIterator<Item = Job>) {
        self.lock().ready.extend(jobs);
    }

    /// Takes messages of at most about `segments_max` segments into `taken`, as far as the rate allows: what
    /// waited for its retry first. Gives when to look again, if something has to wait for its time.
    pub(crate) fn take(&self, segments_max: usize, now: Instant, taken: &mut VecDeque<Job>) -> Option<Instant> {
        let mut inner = self.lock();
        let mut free = segments_max.min(inner.bucket.available(now));
        let mut spent = 0_usize;
        while free > 0 {
            let Some(job) = inner.next(now) else { break };
            let segments = job.todo();
            free = free.saturating_sub(segments);
            spent = spent.saturating_add(segments);
            taken.push_back(job);
        }
        if spent > 0 {
            inner.bucket.take(spent, now);
        }
        let wakes = inner.next_look(now);
        drop(inner);
        if spent > 0 {
            self.drained.notify_one();
        }
        wakes
    }

    /// Takes a message back: to the front of those that wait, or among those that wait for their time.
    pub(crate) fn put_back(&self, job: Job) {
        let mut inner = self.lock();
        match job.not_before() {
            Some(due) => inner.delayed.push(Delayed { due, job }),
            None => inner.ready.push_front(job),
        }
    }

    /// How many more messages the taker may add to reach `target`.
    pub(crate) fn room(&self, target: usize) -> usize {
        let inner = self.lock();
        if inner.delayed.len() >= DELAYED_MAX {
            return 0;
        }
        target.saturating_sub(inner.ready.len())
    }

    /// Takes out every message of which the operator has nothing, to give it back to its queue.
    pub(crate) fn give_back(&self) -> Vec<Done> {
        let mut inner = self.lock();
        let ready = std::mem::take(&mut inner.ready);
        let delayed = std::mem::take(&mut inner.delayed);
        let all = ready.into_iter().chain(delayed.into_iter().map(|delayed| delayed.job));
        let (given, kept): (Vec<_>, Vec<_>) = all.partition(Job::is_untouched);
        drop(inner);
        for job in kept {
            self.put_back(job);
        }
        given.into_iter().map(Job::give_back).collect()
    }

    /// Takes out everything that is left: no bind will come any more.
    pub(crate) fn clear(&self) -> Vec<Job> {
        let mut inner = self.lock();
        let ready = std::mem::take(&mut inner.ready);
        let delayed = std::mem::take(&mut inner.delayed);
        ready.into_iter().chain(delayed.into_iter().map(|delayed| delayed.job)).collect()
    }
}

impl Inner {
    fn next(&mut self, now: Instant) -> Option<Job> {
        if self.delayed.peek().is_some_and(|delayed| delayed.due <= now) {
            let mut job = self.delayed.pop()?.job;
            job.wake();
            return Some(job);
        }
        self.ready.pop_front()
    }

    fn next_look(&self, now: Instant) -> Option<Instant> {
        let due = self.delayed.peek().map(|delayed| delayed.due);
        let waits = if self.ready.is_empty() { due } else { Some(now) };
        let token = self.bucket.next_at(now);
        match (waits, token) {
            (Some(waits), Some(token)) => Some(waits.max(token)),
            // Ready messages and a free rate: the caller's own window is what it waits for.
            (Some(_), None) => due.filter(|due| *due > now),
            (None, _) => None,
        }
    }
}
