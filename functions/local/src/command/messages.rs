//! `chappe messages`: the latest messages, or one with everything that happened to it.

use anyhow::Result;
use clap::Args;
use serde_json::Value as Json;

use crate::cli::{Api, Common};
use crate::client::{Client, list, money, text};
use crate::output::{Mood, Output, Value, line, print_json};

const EXAMPLES: &str = "\
Examples:
  chappe messages
  chappe messages --state undelivered --to +998901234567 --limit 100
  chappe messages msg_01k2v7p0w3c4b8e9s6m1f5h7ja";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Show this message with its timeline instead of a list
    id: Option<String>,
    /// Only messages in this state
    #[arg(long)]
    state: Option<String>,
    /// Only messages to this number
    #[arg(long)]
    to: Option<String>,
    /// Only messages with this sender ID
    #[arg(long)]
    from: Option<String>,
    /// Only messages with this reference of yours
    #[arg(long)]
    reference: Option<String>,
    /// How many, the latest first
    #[arg(long, default_value_t = 20)]
    limit: u32,
    #[command(flatten)]
    api: Api,
}

impl Options {
    fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = vec![("limit", self.limit.to_string())];
        let filters =
            [("state", &self.state), ("to", &self.to), ("from", &self.from), ("client_reference", &self.reference)];
        query.extend(filters.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
        query
    }
}

pub(crate) async fn run(common: &Common, options: Options, out: &Output) -> Result<()> {
    let client = Client::new(common, &options.api)?;
    match &options.id {
        Some(id) => show(&client.get(&format!("/v1/messages/{id}"), &[]).await?, out),
        None => show_list(&client.get("/v1/messages", &options.query()).await?, out),
    }
}

fn show_list(page: &Json, out: &Output) -> Result<()> {
    if out.is_json() {
        return print_json(page);
    }
    let rows = list(page, "data").iter().map(row).collect();
    out.table(&["id", "created", "to", "from", "state", "segments", "cost"], rows, "no messages");
    Ok(())
}

fn row(message: &Json) -> Vec<Value> {
    vec![
        text(message, "id").into(),
        text(message, "created_at").into(),
        text(message, "to").into(),
        text(message, "from").into(),
        state(&text(message, "state")),
        text(message, "segments").into(),
        money(message, "cost").into(),
    ]
}

fn show(message: &Json, out: &Output) -> Result<()> {
    if out.is_json() {
        return print_json(message);
    }
    let headings = ["id", "created", "to", "from", "state", "segments", "cost"];
    out.table(&headings, vec![row(message)], "");
    line("");
    let events = list(message, "events").iter().map(|event| {
        vec![
            text(event, "at").into(),
            state(&text(event, "state")),
            text(event, "segment").into(),
            text(event, "source").into(),
            text(event, "code").into(),
        ]
    });
    out.table(&["at", "state", "segment", "source", "code"], events.collect(), "nothing happened yet");
    Ok(())
}

/// A state in the colour of what it means to the customer.
pub(super) fn state(name: &str) -> Value {
    let mood = match name {
        "delivered" => Mood::Good,
        "undelivered" | "expired" | "rejected" | "failed" => Mood::Bad,
        "canceled" | "unconfirmed" => Mood::Plain,
        _ => Mood::Open,
    };
    Value::with(mood, &name)
}
