//! Suppliers' rate sheets: the rules they are read by, what came, and what was done with it. They are the house's; no
//! tenant sees them.

pub mod apply;
pub mod rules;
pub mod volumes;

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use domain::{Network, OperatorId, SheetId};
use serde_json::Value;
use sqlx::{PgConnection, query, query_as};
use uuid::Uuid;

use crate::page::Page;
use crate::{Db, Error};

/// A sheet that came.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSheet {
    /// Made by the caller.
    pub id: SheetId,
    /// Whose rates it lists.
    pub operator: OperatorId,
    /// The name of the file.
    pub name: String,
    /// `csv` or `xlsx`.
    pub format: &'static str,
    /// Of the file.
    pub sha256: [u8; 32],
    /// Of the file.
    pub file_bytes: i32,
    /// Mapping and terms that it was read by.
    pub rules: Value,
    /// When the supplier's message came.
    pub received_at: DateTime<Utc>,
    /// From when rows hold that say nothing.
    pub default_from: DateTime<Utc>,
    /// Who uploaded it may not approve it.
    pub second_person: bool,
    /// Rows with anything in them.
    pub rows_read: i32,
    /// Lines by kind, and margins.
    pub summary: Value,
    /// Who.
    pub uploaded_by: String,
    /// Now: the dry run holds for this moment.
    pub created_at: DateTime<Utc>,
}

/// A stored sheet.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    /// Its id.
    pub id: Uuid,
    /// Whose rates it lists.
    pub operator_id: Uuid,
    /// `draft`, `approved`, `applied`, `undone` or `rejected`.
    pub state: String,
    /// The name of the file.
    pub name: String,
    /// `csv` or `xlsx`.
    pub format: String,
    /// Of the file.
    pub sha256: Vec<u8>,
    /// Mapping and terms that it was read by.
    pub rules: Value,
    /// When the supplier's message came.
    pub received_at: DateTime<Utc>,
    /// From when rows hold that say nothing.
    pub default_from: DateTime<Utc>,
    /// Who uploaded it may not approve it.
    pub second_person: bool,
    /// Rows with anything in them.
    pub rows_read: i32,
    /// Lines by kind, and margins.
    pub summary: Value,
    /// Who.
    pub uploaded_by: String,
    /// Who.
    pub approved_by: Option<String>,
    /// When.
    pub approved_at: Option<DateTime<Utc>>,
    /// Who.
    pub applied_by: Option<String>,
    /// When.
    pub applied_at: Option<DateTime<Utc>>,
    /// Who undid or rejected it.
    pub ended_by: Option<String>,
    /// When.
    pub ended_at: Option<DateTime<Utc>>,
    /// Why it was undone or rejected.
    pub reason: String,
    /// When it was uploaded.
    pub created_at: DateTime<Utc>,
}

/// One line of the dry run.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// In order of the rows, closings last.
    pub position: i32,
    /// The row; `None`: the sheet does not list the network, or has no row for this moment.
    pub row: Option<i32>,
    /// A change, or `refused`, `broken`, `skipped`.
    pub kind: String,
    /// The line, as it is shown.
    pub body: Value,
}

/// Stores a sheet as a draft, with its lines. `false`: no such operator.
pub async fn create(tx: &mut PgConnection, new: &NewSheet, lines: &Value) -> Result<bool, Error> {
    let made = query!(
        "INSERT INTO rate_sheets (id, operator_id, name, format, sha256, file_bytes, rules, received_at, default_from,
           second_person, rows_read, summary, uploaded_by, created_at)
         SELECT $1, o.id, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14
         FROM operators o WHERE o.id = $2 AND o.deleted_at IS NULL",
        new.id.uuid(),
        new.operator.uuid(),
        new.name,
        new.format,
        &new.sha256,
        new.file_bytes,
        new.rules,
        new.received_at,
        new.default_from,
        new.second_person,
        new.rows_read,
        new.summary,
        new.uploaded_by,
        new.created_at,
    )
    .execute(&mut *tx)
    .await?;
    query!(
        r#"INSERT INTO rate_sheet_lines (sheet_id, position, row_number, kind, body)
           SELECT $1, l.position, l."row", l.kind, l.body
           FROM jsonb_to_recordset($2) AS l(position integer, "row" integer, kind text, body jsonb)
           WHERE EXISTS (SELECT FROM rate_sheets WHERE id = $1)"#,
        new.id.uuid(),
        lines,
    )
    .execute(tx)
    .await?;
    Ok(made.rows_affected() == 1)
}

/// One sheet.
pub async fn get(db: &Db, id: SheetId) -> Result<Option<Sheet>, Error> {
    let row = query_as!(
        Sheet,
        "SELECT id, operator_id, state, name, format, sha256, rules, received_at, default_from, second_person, rows_read,
           summary, uploaded_by, approved_by, approved_at, applied_by, applied_at, ended_by, ended_at, reason, created_at
         FROM rate_sheets WHERE id = $1",
        id.uuid(),
    )
    .fetch_optional(&db.pool)
    .await?;
    Ok(row)
}

