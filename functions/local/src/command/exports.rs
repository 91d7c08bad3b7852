//! `chappe exports`: what was asked for, and how far it is.

use anyhow::Result;
use clap::Args;
use serde_json::Value as Json;

use crate::cli::{Api, Common};
use crate::client::{Client, list, text};
use crate::output::{Mood, Output, Value, print_json};

const EXAMPLES: &str = "\
Examples:
  chappe exports
  chappe exports --json | jq '.data[] | select(.state == \"failed\") | .error'

`chappe cdr export` makes one, `chappe cdr fetch` fetches it. Files are kept for seven days.";

/// The columns of the list.
const COLUMNS: [&str; 7] = ["id", "state", "rows", "bytes", "from", "to", "kept until"];
/// Characters of a time that are shown: to the minute; and of a day.
const MINUTE: usize = 16;
const DAY: usize = 10;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// How many, the latest first
    #[arg(long, default_value_t = 20)]
    limit: u32,
    #[command(flatten)]
    api: Api,
}

pub(crate) async fn run(common: &Common, options: Options, out: &Output) -> Result<()> {
    let client = Client::new(common, &options.api)?;
    let page = client.get("/v1/exports", &[("limit", options.limit.to_string())]).await?;
    if out.is_json() {
        return print_json(&page);
    }
    out.table(&COLUMNS, list(&page, "data").iter().map(row).collect(), "no exports");
    Ok(())
}

fn row(export: &Json) -> Vec<Value> {
    let member = |name: &str| text(export, name);
    let cut = |name: &str, length: usize| member(name).chars().take(length).collect::<String>();
    let state = member("state");
    let (mood, is_open) = match state.as_str() {
        "done" => (Mood::Good, false),
        "failed" => (Mood::Bad, false),
        "queued" | "running" => (Mood::Open, true),
        _ => (Mood::Plain, false),
    };
    let rows =
        if is_open { format!("{} of {}", member("rows_done"), member("rows_total")) } else { member("rows_done") };
    vec![
        member("id").into(),
        Value::with(mood, &state),
        rows.into(),
        member("bytes").into(),
        cut("from", MINUTE).into(),
        cut("to", MINUTE).into(),
        cut("expires_at", DAY).into(),
    ]
}
