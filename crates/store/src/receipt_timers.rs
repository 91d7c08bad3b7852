//! When messages are looked at whose receipt has not come.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{AccountId, MessageId};
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::advance::count;
use crate::{Error, dlr};

/// Timers of one look.
pub const TIMERS_MAX: u16 = 500;

/// Has messages looked at for want of a receipt so many seconds from now.
pub(crate) async fn start(
    connection: &mut PgConnection,
    timers: &BTreeMap<MessageId, (i16, i32)>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if timers.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = timers.keys().map(|id| id.uuid()).collect();
    let (hops, waits): (Vec<i16>, Vec<i32>) = timers.values().copied().unzip();
    query!(
        "INSERT INTO receipt_timers (message_id, hop, wait_seconds, look_at)
         SELECT i.id, i.hop, i.wait, $4::timestamptz + make_interval(secs => i.wait)
         FROM unnest($1::uuid[], $2::smallint[], $3::int[]) AS i (id, hop, wait)
         ON CONFLICT DO NOTHING",
        &ids,
        &hops,
        &waits,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A message whose receipt is late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Late {
    /// Whose.
    pub account: AccountId,
    /// Which.
    pub message: MessageId,
    /// At which try.
    pub hop: u8,
}

/// Messages without their final receipt in time, and how many timers were looked at. The time counts from the submit:
/// what waits for its submit is looked at again later. Locks the messages, in one order.
pub async fn late(connection: &mut PgConnection, now: DateTime<Utc>) -> Result<(Vec<Late>, usize), Error> {
    let rows = query!(
        r#"WITH due AS (
               SELECT message_id, hop, wait_seconds FROM receipt_timers WHERE look_at <= $1
               ORDER BY look_at LIMIT $2 FOR UPDATE SKIP LOCKED
           ), found AS MATERIALIZED (
               SELECT d.message_id, d.hop, d.wait_seconds, m.account_id,
                   m.hop = d.hop AND m.state_rank < 8 AS is_there,
                   (SELECT min(p.submitted_at) FROM message_parts p
                       WHERE p.message_id = d.message_id AND p.hop = d.hop) AS submitted_at
               FROM due d LEFT JOIN messages m ON m.id = d.message_id
           ), over AS (
               DELETE FROM receipt_timers t USING found f
               WHERE t.message_id = f.message_id AND t.hop = f.hop AND (f.is_there IS NOT TRUE
                   OR f.submitted_at + make_interval(secs => f.wait_seconds) <= $1)
           ), later AS (
               UPDATE receipt_timers t
               SET look_at = coalesce(f.submitted_at, $1) + make_interval(secs => f.wait_seconds)
               FROM found f WHERE t.message_id = f.message_id AND t.hop = f.hop AND f.is_there
                   AND (f.submitted_at IS NULL OR f.submitted_at + make_interval(secs => f.wait_seconds) > $1)
           )
           SELECT message_id AS "message_id!", hop AS "hop!", account_id AS "account_id?",
               coalesce(is_there AND submitted_at + make_interval(secs => wait_seconds) <= $1, false) AS "is_late!"
           FROM found ORDER BY message_id"#,
        now,
        i64::from(TIMERS_MAX)
    )
    .fetch_all(&mut *connection)
    .await?;
    let looked = rows.len();
    let late = rows.into_iter().filter(|row| row.is_late);
    let late = late.filter_map(|row| {
        let account = AccountId::from_uuid(row.account_id?);
        Some(count(row.hop).map(|hop| Late { account, message: MessageId::from_uuid(row.message_id), hop }))
    });
    let late: Vec<Late> = late.collect::<Result<_, _>>()?;
    dlr::lock(connection, &late.iter().map(|late| late.message).collect::<Vec<_>>()).await?;
    Ok((late, looked))
}
