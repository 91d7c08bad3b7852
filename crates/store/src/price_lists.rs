//! Price lists as a whole: what a plan costs from a moment on, and many prices published at once.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::{AccountId, Currency, Micros, Network, PlanId, TariffId, TrafficClass};
use serde_json::{Value, json};
use sqlx::{PgConnection, query};

use crate::page::{charge_on, on_unconfirmed, parse};
use crate::tariffs::{NewTariff, Tariff};
use crate::{Db, Error};

/// Prices of one list at most.
pub const PRICES_MAX: i64 = 100_000;

/// A price list as its reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceList {
    /// Which.
    pub plan: PlanId,
    /// Who sells by it.
    pub owner: AccountId,
    /// For people.
    pub name: String,
    /// The currency of its prices.
    pub currency: Currency,
    /// Prices that hold at the moment or later, by network and time.
    pub prices: Vec<Tariff>,
}

/// A list of the tenant's own, or the one that the tenant itself pays (`None`), as it holds from `at` on; the house reads all.
/// `None`: there is no such list, or it is not visible.
pub async fn read(
    db: &Db,
    tenant: AccountId,
    plan: Option<PlanId>,
    at: DateTime<Utc>,
) -> Result<Option<PriceList>, Error> {
    let head = query!(
        r#"SELECT p.id, p.owner_account_id, p.name, p.currency AS "currency!"
           FROM tariff_plans p JOIN accounts t ON t.id = $1
           WHERE p.id = coalesce($2, t.plan_id)
               AND (p.owner_account_id = t.id OR p.id = t.plan_id OR t.parent_id IS NULL)"#,
        tenant.uuid(),
        plan.map(PlanId::uuid),
    )
    .fetch_optional(&db.pool)
    .await?;
    let Some(head) = head else { return Ok(None) };
    let rows = query!(
        "SELECT id, mcc, mnc, traffic_class, price_micros, charge_on, on_unconfirmed, effective_from, effective_to FROM tariffs
         WHERE plan_id = $1 AND (effective_to IS NULL OR effective_to > $2)
         ORDER BY mcc NULLS FIRST, mnc NULLS FIRST, traffic_class NULLS FIRST, effective_from LIMIT $3",
        head.id,
        at,
        PRICES_MAX,
    )
    .fetch_all(&db.pool)
    .await?;
    let (plan, currency) = (PlanId::from_uuid(head.id), parse(&head.currency, "currency")?);
    let prices = rows.into_iter().map(|row| {
        let network = row.mcc.as_deref().map(|mcc| Network::parse(mcc, row.mnc.as_deref())).transpose();
        Ok(Tariff {
            id: TariffId::from_uuid(row.id),
            plan,
            network: network.map_err(|error| Error::Corrupt(error.to_string()))?,
            traffic_class: row.traffic_class.map(|name| parse(&name, "traffic_class")).transpose()?,
            price: Micros::new(row.price_micros),
            currency,
            charge_on: charge_on(&row.charge_on)?,
            on_unconfirmed: on_unconfirmed(&row.on_unconfirmed)?,
            from: row.effective_from,
            to: row.effective_to,
        })
    });
    let prices = prices.collect::<Result<_, Error>>()?;
    let owner = AccountId::from_uuid(head.owner_account_id);
    Ok(Some(PriceList { plan, owner, name: head.name, currency, prices }))
}

/// What networks are called, as far as prefixes say it.
pub async fn names(db: &Db) -> Result<HashMap<Network, String>, Error> {
    let rows = query!(
        "SELECT DISTINCT ON (mcc, mnc) mcc, mnc, operator_name FROM mcc_mnc_prefixes WHERE operator_name <> ''
         ORDER BY mcc, mnc, prefix"
    )
    .fetch_all(&db.pool)
    .await?;
    let name = |mcc: &str, mnc: Option<&str>| Network::parse(mcc, mnc).map_err(|e| Error::Corrupt(e.to_string()));
    rows.into_iter().map(|row| Ok((name(&row.mcc, row.mnc.as_deref())?, row.operator_name))).collect()
}

/// Publishes prices of one plan as [`crate::tariffs::publish`] does, all at once: each closes the one that holds at its
/// moment, and ends where a later one begins. The constraint `tariffs_do_not_overlap` refuses a second price of the same
/// moment. `false`: the plan is not the tenant's, nor is it the house.
pub async fn publish(
    tx: &mut PgConnection,
    tenant: AccountId,
    plan: PlanId,
    prices: &[NewTariff],
) -> Result<bool, Error> {
    if crate::tariffs::plan_owner(tx, tenant, plan).await?.is_none() {
        return Ok(false);
    }
    let rows = Value::Array(prices.iter().map(as_json).collect());
    query!(
        r#"WITH cut AS (
             SELECT t.id, min(n."from") AS at
             FROM jsonb_to_recordset($2) AS n(mcc text, mnc text, class text, "from" timestamptz)
             JOIN tariffs t ON t.plan_id = $1 AND coalesce(t.mcc, '') = coalesce(n.mcc, '')
               AND coalesce(t.mnc, '') = coalesce(n.mnc, '') AND coalesce(t.traffic_class, '') = coalesce(n.class, '')
               AND t.effective_from < n."from" AND (t.effective_to IS NULL OR t.effective_to > n."from")
             GROUP BY t.id)
           UPDATE tariffs t SET effective_to = cut.at FROM cut WHERE t.id = cut.id"#,
        plan.uuid(),
        rows,
    )
    .execute(&mut *tx)
    .await?;
    query!(
        r#"INSERT INTO tariffs (id, plan_id, mcc, mnc, traffic_class, price_micros, charge_on, on_unconfirmed,
             effective_from, effective_to)
           SELECT n.id, $1, n.mcc, n.mnc, n.class, n.price_micros, n.charge_on, n.on_unconfirmed, n."from",
             least(n.next, (SELECT min(t.effective_from) FROM tariffs t
               WHERE t.plan_id = $1 AND coalesce(t.mcc, '') = coalesce(n.mcc, '')
                 AND coalesce(t.mnc, '') = coalesce(n.mnc, '') AND coalesce(t.traffic_class, '') = coalesce(n.class, '')
                 AND t.effective_from > n."from"))
           FROM (SELECT r.*, lead(r."from") OVER (PARTITION BY coalesce(r.mcc, ''), coalesce(r.mnc, ''), coalesce(r.class, '')
                   ORDER BY r."from") AS next
                 FROM jsonb_to_recordset($2) AS r(id uuid, mcc text, mnc text, class text, price_micros bigint, charge_on text,
                   on_unconfirmed text, "from" timestamptz)) n"#,
        plan.uuid(),
        rows,
    )
    .execute(tx)
    .await?;
    Ok(true)
}

fn as_json(new: &NewTariff) -> Value {
    json!({
        "id": new.id.uuid(),
        "mcc": new.network.map(|network| network.mcc.to_string()),
        "mnc": new.network.and_then(|network| network.mnc).map(|mnc| mnc.to_string()),
        "class": new.traffic_class.as_ref().map(TrafficClass::as_str),
        "price_micros": new.price.get(),
        "charge_on": new.charge_on.name(),
        "on_unconfirmed": new.on_unconfirmed.name(),
        "from": new.from,
    })
}
