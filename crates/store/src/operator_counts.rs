//! How operators do, counted in the transactions that store outcomes and receipts: rows that are only inserted, which the
//! sweep adds up.

use chrono::{DateTime, TimeDelta, Utc};
use contract::{Outcome, OutcomeClass};
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::dlr::uuid_at;
use crate::{Db, Error};

/// SMPP statuses that say that the sender of the message is wrong (SMPP 3.4 section 5.1.3), although another operator
/// may take it: `ESME_RINVSRCADR`, `ESME_RINVSRCTON`, `ESME_RINVSRCNPI`.
const OF_THE_MESSAGE: [u32; 3] = [0x0A, 0x48, 0x49];
/// Rows that one statement adds up.
const FOLDED_MAX: i64 = 5_000;
/// Statements of one look.
const FOLDS_MAX: usize = 200;
/// How long counts by ten seconds are kept.
const KEPT: TimeDelta = TimeDelta::hours(2);

/// What one outcome counts for, in segments.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counted {
    accepted: i64,
    refused: i64,
    rejected: i64,
    unanswered: i64,
}

fn counted(outcome: &Outcome) -> Counted {
    let mut counted = Counted::default();
    for segment in &outcome.segments {
        match segment.status {
            Some(0) => counted.accepted += 1,
            None => counted.unanswered += 1,
            Some(status) if OF_THE_MESSAGE.contains(&status) => counted.rejected += 1,
            Some(_) if outcome.class == OutcomeClass::Permanent => counted.rejected += 1,
            Some(_) => counted.refused += 1,
        }
    }
    counted
}

