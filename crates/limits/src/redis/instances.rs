//! How many processes take from the same rates: each holds a seat of its group.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::Redis;
use crate::{Directory as _, Seat, Unavailable};

/// How often a process says that it lives, and counts the others.
const SAY_EVERY: Duration = Duration::from_secs(2);
/// A process that is silent for so long does not count.
const LEASE: Duration = Duration::from_secs(10);
/// Processes of one group at most.
const INSTANCES_MAX: u16 = 1_000;

/// The numbers of each group of this process, as they were known last.
#[derive(Debug, Default)]
pub(super) struct Instances {
    groups: Mutex<BTreeMap<&'static str, u32>>,
    largest: AtomicU32,
}

impl Instances {
    /// Into how many shares a rate is divided while Redis is away.
    pub(super) fn shares(&self) -> u32 {
        self.largest.load(Ordering::Relaxed).max(1)
    }

    fn note(&self, group: &'static str, count: usize) {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        groups.insert(group, u32::try_from(count).unwrap_or(u32::MAX));
        self.largest.store(groups.values().copied().max().unwrap_or(1), Ordering::Relaxed);
    }
}

impl Redis {
    /// Holds a seat of `group` as long as `this` is there, and counts those that others hold. A Redis that is away
    /// leaves the number as it is.
    pub(crate) fn join(this: &Arc<Self>, group: &'static str) {
        let weak = Arc::downgrade(this);
        // Processes of one machine, and of containers that all have the same number, are different ones.
        let holder = format!("{}-{:016x}", std::process::id(), RandomState::new().hash_one(group));
        tokio::spawn(async move {
            let mut turns = interval(SAY_EVERY);
            turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut seat = None;
            loop {
                turns.tick().await;
                let Some(redis) = weak.upgrade() else { return };
                if let Ok(count) = redis.say(group, &holder, &mut seat).await {
                    redis.instances.note(group, count);
                }
            }
        });
    }

    async fn say(&self, group: &str, holder: &str, seat: &mut Option<Seat>) -> Result<usize, Unavailable> {
        let key = format!("instances:{group}");
        if let Some(held) = seat
            && self.renew(std::slice::from_ref(held), holder, LEASE).await? != [true]
        {
            *seat = None;
        }
        if seat.is_none() {
            let number = self.take(&key, INSTANCES_MAX, holder, LEASE).await?;
            *seat = number.map(|number| Seat { key: key.clone(), number });
        }
        Ok(self.holders(&key).await?.len())
    }
}
