//! How fast an account may send, in segments per second, and the headers that say so
//! (draft-ietf-httpapi-ratelimit-headers).
//!
//! An account has one budget: what it sends over HTTPS and what its SMPP systems submit count together, in every
//! process that shares the limiter.

use std::sync::Arc;
use std::time::Instant;

use domain::{AccountId, Catalogue};
use http::{HeaderMap, HeaderName, HeaderValue};
use limits::{Limiter, RetryAfter};

use crate::problem::{Code, Problem};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");

/// The rates of all accounts. A burst of one second is free; what is larger is paid afterwards.
#[derive(Debug)]
pub(crate) struct Pace {
    limiter: Arc<dyn Limiter>,
    started: Instant,
    /// For accounts that have none of their own.
    default: u32,
}

/// The rate that was agreed with an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Agreed {
    account: AccountId,
    per_second: u32,
}

/// What was taken, and what is left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    per_second: u32,
    left: u32,
    reset_seconds: u64,
}

impl Pace {
    pub(crate) fn new(limiter: Arc<dyn Limiter>, default: u32) -> Self {
        Self { limiter, started: Instant::now(), default: default.max(1) }
    }

    /// The account's own rate, or the platform's.
    pub(crate) fn agreed(&self, catalogue: &Catalogue, account: AccountId) -> Agreed {
        let own = catalogue.accounts.get(&account).and_then(|account| account.segments_per_second);
        Agreed { account, per_second: own.unwrap_or(self.default).clamp(1, limits::Rate::MAX) }
    }

    /// Takes `segments` from the account's rate, or refuses with 429.
    pub(crate) async fn take(&self, agreed: Agreed, segments: u32) -> Result<Rate, Problem> {
        let Agreed { account, per_second } = agreed;
        let rate = limits::Rate::new(per_second, per_second).map_err(Problem::internal)?;
        match self.limiter.take(&format!("account:{account}"), rate, segments, self.started.elapsed()).await {
            Ok(taken) => Ok(Rate { per_second, left: taken.left, reset_seconds: taken.reset.as_secs() }),
            Err(RetryAfter(wait)) => {
                let seconds = u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
                let detail = format!("the account may send {per_second} segments per second; nothing was done");
                Err(Problem::new(Code::RateLimited, detail).retry_after(seconds))
            }
        }
    }

    /// How many messages of these segments the account's rate lets through, from the first on. Asked for in steps of
    /// at most the burst, so that the limiter is asked once or twice and not once for each message.
    pub(crate) async fn pass(&self, agreed: Agreed, segments: &[u32]) -> usize {
        let mut passed = 0;
        while passed < segments.len() {
            let mut cost = 0_u32;
            let mut next = passed;
            while let Some(more) = segments.get(next)
                && (next == passed || cost.saturating_add(*more) <= agreed.per_second)
            {
                cost = cost.saturating_add(*more);
                next += 1;
            }
            if self.take(agreed, cost).await.is_err() {
                break;
            }
            passed = next;
        }
        passed
    }
}

impl Rate {
    /// Says it to the caller.
    pub(crate) fn write(self, headers: &mut HeaderMap) {
        let Self { per_second, left, reset_seconds } = self;
        let policy = format!("\"send\";q={per_second};w=1");
        let state = format!("\"send\";r={left};t={reset_seconds}");
        for (name, value) in [(POLICY, policy), (STATE, state)] {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
    }
}
