//! Connections before their bind: a bounded number of them, of which the oldest make room for the new.
//!
//! An honest peer binds within a moment, so a flood of connections that never do drives out its own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use super::bounds::Bounds;

/// Who is connected.
#[derive(Debug)]
pub(super) struct Doors {
    connections: Arc<AtomicUsize>,
    connections_max: usize,
    unbound: Arc<Mutex<Unbound>>,
    unbound_max: usize,
}

#[derive(Debug, Default)]
struct Unbound {
    next: u64,
    waiting: BTreeMap<u64, CancellationToken>,
}

/// A place for a connection, given back on drop.
#[derive(Debug)]
pub(super) struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A connection that is not bound yet; leaves the list on drop.
#[derive(Debug)]
pub(super) struct Waiting {
    number: u64,
    unbound: Arc<Mutex<Unbound>>,
    /// Cancelled when a newer connection needs the place.
    pub(super) evicted: CancellationToken,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.unbound.lock().unwrap_or_else(PoisonError::into_inner).waiting.remove(&self.number);
    }
}

impl Doors {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self {
            connections: Arc::default(),
            connections_max: bounds.connections_max,
            unbound: Arc::default(),
            unbound_max: bounds.unbound_max.max(1),
        }
    }

    /// A place for one more connection; `None`: there are too many.
    pub(super) fn enter(&self) -> Option<Place> {
        let before = self.connections.fetch_add(1, Ordering::AcqRel);
        let place = Place(Arc::clone(&self.connections));
        (before < self.connections_max).then_some(place)
    }

    /// Puts a connection among those that are to bind. The oldest of them goes where there are too many.
    pub(super) fn wait(&self) -> Waiting {
        let evicted = CancellationToken::new();
        let mut unbound = self.unbound.lock().unwrap_or_else(PoisonError::into_inner);
        if unbound.waiting.len() >= self.unbound_max
            && let Some((_, oldest)) = unbound.waiting.pop_first()
        {
            oldest.cancel();
        }
        let number = unbound.next;
        unbound.next = unbound.next.wrapping_add(1);
        unbound.waiting.insert(number, evicted.clone());
        Waiting { number, unbound: Arc::clone(&self.unbound), evicted }
    }
}
