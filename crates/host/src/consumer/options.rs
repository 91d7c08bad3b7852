//! How much a consumer takes, and for how long.

use std::time::Duration;

/// The settings of one consumer.
#[derive(Clone, Debug)]
pub struct Options {
    /// The queue's name; usually the handler's.
    pub queue: String,
    /// The most deliveries that are handled at a time. As many are in hand at most, finished and not yet settled ones
    /// included; some more where a request carries several for the price of one.
    pub concurrency: usize,
    /// The most deliveries that one receive call takes.
    pub batch: usize,
    /// How long a delivery is ours without word from us. Longer work is extended.
    pub lease: Duration,
    /// The longest that one receive call waits; less where the queue's own patience is shorter.
    pub wait: Duration,
    /// How long a shutdown lets work finish.
    pub grace: Duration,
}

impl Options {
    /// The usual settings for a queue.
    pub fn of(queue: impl Into<String>) -> Self {
        Self {
            queue: queue.into(),
            concurrency: 8,
            batch: 8,
            lease: Duration::from_mins(1),
            wait: Duration::from_secs(20),
            grace: Duration::from_secs(20),
        }
    }
}
