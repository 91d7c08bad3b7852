//! The pool, and how plans are chosen on it.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgPool, Postgres, Transaction};

use crate::chain::Chains;
use crate::error::Error;
use crate::publish::Publish;

/// Connections of one process at most.
const CONNECTIONS_MAX: u32 = 16;
/// How long a caller waits for a connection before it gets [`Error::Unavailable`].
const ACQUIRE_LIMIT: Duration = Duration::from_secs(5);

/// The database of the product: a cheap handle.
#[derive(Debug, Clone)]
pub struct Db {
    pub(crate) pool: PgPool,
    pub(crate) publish: Publish,
    pub(crate) chains: Chains,
}

impl Db {
    /// Opens a pool without waiting for the server: a server that is down makes calls fail, not the start.
    ///
    /// # Errors
    /// [`Error::Sql`] when the URL cannot be read.
    pub fn open(url: &str, publish: Publish) -> Result<Self, Error> {
        let options: PgConnectOptions = url.parse()?;
        Ok(Self { pool: pool(options), publish, chains: Chains::default() })
    }

    /// The same over a pool that the caller made.
    pub fn from_pool(pool: PgPool, publish: Publish) -> Self {
        Self { pool, publish, chains: Chains::default() }
    }

    /// The pool, for health checks and tests.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// How messages leave a transaction.
    pub fn publishing(&self) -> Publish {
        self.publish
    }

    /// Begins a transaction.
    pub async fn begin(&self) -> Result<Transaction<'static, Postgres>, Error> {
        Ok(self.pool.begin().await?)
    }

    /// Answers when the database does.
    pub async fn ping(&self) -> Result<(), Error> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }
}

/// Our statements join a short list of ids with large tables. The planner cannot know the length of a list
/// that is a parameter; these settings keep it to index look-ups, and keep it from planning each call anew.
/// Statements give a lower bound on the id, so that old partitions are left out; never both bounds, for a short
/// range would look cheaper to it than the list.
fn pool(options: PgConnectOptions) -> PgPool {
    let options = options.application_name("chappe").options([
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
        ("enable_seqscan", "off"),
        ("plan_cache_mode", "force_generic_plan"),
        ("jit", "off"),
    ]);
    PgPoolOptions::new()
        .max_connections(CONNECTIONS_MAX)
        .acquire_timeout(ACQUIRE_LIMIT)
        .test_before_acquire(false)
        .connect_lazy_with(options)
}

/// Brings the schema up to date.
///
/// # Errors
/// [`Error::Migrate`] when a migration fails or was changed after it ran.
pub async fn migrate(pool: &PgPool) -> Result<(), Error> {
    sqlx::migrate!("../../migrations").run(pool).await?;
    Ok(())
}
