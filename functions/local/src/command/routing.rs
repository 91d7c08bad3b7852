//! `chappe routing`: rules, what their versions changed, and who would carry a message.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Map, Value as Json, json};

use super::explain::candidate_row;
use crate::cli::{Api, Common};
use crate::client::{Client, list, text};
use crate::exit::Misused;
use crate::output::{Mood, Output, Value, line, print_json};

const EXAMPLES: &str = "\
Examples:
  chappe routing rules
  chappe routing rules --at 2026-12-24T00:00:00Z
  chappe routing diff route_01k2v7p0w3c4b8e9s6m1f5h7ja
  chappe routing diff route_01k2v7p0w3c4b8e9s6m1f5h7ja --between 1 4
  chappe routing decision --to +998901234567 --account acc_01k2v7p0w3c4b8e9s6m1f5h7ja --from Bank";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the rules that hold, in the order in which they are tried
    Rules {
        /// At this time; now when not given
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        #[command(flatten)]
        api: Api,
    },
    /// Show what the versions of a rule changed
    Diff {
        /// The rule
        id: String,
        /// These two versions instead of each and the one before it
        #[arg(long, num_args = 2, value_names = ["OLD", "NEW"])]
        between: Vec<u32>,
        #[command(flatten)]
        api: Api,
    },
    /// Ask who would carry a message, and why not the others; nothing is sent
    Decision(Question),
}

#[derive(Debug, Args)]
struct Question {
    /// The recipient
    #[arg(long)]
    to: String,
    /// Whose message it would be; the house's own when not given
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// Its sender
    #[arg(long)]
    from: Option<String>,
    /// What kind of traffic it is
    #[arg(long, value_name = "NAME")]
    traffic_class: Option<String>,
    /// How many short messages it takes
    #[arg(long)]
    segments: Option<u8>,
    /// When; now when not given
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    #[command(flatten)]
    api: Api,
}

pub(crate) async fn run(common: &Common, options: Options, out: &Output) -> Result<()> {
    match options.action {
        Action::Rules { at, api } => rules(&Client::new(common, &api)?, at, out).await,
        Action::Diff { id, between, api } => diff(&Client::new(common, &api)?, &id, &between, out).await,
        Action::Decision(question) => decision(&Client::new(common, &question.api)?, &question, out).await,
    }
}

async fn rules(client: &Client, at: Option<String>, out: &Output) -> Result<()> {
    let mut query = vec![("limit", "1000".to_owned())];
    query.extend(at.map(|at| ("at", at)));
    let page = client.get("/v1/routing/rules", &query).await?;
    if out.is_json() {
        return print_json(&page);
    }
    let mut rules: Vec<&Json> = list(&page, "data").iter().collect();
    rules.sort_by_key(|rule| rule.get("position").and_then(Json::as_i64));
    let row = |rule: &&Json| -> Vec<Value> {
        let cells = ["position", "name", "id", "version", "effective_from", "effective_to"];
        let strategy = rule.get("then").map(|then| text(then, "strategy")).unwrap_or_default();
        cells.iter().map(|cell| text(rule, cell).into()).chain([strategy.into()]).collect()
    };
    let headings = ["position", "name", "id", "version", "from", "to", "strategy"];
    out.table(&headings, rules.iter().map(row).collect(), "no rules: the cheapest operator comes first");
    Ok(())
}

async fn diff(client: &Client, id: &str, between: &[u32], out: &Output) -> Result<()> {
    let history = client.get(&format!("/v1/routing/rules/{id}"), &[]).await?;
    let versions = list(&history, "versions");
    let pairs: Vec<(&Json, &Json)> = match between {
        [old, new] => vec![(version(versions, *old)?, version(versions, *new)?)],
        _ => versions.windows(2).map(|pair| (&pair[1], &pair[0])).collect(),
    };
    if out.is_json() {
        return print_json(&history);
    }
    for (old, new) in pairs {
        let reason = text(new, "reason");
        let reason = if reason.is_empty() { reason } else { format!(": {reason}") };
        let of = |version: &Json| text(version, "version");
        line(&format!(
            "version {} to {}, {} by {}{reason}",
            of(old),
            of(new),
            text(new, "effective_from"),
            text(new, "made_by")
        ));
        let rows = changes(old, new).into_iter().map(|(place, before, after)| {
            vec![place.into(), Value::with(Mood::Bad, &before), Value::with(Mood::Good, &after)]
        });
        out.table(&["what", "before", "after"], rows.collect(), "they say the same");
        line("");
    }
    if versions.len() < 2 {
        line("there is one version only");
    }
    Ok(())
}

