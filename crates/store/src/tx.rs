//! Transactions: what is not committed is rolled back, and what was published goes out after the commit.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use sqlx::{PgConnection, Postgres, Transaction};

use crate::error::Error;
use crate::outbox::{HandOver, Outboxed};

/// A transaction: what is not committed is rolled back when it is dropped.
///
/// It is a connection, too. Beside that it remembers what was written to the outbox, and hands it over when it has
/// committed, so that nobody need look into the outbox for it.
pub struct Tx {
    inner: Transaction<'static, Postgres>,
    outboxed: Vec<Outboxed>,
    hand_over: Option<Arc<dyn HandOver>>,
}

impl Tx {
    pub(crate) fn new(inner: Transaction<'static, Postgres>, hand_over: Option<Arc<dyn HandOver>>) -> Self {
        Self { inner, outboxed: Vec::new(), hand_over }
    }

    /// Makes it durable; then what it wrote to the outbox is handed over.
    ///
    /// # Errors
    /// When the database fails; then it is not known whether it is durable.
    pub async fn commit(self) -> Result<(), Error> {
        self.inner.commit().await?;
        hand_over(self.hand_over.as_deref(), self.outboxed).await;
        Ok(())
    }

    /// Undoes it, now.
    ///
    /// # Errors
    /// When the database fails; the connection is closed then, which undoes it as well.
    pub async fn rollback(self) -> Result<(), Error> {
        Ok(self.inner.rollback().await?)
    }

    /// Notes rows of the outbox that this transaction wrote.
    pub(crate) fn outboxed(&mut self, rows: Vec<Outboxed>) {
        self.outboxed.extend(rows);
    }
}

/// Hands `rows` over, where there are any and there is somebody.
pub(crate) async fn hand_over(to: Option<&dyn HandOver>, rows: Vec<Outboxed>) {
    if let Some(to) = to
        && !rows.is_empty()
    {
        to.take(rows).await;
    }
}

impl Deref for Tx {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.inner
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.inner
    }
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx").field("outboxed", &self.outboxed.len()).finish_non_exhaustive()
    }
}

/// Makes what the transaction did durable.
pub async fn commit(tx: Tx) -> Result<(), Error> {
    tx.commit().await
}
