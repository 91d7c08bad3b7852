//! One envelope that is being worked on: how many of its messages are left, and how it ends.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use contract::SubmitKey;
use queue::{Delivery, Lease};

/// Shared by the taker (leases), the jobs (is it still ours?) and the outcome publisher (is it done?).
#[derive(Debug)]
pub(crate) struct Track {
    queue: Arc<str>,
    lease: Mutex<Lease>,
    body: Bytes,
    left: AtomicUsize,
    returned: Mutex<Vec<SubmitKey>>,
    lost: AtomicBool,
    settled: AtomicBool,
}

/// How an envelope ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Each of its messages has an outcome, and that is durable; or it is somebody else's.
    Over(Lease),
    /// Some of its messages go back to the queue.
    Back(Back),
}

/// The messages of an envelope that go back to the queue.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Back {
    pub(crate) lease: Lease,
    /// The envelope as it came.
    pub(crate) body: Bytes,
    /// Which; at least one.
    pub(crate) keys: Vec<SubmitKey>,
}

impl Track {
    /// Of an envelope of which so many messages are to be sent.
    pub(crate) fn new(queue: Arc<str>, delivery: &Delivery, messages: usize) -> Self {
        Self {
            queue,
            lease: Mutex::new(delivery.lease.clone()),
            body: delivery.body.clone(),
            left: AtomicUsize::new(messages),
            returned: Mutex::default(),
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

    /// One message less; `returned` where it goes back to the queue. Gives how the envelope ends once nothing is left.
    pub(crate) fn finish_one(&self, returned: Option<SubmitKey>) -> Option<End> {
        self.returned.lock().unwrap_or_else(PoisonError::into_inner).extend(returned);
        if self.left.fetch_sub(1, Ordering::AcqRel) > 1 {
            return None;
        }
        self.settled.store(true, Ordering::Release);
        let keys = std::mem::take(&mut *self.returned.lock().unwrap_or_else(PoisonError::into_inner));
        let lease = self.lease();
        Some(if keys.is_empty() || self.is_lost() {
            End::Over(lease)
        } else {
            End::Back(Back { lease, body: self.body.clone(), keys })
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use chrono::Utc;
    use domain::MessageId;

    use super::*;

    /// A track of so many messages, for tests of what uses it.
    pub(crate) fn track(messages: usize) -> Track {
        let delivery = Delivery {
            id: "1".to_owned(),
            lease: lease("first"),
            body: Bytes::from_static(b"body"),
            received: 1,
            enqueued_at: Utc::now(),
        };
        Track::new("submit.test".into(), &delivery, messages)
    }

    fn lease(token: &str) -> Lease {
        Lease::from_token(token)
    }

    #[test]
    fn ends_once_everything_is_finished() {
        let two = track(2);
        assert_eq!(two.finish_one(None), None);
        assert!(!two.is_settled());
        two.renew(lease("second"));
        assert_eq!(two.finish_one(None), Some(End::Over(lease("second"))));
        assert!(two.is_settled());
    }

    #[test]
    fn what_was_not_sent_goes_back_unless_it_is_somebody_elses() {
        let key = (MessageId::generate(), 0);
        let mixed = track(2);
        assert_eq!(mixed.finish_one(Some(key)), None);
        let back = Back { lease: lease("first"), body: Bytes::from_static(b"body"), keys: vec![key] };
        assert_eq!(mixed.finish_one(None), Some(End::Back(back)));

        let lost = track(1);
        lost.lose();
        assert_eq!(lost.finish_one(Some(key)), Some(End::Over(lease("first"))));
    }
}