fn version(versions: &[Json], number: u32) -> Result<&Json> {
    match versions.iter().find(|one| one.get("version").and_then(Json::as_u64) == Some(u64::from(number))) {
        Some(version) => Ok(version),
        None => bail!(Misused(format!("there is no version {number}"))),
    }
}

/// What differs between two versions: each field of its conditions and of its choice, its name and its position.
fn changes(old: &Json, new: &Json) -> Vec<(String, String, String)> {
    let mut fields = BTreeSet::from([("", "name".to_owned()), ("", "position".to_owned())]);
    for half in ["when", "then"] {
        for version in [old, new] {
            let names = version.get(half).and_then(Json::as_object).into_iter().flat_map(Map::keys);
            fields.extend(names.map(|name| (half, name.clone())));
        }
    }
    let of = |version: &Json, half: &str, name: &str| {
        let inside = if half.is_empty() { Some(version) } else { version.get(half) };
        inside.map(|inside| text(inside, name)).filter(|said| said != "[]").unwrap_or_default()
    };
    let changed = fields.into_iter().filter_map(|(half, name)| {
        let (before, after) = (of(old, half, &name), of(new, half, &name));
        (before != after).then(|| (format!("{half} {name}").trim().to_owned(), before, after))
    });
    changed.collect()
}

async fn decision(client: &Client, question: &Question, out: &Output) -> Result<()> {
    let mut ask = json!({"to": question.to});
    let optional = [
        ("account_id", question.account.as_ref().map(|id| json!(id))),
        ("from", question.from.as_ref().map(|from| json!(from))),
        ("traffic_class", question.traffic_class.as_ref().map(|class| json!(class))),
        ("segments", question.segments.map(|segments| json!(segments))),
        ("at", question.at.as_ref().map(|at| json!(at))),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            ask[name] = value;
        }
    }
    let told = client.post("/v1/routing/decision", &ask).await?;
    if out.is_json() {
        return print_json(&told);
    }
    let rule = told.get("rule").filter(|rule| !rule.is_null());
    let rule = rule.map_or("no rule, the cheapest first".to_owned(), |rule| {
        format!("rule {} version {}", text(rule, "name"), text(rule, "version"))
    });
    let code = text(&told, "code");
    let ending = if code.is_empty() { String::new() } else { format!("; nobody would carry it: {code}") };
    line(&format!("{} in {}: {rule}, {}{ending}", text(&told, "to"), text(&told, "mcc_mnc"), text(&told, "strategy")));
    let rows = list(&told, "candidates").iter().map(|candidate| candidate_row(candidate, &[]));
    let headings = ["rank", "operator", "cost", "margin", "health", "up", "rate since", "why"];
    out.table(&headings, rows.collect(), "there are no operators");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_two_versions_can_be_compared() {
        let old = json!({"name": "A", "position": 1, "when": {"networks": ["434"], "senders": []}, "then": {"strategy": "block"}});
        let new = json!({"name": "A", "position": 2, "when": {"networks": ["434"], "segments_min": 2}, "then": {"strategy": "block"}});
        let told = |place: &str, before: &str, after: &str| (place.to_owned(), before.to_owned(), after.to_owned());
        assert_eq!(changes(&old, &new), [told("position", "1", "2"), told("when segments_min", "", "2")]);
        assert_eq!(changes(&new, &new), []);
    }
}
