//! Numbering: which network a number belongs to, by prefix or by its own override. The house's; no tenant.

use chrono::{DateTime, Utc};
use domain::{Network, Number, PrefixId};
use sqlx::{PgConnection, query, query_as};
use uuid::Uuid;

use crate::page::Page;
use crate::{Db, Error};

/// A prefix that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    /// Its id.
    pub id: Uuid,
    /// Digits, with the country code.
    pub prefix: String,
    /// Country.
    pub mcc: String,
    /// Network; `None`: only the country is known.
    pub mnc: Option<String>,
    /// Who runs the network.
    pub operator_name: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// A prefix to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPrefix {
    /// Made by the caller.
    pub id: PrefixId,
    /// Digits, with the country code.
    pub prefix: String,
    /// Where it leads.
    pub network: Network,
    /// Who runs the network.
    pub operator_name: String,
}

/// Stores prefixes with one statement. One that exists is led to its new network and keeps its id.
pub async fn put(tx: &mut PgConnection, prefixes: &[NewPrefix]) -> Result<(), Error> {
    let ids: Vec<Uuid> = prefixes.iter().map(|p| p.id.uuid()).collect();
    let digits: Vec<String> = prefixes.iter().map(|p| p.prefix.clone()).collect();
    let mccs: Vec<String> = prefixes.iter().map(|p| p.network.mcc.to_string()).collect();
    let networks: Vec<String> =
        prefixes.iter().map(|p| p.network.mnc.map_or(String::new(), |m| m.to_string())).collect();
    let names: Vec<String> = prefixes.iter().map(|p| p.operator_name.clone()).collect();
    query!(
        "INSERT INTO mcc_mnc_prefixes (id, prefix, mcc, mnc, operator_name)
         SELECT id, prefix, mcc, nullif(mnc, ''), name
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[]) AS p (id, prefix, mcc, mnc, name)
         ON CONFLICT (prefix) DO UPDATE
         SET mcc = excluded.mcc, mnc = excluded.mnc, operator_name = excluded.operator_name",
        &ids,
        &digits,
        &mccs,
        &networks,
        &names,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The prefixes, newest first; those that begin with given digits where some are named.
pub async fn list(db: &Db, starts_with: Option<&str>, page: Page) -> Result<Vec<Prefix>, Error> {
    let rows = query_as!(
        Prefix,
        "SELECT id, prefix, mcc, mnc, operator_name, created_at FROM mcc_mnc_prefixes
         WHERE ($1::text IS NULL OR starts_with(prefix, $1)) AND id < $2 ORDER BY id DESC LIMIT $3",
        starts_with,
        page.end(),
        page.limit(),
    )
    .fetch_all(&db.pool)
    .await?;
    Ok(rows)
}

/// The prefixes of these digits.
pub async fn by_digits(db: &Db, digits: &[String]) -> Result<Vec<Prefix>, Error> {
    let rows = query_as!(
        Prefix,
        "SELECT id, prefix, mcc, mnc, operator_name, created_at FROM mcc_mnc_prefixes
         WHERE prefix = ANY ($1) ORDER BY prefix",
        digits,
    )
    .fetch_all(&db.pool)
    .await?;
    Ok(rows)
}

/// Deletes a prefix. `false`: there is none.
pub async fn delete(tx: &mut PgConnection, id: PrefixId) -> Result<bool, Error> {
    let gone = query!("DELETE FROM mcc_mnc_prefixes WHERE id = $1", id.uuid()).execute(tx).await?;
    Ok(gone.rows_affected() == 1)
}

/// A number that moved to another network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Which number.
    pub number: Number,
    /// Where it is now.
    pub network: Network,
    /// Who says so, for example `portability` or `hlr`.
    pub source: String,
    /// Not used after this.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Stores an override; a later one replaces it.
pub async fn put_override(tx: &mut PgConnection, new: &Override) -> Result<(), Error> {
    query!(
        "INSERT INTO number_overrides (number, mcc, mnc, source, expires_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (number) DO UPDATE
         SET mcc = excluded.mcc, mnc = excluded.mnc, source = excluded.source, expires_at = excluded.expires_at",
        new.number.stored(),
        new.network.mcc.to_string(),
        new.network.mnc.map(|mnc| mnc.to_string()),
        new.source,
        new.expires_at,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The overrides behind `after`, in order of number.
pub async fn list_overrides(db: &Db, after: Option<Number>, limit: u16) -> Result<Vec<Override>, Error> {
    let rows = query!(
        "SELECT number, mcc, mnc, source, expires_at FROM number_overrides WHERE number > $1 ORDER BY number LIMIT $2",
        after.map_or(0, Number::stored),
        i64::from(limit) + 1,
    )
    .fetch_all(&db.pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let network = Network::parse(&row.mcc, row.mnc.as_deref());
            Ok(Override {
                number: Number::from_stored(row.number).ok_or_else(|| Error::Corrupt("number".to_owned()))?,
                network: network.map_err(|error| Error::Corrupt(error.to_string()))?,
                source: row.source,
                expires_at: row.expires_at,
            })
        })
        .collect()
}

/// Deletes an override. `false`: there is none.
pub async fn delete_override(tx: &mut PgConnection, number: Number) -> Result<bool, Error> {
    let gone = query!("DELETE FROM number_overrides WHERE number = $1", number.stored()).execute(tx).await?;
    Ok(gone.rows_affected() == 1)
}
