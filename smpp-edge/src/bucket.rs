//! A rate: so many per second, with a small burst.

use std::time::{Duration, Instant};

/// A token bucket kept as one point in time (the generic cell rate algorithm of ITU-T I.371): no timer refills it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    /// Time that one token is worth; zero for no limit.
    interval: Duration,
    /// How far the bucket may run ahead.
    tolerance: Duration,
    /// When the bucket would be full again.
    full_at: Instant,
}

/// A burst is this part of a second's rate: an operator that counts by the second sees hardly more than agreed.
const BURST_PER_SECOND: u32 = 20;

impl Bucket {
    /// `per_second` tokens; 0 means no limit.
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        Self::part(per_second, (1, 1), now)
    }

    /// So many of so many parts of `per_second`, where others have the rest; 0 means no limit.
    fn part(per_second: u32, (parts, of): (u16, u16), now: Instant) -> Self {
        let tokens = per_second.saturating_mul(parts.max(1).into());
        let interval = Duration::from_secs(of.into()).checked_div(tokens).unwrap_or_default();
        let burst = (tokens / u32::from(of.max(1)) / BURST_PER_SECOND).max(1);
        Self { interval, tolerance: interval.saturating_mul(burst), full_at: now }
    }

    /// Another rate from now on, or another part of it; what was taken ahead stays taken.
    pub(crate) fn set_rate(&mut self, per_second: u32, part: (u16, u16), now: Instant) {
        *self = Self { full_at: self.full_at, ..Self::part(per_second, part, now) };
    }

    /// Tokens that may be taken at `now`.
    pub(crate) fn available(&self, now: Instant) -> usize {
        if self.interval.is_zero() {
            return usize::MAX;
        }
        let ahead = self.full_at.saturating_duration_since(now);
        let free = self.tolerance.saturating_sub(ahead).as_nanos();
        usize::try_from(free / self.interval.as_nanos()).unwrap_or(usize::MAX)
    }

    /// Takes tokens, also more than there are: the debt is waited for.
    pub(crate) fn take(&mut self, tokens: usize, now: Instant) {
        let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
        self.full_at = self.full_at.max(now) + self.interval.saturating_mul(tokens);
    }

    /// Tokens that come in so long a time.
    pub(crate) fn tokens_in(&self, time: Duration) -> usize {
        let tokens = time.as_nanos().checked_div(self.interval.as_nanos());
        tokens.and_then(|tokens| usize::try_from(tokens).ok()).unwrap_or(usize::MAX)
    }

    /// When the next token may be taken, if that is later than `now`.
    pub(crate) fn next_at(&self, now: Instant) -> Option<Instant> {
        (self.available(now) == 0)
            .then(|| now + (self.full_at + self.interval).saturating_duration_since(now + self.tolerance))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_its_rate_and_a_small_burst() {
        let start = Instant::now();
        let mut bucket = Bucket::new(100, start);
        let mut taken = 0;
        for ms in 0..1000 {
            let now = start + Duration::from_millis(ms);
            let free = bucket.available(now);
            bucket.take(free, now);
            taken += free;
        }
        assert!((100..=105).contains(&taken), "{taken}");
    }

    #[test]
    fn parts_of_a_rate_are_as_fast_as_they_are_large() {
        let start = Instant::now();
        for (per_second, part, token_ms) in
            [(100, (1, 1), 10), (100, (1, 4), 40), (100, (4, 4), 10), (1, (1, 4), 4_000), (10, (0, 2), 200)]
        {
            let mut bucket = Bucket::new(0, start);
            bucket.set_rate(per_second, part, start);
            bucket.take(1_000, start);
            bucket.set_rate(per_second, part, start);
            let until = start + Duration::from_millis(token_ms) * 1_000;
            assert_eq!(bucket.full_at, until, "{part:?} of {per_second}");
            assert_eq!(bucket.tokens_in(until - start), 1_000, "{part:?} of {per_second}");
        }
    }

    #[test]
    fn a_debt_is_waited_for() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10, start);
        assert_eq!(bucket.next_at(start), None);
        bucket.take(5, start);
        assert_eq!(bucket.available(start), 0);
        let next = bucket.next_at(start).unwrap();
        assert_eq!(next - start, Duration::from_millis(500));
        assert_eq!((bucket.available(next), bucket.next_at(next)), (1, None));
    }

    #[test]
    fn zero_is_no_limit() {
        let now = Instant::now();
        let mut bucket = Bucket::new(0, now);
        bucket.take(1_000_000, now);
        assert_eq!((bucket.available(now), bucket.next_at(now)), (usize::MAX, None));
        assert_eq!(bucket.tokens_in(Duration::from_secs(1)), usize::MAX);
    }
}
