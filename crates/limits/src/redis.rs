//! Seats, rates, answers and news that processes share, in a Redis of version 5 or newer.
//!
//! Each call on seats and rates is one script, so it is atomic, and each script reads the time of Redis, so that the
//! clocks of the processes do not matter. Everything lies under `chappe:{<key>}:…` and ends by itself: there is nothing
//! to clean up or to keep over a restart of Redis. A Redis of one's own is not needed; its eviction policy must spare
//! keys with an end (`noeviction`, as it is by default, or `allkeys-lru` with room).

mod directory;
mod fanout;
mod instances;
mod limiter;
mod presence;
mod recall;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ::redis::aio::{ConnectionManager, ConnectionManagerConfig};
use ::redis::{Client, RedisError, Script};

use crate::InProcess;
use crate::fanout::Topics;
use instances::Instances;
use limiter::Time;
use presence::Presence;

/// How long a connection and each answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);
/// How long a customer's request waits for Redis: for its rate, or for an answer given before. Once: while Redis is
/// known to be away, no request asks it.
pub(crate) const REQUEST_LIMIT: Duration = Duration::from_millis(250);

/// A connection to Redis, with the scripts.
pub struct Redis {
    client: Client,
    connection: ConnectionManager,
    seats: directory::Scripts,
    rate: Script,
    time: Time,
    /// Keeps the rates while Redis is away, each process its share.
    alone: InProcess,
    presence: Arc<Presence>,
    instances: Instances,
    topics: Arc<Topics>,
    /// Set when somebody listens for the first time.
    listening: OnceLock<()>,
}

/// What `REDIS_URL` says cannot be read. The text does not repeat it: it may hold a password.
#[derive(Debug, thiserror::Error)]
#[error("not the URL of a Redis, such as redis://host:6379, rediss://user:password@host or unix:///path: {0}")]
pub struct InvalidUrl(String);

impl Redis {
    /// Names the Redis at `url`; connects when it is needed. `alone` keeps the rates while it is away.
    pub fn open(url: &str, alone: InProcess) -> Result<Self, InvalidUrl> {
        let invalid = |error: RedisError| InvalidUrl(error.category().to_owned());
        let config = ConnectionManagerConfig::new()
            // Callers try again by themselves, and must learn at once that the connection was lost.
            .set_number_of_retries(0)
            .set_connection_timeout(Some(ANSWER_LIMIT))
            .set_response_timeout(Some(ANSWER_LIMIT));
        let client = Client::open(url).map_err(invalid)?;
        Ok(Self {
            connection: ConnectionManager::new_lazy_with_config(client.clone(), config).map_err(invalid)?,
            client,
            seats: directory::Scripts::new(),
            rate: limiter::script(),
            time: Time::OfRedis,
            alone,
            presence: Arc::default(),
            instances: Instances::default(),
            topics: Arc::default(),
            listening: OnceLock::new(),
        })
    }

    /// Takes the time of the callers for rates instead of its own: for tests, which make their own time.
    #[must_use]
    pub fn with_time_of_callers(self) -> Self {
        Self { time: Time::OfCallers, ..self }
    }

    /// Asks Redis for a request of a customer: nothing when it is away, or does not answer within [`REQUEST_LIMIT`].
    async fn ask<T>(&self, question: impl Future<Output = Result<T, RedisError>>) -> Option<T> {
        if self.presence.is_away() {
            return None;
        }
        match tokio::time::timeout(REQUEST_LIMIT, question).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(error)) => self.miss(&error.to_string()),
            Err(_) => self.miss("no answer in time"),
        }
    }

    fn miss<T>(&self, why: &str) -> Option<T> {
        presence::lost(&self.presence, &self.connection, why);
        None
    }
}

impl fmt::Debug for Redis {
    /// The URL holds a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("time", &self.time).finish_non_exhaustive()
    }
}
