//! Sending messages and reading them back.

pub(crate) mod batch;
pub(crate) mod cancel;
pub(crate) mod explain;
pub(crate) mod feedback;
pub(crate) mod idempotency;
pub(crate) mod intake;
mod looked_up;
pub(crate) mod prepare;
pub(crate) mod read;
pub(crate) mod send;
pub(crate) mod url_guard;
pub(crate) mod view;
