//! `chappe exchange-rates`: by what costs in one currency are compared with prices in another.

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};

use crate::cli::{Api, Common};
use crate::client::{Client, list, text};
use crate::output::{Mood, Output, Value, line, print_json};

const EXAMPLES: &str = "\
Examples:
  chappe exchange-rates                                    the latest first
  chappe exchange-rates list --from EUR --to UZS
  chappe exchange-rates set EUR UZS 13950.25 --spread-ppm 5000 --reason \"the bank, Monday\"
  chappe exchange-rates set EUR UZS 13990 --effective-from 2026-12-01T00:00:00Z
  chappe exchange-rates end fx_01k2v7p0w3c4b8e9s6m1f5h7ja

A rate is never edited: a new one closes the one before it. The other direction follows from it, unless it has a rate of its
own. For people of the house.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    look: Look,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List rates, the latest first
    List(Look),
    /// Publish a rate; it closes the one of the same two currencies that holds at its moment
    Set(Set),
    /// End a rate now; one that has not begun is taken back
    End {
        /// The rate
        id: String,
        #[command(flatten)]
        api: Api,
    },
}

/// Which rates.
#[derive(Debug, Args)]
struct Look {
    /// From this currency
    #[arg(long, value_name = "CURRENCY")]
    from: Option<String>,
    /// Into this currency
    #[arg(long, value_name = "CURRENCY")]
    to: Option<String>,
    /// How many
    #[arg(long, default_value_t = 50)]
    limit: u32,
    #[command(flatten)]
    api: Api,
}

/// A rate to publish.
#[derive(Debug, Args)]
struct Set {
    /// What is given: the currency of a cost
    from: String,
    /// What is got: the currency of a price
    to: String,
    /// How much of the second one unit of the first is
    rate: String,
    /// What an exchange costs on top, in parts per million of the amount
    #[arg(long, default_value_t = 0, value_name = "PPM")]
    spread_ppm: u32,
    /// From when it holds; now when not given
    #[arg(long, value_name = "TIME")]
    effective_from: Option<String>,
    /// Why, for the record
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    api: Api,
}

pub(crate) async fn run(common: &Common, options: Options, out: &Output) -> Result<()> {
    match options.command {
        None => look(common, options.look, out).await,
        Some(Command::List(of)) => look(common, of, out).await,
        Some(Command::Set(new)) => set(common, new, out).await,
        Some(Command::End { id, api }) => {
            Client::new(common, &api)?.delete(&format!("/v1/exchange-rates/{id}")).await?;
            if !out.is_json() {
                line(&format!("{id} holds no more"));
            }
            Ok(())
        }
    }
}

async fn look(common: &Common, of: Look, out: &Output) -> Result<()> {
    let mut query = vec![("limit", of.limit.to_string())];
    query.extend([("from", of.from), ("to", of.to)].into_iter().filter_map(|(name, value)| Some((name, value?))));
    let page = Client::new(common, &of.api)?.get("/v1/exchange-rates", &query).await?;
    if out.is_json() {
        return print_json(&page);
    }
    table(out, list(&page, "data").iter());
    Ok(())
}

async fn set(common: &Common, new: Set, out: &Output) -> Result<()> {
    let body = json!({"from": new.from, "to": new.to, "rate": new.rate, "spread_ppm": new.spread_ppm,
        "effective_from": new.effective_from, "reason": new.reason});
    let made = Client::new(common, &new.api)?.post("/v1/exchange-rates", &body).await?;
    if out.is_json() {
        return print_json(&made);
    }
    table(out, std::iter::once(&made));
    Ok(())
}

fn table<'a>(out: &Output, rates: impl Iterator<Item = &'a Json>) {
    let row = |rate: &Json| -> Vec<Value> {
        let until = text(rate, "effective_to");
        let mood = if until.is_empty() { Mood::Good } else { Mood::Plain };
        let amount = format!("1 {} = {} {}", text(rate, "from"), text(rate, "rate"), text(rate, "to"));
        let cells = ["spread_ppm", "effective_from"].map(|name| text(rate, name).into());
        let behind = ["reason", "id"].map(|name| text(rate, name).into());
        [Value::with(mood, &amount)].into_iter().chain(cells).chain([until.into()]).chain(behind).collect()
    };
    let headings = ["rate", "spread, ppm", "from", "until", "reason", "id"];
    out.table(&headings, rates.map(row).collect(), "no exchange rates: costs in other currencies cannot be compared");
}
