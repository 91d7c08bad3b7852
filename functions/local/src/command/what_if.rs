//! `chappe what-if`: traffic of the past, or a CSV file, by changed rules, rates and prices.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Map, Value as Json, json};

use crate::cli::{Api, Common};
use crate::client::{Client, list, text};
use crate::exit::Misused;
use crate::output::{Mood, Output, Value, line, print_json};

const EXAMPLES: &str = "\
Examples:
  chappe what-if --disable op_01k2v7p0w3c4b8e9s6m1f5h7ja
  chappe what-if --rate op_01k2v7p0w3c4b8e9s6m1f5h7ja:43405:48.50:UZS --network 434
  chappe what-if --drafts rules.json --since 2026-11-01T00:00:00Z --until 2026-11-08T00:00:00Z
  chappe what-if --traffic plan.csv --csv > difference.csv

--drafts names a file with the settings that differ, as POST /v1/routing/what-if takes them: rules, without_rules, guards,
without_guards, rates, tariffs, exchange_rates, disabled, enabled. --traffic names a CSV file whose first line names its
columns: to, and as many of account_id, from, traffic_class, template, encoding, segments, count as it needs. It has a million
lines at most, of 10 million messages in all.";

/// How often a replay is asked how far it is.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// How often it is asked at most: an hour.
const ASKED_MAX: u32 = 7_200;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// The settings that differ, as JSON
    #[arg(long, value_name = "FILE")]
    drafts: Option<PathBuf>,
    /// Switch this operator off; may be given several times
    #[arg(long, value_name = "OPERATOR")]
    disable: Vec<String>,
    /// OPERATOR:NETWORK:PRICE:CURRENCY, a buy rate; may be given several times
    #[arg(long, value_name = "RATE")]
    rate: Vec<String>,
    /// Replay messages accepted at this time or later; seven days ago when not given
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// And before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only those of this account and of all below it
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// Only those to this network, or country
    #[arg(long, value_name = "NETWORK")]
    network: Option<String>,
    /// The traffic of this CSV file instead
    #[arg(long, value_name = "FILE")]
    traffic: Option<PathBuf>,
    /// As if sent in the week from this time; now when not given
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Print CSV
    #[arg(long)]
    csv: bool,
    #[command(flatten)]
    api: Api,
}

impl Options {
    fn request(&self) -> Result<Json> {
        let mut ask = match &self.drafts {
            Some(file) => {
                let read = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
                serde_json::from_str(&read).with_context(|| format!("{} is not a JSON object", file.display()))?
            }
            None => Map::new(),
        };
        let given = [
            ("since", &self.since),
            ("until", &self.until),
            ("account_id", &self.account),
            ("network", &self.network),
            ("at", &self.at),
        ];
        for (name, value) in given {
            if let Some(value) = value {
                ask.insert(name.to_owned(), json!(value));
            }
        }
        add(&mut ask, "disabled", self.disable.iter().map(|id| json!(id)).collect())?;
        add(&mut ask, "rates", self.rate.iter().map(|given| rate(given)).collect::<Result<_>>()?)?;
        if let Some(file) = &self.traffic {
            let read = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            ask.insert("csv".to_owned(), json!(read));
        }
        Ok(Json::Object(ask))
    }
}

/// Adds to a list of drafts.
fn add(ask: &mut Map<String, Json>, name: &str, more: Vec<Json>) -> Result<()> {
    if more.is_empty() {
        return Ok(());
    }
    match ask.entry(name).or_insert_with(|| json!([])) {
        Json::Array(list) => list.extend(more),
        _ => bail!(Misused(format!("{name} in the drafts is not a list"))),
    }
    Ok(())
}

fn rate(given: &str) -> Result<Json> {
    let parts: Vec<&str> = given.split(':').collect();
    let [operator, network, price, currency] = parts.as_slice() else {
        bail!(Misused(format!("--rate {given}: expected OPERATOR:NETWORK:PRICE:CURRENCY")));
    };
    Ok(json!({"operator_id": operator, "network": network, "price": price, "currency": currency}))
}

