//! `chappe explain`: why a message went where it went, what it cost and earned, and why it ended.

use anyhow::Result;
use clap::Args;
use serde_json::Value as Json;

use super::messages::state;
use crate::cli::{Api, Common};
use crate::client::{Client, list, text};
use crate::output::{Mood, Output, Value, line, print_json};

const EXAMPLES: &str = "\
Examples:
  chappe explain msg_01k2v7p0w3c4b8e9s6m1f5h7ja
  chappe explain msg_01k2v7p0w3c4b8e9s6m1f5h7ja --json | jq '.routing.candidates'

The house sees everything; a reseller its own price and those below it; a client its own price.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// The message
    id: String,
    #[command(flatten)]
    api: Api,
}

pub(crate) async fn run(common: &Common, options: Options, out: &Output) -> Result<()> {
    let client = Client::new(common, &options.api)?;
    let told = client.get(&format!("/v1/messages/{}/explanation", options.id), &[]).await?;
    if out.is_json() {
        return print_json(&told);
    }
    head(&told, out);
    payers(&told, out);
    for hop in list(&told, "hops").iter().filter(|hop| hop.get("routing").is_some()) {
        line(&format!("\nhop {}, {}:", text(hop, "hop"), text(hop, "operator")));
        routing(hop, out);
    }
    if told.get("routing").is_some() {
        line("");
    }
    routing(&told, out);
    for look in list(&told, "in_vain") {
        line(&format!("\n{}, no other operator: {}", text(look, "at"), text(look, "code")));
        routing(look, out);
    }
    timeline(&told, out);
    Ok(())
}

fn head(told: &Json, out: &Output) {
    let class = match text(told, "traffic_class") {
        class if class.is_empty() => String::new(),
        class => format!(", {class}"),
    };
    line(&format!(
        "{} from {} to {} ({}), {} segments {}{class}",
        text(told, "id"),
        text(told, "from"),
        text(told, "to"),
        text(told, "mcc_mnc"),
        text(told, "segments"),
        text(told, "encoding"),
    ));
    line(&out.coloured(&state(&text(told, "state")).saying(&text(told, "summary"))));
    let to_do = text(told, "to_do");
    if !to_do.is_empty() {
        line(&format!("what to do: {to_do}"));
    }
    line(&format!("\n{}", path(told)));
}

/// The way of a message as one line: the sender, each operator that had it, the handset.
fn path(told: &Json) -> String {
    let hops = list(told, "hops").iter().map(|hop| {
        let name = text(hop, "operator");
        let name = if name.is_empty() { format!("operator {}", text(hop, "hop")) } else { name };
        format!("[{name}: {}]", text(hop, "outcome"))
    });
    let reached = if text(told, "state") == "delivered" { "──►" } else { "──✕" };
    let sender = std::iter::once(format!("({})", text(told, "from")));
    let way: Vec<String> = sender.chain(hops).collect();
    format!("{} {reached} ({})", way.join(" ──► "), text(told, "to"))
}

fn payers(told: &Json, out: &Output) {
    let rows = list(told, "payers").iter().map(|payer| {
        let tariff = payer.get("tariff").cloned().unwrap_or_default();
        vec![
            text(payer, "account_id").into(),
            format!("{} {}", text(payer, "price"), text(payer, "currency")).into(),
            text(payer, "charge_on").into(),
            text(&tariff, "id").into(),
            place(&tariff).into(),
            text(&tariff, "effective_from").into(),
            text(&tariff, "effective_to").into(),
        ]
    });
    line("");
    let headings = ["payer", "a segment", "charged on", "tariff", "network", "from", "to"];
    out.table(&headings, rows.collect(), "nobody pays for it");
    let margin = text(told, "margin");
    if !margin.is_empty() {
        line(&format!("you earn {margin} for a segment"));
    }
}

/// Where a tariff holds; nothing where its row is not kept any more.
fn place(tariff: &Json) -> String {
    let place = text(tariff, "mcc_mnc");
    let is_default = place.is_empty() && !text(tariff, "effective_from").is_empty();
    if is_default { "everywhere else".to_owned() } else { place }
}

