//! How fast somebody may go: limits on requests, messages and binds.
//!
//! The rule is GCRA (the generic cell rate algorithm of ATM, ITU-T I.371): a key keeps one moment, its *theoretical
//! arrival time*, and not a bucket with a refill. It needs no timer, never lets more through than `burst` at once
//! and `rate` over time, and can be one atomic script in Redis.
//!
//! A cost larger than the burst goes when the key has any room, and what follows waits until the debt is paid; so
//! nothing that can be asked for is refused for ever.
//!
//! And who may sit where: seats that are few, such as the binds of an operator, held on leases. What was answered
//! lately, so that it is found without the database. And news for whoever listens at this moment.
//!
//! [`Limiter`], [`Directory`], [`Recall`] and [`Fanout`] are the seams; [`open`] gives all of them, in the memory of
//! this process or in a Redis that processes share. `REDIS.md` says what happens while that Redis is away.

mod directory;
mod fanout;
mod gcra;
mod in_process;
mod open;
mod recall;
mod redis;

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

pub use directory::{Directory, InProcessDirectory, Seat, Unavailable};
pub use fanout::{Fanout, Heard, InProcessFanout, Message, Subscription, TOPIC_BUFFER};
pub use gcra::{InvalidRate, Rate};
pub use in_process::InProcess;
pub use open::{Opened, open};
pub use recall::{InProcessRecall, KEPT_FOR, Recall, VALUE_BYTES_MAX};
pub use redis::{InvalidUrl, Redis};

/// Keeps the rates of many keys.
#[async_trait]
pub trait Limiter: Debug + Send + Sync {
    /// Takes `cost` from `key`, all or nothing. `now` counts from any fixed moment, the same for all calls: a
    /// process takes its monotonic clock; a limiter that processes share has its own clock and does not look at it.
    async fn take(&self, key: &str, rate: Rate, cost: u32, now: Duration) -> Result<Taken, RetryAfter>;

    /// Takes one.
    async fn check(&self, key: &str, rate: Rate, now: Duration) -> Result<(), RetryAfter> {
        self.take(key, rate, 1, now).await.map(|_| ())
    }
}

/// What is left of a key after something was taken from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// How many more may follow at once.
    pub left: u32,
    /// When the whole burst is free again.
    pub reset: Duration,
}

/// Too fast, and nothing was taken: there will be room after this time, if nobody else takes it first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too fast, try again in {0:?}")]
pub struct RetryAfter(pub Duration);
