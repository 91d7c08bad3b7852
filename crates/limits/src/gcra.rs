//! The rule, as a pure function.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::{RetryAfter, Taken};

/// How much a key may take: `per_second` over time, and `burst` at once.
///
/// **Invariant:** both are at least 1 and at most [`Rate::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    per_second: NonZeroU32,
    burst: NonZeroU32,
}

/// A rate or a burst of zero, or beyond [`Rate::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a rate and its burst must be from 1 to {max}", max = Rate::MAX)]
pub struct InvalidRate;

impl Rate {
    /// The largest rate and the largest burst. Above this an interval would be shorter than a microsecond.
    pub const MAX: u32 = 1_000_000;

    /// A rate of `per_second`, of which `burst` may come at once.
    pub fn new(per_second: u32, burst: u32) -> Result<Self, InvalidRate> {
        let valid = |value| NonZeroU32::new(value).filter(|value| value.get() <= Self::MAX).ok_or(InvalidRate);
        Ok(Self { per_second: valid(per_second)?, burst: valid(burst)? })
    }

    /// The time that one unit costs.
    fn interval(self) -> Duration {
        Duration::from_secs(1) / self.per_second.get()
    }

    /// How far the arrival time may lie ahead of now.
    fn tolerance(self) -> Duration {
        self.interval() * self.burst.get()
    }

    /// What one unit costs, as a decimal number of microseconds, and the burst: for those who reckon elsewhere.
    pub(crate) fn interval_micros_and_burst(self) -> (String, u32) {
        let nanos = self.interval().as_nanos();
        (format!("{}.{:03}", nanos / 1_000, nanos % 1_000), self.burst.get())
    }

    /// The key's next arrival time after `cost` was taken at `now`, from its last one.
    pub(crate) fn take(self, arrival: Duration, cost: u32, now: Duration) -> Result<Duration, RetryAfter> {
        let owed = arrival.saturating_sub(now);
        let last = self.interval() * (self.burst.get() - 1);
        let wait = owed.saturating_sub(last);
        if !wait.is_zero() {
            return Err(RetryAfter(wait));
        }
        Ok(now.saturating_add(owed).saturating_add(self.interval().saturating_mul(cost)))
    }

    /// What is left at `now`, with that arrival time.
    pub(crate) fn left(self, arrival: Duration, now: Duration) -> Taken {
        let reset = arrival.saturating_sub(now);
        let free = self.tolerance().saturating_sub(reset).as_nanos() / self.interval().as_nanos();
        Taken { left: u32::try_from(free).unwrap_or(u32::MAX), reset }
    }
}
