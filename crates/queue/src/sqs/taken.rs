//! What a lease of SQS knows: what parking needs, and until when the message is surely ours.
//!
//! SQS may delete a message by the handle of an earlier receipt, or say that it did and not do it, so it is never
//! asked: a lease is outdated once its time is over by our clock, a little early, or once it was settled.

use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::time::Instant;

/// A lease ends this part of its time early for us, so that a request made at its end does not come too late.
const EARLY_PART: u32 = 10;

/// And no more than this.
const EARLY_MAX: Duration = Duration::from_secs(2);

/// The longest that SQS hides a message from its receipt on (`ChangeMessageVisibility`): 12 hours, less what a request
/// may take.
const HIDDEN_MAX: Duration = Duration::from_mins(12 * 60 - 1);

/// One receipt of a message.
pub(crate) struct Taken {
    pub(super) id: String,
    pub(super) body: Bytes,
    pub(super) received: u32,
    pub(super) enqueued_at: DateTime<Utc>,
    at: Instant,
    /// Where it was received; unset where somebody else received it.
    queue: OnceLock<String>,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// `None` where somebody else received the message and keeps the time, such as Lambda.
    until: Option<Instant>,
    /// Being settled, or settled.
    is_claimed: bool,
    /// Its copy is in the parking queue; it need only be deleted.
    is_parked: bool,
}

impl Taken {
    pub(super) fn new(id: String, body: Bytes, received: u32, enqueued_at: DateTime<Utc>) -> Self {
        let state = State { until: None, is_claimed: false, is_parked: false };
        Self { id, body, received, enqueued_at, at: Instant::now(), queue: OnceLock::new(), state: Mutex::new(state) }
    }

    /// It was received from this queue.
    pub(super) fn came_from(&self, queue: &str) {
        // It is said once.
        let _ = self.queue.set(queue.to_owned());
    }

    /// A lease counts in its own queue only.
    pub(super) fn is_of(&self, queue: &str) -> bool {
        self.queue.get().is_none_or(|own| own == queue)
    }

    /// Ours for this long from now.
    pub(super) fn hold(&self, lease: Duration) {
        let early = (lease / EARLY_PART).min(EARLY_MAX);
        self.with(|state| state.until = Instant::now().checked_add(lease.saturating_sub(early)));
    }

    /// Whether nobody settles it and its time is not over.
    pub(super) fn is_ours(&self) -> bool {
        let now = Instant::now();
        self.with(|state| !state.is_claimed && state.until.is_none_or(|until| now < until))
    }

    /// Begins to settle; `false` when that was done before, or comes too late.
    pub(super) fn claim(&self) -> bool {
        let is_ours = self.is_ours();
        self.with(|state| is_ours && !std::mem::replace(&mut state.is_claimed, true))
    }

    /// It could not be settled: it may be tried again.
    pub(super) fn release(&self) {
        self.with(|state| state.is_claimed = false);
    }

    pub(super) fn set_parked(&self) {
        self.with(|state| state.is_parked = true);
    }

    pub(super) fn is_parked(&self) -> bool {
        self.with(|state| state.is_parked)
    }

    /// How long it may still be hidden.
    pub(super) fn hidden_max(&self) -> Duration {
        HIDDEN_MAX.saturating_sub(self.at.elapsed())
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Taken").field("id", &self.id).field("body_bytes", &self.body.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken() -> Taken {
        Taken::new("id".to_owned(), Bytes::from_static(b"secret"), 1, DateTime::UNIX_EPOCH)
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_ends_a_little_early() {
        let taken = taken();
        taken.hold(Duration::from_secs(10));
        tokio::time::advance(Duration::from_millis(8_900)).await;
        assert!(taken.is_ours());
        taken.hold(Duration::from_secs(10));
        tokio::time::advance(Duration::from_millis(9_100)).await;
        assert!(!taken.is_ours() && !taken.claim());
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_claimed_once_unless_it_is_let_go() {
        let taken = taken();
        assert!(taken.claim());
        assert!(!taken.claim() && !taken.is_ours());
        taken.release();
        assert!(taken.claim());
        assert!(!format!("{taken:?}").contains("secret"));
    }

    #[tokio::test(start_paused = true)]
    async fn sqs_hides_no_longer_than_twelve_hours_in_all() {
        let taken = taken();
        tokio::time::advance(Duration::from_hours(11)).await;
        assert_eq!(taken.hidden_max(), Duration::from_mins(59));
    }
}
