//! `chappe report`: what was sent, what came of it, what it cost and earned.

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::Value as Json;

use crate::cli::{Api, Common};
use crate::client::{Client, list, money, text};
use crate::output::{Mood, Output, Value, line, print_json};

const EXAMPLES: &str = "\
Messages count on the day (UTC) of their acceptance, as soon as they end, and so do their refunds: revenue, cost and margin
are those after refunds. The house sees what it is paid, what operators
cost and the margin; a reseller its own prices and margin; a client what it pays.

Examples:
  chappe report traffic --by day
  chappe report traffic --by operator,network --from 2026-11-01 --to 2026-11-30
  chappe report traffic --by account --country 434 --json
  chappe report traffic --by day,account,sender --csv > november.csv";

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Traffic by any of day, account, country, network, operator and sender
    #[command(after_help = EXAMPLES)]
    Traffic(Traffic),
}

#[derive(Debug, Args)]
struct Traffic {
    #[command(flatten)]
    api: Api,
    /// Apart by commas: day, account, country, network, operator, sender
    #[arg(long, default_value = "day")]
    by: String,
    /// The first day, UTC; a week ago when not given
    #[arg(long, value_name = "DAY")]
    from: Option<String>,
    /// The last day; today when not given
    #[arg(long, value_name = "DAY")]
    to: Option<String>,
    /// Only of this account and those below it
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Only of this country, by its MCC
    #[arg(long, value_name = "MCC")]
    country: Option<String>,
    /// Only of this network, by MCC and MNC
    #[arg(long, value_name = "MCCMNC")]
    network: Option<String>,
    /// Only by this operator
    #[arg(long, value_name = "ID")]
    operator: Option<String>,
    /// Only by this sender
    #[arg(long)]
    sender: Option<String>,
    /// Print CSV
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

pub(crate) async fn run(common: &Common, options: Options, out: &Output) -> Result<()> {
    let Action::Traffic(options) = options.action;
    let client = Client::new(common, &options.api)?;
    let query = query(&options);
    if options.csv {
        let csv = client.get_text("/v1/reports/traffic", &query).await?;
        line(csv.trim_end());
        return Ok(());
    }
    let report = client.get("/v1/reports/traffic", &query).await?;
    if out.is_json() {
        return print_json(&report);
    }
    show(&report, out);
    Ok(())
}

fn query(options: &Traffic) -> Vec<(&'static str, String)> {
    let mut query = vec![("by", options.by.clone())];
    let more = [
        ("from", &options.from),
        ("to", &options.to),
        ("account_id", &options.account),
        ("country", &options.country),
        ("network", &options.network),
        ("operator_id", &options.operator),
        ("sender", &options.sender),
    ];
    query.extend(more.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
    query.push(("format", if options.csv { "csv" } else { "json" }.to_owned()));
    query
}

/// The member of a row that a dimension is in.
fn member(dimension: &str) -> String {
    match dimension {
        "account" | "operator" => format!("{dimension}_id"),
        other => other.to_owned(),
    }
}

fn show(report: &Json, out: &Output) {
    let by: Vec<String> = list(report, "by").iter().filter_map(Json::as_str).map(str::to_owned).collect();
    let mut headings: Vec<&str> = by.iter().map(String::as_str).collect();
    headings.extend([
        "messages",
        "segments",
        "delivered",
        "unconfirmed",
        "failed",
        "rate",
        "refunded",
        "revenue",
        "cost",
        "margin",
        "p50 ms",
        "p95 ms",
    ]);
    let rows = list(report, "rows").iter().map(|row| cells(row, &by)).collect();
    out.table(&headings, rows, "no message ended in these days");
}

fn cells(row: &Json, by: &[String]) -> Vec<Value> {
    let mut cells: Vec<Value> = by.iter().map(|dimension| text(row, &member(dimension)).into()).collect();
    for count in ["messages", "segments", "delivered", "unconfirmed"] {
        cells.push(text(row, count).into());
    }
    let failed = text(row, "failed");
    cells.push(Value::with(if failed == "0" { Mood::Plain } else { Mood::Open }, &failed));
    cells.push(text(row, "delivery_rate").into());
    let sum = |name| if row.get(name).is_some_and(Json::is_object) { money(row, name) } else { String::new() };
    for amount in ["refunded", "revenue_net", "cost_net"] {
        cells.push(sum(amount).into());
    }
    let margin = sum("margin");
    let mood = if margin.starts_with('-') { Mood::Bad } else { Mood::Good };
    cells.push(Value::with(mood, &margin));
    cells.push(text(row, "receipt_p50_ms").into());
    cells.push(text(row, "receipt_p95_ms").into());
    cells
}
