//! Rates as one moment per key, moved by one script.

use std::sync::PoisonError;
use std::time::Duration;

use ::redis::{RedisError, Script};
use async_trait::async_trait;
use tokio::time::Instant;

use super::Redis;
use crate::{Limiter, Rate, RetryAfter, Taken};

/// How long rates are kept per process after Redis did not answer, before it is asked again.
const ALONE_FOR: Duration = Duration::from_secs(1);

/// Whose clock counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Time {
    OfRedis,
    OfCallers,
}

pub(super) fn script() -> Script {
    Script::new(include_str!("rate.lua"))
}

#[async_trait]
impl Limiter for Redis {
    async fn take(&self, key: &str, rate: Rate, cost: u32, now: Duration) -> Result<Taken, RetryAfter> {
        if self.is_away() {
            return self.alone.take_now(key, rate, cost, now);
        }
        match self.ask(key, rate, cost, now).await {
            Ok((1, reset)) => Ok(rate.left(Duration::from_micros(reset), Duration::ZERO)),
            Ok((_, wait)) => Err(RetryAfter(Duration::from_micros(wait))),
            Err(error) => {
                tracing::warn!(error = %error, "redis does not answer, rates are kept per process");
                *self.away_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + ALONE_FOR);
                self.alone.take_now(key, rate, cost, now)
            }
        }
    }
}

impl Redis {
    fn is_away(&self) -> bool {
        let mut away_until = self.away_until.lock().unwrap_or_else(PoisonError::into_inner);
        *away_until = away_until.filter(|until| *until > Instant::now());
        away_until.is_some()
    }

    async fn ask(&self, key: &str, rate: Rate, cost: u32, now: Duration) -> Result<(u8, u64), RedisError> {
        let now = match self.time {
            Time::OfRedis => String::new(),
            Time::OfCallers => now.as_micros().to_string(),
        };
        let (interval, burst) = rate.interval_micros_and_burst();
        let mut call = self.rate.key(format!("chappe:{{{key}}}:rate"));
        call.arg(interval).arg(burst).arg(cost).arg(now);
        call.invoke_async(&mut self.connection.clone()).await
    }
}
