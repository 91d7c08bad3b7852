//! What a function is to its hosts: a name, an envelope, and a verb.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;

/// A function. Written once; it knows nothing of where it runs.
///
/// A handler takes one envelope in one transaction: inbox mark, change and outbox. It is called again with the
/// same envelope when anything between its commit and the settling of the delivery goes wrong, so it is idempotent.
pub trait Handler: Send + Sync + 'static {
    /// Names the queue, the span and the metrics: `route`.
    const NAME: &'static str;

    /// How long one envelope may take. On Lambda the limits of a whole batch must fit into the function's timeout:
    /// limit × batch / `lambda::FAN_OUT`, and a margin; where they would not, the host shortens them.
    const TIME_LIMIT: Duration = Duration::from_secs(30);

    /// What a body decodes to, as JSON.
    type Envelope: DeserializeOwned + Send;

    /// Handles one envelope. `Ok` means that its effect is durable and the delivery may be acknowledged.
    fn handle(&self, envelope: Self::Envelope, delivery: &Delivery)
    -> impl Future<Output = Result<(), Failure>> + Send;

    /// Comes to rest. Called where the process is frozen between its invocations (AWS Lambda): after each batch or
    /// event, before its answer. What other hosts leave to a task in the background has its turn here, and must be
    /// over at `until`; what is left is dropped in the middle. Does nothing unless the function says otherwise.
    fn before_freeze(&self, until: tokio::time::Instant) -> impl Future<Output = ()> + Send {
        let _ = until;
        std::future::ready(())
    }
}

/// Where an envelope came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The name of the queue.
    pub queue: String,
    /// The queue's id of the message; not the envelope's id.
    pub id: String,
    /// How often the message was received, this time included.
    pub received: u32,
    /// When the message was sent, where the queue tells.
    pub enqueued_at: Option<DateTime<Utc>>,
}

/// Why an envelope was not handled.
#[derive(Debug)]
pub enum Failure {
    /// The world may change: try again. `after` is the delay before the second attempt; it doubles with each
    /// further one, up to [`RETRY_DELAY_MAX`](crate::RETRY_DELAY_MAX).
    Retry { after: Duration, cause: anyhow::Error },
    /// The message is wrong and stays wrong: it is parked. `why` is shown to people and logged.
    Reject { why: String },
}

impl Failure {
    /// The delay before the second attempt, where the handler names none.
    pub const RETRY_AFTER: Duration = Duration::from_secs(1);

    /// The message is wrong.
    pub fn reject(why: impl Into<String>) -> Self {
        Self::Reject { why: why.into() }
    }

    /// The world may change.
    pub fn retry(after: Duration, cause: impl Into<anyhow::Error>) -> Self {
        Self::Retry { after, cause: cause.into() }
    }
}

/// `?` on a fault of the world asks for another attempt.
impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(cause: E) -> Self {
        Self::retry(Self::RETRY_AFTER, cause)
    }
}
