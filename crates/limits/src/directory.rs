//! The session directory: who holds which seat, as leases that end by themselves.

mod in_process;

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

pub use in_process::InProcessDirectory;

/// Numbered seats of many keys, each held by at most one holder at a time.
///
/// A key stands for what is scarce: the binds of an operator, the sessions of a customer's system, the edges that
/// live. A holder is an edge, or a session of one. A lease that is not renewed ends by itself, so that what a dead
/// edge held is free again after the lease.
///
/// **Invariant:** of `seats` seats of a key, no two holders have the same at the same time.
#[async_trait]
pub trait Directory: Debug + Send + Sync {
    /// Takes the lowest free seat of `key` below `seats`, for `lease`; `None`: all are taken.
    async fn take(&self, key: &str, seats: u16, holder: &str, lease: Duration) -> Result<Option<u16>, Unavailable>;

    /// Renews seats for another `lease`; for each, whether it is still `holder`'s. One that ended and was not taken
    /// by anybody else is taken again.
    async fn renew(&self, seats: &[Seat], holder: &str, lease: Duration) -> Result<Vec<bool>, Unavailable>;

    /// Frees a seat; one that is somebody else's stays.
    async fn free(&self, seat: &Seat, holder: &str) -> Result<(), Unavailable>;

    /// Who holds which seats of `key`, by number.
    async fn holders(&self, key: &str) -> Result<Vec<(u16, String)>, Unavailable>;
}

/// One seat of one key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seat {
    /// What it is a seat of.
    pub key: String,
    /// From 0.
    pub number: u16,
}

/// The directory cannot be reached. Who holds a seat keeps it: nobody else can take it either.
#[derive(Debug, thiserror::Error)]
#[error("the session directory cannot be reached: {0}")]
pub struct Unavailable(pub String);
