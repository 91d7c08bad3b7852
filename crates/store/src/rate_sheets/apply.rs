//! Publishing what a sheet says, and taking it back before it is in force. Set-wise: a sheet has thousands of rows.

use chrono::{DateTime, Utc};
use domain::rate_sheet::Held;
use domain::tariff::ChargeOn;
use domain::{Micros, Network, OperatorId, RateId, SheetId, TrafficClass};
use serde_json::{Value, json};
use sqlx::{PgConnection, query};

use crate::Error;
use crate::page::parse;

/// A rate that a sheet publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// The row of the sheet.
    pub row: Option<u32>,
    /// What holds then.
    pub rate: Held,
}

/// A rate that a sheet ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Close {
    /// Which.
    pub rate: RateId,
    /// When.
    pub at: DateTime<Utc>,
}

/// Why a sheet cannot be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotUndone {
    /// Something of it is in force already.
    InForce,
    /// Rates that it touched were changed since.
    ChangedSince,
}

/// The rates of an operator that hold at a moment or later; they can be locked by [`super::lock`].
pub async fn held(tx: &mut PgConnection, operator: OperatorId, at: DateTime<Utc>) -> Result<Vec<Held>, Error> {
    let rows = query!(
        r#"SELECT id, mcc, mnc, traffic_class, price_micros, currency AS "currency!", effective_from, effective_to
           FROM operator_rates WHERE operator_id = $1 AND (effective_to IS NULL OR effective_to > $2)"#,
        operator.uuid(),
        at,
    )
    .fetch_all(tx)
    .await?;
    let held = rows.into_iter().map(|row| {
        let network = Network::parse(&row.mcc, row.mnc.as_deref());
        Ok(Held {
            id: RateId::from_uuid(row.id),
            network: network.map_err(|error| Error::Corrupt(error.to_string()))?,
            traffic_class: row.traffic_class.map(|name| parse(&name, "traffic_class")).transpose()?,
            price: Micros::new(row.price_micros),
            currency: parse(&row.currency, "currency")?,
            from: row.effective_from,
            to: row.effective_to,
        })
    });
    held.collect()
}

/// Ends rates at their moments, and notes their ends before. One that would not have begun by then is taken away.
pub async fn close(tx: &mut PgConnection, sheet: SheetId, ends: &[Close]) -> Result<(), Error> {
    let rows: Vec<Value> = ends.iter().map(|end| json!({"id": end.rate.uuid(), "at": end.at})).collect();
    let rows = Value::Array(rows);
    query!(
        "WITH gone AS (
           DELETE FROM operator_rates r USING jsonb_to_recordset($2) AS c(id uuid, at timestamptz)
           WHERE r.id = c.id AND r.effective_from = c.at RETURNING r.*)
         INSERT INTO rate_sheet_withdrawn (sheet_id, rate_id, rate) SELECT $1, g.id, to_jsonb(g) FROM gone g",
        sheet.uuid(),
        rows,
    )
    .execute(&mut *tx)
    .await?;
    query!(
        "WITH close AS (
           SELECT r.id, r.effective_to AS was, r.ended_at, min(c.at) AS at
           FROM jsonb_to_recordset($2) AS c(id uuid, at timestamptz) JOIN operator_rates r ON r.id = c.id
           WHERE r.effective_from < c.at AND (r.effective_to IS NULL OR r.effective_to > c.at)
           GROUP BY r.id, r.effective_to, r.ended_at),
         noted AS (
           INSERT INTO rate_sheet_ends (sheet_id, rate_id, is_new, was_to, was_ended, is_to)
           SELECT $1, id, false, was, ended_at, at FROM close)
         UPDATE operator_rates r SET effective_to = close.at, ended_at = close.at FROM close WHERE r.id = close.id",
        sheet.uuid(),
        rows,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Publishes rates as [`crate::rates::publish`] does, all at once: each closes the one that holds at its moment, and ends
