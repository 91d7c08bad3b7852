//! Buy rates: what operators charge the house. Dated, never edited. They are the house's; no tenant sees them.

mod ending;

pub use ending::{end, get_for_update, withdraw};

use chrono::{DateTime, Utc};
use domain::{Currency, Micros, Network, OperatorId, RateId, TrafficClass, tariff::ChargeOn, tariff::Rate};
use sqlx::{PgConnection, query, query_as};
use uuid::Uuid;

use crate::page::{Page, charge_on, parse};
use crate::{Db, Error};

/// A rate to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRate {
    /// Made by the caller.
    pub id: RateId,
    /// Who charges it.
    pub operator: OperatorId,
    /// For which network, or country.
    pub network: Network,
    /// For which class of traffic; `None`: for every class that has no rate of its own there.
    pub traffic_class: Option<TrafficClass>,
    /// For one segment.
    pub price: Micros,
    /// The currency of the price.
    pub currency: Currency,
    /// When the operator takes its money.
    pub charge_on: ChargeOn,
    /// From when it holds, inclusive.
    pub from: DateTime<Utc>,
}

/// Would a rate change what held more than five minutes ago? Messages were bought by it.
pub async fn changes_the_past(tx: &mut PgConnection, new: &NewRate) -> Result<bool, Error> {
    let found = query!(
        r#"SELECT $5 < now() - interval '5 minutes' AND EXISTS (SELECT FROM operator_rates
           WHERE operator_id = $1 AND mcc = $2 AND coalesce(mnc, '') = coalesce($3, '')
             AND coalesce(traffic_class, '') = coalesce($4, '')
             AND effective_from < $5 AND (effective_to IS NULL OR effective_to > $5)) AS "is!""#,
        new.operator.uuid(),
        new.network.mcc.to_string(),
        new.network.mnc.map(|mnc| mnc.to_string()),
        new.traffic_class.as_ref().map(TrafficClass::as_str),
        new.from,
    );
    Ok(found.fetch_one(tx).await?.is)
}

/// Publishes a rate: closes the one that holds at its moment, and ends where a later one begins. The constraint
/// `operator_rates_do_not_overlap` refuses a second rate of the same moment. `false`: no such operator.
pub async fn publish(tx: &mut PgConnection, new: &NewRate) -> Result<bool, Error> {
    // One after the other: two that close each other's row at the same time would wait for each other for ever.
    query!("SELECT id FROM operators WHERE id = $1 FOR NO KEY UPDATE", new.operator.uuid())
        .fetch_optional(&mut *tx)
        .await?;
    let mcc = new.network.mcc.to_string();
    let mnc = new.network.mnc.map(|mnc| mnc.to_string());
    let class = new.traffic_class.as_ref().map(TrafficClass::as_str);
    query!(
        "UPDATE operator_rates SET effective_to = $5
         WHERE operator_id = $1 AND mcc = $2 AND coalesce(mnc, '') = coalesce($3, '') AND coalesce(traffic_class, '') = coalesce($4, '')
           AND effective_from < $5 AND (effective_to IS NULL OR effective_to > $5)",
        new.operator.uuid(),
        mcc,
        mnc,
        class,
        new.from,
    )
    .execute(&mut *tx)
    .await?;
    let made = query!(
        "INSERT INTO operator_rates (id, operator_id, mcc, mnc, traffic_class, price_micros, currency, charge_on,
           effective_from, effective_to)
         SELECT $1, o.id, $3, $4, $5, $6, $7, $9, $8,
           (SELECT min(r.effective_from) FROM operator_rates r
            WHERE r.operator_id = $2 AND r.mcc = $3 AND coalesce(r.mnc, '') = coalesce($4, '')
              AND coalesce(r.traffic_class, '') = coalesce($5, '') AND r.effective_from > $8)
         FROM operators o WHERE o.id = $2 AND o.deleted_at IS NULL",
        new.id.uuid(),
        new.operator.uuid(),
        mcc,
        mnc,
        class,
        new.price.get(),
        new.currency.code(),
        new.from,
        new.charge_on.name(),
    )
    .execute(tx)
    .await?;
    Ok(made.rows_affected() == 1)
}

struct Row {
    id: Uuid,
    operator_id: Uuid,
    mcc: String,
    mnc: Option<String>,
    traffic_class: Option<String>,
    price_micros: i64,
    currency: String,
    charge_on: String,
    effective_from: DateTime<Utc>,
    effective_to: Option<DateTime<Utc>>,
}

impl Row {
    fn rate(self) -> Result<(Network, Rate), Error> {
        let network = Network::parse(&self.mcc, self.mnc.as_deref());
        let rate = Rate {
            id: RateId::from_uuid(self.id),
            operator: OperatorId::from_uuid(self.operator_id),
            class: self.traffic_class.map(|name| parse(&name, "traffic_class")).transpose()?,
            price: Micros::new(self.price_micros),
            currency: parse(&self.currency, "currency")?,
            charge_on: charge_on(&self.charge_on)?,
            from: self.effective_from,
            to: self.effective_to,
        };
        Ok((network.map_err(|error| Error::Corrupt(error.to_string()))?, rate))
    }
}

/// The rates, newest first; of one operator where one is named.
pub async fn list(db: &Db, operator: Option<OperatorId>, page: Page) -> Result<Vec<(Network, Rate)>, Error> {
    let rows = query_as!(
        Row,
        r#"SELECT id, operator_id, mcc, mnc, traffic_class, price_micros, currency AS "currency!", charge_on, effective_from,
             effective_to
           FROM operator_rates WHERE ($1::uuid IS NULL OR operator_id = $1) AND id < $2 ORDER BY id DESC LIMIT $3"#,
        operator.map(OperatorId::uuid),
        page.end(),
        page.limit(),
    )
    .fetch_all(&db.pool)
    .await?;
    rows.into_iter().map(Row::rate).collect()
}
