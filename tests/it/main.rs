//! The tests of the whole. A module is named for what it judges; a test for what must hold.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod api;
mod books;
mod chappe;
mod failover;
mod faults;
mod fixtures;
mod host;
mod inbound;
mod interop;
mod journey;
mod lambda;
mod ledger;
mod ops;
mod outbox;
mod outcomes;
mod queue;
mod reroute;
mod road;
mod scenarios;
mod tidy;
mod world;
