//! `chappe rates losses`: what would lose money.

use anyhow::Result;
use clap::Args;

use crate::cli::{Api, Common};
use crate::client::{Client, list, text};
use crate::output::{Mood, Output, Value, line, print_json};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The first moment that is looked at, and the seven days after it; the next midnight (UTC) when not given
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    #[command(flatten)]
    api: Api,
}

pub(super) async fn run(common: &Common, options: Options, out: &Output) -> Result<()> {
    let query: Vec<(&str, String)> = options.at.clone().map(|at| ("at", at)).into_iter().collect();
    let losses = Client::new(common, &options.api)?.get("/v1/reports/losses", &query).await?;
    if out.is_json() {
        return print_json(&losses);
    }
    let rows = list(&losses, "data").iter().map(|one| {
        let avoidable = one["is_avoidable"] == serde_json::Value::Bool(true);
        let mood = if avoidable { Mood::Open } else { Mood::Bad };
        let cheapest = format!("{} {}", text(one, "cheapest_operator"), text(one, "cheapest_cost"));
        vec![
            text(one, "from").into(),
            text(one, "account_id").into(),
            format!("{}{}", text(one, "mcc"), text(one, "mnc")).into(),
            text(one, "operator").into(),
            text(one, "segments").into(),
            text(one, "earned").into(),
            text(one, "cost").into(),
            cheapest.trim().to_owned().into(),
            Value::with(mood, &text(one, "loss_per_segment")),
            Value::with(mood, &format!("{} {}", text(one, "loss"), text(one, "currency"))),
        ]
    });
    let headings = [
        "from",
        "account",
        "network",
        "operator",
        "segments",
        "earned",
        "cost",
        "cheapest",
        "loss each",
        "loss a week",
    ];
    out.table(&headings, rows.collect(), "nothing of last week's traffic would lose money");
    let unknown = text(&losses, "not_comparable");
    if !matches!(unknown.as_str(), "" | "0") {
        line(&format!("{unknown} routes cost in another currency than they earn: nobody can say"));
    }
    Ok(())
}
