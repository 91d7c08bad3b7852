//! Messages that are sent later: they are stored and paid for, and go on their way when their time has come.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use contract::{Accepted, queues, seal};
use sqlx::{PgConnection, query};

use crate::again::Row;
use crate::publish::publish;
use crate::{Db, Error};

/// How far ahead messages are sent on their way by a timer that ticks once a minute: what falls due between two ticks
/// waits out its last seconds in the queue. Twice the interval, since a tick may be late (EventBridge Scheduler keeps
/// to the minute, not to the second); less than the 15 minutes that SQS delays a message.
pub const AHEAD: TimeDelta = TimeDelta::minutes(2);

/// A message on its way, and when it is due.
struct Released {
    item: Accepted,
    due_at: DateTime<Utc>,
}

/// Sends up to `max` messages on their way that are due by `until`, each once: the mark and the queue message are one
/// transaction. What is due later than `now` waits in the queue till the second after its time has come, never before.
/// A message keeps the state `scheduled` until it has an operator. Answers how many went.
pub async fn send(db: &Db, now: DateTime<Utc>, until: DateTime<Utc>, max: u16) -> Result<usize, Error> {
    let mut tx = db.begin().await?;
    let released = release(&mut tx, now, until, i64::from(max)).await?;
    let count = released.len();
    for (delay_ms, items) in by_delay(released, now) {
        publish(&mut tx, db.publish, queues::ROUTE, seal(&items, now)?, delay_ms).await?;
    }
    tx.commit().await?;
    Ok(count)
}

async fn release(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
    max: i64,
) -> Result<Vec<Released>, Error> {
    let rows = query!(
        r#"WITH due AS (
               SELECT id FROM messages w WHERE state = 'scheduled' AND released_at IS NULL AND scheduled_at <= $1
                 AND NOT EXISTS (SELECT FROM accounts a JOIN accounts above ON above.id = ANY (a.path)
                   WHERE a.id = w.account_id AND above.status <> 'active')
               ORDER BY scheduled_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
           )
           UPDATE messages m SET released_at = $3 FROM due WHERE m.id = due.id
           RETURNING m.id, m.account_id, m.recipient, m.sender, m.body, m.encoding, m.segments, m.mcc_mnc,
               m.expires_at, m.smpp, m.traffic_class, m.template, m.scheduled_at AS "scheduled_at!",
               (SELECT c.chain FROM charge_chains c WHERE c.id = m.chain_id) AS chain"#,
        until,
        max,
        now
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let due_at = row.scheduled_at;
            let row = Row {
                id: row.id,
                account_id: row.account_id,
                recipient: row.recipient,
                sender: row.sender,
                body: row.body,
                encoding: row.encoding,
                segments: row.segments,
                mcc_mnc: row.mcc_mnc,
                expires_at: row.expires_at,
                smpp: row.smpp,
                traffic_class: row.traffic_class,
                template: row.template,
                chain: row.chain,
                tried: Vec::new(),
            };
            Ok(Released { item: row.accepted()?, due_at })
        })
        .collect()
}

/// The items of each second together, by the time that they have to wait.
fn by_delay(released: Vec<Released>, now: DateTime<Utc>) -> BTreeMap<i64, Vec<Accepted>> {
    let mut groups: BTreeMap<i64, Vec<Accepted>> = BTreeMap::new();
    for Released { item, due_at } in released {
        groups.entry(delay_ms(due_at, now)).or_default().push(item);
    }
    groups
}

/// Whole seconds, rounded up: backends delay by the second, and early is wrong.
fn delay_ms(due_at: DateTime<Utc>, now: DateTime<Utc>) -> i64 {
    let left_ms = (due_at - now).num_milliseconds().max(0);
    (left_ms + 999) / 1000 * 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_waits_for_the_second_after_its_time() {
        let now = DateTime::UNIX_EPOCH;
        for (left_ms, expected) in [(-5000, 0), (0, 0), (1, 1000), (1000, 1000), (1001, 2000), (59_500, 60_000)] {
            assert_eq!(delay_ms(now + TimeDelta::milliseconds(left_ms), now), expected, "{left_ms}");
        }
    }
}
