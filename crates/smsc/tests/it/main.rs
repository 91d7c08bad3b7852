//! The simulated operator over real TCP, asked by a customer that is nothing but a socket and the codec.

mod bind;
mod client;
mod faults;
mod messages;
mod mobile;
mod profiles;
mod quirks;
mod receipts;
mod tls;
