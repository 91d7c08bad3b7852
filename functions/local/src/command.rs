//! One file for each command.

pub(crate) mod balance;
pub(crate) mod ledger;
pub(crate) mod messages;
pub(crate) mod migrate;
pub(crate) mod parked;
pub(crate) mod queues;
pub(crate) mod send;
pub(crate) mod smsc;
