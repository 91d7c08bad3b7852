//! What timers look after: overdue messages, the outbox, health, partitions and what has grown old.

use chrono::{DateTime, Utc};
use domain::{AccountId, MessageId, State};
use sqlx::{PgConnection, query};

use crate::dlr::uuid_at;
use crate::{Db, Error, operator_counts};

/// Overdue messages of one look.
pub const OVERDUE_MAX: u16 = 500;

/// A message that should have ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overdue {
    /// Whose.
    pub account: AccountId,
    /// Which.
    pub message: MessageId,
    /// Where it stands.
    pub state: State,
    /// When it was due.
    pub due_at: DateTime<Utc>,
    /// Which try at a route it is on.
    pub hop: i16,
    /// An operator has it, or may have it, and has not said how it ended.
    pub submitted: bool,
    /// What one of its parts came to at its last operator, where that is no delivery; and the operator's error code.
    pub failed: Option<(State, Option<String>)>,
    /// Parts that the operator accepted.
    pub accepted: u8,
}

/// Messages that are due and have not ended, the longest overdue first. The cursor moves over what is done, so
/// that no look reads the past again.
pub async fn overdue(connection: &mut PgConnection, now: DateTime<Utc>) -> Result<Vec<Overdue>, Error> {
    let rows = query!(
        r#"SELECT m.account_id, m.id, m.state, m.due_at, m.hop,
               (SELECT count(*) FROM message_parts p WHERE p.message_id = m.id
                   AND (m.hop = 0 OR p.state IN ('sent', 'buffered'))) AS "parts!",
               (SELECT p.state FROM message_parts p WHERE p.message_id = m.id AND p.hop = m.hop
                   AND p.state IN ('undelivered', 'expired', 'rejected') ORDER BY p.segment LIMIT 1) AS failed,
               (SELECT p.error FROM message_parts p WHERE p.message_id = m.id AND p.hop = m.hop
                   AND p.state IN ('undelivered', 'expired', 'rejected') ORDER BY p.segment LIMIT 1) AS error,
               (SELECT count(*) FROM message_parts p WHERE p.message_id = m.id AND p.hop = m.hop
                   AND p.submit_status = 0) AS "accepted!"
           FROM messages m
           WHERE m.due_at <= $1 AND m.state_rank < 8
               AND m.due_at >= coalesce((SELECT at FROM sweep_cursors WHERE name = 'overdue'), '-infinity')
           ORDER BY m.due_at LIMIT $2"#,
        now,
        i64::from(OVERDUE_MAX)
    )
    .fetch_all(&mut *connection)
    .await?;
    if rows.is_empty() {
        query!(
            "INSERT INTO sweep_cursors (name, at) VALUES ('overdue', $1)
             ON CONFLICT (name) DO UPDATE SET at = excluded.at",
            now - chrono::TimeDelta::minutes(5)
        )
        .execute(connection)
        .await?;
    }
    rows.into_iter()
        .map(|row| {
            Ok(Overdue {
                account: AccountId::from_uuid(row.account_id),
                message: MessageId::from_uuid(row.id),
                state: row.state.parse().map_err(|_| Error::Corrupt("state".into()))?,
                due_at: row.due_at,
                hop: row.hop,
                submitted: row.parts > 0,
                failed: row
                    .failed
                    .map(|failed| failed.parse().map_err(|_| Error::Corrupt("part state".into())))
                    .transpose()?
                    .map(|failed| (failed, row.error)),
                accepted: u8::try_from(row.accepted).unwrap_or(u8::MAX),
            })
        })
        .collect()
}

/// Makes the partitions of the weeks ahead.
pub async fn partitions(db: &Db, now: DateTime<Utc>) -> Result<i32, Error> {
    let row = query!("SELECT partitions_ensure($1, 3) AS made", now).fetch_one(&db.pool).await?;
    Ok(row.made.unwrap_or(0))
}

/// How long things are kept, in days.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// Inbox marks, and parts of messages from handsets: longer than any envelope can lie in a queue.
    pub inbox_days: u32,
    /// Messages in either direction, parts and events; CDRs and the journal are kept.
    pub messages_days: u32,
    /// Idempotency keys, in hours.
    pub idempotency_hours: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { inbox_days: 28, messages_days: 400, idempotency_hours: 48 }
    }
}

/// Drops what is older than `keep` says. Answers how many partitions and keys went.
pub async fn retention(db: &Db, keep: Retention, now: DateTime<Utc>) -> Result<u64, Error> {
    let days = |days: u32| now - chrono::TimeDelta::days(i64::from(days));
    let mut dropped = 0;
    for (parent, before) in [
        ("inbox", days(keep.inbox_days)),
        ("messages", days(keep.messages_days)),
        ("message_parts", days(keep.messages_days)),
        ("message_events", days(keep.messages_days)),
    ] {
        let row = query!("SELECT partitions_drop($1, $2) AS dropped", parent, before).fetch_one(&db.pool).await?;
        dropped += u64::try_from(row.dropped.unwrap_or(0)).unwrap_or(0);
    }
    let before = now - chrono::TimeDelta::hours(i64::from(keep.idempotency_hours));
    let keys = query!("DELETE FROM idempotency_keys WHERE created_at < $1", before).execute(&db.pool).await?;
    let parts =
        query!("DELETE FROM inbound_parts WHERE received_at < $1 AND message_id IS NOT NULL", days(keep.inbox_days));
    let parts = parts.execute(&db.pool).await?;
    // With the messages, which go by the partition: what operators are owed is checked against both.
    let hops = query!(
        "DELETE FROM message_hops WHERE message_id < coalesce(
            (SELECT id FROM messages ORDER BY id LIMIT 1), 'ffffffff-ffff-ffff-ffff-ffffffffffff')"
    );
    let hops = hops.execute(&db.pool).await?;
    let inbound = query!("DELETE FROM inbound_messages WHERE id < $1", uuid_at(days(keep.messages_days)));
    let inbound = inbound.execute(&db.pool).await?;
    let counts = operator_counts::retention(db, days(keep.messages_days), now).await?;
    // A day more than messages: that is how exactly their last use is known.
    let before = days(keep.messages_days.saturating_add(2));
    let decisions = crate::routing::forget(db, before).await?;
    let rows = [keys, hops, parts, inbound].iter().map(sqlx::postgres::PgQueryResult::rows_affected).sum::<u64>();
    Ok(dropped + counts + decisions + rows)
}
