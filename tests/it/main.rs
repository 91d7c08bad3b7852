//! The tests of the whole. A module is named for what it judges; a test for what must hold.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod api;
mod host;
mod queue;
mod tidy;
mod ledger;
mod world;
