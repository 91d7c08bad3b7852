//! Queues on Amazon SQS: standard queues, each with a dead-letter queue where its messages are parked.
//!
//! `SQS.md` beside this crate says how names, delays, leases and bodies map, what the queues cost, and how to try them
//! without Amazon.
//!
//! SQS counts in whole seconds: waits, leases and delays are rounded up, so that nothing comes too early. Every request
//! is billed, so sends, receipts and settlements go in batches of ten, and an idle queue waits 20 seconds in one
//! request.

mod address;
mod batch;
mod body;
mod clients;
mod deletes;
mod fault;
mod handed;
mod names;
mod news;
mod parking;
mod places;
mod receive;
mod send;
mod settle;
pub(crate) mod taken;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::{Delivery, Depth, Error, Lease, News, OpenError, Out, Parked, Queue, SendError, Settle};
use crate::{SettleError, Take};
use address::Address;
use batch::ENTRIES_MAX;
use clients::{Clients, LONG_POLL};
use deletes::Deletes;
use fault::Fault;
pub use handed::Handed;
use names::Names;

/// How long publishers gather, deletions wait for others, and a receipt waits after one that did not find enough: half of
/// what a batch saves is saved by ten messages, and a request takes some 10 ms.
const LINGER: Duration = Duration::from_millis(100);

/// How late the counts of SQS may be ("at least 1 minute after the producers stop sending", `GetQueueAttributes`).
const COUNTED_LATE: Duration = Duration::from_mins(1);

/// The SQS backend. Cheap to share in an `Arc`; its clients keep a pool of connections.
#[derive(Debug)]
pub struct Sqs {
    inner: Arc<Inner>,
}

/// What polls share, which may outlive their callers.
#[derive(Debug)]
struct Inner {
    address: Address,
    names: Names,
    clients: OnceCell<Clients>,
    /// URLs by name on SQS. A queue keeps its URL, so what was found once holds until it is told not to exist.
    urls: Mutex<HashMap<String, String>>,
    deletes: Deletes,
    /// When the last receipt from a queue that was not full came.
    received: Mutex<HashMap<String, Instant>>,
}

impl Sqs {
    /// Reads the URL: `sqs://<region>/<prefix>[?topics=<prefix of topic ARNs>][&endpoint=<URL>]`. Asks nobody anything
    /// until first use.
    pub fn open(url: &str) -> Result<Self, OpenError> {
        let address = Address::parse(url).map_err(|error| OpenError::Url(Box::new(error)))?;
        let names = Names::of(&address.prefix);
        let inner = Inner {
            address,
            names,
            clients: OnceCell::new(),
            urls: Mutex::default(),
            deletes: Deletes::default(),
            received: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Our name of a queue, by its name on SQS; `None` where it is none of ours. An event's `eventSourceARN` ends with
    /// the latter.
    pub fn name_of(&self, sqs_name: &str) -> Option<String> {
        self.inner.names.ours(sqs_name)
    }
}

impl Inner {
    async fn clients(&self) -> &Clients {
        self.clients.get_or_init(|| Clients::of(&self.address)).await
    }

    fn url_known(&self, name: &str) -> Option<String> {
        self.urls().get(name).cloned()
    }

    fn learn_url(&self, name: &str, url: &str) {
        self.urls().insert(name.to_owned(), url.to_owned());
    }

    fn forget_url(&self, name: &str) {
        self.urls().remove(name);
    }

    fn urls(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.urls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A fault of a call about a queue, in our words. A queue that is gone is looked up anew.
    fn fault(&self, fault: Fault, name: &str, queue: &str) -> Error {
        let error = fault.about(queue);
        self.note(name, &error);
        error
    }

    /// When the next receipt from a queue may begin: who has just emptied it waits until more came together.
    fn receive_at(&self, name: &str) -> Option<Instant> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).get(name).map(|last| *last + LINGER)
    }

    fn note_received(&self, name: &str, is_full: bool) {
        let mut received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        if is_full {
            received.remove(name);
        } else {
            received.insert(name.to_owned(), Instant::now());
        }
    }

    fn note(&self, name: &str, error: &Error) {
        if matches!(error, Error::NoQueue(_)) {
            self.forget_url(name);
        }
    }
}

#[async_trait]
impl Queue for Sqs {
    async fn create(&self, queue: &str) -> Result<(), Error> {
        Box::pin(places::create(&self.inner, queue)).await
    }

    async fn send(&self, queue: &str, batch: &[Out]) -> Vec<Result<(), SendError>> {
        send::send(&self.inner, queue, batch).await
    }

    async fn receive(&self, queue: &str, take: Take) -> Result<Vec<Delivery>, Error> {
        receive::receive(&self.inner, queue, take).await
    }

    async fn settle(&self, queue: &str, batch: Vec<(Lease, Settle)>) -> Vec<Result<(), SettleError>> {
        Box::pin(settle::settle(&self.inner, queue, batch)).await
    }

    async fn extend(&self, queue: &str, leases: &[Lease], lease: Duration) -> Vec<Result<(), SettleError>> {
        settle::extend(&self.inner, queue, leases, lease).await
    }

    async fn depth(&self, queue: &str) -> Result<Depth, Error> {
        Box::pin(places::depth(&self.inner, queue)).await
    }

    async fn queues(&self) -> Result<Vec<String>, Error> {
        places::queues(&self.inner).await
    }

    async fn parked(&self, queue: &str, limit: usize) -> Result<Vec<Parked>, Error> {
        parking::parked(&self.inner, queue, limit).await
    }

    async fn replay(&self, queue: &str, id: &str) -> Result<bool, Error> {
        parking::replay(&self.inner, queue, id).await
    }

    async fn discard(&self, queue: &str, id: &str) -> Result<bool, Error> {
        parking::discard(&self.inner, queue, id).await
    }

    fn linger(&self) -> Duration {
        LINGER
    }

    fn bundle(&self) -> usize {
        ENTRIES_MAX
    }

    fn patience(&self) -> Duration {
        LONG_POLL
    }

    fn unseen_for(&self) -> Duration {
        COUNTED_LATE
    }

    fn has_listeners(&self) -> bool {
        self.inner.address.topics.is_some()
    }

    async fn announce(&self, news: &[News]) -> Vec<Result<(), SendError>> {
        news::announce(&self.inner, news).await
    }
}
