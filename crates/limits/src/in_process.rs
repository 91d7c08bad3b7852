//! Limits that one process keeps for itself.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::{Limiter, Rate, RetryAfter, Taken};

/// How many maps the keys are spread over, so that callers rarely wait for each other.
const SHARDS: usize = 16;

/// Keeps arrival times in memory, for a bounded number of keys.
///
/// A key whose arrival time has passed is as good as unknown, so forgetting it changes nothing. Only when all keys of
/// a full shard are still in debt is one forgiven: the one that owes least.
#[derive(Debug)]
pub struct InProcess {
    shards: [Mutex<HashMap<String, Duration>>; SHARDS],
    hasher: RandomState,
    /// The most keys of one shard.
    keys_max: usize,
}

impl InProcess {
    /// Limits for about `keys_max` keys.
    pub fn new(keys_max: usize) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            keys_max: keys_max.div_ceil(SHARDS).max(1),
        }
    }

    /// How many keys are remembered.
    pub fn keys(&self) -> usize {
        let count = |shard: &Mutex<HashMap<_, _>>| shard.lock().unwrap_or_else(PoisonError::into_inner).len();
        self.shards.iter().map(count).sum()
    }

    /// [`Limiter::take`] without a future: nothing here waits.
    pub fn take_now(&self, key: &str, rate: Rate, cost: u32, now: Duration) -> Result<Taken, RetryAfter> {
        let mut shard = self.shard(key).lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(arrival) = shard.get_mut(key) {
            *arrival = rate.take(*arrival, cost, now)?;
            return Ok(rate.left(*arrival, now));
        }
        let arrival = rate.take(now, cost, now)?;
        if shard.len() >= self.keys_max {
            make_room(&mut shard, now);
        }
        shard.insert(key.to_owned(), arrival);
        Ok(rate.left(arrival, now))
    }

    fn shard(&self, key: &str) -> &Mutex<HashMap<String, Duration>> {
        let hash = self.hasher.hash_one(key).to_le_bytes();
        &self.shards[usize::from(hash[0]) % SHARDS]
    }
}

/// Forgets the keys that owe nothing or, where all do, the one that owes least.
fn make_room(shard: &mut HashMap<String, Duration>, now: Duration) {
    let before = shard.len();
    shard.retain(|_, arrival| *arrival > now);
    if shard.len() < before {
        return;
    }
    let least = shard.iter().min_by_key(|(_, arrival)| **arrival).map(|(key, _)| key.clone());
    if let Some(key) = least {
        shard.remove(&key);
    }
}

#[async_trait]
impl Limiter for InProcess {
    async fn take(&self, key: &str, rate: Rate, cost: u32, now: Duration) -> Result<Taken, RetryAfter> {
        self.take_now(key, rate, cost, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn rate(per_second: u32, burst: u32) -> Rate {
        Rate::new(per_second, burst).unwrap()
    }

    #[test]
    fn keys_are_apart_and_bounded() {
        let limits = InProcess::new(160);
        for key in 0..10_000_u32 {
            assert!(limits.take_now(&key.to_string(), rate(1, 1), 1, MS).is_ok(), "a new key is free");
        }
        assert!(limits.keys() <= 160, "{} keys", limits.keys());
        assert!(limits.take_now("9999", rate(1, 1), 1, MS).is_err(), "the newest debt is remembered");
    }

    #[test]
    fn keys_without_debt_make_room() {
        let limits = InProcess::new(16);
        for key in 0..1_000_u32 {
            let now = Duration::from_secs(u64::from(key) * 2);
            assert!(limits.take_now(&key.to_string(), rate(1, 1), 1, now).is_ok());
        }
        assert!(limits.keys() <= 16);
    }

    #[test]
    fn nonsense_is_refused() {
        for (per_second, burst) in [(0, 1), (1, 0), (Rate::MAX + 1, 1), (1, Rate::MAX + 1)] {
            assert_eq!(Rate::new(per_second, burst), Err(crate::InvalidRate));
        }
    }
}
