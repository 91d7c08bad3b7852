//! Numbering: which network a number belongs to by its prefix. The house's; no tenant.

use chrono::{DateTime, Utc};
use domain::{Network, PrefixId};
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
