//! Transactions for callers that are not to know the database's library.

use sqlx::{Postgres, Transaction};

use crate::error::Error;

/// A transaction: what is not committed is rolled back when it is dropped.
pub type Tx = Transaction<'static, Postgres>;

/// Makes what the transaction did durable.
pub async fn commit(tx: Tx) -> Result<(), Error> {
    Ok(tx.commit().await?)
}
