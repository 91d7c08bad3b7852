//! The seats of one process, in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::{Directory, Seat, Unavailable};

/// Keys that may lie around before those without a seat are forgotten.
const KEYS_KEPT: usize = 1_024;

/// A directory for everything that runs in this process. It is never unavailable.
#[derive(Debug, Default)]
pub struct InProcessDirectory {
    keys: Mutex<Keys>,
}

#[derive(Debug, Default)]
struct Keys {
    seats: HashMap<String, BTreeMap<u16, Held>>,
    /// With this many keys, look for ones to forget.
    tidy_at: usize,
}

#[derive(Debug)]
struct Held {
    holder: String,
    until: Instant,
}

impl InProcessDirectory {
    /// A directory in which every seat is free.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keys {
    /// The seats of a key that are held at `now`.
    fn of(&mut self, key: &str, now: Instant) -> &mut BTreeMap<u16, Held> {
        if !self.seats.contains_key(key) && self.seats.len() >= self.tidy_at {
            self.seats.retain(|_, seats| seats.values().any(|held| held.until > now));
            self.tidy_at = (self.seats.len() * 2).max(KEYS_KEPT);
        }
        let seats = self.seats.entry(key.to_owned()).or_default();
        seats.retain(|_, held| held.until > now);
        seats
    }
}

#[async_trait]
impl Directory for InProcessDirectory {
    async fn take(&self, key: &str, seats: u16, holder: &str, lease: Duration) -> Result<Option<u16>, Unavailable> {
        let now = Instant::now();
        let mut keys = self.lock();
        let held = keys.of(key, now);
        let free = (0..seats).find(|number| !held.contains_key(number));
        if let Some(number) = free {
            held.insert(number, Held { holder: holder.to_owned(), until: now + lease });
        }
        Ok(free)
    }

    async fn renew(&self, seats: &[Seat], holder: &str, lease: Duration) -> Result<Vec<bool>, Unavailable> {
        let now = Instant::now();
        let mut keys = self.lock();
        let mut renew = |seat: &Seat| {
            let held = keys.of(&seat.key, now);
            let is_ours = held.get(&seat.number).is_none_or(|held| held.holder == holder);
            if is_ours {
                held.insert(seat.number, Held { holder: holder.to_owned(), until: now + lease });
            }
            is_ours
        };
        Ok(seats.iter().map(&mut renew).collect())
    }

    async fn free(&self, seat: &Seat, holder: &str) -> Result<(), Unavailable> {
        let mut keys = self.lock();
        if let Some(held) = keys.seats.get_mut(&seat.key) {
            held.retain(|number, held| *number != seat.number || held.holder != holder);
            if held.is_empty() {
                keys.seats.remove(&seat.key);
            }
        }
        Ok(())
    }

    async fn holders(&self, key: &str) -> Result<Vec<(u16, String)>, Unavailable> {
        let now = Instant::now();
        let keys = self.lock();
        let held = keys.seats.get(key).into_iter().flatten().filter(|(_, held)| held.until > now);
        Ok(held.map(|(number, held)| (*number, held.holder.clone())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn keys_without_a_seat_are_forgotten() {
        let directory = InProcessDirectory::new();
        for key in 0..10 * KEYS_KEPT {
            let taken = directory.take(&key.to_string(), 1, "a", Duration::from_secs(1)).await;
            assert_eq!(taken.unwrap(), Some(0));
            tokio::time::advance(Duration::from_millis(10)).await;
        }
        assert!(directory.lock().seats.len() <= KEYS_KEPT, "{} keys", directory.lock().seats.len());
    }
}
