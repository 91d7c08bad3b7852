//! News for whoever listens at this moment: nothing is kept for those who do not.

mod topics;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

pub(crate) use topics::Topics;

use crate::Unavailable;

/// Messages of one topic that wait for its slowest listener; who is further behind has missed some.
pub const TOPIC_BUFFER: usize = 1_024;

/// Brings messages to everybody who listens to their topic, in whatever process.
///
/// At most once: a message finds who listens at that moment, and nobody waits for a listener. Of one publisher the
/// messages of one topic come in their order.
#[async_trait]
pub trait Fanout: Debug + Send + Sync {
    /// Publishes `messages`.
    ///
    /// # Errors
    /// When it cannot be reached; then none, or only the first ones, were published.
    async fn publish(&self, messages: &[Message]) -> Result<(), Unavailable>;

    /// Listens to `topic` until the subscription is dropped. Call it inside a tokio runtime.
    fn subscribe(&self, topic: &str) -> Subscription;
}

/// Something for the listeners of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Whom it is for.
    pub topic: String,
    /// What it says.
    pub payload: Bytes,
}

/// What a listener hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A message.
    Message(Bytes),
    /// So many messages came while the listener was too slow, and are gone.
    Missed(u64),
}

/// Somebody who listens.
#[derive(Debug)]
pub struct Subscription {
    receiver: broadcast::Receiver<Bytes>,
    topic: String,
    topics: Arc<Topics>,
}

impl Subscription {
    /// The next message. Waits for ever where none comes. Safe to cancel: nothing is lost.
    pub async fn next(&mut self) -> Heard {
        match self.receiver.recv().await {
            Ok(payload) => Heard::Message(payload),
            Err(RecvError::Lagged(missed)) => Heard::Missed(missed),
            // A topic stays as long as somebody listens.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }

    /// The next message, where one is there already.
    pub fn next_now(&mut self) -> Option<Heard> {
        match self.receiver.try_recv() {
            Ok(payload) => Some(Heard::Message(payload)),
            Err(TryRecvError::Lagged(missed)) => Some(Heard::Missed(missed)),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.topics.left(&self.topic);
    }
}

/// Brings messages to the listeners of this process alone.
#[derive(Debug, Default)]
pub struct InProcessFanout(Arc<Topics>);

impl InProcessFanout {
    /// Nobody listens yet.
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl Fanout for InProcessFanout {
    async fn publish(&self, messages: &[Message]) -> Result<(), Unavailable> {
        for message in messages {
            self.0.tell(&message.topic, message.payload.clone());
        }
        Ok(())
    }

    fn subscribe(&self, topic: &str) -> Subscription {
        Topics::subscribe(&self.0, topic)
    }
}