/// where a later one begins. When it is taken is as for the rate before it, or `charge_on` where there was none. The constraint `operator_rates_do_not_overlap` refuses a second rate of the same moment.
pub async fn publish(
    tx: &mut PgConnection,
    sheet: SheetId,
    operator: OperatorId,
    (rates, charge_on): (&[Publish], ChargeOn),
) -> Result<(), Error> {
    let rows = Value::Array(rates.iter().map(as_json).collect());
    query!(
        r#"WITH new AS (
             SELECT * FROM jsonb_to_recordset($2) AS n(mcc text, mnc text, class text, "from" timestamptz)),
           cut AS (
             SELECT r.id, r.effective_to AS was, r.ended_at, min(n."from") AS at
             FROM new n JOIN operator_rates r
               ON r.operator_id = $3 AND r.mcc = n.mcc AND coalesce(r.mnc, '') = coalesce(n.mnc, '')
               AND coalesce(r.traffic_class, '') = coalesce(n.class, '')
               AND r.effective_from < n."from" AND (r.effective_to IS NULL OR r.effective_to > n."from")
             GROUP BY r.id, r.effective_to, r.ended_at),
           noted AS (
             INSERT INTO rate_sheet_ends (sheet_id, rate_id, is_new, was_to, was_ended, is_to)
             SELECT $1, id, false, was, ended_at, at FROM cut
             ON CONFLICT (sheet_id, rate_id) DO UPDATE SET is_to = excluded.is_to)
           UPDATE operator_rates r SET effective_to = cut.at FROM cut WHERE r.id = cut.id"#,
        sheet.uuid(),
        rows,
        operator.uuid(),
    )
    .execute(&mut *tx)
    .await?;
    query!(
        r#"WITH new AS (
             SELECT n.*, lead(n."from") OVER (PARTITION BY n.mcc, coalesce(n.mnc, ''), coalesce(n.class, '') ORDER BY n."from") AS next
             FROM jsonb_to_recordset($2) AS n(id uuid, mcc text, mnc text, class text, price_micros bigint, currency text,
               "from" timestamptz, "to" timestamptz, "row" integer)),
           made AS (
             INSERT INTO operator_rates (id, operator_id, mcc, mnc, traffic_class, price_micros, currency, charge_on,
               effective_from, effective_to, ended_at, sheet_id, sheet_row)
             SELECT n.id, $3, n.mcc, n.mnc, n.class, n.price_micros, n.currency,
               coalesce((SELECT r.charge_on FROM operator_rates r
                 WHERE r.operator_id = $3 AND r.mcc = n.mcc AND coalesce(r.mnc, '') = coalesce(n.mnc, '')
                   AND coalesce(r.traffic_class, '') = coalesce(n.class, '') AND r.effective_from < n."from"
                 ORDER BY r.effective_from DESC LIMIT 1), $4), n."from",
               least(n."to", n.next, (SELECT min(r.effective_from) FROM operator_rates r
                 WHERE r.operator_id = $3 AND r.mcc = n.mcc AND coalesce(r.mnc, '') = coalesce(n.mnc, '')
                   AND coalesce(r.traffic_class, '') = coalesce(n.class, '') AND r.effective_from > n."from")), n."to",
               $1, n."row"
             FROM new n
             RETURNING id, effective_to)
           INSERT INTO rate_sheet_ends (sheet_id, rate_id, is_new, is_to) SELECT $1, id, true, effective_to FROM made"#,
        sheet.uuid(),
        rows,
        operator.uuid(),
        charge_on.name(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

fn as_json(Publish { row, rate }: &Publish) -> Value {
    json!({
        "id": rate.id.uuid(),
        "mcc": rate.network.mcc.to_string(),
        "mnc": rate.network.mnc.map(|mnc| mnc.to_string()),
        "class": rate.traffic_class.as_ref().map(TrafficClass::as_str),
        "price_micros": rate.price.get(),
        "currency": rate.currency,
        "from": rate.from,
        "to": rate.to,
        "row": row,
    })
}

/// Takes back what a sheet did: its rates go, and what it ended holds on as before. Nothing is done where something of it is
/// in force at `now`, or where rates that it touched were changed since, or one was published since that ends where one of its
/// own begins, or holds where one is to come back. A rate that ended there before the sheet came ends there still.
pub async fn undo(tx: &mut PgConnection, sheet: SheetId, now: DateTime<Utc>) -> Result<Result<(), NotUndone>, Error> {
    let state = query!(
        r#"SELECT
             coalesce(bool_or(CASE WHEN e.is_new THEN r.effective_from ELSE e.is_to END <= $2), false)
               OR EXISTS (SELECT FROM rate_sheet_withdrawn w
                 WHERE w.sheet_id = $1 AND (w.rate ->> 'effective_from')::timestamptz <= $2) AS "in_force!",
             coalesce(bool_or(r.id IS NULL OR r.effective_to IS DISTINCT FROM e.is_to), false)
               OR EXISTS (
                 SELECT FROM rate_sheet_withdrawn w, jsonb_populate_record(NULL::operator_rates, w.rate) AS b
                   JOIN operator_rates o ON o.operator_id = b.operator_id AND o.mcc = b.mcc
                     AND coalesce(o.mnc, '') = coalesce(b.mnc, '')
                     AND coalesce(o.traffic_class, '') = coalesce(b.traffic_class, '')
                     AND tstzrange(o.effective_from, o.effective_to) && tstzrange(b.effective_from, b.effective_to)
                 WHERE w.sheet_id = $1 AND o.sheet_id IS DISTINCT FROM $1) AS "changed!",
             coalesce(bool_or(e.is_new AND EXISTS (
               SELECT FROM operator_rates before
               WHERE before.operator_id = r.operator_id AND before.mcc = r.mcc
                 AND coalesce(before.mnc, '') = coalesce(r.mnc, '')
                 AND coalesce(before.traffic_class, '') = coalesce(r.traffic_class, '') AND before.effective_to = r.effective_from
                 AND before.id > r.id
                 AND NOT EXISTS (SELECT FROM rate_sheet_ends o WHERE o.sheet_id = $1 AND o.rate_id = before.id))),
               false) AS "joined!"
           FROM rate_sheet_ends e LEFT JOIN operator_rates r ON r.id = e.rate_id WHERE e.sheet_id = $1"#,
        sheet.uuid(),
        now,
    )
    .fetch_one(&mut *tx)
    .await?;
    if state.in_force {
        return Ok(Err(NotUndone::InForce));
    }
    if state.changed || state.joined {
        return Ok(Err(NotUndone::ChangedSince));
    }
    query!("DELETE FROM operator_rates WHERE sheet_id = $1", sheet.uuid()).execute(&mut *tx).await?;
    query!(
        "UPDATE operator_rates r SET effective_to = e.was_to, ended_at = e.was_ended FROM rate_sheet_ends e
         WHERE e.sheet_id = $1 AND NOT e.is_new AND r.id = e.rate_id",
        sheet.uuid(),
    )
    .execute(&mut *tx)
    .await?;
    query!(
        "INSERT INTO operator_rates SELECT b.* FROM rate_sheet_withdrawn w,
           jsonb_populate_record(NULL::operator_rates, w.rate) AS b WHERE w.sheet_id = $1",
        sheet.uuid(),
    )
    .execute(tx)
    .await?;
    Ok(Ok(()))
}
