//! Rates as one moment per key, moved by one script.

use std::time::Duration;

use ::redis::{RedisError, Script};
use async_trait::async_trait;

use super::Redis;
use crate::{Limiter, Rate, RetryAfter, Taken};

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
        match self.ask(self.take_there(key, rate, cost, now)).await {
            Some((1, reset)) => Ok(rate.left(Duration::from_micros(reset), Duration::ZERO)),
            Some((_, wait)) => Err(RetryAfter(Duration::from_micros(wait))),
            None => self.take_alone(key, rate, cost, now),
        }
    }
}

impl Redis {
    /// While Redis is away: everything costs as many times as there are processes, so that what all of them let
    /// through together is the rate and not a multiple of it.
    fn take_alone(&self, key: &str, rate: Rate, cost: u32, now: Duration) -> Result<Taken, RetryAfter> {
        let shares = self.instances.shares();
        let taken = self.alone.take_now(key, rate, cost.saturating_mul(shares), now)?;
        Ok(Taken { left: taken.left / shares, ..taken })
    }

    async fn take_there(&self, key: &str, rate: Rate, cost: u32, now: Duration) -> Result<(u8, u64), RedisError> {
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
