//! How a bind slows down when the operator says that it is too fast, and how it finds its speed again.

use std::time::{Duration, Instant};

use crate::bucket::Bucket;

/// Answers are counted, and the rate is changed, once per this time.
const STEP: Duration = Duration::from_millis(500);
/// A rate measured over less than this says too little.
const MEASURED_MS_MIN: u128 = 100;

/// No limit of its own until the operator throttles; then seven eighths of the rate that was accepted lately, and
/// an eighth more with every step without a throttle, until it is twice that and the limit is lifted.
#[derive(Debug)]
pub(super) struct Pace {
    limit: Option<Limit>,
    step_since: Instant,
    accepted: u32,
    throttled: bool,
}

#[derive(Debug)]
struct Limit {
    bucket: Bucket,
    per_second: u32,
    lift_at: u32,
}

impl Pace {
    pub(super) const fn new(now: Instant) -> Self {
        Self { limit: None, step_since: now, accepted: 0, throttled: false }
    }

    /// A segment was taken.
    pub(super) fn accepted(&mut self, now: Instant) {
        self.accepted = self.accepted.saturating_add(1);
        self.step(now);
    }

    /// A segment was throttled. True for the first one of a step: that is when the bind slows down.
    pub(super) fn throttled(&mut self, now: Instant) -> bool {
        let first = !self.throttled;
        self.throttled = true;
        if first && self.limit.is_none() {
            self.slow_down(now);
        }
        self.step(now);
        first
    }

    /// Segments that may be sent now.
    pub(super) fn available(&self, now: Instant) -> usize {
        self.limit.as_ref().map_or(usize::MAX, |limit| limit.bucket.available(now))
    }

    /// Segments were sent.
    pub(super) fn sent(&mut self, segments: usize, now: Instant) {
        if let Some(limit) = &mut self.limit {
            limit.bucket.take(segments, now);
        }
    }

    /// When the next segment may be sent, where that is later than now.
    pub(super) fn next_at(&self, now: Instant) -> Option<Instant> {
        self.limit.as_ref().and_then(|limit| limit.bucket.next_at(now))
    }

    fn step(&mut self, now: Instant) {
        if now.saturating_duration_since(self.step_since) < STEP {
            return;
        }
        if self.throttled {
            self.slow_down(now);
        } else {
            self.speed_up(now);
        }
        self.step_since = now;
        self.accepted = 0;
        self.throttled = false;
    }

    fn slow_down(&mut self, now: Instant) {
        let elapsed_ms = now.saturating_duration_since(self.step_since).as_millis().max(MEASURED_MS_MIN);
        let per_second = u128::from(self.accepted) * 1_000 / elapsed_ms;
        let lately = u32::try_from(per_second).unwrap_or(u32::MAX);
        let per_second = (lately - lately / 8).max(1);
        let bucket = Bucket::new(per_second, now);
        self.limit = Some(Limit { bucket, per_second, lift_at: lately.max(1).saturating_mul(2) });
    }

    fn speed_up(&mut self, now: Instant) {
        let Some(limit) = &mut self.limit else { return };
        limit.per_second = limit.per_second.saturating_add((limit.per_second / 8).max(1));
        if limit.per_second >= limit.lift_at {
            self.limit = None;
        } else {
            limit.bucket.set_rate(limit.per_second, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays ten seconds against an operator that takes `limit` segments in each tenth of a second.
    fn play(limit_per_tenth: usize) -> (usize, usize) {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let (mut accepted, mut throttled) = (0, 0);
        for tenth in 0..100 {
            let mut free = limit_per_tenth;
            for tick in 0..10 {
                let now = start + Duration::from_millis(tenth * 100 + tick * 10);
                let sent = pace.available(now).min(20);
                pace.sent(sent, now);
                for _ in 0..sent {
                    if free > 0 {
                        free -= 1;
                        accepted += 1;
                        pace.accepted(now);
                    } else {
                        throttled += 1;
                        pace.throttled(now);
                    }
                }
            }
        }
        (accepted, throttled)
    }

    #[test]
    fn finds_the_operators_rate() {
        let (accepted, throttled) = play(10);
        assert!(accepted > 600, "{accepted} of 1000 possible");
        assert!(throttled < accepted / 2, "{throttled} throttled, {accepted} accepted");
    }

    #[test]
    fn an_operator_that_never_throttles_is_never_slowed() {
        let (accepted, throttled) = play(1_000);
        assert_eq!((accepted, throttled), (20_000, 0));
    }
}
