//! Daily caps of operators: what was routed to them today (UTC), counted by the transaction that routes.

use chrono::{DateTime, NaiveDate, Utc};
use domain::OperatorId;
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::standings::changed_now;
use crate::{Db, Error};

/// Counts segments that were routed to operators with a cap. Where that fills one, every process knows within half a
/// second; until then messages still go there, so a cap can be passed by what is routed in that time.
///
/// # Errors
/// When the database fails.
pub async fn count(tx: &mut PgConnection, routed: &[(OperatorId, i64)], now: DateTime<Utc>) -> Result<(), Error> {
    if routed.is_empty() {
        return Ok(());
    }
    let operators: Vec<Uuid> = routed.iter().map(|(operator, _)| operator.uuid()).collect();
    let segments: Vec<i64> = routed.iter().map(|(_, segments)| *segments).collect();
    let filled = query!(
        r#"
        WITH routed AS (
            SELECT i.operator, i.segments, o.daily_cap
            FROM unnest($1::uuid[], $2::bigint[]) AS i (operator, segments) JOIN operators o ON o.id = i.operator
            WHERE o.daily_cap IS NOT NULL
        ), counted AS (
            INSERT INTO operator_days AS d (operator_id, day, segments)
            SELECT operator, $3, segments FROM routed ORDER BY operator
            ON CONFLICT (operator_id, day) DO UPDATE SET segments = d.segments + excluded.segments
            RETURNING operator_id, segments
        )
        SELECT count(*) AS "count!" FROM counted c JOIN routed r ON r.operator = c.operator_id
        WHERE c.segments >= r.daily_cap AND c.segments - r.segments < r.daily_cap
        "#,
        &operators,
        &segments,
        now.date_naive()
    )
    .fetch_one(&mut *tx)
    .await?;
    if filled.count > 0 {
        metrics::counter!("chappe_daily_caps_reached_total").increment(filled.count.unsigned_abs());
        changed_now(tx).await?;
    }
    Ok(())
}

/// Segments that were routed to an operator on a day, as far as it had a cap then.
///
/// # Errors
/// When the database fails.
pub async fn used(db: &Db, operator: OperatorId, day: NaiveDate) -> Result<i64, Error> {
    let row = query!("SELECT segments FROM operator_days WHERE operator_id = $1 AND day = $2", operator.uuid(), day);
    Ok(row.fetch_optional(&db.pool).await?.map_or(0, |row| row.segments))
}
