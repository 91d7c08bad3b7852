//! The API as a customer meets it: request and answer, over a database of its own.

mod admin;
mod auth;
mod batch;
mod health;
mod inbound;
mod internal;
mod isolation;
mod money;
mod opt_outs;
mod read;
mod realtime;
mod refusals;
mod rig;
mod routing;
mod send;
mod shared;
mod smpp;
mod traffic;
