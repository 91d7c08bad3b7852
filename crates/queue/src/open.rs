//! Picks a backend from a URL.

use std::sync::Arc;

use crate::{Postgres, Queue};

/// Why a queue URL cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "queue URLs start with postgres: or postgresql:; {scheme}: is not built into this program \
         (amqp: and sqs: are known, but not yet)"
    )]
    Scheme { scheme: String },
    /// The URL itself is not shown: it may hold a password.
    #[error("the queue URL cannot be read")]
    Url(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Opens the queues behind `url`. Connects at first use, so that a program can start before its backend does.
pub async fn open(url: &str) -> Result<Arc<dyn Queue>, OpenError> {
    let scheme = url.split(':').next().unwrap_or_default();
    match scheme {
        "postgres" | "postgresql" => Ok(Arc::new(Postgres::open(url)?)),
        other => Err(OpenError::Scheme { scheme: other.to_owned() }),
    }
}
