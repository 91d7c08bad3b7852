//! Deliveries of events to customers' URLs.

use chrono::{DateTime, Utc};
use contract::CustomerEvent;
use domain::AccountId;
use sqlx::query;
use uuid::Uuid;

use crate::{Db, Error};

/// Where a delivery stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its event.
    pub event: CustomerEvent,
    /// Tries so far.
    pub attempts: i16,
}

/// Stores deliveries that are not stored yet, due at once. An event that comes twice is stored once.
pub async fn store(db: &Db, events: &[CustomerEvent], now: DateTime<Utc>) -> Result<(), Error> {
    let ids: Vec<Uuid> = events.iter().map(CustomerEvent::id).collect();
    let accounts: Vec<Uuid> = events.iter().map(|e| e.account_id().uuid()).collect();
    let messages: Vec<Uuid> = events.iter().map(CustomerEvent::about).collect();
    let urls: Vec<&str> = events.iter().map(CustomerEvent::url).collect();
    let bodies: Vec<serde_json::Value> = events.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
    query!(
        "INSERT INTO webhook_deliveries (id, account_id, message_id, url, event, next_attempt_at)
         SELECT e.id, e.account, e.message, e.url, e.event, $6
         FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::jsonb[])
            AS e (id, account, message, url, event)
         ON CONFLICT DO NOTHING",
        &ids,
        &accounts,
        &messages,
        &urls as &[&str],
        &bodies,
        now
    )
    .execute(&db.pool)
    .await?;
    Ok(())
}

/// Gives back a delivery that was taken and not tried: it is due at `again`, and no try is counted.
pub async fn postpone(db: &Db, account: AccountId, delivery: Uuid, again: DateTime<Utc>) -> Result<(), Error> {
    query!(
        "UPDATE webhook_deliveries SET next_attempt_at = $3 WHERE account_id = $1 AND id = $2 AND status = 'pending'",
        account.uuid(),
        delivery,
        again
    )
    .execute(&db.pool)
    .await?;
    Ok(())
}

/// Takes up to `max` deliveries that are due; nobody else gets them before `until`.
pub async fn take_due(db: &Db, max: i64, now: DateTime<Utc>, until: DateTime<Utc>) -> Result<Vec<Delivery>, Error> {
    let rows = query!(
        "WITH due AS (
            SELECT id FROM webhook_deliveries WHERE status = 'pending' AND next_attempt_at <= $1
            ORDER BY next_attempt_at LIMIT $2 FOR UPDATE SKIP LOCKED
         )
         UPDATE webhook_deliveries d SET next_attempt_at = $3 FROM due WHERE d.id = due.id
         RETURNING d.event, d.attempts",
        now,
        max,
        until
    )
    .fetch_all(&db.pool)
    .await?;
    rows.into_iter()
        .map(|row| Ok(Delivery { event: serde_json::from_value(row.event)?, attempts: row.attempts }))
        .collect()
}

/// How a try ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// The customer answered 2xx.
    Delivered {
        /// The HTTP status.
        status: u16,
    },
    /// Another try at `next_attempt_at`, or parked for good where there is none.
    Failed {
        /// The HTTP status, where one came.
        status: Option<u16>,
        /// What went wrong, for the customer to read.
        error: String,
        /// When to try again.
        next_attempt_at: Option<DateTime<Utc>>,
    },
}

/// Stores how a try of `account`'s delivery ended.
pub async fn record(
    db: &Db,
    account: AccountId,
    delivery: Uuid,
    attempt: &Attempt,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let (state, status, error, next, delivered_at) = match attempt {
        Attempt::Delivered { status } => ("delivered", Some(i32::from(*status)), None, None, Some(now)),
        Attempt::Failed { status, error, next_attempt_at: Some(next) } => {
            ("pending", status.map(i32::from), Some(error.as_str()), Some(*next), None)
        }
        Attempt::Failed { status, error, next_attempt_at: None } => {
            ("parked", status.map(i32::from), Some(error.as_str()), None, None)
        }
    };
    query!(
        "UPDATE webhook_deliveries SET status = $3, last_status = $4, last_error = $5, next_attempt_at = $6,
            delivered_at = $7, attempts = attempts + 1
         WHERE account_id = $1 AND id = $2 AND status = 'pending'",
        account.uuid(),
        delivery,
        state,
        status,
        error,
        next,
        delivered_at
    )
    .execute(&db.pool)
    .await?;
    Ok(())
}
