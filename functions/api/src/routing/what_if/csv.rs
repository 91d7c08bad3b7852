//! What a replay found, as a file: a row for each side and currency of the whole, of each network and of each operator.

use std::collections::BTreeSet;

use axum::response::Response;
use serde_json::Value;

use crate::csv::{self, Cell};

const HEADINGS: [&str; 10] =
    ["of", "name", "side", "messages", "segments", "unrouted", "currency", "revenue", "cost", "margin"];

/// The file of the replay `id`.
pub(super) fn answer(id: &str, result: &Value) -> Response {
    csv::answer(&format!("{id}-difference"), &HEADINGS, &rows(result))
}

fn rows(result: &Value) -> Vec<Vec<Cell>> {
    let mut rows = of("all", "", result);
    for one in list(result, "networks") {
        rows.extend(of("network", text(one, "mcc_mnc"), one));
    }
    for one in list(result, "operators") {
        rows.extend(of("operator", text(one, "operator"), one));
    }
    rows
}

/// Both sides of one of them.
fn of(kind: &str, name: &str, pair: &Value) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    for side in ["before", "after"] {
        let sums = &pair[side];
        let codes = sums["unrouted"].as_object().into_iter().flat_map(|codes| codes.values());
        let unrouted: u64 = codes.filter_map(Value::as_u64).sum();
        for currency in currencies(sums) {
            let amount = |of: &str| Cell::plain(sums[of][currency].as_str());
            rows.push(vec![
                Cell::plain(Some(kind)),
                Cell::text(Some(name)),
                Cell::plain(Some(side)),
                Cell::plain(sums["messages"].as_u64()),
                Cell::plain(sums["segments"].as_u64()),
                Cell::plain(Some(unrouted)),
                Cell::plain(Some(currency)),
                amount("revenue"),
                amount("cost"),
                amount("margin"),
            ]);
        }
    }
    rows
}

/// The currencies of a side; one without a name where it has no money.
fn currencies(sums: &Value) -> BTreeSet<&str> {
    let of = |kind: &str| sums[kind].as_object().into_iter().flat_map(|by| by.keys().map(String::as_str));
    let all: BTreeSet<&str> = of("revenue").chain(of("cost")).collect();
    if all.is_empty() { BTreeSet::from([""]) } else { all }
}

fn list<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value[member].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}
