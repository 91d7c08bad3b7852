//! Matching receipts to the parts that they are about, and storing what they say.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use contract::Receipt;
use domain::routing::health::EDGES_MS;
use domain::{AccountId, MessageId, OperatorId, State};
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::Error;
use crate::advance::count;

/// How far back a receipt can reach: the longest validity that we accept, and a week.
const REACH: TimeDelta = TimeDelta::days(14);

/// How far ahead of ours a clock that made an id can be.
const AHEAD: TimeDelta = TimeDelta::hours(1);

/// A part that a receipt is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Whose message.
    pub account: AccountId,
    /// Which message.
    pub message: MessageId,
    /// Which try at a route.
    pub hop: i16,
    /// From 1.
    pub segment: u8,
    /// How many segments the message has.
    pub segments: u8,
}

/// Finds the parts of each receipt by (operator, id at that operator): one, or all parts of a message where the
/// operator has one id for the whole. Where it used an id again, the newest message has it.
pub async fn find(
    connection: &mut PgConnection,
    receipts: &[Receipt],
    now: DateTime<Utc>,
) -> Result<HashMap<(OperatorId, String), Vec<Part>>, Error> {
    let operators: Vec<Uuid> = receipts.iter().map(|r| r.operator_id.uuid()).collect();
    let ids: Vec<&str> = receipts.iter().map(|r| r.smpp_message_id.as_str()).collect();
    let rows = query!(
        r#"SELECT p.operator_id, p.smpp_message_id AS "smpp_message_id!", p.message_id, p.hop, p.segment,
               p.account_id, p.segments
           FROM unnest($1::uuid[], $2::text[]) AS r (operator, smpp_id)
           CROSS JOIN LATERAL (
               SELECT * FROM message_parts p WHERE p.operator_id = r.operator AND p.smpp_message_id = r.smpp_id
                   AND p.message_id BETWEEN $3 AND $4
               OFFSET 0 -- one index look-up for each receipt, whatever the planner thinks of the range
           ) p"#,
        &operators,
        &ids as &[&str],
        uuid_at(now - REACH),
        uuid_at(now + AHEAD)
    )
    .fetch_all(connection)
    .await?;
    let mut found: HashMap<(OperatorId, String), Vec<Part>> = HashMap::with_capacity(rows.len());
    for row in rows {
        let part = Part {
            account: AccountId::from_uuid(row.account_id),
            message: MessageId::from_uuid(row.message_id),
            hop: row.hop,
            segment: count(row.segment)?,
            segments: count(row.segments)?,
        };
        let parts = found.entry((OperatorId::from_uuid(row.operator_id), row.smpp_message_id)).or_default();
        match parts.first().map(|first| part.message.cmp(&first.message)) {
            Some(Ordering::Less) => {}
            // The same receipt twice in one batch finds its part twice.
            Some(Ordering::Equal) if parts.contains(&part) => {}
            Some(Ordering::Greater) => *parts = vec![part],
            Some(Ordering::Equal) | None => parts.push(part),
        }
    }
    Ok(found)
}

/// The smallest UUID v7 of a moment (RFC 9562 section 5.7). As a parameter it lets PostgreSQL leave out the
/// partitions that cannot have the id; computed in SQL it would be computed again for every row.
pub(crate) fn uuid_at(moment: DateTime<Utc>) -> Uuid {
    let millis = u128::try_from(moment.timestamp_millis()).unwrap_or(0);
    Uuid::from_u128(millis << 80)
}

/// What a receipt says of one part.
#[derive(Debug, Clone)]
pub struct PartReceipt<'a> {
    /// Which part.
    pub part: Part,
    /// The state that it reports.
    pub state: State,
    /// The receipt itself.
    pub receipt: &'a Receipt,
}

