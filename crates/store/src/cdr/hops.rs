//! What each operator of a message was owed, from the records of a message that several had.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;
use sqlx::{PgConnection, query};
use uuid::Uuid;

use super::Cdr;
use crate::Error;

/// A hop of a message: one operator that had it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Hop {
    /// From 0.
    pub hop: i16,
    /// Who had it.
    pub operator_id: Uuid,
    /// At which rate.
    pub rate_id: Option<Uuid>,
    /// Segments that it took.
    pub accepted_segments: i16,
    /// What one of them costs.
    pub unit_cost_micros: Option<i64>,
    /// Of the rate.
    pub cost_currency: Option<String>,
    /// By which exchange rate one of them comes to `unit_exchanged_micros` in the currency of the price.
    #[serde(default)]
    pub exchange_rate_id: Option<Uuid>,
    /// In the currency of the price, without the spread.
    #[serde(default)]
    pub unit_exchanged_micros: Option<i64>,
    /// What the exchange of one of them costs.
    #[serde(default)]
    pub unit_spread_micros: Option<i64>,
    /// How its parts stand, apart by commas.
    pub state: Option<String>,
    /// What the record adds to what the operator is owed.
    #[serde(skip)]
    pub cost_micros: i64,
}

/// Where else a hop that was left is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HopEntry {
    /// Why that operator.
    pub decision_id: Option<Uuid>,
    /// The journal entry that booked what it is owed.
    pub supplier_entry_id: Option<Uuid>,
}

/// The hops of a record before its last, and what the record adds to what the operator of the last one is owed.
///
/// # Errors
/// When hops were stored that cannot be read.
pub fn hops(cdr: &Cdr) -> Result<(Vec<Hop>, i64), Error> {
    let mut hops = read(cdr.hops.as_ref())?;
    let before = read(cdr.hops_before.as_ref())?;
    // The record has one sum for all its hops in the currency of the last.
    let in_sum = |hops: &[Hop]| -> i64 {
        hops.iter().filter(|hop| hop.cost_currency == cdr.cost_currency).map(|hop| hop.cost_micros).sum()
    };
    let last = (cdr.cost_micros - in_sum(&hops)) - (cdr.cost_before_micros - in_sum(&before));
    for hop in &mut hops {
        hop.cost_micros -= before.iter().find(|one| one.hop == hop.hop).map_or(0, |one| one.cost_micros);
    }
    Ok((hops, last))
}

fn read(stored: Option<&Value>) -> Result<Vec<Hop>, Error> {
    let mut hops: Vec<Hop> = stored.map(Vec::deserialize).transpose()?.unwrap_or_default();
    for hop in &mut hops {
        hop.cost_micros = hop.unit_cost_micros.unwrap_or(0) * i64::from(hop.accepted_segments);
    }
    Ok(hops)
}

/// Decisions and journal entries of the hops before the last, by message and hop.
pub(super) async fn entries(tx: &mut PgConnection, cdrs: &[Cdr]) -> Result<HashMap<(Uuid, i16), HopEntry>, Error> {
    let ids: Vec<Uuid> = cdrs.iter().filter(|cdr| cdr.hop > 0).map(|cdr| cdr.message_id).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows =
        query!("SELECT message_id, hop, decision_id, entry_id FROM message_hops WHERE message_id = ANY ($1)", &ids)
            .fetch_all(tx)
            .await?;
    let entry = |decision_id, supplier_entry_id| HopEntry { decision_id, supplier_entry_id };
    Ok(rows.into_iter().map(|row| ((row.message_id, row.hop), entry(row.decision_id, row.entry_id))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A record that says so much of cost in `UZS`, behind one that said `cost_before_micros`.
    fn cdr(cost_micros: i64, cost_before_micros: i64) -> Cdr {
        let id = Uuid::nil();
        Cdr {
            message_id: id,
            correction: 0,
            account_id: id,
            recipient: 998_901_234_567,
            sender: String::new(),
            mcc_mnc: "43404".into(),
            encoding: "gsm7".into(),
            segments: 1,
            accepted_segments: 1,
            added_segments: 1,
            outcome: "billable".into(),
            outcome_before: None,
            state: "delivered".into(),
            code: None,
            operator_id: None,
            hop: 0,
            chain_id: id,
            rate_id: None,
            decision_id: None,
            rule_id: None,
            rule_version: None,
            price_micros: 0,
            currency: "UZS".into(),
            cost_micros,
            cost_before_micros,
            cost_currency: Some("UZS".into()),
            exchange_rate_id: None,
            converted_micros: None,
            hops: None,
            hops_before: None,
            capture_entry_id: None,
            submit_entry_id: None,
            final_entry_id: None,
            supplier_entry_id: None,
            client_reference: None,
            receipt_id: None,
            traffic_class: None,
            template: None,
            accepted_at: chrono::DateTime::UNIX_EPOCH,
            ended_at: chrono::DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_record_adds_what_the_one_before_did_not_say() {
        let hop = |hop: i16, accepted: i16, currency: &str| {
            json!({"hop": hop, "operator_id": Uuid::nil(), "rate_id": null, "accepted_segments": accepted,
                "unit_cost_micros": 10, "cost_currency": currency, "state": "sent"})
        };
        let two = json!([hop(0, 2, "UZS"), hop(1, 1, "EUR")]);
        // Hops, cost of the record and the one before, what each hop and the last add.
        let rows = [
            (None, None, (40, 0), vec![], 40),
            (None, None, (40, 40), vec![], 0),
            (Some(two.clone()), None, (50, 0), vec![20, 10], 30),
            (Some(two.clone()), Some(two.clone()), (50, 20), vec![0, 0], 30),
            (Some(two.clone()), Some(two), (50, 50), vec![0, 0], 0),
        ];
        for (now, before, (cost, cost_before), expected, last) in rows {
            let cdr = Cdr { hops: now, hops_before: before, ..cdr(cost, cost_before) };
            let (hops, left) = hops(&cdr).unwrap();
            assert_eq!((hops.iter().map(|hop| hop.cost_micros).collect::<Vec<_>>(), left), (expected, last));
        }
    }
}
