//! The outbox: what transactions wanted to publish to queues outside of this database.
//!
//! A transaction writes its rows with its change. When it has committed they are handed over, still in memory, to
//! whoever publishes them and deletes them after that. What a crash left behind is found by a look into the table.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use chrono::{DateTime, Utc};
use domain::AccountId;
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::dlr::uuid_at;
use crate::{Db, Error};

/// What is written to the outbox for the world outside goes to no queue, and has this in place of its name. No queue
/// can be called so.
pub const NEWS: &str = "!news";

/// A row of the outbox. Its body hides itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Outboxed {
    /// The envelope's id, by which consumers know a repetition.
    pub id: Uuid,
    /// Where it goes: a queue, or [`NEWS`].
    pub queue: String,
    /// The envelope.
    pub body: Vec<u8>,
    /// How long it waits there before it may be read.
    pub delay_ms: i32,
    /// Whose traffic it is, as far as one account can be named. It is not stored: a row that was left behind has none.
    pub tenant: Option<AccountId>,
}

impl fmt::Debug for Outboxed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outboxed")
            .field("id", &self.id)
            .field("queue", &self.queue)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Who publishes rows of the outbox.
pub trait HandOver: fmt::Debug + Send + Sync {
    /// Takes rows whose transaction has committed, publishes them now or soon, and deletes them then. Whatever goes
    /// wrong is not the caller's business: the rows are durable, and [`left_behind`] finds them.
    fn take(&self, rows: Vec<Outboxed>) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// Takes up to `max` rows that were written before `before`, locked until the transaction ends, the oldest first.
///
/// # Errors
/// When the database fails.
pub async fn left_behind(
    connection: &mut PgConnection,
    before: DateTime<Utc>,
    max: i64,
) -> Result<Vec<Outboxed>, Error> {
    let rows = query!(
        "SELECT id, queue, body, delay_ms FROM outbox WHERE id < $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED",
        uuid_at(before),
        max
    )
    .fetch_all(connection)
    .await?;
    let outboxed = rows.into_iter().map(|row| Outboxed {
        id: row.id,
        queue: row.queue,
        body: row.body,
        delay_ms: row.delay_ms,
        tenant: None,
    });
    Ok(outboxed.collect())
}

/// [`published`] in a transaction of its own.
///
/// # Errors
/// When the database fails.
pub async fn forget(db: &Db, ids: &[Uuid]) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut connection = db.pool.lend().await?;
    published(&mut connection, ids).await?;
    Ok(connection.done().await?)
}

/// Deletes rows that were published. It does not wait for the disk: a row that comes back is published again, and
/// its consumer's inbox drops it.
///
/// # Errors
/// When the database fails.
pub async fn published(connection: &mut PgConnection, ids: &[Uuid]) -> Result<(), Error> {
    query!(
        "WITH gone AS (DELETE FROM outbox WHERE id = ANY ($1))
         SELECT set_config('synchronous_commit', 'off', true) AS how",
        ids
    )
    .fetch_one(connection)
    .await?;
    Ok(())
}

/// What waits in the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// How many rows; counting stops at the bound.
    pub rows: i64,
    /// When the oldest of them was written.
    pub oldest: Option<DateTime<Utc>>,
}

/// Looks at the oldest `max` rows, without a lock.
///
/// # Errors
/// When the database fails.
pub async fn waiting(db: &Db, max: i64) -> Result<Waiting, Error> {
    let row = query!(
        r#"SELECT count(*) AS "rows!", min(created_at) AS oldest
           FROM (SELECT created_at FROM outbox ORDER BY id LIMIT $1) AS waiting"#,
        max
    )
    .fetch_one(&db.pool)
    .await?;
    Ok(Waiting { rows: row.rows, oldest: row.oldest })
}
