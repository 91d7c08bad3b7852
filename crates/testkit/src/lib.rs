//! What tests share: a database of one's own, a PostgreSQL, a RabbitMQ and a Redis of one's own, and waiting for a condition instead of
//! for a time.
//!
//! ```no_run
//! # async fn example() {
//! let db = testkit::Database::fresh().await;
//! sqlx::query("select 1").execute(db.pool()).await.unwrap();
//! # }
//! ```
//!
//! Helpers panic with the whole story when the machine does not play along: a test has nobody to report to.

mod certificate;
mod database;
mod moto;
mod rabbitmq;
mod redis;
mod server;
mod wait;

pub use certificate::run_again;
pub use database::Database;
pub use moto::Moto;
pub use rabbitmq::RabbitMq;
pub use redis::Redis;
pub use server::{durable_postgres, postgres};
pub use wait::{eventually, until_some};

use std::net::{Ipv4Addr, TcpListener};

/// A port of 127.0.0.1 that nobody uses at this moment. Prefer port 0 where the code under test can report it.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("no free port");
    listener.local_addr().expect("a bound listener has an address").port()
}

/// An empty folder that is removed when dropped.
pub fn temp_dir() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("chappe-dir-").tempdir().expect("no temporary folder")
}
