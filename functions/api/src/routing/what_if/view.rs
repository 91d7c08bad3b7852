//! What a replay found, as it is kept and shown.

use std::collections::BTreeMap;

use domain::what_if::{Pair, Report, Side};
use domain::{Catalogue, Currency, money};
use serde::Serialize;

/// What differs.
#[derive(Serialize)]
pub(super) struct Difference {
    messages: u64,
    moved: u64,
    #[serde(flatten)]
    total: Sides,
    networks: Vec<OfNetwork>,
    operators: Vec<OfOperator>,
}

#[derive(Serialize)]
struct Sides {
    before: Sums,
    after: Sums,
}

#[derive(Serialize)]
struct OfNetwork {
    mcc_mnc: String,
    #[serde(flatten)]
    sides: Sides,
}

#[derive(Serialize)]
struct OfOperator {
    operator_id: String,
    operator: String,
    #[serde(flatten)]
    sides: Sides,
}

/// Money is by currency, in decimal strings.
#[derive(Serialize)]
struct Sums {
    messages: u64,
    segments: u64,
    revenue: BTreeMap<String, String>,
    cost: BTreeMap<String, String>,
    margin: BTreeMap<String, String>,
    /// By the code that they would end with.
    unrouted: BTreeMap<&'static str, u64>,
}

pub(super) fn show(report: &Report, catalogue: &Catalogue) -> Difference {
    let name = |id| catalogue.operators.iter().find(|operator| operator.id == id);
    let network =
        |(network, pair): (&domain::Network, &Pair)| OfNetwork { mcc_mnc: network.to_string(), sides: sides(pair) };
    let operator = |(id, pair): (&domain::OperatorId, &Pair)| OfOperator {
        operator_id: id.to_string(),
        operator: name(*id).map(|operator| operator.name.to_string()).unwrap_or_default(),
        sides: sides(pair),
    };
    Difference {
        messages: report.messages,
        moved: report.moved,
        total: sides(&report.total),
        networks: report.networks.iter().map(network).collect(),
        operators: report.operators.iter().map(operator).collect(),
    }
}

fn sides(pair: &Pair) -> Sides {
    Sides { before: sums(&pair.before), after: sums(&pair.after) }
}

fn sums(side: &Side) -> Sums {
    let decimal = |sums: &BTreeMap<Currency, i128>| {
        sums.iter().map(|(currency, sum)| (currency.to_string(), money::decimal(*sum))).collect()
    };
    Sums {
        messages: side.messages,
        segments: side.segments,
        revenue: decimal(&side.revenue),
        cost: decimal(&side.cost),
        margin: decimal(&side.margin()),
        unrouted: side.unrouted.clone(),
    }
}
