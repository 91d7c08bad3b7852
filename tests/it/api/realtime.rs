//! Events over WebSocket: who hears what, what is said on a connection, and how it ends.

mod gateway;
pub(super) mod instance;
mod listen;
mod tickets;
