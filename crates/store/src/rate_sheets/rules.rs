//! How sheets are read, and under which terms they are taken.

use chrono::{DateTime, Utc};
use domain::OperatorId;
use serde_json::Value;
use sqlx::{PgConnection, query, query_as};
use uuid::Uuid;

use crate::{Db, Error};

/// Rules of an operator, or of the platform.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// Whose; `None`: for operators that have none of their own.
    pub operator_id: Option<Uuid>,
    /// Which column is which.
    pub mapping: Value,
    /// Days between receipt and an increase.
    pub notice_days: i16,
    /// `move` or `refuse`.
    pub on_short_notice: String,
    /// Who uploads a sheet may not approve it.
    pub second_person: bool,
    /// Sheets list everything.
    pub is_whole: bool,
    /// `submit` or `delivered`: when rates are taken of networks that had none before.
    pub charge_on: String,
    /// Who made them.
    pub made_by: String,
    /// When.
    pub updated_at: DateTime<Utc>,
}

/// The rules of an operator, or of the platform where none is named; without a fall-back.
pub async fn get(db: &Db, operator: Option<OperatorId>) -> Result<Option<Rules>, Error> {
    let row = query_as!(
        Rules,
        "SELECT operator_id, mapping, notice_days, on_short_notice, second_person, is_whole, charge_on, made_by,
            updated_at
         FROM rate_sheet_rules WHERE operator_id IS NOT DISTINCT FROM $1",
        operator.map(OperatorId::uuid),
    )
    .fetch_optional(&db.pool)
    .await?;
    Ok(row)
}

/// Stores rules in place of those before. The constraint `rate_sheet_rules_operator_id_fkey` refuses an operator that is
/// not there.
pub async fn put(tx: &mut PgConnection, rules: &Rules) -> Result<(), Error> {
    query!(
        "INSERT INTO rate_sheet_rules (id, operator_id, mapping, notice_days, on_short_notice, second_person, is_whole,
           made_by, updated_at, charge_on)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (operator_id) DO UPDATE SET mapping = $3, notice_days = $4, on_short_notice = $5, second_person = $6,
           is_whole = $7, made_by = $8, updated_at = $9, charge_on = $10",
        Uuid::now_v7(),
        rules.operator_id,
        rules.mapping,
        rules.notice_days,
        rules.on_short_notice,
        rules.second_person,
        rules.is_whole,
        rules.made_by,
        rules.updated_at,
        rules.charge_on,
    )
    .execute(tx)
    .await?;
    Ok(())
}
