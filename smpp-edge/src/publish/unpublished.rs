//! Segments that the operator has answered and whose outcome is not durable yet.
//!
//! They count against the window: when this process dies, the operator sees again at most what fills its windows,
//! be it unanswered or answered and not yet published.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// What one session has answered and not published.
#[derive(Debug)]
pub(crate) struct Unpublished {
    segments: AtomicUsize,
    /// Rings at the session when some of it was published.
    bell: Arc<Notify>,
    /// Rings at the publisher when the session cannot go on without it.
    urgent: Arc<Notify>,
}

impl Unpublished {
    pub(crate) fn new(bell: Arc<Notify>, urgent: Arc<Notify>) -> Arc<Self> {
        Arc::new(Self { segments: AtomicUsize::new(0), bell, urgent })
    }

    /// What is left of `room` in the window.
    pub(crate) fn room(&self, room: usize) -> usize {
        room.saturating_sub(self.segments.load(Ordering::Acquire))
    }

    /// Asks the publisher not to gather any longer, where there is something to publish.
    pub(crate) fn hurry(&self) {
        if self.segments.load(Ordering::Acquire) > 0 {
            self.urgent.notify_one();
        }
    }

    /// Counts `segments` until the answer is dropped.
    pub(crate) fn count(self: &Arc<Self>, segments: usize) -> Counted {
        self.segments.fetch_add(segments, Ordering::AcqRel);
        Counted { unpublished: Arc::clone(self), segments }
    }
}

/// Segments on their way to being published; dropping it says that they are.
#[derive(Debug)]
pub(crate) struct Counted {
    unpublished: Arc<Unpublished>,
    segments: usize,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.unpublished.segments.fetch_sub(self.segments, Ordering::AcqRel);
        self.unpublished.bell.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_takes_room_until_it_is_dropped() {
        let unpublished = Unpublished::new(Arc::default(), Arc::default());
        let three = unpublished.count(3);
        assert_eq!((unpublished.room(10), unpublished.room(2)), (7, 0));
        drop(three);
        assert_eq!(unpublished.room(10), 10);
    }
}
