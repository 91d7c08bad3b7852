//! How often a look is made.

use std::time::Duration;

/// How often a look that finds as much as it may take is repeated without waiting for its next tick: after so many rounds the
/// tick comes, whatever is left.
pub(crate) const ROUNDS_MAX: u32 = 1_000;

/// What a look found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    /// How much was done.
    pub(crate) done: u64,
    /// It found as much as one look may take: more is likely due.
    pub(crate) is_full: bool,
}

impl Found {
    /// What a look did that takes `max` at most.
    pub(crate) fn of(done: u64, max: u16) -> Self {
        Self { done, is_full: done >= u64::from(max) }
    }

    /// Another look is worth making now. One that did nothing with what it found would not do better at once.
    fn calls_for_more(self) -> bool {
        self.is_full && self.done > 0
    }
}

/// A look without a bound, or one that repeats itself.
impl From<u64> for Found {
    fn from(done: u64) -> Self {
        Self { done, is_full: false }
    }
}

/// Does `look` every `interval`, for ever. A look that found as much as it may take is followed by the next at once, at most
/// [`ROUNDS_MAX`] times; one that fails is logged and tried again at the next tick.
pub(crate) async fn every<T, F>(name: &'static str, interval: Duration, look: impl Fn() -> F)
where
    T: Into<Found>,
    F: Future<Output = anyhow::Result<T>>,
{
    loop {
        for _ in 0..ROUNDS_MAX {
            if !once(name, &look).await {
                break;
            }
            // The other looks and the shutdown share this task: they get their turn even if no look ever waits.
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(interval).await;
    }
}

/// Looks once. Answers whether another look is worth making now.
async fn once<T, F>(name: &'static str, look: &impl Fn() -> F) -> bool
where
    T: Into<Found>,
    F: Future<Output = anyhow::Result<T>>,
{
    match look().await.map(Into::into) {
        Ok(Found { done: 0, .. }) => false,
        Ok(found) => {
            metrics::counter!("chappe_sweep_done_total", "sweep" => name).increment(found.done);
            found.calls_for_more()
        }
        Err(error) => {
            metrics::counter!("chappe_sweep_errors_total", "sweep" => name).increment(1);
            tracing::warn!(sweep = name, error = format!("{error:#}"), "sweep {name} failed");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::time::{Instant, timeout};

    use super::*;

    const TICK: Duration = Duration::from_secs(10);
    const MAX: u16 = 5;

    /// Looks over `due` things that may be done at once; answers how many are done before the second tick.
    async fn done_in_one_tick(due: u64) -> u64 {
        let left = Cell::new(due);
        let begun = Instant::now();
        let looks = every("test", TICK, async || {
            let done = left.get().min(u64::from(MAX));
            left.set(left.get() - done);
            Ok(Found::of(done, MAX))
        });
        timeout(TICK.mul_f32(0.9), looks).await.unwrap_err();
        assert!(begun.elapsed() < TICK);
        due - left.get()
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_is_full_is_followed_at_once_within_a_bound() {
        let bound = u64::from(ROUNDS_MAX) * u64::from(MAX);
        for (due, done) in [(0, 0), (4, 4), (5, 5), (503, 503), (bound + 7, bound)] {
            assert_eq!(done_in_one_tick(due).await, done, "{due} are due");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_fails_or_does_nothing_waits_for_its_tick() {
        for answer in [Some(Found { done: 0, is_full: true }), Some(Found::from(9)), None] {
            let looked = Cell::new(0);
            let looks = every("test", TICK, async || {
                looked.set(looked.get() + 1);
                answer.ok_or_else(|| anyhow::anyhow!("the database is away"))
            });
            timeout(TICK / 2, looks).await.unwrap_err();
            assert_eq!(looked.get(), 1, "{answer:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn looks_that_never_wait_leave_the_shutdown_its_turn() {
        let busy = every("test", TICK, async || Ok(Found { done: 1, is_full: true }));
        let turn = async {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! { () = busy => panic!("it never ends"), () = turn => {} }
    }
}
