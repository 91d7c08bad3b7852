//! `chappe operators`: how operators do at each network, as routing sees it, and turning their circuit breakers by hand.

use std::time::Duration;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};

use super::smpp::House;
use crate::cli::{Api, Common};
use crate::client::{Client, list, text};
use crate::output::{Mood, Output, Value, clear, print_json};
use crate::signals;

const EXAMPLES: &str = "\
Examples:
  chappe operators health                          every operator at every network with traffic of late
  chappe operators health --watch                  again every two seconds
  chappe operators health --json | jq '.operators[] | select(.networks[].breaker.state != \"closed\") | .name'
  chappe operators breaker open Ucell 43405 --reason \"maintenance until 18:00\"
  chappe operators breaker close Ucell 43405 --reason \"they are back\"

For people of the house: health needs the platform's secret, from the data folder or CHAPPE_SECRET_KEY; a breaker is turned
with an API key of the house. One that was opened by hand stays open until somebody closes it.";

/// How often a watched table is shown.
const AGAIN_AFTER: Duration = Duration::from_secs(2);
/// From here on a part of health is good, below the second it is bad; of a thousand.
const GOOD: u64 = 900;
const BAD: u64 = 500;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show success, delivery, latency, trust and circuit breakers, by operator and network
    Health(Look),
    /// Turn the circuit breaker of an operator at a network by hand
    #[command(subcommand)]
    Breaker(Breaker),
}

#[derive(Debug, Subcommand)]
enum Breaker {
    /// Send no message to the operator at this network until somebody closes it
    Open(Turn),
    /// Send messages again; it opens by itself when too many fail from now on
    Close(Turn),
}

/// Which breaker, and why.
#[derive(Debug, Args)]
struct Turn {
    /// The operator's name or id
    operator: String,
    /// The network, MCC and MNC, such as 43405; or a country, such as 434, for all its networks
    network: String,
    /// Why, for the record
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    api: Api,
}

/// Where to look, and how often.
#[derive(Debug, Args)]
struct Look {
    /// Show it again every two seconds until Ctrl-C
    #[arg(long)]
    watch: bool,
    /// The platform's internal API
    #[arg(long, env = "CHAPPE_INTERNAL_URL", default_value = "http://127.0.0.1:8081", value_name = "URL")]
    internal_url: String,
}

pub(crate) async fn run(common: &Common, options: Options, out: &Output) -> Result<()> {
    match options.command {
        Command::Health(look) => health(common, &look, out).await,
        Command::Breaker(Breaker::Open(turn)) => turn_breaker(common, &turn, "open", out).await,
        Command::Breaker(Breaker::Close(turn)) => turn_breaker(common, &turn, "closed", out).await,
    }
}

async fn turn_breaker(common: &Common, turn: &Turn, state: &str, out: &Output) -> Result<()> {
    let client = Client::new(common, &turn.api)?;
    let id = client.find_operator(&turn.operator).await?;
    let body = json!({"state": state, "reason": turn.reason});
    let operator = client.put(&format!("/v1/operators/{id}/breakers/{}", turn.network), &body).await?;
    show(&json!({"operators": [operator]}), out)
}

async fn health(common: &Common, look: &Look, out: &Output) -> Result<()> {
    let house = House::new(common, &look.internal_url)?;
    let mut stop = std::pin::pin!(signals::stop());
    loop {
        let answer = house.get("/internal/operators/health").await?;
        if look.watch {
            clear();
        }
        show(&answer, out)?;
        if !look.watch {
            return Ok(());
        }
        tokio::select! {
            () = &mut stop => return Ok(()),
            () = tokio::time::sleep(AGAIN_AFTER) => {}
        }
    }
}

fn show(answer: &Json, out: &Output) -> Result<()> {
    if out.is_json() {
        return print_json(answer);
    }
    let rows = list(answer, "operators").iter().flat_map(rows).collect();
    let headings =
        ["operator", "network", "health", "success", "delivered", "p50", "p95", "trust", "breaker", "today", "why"];
    out.table(&headings, rows, "no operators yet");
    Ok(())
}

/// A line for each network; one alone where there is none.
fn rows(operator: &Json) -> Vec<Vec<Value>> {
    let networks = list(operator, "networks");
    if networks.is_empty() {
        return vec![row(operator, &Json::Null, true)];
    }
    let first = std::iter::once(true).chain(std::iter::repeat(false));
    networks.iter().zip(first).map(|(network, first)| row(operator, network, first)).collect()
}

