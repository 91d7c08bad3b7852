//! Publishing out of a transaction.

use contract::Sealed;
use sqlx::query;
use uuid::Uuid;

use crate::error::Error;
use crate::outbox::Outboxed;
use crate::tx::Tx;

/// Where the queues are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publish {
    /// In this database: a publish is part of the transaction.
    InTransaction,
    /// In another engine: the transaction writes the outbox, and what lies there is published after commit.
    Outbox,
}

impl Publish {
    /// How messages leave a transaction on `database` for the queues at `queue`: within it when both are one.
    pub fn between(database: &str, queue: &str) -> Self {
        if database == queue { Self::InTransaction } else { Self::Outbox }
    }
}

/// Publishes `envelopes` to `queue` when, and only when, the transaction commits.
///
/// # Errors
/// When the database fails.
pub async fn publish(
    tx: &mut Tx,
    how: Publish,
    queue: &str,
    envelopes: Vec<Sealed>,
    delay_ms: i64,
) -> Result<(), Error> {
    if envelopes.is_empty() {
        return Ok(());
    }
    match how {
        Publish::InTransaction => {
            let bodies: Vec<Vec<u8>> = envelopes.into_iter().map(|sealed| sealed.body).collect();
            let delays = vec![delay_ms; bodies.len()];
            query!("SELECT queue.send($1, $2, $3)", queue, &bodies, &delays).execute(&mut **tx).await?;
            Ok(())
        }
        Publish::Outbox => {
            let delay_ms = i32::try_from(delay_ms).unwrap_or(i32::MAX);
            outbox(tx, envelopes.into_iter().map(|sealed| outboxed(queue, sealed, delay_ms)).collect()).await
        }
    }
}

/// The row that carries an envelope to `queue`.
pub(crate) fn outboxed(queue: &str, sealed: Sealed, delay_ms: i32) -> Outboxed {
    Outboxed { id: sealed.id.uuid(), queue: queue.to_owned(), body: sealed.body, delay_ms, tenant: sealed.tenant }
}

/// Writes rows of the outbox; they are handed over when the transaction has committed.
pub(crate) async fn outbox(tx: &mut Tx, rows: Vec<Outboxed>) -> Result<(), Error> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let queues: Vec<&str> = rows.iter().map(|row| row.queue.as_str()).collect();
    let bodies: Vec<&[u8]> = rows.iter().map(|row| row.body.as_slice()).collect();
    let delays: Vec<i32> = rows.iter().map(|row| row.delay_ms).collect();
    query!(
        "INSERT INTO outbox (id, queue, body, delay_ms)
         SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::int[])",
        &ids,
        &queues as &[&str],
        &bodies as &[&[u8]],
        &delays
    )
    .execute(&mut **tx)
    .await?;
    tx.outboxed(rows);
    Ok(())
}
