//! What can go wrong with RabbitMQ, and the time that everything has.

use std::sync::Arc;
use std::time::Duration;

use lapin::ErrorKind;
use tokio::time::timeout;

use super::probe::VERSION_MIN;
use crate::Error;

/// How long the broker may take to answer one call. A memory or disk alarm, or a cluster without a majority, holds
/// answers back.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// AMQP 0-9-1 reply codes that are branched on.
const NOT_FOUND: u16 = 404;
const RESOURCE_LOCKED: u16 = 405;
const PRECONDITION_FAILED: u16 = 406;

/// Why a call failed.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("RabbitMQ is away or refused")]
    Amqp(#[from] lapin::Error),
    #[error("RabbitMQ cannot be reached")]
    Unreachable(#[source] Arc<std::io::Error>),
    #[error("RabbitMQ did not answer in time: {0}")]
    Silent(&'static str),
    #[error("what answers is not RabbitMQ, or not AMQP 0-9-1")]
    NotAmqp,
    #[error(
        "RabbitMQ {0} is too old: quorum queues with message TTL need {major}.{minor}; upgrade the broker, or name \
         another in QUEUE_URL",
        major = VERSION_MIN.0,
        minor = VERSION_MIN.1
    )]
    TooOld(String),
    #[error("RabbitMQ did not take a message")]
    Nacked,
    #[error("RabbitMQ has no queue of that name")]
    Unroutable,
    #[error("RabbitMQ ended a consumer")]
    Cancelled,
    #[error("one process receives from {0} queues at most")]
    TooMany(usize),
    #[error("another process lists the queues for too long")]
    Locked,
}

impl Fault {
    /// The queue or exchange does not exist.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Unroutable) || self.code() == Some(NOT_FOUND)
    }

    /// Another connection owns the exclusive queue.
    pub(super) fn is_locked(&self) -> bool {
        self.code() == Some(RESOURCE_LOCKED)
    }

    /// It exists with other arguments.
    pub(super) fn is_different(&self) -> bool {
        self.code() == Some(PRECONDITION_FAILED)
    }

    fn code(&self) -> Option<u16> {
        match self {
            Self::Amqp(error) => match error.kind() {
                ErrorKind::ProtocolError(error) => Some(error.get_id()),
                _ => None,
            },
            _ => None,
        }
    }

    /// What a caller sees of a fault with `queue`.
    pub(super) fn of(self, queue: &str) -> Error {
        if self.is_missing() { Error::NoQueue(queue.to_owned()) } else { self.into() }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Backend(Arc::new(fault))
    }
}

/// Waits for one answer of the broker, and no longer than [`CALL_TIMEOUT`].
pub(super) async fn within<T>(
    what: &'static str,
    call: impl Future<Output = Result<T, lapin::Error>>,
) -> Result<T, Fault> {
    match timeout(CALL_TIMEOUT, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Fault::Silent(what)),
    }
}
