//! Publishing out of a transaction.

use contract::Sealed;
use sqlx::{PgConnection, query};

use crate::error::Error;

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
pub async fn publish(
    connection: &mut PgConnection,
    how: Publish,
    queue: &str,
    envelopes: Vec<Sealed>,
    delay_ms: i64,
) -> Result<(), Error> {
    if envelopes.is_empty() {
        return Ok(());
    }
    let (ids, bodies): (Vec<_>, Vec<_>) = envelopes.into_iter().map(|e| (e.id.uuid(), e.body)).unzip();
    match how {
        Publish::InTransaction => {
            let delays = vec![delay_ms; bodies.len()];
            query!("SELECT queue.send($1, $2, $3)", queue, &bodies, &delays).execute(connection).await?;
        }
        Publish::Outbox => {
            let delay_ms = i32::try_from(delay_ms).unwrap_or(i32::MAX);
            query!(
                "INSERT INTO outbox (id, queue, body, delay_ms) SELECT id, $1, body, $4 FROM unnest($2::uuid[], $3::bytea[]) AS e (id, body)",
                queue, &ids, &bodies, delay_ms
            )
            .execute(connection)
            .await?;
        }
    }
    Ok(())
}