/// Counts how submits ended, by operator and network.
///
/// # Errors
/// When the database fails.
pub async fn count_submits(connection: &mut PgConnection, outcomes: &[Outcome]) -> Result<(), Error> {
    let submitted = || outcomes.iter().filter(|outcome| !outcome.segments.is_empty());
    let Some(low) = submitted().map(|outcome| outcome.message_id.uuid()).min() else { return Ok(()) };
    let ids: Vec<Uuid> = submitted().map(|outcome| outcome.message_id.uuid()).collect();
    let operators: Vec<Uuid> = submitted().map(|outcome| outcome.operator_id.uuid()).collect();
    let times: Vec<DateTime<Utc>> = submitted().map(|outcome| outcome.at).collect();
    let counts: Vec<Counted> = submitted().map(counted).collect();
    let each = |part: fn(&Counted) -> i64| counts.iter().map(part).collect::<Vec<i64>>();
    query!(
        "INSERT INTO operator_count_deltas (operator_id, mcc_mnc, bucket, accepted, refused, rejected, unanswered)
         SELECT i.operator, m.mcc_mnc, date_bin('10 seconds', i.at, 'epoch'), sum(i.accepted), sum(i.refused),
            sum(i.rejected), sum(i.unanswered)
         FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
            AS i (id, operator, at, accepted, refused, rejected, unanswered)
         JOIN messages m ON m.id = i.id AND m.id >= $8
         GROUP BY 1, 2, 3",
        &ids,
        &operators,
        &times,
        &each(|counted| counted.accepted),
        &each(|counted| counted.refused),
        &each(|counted| counted.rejected),
        &each(|counted| counted.unanswered),
        low
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Adds up what was counted since the last time. Answers how many rows.
///
/// # Errors
/// When the database fails.
pub async fn fold(db: &Db) -> Result<u64, Error> {
    let mut folded = 0;
    for _ in 0..FOLDS_MAX {
        let rows = fold_some(db).await?;
        folded += rows;
        if rows < FOLDED_MAX.unsigned_abs() {
            break;
        }
    }
    Ok(folded)
}

async fn fold_some(db: &Db) -> Result<u64, Error> {
    let row = query!(
        r#"
        WITH gone AS (
            DELETE FROM operator_count_deltas WHERE id IN
                (SELECT id FROM operator_count_deltas ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
            RETURNING *
        ), summed AS (
            SELECT operator_id, mcc_mnc, bucket, sum(accepted) AS accepted, sum(refused) AS refused,
                sum(rejected) AS rejected, sum(unanswered) AS unanswered, sum(delivered) AS delivered,
                sum(failed) AS failed, sum(latency_ms) AS latency_ms, sum(latency_sq) AS latency_sq,
                sum(watched) AS watched, sum(converted) AS converted, sum(not_received) AS not_received,
                sum(dead) AS dead, sum(dead_delivered) AS dead_delivered,
                ARRAY[sum(latency[1]), sum(latency[2]), sum(latency[3]), sum(latency[4]), sum(latency[5]),
                    sum(latency[6]), sum(latency[7]), sum(latency[8]), sum(latency[9]), sum(latency[10]),
                    sum(latency[11]), sum(latency[12])]::bigint[] AS latency
            FROM gone GROUP BY 1, 2, 3
        ), days AS (
            INSERT INTO operator_count_days AS d (operator_id, mcc_mnc, day, accepted, delivered, failed, latency,
                latency_ms, latency_sq, watched, converted, not_received, dead, dead_delivered)
            SELECT operator_id, mcc_mnc, (bucket AT TIME ZONE 'UTC')::date, sum(accepted), sum(delivered), sum(failed),
                ARRAY[sum(latency[1]), sum(latency[2]), sum(latency[3]), sum(latency[4]), sum(latency[5]),
                    sum(latency[6]), sum(latency[7]), sum(latency[8]), sum(latency[9]), sum(latency[10]),
                    sum(latency[11]), sum(latency[12])]::bigint[],
                sum(latency_ms), sum(latency_sq), sum(watched), sum(converted), sum(not_received), sum(dead),
                sum(dead_delivered)
            FROM summed GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
            ON CONFLICT (operator_id, mcc_mnc, day) DO UPDATE SET accepted = d.accepted + excluded.accepted,
                delivered = d.delivered + excluded.delivered, failed = d.failed + excluded.failed,
                latency = ARRAY(SELECT a + b FROM unnest(d.latency, excluded.latency) AS t (a, b)),
                latency_ms = d.latency_ms + excluded.latency_ms, latency_sq = d.latency_sq + excluded.latency_sq,
                watched = d.watched + excluded.watched, converted = d.converted + excluded.converted,
                not_received = d.not_received + excluded.not_received, dead = d.dead + excluded.dead,
                dead_delivered = d.dead_delivered + excluded.dead_delivered
        ), buckets AS (
            INSERT INTO operator_counts AS c (operator_id, mcc_mnc, bucket, accepted, refused, rejected, unanswered,
                delivered, failed, latency)
            SELECT operator_id, mcc_mnc, bucket, accepted, refused, rejected, unanswered, delivered, failed, latency
            FROM summed ORDER BY 1, 2, 3
            ON CONFLICT (operator_id, mcc_mnc, bucket) DO UPDATE SET accepted = c.accepted + excluded.accepted,
                refused = c.refused + excluded.refused, rejected = c.rejected + excluded.rejected,
                unanswered = c.unanswered + excluded.unanswered, delivered = c.delivered + excluded.delivered,
                failed = c.failed + excluded.failed,
                latency = ARRAY(SELECT a + b FROM unnest(c.latency, excluded.latency) AS t (a, b))
        )
        SELECT count(*) AS "rows!" FROM gone
        "#,
        FOLDED_MAX
    )
    .fetch_one(&db.pool)
    .await?;
    Ok(row.rows.unsigned_abs())
}

/// Drops what is of no more use: counts by ten seconds soon, and what is as `old` as messages get. Answers how many rows.
///
/// # Errors
/// When the database fails.
pub(crate) async fn retention(db: &Db, old: DateTime<Utc>, now: DateTime<Utc>) -> Result<u64, Error> {
    let counts = query!("DELETE FROM operator_counts WHERE bucket < $1", now - KEPT).execute(&db.pool).await?;
    let routed = query!("DELETE FROM operator_days WHERE day < $1", old.date_naive()).execute(&db.pool).await?;
    let days = query!("DELETE FROM operator_count_days WHERE day < $1", old.date_naive()).execute(&db.pool).await?;
    let opinions = query!("DELETE FROM message_feedback WHERE message_id < $1", uuid_at(old)).execute(&db.pool).await?;
    Ok(counts.rows_affected() + routed.rows_affected() + days.rows_affected() + opinions.rows_affected())
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::SegmentOutcome;
    use domain::{AccountId, MessageId, OperatorId};

    #[test]
    fn what_each_answer_counts_for() {
        use OutcomeClass::{Accepted, Permanent, Temporary, Unknown};
        /// The class, the statuses of its segments, and what is counted.
        type Case<'a> = (OutcomeClass, &'a [Option<u32>], [i64; 4]);
        let rows: [Case<'_>; 7] = [
            (Accepted, &[Some(0), Some(0)], [2, 0, 0, 0]),
            (Temporary, &[Some(0x08)], [0, 1, 0, 0]),
            (Temporary, &[Some(0), Some(0x58)], [1, 1, 0, 0]),
            // Another operator may take the sender, but this one is well.
            (Temporary, &[Some(0x0A)], [0, 0, 1, 0]),
            (Permanent, &[Some(0x0B)], [0, 0, 1, 0]),
            (Unknown, &[None, Some(0)], [1, 0, 0, 1]),
            (OutcomeClass::Expired, &[], [0, 0, 0, 0]),
        ];
        for (class, statuses, expected) in rows {
            let segment = |(segment, status): (u8, &Option<u32>)| SegmentOutcome {
                segment,
                status: *status,
                smpp_message_id: None,
                part_of: None,
            };
            let outcome = Outcome {
                message_id: MessageId::generate(),
                account_id: AccountId::generate(),
                operator_id: OperatorId::generate(),
                hop: 0,
                class,
                at: DateTime::UNIX_EPOCH,
                segments: (1..).zip(statuses).map(segment).collect(),
            };
            let Counted { accepted, refused, rejected, unanswered } = counted(&outcome);
            assert_eq!([accepted, refused, rejected, unanswered], expected, "{class:?} {statuses:?}");
        }
    }
}
