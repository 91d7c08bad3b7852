//! Seats in the session directory: how many sessions a system has, over all edges.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use domain::SessionId;
use limits::{Directory, Seat, Unavailable};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::bounds::Bounds;

/// A lease is renewed so often within its time.
const RENEWALS_PER_LEASE: u32 = 3;
/// Seats freed at once.
const FREED_MAX: usize = 100;

type Taken = Mutex<HashMap<Seat, CancellationToken>>;

/// The seats of this edge.
#[derive(Debug)]
pub(super) struct Seats {
    directory: Arc<dyn Directory>,
    /// This run of this edge: after a restart the seats of the one before are somebody else's.
    holder: String,
    lease: Duration,
    taken: Arc<Taken>,
    freed: mpsc::UnboundedSender<Seat>,
}

/// A seat that is held; freed on drop.
#[derive(Debug)]
pub(super) struct Held {
    seat: Seat,
    taken: Weak<Taken>,
    freed: mpsc::UnboundedSender<Seat>,
    /// Cancelled when the seat was lost to somebody else.
    pub(super) lost: CancellationToken,
}

impl Held {
    /// Which seat of its key it is, from 0.
    pub(super) const fn number(&self) -> u16 {
        self.seat.number
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(taken) = self.taken.upgrade() {
            taken.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.seat);
        }
        // Without a keeper the lease ends by itself.
        let _ = self.freed.send(self.seat.clone());
    }
}

impl Seats {
    /// Renews and frees until the last end of it is gone.
    pub(super) fn start(directory: Arc<dyn Directory>, edge: &str, bounds: &Bounds) -> (Self, JoinHandle<()>) {
        // Bounded by the connections: each holds one seat at most.
        let (freed, to_free) = mpsc::unbounded_channel();
        let holder = format!("{edge}/{}", SessionId::generate());
        let seats = Self { directory, holder, lease: bounds.seat_lease, taken: Arc::default(), freed };
        let keeper = Keeper {
            directory: Arc::clone(&seats.directory),
            holder: seats.holder.clone(),
            lease: seats.lease,
            taken: Arc::clone(&seats.taken),
        };
        let keeping = tokio::spawn(keeper.run(to_free));
        (seats, keeping)
    }

    /// One of `seats` seats of `key`; `None`: all are taken.
    pub(super) async fn take(&self, key: &str, seats: u16) -> Result<Option<Held>, Unavailable> {
        let Some(number) = self.directory.take(key, seats, &self.holder, self.lease).await? else {
            return Ok(None);
        };
        let seat = Seat { key: key.to_owned(), number };
        let lost = CancellationToken::new();
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).insert(seat.clone(), lost.clone());
        Ok(Some(Held { seat, taken: Arc::downgrade(&self.taken), freed: self.freed.clone(), lost }))
    }
}

struct Keeper {
    directory: Arc<dyn Directory>,
    holder: String,
    lease: Duration,
    taken: Arc<Taken>,
}

impl Keeper {
    async fn run(self, mut to_free: mpsc::UnboundedReceiver<Seat>) {
        let mut renewals = interval(self.lease / RENEWALS_PER_LEASE);
        renewals.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut freed = Vec::new();
        loop {
            tokio::select! {
                count = to_free.recv_many(&mut freed, FREED_MAX) => {
                    if count == 0 {
                        return;
                    }
                    for seat in freed.drain(..) {
                        if let Err(error) = self.directory.free(&seat, &self.holder).await {
                            tracing::warn!(error = %error, "cannot free a seat, its lease will end");
                        }
                    }
                }
                _ = renewals.tick() => self.renew().await,
            }
        }
    }

    async fn renew(&self) {
        let held: Vec<(Seat, CancellationToken)> = {
            let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            taken.iter().map(|(seat, lost)| (seat.clone(), lost.clone())).collect()
        };
        if held.is_empty() {
            return;
        }
        let seats: Vec<Seat> = held.iter().map(|(seat, _)| seat.clone()).collect();
        match self.directory.renew(&seats, &self.holder, self.lease).await {
            Ok(renewed) => {
                let lost = held.iter().zip(renewed).filter(|(_, renewed)| !renewed);
                lost.for_each(|((_, lost), _)| lost.cancel());
            }
            // Who holds a seat keeps it: nobody else can take it either.
            Err(error) => tracing::warn!(error = %error, "cannot renew seats"),
        }
    }
}
