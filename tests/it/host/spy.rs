//! A queue that notes what is done with it, and that can be out of order.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::queue::{Delivery, Depth, Error, Lease, Out, Parked, Queue, SendError, Settle, SettleError, Take};
use async_trait::async_trait;

#[derive(Debug)]
pub(super) struct Spy {
    queue: Arc<dyn Queue>,
    bodies: Mutex<HashMap<Lease, String>>,
    settled: Mutex<Vec<(String, Settle)>>,
    pub(super) extensions: AtomicUsize,
    pub(super) refusals: AtomicUsize,
    pub(super) is_down: AtomicBool,
}

impl Spy {
    pub(super) fn on(queue: Arc<dyn Queue>) -> Self {
        Self {
            queue,
            bodies: Mutex::default(),
            settled: Mutex::default(),
            extensions: AtomicUsize::default(),
            refusals: AtomicUsize::default(),
            is_down: AtomicBool::default(),
        }
    }

    /// The bodies that were settled, and how.
    pub(super) fn settled(&self) -> Vec<(String, Settle)> {
        self.settled.lock().unwrap().clone()
    }

    /// How many deliveries were received.
    pub(super) fn received(&self) -> usize {
        self.bodies.lock().unwrap().len()
    }

    fn refuse(&self) -> Result<(), Error> {
        if !self.is_down.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.refusals.fetch_add(1, Ordering::SeqCst);
        Err(Error::Backend(Arc::new(io::Error::other("out of order"))))
    }
}

#[async_trait]
impl Queue for Spy {
    async fn create(&self, queue: &str) -> Result<(), Error> {
        self.queue.create(queue).await
    }

    async fn send(&self, queue: &str, batch: &[Out]) -> Vec<Result<(), SendError>> {
        self.queue.send(queue, batch).await
    }

    async fn receive(&self, queue: &str, take: Take) -> Result<Vec<Delivery>, Error> {
        self.refuse()?;
        let deliveries = self.queue.receive(queue, take).await?;
        let mut bodies = self.bodies.lock().unwrap();
        for one in &deliveries {
            bodies.insert(one.lease.clone(), String::from_utf8_lossy(&one.body).into_owned());
        }
        Ok(deliveries)
    }

    async fn settle(&self, queue: &str, batch: Vec<(Lease, Settle)>) -> Vec<Result<(), SettleError>> {
        if let Err(error) = self.refuse() {
            return batch.iter().map(|_| Err(error.clone().into())).collect();
        }
        let results = self.queue.settle(queue, batch.clone()).await;
        let bodies = self.bodies.lock().unwrap();
        let taken = batch.into_iter().zip(&results).filter(|(_, result)| result.is_ok());
        let noted = taken.map(|((lease, settle), _)| (bodies[&lease].clone(), settle));
        self.settled.lock().unwrap().extend(noted);
        results
    }

    async fn extend(&self, queue: &str, leases: &[Lease], lease: Duration) -> Vec<Result<(), SettleError>> {
        self.extensions.fetch_add(1, Ordering::SeqCst);
        self.queue.extend(queue, leases, lease).await
    }

    async fn depth(&self, queue: &str) -> Result<Depth, Error> {
        self.queue.depth(queue).await
    }

    async fn queues(&self) -> Result<Vec<String>, Error> {
        self.queue.queues().await
    }

    async fn parked(&self, queue: &str, limit: usize) -> Result<Vec<Parked>, Error> {
        self.queue.parked(queue, limit).await
    }

    async fn replay(&self, queue: &str, id: &str) -> Result<bool, Error> {
        self.queue.replay(queue, id).await
    }

    async fn discard(&self, queue: &str, id: &str) -> Result<bool, Error> {
        self.queue.discard(queue, id).await
    }
}
