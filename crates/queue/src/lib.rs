//! Bytes in, bytes out: the queues that Chappe's functions and the edge meet at.
//!
//! One trait, [`Queue`], and one conformance suite (feature `suite`) that every backend passes. A backend moves
//! opaque bodies; what a body means is the business of `contract`, and what to do about one that means nothing
//! is the business of `host`. [`open`] picks the backend from a URL.
//!
//! The promise is **at least once**: a message comes until somebody acknowledges it, and may come again after
//! that when the acknowledgement is lost. Messages come roughly in the order in which they were sent; no order
//! is promised.
//!
//! **Invariant:** no body is ever logged or shown by `Debug`: bodies hold message texts and phone numbers.

mod error;
mod message;
mod open;
mod postgres;
#[cfg(feature = "rabbit")]
mod rabbit;
#[cfg(feature = "sqs")]
pub mod sqs;
#[cfg(feature = "suite")]
pub mod suite;

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

pub use error::{Error, SendError, SettleError, chain};
pub use message::{Delivery, Depth, Lease, News, Out, Parked, Settle, Take, Topic};
pub use open::{OpenError, open};
pub use postgres::Postgres;
#[cfg(feature = "rabbit")]
pub use rabbit::Rabbit;
#[cfg(feature = "sqs")]
pub use sqs::Sqs;

/// The longest body that every backend takes, in bytes. Envelopes aim at 60 KB, because SQS bills per 64 KB.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// The longest queue name, in bytes (SQS allows 80).
pub const NAME_BYTES_MAX: usize = 80;

/// The most messages that one [`Queue::receive`] returns.
pub const RECEIVE_MAX: usize = 100;

/// A place where messages wait. Object-safe: hosts hold an `Arc<dyn Queue>`.
///
/// Names of queues are 1 to [`NAME_BYTES_MAX`] characters of `A-Z a-z 0-9 . _ -`. Every call names its queue; all
/// calls but [`create`](Queue::create) fail on a queue that does not exist.
#[async_trait]
pub trait Queue: Debug + Send + Sync {
    /// Makes a queue, together with the place for its parked messages. Making one twice is no error.
    async fn create(&self, queue: &str) -> Result<(), Error>;

    /// Sends a batch of any length. Returns one result per item, in order; `Ok` means durable.
    async fn send(&self, queue: &str, batch: &[Out]) -> Vec<Result<(), SendError>>;

    /// Takes up to [`Take::max`] messages under a lease; waits for the first up to [`Take::wait`]. Empty means that
    /// none came in time. A message whose lease ends unsettled comes again; so does, then at the latest, one that was
    /// leased for a call that its caller dropped.
    async fn receive(&self, queue: &str, take: Take) -> Result<Vec<Delivery>, Error>;

    /// Nobody receives from the queue through this handle for a while: what a backend was handed ahead of a call goes
    /// back at once, for others to receive. Without it that takes a while, half a minute at most.
    async fn let_go(&self, _queue: &str) {}

    /// Settles a batch of leased messages. Returns one result per item, in order. A lease is outdated once its
    /// message was received again or settled: then the item fails, and nobody else's delivery is touched.
    async fn settle(&self, queue: &str, batch: Vec<(Lease, Settle)>) -> Vec<Result<(), SettleError>>;

    /// Lets leases end `lease` from now instead. Returns one result per item, in order.
    async fn extend(&self, queue: &str, leases: &[Lease], lease: Duration) -> Vec<Result<(), SettleError>>;

    /// How much lies in the queue.
    async fn depth(&self, queue: &str) -> Result<Depth, Error>;

    /// The names of all queues, in order of name.
    async fn queues(&self) -> Result<Vec<String>, Error>;

    /// Shows parked messages, the oldest first, at most `limit`. Takes nothing away.
    async fn parked(&self, queue: &str, limit: usize) -> Result<Vec<Parked>, Error>;

    /// Puts a parked message back into its queue as if it were new. `false` when there is no such message.
    async fn replay(&self, queue: &str, id: &str) -> Result<bool, Error>;

    /// Drops a parked message for good. `false` when there is no such message.
    /// (Not named `drop`: on an `Arc<dyn Queue>` that would mean the destructor.)
    async fn discard(&self, queue: &str, id: &str) -> Result<bool, Error>;

    /// How long a publisher does well to gather before it sends: what a request costs here against what a moment costs
    /// a message.
    fn linger(&self) -> Duration {
        Duration::from_millis(5)
    }

    /// How many messages a request carries for the price of one.
    fn bundle(&self) -> usize {
        1
    }

    /// How long one call of [`receive`](Queue::receive) does well to wait while nothing comes: where each call costs,
    /// long.
    fn patience(&self) -> Duration {
        Duration::from_secs(2)
    }

    /// For how long [`depth`](Queue::depth) may not count a message, or not tell its age: zero where it tells all, whoever
    /// holds it.
    fn unseen_for(&self) -> Duration {
        Duration::ZERO
    }

    /// Whether anybody outside can listen to news here; where not, none need be written.
    fn has_listeners(&self) -> bool {
        false
    }

    /// Tells the world outside. Returns one result per item, in order; `Ok` means that every listener's queue has it,
    /// or that nobody listens.
    async fn announce(&self, news: &[News]) -> Vec<Result<(), SendError>> {
        news.iter().map(|_| Ok(())).collect()
    }
}

/// Whether `name` may name a queue on every backend.
pub fn name_is_valid(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}
