//! Seats as fields of one hash per key: the number, and until when (in ms of Redis' clock) it is whose.

use std::collections::HashMap;
use std::time::Duration;

use ::redis::{RedisError, Script};
use async_trait::async_trait;

use super::Redis;
use crate::{Directory, Seat, Unavailable};

/// What each script begins with.
const COMMON: &str = include_str!("common.lua");

pub(super) struct Scripts {
    take: Script,
    renew: Script,
    free: Script,
    holders: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        let script = |body: &str| Script::new(&format!("{COMMON}{body}"));
        Self {
            take: script(include_str!("take.lua")),
            renew: script(include_str!("renew.lua")),
            free: script(include_str!("free.lua")),
            holders: script(include_str!("holders.lua")),
        }
    }
}

/// Where the seats of a key lie.
fn place(key: &str) -> String {
    format!("chappe:{{{key}}}:seats")
}

fn millis(lease: Duration) -> u64 {
    u64::try_from(lease.as_millis()).unwrap_or(u64::MAX)
}

#[expect(clippy::needless_pass_by_value, reason = "called by map_err")]
fn unavailable(error: RedisError) -> Unavailable {
    Unavailable(error.to_string())
}

#[async_trait]
impl Directory for Redis {
    async fn take(&self, key: &str, seats: u16, holder: &str, lease: Duration) -> Result<Option<u16>, Unavailable> {
        let mut call = self.seats.take.key(place(key));
        call.arg(holder).arg(millis(lease)).arg(seats);
        call.invoke_async(&mut self.connection.clone()).await.map_err(unavailable)
    }

    async fn renew(&self, seats: &[Seat], holder: &str, lease: Duration) -> Result<Vec<bool>, Unavailable> {
        let mut ours = vec![false; seats.len()];
        let mut by_key: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, seat) in seats.iter().enumerate() {
            by_key.entry(&seat.key).or_default().push(index);
        }
        for (key, indices) in by_key {
            let mut call = self.seats.renew.key(place(key));
            call.arg(holder).arg(millis(lease));
            for index in &indices {
                call.arg(seats[*index].number);
            }
            let renewed: Vec<bool> = call.invoke_async(&mut self.connection.clone()).await.map_err(unavailable)?;
            for (index, renewed) in indices.into_iter().zip(renewed) {
                ours[index] = renewed;
            }
        }
        Ok(ours)
    }

    async fn free(&self, seat: &Seat, holder: &str) -> Result<(), Unavailable> {
        let mut call = self.seats.free.key(place(&seat.key));
        call.arg(holder).arg(seat.number);
        call.invoke_async(&mut self.connection.clone()).await.map_err(unavailable)
    }

    async fn holders(&self, key: &str) -> Result<Vec<(u16, String)>, Unavailable> {
        let call = self.seats.holders.key(place(key));
        let mut held: Vec<(u16, String)> =
            call.invoke_async(&mut self.connection.clone()).await.map_err(unavailable)?;
        held.sort_unstable();
        Ok(held)
    }
}
