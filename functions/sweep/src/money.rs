//! Balances against their thresholds: of customers, who are told, and with suppliers, which wake the house. What sellers
//! earned is folded.

use chrono::{DateTime, Utc};
use domain::Micros;
use serde_json::json;
use store::audit::{self, Entry};
use store::ledger::{payout, supplier, thresholds};
use store::{Db, accounts};

/// Micros in one major unit.
const UNIT: i64 = 1_000_000;

/// One look; answers how many balances fell below a threshold since the last one.
pub(crate) async fn look(db: &Db, now: DateTime<Utc>) -> anyhow::Result<u64> {
    let told = customers(db, now).await?;
    let mut tx = db.begin().await?;
    payout::fold(&mut tx, now).await?;
    tx.commit().await?;
    Ok(told + suppliers(db, now).await?)
}

async fn customers(db: &Db, now: DateTime<Utc>) -> anyhow::Result<u64> {
    let mut tx = db.begin().await?;
    let told = u64::try_from(thresholds::cross(&mut tx, db, now).await?)?;
    tx.commit().await?;
    metrics::counter!("chappe_balance_low_total").increment(told);
    metrics::gauge!("chappe_balances_low").set(u32::try_from(thresholds::low(db).await?)?);
    Ok(told)
}

async fn suppliers(db: &Db, now: DateTime<Utc>) -> anyhow::Result<u64> {
    let mut tx = db.begin().await?;
    let (standings, fallen) = supplier::look(&mut tx, now).await?;
    if !fallen.is_empty()
        && let Some(house) = accounts::house(&mut tx).await?
    {
        for standing in &fallen {
            let detail = json!({"currency": standing.currency, "balance": standing.balance(),
                "alarm_below": standing.alarm_below});
            let (action, subject) = ("supplier.balance_low", standing.supplier.to_string());
            let actor = "system".to_owned();
            let entry = Entry { account: house, actor_account: house, actor, action, subject, detail };
            audit::record(&mut tx, &entry).await?;
        }
    }
    tx.commit().await?;
    for standing in &standings {
        let labels = [("operator", standing.supplier.to_string()), ("currency", standing.currency.to_string())];
        metrics::gauge!("chappe_supplier_balance", &labels).set(units(standing.balance()));
        metrics::gauge!("chappe_supplier_balance_low", &labels).set(u32::from(standing.is_low));
    }
    Ok(u64::try_from(fallen.len())?)
}

/// Whole units for a graph; the books are exact.
fn units(amount: Micros) -> i32 {
    let units = amount.get().div_euclid(UNIT);
    i32::try_from(units).unwrap_or(if units < 0 { i32::MIN } else { i32::MAX })
}
