//! Numbers that moved to another network. The house's; no tenant.
//!
//! What is forgotten stays as a tombstone for a day, so that every process hears of it by its version.

use chrono::{DateTime, TimeDelta, Utc};
use domain::overrides::{Moved, Overrides};
use domain::{Network, Number};
use futures_util::TryStreamExt as _;
use sqlx::{PgConnection, query};

use crate::{Db, Error};

/// How long a tombstone is kept; who was away for longer reads everything anew.
const TOMBSTONE_KEPT: TimeDelta = TimeDelta::days(1);
/// Rows that one look of the sweep ends or drops.
const SWEPT_MAX: i64 = 10_000;

/// A number that moved to another network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Which number.
    pub number: Number,
    /// Where it is now.
    pub network: Network,
    /// Who says so, for example `portability`.
    pub source: String,
    /// Not used after this; in force for a minute longer at most.
    pub expires_at: Option<DateTime<Utc>>,
}

/// What is said of a number: where it is, or that nothing is known of it any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It moved.
    Put(Override),
    /// Its prefix decides again.
    Forget(Number),
}

/// Stores what is said with one statement each for what moved and what is forgotten; a later word replaces an earlier one.
/// A number stands in `changes` once.
pub async fn change(tx: &mut PgConnection, changes: &[Change]) -> Result<(), Error> {
    let moved: Vec<&Override> =
        changes.iter().filter_map(|change| if let Change::Put(new) = change { Some(new) } else { None }).collect();
    let forgotten = |change: &Change| if let Change::Forget(number) = change { Some(number.stored()) } else { None };
    let forgotten: Vec<i64> = changes.iter().filter_map(forgotten).collect();
    if !moved.is_empty() {
        put(tx, &moved).await?;
    }
    if !forgotten.is_empty() {
        query!(
            "UPDATE number_overrides SET deleted_at = now() WHERE number = ANY ($1) AND deleted_at IS NULL",
            &forgotten
        )
        .execute(tx)
        .await?;
    }
    Ok(())
}

async fn put(tx: &mut PgConnection, moved: &[&Override]) -> Result<(), Error> {
    let numbers: Vec<i64> = moved.iter().map(|new| new.number.stored()).collect();
    let countries: Vec<String> = moved.iter().map(|new| new.network.mcc.to_string()).collect();
    let networks: Vec<Option<String>> = moved.iter().map(|new| new.network.mnc.map(|mnc| mnc.to_string())).collect();
    let sources: Vec<&str> = moved.iter().map(|new| new.source.as_str()).collect();
    let expiries: Vec<Option<DateTime<Utc>>> = moved.iter().map(|new| new.expires_at).collect();
    query!(
        "INSERT INTO number_overrides (number, mcc, mnc, source, expires_at)
         SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
         ON CONFLICT (number) DO UPDATE SET mcc = excluded.mcc, mnc = excluded.mnc, source = excluded.source,
            expires_at = excluded.expires_at, deleted_at = NULL",
        &numbers,
        &countries,
        &networks as &[Option<String>],
        &sources as &[&str],
        &expiries as &[Option<DateTime<Utc>>],
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The overrides behind `after`, in order of number.
pub async fn list(db: &Db, after: Option<Number>, limit: u16) -> Result<Vec<Override>, Error> {
    let rows = query!(
        "SELECT number, mcc, mnc, source, expires_at FROM number_overrides
         WHERE number > $1 AND deleted_at IS NULL AND (expires_at IS NULL OR expires_at > now()) ORDER BY number LIMIT $2",
        after.map_or(0, Number::stored),
        i64::from(limit) + 1,
    )
    .fetch_all(&db.pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Override {
                number: Number::from_stored(row.number).ok_or_else(|| Error::Corrupt("number".to_owned()))?,
                network: network(&row.mcc, row.mnc.as_deref())?,
                source: row.source,
                expires_at: row.expires_at,
            })
        })
        .collect()
}

/// Who says where `number` is, where an override is in force.
pub async fn source(db: &Db, number: Number) -> Result<Option<String>, Error> {
    let row = query!(
        "SELECT source FROM number_overrides
         WHERE number = $1 AND deleted_at IS NULL AND (expires_at IS NULL OR expires_at > now())",
        number.stored()
    )
    .fetch_optional(&db.pool)
    .await?;
    Ok(row.map(|row| row.source))
}

/// Forgets an override. `false`: there is none.
pub async fn forget(tx: &mut PgConnection, number: Number) -> Result<bool, Error> {
    let gone = query!(
        "UPDATE number_overrides SET deleted_at = now() WHERE number = $1 AND deleted_at IS NULL",
        number.stored()
    )
    .execute(tx)
    .await?;
    Ok(gone.rows_affected() == 1)
}

fn network(mcc: &str, mnc: Option<&str>) -> Result<Network, Error> {
    Network::parse(mcc, mnc).map_err(|error| Error::Corrupt(error.to_string()))
}

/// `known` with what changed since, up to `version`. Where tombstones that it has not read were dropped, and at the first
/// time, everything is read.
pub(crate) async fn since(
    connection: &mut PgConnection,
    known: &Overrides,
    (version, dropped): (i64, i64),
) -> Result<Overrides, Error> {
    let is_new = known.version == 0 || known.version < dropped;
    let base = if is_new { Overrides::default() } else { known.clone() };
    let mut rows = query!(
        r#"SELECT number, mcc, mnc, deleted_at IS NOT NULL OR coalesce(expires_at <= now(), false) AS "gone!"
           FROM number_overrides WHERE version > $1"#,
        if is_new { -1 } else { known.version }
    )
    .fetch(connection);
    let mut changes: Vec<Moved> = Vec::new();
    while let Some(row) = rows.try_next().await? {
        let number = u64::try_from(row.number).map_err(|_| Error::Corrupt("number".into()))?;
        let place = network(&row.mcc, row.mnc.as_deref())?;
        changes.push((number, (!row.gone).then_some(place)));
    }
    Ok(base.with(changes, version))
}

/// Ends overrides whose time is over, and drops old tombstones. Answers how many rows.
pub async fn sweep(db: &Db, now: DateTime<Utc>) -> Result<u64, Error> {
    let ended = query!(
        "UPDATE number_overrides SET deleted_at = $1 WHERE number IN (
             SELECT number FROM number_overrides WHERE expires_at <= $1 AND deleted_at IS NULL LIMIT $2)
             AND expires_at <= $1 AND deleted_at IS NULL",
        now,
        SWEPT_MAX
    );
    let is_due = query!(
        r#"SELECT EXISTS (SELECT FROM number_overrides WHERE expires_at <= $1 AND deleted_at IS NULL) AS "due!""#,
        now
    );
    let mut swept = 0;
    // A statement that ends nothing would still count as a change of the catalogue.
    if is_due.fetch_one(&db.pool).await?.due {
        swept += ended.execute(&db.pool).await?.rows_affected();
    }
    let dropped = query!(
        r#"WITH gone AS (
               DELETE FROM number_overrides WHERE number IN (
                   SELECT number FROM number_overrides WHERE deleted_at <= $1 LIMIT $2)
                   AND deleted_at <= $1
               RETURNING version
           ), noted AS (
               UPDATE catalogue_version SET overrides_dropped = greatest(overrides_dropped, (SELECT max(version) FROM gone))
               WHERE EXISTS (SELECT FROM gone)
           )
           SELECT count(*) AS "rows!" FROM gone"#,
        now - TOMBSTONE_KEPT,
        SWEPT_MAX
    )
    .fetch_one(&db.pool)
    .await?;
    Ok(swept + u64::try_from(dropped.rows).unwrap_or(0))
}