/// One sheet, which nobody else changes until the transaction ends; nor the rates of its operator by other sheets.
pub async fn lock(tx: &mut PgConnection, id: SheetId) -> Result<Option<Sheet>, Error> {
    let operator =
        query!("SELECT operator_id FROM rate_sheets WHERE id = $1", id.uuid()).fetch_optional(&mut *tx).await?;
    let Some(operator) = operator else { return Ok(None) };
    query!("SELECT FROM operators WHERE id = $1 FOR UPDATE", operator.operator_id).execute(&mut *tx).await?;
    let row = query_as!(
        Sheet,
        "SELECT id, operator_id, state, name, format, sha256, rules, received_at, default_from, second_person, rows_read,
           summary, uploaded_by, approved_by, approved_at, applied_by, applied_at, ended_by, ended_at, reason, created_at
         FROM rate_sheets WHERE id = $1 FOR UPDATE",
        id.uuid(),
    )
    .fetch_optional(tx)
    .await?;
    Ok(row)
}

/// The sheets, newest first; of one operator, in one state, where that is said.
pub async fn list(db: &Db, operator: Option<OperatorId>, state: Option<&str>, page: Page) -> Result<Vec<Sheet>, Error> {
    let rows = query_as!(
        Sheet,
        "SELECT id, operator_id, state, name, format, sha256, rules, received_at, default_from, second_person, rows_read,
           summary, uploaded_by, approved_by, approved_at, applied_by, applied_at, ended_by, ended_at, reason, created_at
         FROM rate_sheets
         WHERE ($1::uuid IS NULL OR operator_id = $1) AND ($2::text IS NULL OR state = $2) AND id < $3
         ORDER BY id DESC LIMIT $4",
        operator.map(OperatorId::uuid),
        state,
        page.end(),
        page.limit(),
    )
    .fetch_all(&db.pool)
    .await?;
    Ok(rows)
}

/// Lines of a sheet behind `after`, of one kind where that is said; `limit` at most.
pub async fn lines(db: &Db, id: SheetId, kind: Option<&str>, after: i32, limit: i64) -> Result<Vec<Line>, Error> {
    let rows = query_as!(
        Line,
        r#"SELECT position, row_number AS "row", kind, body FROM rate_sheet_lines
           WHERE sheet_id = $1 AND ($2::text IS NULL OR kind = $2) AND position > $3 ORDER BY position LIMIT $4"#,
        id.uuid(),
        kind,
        after,
        limit,
    )
    .fetch_all(&db.pool)
    .await?;
    Ok(rows)
}

/// All lines of a sheet, inside a transaction; bounded by the rows of a sheet.
pub async fn all_lines(tx: &mut PgConnection, id: SheetId) -> Result<Vec<Line>, Error> {
    let rows = query_as!(
        Line,
        r#"SELECT position, row_number AS "row", kind, body FROM rate_sheet_lines WHERE sheet_id = $1 ORDER BY position"#,
        id.uuid(),
    )
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Moves a sheet on: who did it, and when. `approved`, `applied`, `undone` and `rejected` are known.
pub async fn mark(
    tx: &mut PgConnection,
    id: SheetId,
    state: &str,
    (actor, at): (&str, DateTime<Utc>),
    reason: &str,
) -> Result<(), Error> {
    query!(
        "UPDATE rate_sheets SET state = $2,
           approved_by = CASE WHEN $2 IN ('approved', 'applied') THEN coalesce(approved_by, $3) ELSE approved_by END,
           approved_at = CASE WHEN $2 IN ('approved', 'applied') THEN coalesce(approved_at, $4) ELSE approved_at END,
           applied_by = CASE WHEN $2 = 'applied' THEN $3 ELSE applied_by END,
           applied_at = CASE WHEN $2 = 'applied' THEN $4 ELSE applied_at END,
           ended_by = CASE WHEN $2 IN ('undone', 'rejected') THEN $3 ELSE ended_by END,
           ended_at = CASE WHEN $2 IN ('undone', 'rejected') THEN $4 ELSE ended_at END,
           reason = $5
         WHERE id = $1",
        id.uuid(),
        state,
        actor,
        at,
        reason,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Networks that somebody has a prefix, a rate or a price for: by them a code is known that lost its zeros.
pub async fn known_networks(db: &Db) -> Result<HashSet<Network>, Error> {
    let rows = query!(
        r#"SELECT mcc AS "mcc!", mnc FROM mcc_mnc_prefixes
           UNION SELECT mcc, mnc FROM operator_rates
           UNION SELECT mcc, mnc FROM tariffs WHERE mcc IS NOT NULL"#
    )
    .fetch_all(&db.pool)
    .await?;
    let network = |mcc: &str, mnc: Option<&str>| Network::parse(mcc, mnc).map_err(|e| Error::Corrupt(e.to_string()));
    rows.iter().map(|row| network(&row.mcc, row.mnc.as_deref())).collect()
}
