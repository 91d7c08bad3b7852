//! Daily caps of operators: what was routed to them on a day (UTC), counted by the transaction that routes. What an operator
//! did not take is given back to it when the message goes to another one.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use domain::{MessageId, OperatorId};
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::standings::changed_now;
use crate::{Db, Error};

/// Segments by operator and day: more where messages were routed to it, less where they went on untaken.
pub type Days = BTreeMap<(OperatorId, NaiveDate), i64>;

/// Adds to what operators with a cap were given. Where that fills one, or makes room again, every process knows within half
/// a second; until then messages still go there, so a cap can be passed by what is routed in that time.
///
/// # Errors
/// When the database fails.
pub async fn count(tx: &mut PgConnection, days: &Days) -> Result<(), Error> {
    if days.is_empty() {
        return Ok(());
    }
    let operators: Vec<Uuid> = days.keys().map(|(operator, _)| operator.uuid()).collect();
    let dates: Vec<NaiveDate> = days.keys().map(|(_, day)| *day).collect();
    let segments: Vec<i64> = days.values().copied().collect();
    // In one order for all, so that no two wait for each other.
    let changed = query!(
        r#"
        WITH given AS (
            SELECT i.operator, i.day, i.segments, o.daily_cap
            FROM unnest($1::uuid[], $2::date[], $3::bigint[]) AS i (operator, day, segments)
            JOIN operators o ON o.id = i.operator
            WHERE o.daily_cap IS NOT NULL AND (i.segments > 0 OR EXISTS (
                SELECT FROM operator_days d WHERE d.operator_id = i.operator AND d.day = i.day))
        ), counted AS (
            INSERT INTO operator_days AS d (operator_id, day, segments)
            SELECT operator, day, segments FROM given ORDER BY operator, day
            ON CONFLICT (operator_id, day) DO UPDATE SET segments = greatest(d.segments + excluded.segments, 0)
            RETURNING operator_id, day, segments
        )
        SELECT count(*) FILTER (WHERE c.segments >= g.daily_cap AND c.segments - g.segments < g.daily_cap) AS "filled!",
            count(*) FILTER (WHERE c.segments < g.daily_cap AND c.segments - g.segments >= g.daily_cap) AS "freed!"
        FROM counted c JOIN given g ON g.operator = c.operator_id AND g.day = c.day
        "#,
        &operators,
        &dates,
        &segments,
    )
    .fetch_one(&mut *tx)
    .await?;
    if changed.filled > 0 {
        metrics::counter!("chappe_daily_caps_reached_total").increment(changed.filled.unsigned_abs());
    }
    if changed.filled + changed.freed > 0 {
        changed_now(tx).await?;
    }
    Ok(())
}

/// Takes off what operators with a cap were counted for and did not take: segments of messages that have just got the
/// operator of try `hop`, which the one before refused or never had. What it never answered it may have taken.
///
/// # Errors
/// When the database fails.
pub async fn give_back(tx: &mut PgConnection, moved: &[(MessageId, i16)], days: &mut Days) -> Result<(), Error> {
    if moved.is_empty() {
        return Ok(());
    }
    let (ids, hops): (Vec<Uuid>, Vec<i16>) = moved.iter().map(|(id, hop)| (id.uuid(), *hop)).unzip();
    let rows = query!(
        r#"SELECT h.operator_id, (e.at AT TIME ZONE 'UTC')::date AS "day!", sum(m.segments - taken.segments)::bigint AS "left!"
           FROM unnest($1::uuid[], $2::smallint[]) AS i (id, hop) JOIN messages m ON m.id = i.id
           JOIN message_hops h ON h.message_id = i.id AND h.hop = i.hop - 1
           JOIN operators o ON o.id = h.operator_id AND o.daily_cap IS NOT NULL
           CROSS JOIN LATERAL (SELECT count(*) AS segments FROM message_parts p
             WHERE p.message_id = i.id AND p.hop = h.hop AND coalesce(p.submit_status, 0) = 0) AS taken
           CROSS JOIN LATERAL (SELECT max(v.at) AS at FROM message_events v WHERE v.message_id = i.id
             AND v.state = 'queued' AND v.source = 'route' AND v.operator_id = h.operator_id) AS e
           WHERE e.at IS NOT NULL GROUP BY 1, 2 HAVING sum(m.segments - taken.segments) > 0"#,
        &ids,
        &hops
    )
    .fetch_all(tx)
    .await?;
    for row in rows {
        *days.entry((OperatorId::from_uuid(row.operator_id), row.day)).or_default() -= row.left;
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
