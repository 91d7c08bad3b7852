//! What stays connected: the edge keeps the sessions with operators, submits what the queues bring, and reports
//! what the operators answer.
//!
//! It has no database. Settings arrive as snapshots ([`Settings`]), messages as envelopes on the queue
//! `submit.<operator>`; outcomes leave on `bill` and receipts on `dlr`. So a database outage cannot drop a session,
//! and an edge can be restarted, moved and multiplied.
//!
//! One task per bind owns its socket, its window and the messages in it; nothing is spawned and no lock is taken per
//! message. Binds of an operator share a pool, which one taker fills from the queue. Two publishers
//! gather what all binds have to say.
//!
//! **Invariant:** an envelope is acknowledged only after the outcomes of all its messages were published, and a
//! receipt is answered only after it was published.

mod bind;
mod bucket;
mod config;
mod intake;
mod job;
mod let_go;
mod meters;
mod operator;
mod publish;
mod recent;
mod seats;
mod server;
mod settings;
mod status;
mod stream;
mod supervisor;
mod trace;
mod track;

pub use config::Config;
pub use intake::Intake;
pub use server::{Bounds, Listener, Server, server_tls};
pub use settings::Settings;
pub use status::EdgeStatus;
pub use supervisor::{Edge, run};
pub use trace::{Direction, SessionName, Traced, Tracer};
