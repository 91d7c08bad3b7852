//! One file for each command.

pub(crate) mod balance;
pub(crate) mod cdr;
pub(crate) mod edge;
pub(crate) mod exchange_rates;
pub(crate) mod explain;
pub(crate) mod exports;
pub(crate) mod health;
pub(crate) mod house;
pub(crate) mod ledger;
pub(crate) mod messages;
pub(crate) mod migrate;
pub(crate) mod numbers;
pub(crate) mod operators;
pub(crate) mod parked;
pub(crate) mod queues;
pub(crate) mod rates;
pub(crate) mod report;
pub(crate) mod routing;
pub(crate) mod seed;
pub(crate) mod send;
pub(crate) mod smpp;
pub(crate) mod smsc;
pub(crate) mod statement;
pub(crate) mod up;
pub(crate) mod what_if;
pub(crate) mod worker;
