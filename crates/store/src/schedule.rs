//! Messages that are sent later: they are stored and paid for, and go on their way when their time has come.

use chrono::{DateTime, Utc};
use contract::Accepted;
use sqlx::{PgConnection, query_as};

use crate::Error;
use crate::again::Row;

/// Takes up to `max` scheduled messages whose time has come and answers the queue items that send them on their way;
/// the caller publishes these in the same transaction, so that each goes once. A message keeps the state `scheduled`
/// until it has an operator.
pub async fn release(connection: &mut PgConnection, now: DateTime<Utc>, max: i64) -> Result<Vec<Accepted>, Error> {
    let rows = query_as!(
        Row,
        r#"WITH due AS (
               SELECT id FROM messages WHERE state = 'scheduled' AND released_at IS NULL AND scheduled_at <= $1
               ORDER BY scheduled_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
           )
           UPDATE messages m SET released_at = $1 FROM due WHERE m.id = due.id
           RETURNING m.id, m.account_id, m.recipient, m.sender, m.body, m.encoding, m.segments, m.mcc_mnc,
               m.expires_at, m.smpp, ARRAY[]::uuid[] AS "tried!: Vec<Option<uuid::Uuid>>""#,
        now,
        max
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Row::accepted).collect()
}
