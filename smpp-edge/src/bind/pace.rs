//! How a bind slows down when the operator says that it is too fast.

use std::time::{Duration, Instant};

/// The shortest pause, and the longest.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Pauses of the whole bind between bursts of at most a window. A pause doubles while most answers are throttles and
/// halves when most are not, so an operator with a limit is hardly ever hammered, and one that throttles at
/// random is not mistaken for it.
#[derive(Debug)]
pub(super) struct Pace {
    paused_until: Instant,
    pause: Duration,
    /// Answers since the last pause began.
    accepted: u32,
    throttled: u32,
}

impl Pace {
    pub(super) const fn new(now: Instant) -> Self {
        Self { paused_until: now, pause: PAUSE_MIN, accepted: 0, throttled: 0 }
    }

    /// A segment was taken.
    pub(super) const fn accepted(&mut self) {
        self.accepted = self.accepted.saturating_add(1);
    }

    /// A segment was throttled. Answers that come during a pause belong to the burst before it.
    pub(super) fn throttled(&mut self, now: Instant) {
        self.throttled = self.throttled.saturating_add(1);
        if now < self.paused_until {
            return;
        }
        let mostly = self.throttled > self.accepted;
        self.pause = if mostly { (self.pause * 2).min(PAUSE_MAX) } else { (self.pause / 2).max(PAUSE_MIN) };
        self.paused_until = now + self.pause;
        (self.accepted, self.throttled) = (0, 0);
    }

    /// Until when nothing may be sent, if that is later than now.
    pub(super) fn paused(&self, now: Instant) -> Option<Instant> {
        (now < self.paused_until).then_some(self.paused_until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays ten seconds of bursts of `window` against an operator; gives accepted and throttled segments.
    fn play(window: u32, mut takes: impl FnMut(u32, u64) -> bool) -> (u32, u32) {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let (mut accepted, mut throttled) = (0, 0);
        for tick in 0..1_000 {
            let now = start + Duration::from_millis(tick * 10);
            if pace.paused(now).is_some() {
                continue;
            }
            for _ in 0..window {
                if takes(accepted + throttled, tick) {
                    accepted += 1;
                    pace.accepted();
                } else {
                    throttled += 1;
                    pace.throttled(now);
                }
            }
        }
        (accepted, throttled)
    }

    #[test]
    fn a_limit_is_used_and_not_hammered() {
        // 100 per second, counted by the second.
        let (mut second, mut left) = (0, 100);
        let (accepted, throttled) = play(10, |_, tick| {
            if tick / 100 != second {
                (second, left) = (tick / 100, 100);
            }
            left = i32::max(left - 1, -1);
            left >= 0
        });
        assert!(accepted >= 700, "{accepted} of 1000 possible");
        assert!(throttled < accepted, "{throttled} throttled, {accepted} accepted");
    }

    #[test]
    fn chance_is_not_mistaken_for_a_limit() {
        let (accepted, _) = play(10, |n, _| n % 10 >= 3);
        assert!(accepted >= 1_000, "{accepted}");
    }

    #[test]
    fn without_throttles_there_is_no_pause() {
        assert_eq!(play(10, |_, _| true), (10_000, 0));
    }
}
