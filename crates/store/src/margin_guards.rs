//! Guards of the margin. They are the house's; no tenant sees them.

use chrono::{DateTime, Utc};
use domain::routing::margin::{Breach, Guard};
use domain::{AccountId, GuardId, Micros, Network, OperatorId};
use sqlx::{PgConnection, query, query_as};
use uuid::Uuid;

use crate::page::Page;
use crate::{Db, Error};

/// A guard, and who made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// What it asks for.
    pub guard: Guard,
    /// Why.
    pub reason: String,
    /// By whom.
    pub made_by: String,
}

struct Row {
    id: Uuid,
    account_id: Option<Uuid>,
    operator_id: Option<Uuid>,
    mcc: Option<String>,
    mnc: Option<String>,
    min_micros: i64,
    min_permille: Option<i32>,
    on_breach: String,
    reason: String,
    made_by: String,
    effective_from: DateTime<Utc>,
    effective_to: Option<DateTime<Utc>>,
}

impl Row {
    fn made(self) -> Result<Made, Error> {
        let corrupt = |_| Error::Corrupt("network".to_owned());
        let network = self.mcc.map(|mcc| Network::parse(&mcc, self.mnc.as_deref())).transpose().map_err(corrupt)?;
        let guard = Guard {
            id: GuardId::from_uuid(self.id),
            account: self.account_id.map(AccountId::from_uuid),
            operator: self.operator_id.map(OperatorId::from_uuid),
            network,
            min: Micros::new(self.min_micros),
            min_permille: self.min_permille,
            on_breach: Breach::parse(&self.on_breach).ok_or(Error::Corrupt(self.on_breach))?,
            from: self.effective_from,
            to: self.effective_to,
        };
        Ok(Made { guard, reason: self.reason, made_by: self.made_by })
    }
}

/// Stores a guard: closes the one of the same account, operator and network that holds at its moment, and ends where a
/// later one begins. The constraint `margin_guards_do_not_overlap` refuses a second one of the same moment,
/// `margin_guards_account_id_fkey` and `margin_guards_operator_id_fkey` what they name and is not there.
///
/// # Errors
/// When the database refuses or fails.
pub async fn publish(tx: &mut PgConnection, new: &Made) -> Result<(), Error> {
    let Guard { id, account, operator, network, min, min_permille, on_breach, from, .. } = &new.guard;
    let (account, operator) = (account.map(AccountId::uuid), operator.map(OperatorId::uuid));
    let mcc = network.map(|network| network.mcc.to_string());
    let mnc = network.and_then(|network| network.mnc).map(|mnc| mnc.to_string());
    query!(
        "UPDATE margin_guards SET effective_to = $5
         WHERE account_id IS NOT DISTINCT FROM $1 AND operator_id IS NOT DISTINCT FROM $2
           AND mcc IS NOT DISTINCT FROM $3 AND mnc IS NOT DISTINCT FROM $4
           AND effective_from < $5 AND (effective_to IS NULL OR effective_to > $5)",
        account,
        operator,
        mcc,
        mnc,
        from,
    )
    .execute(&mut *tx)
    .await?;
    query!(
        "INSERT INTO margin_guards (id, account_id, operator_id, mcc, mnc, min_micros, min_permille, on_breach, reason,
           made_by, effective_from, effective_to)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
           (SELECT min(g.effective_from) FROM margin_guards g
            WHERE g.account_id IS NOT DISTINCT FROM $2 AND g.operator_id IS NOT DISTINCT FROM $3
              AND g.mcc IS NOT DISTINCT FROM $4 AND g.mnc IS NOT DISTINCT FROM $5 AND g.effective_from > $11))",
        id.uuid(),
        account,
        operator,
        mcc,
        mnc,
        min.get(),
        *min_permille,
        on_breach.name(),
        new.reason,
        new.made_by,
        from,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Ends a guard at `at`; one that was to begin later is taken back: the one that it would have closed goes on, up to where
/// it would have ended itself. `false`: there is nothing to end.
///
/// # Errors
/// When the database fails.
pub async fn end(tx: &mut PgConnection, id: GuardId, at: DateTime<Utc>) -> Result<bool, Error> {
    let gone = query!(
        "DELETE FROM margin_guards WHERE id = $1 AND effective_from >= $2
         RETURNING account_id, operator_id, mcc, mnc, effective_from, effective_to",
        id.uuid(),
        at,
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(gone) = gone {
        query!(
            "UPDATE margin_guards SET effective_to = $6
             WHERE account_id IS NOT DISTINCT FROM $1 AND operator_id IS NOT DISTINCT FROM $2
               AND mcc IS NOT DISTINCT FROM $3 AND mnc IS NOT DISTINCT FROM $4 AND effective_to = $5",
            gone.account_id,
            gone.operator_id,
            gone.mcc,
            gone.mnc,
            gone.effective_from,
            gone.effective_to,
        )
        .execute(tx)
        .await?;
        return Ok(true);
    }
    let closed = query!(
        "UPDATE margin_guards SET effective_to = $2
         WHERE id = $1 AND effective_from < $2 AND (effective_to IS NULL OR effective_to > $2)",
        id.uuid(),
        at,
    )
    .execute(tx)
    .await?;
    Ok(closed.rows_affected() > 0)
}

/// All guards that ever were, newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &Db, page: Page) -> Result<Vec<Made>, Error> {
    let rows = query_as!(
        Row,
        "SELECT id, account_id, operator_id, mcc, mnc, min_micros, min_permille, on_breach, reason, made_by,
           effective_from, effective_to
         FROM margin_guards WHERE id < $1 ORDER BY id DESC LIMIT $2",
        page.end(),
        page.limit(),
    )
    .fetch_all(&db.pool)
    .await?;
    rows.into_iter().map(Row::made).collect()
}

/// Those that hold now or later, for the catalogue.
pub(crate) async fn current(connection: &mut PgConnection) -> Result<Vec<Guard>, Error> {
    let rows = query_as!(
        Row,
        "SELECT id, account_id, operator_id, mcc, mnc, min_micros, min_permille, on_breach, reason, made_by,
           effective_from, effective_to
         FROM margin_guards WHERE effective_to IS NULL OR effective_to > now() - interval '1 hour'",
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| Ok(row.made()?.guard)).collect()
}