fn routing(told: &Json, out: &Output) {
    let Some(routing) = told.get("routing") else { return };
    match routing.get("rule").filter(|rule| !rule.is_null()) {
        None => line("rule: none fitted, so the cheapest came first"),
        Some(rule) => {
            let dates = format!("since {}", text(rule, "effective_from"));
            line(&format!(
                "rule: {} ({} version {}, {dates})",
                text(rule, "name"),
                text(rule, "id"),
                text(rule, "version")
            ));
            line(&format!("  when {}", said(rule, "when")));
            line(&format!("  then {}", said(rule, "then")));
        }
    }
    let rows = list(routing, "candidates").iter().map(|candidate| candidate_row(candidate, list(routing, "rates")));
    let headings = ["rank", "operator", "cost", "margin", "health", "up", "rate since", "why"];
    out.table(&headings, rows.collect(), "there were no operators");
}

/// What a rule says, without what it does not say.
fn said(rule: &Json, half: &str) -> String {
    let Some(Json::Object(fields)) = rule.get(half) else { return "(this version is not kept any more)".to_owned() };
    let is_said = |value: &Json| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty());
    let told: Vec<String> =
        fields.iter().filter(|(_, value)| is_said(value)).map(|(name, value)| format!("{name} {value}")).collect();
    if told.is_empty() { "anything".to_owned() } else { told.join(", ") }
}

/// A candidate with the date of its rate, where that is known.
pub(super) fn candidate_row(candidate: &Json, rates: &[Json]) -> Vec<Value> {
    let mood = match candidate.get("rank").and_then(Json::as_u64) {
        Some(1) => Mood::Good,
        Some(_) => Mood::Plain,
        None => Mood::Bad,
    };
    let rate = rates.iter().find(|rate| text(rate, "id") == text(candidate, "rate_id"));
    let cells = [
        text(candidate, "rank"),
        text(candidate, "operator"),
        format!("{} {}", text(candidate, "cost"), text(candidate, "currency")).trim().to_owned(),
        text(candidate, "margin"),
        text(candidate, "health_permille"),
        text(candidate, "bound"),
        rate.map(|rate| text(rate, "effective_from")).unwrap_or_default(),
        text(candidate, "reason"),
    ];
    cells.iter().map(|cell| Value::with(mood, cell)).collect()
}

fn timeline(told: &Json, out: &Output) {
    let events = list(told, "events").iter().map(|event| {
        vec![
            text(event, "at").into(),
            state(&text(event, "state")),
            text(event, "segment").into(),
            text(event, "source").into(),
            text(event, "code").into(),
        ]
    });
    line("");
    out.table(&["at", "state", "segment", "source", "code"], events.collect(), "nothing happened yet");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_way_of_a_message_is_a_line() {
        let hops = json!([{"hop": 0, "operator": "Ucell", "outcome": "refused with SMPP status 0x00000045"},
            {"hop": 1, "outcome": "taken, delivered"}]);
        for (told, expected) in [
            (json!({"from": "Chappe", "to": "+99893", "state": "rejected", "hops": []}), "(Chappe) ──✕ (+99893)"),
            (
                json!({"from": "Chappe", "to": "+99893", "state": "delivered", "hops": hops}),
                "(Chappe) ──► [Ucell: refused with SMPP status 0x00000045] ──► [operator 1: taken, delivered] ──► (+99893)",
            ),
        ] {
            assert_eq!(path(&told), expected);
        }
    }

    #[test]
    fn a_tariff_without_a_network_holds_everywhere_else() {
        for (tariff, expected) in [
            (json!({"mcc_mnc": "43405", "effective_from": "2020-01-01T00:00:00.000Z"}), "43405"),
            (json!({"mcc_mnc": null, "effective_from": "2020-01-01T00:00:00.000Z"}), "everywhere else"),
            (json!({"mcc_mnc": null, "effective_from": null}), ""),
        ] {
            assert_eq!(place(&tariff), expected, "{tariff}");
        }
    }

    #[test]
    fn a_rule_is_told_without_what_it_does_not_say() {
        let rule = json!({"when": {"accounts": [], "networks": ["434"], "segments_min": null}, "then": {}});
        assert_eq!(
            (said(&rule, "when"), said(&rule, "then")),
            ("networks [\"434\"]".to_owned(), "anything".to_owned())
        );
    }
}
