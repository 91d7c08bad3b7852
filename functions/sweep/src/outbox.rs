//! The outbox: what a transaction wanted to publish to a queue outside of the database.

use std::collections::BTreeMap;

use anyhow::Context as _;
use queue::{Out, Queue};
use store::sweep::Outboxed;
use store::{Db, sweep};
use uuid::Uuid;

/// Rows of one look.
const ROWS_MAX: i64 = 200;

/// Publishes the oldest rows of the outbox and deletes those that the queue took. A crash between the two
/// publishes a row twice, and the inbox of its consumer drops the second. Answers how many went.
pub async fn publish_outbox(db: &Db, queue: &dyn Queue) -> anyhow::Result<u64> {
    let mut tx = db.begin().await?;
    let rows = sweep::outbox(&mut tx, ROWS_MAX).await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let mut by_queue: BTreeMap<&str, Vec<&Outboxed>> = BTreeMap::new();
    for row in &rows {
        by_queue.entry(&row.queue).or_default().push(row);
    }
    let mut done: Vec<Uuid> = Vec::new();
    for (name, rows) in by_queue {
        let batch: Vec<Out> = rows.iter().map(|row| out(row)).collect();
        let results = queue.send(name, &batch).await;
        for (row, result) in rows.iter().zip(results) {
            match result {
                Ok(()) => done.push(row.id),
                Err(error) => tracing::warn!(queue = name, error = %error, "cannot publish from the outbox to {name}"),
            }
        }
    }
    sweep::outbox_done(&mut tx, &done).await?;
    tx.commit().await.context("cannot clear the outbox")?;
    Ok(u64::try_from(done.len())?)
}

fn out(row: &Outboxed) -> Out {
    let delay = std::time::Duration::from_millis(u64::try_from(row.delay_ms).unwrap_or(0));
    Out::after(delay, row.body.clone())
}
