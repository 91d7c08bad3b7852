//! `chappe statement`: every movement of a wallet, or the messages or look-ups behind one of them.

use anyhow::Result;
use clap::Args;
use serde_json::Value as Json;

use crate::cli::{Api, Common};
use crate::client::{Client, list, text};
use crate::output::{Mood, Output, Value, line, print_json};

const EXAMPLES: &str = "\
Examples:
  chappe statement
  chappe statement --operation top_up --from 2026-12-01T00:00:00Z --limit 100
  chappe statement 01936f4e-7b3a-7c2d-9d55-0b1c2d3e4f50
  chappe statement --csv > statement.csv";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Show the messages or the looked-up numbers behind this entry instead of the statement
    entry: Option<String>,
    /// From this moment on (RFC 3339)
    #[arg(long)]
    from: Option<String>,
    /// Before this moment (RFC 3339)
    #[arg(long)]
    to: Option<String>,
    /// Only movements of this operation
    #[arg(long)]
    operation: Option<String>,
    /// Of this account below your own
    #[arg(long)]
    account: Option<String>,
    /// How many, the latest first
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// Print the whole statement as CSV
    #[arg(long, conflicts_with = "entry")]
    csv: bool,
    #[command(flatten)]
    api: Api,
}

impl Options {
    fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = Vec::new();
        if let Some(account) = &self.account {
            query.push(("account_id", account.clone()));
        }
        if !self.csv {
            query.push(("limit", self.limit.to_string()));
        }
        if self.entry.is_none() {
            let filters = [("from", &self.from), ("to", &self.to), ("operation", &self.operation)];
            query.extend(filters.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
        }
        query
    }
}

pub(crate) async fn run(common: &Common, options: Options, out: &Output) -> Result<()> {
    let client = Client::new(common, &options.api)?;
    if options.csv {
        line(client.get_text("/v1/statement.csv", &options.query()).await?.trim_end());
        return Ok(());
    }
    if let Some(entry) = &options.entry {
        return open(&client, entry, options.query(), out).await;
    }
    let page = client.get("/v1/statement", &options.query()).await?;
    show(&page, out, &LINE, "no movements")?;
    if !out.is_json() {
        balances(&page);
    }
    Ok(())
}

/// A movement down to what it is for: messages, or numbers that were looked up.
async fn open(client: &Client, entry: &str, mut query: Vec<(&'static str, String)>, out: &Output) -> Result<()> {
    let page = client.get(&format!("/v1/statement/{entry}/messages"), &query).await?;
    if !list(&page, "data").is_empty() {
        return show(&page, out, &MESSAGE, "");
    }
    query.retain(|(name, _)| *name == "account_id");
    let page = client.get(&format!("/v1/statement/{entry}/lookups"), &query).await?;
    show(&page, out, &LOOKUP, "no messages and no look-ups stand behind this entry")
}

/// What the wallet had where the time begins and ends, whatever part of the movements is shown.
fn balances(page: &Json) {
    let (opening, closing) = (text(page, "opening_balance"), text(page, "closing_balance"));
    if !closing.is_empty() {
        line(&format!("opening balance {opening}, closing balance {closing} {}", text(page, "currency")));
    }
}

/// The columns of a statement, and those whose sign is shown in colour.
const LINE: [&str; 9] =
    ["at", "operation", "amount", "held", "balance_after", "held_after", "messages", "entry_id", "reason"];
/// The columns of an opened line.
const MESSAGE: [&str; 8] = ["message_id", "to", "state", "segments", "held", "captured", "released", "refunded"];
/// The columns of an opened line of look-ups.
const LOOKUP: [&str; 5] = ["number", "mcc_mnc", "price", "looked_up_at", "account_id"];

fn show(page: &Json, out: &Output, columns: &[&str], empty: &str) -> Result<()> {
    if out.is_json() {
        return print_json(page);
    }
    let row = |entry: &Json| columns.iter().map(|column| cell(column, &text(entry, column))).collect();
    out.table(columns, list(page, "data").iter().map(row).collect(), empty);
    Ok(())
}

/// What goes out of the wallet in one colour, what comes in in another.
fn cell(column: &str, text: &str) -> Value {
    let mood = match column {
        "amount" if text.starts_with('-') => Mood::Bad,
        "amount" if text != "0.00" => Mood::Good,
        _ => Mood::Plain,
    };
    Value::with(mood, &text)
}
