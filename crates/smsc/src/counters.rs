//! What happened, in numbers. Always kept, whatever the log keeps.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::Serialize;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A snapshot of the operator's counters, all since its start.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
        pub struct Counters {
            $($(#[$doc])* pub $name: u64,)*
        }

        /// The counters themselves.
        #[derive(Debug, Default)]
        pub(crate) struct Live {
            $(pub(crate) $name: Counter,)*
        }

        impl Live {
            pub(crate) fn snapshot(&self) -> Counters {
                Counters { $($name: self.$name.0.load(Relaxed),)* }
            }
        }
    };
}

counters! {
    /// Connections taken.
    connections,
    /// Binds taken.
    binds,
    /// Binds refused.
    binds_refused,
    /// Submits read, accepted or not.
    submits,
    /// Submits taken as messages, answered or not.
    accepted,
    /// Submits refused, for whatever reason.
    refused,
    /// Submits refused with `ESME_RTHROTTLED`, part of `refused`.
    throttled,
    /// Answers to submits written.
    answers_sent,
    /// Receipts written, repetitions and intermediate ones included.
    receipts_sent,
    /// Mobile-originated messages written, repetitions included.
    mobile_sent,
    /// Receipts and messages that the other side confirmed.
    deliveries_confirmed,
    /// Receipts and messages that the other side refused, or did not answer in time; some are sent again.
    deliveries_failed,
    /// Receipts and messages given up: too many attempts, refused for good, or no room to keep them.
    deliveries_dropped,
    /// PDUs that made no sense: broken framing, unknown commands, bodies that cannot be read.
    malformed,
}

/// One counter.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }

    pub(crate) fn one(&self) {
        self.add(1);
    }
}
