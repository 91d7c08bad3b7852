//! The look into the outbox, for what a crash left behind.

use chrono::{DateTime, TimeDelta, Utc};
use queue::Queue;
use store::Db;
use store::outbox::{left_behind, published};

use crate::publish::publish;

/// Rows of one look.
pub const LEFT_MAX: u16 = 200;

/// How old a row must be before it counts as left behind: whoever wrote it publishes it within a fraction of that.
pub const LEFT_AFTER: TimeDelta = TimeDelta::seconds(5);

/// Publishes the oldest of the rows that were left behind at `now`, and deletes those that their queue took. Answers
/// how many went. Two looks at the same time take different rows.
///
/// # Errors
/// When the database fails; what was published by then may go again.
pub async fn sweep_up(db: &Db, queue: &dyn Queue, now: DateTime<Utc>) -> anyhow::Result<u64> {
    let mut tx = db.begin().await?;
    let mut rows = left_behind(&mut tx, now - LEFT_AFTER, i64::from(LEFT_MAX)).await?;
    if rows.is_empty() {
        return Ok(0);
    }
    // Whoever wrote them may have died between publishing and deleting.
    for row in &mut rows {
        contract::mark_again(&mut row.body);
    }
    let ids = publish(queue, &rows).await;
    // The locks end with the transaction; the rows are gone when they do.
    published(&mut tx, &ids).await?;
    tx.commit().await?;
    Ok(u64::try_from(ids.len())?)
}
