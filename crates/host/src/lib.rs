//! host

pub mod secrets;
