//! Sell prices: plans and their dated tariffs. A price is never edited: a new one closes the one before it.

mod ending;

pub use ending::{end, get_for_update, withdraw};

use chrono::{DateTime, Utc};
use domain::{
    AccountId, Currency, Micros, Network, PlanId, TariffId, TrafficClass, tariff::ChargeOn, tariff::OnUnconfirmed,
};
use sqlx::{PgConnection, query, query_as};
use uuid::Uuid;

use crate::page::{Page, charge_on, on_unconfirmed, parse};
use crate::{Db, Error};

/// A price list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Its id.
    pub id: PlanId,
    /// Who sells by it.
    pub owner: AccountId,
    /// For people.
    pub name: String,
    /// The currency of its prices.
    pub currency: Currency,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// One dated price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tariff {
    /// Its id.
    pub id: TariffId,
    /// In which list.
    pub plan: PlanId,
    /// For which network, or country; `None`: wherever the plan has no other.
    pub network: Option<Network>,
    /// For which class of traffic; `None`: for every class that has no price of its own there.
    pub traffic_class: Option<TrafficClass>,
    /// For one segment.
    pub price: Micros,
    /// The currency of its plan.
    pub currency: Currency,
    /// When the money is taken.
    pub charge_on: ChargeOn,
    /// What becomes of a hold without a receipt.
    pub on_unconfirmed: OnUnconfirmed,
    /// From when it holds, inclusive.
    pub from: DateTime<Utc>,
    /// Until when, exclusive.
    pub to: Option<DateTime<Utc>>,
}

/// A price to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTariff {
    /// Made by the caller.
    pub id: TariffId,
    /// In which list.
    pub plan: PlanId,
    /// For which network, or country; `None`: wherever the plan has no other.
    pub network: Option<Network>,
    /// For which class of traffic; `None`: for every class that has no price of its own there.
    pub traffic_class: Option<TrafficClass>,
    /// For one segment.
    pub price: Micros,
    /// When the money is taken.
    pub charge_on: ChargeOn,
    /// What becomes of a hold without a receipt.
    pub on_unconfirmed: OnUnconfirmed,
    /// From when it holds, inclusive.
    pub from: DateTime<Utc>,
}

/// Makes a price list of `owner`, in its currency where no other is named: only the house sells in several. `false`: the
/// owner is not the tenant, which only the house may make lists for.
/// The constraint `tariff_plans_owner_account_id_name_key` refuses a name that is taken.
pub async fn create_plan(
    tx: &mut PgConnection,
    tenant: AccountId,
    id: PlanId,
    owner: AccountId,
    (name, currency): (&str, Option<Currency>),
) -> Result<bool, Error> {
    let made = query!(
        "INSERT INTO tariff_plans (id, owner_account_id, name, currency)
         SELECT $2, a.id, $4, coalesce($5, a.currency) FROM accounts a
         WHERE a.id = $3 AND (a.id = $1 OR EXISTS (SELECT FROM accounts h WHERE h.id = $1 AND h.parent_id IS NULL))",
        tenant.uuid(),
        id.uuid(),
        owner.uuid(),
        name,
        currency.as_ref().map(Currency::code),
    )
    .execute(tx)
    .await?;
    Ok(made.rows_affected() == 1)
}

/// The price lists of the tenant's subtree, newest first.
pub async fn list_plans(db: &Db, tenant: AccountId, page: Page) -> Result<Vec<Plan>, Error> {
    let rows = query!(
        r#"SELECT p.id, p.owner_account_id, p.name, p.currency AS "currency!", p.created_at
           FROM tariff_plans p JOIN accounts a ON a.id = p.owner_account_id
           WHERE a.path @> ARRAY[$1::uuid] AND p.id < $2 ORDER BY p.id DESC LIMIT $3"#,
        tenant.uuid(),
        page.end(),
        page.limit(),
    )
    .fetch_all(&db.pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Plan {
                id: PlanId::from_uuid(row.id),
                owner: AccountId::from_uuid(row.owner_account_id),
                name: row.name,
                currency: parse(&row.currency, "currency")?,
                created_at: row.created_at,
            })
        })
        .collect()
}

/// Who sells by this plan, where that is the tenant itself; the house sets the prices of all.
pub async fn plan_owner(tx: &mut PgConnection, tenant: AccountId, plan: PlanId) -> Result<Option<AccountId>, Error> {
    let row = query!(
        "SELECT p.owner_account_id FROM tariff_plans p JOIN accounts a ON a.id = p.owner_account_id
         WHERE p.id = $2 AND (a.id = $1 OR EXISTS (SELECT FROM accounts h WHERE h.id = $1 AND h.parent_id IS NULL))",
        tenant.uuid(),
        plan.uuid(),
    )
    .fetch_optional(tx)
    .await?;
    Ok(row.map(|row| AccountId::from_uuid(row.owner_account_id)))
}

