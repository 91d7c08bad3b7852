//! Picks a backend from a URL.

use std::sync::Arc;

use crate::{Postgres, Queue};

/// Why a queue URL cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "queue URLs start with postgres:, postgresql:, amqp:, amqps: or sqs:; there are no queues behind {scheme}:"
    )]
    Scheme { scheme: String },
    /// The backend's libraries were left out of this program.
    #[error("{scheme}: is not built into this program; build it with `--features {feature}`")]
    LeftOut { scheme: &'static str, feature: &'static str },
    /// The URL itself is not shown: it may hold a password.
    #[error("the queue URL cannot be read")]
    Url(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Opens the queues behind `url`. Connects at first use, so that a program can start before its backend does.
pub async fn open(url: &str) -> Result<Arc<dyn Queue>, OpenError> {
    let scheme = url.split(':').next().unwrap_or_default();
    match scheme {
        "postgres" | "postgresql" => Ok(Arc::new(Postgres::open(url)?)),
        "amqp" | "amqps" => open_rabbit(url),
        "sqs" => open_sqs(url),
        other => Err(OpenError::Scheme { scheme: other.to_owned() }),
    }
}

#[cfg(feature = "rabbit")]
fn open_rabbit(url: &str) -> Result<Arc<dyn Queue>, OpenError> {
    Ok(Arc::new(crate::Rabbit::open(url)?))
}

#[cfg(not(feature = "rabbit"))]
fn open_rabbit(_: &str) -> Result<Arc<dyn Queue>, OpenError> {
    Err(OpenError::LeftOut { scheme: "amqp", feature: "rabbit" })
}

#[cfg(feature = "sqs")]
fn open_sqs(url: &str) -> Result<Arc<dyn Queue>, OpenError> {
    Ok(Arc::new(crate::Sqs::open(url)?))
}

#[cfg(not(feature = "sqs"))]
fn open_sqs(_: &str) -> Result<Arc<dyn Queue>, OpenError> {
    Err(OpenError::LeftOut { scheme: "sqs", feature: "sqs" })
}
