//! Rates: how many per second somebody may use, counted exactly and without a timer.
//!
//! The generic cell rate algorithm (ITU-T I.371): one moment per key, up to which its rate is used up. A burst of
//! one second is free. A request may be larger than a burst: it goes when the key has any room, and the next one
//! waits until the debt is paid, so that nothing that can be sent at all is refused for ever.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Nanoseconds of one second: the burst.
const SECOND_NS: u64 = 1_000_000_000;
/// Keys that are remembered; those that have used nothing for a second are forgotten first.
const KEYS_MAX: usize = 100_000;

/// Whether a request may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may, and was counted.
    Go {
        /// How many more may follow at once.
        left: u32,
        /// When the whole burst is free again.
        reset: Duration,
    },
    /// It may not, and was not counted.
    Wait {
        /// When there is room again.
        room_in: Duration,
    },
}

/// The use of each key.
#[derive(Debug)]
pub struct Rates<K> {
    started: Instant,
    /// For each key, nanoseconds since `started` up to which its rate is used up.
    used_up_to: Mutex<HashMap<K, u64>>,
}

impl<K: Eq + Hash> Rates<K> {
    /// Nobody has used anything.
    pub fn new(started: Instant) -> Self {
        Self { started, used_up_to: Mutex::default() }
    }

    /// Takes `count` of `key`, which has `per_second` (at least 1).
    pub fn take(&self, key: K, count: u32, per_second: u32, now: Instant) -> Verdict {
        let rate = u64::from(per_second.max(1));
        let now_ns = u64::try_from(now.saturating_duration_since(self.started).as_nanos()).unwrap_or(u64::MAX);
        let mut keys = self.used_up_to.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= KEYS_MAX {
            keys.retain(|_, up_to| *up_to > now_ns);
        }
        let up_to = keys.entry(key).or_insert(now_ns);
        let used_ns = up_to.saturating_sub(now_ns);
        if used_ns >= SECOND_NS {
            return Verdict::Wait { room_in: Duration::from_nanos(used_ns - SECOND_NS + SECOND_NS / rate) };
        }
        let cost_ns = u64::from(count).saturating_mul(SECOND_NS) / rate;
        let used_ns = used_ns.saturating_add(cost_ns);
        *up_to = now_ns.saturating_add(used_ns);
        let left = SECOND_NS.saturating_sub(used_ns).saturating_mul(rate) / SECOND_NS;
        Verdict::Go { left: u32::try_from(left).unwrap_or(u32::MAX), reset: Duration::from_nanos(used_ns) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goes(verdict: Verdict) -> bool {
        matches!(verdict, Verdict::Go { .. })
    }

    #[test]
    fn a_burst_of_one_second_and_then_the_rate() {
        let start = Instant::now();
        let rates = Rates::new(start);
        let at = |ms: u64| start + Duration::from_millis(ms);
        let went = (0..20).filter(|_| goes(rates.take("a", 1, 10, at(0)))).count();
        assert_eq!(went, 10);
        assert_eq!(rates.take("a", 1, 10, at(0)), Verdict::Wait { room_in: Duration::from_millis(100) });
        assert!(!goes(rates.take("a", 1, 10, at(99))) || goes(rates.take("a", 1, 10, at(101))));
        assert!(goes(rates.take("b", 1, 10, at(0))), "every key has a rate of its own");
        let went = (200..10_200).filter(|ms| goes(rates.take("a", 1, 10, at(*ms)))).count();
        assert!((99..=102).contains(&went), "{went} in ten seconds");
    }

    #[test]
    fn a_request_beyond_the_burst_goes_and_is_paid_afterwards() {
        let start = Instant::now();
        let rates = Rates::new(start);
        assert_eq!(rates.take((), 50, 10, start), Verdict::Go { left: 0, reset: Duration::from_secs(5) });
        assert!(!goes(rates.take((), 1, 10, start + Duration::from_secs(4))));
        assert!(goes(rates.take((), 1, 10, start + Duration::from_millis(4_100))));
    }
}
