//! Files that are made in the background, and their chunks. Every function for a customer takes the tenant first.

mod work;

pub use work::{SETTLING, Step, is_house, next, step, stumbled, sweep};

use chrono::{DateTime, TimeDelta, Utc};
use domain::{AccountId, ExportId, OperatorId};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, query, query_as};
use uuid::Uuid;

use crate::page::Page;
use crate::{Db, Error};

/// How long a file is kept.
pub const KEPT: TimeDelta = TimeDelta::days(7);
/// Exports of one account that can be open at a time.
pub const OPEN_MAX: i64 = 10;

/// Which CDRs; what is `None` or empty does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Of this account and all below it.
    #[serde(default)]
    pub account: Option<AccountId>,
    /// To networks of these mobile country codes.
    #[serde(default)]
    pub mccs: Vec<String>,
    /// To this network.
    #[serde(default)]
    pub network: Option<String>,
    /// Carried by this operator at last.
    #[serde(default)]
    pub operator: Option<OperatorId>,
    /// That ended so.
    #[serde(default)]
    pub state: Option<String>,
}

/// A file to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewExport {
    /// Made by the caller.
    pub id: ExportId,
    /// Who asks.
    pub account: AccountId,
    /// `csv` or `ndjson`.
    pub format: String,
    /// Packed.
    pub gzip: bool,
    /// Of messages accepted at this time or later.
    pub from: DateTime<Utc>,
    /// And before this.
    pub to: DateTime<Utc>,
    /// Which of them.
    pub filter: Filter,
    /// `usr_…` or `key_…`.
    pub actor: String,
    /// Now.
    pub at: DateTime<Utc>,
}

/// A file as far as it is made.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// Its id.
    pub id: Uuid,
    /// Who asked.
    pub account_id: Uuid,
    /// `csv` or `ndjson`.
    pub format: String,
    /// Packed.
    pub gzip: bool,
    /// Of messages accepted at this time or later.
    pub accepted_from: DateTime<Utc>,
    /// And before this.
    pub accepted_to: DateTime<Utc>,
    /// Which of them.
    pub filter: serde_json::Value,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it is dropped.
    pub expires_at: DateTime<Utc>,
    /// `queued`, `running`, `done`, `failed` or `canceled`.
    pub state: String,
    /// Rows in it by now.
    pub rows_done: i64,
    /// Rows of the whole, estimated.
    pub rows_estimated: i64,
    /// Bytes by now.
    pub bytes: i64,
    /// Chunks by now.
    pub chunks: i32,
    /// The last CDR that was looked at.
    pub after_message: Option<Uuid>,
    /// Which of its CDRs.
    pub after_correction: Option<i16>,
    /// Why it failed.
    pub error: Option<String>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}

/// Stores a new export. `false`: too many of the account's are open.
///
/// # Errors
/// When the database fails.
pub async fn create(tx: &mut PgConnection, new: &NewExport) -> Result<bool, Error> {
    let made = query!(
        "INSERT INTO exports (id, account_id, kind, format, gzip, accepted_from, accepted_to, filter, actor, created_at,
            expires_at, touched_at)
         SELECT $1, $2, 'cdr', $3, $4, $5, $6, $7, $8, $9, $10, $9
         WHERE (SELECT count(*) FROM exports WHERE account_id = $2 AND state IN ('queued', 'running')) < $11",
        new.id.uuid(),
        new.account.uuid(),
        new.format,
        new.gzip,
        new.from,
        new.to,
        serde_json::to_value(&new.filter)?,
        new.actor,
        new.at,
        new.at + KEPT,
        OPEN_MAX,
    )
    .execute(tx)
    .await?;
    Ok(made.rows_affected() == 1)
}

/// One export of the tenant's own.
///
/// # Errors
/// When the database fails.
pub async fn get(db: &Db, tenant: AccountId, id: ExportId) -> Result<Option<Export>, Error> {
    let row = query_as!(
        Export,
        "SELECT id, account_id, format, gzip, accepted_from, accepted_to, filter, created_at, expires_at, state, rows_done,
            rows_estimated, bytes, chunks, after_message, after_correction, error, ended_at
         FROM exports WHERE account_id = $1 AND id = $2",
        tenant.uuid(),
        id.uuid(),
    )
    .fetch_optional(&db.pool)
    .await?;
    Ok(row)
}

/// The exports of the tenant's own, newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &Db, tenant: AccountId, page: Page) -> Result<Vec<Export>, Error> {
    let rows = query_as!(
        Export,
        "SELECT id, account_id, format, gzip, accepted_from, accepted_to, filter, created_at, expires_at, state, rows_done,
            rows_estimated, bytes, chunks, after_message, after_correction, error, ended_at
         FROM exports WHERE account_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        tenant.uuid(),
        page.end(),
        page.limit(),
    )
    .fetch_all(&db.pool)
    .await?;
    Ok(rows)
}

/// Stops an export that is open, and drops what was made of it. `false`: it is not there, or has ended.
///
/// # Errors
/// When the database fails.
pub async fn cancel(tx: &mut PgConnection, tenant: AccountId, id: ExportId, at: DateTime<Utc>) -> Result<bool, Error> {
    let ended = query!(
        "UPDATE exports SET state = 'canceled', ended_at = $3, chunks = 0, bytes = 0
         WHERE account_id = $1 AND id = $2 AND state IN ('queued', 'running')",
        tenant.uuid(),
        id.uuid(),
        at,
    )
    .execute(&mut *tx)
    .await?;
    query!(
        "DELETE FROM export_chunks WHERE export_id IN (SELECT id FROM exports WHERE id = $1 AND state = 'canceled')",
        id.uuid()
    )
    .execute(tx)
    .await?;
    Ok(ended.rows_affected() == 1)
}

/// One chunk of an export of the tenant's own.
///
/// # Errors
/// When the database fails.
pub async fn chunk(db: &Db, tenant: AccountId, id: ExportId, number: i32) -> Result<Option<Vec<u8>>, Error> {
    let row = query!(
        "SELECT c.body FROM export_chunks c JOIN exports e ON e.id = c.export_id
         WHERE e.account_id = $1 AND c.export_id = $2 AND c.number = $3",
        tenant.uuid(),
        id.uuid(),
        number,
    )
    .fetch_optional(&db.pool)
    .await?;
    Ok(row.map(|row| row.body))
}

/// Where octet `offset` of a file lies: the number of its chunk, and how many octets of that come before it. `None`: behind
/// the end.
///
/// # Errors
/// When the database fails.
pub async fn place(db: &Db, tenant: AccountId, id: ExportId, offset: i64) -> Result<Option<(i32, i64)>, Error> {
    let row = query!(
        r#"SELECT number AS "number!", $3 - begins AS "skipped!" FROM (
               SELECT c.number, octet_length(c.body)::bigint AS length,
                   (sum(octet_length(c.body)) OVER (ORDER BY c.number) - octet_length(c.body))::bigint AS begins
               FROM export_chunks c JOIN exports e ON e.id = c.export_id
               WHERE e.account_id = $1 AND c.export_id = $2
           ) chunks WHERE begins <= $3 AND $3 < begins + length"#,
        tenant.uuid(),
        id.uuid(),
        offset,
    )
    .fetch_optional(&db.pool)
    .await?;
    Ok(row.map(|row| (row.number, row.skipped)))
}
