//! The edge as a server, against customers over real TCP: octets in and octets out, with the platform behind it played
//! by a stub.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod binds;
mod deliveries;
mod esme;
mod hostile;
mod intake;
#[path = "../edge/memory.rs"]
#[expect(dead_code, reason = "the other test binary uses all of it")]
mod memory;
mod rig;
mod states;
mod submits;
