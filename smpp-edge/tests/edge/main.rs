//! The edge against a simulated operator over real TCP: what goes in as envelopes must come out at the handset, and
//! what the operator says must come out as outcomes and receipts.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod faults;
mod memory;
mod quirks;
mod rig;
mod seats;
mod settings;
mod submit;
mod tls;
mod wrong;
