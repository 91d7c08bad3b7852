//! How fast an account may send, in segments per second, and the headers that say so
//! (draft-ietf-httpapi-ratelimit-headers).

use std::time::Instant;

use domain::{AccountId, Catalogue};
use http::{HeaderMap, HeaderName, HeaderValue};
use limits::{InProcess, RetryAfter};

use crate::problem::{Code, Problem};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");
/// Accounts that are remembered.
const ACCOUNTS_MAX: usize = 100_000;

/// The rates of all accounts in this process. A burst of one second is free; what is larger is paid afterwards.
#[derive(Debug)]
pub(crate) struct Pace {
    limits: InProcess,
    started: Instant,
    /// For accounts that have none of their own.
    default: u32,
}

/// What was taken, and what is left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    per_second: u32,
    left: u32,
    reset_seconds: u64,
}

impl Pace {
    pub(crate) fn new(default: u32) -> Self {
        Self { limits: InProcess::new(ACCOUNTS_MAX), started: Instant::now(), default: default.max(1) }
    }

    /// Takes `segments` from the account's rate, or refuses with 429.
    pub(crate) fn take(&self, catalogue: &Catalogue, account: AccountId, segments: u32) -> Result<Rate, Problem> {
        let own = catalogue.accounts.get(&account).and_then(|account| account.segments_per_second);
        let per_second = own.unwrap_or(self.default);
        let rate = limits::Rate::new(per_second, per_second).map_err(Problem::internal)?;
        match self.limits.take_now(&account.to_string(), rate, segments, self.started.elapsed()) {
            Ok(taken) => Ok(Rate { per_second, left: taken.left, reset_seconds: taken.reset.as_secs() }),
            Err(RetryAfter(wait)) => {
                let seconds = u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
                let detail = format!("the account may send {per_second} segments per second; nothing was done");
                Err(Problem::new(Code::RateLimited, detail).retry_after(seconds))
            }
        }
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
