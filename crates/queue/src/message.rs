//! What goes into a queue, what comes out, and what is said about it afterwards.

use std::fmt;
use std::hash::{Hash, Hasher};
#[cfg(feature = "sqs")]
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};

#[cfg(feature = "sqs")]
use crate::sqs::taken::Taken;

/// A message to send.
#[derive(Clone)]
pub struct Out {
    pub body: Bytes,
    /// Time before the message may be received. SQS allows 15 minutes.
    pub delay: Duration,
    /// Whose traffic it is. A hint for backends that can share a queue fairly between groups (SQS); the others
    /// ignore it. It promises no order.
    pub group: Option<String>,
}

impl Out {
    /// A message that may be received at once.
    pub fn now(body: impl Into<Bytes>) -> Self {
        Self::after(Duration::ZERO, body)
    }

    /// A message that may be received after a delay.
    pub fn after(delay: Duration, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), delay, group: None }
    }
}

/// News for the world outside: systems for billing and reporting that are not ours. See [`Queue::announce`].
///
/// [`Queue::announce`]: crate::Queue::announce
#[derive(Clone, PartialEq, Eq)]
pub struct News {
    pub topic: Topic,
    /// What listeners choose by: `dlr.delivered`, `bill_request.submit_sm_resp.acc_…`.
    pub key: String,
    /// The same news may come twice; it has the same id then.
    pub id: String,
    /// JSON.
    pub body: Bytes,
}

/// Where news go: a topic exchange of RabbitMQ, a topic of SNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// What was charged.
    Billing,
    /// What became of messages.
    Messaging,
}

impl Topic {
    /// Every topic.
    pub const ALL: [Self; 2] = [Self::Billing, Self::Messaging];

    /// Its name, the same in every backend.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Billing => "billing",
            Self::Messaging => "messaging",
        }
    }
}

/// How much to receive, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Take {
    /// The most messages to take; at most [`RECEIVE_MAX`](crate::RECEIVE_MAX) come.
    pub max: usize,
    /// How long to wait for the first message. Zero looks once.
    pub wait: Duration,
    /// How long the messages are the receiver's before they come again.
    pub lease: Duration,
}

/// A message as received.
#[derive(Clone)]
pub struct Delivery {
    /// The message's id in its backend; the same at every receipt. It is not the envelope's id.
    pub id: String,
    /// What to settle or extend it with.
    pub lease: Lease,
    pub body: Bytes,
    /// How often the message was received, this time included.
    pub received: u32,
    pub enqueued_at: DateTime<Utc>,
}

/// A backend's handle of one delivery. Opaque outside of the backend that made it.
#[derive(Clone, Debug)]
pub struct Lease {
    token: String,
    /// SQS: what the token alone does not tell.
    #[cfg(feature = "sqs")]
    taken: Option<Arc<Taken>>,
}

impl Lease {
    /// A lease of a backend outside of this crate, such as a fake in a test.
    pub fn from_token(token: impl Into<String>) -> Self {
        Self {
            token: token.into(),
            #[cfg(feature = "sqs")]
            taken: None,
        }
    }

    /// What the backend made it of.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// PostgreSQL: the message and the generation of its lease.
    pub(crate) fn of_postgres(id: i64, generation: i32) -> Self {
        Self::from_token(format!("{id}:{generation}"))
    }

    /// `None` when this is not a lease of the PostgreSQL backend.
    pub(crate) fn postgres(&self) -> Option<(i64, i32)> {
        let (id, generation) = self.token.split_once(':')?;
        Some((id.parse().ok()?, generation.parse().ok()?))
    }

    /// RabbitMQ: the connection and the number of the delivery.
    pub(crate) fn of_rabbit(session: u64, number: u64) -> Self {
        Self::from_token(format!("{session}.{number}"))
    }

    /// The number; `None` when this is not a lease of that connection.
    pub(crate) fn rabbit(&self, session: u64) -> Option<u64> {
        let (own, number) = self.token.split_once('.')?;
        let own: u64 = own.parse().ok()?;
        if own == session { number.parse().ok() } else { None }
    }

    /// SQS: the receipt handle and what it is the handle of.
    #[cfg(feature = "sqs")]
    pub(crate) fn of_sqs(receipt_handle: String, taken: Arc<Taken>) -> Self {
        Self { token: receipt_handle, taken: Some(taken) }
    }

    /// `None` when this was made of a token alone.
    #[cfg(feature = "sqs")]
    pub(crate) fn sqs(&self) -> Option<Arc<Taken>> {
        self.taken.clone()
    }
}

impl PartialEq for Lease {
    fn eq(&self, other: &Self) -> bool {
        self.token == other.token
    }
}

impl Eq for Lease {}

impl Hash for Lease {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.token.hash(state);
    }
}

/// What becomes of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settle {
    /// Done: the message is gone.
    Ack,
    /// It comes again after this time.
    Retry(Duration),
    /// It is set aside, with the reason, until a person looks at it.
    Park(String),
}

/// How much lies in a queue. Counts are exact up to [`Depth::COUNT_MAX`] and stop there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Messages that may be received now.
    pub ready: u64,
    /// Messages that may not be received yet: leased, delayed or waiting for their retry.
    pub waiting: u64,
    /// Messages set aside.
    pub parked: u64,
    /// The age of the oldest message that is ready.
    pub oldest_age: Option<Duration>,
    /// The age of the oldest message that is waiting.
    pub oldest_waiting_age: Option<Duration>,
}

impl Depth {
    /// Where counting stops, so that looking at a long queue stays cheap.
    pub const COUNT_MAX: u32 = 100_000;
}

/// A message set aside, and why.
#[derive(Clone)]
pub struct Parked {
    pub id: String,
    pub why: String,
    pub body: Bytes,
    /// How often it had been received.
    pub received: u32,
    pub enqueued_at: DateTime<Utc>,
    pub parked_at: DateTime<Utc>,
}

impl fmt::Debug for Out {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Out")
            .field("body_bytes", &self.body.len())
            .field("delay", &self.delay)
            .field("group", &self.group)
            .finish()
    }
}

impl fmt::Debug for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("News")
            .field("topic", &self.topic)
            .field("key", &self.key)
            .field("id", &self.id)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("id", &self.id)
            .field("lease", &self.lease)
            .field("body_bytes", &self.body.len())
            .field("received", &self.received)
            .field("enqueued_at", &self.enqueued_at)
            .finish()
    }
}

impl fmt::Debug for Parked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parked")
            .field("id", &self.id)
            .field("why", &self.why)
            .field("body_bytes", &self.body.len())
            .field("received", &self.received)
            .field("enqueued_at", &self.enqueued_at)
            .field("parked_at", &self.parked_at)
            .finish()
    }
}
