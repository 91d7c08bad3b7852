//! The hosts of functions: what a handler is, and everything around it that is the same wherever it runs.
//!
//! A function implements [`Handler`] and knows nothing of queues, signals or Lambda. [`process`] is the only road
//! from bytes to a [`Verdict`]; the hosts, [`consumer`] and `lambda` (feature `lambda`), only translate verdicts for
//! whoever brought the bytes. [`run`] reads the settings and picks the host, so that the main of a function is four
//! lines.
//!
//! The rest is what every program of ours needs once: [`config`], [`telemetry`], [`shutdown`], [`clock`] and
//! [`secrets`].

pub mod clock;
pub mod config;
pub mod consumer;
mod events;
mod handler;
#[cfg(feature = "lambda")]
pub mod lambda;
mod process;
mod run;
pub mod secrets;
pub mod shutdown;
pub mod telemetry;

pub use clock::Clock;
pub use config::Config;
pub use consumer::{Options, consume};
pub use events::{Events, Function, Timer, Until};
pub use handler::{Delivery, Failure, Handler};
pub use process::{ATTEMPTS_MAX, RETRY_DELAY_MAX, Verdict, process, process_within};
pub use run::{run, run_timer, run_with, start};
