//! smpplib, node-smpp and Kannel as customers: through the whole platform to a simulated operator, and back.

mod kannel;
mod library;
pub(super) mod rig;
