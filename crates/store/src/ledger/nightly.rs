//! Checking the books once a night, by whichever process asks first.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::query;

use super::verify::{Audit, Extent, audit};
use crate::{Db, Error};

/// Hours behind midnight UTC at which the night's check is due: when most customers send least.
const HOUR: i64 = 2;
/// How often everything is read again.
const FULL_EVERY: TimeDelta = TimeDelta::days(7);
/// How long a check belongs to who began it, unless it says that it goes on: another process takes it then.
const LEASE: TimeDelta = TimeDelta::minutes(10);
/// How often it says so.
const RENEW_EVERY: Duration = Duration::from_mins(2);

/// How the last check of a night ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// When.
    pub at: DateTime<Utc>,
    /// Broken invariants that it found.
    pub violations: u32,
}

/// Checks the books where this night's check is due and nobody else has taken it: what is new, and everything once a
/// week. `None` where there is nothing to do. A check that dies on the way leaves the night to others, ten minutes later.
///
/// # Errors
/// When the database fails; then the night is not done.
pub async fn nightly(db: &Db, now: DateTime<Utc>) -> Result<Option<Audit>, Error> {
    if !claim(db, now).await? {
        return Ok(None);
    }
    let checked = tokio::select! {
        checked = check(db, now) => checked,
        never = renew(db, now) => Err(never),
    };
    // Whoever comes next need not wait for the lease to run out. Where that fails it runs out by itself.
    let free = query!("DELETE FROM sweep_cursors WHERE name = 'books.lease'").execute(&db.pool).await;
    let audit = checked?;
    free?;
    Ok(Some(audit))
}

/// How the last check of a night ended, whichever process made it. `None`: there was none.
///
/// # Errors
/// When the database fails.
pub async fn last_night(db: &Db) -> Result<Option<Checked>, Error> {
    let row = query!("SELECT at, violations FROM ledger_nights").fetch_optional(&db.pool).await?;
    row.map(|row| {
        let violations = u32::try_from(row.violations).map_err(|_| Error::Range)?;
        Ok(Checked { at: row.at, violations })
    })
    .transpose()
}

async fn check(db: &Db, now: DateTime<Utc>) -> Result<Audit, Error> {
    let row = query!("SELECT full_at FROM ledger_checks").fetch_optional(&db.pool).await?;
    let last_full = row.and_then(|row| row.full_at);
    let is_fresh = last_full.is_some_and(|at| now - at < FULL_EVERY - TimeDelta::hours(1));
    let extent = if is_fresh { Extent::Incremental } else { Extent::Full };
    let audit = audit(db, extent, now, &mut |_| ()).await?;
    done(db, now, audit.violations.len()).await?;
    Ok(audit)
}

/// Takes the check of this night for the time of a lease, where it is not done and nobody has it.
async fn claim(db: &Db, now: DateTime<Utc>) -> Result<bool, Error> {
    let since = now - TimeDelta::hours(HOUR);
    let due = since.date_naive().and_time(chrono::NaiveTime::MIN).and_utc() + TimeDelta::hours(HOUR);
    let claimed = query!(
        "INSERT INTO sweep_cursors AS c (name, at)
         SELECT 'books.lease', $1::timestamptz
         WHERE NOT EXISTS (SELECT FROM sweep_cursors b WHERE b.name = 'books' AND b.at >= $2)
         ON CONFLICT (name) DO UPDATE SET at = excluded.at WHERE c.at <= $3",
        now + LEASE,
        due,
        now
    )
    .execute(&db.pool)
    .await?;
    Ok(claimed.rows_affected() == 1)
}

/// Keeps the lease while the check goes on; ends with an error only.
async fn renew(db: &Db, now: DateTime<Utc>) -> Error {
    let begun = Instant::now();
    loop {
        tokio::time::sleep(RENEW_EVERY).await;
        let passed = TimeDelta::from_std(begun.elapsed()).unwrap_or_default();
        let until = now + passed + LEASE;
        let renewed = query!("UPDATE sweep_cursors SET at = $1 WHERE name = 'books.lease'", until);
        if let Err(error) = renewed.execute(&db.pool).await {
            return error.into();
        }
    }
}

/// The night is done, and how it ended is known to every process.
async fn done(db: &Db, now: DateTime<Utc>, violations: usize) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    query!(
        "INSERT INTO sweep_cursors (name, at) VALUES ('books', $1)
         ON CONFLICT (name) DO UPDATE SET at = greatest(sweep_cursors.at, excluded.at)",
        now
    )
    .execute(&mut *tx)
    .await?;
    query!(
        "INSERT INTO ledger_nights (at, violations) VALUES ($1, $2)
         ON CONFLICT (one) DO UPDATE SET at = excluded.at, violations = excluded.violations",
        now,
        i32::try_from(violations).unwrap_or(i32::MAX)
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}