/// Stores what receipts say of their parts, and counts the final ones for their operators; a part that has its final
/// receipt keeps it. When two receipts of one
/// part are in `receipts`, the later one in order wins; the caller puts final ones last.
pub async fn store(connection: &mut PgConnection, receipts: &[PartReceipt<'_>]) -> Result<(), Error> {
    let mut newest: BTreeMap<(Uuid, i16, u8), &PartReceipt<'_>> = BTreeMap::new();
    for receipt in receipts {
        newest.insert((receipt.part.message.uuid(), receipt.part.hop, receipt.part.segment), receipt);
    }
    let Some(low) = newest.keys().next().map(|k| k.0) else { return Ok(()) };
    let ids: Vec<Uuid> = newest.keys().map(|k| k.0).collect();
    let hops: Vec<i16> = newest.keys().map(|k| k.1).collect();
    let segments: Vec<i16> = newest.keys().map(|k| i16::from(k.2)).collect();
    let states: Vec<&str> = newest.values().map(|r| r.state.name()).collect();
    let errors: Vec<&str> = newest.values().map(|r| r.receipt.error.as_str()).collect();
    let raws: Vec<&str> = newest.values().map(|r| r.receipt.raw.expose()).collect();
    let times: Vec<DateTime<Utc>> = newest.values().map(|r| r.receipt.received_at).collect();
    query!(
        "WITH stored AS (
             UPDATE message_parts p SET state = i.state, error = i.error, receipt = i.receipt, receipt_at = i.at
             FROM unnest($1::uuid[], $2::smallint[], $3::smallint[], $4::text[], $5::text[], $6::text[],
                $7::timestamptz[]) AS i (id, hop, segment, state, error, receipt, at)
             WHERE p.message_id = i.id AND p.hop = i.hop AND p.segment = i.segment AND p.message_id >= $8
                AND p.state IN ('sent', 'buffered')
             RETURNING p.message_id, p.segment, p.operator_id, p.submitted_at, p.state,
                least(greatest((extract(epoch FROM p.receipt_at - p.submitted_at) * 1000)::bigint, 0), 600000) AS ms
         ), final AS (
             SELECT s.operator_id, m.mcc_mnc, date_bin('10 seconds', s.submitted_at, 'epoch') AS bucket, s.ms,
                s.state = 'delivered' AS good, width_bucket(s.ms, $9::bigint[]) AS class,
                s.segment = 1 AND EXISTS (SELECT FROM feedback_accounts a WHERE a.account_id = m.account_id) AS told,
                EXISTS (SELECT FROM test_numbers t WHERE t.number = m.recipient AND t.kind = 'dead') AS dead
             FROM stored s JOIN messages m ON m.id = s.message_id AND m.id >= $8
             WHERE s.state NOT IN ('sent', 'buffered')
         )
         -- How operators do: see operator_counts.
         INSERT INTO operator_count_deltas (operator_id, mcc_mnc, bucket, delivered, failed, latency, latency_ms,
            latency_sq, watched, dead, dead_delivered)
         SELECT operator_id, mcc_mnc, bucket, count(*) FILTER (WHERE good), count(*) FILTER (WHERE NOT good),
            ARRAY[count(*) FILTER (WHERE good AND class = 0), count(*) FILTER (WHERE good AND class = 1),
                count(*) FILTER (WHERE good AND class = 2), count(*) FILTER (WHERE good AND class = 3),
                count(*) FILTER (WHERE good AND class = 4), count(*) FILTER (WHERE good AND class = 5),
                count(*) FILTER (WHERE good AND class = 6), count(*) FILTER (WHERE good AND class = 7),
                count(*) FILTER (WHERE good AND class = 8), count(*) FILTER (WHERE good AND class = 9),
                count(*) FILTER (WHERE good AND class = 10), count(*) FILTER (WHERE good AND class = 11)],
            coalesce(sum(ms) FILTER (WHERE good), 0), coalesce(sum((ms / 10) * (ms / 10)) FILTER (WHERE good), 0),
            count(*) FILTER (WHERE good AND told), count(*) FILTER (WHERE dead), count(*) FILTER (WHERE dead AND good)
         FROM final GROUP BY 1, 2, 3",
        &ids,
        &hops,
        &segments,
        &states as &[&str],
        &errors as &[&str],
        &raws as &[&str],
        &times,
        low,
        &EDGES_MS as &[i64]
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Locks messages in one order, so that what concerns all their parts is decided one transaction after the other.
pub async fn lock(connection: &mut PgConnection, messages: &[MessageId]) -> Result<(), Error> {
    if messages.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = messages.iter().map(|m| m.uuid()).collect();
    query!("SELECT id FROM messages WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE", &ids)
        .fetch_all(connection)
        .await?;
    Ok(())
}

/// Keeps receipts that no part was found for, after every look-up.
pub async fn store_unmatched(connection: &mut PgConnection, receipts: &[Receipt]) -> Result<(), Error> {
    for receipt in receipts {
        let state = serde_json::to_value(receipt.state)?;
        query!(
            "INSERT INTO unmatched_receipts (id, operator_id, smpp_message_id, state, error, receipt, received_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            Uuid::now_v7(),
            receipt.operator_id.uuid(),
            receipt.smpp_message_id,
            state.as_str().unwrap_or_default(),
            receipt.error,
            receipt.raw.expose(),
            receipt.received_at
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
