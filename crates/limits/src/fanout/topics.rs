//! The topics that somebody in this process listens to.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Notify, broadcast};

use super::{Subscription, TOPIC_BUFFER};

/// Each topic with its listeners. A topic that the last one has left is forgotten.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    listeners: Mutex<HashMap<String, broadcast::Sender<Bytes>>>,
    /// Told when a topic came or went.
    changed: Notify,
}

impl Topics {
    pub(crate) fn subscribe(this: &Arc<Self>, topic: &str) -> Subscription {
        let mut listeners = this.lock();
        let sender = listeners.entry(topic.to_owned()).or_insert_with(|| {
            this.changed.notify_one();
            broadcast::Sender::new(TOPIC_BUFFER)
        });
        let receiver = sender.subscribe();
        Subscription { receiver, topic: topic.to_owned(), topics: Arc::clone(this) }
    }

    /// A listener of `topic` is being dropped; its receiver still counts.
    pub(super) fn left(&self, topic: &str) {
        let mut listeners = self.lock();
        if listeners.get(topic).is_some_and(|sender| sender.receiver_count() <= 1) {
            listeners.remove(topic);
            self.changed.notify_one();
        }
    }

    /// Gives `payload` to who listens to `topic`.
    pub(crate) fn tell(&self, topic: &str, payload: Bytes) {
        if let Some(sender) = self.lock().get(topic) {
            // Nobody listens any more: then nobody misses it.
            let _ = sender.send(payload);
        }
    }

    /// The topics that somebody listens to.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        self.lock().keys().cloned().collect()
    }

    /// Waits until a topic came or went.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, broadcast::Sender<Bytes>>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
