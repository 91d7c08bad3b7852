//! What every limiter must do.

use std::sync::Arc;
use std::time::Duration;

use limits::{Limiter, Rate, RetryAfter, Taken};

const MS: Duration = Duration::from_millis(1);

/// Judges what `fresh` makes: a limiter that has seen nothing, each time.
pub(crate) async fn run(fresh: impl Fn() -> Arc<dyn Limiter>) {
    let (yes, no) = (true, false);
    for (rate, times, expected, why) in [
        ((10, 1), &[0, 50, 99, 100, 150, 200][..], &[yes, no, no, yes, no, yes][..], "one each 100 ms"),
        ((10, 3), &[0, 0, 0, 0, 100, 100], &[yes, yes, yes, no, yes, no], "a burst at once, then the rate"),
        ((10, 3), &[5000, 5000, 5000, 5000], &[yes, yes, yes, no], "unused time is not saved up"),
        ((3, 1), &[0, 333, 334, 667, 668], &[yes, no, yes, no, yes], "a rate that does not divide a second"),
    ] {
        assert_eq!(passes(&*fresh(), rate, times).await, expected, "{why}");
    }
    let times: Vec<u32> = (0..2_000).collect();
    let passed = passes(&*fresh(), (50, 5), &times).await.into_iter().filter(|passed| *passed).count();
    assert_eq!(passed, 5 + 99, "2 seconds at 50, and the burst");
    costs(&*fresh()).await;
    keys(&*fresh()).await;
}

/// Takes one at each millisecond of `times`; which of them were let through.
async fn passes(limiter: &dyn Limiter, (per_second, burst): (u32, u32), times: &[u32]) -> Vec<bool> {
    let rate = Rate::new(per_second, burst).unwrap();
    let mut passes = Vec::new();
    for at in times {
        passes.push(limiter.check("key", rate, MS * *at).await.is_ok());
    }
    passes
}

async fn costs(limiter: &dyn Limiter) {
    let taken = |left, reset_ms| Ok(Taken { left, reset: MS * reset_ms });
    let wait = |ms| Err(RetryAfter(MS * ms));
    let rate = Rate::new(10, 5).unwrap();
    for (key, cost, at, expected) in [
        ("left", 2, 0, taken(3, 200)),
        ("left", 3, 0, taken(0, 500)),
        ("left", 3, 30, wait(70)),
        // A refusal takes nothing.
        ("left", 1, 100, taken(0, 500)),
        // More than the burst is paid afterwards.
        ("debt", 50, 0, taken(0, 5_000)),
        ("debt", 1, 4_000, wait(600)),
        ("debt", 1, 4_600, taken(0, 500)),
    ] {
        assert_eq!(limiter.take(key, rate, cost, MS * at).await, expected, "{cost} of {key} at {at} ms");
    }
    assert!(limiter.take("large", rate, u32::MAX, MS).await.is_ok(), "no overflow");
    assert!(limiter.take("large", rate, 1, MS).await.is_err());
}

async fn keys(limiter: &dyn Limiter) {
    let rate = Rate::new(1, 1).unwrap();
    for key in ["a", "b", "", "a key} with {braces", "с пробелом"] {
        assert!(limiter.check(key, rate, MS).await.is_ok(), "{key:?} is apart from the others");
        assert!(limiter.check(key, rate, MS).await.is_err(), "{key:?} is remembered");
    }
}
