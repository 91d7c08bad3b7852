//! Seats and rates that processes share, in a Redis of version 5 or newer.
//!
//! Each call is one script, so it is atomic, and each script reads the time of Redis, so that the clocks of the
//! processes do not matter. Everything lies under `chappe:{<key>}:…` and ends by itself: there is nothing to clean up
//! or to keep over a restart of Redis. A Redis of one's own is not needed; its eviction policy must spare keys with an
//! end (`noeviction`, as it is by default, or `allkeys-lru` with room).

mod directory;
mod limiter;

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use ::redis::aio::{ConnectionManager, ConnectionManagerConfig};
use ::redis::{Client, RedisError, Script};
use tokio::time::Instant;

use crate::InProcess;
use limiter::Time;

/// How long a connection and each answer may take. What waits for it holds a customer's request.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);

/// A connection to Redis, with the scripts.
pub struct Redis {
    connection: ConnectionManager,
    seats: directory::Scripts,
    rate: Script,
    time: Time,
    /// Keeps the rates while Redis is away, each process for itself.
    alone: InProcess,
    /// Until when Redis is not asked for rates, because it did not answer.
    away_until: Mutex<Option<Instant>>,
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
            connection: ConnectionManager::new_lazy_with_config(client, config).map_err(invalid)?,
            seats: directory::Scripts::new(),
            rate: limiter::script(),
            time: Time::OfRedis,
            alone,
            away_until: Mutex::new(None),
        })
    }

    /// Takes the time of the callers for rates instead of its own: for tests, which make their own time.
    #[must_use]
    pub fn with_time_of_callers(self) -> Self {
        Self { time: Time::OfCallers, ..self }
    }
}

impl fmt::Debug for Redis {
    /// The URL holds a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("time", &self.time).finish_non_exhaustive()
    }
}
