//! Checking the books once a night, by whichever process asks first.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::query;

use super::verify::{Audit, Extent, audit};
use crate::{Db, Error};

/// Hours behind midnight UTC at which the night's check is due: when most customers send least.
const HOUR: i64 = 2;
/// How often everything is read again.
const FULL_EVERY: TimeDelta = TimeDelta::days(7);

/// Checks the books where this night's check is due and nobody else has taken it: what is new, and everything once a
/// week. `None` where there is nothing to do.
///
/// # Errors
/// When the database fails.
pub async fn nightly(db: &Db, now: DateTime<Utc>) -> Result<Option<Audit>, Error> {
    if !claim(db, now).await? {
        return Ok(None);
    }
    let row = query!("SELECT full_at FROM ledger_checks").fetch_optional(&db.pool).await?;
    let last_full = row.and_then(|row| row.full_at);
    let is_fresh = last_full.is_some_and(|at| now - at < FULL_EVERY - TimeDelta::hours(1));
    let extent = if is_fresh { Extent::Incremental } else { Extent::Full };
    Ok(Some(audit(db, extent, now, &mut |_| ()).await?))
}

/// Takes the check of this night.
async fn claim(db: &Db, now: DateTime<Utc>) -> Result<bool, Error> {
    let since = now - TimeDelta::hours(HOUR);
    let due = since.date_naive().and_time(chrono::NaiveTime::MIN).and_utc() + TimeDelta::hours(HOUR);
    let done = query!(
        "INSERT INTO sweep_cursors AS c (name, at) VALUES ('books', $1)
         ON CONFLICT (name) DO UPDATE SET at = excluded.at WHERE c.at < $2",
        now,
        due
    )
    .execute(&db.pool)
    .await?;
    Ok(done.rows_affected() == 1)
}
