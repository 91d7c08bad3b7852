//! Reports of traffic, from counters that every CDR adds to as it is written (`cdr_counted` in the migrations).
//!
//! A transaction writes what it adds as rows of its own, so that no two of them meet at a counter; [`fold`] takes them
//! into the counters a moment later. Refunds count where their messages do (`refund_counted`), and are folded with them.

mod money;
mod report;

pub use report::{Dimension, Question, ReportError, Row, report};

use sqlx::query;

use crate::{Db, Error};

/// Rows that one transaction folds.
const ROWS_MAX: i64 = 5_000;
/// Transactions of one look.
const ROUNDS_MAX: u32 = 200;
/// Senders of an account that are counted by name on one day; those beyond are counted together. This bounds the
/// counters where an account may use any sender.
const SENDERS_MAX: i64 = 200;
/// Two folds never work at the same time: key of the advisory lock.
const LOCK: i64 = 0x6368_6170_7065_0002;

/// Takes what was added into the counters. Answers how many rows it took.
///
/// # Errors
/// When the database fails.
pub async fn fold(db: &Db) -> Result<u64, Error> {
    let mut folded = 0;
    for _ in 0..ROUNDS_MAX {
        let taken = fold_some(db).await?;
        folded += taken;
        if taken < ROWS_MAX.unsigned_abs() {
            break;
        }
    }
    Ok(folded + money::fold(db).await?)
}

async fn fold_some(db: &Db) -> Result<u64, Error> {
    let mut tx = db.begin().await?;
    let lock = query!(r#"SELECT pg_try_advisory_xact_lock($1) AS "mine!""#, LOCK).fetch_one(&mut *tx).await?;
    if !lock.mine {
        return Ok(0);
    }
    let row = query!(
        r#"
        WITH taken AS (
            DELETE FROM traffic_deltas WHERE id IN (SELECT id FROM traffic_deltas ORDER BY id LIMIT $1) RETURNING *
        ), fresh AS (
            SELECT DISTINCT t.day, t.account_id, t.sender FROM taken t WHERE NOT EXISTS (SELECT FROM traffic_senders s
                WHERE s.day = t.day AND s.account_id = t.account_id AND s.sender = t.sender)
        ), ranked AS (
            SELECT f.*, row_number() OVER (PARTITION BY f.day, f.account_id ORDER BY f.sender)
                + (SELECT count(*) FROM traffic_senders s WHERE s.day = f.day AND s.account_id = f.account_id) AS place
            FROM fresh f
        ), named AS (
            INSERT INTO traffic_senders (day, account_id, sender)
            SELECT day, account_id, sender FROM ranked WHERE place <= $2
        ), beyond AS (
            SELECT day, account_id, sender FROM ranked WHERE place > $2
        ), summed AS (
            SELECT t.viewer_id, t.day, t.account_id, t.mcc_mnc,
                coalesce(t.operator_id, '00000000-0000-0000-0000-000000000000') AS operator_id,
                CASE WHEN b.sender IS NULL THEN t.sender ELSE '' END AS sender, t.currency, t.cost_currency,
                t.receipt_bucket, sum(t.messages) AS messages, sum(t.segments) AS segments,
                sum(t.accepted_segments) AS accepted_segments, sum(t.delivered) AS delivered,
                sum(t.unconfirmed) AS unconfirmed, sum(t.revenue_micros) AS revenue_micros,
                sum(t.cost_micros) AS cost_micros
            FROM taken t LEFT JOIN beyond b
                ON b.day = t.day AND b.account_id = t.account_id AND b.sender = t.sender
            GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
        ), added AS (
            INSERT INTO traffic_counters AS c (viewer_id, day, account_id, mcc_mnc, operator_id, sender, currency,
                cost_currency, receipt_bucket, messages, segments, accepted_segments, delivered, unconfirmed,
                revenue_micros, cost_micros)
            SELECT * FROM summed ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9
            ON CONFLICT (viewer_id, day, account_id, mcc_mnc, operator_id, sender, currency, cost_currency,
                receipt_bucket)
            DO UPDATE SET messages = c.messages + excluded.messages, segments = c.segments + excluded.segments,
                accepted_segments = c.accepted_segments + excluded.accepted_segments,
                delivered = c.delivered + excluded.delivered, unconfirmed = c.unconfirmed + excluded.unconfirmed,
                revenue_micros = c.revenue_micros + excluded.revenue_micros,
                cost_micros = c.cost_micros + excluded.cost_micros
        )
        SELECT count(*) AS "taken!" FROM taken
        "#,
        ROWS_MAX,
        SENDERS_MAX
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(row.taken.unsigned_abs())
}