/// Would a price change what held more than five minutes ago? Messages were priced by it, and lists exported.
pub async fn changes_the_past(tx: &mut PgConnection, new: &NewTariff) -> Result<bool, Error> {
    let mcc = new.network.map(|network| network.mcc.to_string());
    let mnc = new.network.and_then(|network| network.mnc).map(|mnc| mnc.to_string());
    let found = query!(
        r#"SELECT $5 < now() - interval '5 minutes' AND EXISTS (SELECT FROM tariffs
           WHERE plan_id = $1 AND coalesce(mcc, '') = coalesce($2, '') AND coalesce(mnc, '') = coalesce($3, '')
             AND coalesce(traffic_class, '') = coalesce($4, '')
             AND effective_from < $5 AND (effective_to IS NULL OR effective_to > $5)) AS "is!""#,
        new.plan.uuid(),
        mcc,
        mnc,
        new.traffic_class.as_ref().map(TrafficClass::as_str),
        new.from,
    );
    Ok(found.fetch_one(tx).await?.is)
}

/// Publishes a price: closes the one that holds at its moment, and ends where a later one begins. The
/// constraint `tariffs_do_not_overlap` refuses a second price of the same moment.
/// `false`: the plan is not the tenant's.
pub async fn publish(tx: &mut PgConnection, tenant: AccountId, new: &NewTariff) -> Result<bool, Error> {
    // One after the other: two that close each other's row at the same time would wait for each other for ever.
    query!("SELECT id FROM tariff_plans WHERE id = $1 FOR NO KEY UPDATE", new.plan.uuid())
        .fetch_optional(&mut *tx)
        .await?;
    if plan_owner(tx, tenant, new.plan).await?.is_none() {
        return Ok(false);
    }
    let mcc = new.network.map(|network| network.mcc.to_string());
    let mnc = new.network.and_then(|network| network.mnc).map(|mnc| mnc.to_string());
    let class = new.traffic_class.as_ref().map(TrafficClass::as_str);
    query!(
        "UPDATE tariffs SET effective_to = $5
         WHERE plan_id = $1 AND coalesce(mcc, '') = coalesce($2, '') AND coalesce(mnc, '') = coalesce($3, '')
           AND coalesce(traffic_class, '') = coalesce($4, '')
           AND effective_from < $5 AND (effective_to IS NULL OR effective_to > $5)",
        new.plan.uuid(),
        mcc,
        mnc,
        class,
        new.from,
    )
    .execute(&mut *tx)
    .await?;
    query!(
        "INSERT INTO tariffs (id, plan_id, mcc, mnc, traffic_class, price_micros, charge_on, on_unconfirmed, effective_from,
            effective_to)
         SELECT $1, $2, $3, $4, $5, $6, $7, $9, $8, min(t.effective_from) FROM tariffs t
         WHERE t.plan_id = $2 AND coalesce(t.mcc, '') = coalesce($3, '') AND coalesce(t.mnc, '') = coalesce($4, '')
           AND coalesce(t.traffic_class, '') = coalesce($5, '') AND t.effective_from > $8",
        new.id.uuid(),
        new.plan.uuid(),
        mcc,
        mnc,
        class,
        new.price.get(),
        new.charge_on.name(),
        new.from,
        new.on_unconfirmed.name(),
    )
    .execute(tx)
    .await?;
    Ok(true)
}

struct Row {
    id: Uuid,
    plan_id: Uuid,
    mcc: Option<String>,
    mnc: Option<String>,
    traffic_class: Option<String>,
    price_micros: i64,
    currency: String,
    charge_on: String,
    on_unconfirmed: String,
    effective_from: DateTime<Utc>,
    effective_to: Option<DateTime<Utc>>,
}

/// The prices of the tenant's own plans and of the plan that the tenant itself pays, newest first; of one plan where one is
/// named. What accounts below sell for is theirs; the house sees all.
pub async fn list(db: &Db, tenant: AccountId, plan: Option<PlanId>, page: Page) -> Result<Vec<Tariff>, Error> {
    let rows = query_as!(
        Row,
        r#"SELECT t.id, t.plan_id, t.mcc, t.mnc, t.traffic_class, t.price_micros, p.currency AS "currency!", t.charge_on,
             t.on_unconfirmed, t.effective_from, t.effective_to
           FROM tariffs t JOIN tariff_plans p ON p.id = t.plan_id JOIN accounts a ON a.id = $1
           WHERE (p.owner_account_id = a.id OR p.id = a.plan_id OR a.parent_id IS NULL)
             AND ($2::uuid IS NULL OR t.plan_id = $2) AND t.id < $3
           ORDER BY t.id DESC LIMIT $4"#,
        tenant.uuid(),
        plan.map(PlanId::uuid),
        page.end(),
        page.limit(),
    )
    .fetch_all(&db.pool)
    .await?;
    rows.into_iter().map(Row::tariff).collect()
}

impl Row {
    fn tariff(self) -> Result<Tariff, Error> {
        let network = self.mcc.map(|mcc| Network::parse(&mcc, self.mnc.as_deref())).transpose();
        Ok(Tariff {
            id: TariffId::from_uuid(self.id),
            plan: PlanId::from_uuid(self.plan_id),
            network: network.map_err(|error| Error::Corrupt(error.to_string()))?,
            traffic_class: self.traffic_class.map(|name| parse(&name, "traffic_class")).transpose()?,
            price: Micros::new(self.price_micros),
            currency: parse(&self.currency, "currency")?,
            charge_on: charge_on(&self.charge_on)?,
            on_unconfirmed: on_unconfirmed(&self.on_unconfirmed)?,
            from: self.effective_from,
            to: self.effective_to,
        })
    }
}
