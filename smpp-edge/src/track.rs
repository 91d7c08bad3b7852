//! One envelope that is being worked on: how many of its messages are left, and what it is settled with.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use queue::{Lease, Settle};

/// Wait before an envelope whose messages were given back comes again.
const RETURN_DELAY: Duration = Duration::from_secs(1);

/// Shared by the taker (leases), the jobs (is it still ours?) and the outcome publisher (is it done?).
#[derive(Debug)]
pub(crate) struct Track {
    queue: Arc<str>,
    lease: Mutex<Lease>,
    left: AtomicUsize,
    returned: AtomicBool,
    lost: AtomicBool,
    settled: AtomicBool,
}

impl Track {
    pub(crate) fn new(queue: Arc<str>, lease: Lease, messages: usize) -> Self {
        Self {
            queue,
            lease: Mutex::new(lease),
            left: AtomicUsize::new(messages),
            returned: AtomicBool::new(false),
            lost: AtomicBool::new(false),
            settled: AtomicBool::new(false),
        }
    }

    pub(crate) fn queue(&self) -> &Arc<str> {
        &self.queue
    }

    pub(crate) fn lease(&self) -> Lease {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The same envelope came again while we work on it: the newer lease is the one that counts.
    pub(crate) fn renew(&self, lease: Lease) {
        *self.lease.lock().unwrap_or_else(PoisonError::into_inner) = lease;
    }

    /// Somebody else has the envelope now: what was not sent yet is theirs to send.
    pub(crate) fn lose(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Acquire)
    }

    /// One message less; `published` is false where it goes back to the queue. Gives what to settle with once
    /// nothing is left.
    pub(crate) fn finish_one(&self, published: bool) -> Option<(Lease, Settle)> {
        if !published {
            self.returned.store(true, Ordering::Release);
        }
        if self.left.fetch_sub(1, Ordering::AcqRel) > 1 {
            return None;
        }
        self.settled.store(true, Ordering::Release);
        let settle = if self.returned.load(Ordering::Acquire) { Settle::Retry(RETURN_DELAY) } else { Settle::Ack };
        Some((self.lease(), settle))
    }
}

#[cfg(test)]
impl Track {
    /// A track of one message, for tests of what uses it.
    pub(crate) fn of_test() -> Self {
        Self::new("submit.test".into(), Lease::from_token("test"), 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settles_once_everything_is_finished() {
        let track = |messages| Track::new("q".into(), Lease::from_token("1"), messages);
        let two = track(2);
        assert_eq!(two.finish_one(true), None);
        assert!(!two.is_settled());
        two.renew(Lease::from_token("2"));
        assert_eq!(two.finish_one(true), Some((Lease::from_token("2"), Settle::Ack)));
        assert!(two.is_settled());

        let mixed = track(2);
        assert_eq!(mixed.finish_one(false), None);
        assert_eq!(mixed.finish_one(true), Some((Lease::from_token("1"), Settle::Retry(RETURN_DELAY))));
    }
}
