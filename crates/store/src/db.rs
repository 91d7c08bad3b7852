//! The database: how it is reached, and how plans are chosen on it.

mod opening;
mod pool;

use std::sync::Arc;

use sqlx::{PgPool, Postgres, Transaction};

use crate::chain::Chains;
use crate::error::Error;
use crate::outbox::HandOver;
use crate::publish::Publish;
use crate::realtime::Listening;
use crate::tx::Tx;

pub use opening::{Opening, Renew};
pub(crate) use pool::Pool;

/// The database of the product: a cheap handle.
#[derive(Debug, Clone)]
pub struct Db {
    pub(crate) pool: Pool,
    pub(crate) publish: Publish,
    pub(crate) chains: Chains,
    pub(crate) hand_over: Option<Arc<dyn HandOver>>,
    pub(crate) has_listeners: bool,
    pub(crate) listening: Listening,
}

impl Db {
    /// Opens a pool without waiting for the server: a server that is down makes calls fail, not the start.
    ///
    /// # Errors
    /// [`Error::Sql`] when the URL cannot be read.
    pub fn open(url: &str, publish: Publish) -> Result<Self, Error> {
        Opening::new(url, publish).open()
    }

    /// The same over a pool that the caller made.
    pub fn from_pool(pool: PgPool, publish: Publish) -> Self {
        Self::over(Pool::direct(pool), publish)
    }

    fn over(pool: Pool, publish: Publish) -> Self {
        let (chains, listening) = (Chains::default(), Listening::default());
        Self { pool, publish, chains, hand_over: None, has_listeners: false, listening }
    }

    /// The same, whose transactions hand what they wrote to the outbox over to `to`. `has_listeners` says whether
    /// news for the world outside are written, too.
    #[must_use]
    pub fn handing_over(self, to: Arc<dyn HandOver>, has_listeners: bool) -> Self {
        Self { hand_over: Some(to), has_listeners, ..self }
    }

    /// The pool, for health checks and tests.
    pub fn pool(&self) -> &PgPool {
        self.pool.inner()
    }

    /// How messages leave a transaction.
    pub fn publishing(&self) -> Publish {
        self.publish
    }

    /// Begins a transaction.
    pub async fn begin(&self) -> Result<Tx, Error> {
        Ok(Tx::new(self.pool.begin().await?, self.hand_over.clone()))
    }

    /// Begins a transaction that reads one picture of everything, and writes nothing.
    pub(crate) async fn begin_picture(&self) -> Result<Transaction<'static, Postgres>, Error> {
        Ok(self.pool.begin_picture().await?)
    }

    /// Answers when the database does.
    pub async fn ping(&self) -> Result<(), Error> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }
}

/// Brings the schema up to date. Needs a connection of its own to the server itself: migrations hold a lock of the
/// session, which a pooler in transaction mode cannot keep.
///
/// # Errors
/// [`Error::Migrate`] when a migration fails or was changed after it ran.
pub async fn migrate(pool: &PgPool) -> Result<(), Error> {
    sqlx::migrate!("../../migrations").run(pool).await?;
    Ok(())
}
