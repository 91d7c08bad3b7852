//! What can be said about a pool before it is opened.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, Error as SqlError};

use super::pool::{Pool, Session};
use super::{Db, Publish};
use crate::Error;

/// Connections of one process at most, where nothing else is said.
const CONNECTIONS_MAX: u32 = 16;
/// How long a caller waits for a connection before it gets [`Error::Unavailable`].
const ACQUIRE_LIMIT: Duration = Duration::from_secs(5);

/// The same in a process that is frozen between invocations: whoever asked has little time.
const FROZEN_ACQUIRE_LIMIT: Duration = Duration::from_secs(3);
/// How long a connection may lie idle in a process that is frozen, before it is closed.
const FROZEN_IDLE: Duration = Duration::from_mins(1);
/// How old a connection may grow in a process that is frozen. Servers, NAT gateways and proxies drop what is silent
/// for some minutes, and nobody here would see it.
const FROZEN_LIFETIME: Duration = Duration::from_mins(5);
/// A connection that was not used for so long may have been frozen in between: it is tried before it is used.
const FROZEN_DOUBT: Duration = Duration::from_millis(500);
/// How long that try may take. A socket whose other end is gone without a word would hang.
const FROZEN_TRY: Duration = Duration::from_secs(1);

/// Answers the URL of the database with the credentials of now, or nothing when they could not be read.
pub type Renew = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Option<String>> + Send>> + Send + Sync>;

/// A database that is about to be opened.
#[must_use]
pub struct Opening<'a> {
    url: &'a str,
    publish: Publish,
    connections_max: u32,
    session: Session,
    is_frozen: bool,
    renew: Option<Renew>,
}

impl fmt::Debug for Opening<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening").field("connections_max", &self.connections_max).finish_non_exhaustive()
    }
}

impl<'a> Opening<'a> {
    /// The usual settings of a process.
    pub fn new(url: &'a str, publish: Publish) -> Self {
        Self { url, publish, connections_max: CONNECTIONS_MAX, session: Session::Direct, is_frozen: false, renew: None }
    }

    /// At most so many connections at a time; without a number as many as usual.
    pub fn connections(self, max: Option<u32>) -> Self {
        Self { connections_max: max.unwrap_or(self.connections_max), ..self }
    }

    /// The process is frozen between its invocations, as AWS Lambda does it: connections die meanwhile, and timers
    /// stand still.
    pub fn frozen_between_invocations(self, is_frozen: bool) -> Self {
        Self { is_frozen, ..self }
    }

    /// Between here and the server a pooler gives each transaction whatever connection is free (PgBouncer with
    /// `pool_mode = transaction`), so that nothing of a session outlives its transaction.
    pub fn behind_transaction_pooler(self, is_behind: bool) -> Self {
        Self { session: if is_behind { Session::Transaction } else { Session::Direct }, ..self }
    }

    /// Asks for newer credentials when the server refuses those that it knows.
    pub fn renewed_by(self, renew: Option<Renew>) -> Self {
        Self { renew, ..self }
    }

    /// Opens the pool, without waiting for the server.
    ///
    /// # Errors
    /// [`Error::Sql`] when the URL cannot be read.
    pub fn open(self) -> Result<Db, Error> {
        let options: PgConnectOptions = self.url.parse()?;
        let pools = PgPoolOptions::new().max_connections(self.connections_max);
        let pools = if self.is_frozen {
            frozen(pools)
        } else {
            pools.acquire_timeout(ACQUIRE_LIMIT).test_before_acquire(false)
        };
        let pool = pools.connect_lazy_with(self.session.dress(options));
        Ok(Db::over(Pool::new(pool, self.session, self.renew), self.publish))
    }
}

fn frozen(pools: PgPoolOptions) -> PgPoolOptions {
    pools
        .acquire_timeout(FROZEN_ACQUIRE_LIMIT)
        .idle_timeout(FROZEN_IDLE)
        .max_lifetime(FROZEN_LIFETIME)
        .test_before_acquire(false)
        .before_acquire(|connection, before| {
            Box::pin(async move {
                if before.idle_for < FROZEN_DOUBT {
                    return Ok(true);
                }
                // An error closes it without ceremony, and the pool opens another.
                let tried = tokio::time::timeout(FROZEN_TRY, connection.ping()).await;
                tried.map_err(|_| SqlError::PoolTimedOut)?.map(|()| true)
            })
        })
}

/// Opens the database of a `host::Config`, as every function does.
///
/// A macro, because this crate leans on no host: what is read of the settings is named here and nowhere else.
///
/// # Errors
/// When a setting is missing or cannot be read.
#[macro_export]
macro_rules! open {
    ($config:expr) => {{
        let config: &_ = $config;
        match (config.database_url(), config.queue_url()) {
            (Err(missing), _) | (_, Err(missing)) => Err(missing),
            (Ok(database), Ok(queue)) => $crate::db::Opening::new(database, $crate::Publish::between(database, queue))
                .connections(config.db_connections)
                .frozen_between_invocations(config.is_lambda)
                .behind_transaction_pooler(config.has_transaction_pooler)
                .renewed_by(config.database_renewal())
                .open()
                .map_err(::core::convert::Into::into),
        }
    }};
}
