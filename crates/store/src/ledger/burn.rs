//! How fast a wallet empties.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{AccountId, Micros};
use sqlx::query;

use crate::{Db, Error};

/// The time that is looked back at.
const WINDOW: TimeDelta = TimeDelta::hours(1);

/// What messages and look-ups took from `account`'s wallet in the hour before `now`, less what refunds gave back, by its journal.
/// Never below zero.
///
/// # Errors
/// When the database fails.
pub async fn per_hour(db: &Db, account: AccountId, now: DateTime<Utc>) -> Result<Micros, Error> {
    let row = query!(
        r#"SELECT greatest(coalesce(-sum(posted_micros), 0), 0)::bigint AS "burn!" FROM balance_ledger
           WHERE account_id = $1 AND ledger = 'wallet' AND operation IN ('capture', 'lookup', 'refund')
               AND entry_id >= uuid_at($2) AND at >= $2"#,
        account.uuid(),
        now - WINDOW
    )
    .fetch_one(&db.pool)
    .await?;
    Ok(Micros::new(row.burn))
}
