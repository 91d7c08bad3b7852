//! PostgreSQL: all SQL of the product, one file per table family, every query checked at compile time.
//!
//! The tenant comes first in every signature that reads or writes a customer's rows. A handler's transaction
//! holds the inbox mark, the change and what it publishes; [`Publish`] knows whether the queue is this very
//! database (then the publish is part of the transaction) or another engine (then it goes through the outbox).

#![expect(
    clippy::as_conversions,
    reason = "in a query, `value as Type` names the type of a parameter; nothing is converted"
)]

pub mod accept;
pub mod accounts;
pub mod advance;
mod again;
pub mod audit;
pub mod breakers;
pub mod catalogue;
pub mod cdr;
pub mod chain;
pub mod conclude;
pub mod db;
pub mod dlr;
pub mod error;
pub mod exchange_rates;
pub mod explain;
pub mod exports;
pub mod feedback;
pub mod holder;
pub mod hops;
pub mod idempotency;
pub mod inbound;
pub mod inbound_rules;
pub mod inbox;
pub mod keys;
pub mod late;
pub mod ledger;
pub mod long;
pub mod lookups;
pub mod margin_guards;
pub mod messages;
mod meters;
pub mod operator_caps;
pub mod operator_counts;
pub mod operators;
pub mod opt_outs;
pub mod outages;
pub mod outbox;
pub mod outcome;
pub mod overrides;
pub mod page;
pub mod prefixes;
pub mod price_lists;
pub mod publish;
pub mod rate_sheets;
pub mod rates;
pub mod realtime;
pub mod receipt_timers;
pub mod receipts;
pub mod routing;
pub mod routing_rules;
pub mod schedule;
pub mod schema;
pub mod senders;
pub mod smpp_systems;
pub mod standings;
pub mod sweep;
pub mod tariffs;
pub mod test_numbers;
pub mod traffic;
pub mod tx;
pub mod users;
pub mod webhooks;
pub mod what_if;
pub mod withdraw;

pub use db::{Db, migrate};
pub use error::Error;
pub use publish::Publish;
/// A connection, inside a transaction or not. Functions pass it on; only this crate speaks SQL.
pub use sqlx::PgConnection as Connection;
pub use tx::Tx;
