//! From the outbox to the queues, where these are not in the database.
//!
//! A transaction writes what it wants to publish beside its change. When it has committed, the rows are handed over
//! to a [`Pump`] of the same process, still in memory; it publishes them and deletes them then. A process that dies in
//! between leaves rows behind, which [`sweep_up`] finds. So everything is published at least once, and a consumer's
//! inbox drops what comes twice.
//!
//! In a process the pump runs beside everything else and joins what comes at the same time. On Lambda, where nothing
//! runs between two invocations, whoever commits waits until it is published.

mod open;
mod publish;
mod pump;
mod sweep_up;

pub use open::{Opened, open};
pub use pump::Pump;
pub use sweep_up::{LEFT_AFTER, LEFT_MAX, sweep_up};
