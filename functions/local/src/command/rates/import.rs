//! `chappe rates import`: upload, show, and where that is asked for, apply.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value as Json, json};

use crate::cli::{Api, Common};
use crate::client::{Client, list, text};
use crate::output::{Mood, Output, Progress, Value, line, print_json};

/// Lines that one call asks for.
const PAGE: usize = 1_000;
/// Lines that are kept to be shown; a sheet has no more.
const LINES_MAX: usize = 100_000;

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct Options {
    /// Whose rates they are: the operator's name or id
    operator: String,
    /// The sheet: CSV or XLSX
    file: PathBuf,
    /// Show what it would change, and no more; this is what happens without --apply, too
    #[arg(long, conflicts_with = "apply")]
    dry_run: bool,
    /// Apply it when no row is broken or refused
    #[arg(long)]
    apply: bool,
    /// Apply the rest where rows are broken or refused
    #[arg(long, requires = "apply")]
    leave_out: bool,
    /// It lists everything: close what it does not list, and take back what it does not confirm
    #[arg(long)]
    whole: bool,
    /// When the supplier's message came, such as 2026-11-27T09:00:00Z; now when not given
    #[arg(long, value_name = "TIME")]
    received_at: Option<String>,
    /// From when rows hold that say no date; from receipt when not given
    #[arg(long, value_name = "TIME")]
    effective_from: Option<String>,
    /// Show rows without a change, too
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    api: Api,
}

pub(super) async fn run(common: &Common, options: Options, out: &Output) -> Result<()> {
    let client = Client::new(common, &options.api)?;
    let bytes =
        tokio::fs::read(&options.file).await.with_context(|| format!("cannot read {}", options.file.display()))?;
    let operator = client.find_operator(&options.operator).await?;
    let name = options.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut query = vec![("name", name)];
    query.extend(options.received_at.clone().map(|at| ("received_at", at)));
    query.extend(options.effective_from.clone().map(|at| ("effective_from", at)));
    query.extend(options.whole.then(|| ("is_whole", "true".to_owned())));
    let path = format!("/v1/operators/{operator}/rate-sheets");
    let mut sheet = client.upload(&path, &query, bytes).await?;
    let id = text(&sheet, "id");
    let lines = lines(&client, &id, &sheet, out).await?;
    if options.apply {
        let body = json!({"leave_out": options.leave_out});
        let applied = client.post(&format!("/v1/rate-sheets/{id}/apply"), &body).await;
        match applied {
            Ok(applied) => sheet = applied,
            Err(error) => {
                show(&sheet, &lines, options.all, out)?;
                bail!("the sheet {id} is not applied: {error:#}");
            }
        }
    }
    show(&sheet, &lines, options.all, out)
}

/// Every line of the sheet, with a bar on a terminal.
async fn lines(client: &Client, id: &str, sheet: &Json, out: &Output) -> Result<Vec<Json>> {
    let summary = &sheet["summary"];
    let counts = summary.as_object().into_iter().flat_map(|summary| summary.values()).filter_map(Json::as_u64);
    let total = usize::try_from(counts.sum::<u64>()).unwrap_or(LINES_MAX).min(LINES_MAX);
    let mut bar = Progress::new(out, "reading the comparison", total);
    let (mut lines, mut query) = (Vec::new(), vec![("limit", PAGE.to_string())]);
    while lines.len() < LINES_MAX {
        let page = client.get(&format!("/v1/rate-sheets/{id}/lines"), &query).await?;
        lines.extend(list(&page, "data").iter().cloned());
        bar.at(lines.len());
        let Some(next) = page["next_cursor"].as_str() else { break };
        query.truncate(1);
        query.push(("cursor", next.to_owned()));
    }
    Ok(lines)
}

fn show(sheet: &Json, lines: &[Json], all: bool, out: &Output) -> Result<()> {
    if out.is_json() {
        return print_json(&json!({"sheet": sheet, "lines": lines}));
    }
    let shown = lines.iter().filter(|one| all || !matches!(text(one, "kind").as_str(), "unchanged" | "skipped"));
    let headings = ["row", "what", "network", "name", "old", "new", "currency", "from", "week's margin", "why"];
    out.table(&headings, shown.map(row).collect(), "the sheet changes nothing");
    line("");
    let summary = &sheet["summary"];
    let counts = ["new", "up", "down", "currency", "closed", "unchanged", "refused", "broken", "skipped"];
    let counts: Vec<String> = counts.iter().map(|kind| format!("{} {kind}", text(summary, kind))).collect();
    line(&counts.join(", "));
    for total in list(summary, "impact") {
        let (difference, currency) = (text(total, "difference"), text(total, "currency"));
        let mood = if difference.starts_with('-') { Mood::Good } else { Mood::Bad };
        let told = format!("the traffic of last week would cost {difference} {currency} more");
        line(&out.coloured(&Value::with(mood, &told)));
    }
    if summary["closings_withheld"] == Json::Bool(true) {
        line("nothing is closed: broken rows may list what seems to be missing");
    }
    line(&format!("{} is {}", text(sheet, "id"), text(sheet, "state")));
    Ok(())
}

fn row(one: &Json) -> Vec<Value> {
    let kind = text(one, "kind");
    let mood = match kind.as_str() {
        "up" | "broken" | "refused" => Mood::Bad,
        "down" | "new" => Mood::Good,
        "closed" | "currency" => Mood::Open,
        _ => Mood::Plain,
    };
    let margin = &one["impact"];
    let margin = match (text(margin, "old_margin"), text(margin, "new_margin")) {
        (old, new) if old.is_empty() && new.is_empty() => String::new(),
        (old, new) => format!("{old} -> {new}"),
    };
    let why: Vec<String> = ["reason", "column", "cell", "hint"]
        .map(|name| text(one, name))
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    let moved = if one["moved_from"].is_null() { "" } else { " (moved)" };
    let from: String = text(one, "effective_from").chars().take("2026-01-01T00:00".len()).collect();
    vec![
        text(one, "row").into(),
        Value::with(mood, &kind),
        format!("{}{}", text(one, "mcc"), text(one, "mnc")).into(),
        text(one, "name").into(),
        text(one, "old_price").into(),
        text(one, "price").into(),
        text(one, "currency").into(),
        format!("{from}{moved}").into(),
        margin.into(),
        why.join(": ").into(),
    ]
}
