//! Buy rates: what operators charge the house. Dated, never edited. They are the house's; no tenant sees them.

use chrono::{DateTime, Utc};
use domain::{Currency, Micros, Network, OperatorId, RateId, tariff::Rate};
use sqlx::{PgConnection, query};

use crate::page::{Page, parse};
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
    /// For one segment.
    pub price: Micros,
    /// The currency of the price.
    pub currency: Currency,
    /// From when it holds, inclusive.
    pub from: DateTime<Utc>,
}

/// Publishes a rate: closes the one that holds at its moment, and ends where a later one begins. The constraint
/// `operator_rates_do_not_overlap` refuses a second rate of the same moment. `false`: no such operator.
pub async fn publish(tx: &mut PgConnection, new: &NewRate) -> Result<bool, Error> {
    let mcc = new.network.mcc.to_string();
    let mnc = new.network.mnc.map(|mnc| mnc.to_string());
    query!(
        "UPDATE operator_rates SET effective_to = $4
         WHERE operator_id = $1 AND mcc = $2 AND mnc IS NOT DISTINCT FROM $3
           AND effective_from < $4 AND (effective_to IS NULL OR effective_to > $4)",
        new.operator.uuid(),
        mcc,
        mnc,
        new.from,
    )
    .execute(&mut *tx)
    .await?;
    let made = query!(
        "INSERT INTO operator_rates (id, operator_id, mcc, mnc, price_micros, currency, effective_from, effective_to)
         SELECT $1, o.id, $3, $4, $5, $6, $7,
           (SELECT min(r.effective_from) FROM operator_rates r
            WHERE r.operator_id = $2 AND r.mcc = $3 AND r.mnc IS NOT DISTINCT FROM $4 AND r.effective_from > $7)
         FROM operators o WHERE o.id = $2 AND o.deleted_at IS NULL",
        new.id.uuid(),
        new.operator.uuid(),
        mcc,
        mnc,
        new.price.get(),
        new.currency.code(),
        new.from,
    )
    .execute(tx)
    .await?;
    Ok(made.rows_affected() == 1)
}

/// The rates, newest first; of one operator where one is named.
pub async fn list(db: &Db, operator: Option<OperatorId>, page: Page) -> Result<Vec<(Network, Rate)>, Error> {
    let rows = query!(
        r#"SELECT id, operator_id, mcc, mnc, price_micros, currency AS "currency!", effective_from, effective_to
           FROM operator_rates WHERE ($1::uuid IS NULL OR operator_id = $1) AND id < $2 ORDER BY id DESC LIMIT $3"#,
        operator.map(OperatorId::uuid),
        page.end(),
        page.limit(),
    )
    .fetch_all(&db.pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let network = Network::parse(&row.mcc, row.mnc.as_deref());
            let rate = Rate {
                id: RateId::from_uuid(row.id),
                operator: OperatorId::from_uuid(row.operator_id),
                price: Micros::new(row.price_micros),
                currency: parse(&row.currency, "currency")?,
                from: row.effective_from,
                to: row.effective_to,
            };
            Ok((network.map_err(|error| Error::Corrupt(error.to_string()))?, rate))
        })
        .collect()
}
