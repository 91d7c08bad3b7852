//! Waiting for a condition, with a limit. The only place of the tests that sleeps.

use std::panic::Location;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Waits until `condition` holds; panics at the caller's line when it does not within `limit`.
#[track_caller]
pub fn eventually(limit: Duration, mut condition: impl AsyncFnMut() -> bool) -> impl Future<Output = ()> {
    let caller = Location::caller();
    async move {
        let found = poll(limit, async || condition().await.then_some(())).await;
        assert!(found.is_some(), "the condition at {caller} did not hold within {limit:?}");
    }
}

/// Waits until `look` finds something and returns it; panics at the caller's line when it does not within `limit`.
#[track_caller]
pub fn until_some<T>(limit: Duration, look: impl AsyncFnMut() -> Option<T>) -> impl Future<Output = T> {
    let caller = Location::caller();
    async move {
        let found = poll(limit, look).await;
        found.unwrap_or_else(|| panic!("nothing was found at {caller} within {limit:?}"))
    }
}

/// Looks at least once, and once more when the limit is over.
async fn poll<T>(limit: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        let is_last = Instant::now() >= end;
        if let Some(found) = look().await {
            return Some(found);
        }
        if is_last {
            return None;
        }
        sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_condition_that_comes_true_ends_the_wait() {
        let mut looks = 0;
        let found = until_some(Duration::from_secs(5), async || {
            looks += 1;
            (looks == 3).then_some(looks)
        });
        assert_eq!(found.await, 3);
    }

    #[tokio::test]
    #[should_panic(expected = "wait.rs")]
    async fn a_condition_that_stays_false_names_its_line() {
        eventually(Duration::from_millis(10), async || false).await;
    }
}
