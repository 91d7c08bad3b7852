//! A queue in memory that keeps its promises within one process: leases, generations, counts.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::Utc;
use queue::{Delivery, Depth, Error, Lease, Out, Parked, Queue, SendError, Settle, SettleError, Take};
use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(crate) struct Memory {
    queues: Mutex<BTreeMap<String, Messages>>,
    bell: Notify,
    /// While set, every call fails.
    pub(crate) is_down: std::sync::atomic::AtomicBool,
    /// What is told of every queue's depth, and how often it was asked for.
    pub(crate) told_depth: Mutex<(Depth, usize)>,
}

#[derive(Debug, Default)]
struct Messages {
    waiting: BTreeMap<u64, Message>,
    parked: Vec<Bytes>,
    last: u64,
}

#[derive(Debug)]
struct Message {
    body: Bytes,
    due: Instant,
    received: u32,
}

impl Memory {
    fn check(&self) -> Result<(), Error> {
        let down = self.is_down.load(std::sync::atomic::Ordering::SeqCst);
        if down { Err(Error::Backend(std::sync::Arc::new(std::io::Error::other("down")))) } else { Ok(()) }
    }

    /// Bodies of everything in a queue, leased or not.
    pub(crate) fn bodies(&self, queue: &str) -> Vec<Bytes> {
        let queues = self.queues.lock().unwrap();
        queues.get(queue).map(|m| m.waiting.values().map(|m| m.body.clone()).collect()).unwrap_or_default()
    }

    pub(crate) fn parked_count(&self, queue: &str) -> usize {
        self.queues.lock().unwrap().get(queue).map_or(0, |m| m.parked.len())
    }

    /// Ends every lease now, as if their holder had died.
    pub(crate) fn expire_leases(&self, queue: &str) {
        let mut queues = self.queues.lock().unwrap();
        for message in queues.get_mut(queue).unwrap().waiting.values_mut() {
            message.due = Instant::now();
        }
        self.bell.notify_waiters();
    }

    fn look(&self, queue: &str, take: Take) -> Result<Vec<Delivery>, Error> {
        self.check()?;
        let mut queues = self.queues.lock().unwrap();
        let messages = queues.get_mut(queue).ok_or_else(|| Error::NoQueue(queue.to_owned()))?;
        let now = Instant::now();
        let due = messages.waiting.iter_mut().filter(|(_, m)| m.due <= now).take(take.max);
        Ok(due
            .map(|(id, message)| {
                message.received += 1;
                message.due = now + take.lease;
                Delivery {
                    id: id.to_string(),
                    lease: Lease::from_token(format!("{id}:{}", message.received)),
                    body: message.body.clone(),
                    received: message.received,
                    enqueued_at: Utc::now(),
                }
            })
            .collect())
    }

    /// Calls `act` with the messages and the id, if the lease is the message's newest.
    fn leased<R>(
        &self,
        queue: &str,
        lease: &Lease,
        act: impl FnOnce(&mut Messages, u64) -> R,
    ) -> Result<R, SettleError> {
        self.check()?;
        let mut queues = self.queues.lock().unwrap();
        let messages = queues.get_mut(queue).unwrap();
        let (id, generation) = lease.token().split_once(':').unwrap();
        let id = id.parse().unwrap();
        match messages.waiting.get(&id) {
            Some(message) if message.received.to_string() == generation => Ok(act(messages, id)),
            _ => Err(SettleError::Outdated),
        }
    }
}

#[async_trait]
impl Queue for Memory {
    async fn create(&self, queue: &str) -> Result<(), Error> {
        self.check()?;
        self.queues.lock().unwrap().entry(queue.to_owned()).or_default();
        Ok(())
    }

    async fn send(&self, queue: &str, batch: &[Out]) -> Vec<Result<(), SendError>> {
        if let Err(error) = self.check() {
            return batch.iter().map(|_| Err(error.clone().into())).collect();
        }
        let mut queues = self.queues.lock().unwrap();
        let messages = queues.get_mut(queue).unwrap();
        for out in batch {
            messages.last += 1;
            let message = Message { body: out.body.clone(), due: Instant::now() + out.delay, received: 0 };
            messages.waiting.insert(messages.last, message);
        }
        self.bell.notify_waiters();
        batch.iter().map(|_| Ok(())).collect()
    }

    async fn receive(&self, queue: &str, take: Take) -> Result<Vec<Delivery>, Error> {
        let deadline = tokio::time::Instant::now() + take.wait;
        loop {
            let rung = self.bell.notified();
            let found = self.look(queue, take)?;
            if !found.is_empty() || tokio::time::Instant::now() >= deadline {
                return Ok(found);
            }
            let _ = tokio::time::timeout(Duration::from_millis(20), rung).await;
        }
    }

    async fn settle(&self, queue: &str, batch: Vec<(Lease, Settle)>) -> Vec<Result<(), SettleError>> {
        let settle = |(lease, settle): (Lease, Settle)| {
            self.leased(queue, &lease, |messages, id| match settle {
                Settle::Ack => drop(messages.waiting.remove(&id)),
                Settle::Retry(after) => messages.waiting.get_mut(&id).unwrap().due = Instant::now() + after,
                Settle::Park(_) => messages.parked.push(messages.waiting.remove(&id).unwrap().body),
            })
        };
        batch.into_iter().map(settle).collect()
    }

    async fn extend(&self, queue: &str, leases: &[Lease], lease: Duration) -> Vec<Result<(), SettleError>> {
        let extend = |held: &Lease| {
            self.leased(queue, held, |messages, id| {
                messages.waiting.get_mut(&id).unwrap().due = Instant::now() + lease;
            })
        };
        leases.iter().map(extend).collect()
    }

    async fn depth(&self, _: &str) -> Result<Depth, Error> {
        let mut told = self.told_depth.lock().unwrap();
        told.1 += 1;
        Ok(told.0)
    }

    async fn queues(&self) -> Result<Vec<String>, Error> {
        Ok(self.queues.lock().unwrap().keys().cloned().collect())
    }

    async fn parked(&self, _: &str, _: usize) -> Result<Vec<Parked>, Error> {
        Ok(Vec::new())
    }

    async fn replay(&self, _: &str, _: &str) -> Result<bool, Error> {
        Ok(false)
    }

    async fn discard(&self, _: &str, _: &str) -> Result<bool, Error> {
        Ok(false)
    }
}
