//! Folding of what refunds and exchanges add.

use sqlx::query;

use super::{LOCK, ROUNDS_MAX, ROWS_MAX};
use crate::{Db, Error};

/// Takes what refunds and exchanges added into the counters, each where its message was counted. Answers how many rows it took.
pub(super) async fn fold(db: &Db) -> Result<u64, Error> {
    let mut folded = 0;
    for _ in 0..ROUNDS_MAX {
        let taken = fold_some(db).await?;
        folded += taken;
        if taken < ROWS_MAX.unsigned_abs() {
            break;
        }
    }
    Ok(folded)
}

async fn fold_some(db: &Db) -> Result<u64, Error> {
    let mut tx = db.begin().await?;
    let lock = query!(r#"SELECT pg_try_advisory_xact_lock($1) AS "mine!""#, LOCK).fetch_one(&mut *tx).await?;
    if !lock.mine {
        return Ok(0);
    }
    // Whether a sender is counted by name is decided when its messages are folded: these wait for that.
    let row = query!(
        r#"
        WITH taken AS (
            DELETE FROM money_deltas WHERE id IN (
                SELECT d.id FROM money_deltas d WHERE NOT EXISTS (SELECT FROM traffic_deltas t
                    WHERE t.day = d.day AND t.account_id = d.account_id AND t.sender = d.sender)
                ORDER BY d.id LIMIT $1) RETURNING *
        ), summed AS (
            SELECT t.viewer_id, t.day, t.account_id, t.mcc_mnc,
                coalesce(t.operator_id, '00000000-0000-0000-0000-000000000000') AS operator_id,
                coalesce(s.sender, '') AS sender, t.currency, t.cost_currency,
                sum(t.refunded_segments)::bigint AS refunded_segments,
                sum(t.revenue_refunded_micros)::bigint AS revenue_refunded_micros,
                sum(t.cost_refunded_micros)::bigint AS cost_refunded_micros,
                sum(t.exchanged_micros)::bigint AS exchanged_micros, sum(t.unconverted)::bigint AS unconverted
            FROM taken t LEFT JOIN traffic_senders s
                ON s.day = t.day AND s.account_id = t.account_id AND s.sender = t.sender
            GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
        ), added AS (
            INSERT INTO traffic_counters AS c (viewer_id, day, account_id, mcc_mnc, operator_id, sender, currency,
                cost_currency, receipt_bucket, messages, segments, accepted_segments, delivered, unconfirmed,
                revenue_micros, cost_micros, refunded_segments, revenue_refunded_micros, cost_refunded_micros,
                exchanged_micros, unconverted)
            SELECT viewer_id, day, account_id, mcc_mnc, operator_id, sender, currency, cost_currency,
                -1, 0, 0, 0, 0, 0, 0, 0, refunded_segments, revenue_refunded_micros, cost_refunded_micros,
                exchanged_micros, unconverted
            FROM summed ORDER BY 1, 2, 3, 4, 5, 6, 7, 8
            ON CONFLICT (viewer_id, day, account_id, mcc_mnc, operator_id, sender, currency, cost_currency,
                receipt_bucket)
            DO UPDATE SET refunded_segments = c.refunded_segments + excluded.refunded_segments,
                revenue_refunded_micros = c.revenue_refunded_micros + excluded.revenue_refunded_micros,
                cost_refunded_micros = c.cost_refunded_micros + excluded.cost_refunded_micros,
                exchanged_micros = c.exchanged_micros + excluded.exchanged_micros,
                unconverted = c.unconverted + excluded.unconverted
        )
        SELECT count(*) AS "taken!" FROM taken
        "#,
        ROWS_MAX
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(row.taken.unsigned_abs())
}
