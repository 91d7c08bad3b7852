//! Making files: whose turn it is, and what a page adds.

use chrono::{DateTime, TimeDelta, Utc};
use domain::AccountId;
use sqlx::postgres::types::PgInterval;
use sqlx::{PgConnection, query, query_as};
use uuid::Uuid;

use super::Export;
use crate::{Db, Error};

/// Failures one after the other, then the export has failed.
const ATTEMPTS_MAX: i32 = 5;
/// Exports that one look of the sweep drops.
const DROPPED_MAX: i64 = 20;
/// How long a step that ends a message takes at most from its look at the clock to the begin of its transaction.
pub const SETTLING: TimeDelta = TimeDelta::seconds(2);

/// Takes the export whose turn it is, and holds it until the end of the transaction: nobody else works on it meanwhile.
///
/// A new one has to wait until every transaction has ended that may store a message which ended before the export was
/// asked for: its first page must not be read too early to see it. The server's own workers (autovacuum) store none.
///
/// # Errors
/// When the database fails.
pub async fn next(tx: &mut PgConnection, now: DateTime<Utc>) -> Result<Option<Export>, Error> {
    let row = query_as!(
        Export,
        "SELECT id, account_id, format, gzip, accepted_from, accepted_to, filter, created_at, expires_at, state, rows_done,
            rows_estimated, bytes, chunks, after_message, after_correction, error, ended_at
         FROM exports e
         WHERE state = 'running' OR state = 'queued' AND created_at <= $1 AND NOT EXISTS (
            SELECT FROM pg_stat_activity a WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
                AND a.backend_type = 'client backend' AND a.backend_xid IS NOT NULL AND a.xact_start < e.created_at + $2)
         ORDER BY touched_at LIMIT 1 FOR UPDATE OF e SKIP LOCKED",
        now - SETTLING,
        PgInterval::try_from(SETTLING).map_err(|_| Error::Range)?,
    )
    .fetch_optional(tx)
    .await?;
    Ok(row)
}

/// Is `account` the house? It alone sees what operators cost.
///
/// # Errors
/// When the database fails.
pub async fn is_house(tx: &mut PgConnection, account: AccountId) -> Result<bool, Error> {
    let row = query!(r#"SELECT parent_id IS NULL AS "house!" FROM accounts WHERE id = $1"#, account.uuid());
    Ok(row.fetch_one(tx).await?.house)
}

/// What one page added to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Bytes to add; empty: nothing.
    pub body: Vec<u8>,
    /// Rows in them.
    pub rows: i64,
    /// Rows of the whole, estimated.
    pub rows_estimated: i64,
    /// The last CDR that was looked at; `None`: it was the last page.
    pub cursor: Option<(Uuid, i16)>,
    /// Why it cannot go on, where it cannot.
    pub error: Option<&'static str>,
}

/// Adds a page to the export that [`next`] took.
///
/// # Errors
/// When the database fails.
pub async fn step(tx: &mut PgConnection, export: &Export, step: &Step, at: DateTime<Utc>) -> Result<(), Error> {
    let adds = !step.body.is_empty();
    if adds {
        query!(
            "INSERT INTO export_chunks (export_id, number, body) VALUES ($1, $2, $3)",
            export.id,
            export.chunks,
            step.body
        )
        .execute(&mut *tx)
        .await?;
    }
    let state = match (step.error, step.cursor) {
        (Some(_), _) => "failed",
        (None, None) => "done",
        (None, Some(_)) => "running",
    };
    query!(
        "UPDATE exports SET state = $2, rows_done = rows_done + $3, rows_estimated = $4, bytes = bytes + $5,
            chunks = chunks + $6, after_message = coalesce($7, after_message),
            after_correction = coalesce($8, after_correction), attempts = 0, error = $9, touched_at = $10,
            ended_at = CASE WHEN $2 = 'running' THEN NULL ELSE $10::timestamptz END
         WHERE id = $1",
        export.id,
        state,
        step.rows,
        step.rows_estimated,
        i64::try_from(step.body.len()).map_err(|_| Error::Range)?,
        i32::from(adds),
        step.cursor.map(|cursor| cursor.0),
        step.cursor.map(|cursor| cursor.1),
        step.error,
        at,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Notes that a page of an export could not be made; after several in a row the export has failed. Answers whether it has.
///
/// # Errors
/// When the database fails.
pub async fn stumbled(db: &Db, id: Uuid, at: DateTime<Utc>) -> Result<bool, Error> {
    let row = query!(
        "UPDATE exports SET attempts = attempts + 1, touched_at = $2,
            state = CASE WHEN attempts + 1 >= $3 THEN 'failed' ELSE state END,
            error = CASE WHEN attempts + 1 >= $3 THEN 'the file could not be made; the log says why' ELSE error END,
            ended_at = CASE WHEN attempts + 1 >= $3 THEN $2::timestamptz END
         WHERE id = $1 AND state IN ('queued', 'running') RETURNING state",
        id,
        at,
        ATTEMPTS_MAX
    )
    .fetch_optional(&db.pool)
    .await?;
    Ok(row.is_some_and(|row| row.state == "failed"))
}

/// Drops files whose time is over. Answers how many.
///
/// # Errors
/// When the database fails.
pub async fn sweep(db: &Db, now: DateTime<Utc>) -> Result<u64, Error> {
    let gone = query!(
        "DELETE FROM exports WHERE id IN (SELECT id FROM exports WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
        now,
        DROPPED_MAX
    )
    .execute(&db.pool)
    .await?;
    Ok(gone.rows_affected())
}
