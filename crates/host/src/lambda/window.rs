//! How much time an invocation has.

use std::time::Duration;

use chrono::Utc;
use lambda_runtime::Context;
use tokio::time::Instant;

/// What is kept for the answer: following up, metrics, the way back. A function with little time keeps a quarter.
const MARGIN: Duration = Duration::from_secs(1);
/// The longest time that Lambda gives (AWS Lambda, "Lambda quotas").
const LAMBDA_MAX: Duration = Duration::from_mins(15);

/// The time of one invocation.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    deadline: Instant,
    margin: Duration,
}

impl Window {
    /// The time that is left by the runtime's word.
    pub(super) fn of(context: &Context) -> Self {
        let now_ms = u64::try_from(Utc::now().timestamp_millis()).unwrap_or(0);
        Self::lasting(Duration::from_millis(context.deadline.saturating_sub(now_ms)))
    }

    /// Where nobody says: what API Gateway waits for an answer (Amazon API Gateway, "Quotas for HTTP APIs").
    pub(super) fn usual() -> Self {
        Self::lasting(Duration::from_secs(30))
    }

    /// So much time from now.
    pub fn lasting(left: Duration) -> Self {
        let left = left.min(LAMBDA_MAX);
        Self { deadline: Instant::now() + left, margin: MARGIN.min(left / 4) }
    }

    /// Work must be over here; what is not is given up.
    pub fn work_until(self) -> Instant {
        self.deadline - self.margin
    }

    /// The answer must be on its way here.
    pub fn answer_by(self) -> Instant {
        self.deadline - self.margin / 2
    }
}
