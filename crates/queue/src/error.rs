//! What can go wrong, as far as a caller branches on it.

use std::sync::Arc;

/// A whole call failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    #[error("queue {0} does not exist")]
    NoQueue(String),
    #[error("queue name {0:?} must be 1 to 80 characters of A-Z a-z 0-9 . _ -")]
    BadName(String),
    /// The backend did not answer or refused. Trying again later may help.
    #[error("the queue's backend failed")]
    Backend(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

/// One item of a batch was not sent.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SendError {
    /// Sending it again will fail again.
    #[error("a body of {bytes} bytes is longer than {max}", max = crate::BODY_BYTES_MAX)]
    TooLarge { bytes: usize },
    /// The item may have been sent all the same, when the answer was lost.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// One item of a batch was not settled or extended.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SettleError {
    /// The message was received again or settled since; whoever holds the newer lease decides.
    #[error("the lease is outdated")]
    Outdated,
    #[error(transparent)]
    Failed(#[from] Error),
}

/// An error and everything that caused it, on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |line, cause| format!("{line}: {cause}"))
}