pub(crate) async fn run(common: &Common, options: Options, out: &Output) -> Result<()> {
    let client = Client::new(common, &options.api)?;
    let asked = client.post("/v1/routing/what-if", &options.request()?).await?;
    let done = wait(&client, &text(&asked, "id"), out).await?;
    if out.is_json() {
        return print_json(&done);
    }
    let result = done.get("result").cloned().unwrap_or_default();
    if options.csv {
        for (cells, _) in &table_rows(&result) {
            line(&cells.join(","));
        }
        return Ok(());
    }
    show(&result, out);
    Ok(())
}

/// Asks until it is done.
async fn wait(client: &Client, id: &str, out: &Output) -> Result<Json> {
    for _ in 0..ASKED_MAX {
        let row = client.get(&format!("/v1/routing/what-if/{id}"), &[]).await?;
        match text(&row, "state").as_str() {
            "done" => return Ok(row),
            "failed" => bail!("{id} failed: {}", text(&row, "error")),
            _ => out.progress(&format!("{id}: {} messages", text(&row, "messages"))),
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
    bail!("{id} still runs after an hour; see GET /v1/routing/what-if/{id}")
}

const HEADINGS: [&str; 9] = ["of", "name", "side", "messages", "unrouted", "currency", "revenue", "cost", "margin"];

/// One row for each side and currency of the whole, of each network and of each operator; and whether it is after.
fn table_rows(result: &Json) -> Vec<(Vec<String>, bool)> {
    let mut rows = vec![(HEADINGS.map(str::to_owned).to_vec(), false)];
    let mut add = |of: &str, name: String, pair: &Json| {
        for side in ["before", "after"] {
            let sums = pair.get(side).cloned().unwrap_or_default();
            let unrouted = sums.get("unrouted").and_then(Json::as_object);
            let unrouted: u64 = unrouted.map_or(0, |codes| codes.values().filter_map(Json::as_u64).sum());
            for currency in currencies(&sums) {
                let amount = |kind: &str| sums.get(kind).map_or(String::new(), |by| text(by, &currency));
                let cells = vec![
                    of.to_owned(),
                    name.clone(),
                    side.to_owned(),
                    text(&sums, "messages"),
                    unrouted.to_string(),
                    currency.clone(),
                    amount("revenue"),
                    amount("cost"),
                    amount("margin"),
                ];
                rows.push((cells, side == "after"));
            }
        }
    };
    add("all", String::new(), result);
    for one in list(result, "networks") {
        add("network", text(one, "mcc_mnc"), one);
    }
    for one in list(result, "operators") {
        add("operator", text(one, "operator"), one);
    }
    rows
}

/// The currencies of a side; one without a name where it has no money.
fn currencies(sums: &Json) -> BTreeSet<String> {
    let of = |kind: &str| sums.get(kind).and_then(Json::as_object).map(|by| by.keys().cloned().collect::<Vec<_>>());
    let all: BTreeSet<String> = ["revenue", "cost"].into_iter().filter_map(of).flatten().collect();
    if all.is_empty() { BTreeSet::from([String::new()]) } else { all }
}

fn show(result: &Json, out: &Output) {
    line(&format!("{} messages, {} go another way", text(result, "messages"), text(result, "moved")));
    line("");
    let rows = table_rows(result).into_iter().skip(1).map(|(cells, is_after)| {
        let mood = if is_after { Mood::Open } else { Mood::Plain };
        cells.iter().map(|cell| Value::with(mood, cell)).collect()
    });
    out.table(&HEADINGS, rows.collect(), "no traffic");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_a_table() {
        let side = |messages: u64, cost: &str| {
            json!({"messages": messages, "unrouted": {"no_route": 3}, "revenue": {"UZS": "60.00"},
                "cost": {"UZS": cost}, "margin": {"UZS": "10.00"}})
        };
        let result = json!({"before": side(7, "50.00"), "after": side(8, "45.00"), "networks": [], "operators": []});
        let rows: Vec<String> = table_rows(&result).into_iter().map(|(cells, _)| cells.join(",")).collect();
        assert_eq!(rows[1], "all,,before,7,3,UZS,60.00,50.00,10.00");
        assert_eq!(rows[2], "all,,after,8,3,UZS,60.00,45.00,10.00");
    }

    #[test]
    fn a_rate_has_four_parts() {
        assert_eq!(rate("op_1:43405:48.5:UZS").unwrap()["network"], "43405");
        assert!(rate("op_1:43405").is_err());
    }
}
