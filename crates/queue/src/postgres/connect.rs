//! The connections of the queue, and how PostgreSQL is to plan on them.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgPool};

/// The most connections of one process to its queues, the listener's not counted.
const CONNECTIONS_MAX: u32 = 12;

/// How long a call waits for a connection before it fails.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection that lay idle for this long is tried before it is used: PostgreSQL may have restarted since.
const IDLE_SUSPECT: Duration = Duration::from_secs(1);

/// The tables are empty at one moment and long at the next, so the planner's statistics are always wrong: every
/// statement is planned once per connection, and by its indexes.
pub(super) fn options(url: &str) -> Result<PgConnectOptions, sqlx::Error> {
    let options: PgConnectOptions = url.parse()?;
    Ok(options.application_name("chappe-queue").options([
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_seqscan", "off"),
        ("enable_bitmapscan", "off"),
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
        ("jit", "off"),
        ("synchronous_commit", "off"),
    ]))
}

/// A pool that connects at first use.
pub(super) fn pool(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(CONNECTIONS_MAX)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > IDLE_SUSPECT {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(options)
}
