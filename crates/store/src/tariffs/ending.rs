//! Prices that end on purpose, and prices of later that are taken back.

use chrono::{DateTime, Utc};
use domain::{AccountId, TariffId};
use sqlx::{PgConnection, query, query_as};

use super::{Row, Tariff};
use crate::Error;

/// A price of a plan of the tenant, or of any plan where that is the house, and whose plan it is; no price of the plan changes until the transaction ends.
///
/// # Errors
/// When the database fails.
pub async fn get_for_update(
    tx: &mut PgConnection,
    tenant: AccountId,
    id: TariffId,
) -> Result<Option<(AccountId, Tariff)>, Error> {
    let owner = query!(
        "SELECT p.owner_account_id FROM tariffs t JOIN tariff_plans p ON p.id = t.plan_id
         JOIN accounts a ON a.id = p.owner_account_id
         WHERE t.id = $2 AND (a.id = $1 OR EXISTS (SELECT FROM accounts h WHERE h.id = $1 AND h.parent_id IS NULL)) FOR NO KEY UPDATE OF p",
        tenant.uuid(),
        id.uuid(),
    );
    let Some(owner) = owner.fetch_optional(&mut *tx).await? else { return Ok(None) };
    let row = query_as!(
        Row,
        r#"SELECT t.id, t.plan_id, t.mcc, t.mnc, t.traffic_class, t.price_micros, p.currency AS "currency!", t.charge_on,
             t.on_unconfirmed, t.effective_from, t.effective_to
           FROM tariffs t JOIN tariff_plans p ON p.id = t.plan_id WHERE t.id = $1"#,
        id.uuid(),
    );
    let owner = AccountId::from_uuid(owner.owner_account_id);
    row.fetch_optional(tx).await?.map(|row| Ok((owner, row.tariff()?))).transpose()
}

/// Ends a price at `at`, on purpose: from then on its plan has no such price until one is published. `false`: it does
/// not hold right before `at` and beyond it.
///
/// # Errors
/// When the database fails.
pub async fn end(tx: &mut PgConnection, tenant: AccountId, id: TariffId, at: DateTime<Utc>) -> Result<bool, Error> {
    let ended = query!(
        "UPDATE tariffs t SET effective_to = $3, ended_at = $3 FROM tariff_plans p JOIN accounts a ON a.id = p.owner_account_id
         WHERE t.id = $2 AND p.id = t.plan_id
           AND (a.id = $1 OR EXISTS (SELECT FROM accounts h WHERE h.id = $1 AND h.parent_id IS NULL))
           AND t.effective_from < $3 AND (t.effective_to IS NULL OR t.effective_to > $3)",
        tenant.uuid(),
        id.uuid(),
        at,
    )
    .execute(tx)
    .await?;
    Ok(ended.rows_affected() == 1)
}

/// Takes back a price that begins after `now`: the one that it would have closed goes on as if it had never been
/// published, up to where that was ended on purpose or the next one begins. `false`: it has begun, so that messages may have
/// been priced by it.
///
/// # Errors
/// When the database fails.
pub async fn withdraw(
    tx: &mut PgConnection,
    tenant: AccountId,
    id: TariffId,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let gone = query!(
        "DELETE FROM tariffs t USING tariff_plans p, accounts a
         WHERE t.id = $2 AND p.id = t.plan_id AND a.id = p.owner_account_id
           AND (a.id = $1 OR EXISTS (SELECT FROM accounts h WHERE h.id = $1 AND h.parent_id IS NULL))
           AND t.effective_from > $3
         RETURNING t.plan_id, t.mcc, t.mnc, t.traffic_class, t.effective_from",
        tenant.uuid(),
        id.uuid(),
        now,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(gone) = gone else { return Ok(false) };
    query!(
        "UPDATE tariffs t SET effective_to = least(t.ended_at, (SELECT min(n.effective_from) FROM tariffs n
           WHERE n.plan_id = $1 AND coalesce(n.mcc, '') = coalesce($2, '') AND coalesce(n.mnc, '') = coalesce($3, '')
             AND coalesce(n.traffic_class, '') = coalesce($4, '') AND n.effective_from > $5))
         WHERE plan_id = $1 AND coalesce(mcc, '') = coalesce($2, '') AND coalesce(mnc, '') = coalesce($3, '')
           AND coalesce(traffic_class, '') = coalesce($4, '') AND effective_to = $5",
        gone.plan_id,
        gone.mcc,
        gone.mnc,
        gone.traffic_class,
        gone.effective_from,
    )
    .execute(tx)
    .await?;
    Ok(true)
}
