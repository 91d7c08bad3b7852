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

use rand::RngExt as _;

/// Ports are chosen here: below those that systems give to outgoing connections, so that none of those takes one between its
/// choice and its use, and a restart finds its own still free.
const PORTS: std::ops::Range<u16> = 12_000..30_000;

/// A port of 127.0.0.1 that nobody uses at this moment, and that no outgoing connection will be given. Prefer port 0 where the
/// code under test can report it.
///
/// # Panics
/// When a thousand ports are taken.
pub fn free_port() -> u16 {
    let mut rng = rand::rng();
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let mut ports = std::iter::repeat_with(|| rng.random_range(PORTS)).take(1_000);
    ports.find(is_free).expect("no free port")
}

/// An empty folder that is removed when dropped.
pub fn temp_dir() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("chappe-dir-").tempdir().expect("no temporary folder")
}
