//! When a delivery is tried again: the table of Standard Webhooks, with jitter.

use std::time::Duration;

use rand::RngExt as _;

/// Waits before the second, third, … try. Behind the last one the delivery is parked.
const TABLE: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
    Duration::from_hours(20),
    Duration::from_hours(24),
];
/// A customer's `Retry-After` is honoured up to here.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

/// The waits between tries.
#[derive(Debug, Clone)]
pub struct Schedule(Vec<Duration>);

impl Default for Schedule {
    fn default() -> Self {
        Self(TABLE.to_vec())
    }
}

impl Schedule {
    /// A table of one's own, for tests and for impatient installations.
    pub fn new(waits: Vec<Duration>) -> Self {
        Self(waits)
    }

    /// The wait behind try number `attempts` (from 1), up to a tenth longer by chance so that customers who were
    /// down are not met by everything at once. `None`: no further try.
    pub fn wait(&self, attempts: usize, retry_after: Option<Duration>) -> Option<Duration> {
        let wait = *self.0.get(attempts.checked_sub(1)?)?;
        let jitter = wait.mul_f64(rand::rng().random_range(0.0..0.1));
        let asked = retry_after.map_or(Duration::ZERO, |asked| asked.min(RETRY_AFTER_MAX));
        Some((wait + jitter).max(asked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_tries_and_then_none() {
        let schedule = Schedule::default();
        for (attempts, seconds) in [(1, 5), (2, 300), (3, 1800), (9, 86_400)] {
            let wait = schedule.wait(attempts, None).unwrap().as_secs_f64();
            let planned = f64::from(seconds);
            assert!((planned..=planned * 1.1).contains(&wait), "{attempts}: {wait}");
        }
        assert_eq!(schedule.wait(10, None), None);
    }

    #[test]
    fn a_retry_after_makes_it_longer_never_shorter() {
        let schedule = Schedule::default();
        assert_eq!(schedule.wait(1, Some(Duration::from_mins(1))), Some(Duration::from_mins(1)));
        assert!(schedule.wait(2, Some(Duration::from_secs(1))).unwrap() >= Duration::from_mins(5));
        assert_eq!(schedule.wait(1, Some(Duration::MAX)), Some(RETRY_AFTER_MAX));
    }
}
