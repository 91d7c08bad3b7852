//! The circuit breaker of an operator at a network. Closed: messages go. Open: too many submits failed of late, so
//! messages go elsewhere. Half-open: after a while a few go to see whether it is better; then it closes, or opens for twice
//! as long.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// Failures of this window open a closed breaker.
pub const WINDOW: TimeDelta = TimeDelta::seconds(60);
/// Of at least so many submits.
pub const SUBMITS_MIN: u64 = 20;
/// When so many of a thousand failed.
const OPENS_PERMILLE: u64 = 500;
/// How long the first opening lasts.
const BACK_OFF: TimeDelta = TimeDelta::seconds(30);
/// And the longest.
const BACK_OFF_MAX: TimeDelta = TimeDelta::minutes(15);
/// Messages that a half-open breaker lets through in each interval, over all processes.
pub const PROBES: i16 = 5;
/// That interval.
pub const PROBES_EVERY: TimeDelta = TimeDelta::seconds(10);
/// A half-open breaker closes after so many answers...
const PROBES_ENOUGH: u64 = 5;
/// ...of which at most so many of a thousand are failures, and opens again when they are more.
const CLOSES_PERMILLE: u64 = 200;
/// A breaker that stayed closed for so long begins with the shortest back-off again.
const FORGETS: TimeDelta = TimeDelta::minutes(30);

/// Where a breaker stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Messages go.
    #[default]
    Closed,
    /// They go elsewhere, unless nobody else is left.
    Open,
    /// As open, but for a few that probe.
    HalfOpen,
    /// Opened by a person: they go elsewhere, whatever happens, until a person closes it.
    Held,
}

impl State {
    /// The name in API and CLI.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::Held => "held",
        }
    }
}

/// A breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// Where it stands.
    pub state: State,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Of an open one: when it lets probes through.
    pub until: Option<DateTime<Utc>>,
    /// How often it opened, one after the other.
    pub openings: u8,
}

/// Submits that were counted: of a closed breaker within [`WINDOW`] and since it closed, of a half-open one since then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Answered or given up.
    pub submits: u64,
    /// Of which refused for a reason of the operator's, or never answered.
    pub failures: u64,
}

impl Breaker {
    /// One that was never open.
    pub const fn new(since: DateTime<Utc>) -> Self {
        Self { state: State::Closed, since, until: None, openings: 0 }
    }

    /// What becomes of it at `now`; `None`: it stays.
    pub fn next(self, evidence: Evidence, now: DateTime<Utc>) -> Option<Self> {
        let failed = evidence.failures.saturating_mul(1_000);
        match self.state {
            State::Closed => {
                let opens = evidence.submits >= SUBMITS_MIN && failed >= evidence.submits * OPENS_PERMILLE;
                opens.then(|| self.open(now))
            }
            State::Open => {
                let waited = self.until.is_some_and(|until| until <= now);
                waited.then_some(Self { state: State::HalfOpen, since: now, until: None, ..self })
            }
            State::HalfOpen if evidence.submits < PROBES_ENOUGH => None,
            State::HalfOpen if failed > evidence.submits * CLOSES_PERMILLE => Some(self.open(now)),
            State::HalfOpen => Some(Self { state: State::Closed, since: now, until: None, ..self }),
            State::Held => None,
        }
    }

    fn open(self, now: DateTime<Utc>) -> Self {
        let is_forgotten = self.state == State::Closed && now - self.since >= FORGETS;
        let before = if is_forgotten { 0 } else { self.openings };
        let longer = 1_i32 << before.min(10);
        let until = now + (BACK_OFF * longer).min(BACK_OFF_MAX);
        Self { state: State::Open, since: now, until: Some(until), openings: before.saturating_add(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use State::{Closed, HalfOpen, Held, Open};

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_000_000 + seconds, 0).unwrap()
    }

    fn breaker(state: State, openings: u8) -> Breaker {
        Breaker { state, since: at(0), until: (state == Open).then(|| at(30)), openings }
    }

    #[test]
    fn each_step() {
        /// State and openings before, submits and failures, seconds later, and state, openings and seconds until.
        type Case = ((State, u8), (u64, u64), i64, Option<(State, u8, Option<i64>)>);
        let rows: [Case; 21] = [
            ((Closed, 0), (0, 0), 5, None),
            ((Closed, 0), (19, 19), 5, None),
            ((Closed, 0), (20, 9), 5, None),
            ((Closed, 0), (20, 10), 5, Some((Open, 1, Some(30)))),
            ((Closed, 1), (20, 20), 5, Some((Open, 2, Some(60)))),
            ((Closed, 2), (40, 39), 5, Some((Open, 3, Some(120)))),
            ((Closed, 4), (40, 39), 5, Some((Open, 5, Some(480)))),
            ((Closed, 5), (40, 39), 5, Some((Open, 6, Some(900)))),
            ((Closed, 255), (40, 39), 5, Some((Open, 255, Some(900)))),
            ((Closed, 5), (40, 39), 1_799, Some((Open, 6, Some(900)))),
            ((Closed, 5), (40, 39), 1_800, Some((Open, 1, Some(30)))),
            ((Open, 1), (0, 0), 29, None),
            ((Open, 1), (900, 0), 29, None),
            ((Open, 1), (0, 0), 30, Some((HalfOpen, 1, None))),
            ((HalfOpen, 1), (4, 0), 5, None),
            ((HalfOpen, 1), (4, 4), 5, None),
            ((HalfOpen, 1), (5, 1), 5, Some((Closed, 1, None))),
            ((HalfOpen, 1), (5, 2), 5, Some((Open, 2, Some(60)))),
            ((HalfOpen, 2), (10, 3), 7_200, Some((Open, 3, Some(120)))),
            ((Held, 1), (100, 0), 7_200, None),
            ((Held, 1), (100, 100), 7_200, None),
        ];
        for ((state, openings), (submits, failures), later, expected) in rows {
            let now = at(later);
            let next = breaker(state, openings).next(Evidence { submits, failures }, now);
            let told = next.map(|next| {
                assert_eq!(next.since, now);
                (next.state, next.openings, next.until.map(|until| (until - now).num_seconds()))
            });
            assert_eq!(told, expected, "{state:?} {openings} {submits}/{failures} after {later} s");
        }
    }
}
