//! Customers over SMPP: their submits go through the same intake as those over HTTPS, and what they ask about
//! messages is answered from the same tables.
//!
//! Plain functions, for an edge in this process; [`internal`](crate::internal) has the same over HTTP.

mod about;
mod count;
mod prepare;
mod status;
mod submit;

pub use about::about;
pub use submit::submit;
