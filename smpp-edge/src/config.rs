//! The numbers an edge runs by, each with its default and its reason.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// Times and bounds. The defaults suit production; tests shorten them.
#[derive(Clone, Debug)]
pub struct Config {
    /// How often the settings are asked for.
    pub settings_every: Duration,
    /// TCP and the answer to a bind each have this long.
    pub connect_timeout: Duration,
    /// A submit that is not answered in this time has an unknown outcome.
    pub response_timeout: Duration,
    /// Silence of the operator after which we ask whether it is there.
    pub enquire_after: Duration,
    /// Time to answer an `enquire_link`; without an answer the session is closed.
    pub enquire_timeout: Duration,
    /// A session without any message for so long is opened anew; zero: never. An operator's profile may say its own.
    pub inactivity: Duration,
    /// The rest of a PDU has this long to come.
    pub pdu_timeout: Duration,
    /// First wait before a reconnect; doubles with every failure.
    pub backoff_min: Duration,
    /// Longest wait before a reconnect.
    pub backoff_max: Duration,
    /// Wait after the operator refused the bind: never hammer on a closed door.
    pub refused_backoff: Duration,
    /// Wait before a throttled segment goes again.
    pub throttle_delay: Duration,
    /// Wait before a segment goes again after its first temporary refusal; grows by itself with every further one.
    pub temporary_delay: Duration,
    /// How often a segment is sent at most before a temporary refusal counts as final.
    pub attempts_max: u8,
    /// How long a bind of an operator is this edge's without being renewed: so long after its death nobody takes it.
    pub seats_lease: Duration,
    /// How often binds are renewed, taken and given back: several times within their lease.
    pub seats_every: Duration,
    /// How long an envelope is ours before the queue gives it to somebody else; extended while it is worked on.
    pub lease: Duration,
    /// How long one look into an empty queue lasts at most; less where the queue's own patience is shorter.
    pub receive_wait: Duration,
    /// What cannot be sent for lack of a bound session goes back to the queue after this time.
    pub return_after: Duration,
    /// Outcomes are gathered this long: fewer envelopes, fewer transactions.
    pub outcome_gather: Duration,
    /// Receipts are gathered this long. An operator sends no more than its window before we answer, so this also
    /// bounds how fast receipts come: a window of 10 and 20 ms make 500 per second and session.
    pub receipt_gather: Duration,
    /// Receipts are published at once but read only after this time, so that the outcome they belong to is
    /// normally stored first.
    pub receipt_delay: Duration,
    /// At a shutdown, unanswered submits have this long to be answered.
    pub drain: Duration,
    /// Everything ends within this time after a shutdown was asked for.
    pub grace: Duration,
    /// What time it is.
    pub clock: fn() -> DateTime<Utc>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            settings_every: Duration::from_secs(1),
            connect_timeout: Duration::from_secs(10),
            response_timeout: Duration::from_mins(1),
            enquire_after: Duration::from_secs(30),
            enquire_timeout: Duration::from_secs(15),
            inactivity: Duration::ZERO,
            pdu_timeout: Duration::from_secs(10),
            backoff_min: Duration::from_millis(500),
            backoff_max: Duration::from_secs(30),
            refused_backoff: Duration::from_mins(1),
            throttle_delay: Duration::from_millis(500),
            temporary_delay: Duration::from_secs(5),
            attempts_max: 3,
            seats_lease: Duration::from_secs(10),
            seats_every: Duration::from_secs(1),
            lease: Duration::from_mins(1),
            receive_wait: Duration::from_secs(20),
            return_after: Duration::from_secs(10),
            outcome_gather: Duration::from_millis(20),
            receipt_gather: Duration::from_millis(40),
            receipt_delay: Duration::from_millis(100),
            drain: Duration::from_secs(10),
            grace: Duration::from_secs(20),
            clock: Utc::now,
        }
    }
}
