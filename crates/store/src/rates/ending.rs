//! Rates that end on purpose, and rates of later that are taken back.

use chrono::{DateTime, Utc};
use domain::tariff::Rate;
use domain::{Network, RateId};
use sqlx::{PgConnection, query, query_as};

use super::Row;
use crate::Error;

/// A rate; no rate of its operator changes until the transaction ends.
///
/// # Errors
/// When the database fails.
pub async fn get_for_update(tx: &mut PgConnection, id: RateId) -> Result<Option<(Network, Rate)>, Error> {
    query!(
        "SELECT o.id FROM operators o JOIN operator_rates r ON r.operator_id = o.id WHERE r.id = $1
         FOR NO KEY UPDATE OF o",
        id.uuid(),
    )
    .fetch_optional(&mut *tx)
    .await?;
    let row = query_as!(
        Row,
        r#"SELECT id, operator_id, mcc, mnc, traffic_class, price_micros, currency AS "currency!", charge_on, effective_from,
             effective_to
           FROM operator_rates WHERE id = $1"#,
        id.uuid(),
    );
    row.fetch_optional(tx).await?.map(Row::rate).transpose()
}

/// Ends a rate at `at`, on purpose: from then on its operator has no such rate until one is published. `false`: it does
/// not hold right before `at` and beyond it.
///
/// # Errors
/// When the database fails.
pub async fn end(tx: &mut PgConnection, id: RateId, at: DateTime<Utc>) -> Result<bool, Error> {
    let ended = query!(
        "UPDATE operator_rates SET effective_to = $2, ended_at = $2
         WHERE id = $1 AND effective_from < $2 AND (effective_to IS NULL OR effective_to > $2)",
        id.uuid(),
        at,
    )
    .execute(tx)
    .await?;
    Ok(ended.rows_affected() == 1)
}

/// Takes back a rate that begins after `now`: the one that it would have closed goes on as if it had never been published,
/// up to where that was ended on purpose or the next one begins. `false`: it has begun, so that messages may have been
/// bought at it.
///
/// # Errors
/// When the database fails.
pub async fn withdraw(tx: &mut PgConnection, id: RateId, now: DateTime<Utc>) -> Result<bool, Error> {
    let gone = query!(
        "DELETE FROM operator_rates WHERE id = $1 AND effective_from > $2
         RETURNING operator_id, mcc, mnc, traffic_class, effective_from",
        id.uuid(),
        now,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(gone) = gone else { return Ok(false) };
    query!(
        "UPDATE operator_rates r SET effective_to = least(r.ended_at, (SELECT min(n.effective_from) FROM operator_rates n
           WHERE n.operator_id = $1 AND n.mcc = $2 AND coalesce(n.mnc, '') = coalesce($3, '')
             AND coalesce(n.traffic_class, '') = coalesce($4, '') AND n.effective_from > $5))
         WHERE operator_id = $1 AND mcc = $2 AND coalesce(mnc, '') = coalesce($3, '')
           AND coalesce(traffic_class, '') = coalesce($4, '') AND effective_to = $5",
        gone.operator_id,
        gone.mcc,
        gone.mnc,
        gone.traffic_class,
        gone.effective_from,
    )
    .execute(tx)
    .await?;
    Ok(true)
}
