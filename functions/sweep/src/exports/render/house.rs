//! Columns that the house alone sees: who carried a message, by which decision and rate, and what is owed for it.

use domain::{DecisionId, ExchangeRateId, Micros, OperatorId, RateId};
use serde_json::{Value, json};
use store::cdr::{Cdr, Hop, Page, hops};

use super::Row;

/// Their names. Costs by operator are the sum of `supplier_cost` of the record and of its `hops`;
/// `converted_cost` is that of all of them in the currency of the price, exchanges and all.
pub(super) const COLUMNS: &[&str] = &[
    "operator_id",
    "hop",
    "rate_id",
    "supplier_cost",
    "supplier_currency",
    "supplier_entry_id",
    "exchange_rate_id",
    "converted_cost",
    "decision_id",
    "rule_id",
    "rule_version",
    "hops",
];

/// Adds them to `row`.
pub(super) fn put(row: &mut Row, cdr: &Cdr, page: &Page) -> anyhow::Result<()> {
    let (before, last_cost) = hops(cdr)?;
    let mut put = |column: &str, value: Value| drop(row.insert(column.to_owned(), value));
    put("operator_id", json!(cdr.operator_id.map(OperatorId::from_uuid)));
    put("hop", json!(cdr.hop));
    put("rate_id", json!(cdr.rate_id.map(RateId::from_uuid)));
    put("supplier_cost", json!(Micros::new(last_cost).to_string()));
    put("supplier_currency", json!(cdr.cost_currency));
    put("supplier_entry_id", json!(cdr.supplier_entry_id));
    put("exchange_rate_id", json!(cdr.exchange_rate_id.map(ExchangeRateId::from_uuid)));
    put("converted_cost", json!(cdr.converted_micros.map(|cost| Micros::new(cost).to_string())));
    put("decision_id", json!(cdr.decision_id.map(DecisionId::from_uuid)));
    put("rule_id", json!(cdr.rule_id));
    put("rule_version", json!(cdr.rule_version));
    put("hops", Value::Array(before.iter().map(|one| hop(one, cdr, page)).collect()));
    Ok(())
}

/// An operator that had the message before the last one.
fn hop(hop: &Hop, cdr: &Cdr, page: &Page) -> Value {
    let entry = page.hop_entries.get(&(cdr.message_id, hop.hop)).copied().unwrap_or_default();
    json!({
        "hop": hop.hop,
        "operator_id": OperatorId::from_uuid(hop.operator_id),
        "rate_id": hop.rate_id.map(RateId::from_uuid),
        "accepted_segments": hop.accepted_segments,
        "state": hop.state,
        "unit_cost": hop.unit_cost_micros.map(|cost| Micros::new(cost).to_string()),
        "supplier_cost": Micros::new(hop.cost_micros).to_string(),
        "supplier_currency": hop.cost_currency,
        "supplier_entry_id": entry.supplier_entry_id,
        "exchange_rate_id": hop.exchange_rate_id.map(ExchangeRateId::from_uuid),
        "unit_exchanged": hop.unit_exchanged_micros.map(|cost| Micros::new(cost).to_string()),
        "unit_spread": hop.unit_spread_micros.map(|cost| Micros::new(cost).to_string()),
        "decision_id": entry.decision_id.map(DecisionId::from_uuid),
    })
}
