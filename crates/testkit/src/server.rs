//! PostgreSQL servers for tests. They vanish with the process that started them, however it ends.

use std::path::PathBuf;

use anyhow::{Context, Result};
use pgserver::{Options, Server};
use uuid::Uuid;

/// Every server's folder begins so, by which later runs find what an earlier one could not remove.
const PREFIX: &str = "chappe-test-";

/// A server of one's own that does not wait for the disk.
pub async fn postgres() -> Server {
    let server = start(Options::throwaway).await;
    server.unwrap_or_else(|error| panic!("no PostgreSQL for this test: {error:#}"))
}

/// A server of one's own that keeps what it acknowledged, for tests that kill it.
pub async fn durable_postgres() -> Server {
    let durable = |dir| Options { durable: true, ..Options::throwaway(dir) };
    start(durable).await.unwrap_or_else(|error| panic!("no PostgreSQL for this test: {error:#}"))
}

/// Starts what `options` makes of a new folder.
pub(crate) async fn start(options: impl FnOnce(PathBuf) -> Options) -> Result<Server> {
    let parent = std::env::temp_dir();
    let dir = pgserver::reachable_dir(&parent.join(format!("{PREFIX}{}", Uuid::now_v7().simple())))?;
    let mut options = options(dir);
    for (name, value) in [("max_connections", "300"), ("shared_buffers", "128MB")] {
        options.settings.push((name.to_owned(), value.to_owned()));
    }
    Server::start(options).await.context("cannot start a private PostgreSQL")
}

/// Removes the servers of earlier runs that were killed together with their guards.
pub(crate) fn remove_abandoned() {
    let entries = std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten();
    for entry in entries {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            // What belongs to another user cannot be opened, and is that user's to remove.
            let _ = pgserver::remove_abandoned(&entry.path());
        }
    }
}