/// What belongs to the operator stands on its first line only.
fn row(operator: &Json, network: &Json, first: bool) -> Vec<Value> {
    let score = network.get("score").unwrap_or(&Json::Null);
    let counts = network.get("counts").unwrap_or(&Json::Null);
    let breaker = network.get("breaker").unwrap_or(&Json::Null);
    vec![
        if first { text(operator, "name").into() } else { Value::from("") },
        text(network, "mcc_mnc").into(),
        part(score, "health_permille"),
        part(score, "success_permille"),
        part(score, "delivery_permille"),
        seconds(counts, "p50_ms").into(),
        seconds(counts, "p95_ms").into(),
        part(score, "trust_permille"),
        state(breaker),
        if first { today(operator) } else { Value::from("") },
        why(score, breaker).into(),
    ]
}

/// Thousandths as per cent.
fn part(score: &Json, member: &str) -> Value {
    let Some(permille) = score.get(member).and_then(Json::as_u64) else { return "-".into() };
    let mood = match permille {
        GOOD.. => Mood::Good,
        ..BAD => Mood::Bad,
        _ => Mood::Open,
    };
    Value::with(mood, &format!("{}.{} %", permille / 10, permille % 10))
}

fn seconds(counts: &Json, member: &str) -> String {
    let Some(ms) = counts.get(member).and_then(Json::as_u64) else { return "-".to_owned() };
    format!("{}.{} s", ms / 1_000, ms % 1_000 / 100)
}

fn state(breaker: &Json) -> Value {
    let name = text(breaker, "state");
    let mood = match name.as_str() {
        "closed" => Mood::Good,
        "open" | "held" => Mood::Bad,
        "" => return "-".into(),
        _ => Mood::Open,
    };
    Value::with(mood, &name)
}

/// What it was given of what it may be given today.
fn today(operator: &Json) -> Value {
    let number = |member: &str| operator.get(member).and_then(Json::as_u64).unwrap_or(0);
    match (number("routed_today"), number("daily_cap")) {
        (_, 0) => "-".into(),
        (routed, cap) if routed >= cap => Value::with(Mood::Bad, &format!("{routed}/{cap}")),
        (routed, cap) => format!("{routed}/{cap}").into(),
    }
}

/// That routing still goes by an old judgement, and for how many messages.
fn remembered(score: &Json) -> Option<String> {
    let old = 1_000_u64.checked_sub(score.get("regained_permille")?.as_u64()?).filter(|old| *old > 0)?;
    let what = if text(score, "basis") == "kept" { "as judged last" } else { "was worse" };
    Some(format!("{what}, which counts for {}.{} %", old / 10, old % 10))
}

/// Why the breaker does not stand as it should, and why receipts are not believed.
fn why(score: &Json, breaker: &Json) -> String {
    let is_closed = matches!(text(breaker, "state").as_str(), "closed" | "");
    let turned = Some(text(breaker, "reason")).filter(|reason| !is_closed && !reason.is_empty());
    let doubts =
        list(score, "doubts").iter().map(|doubt| format!("{} -{}", text(doubt, "doubt"), text(doubt, "takes")));
    turned.into_iter().chain(remembered(score)).chain(doubts).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_says_why() {
        let score = json!({"doubts": [{"doubt": "too_fast", "takes": 475}, {"doubt": "all_alike", "takes": 300}]});
        let rows = [
            (json!(null), json!(null), ""),
            (
                score.clone(),
                json!({"state": "closed", "reason": "0 of 5 probes failed"}),
                "too_fast -475; all_alike -300",
            ),
            (json!(null), json!({"state": "open", "reason": "20 of 20 submits failed"}), "20 of 20 submits failed"),
            (json!({"basis": "measured", "regained_permille": 1_000}), json!(null), ""),
            (
                json!({"basis": "kept", "regained_permille": 125}),
                json!(null),
                "as judged last, which counts for 87.5 %",
            ),
            (
                json!({"basis": "regaining", "regained_permille": 600}),
                json!(null),
                "was worse, which counts for 40.0 %",
            ),
            (score, json!({"state": "held", "reason": "test"}), "test; too_fast -475; all_alike -300"),
        ];
        for (score, breaker, expected) in rows {
            assert_eq!(why(&score, &breaker), expected);
        }
        assert_eq!(seconds(&json!({"p95_ms": 30_000}), "p95_ms"), "30.0 s");
        assert_eq!(seconds(&json!({"p95_ms": null}), "p95_ms"), "-");
    }
}
