//! `chappe cdr`: CDRs of a time into a file, made by the platform in the background.

mod download;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::cli::{Api, Common};
use crate::client::{Client, Refused, text};
use crate::exit::Misused;
use crate::output::{Output, line, print_json};
use crate::progress::Progress;

/// How often the platform is asked how far it is.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// Questions without an answer one after the other, then the command gives up; the platform goes on.
const UNANSWERED_MAX: u32 = 20;

const EXAMPLES: &str = "\
A CDR names what a dispute needs: times, ids of both sides, receipts as they came, how segments were numbered, prices and
the rows that they come from, refunds, and the journal. Columns of money add up to the statement.

Examples:
  chappe cdr export --from 2026-11-01T00:00:00Z --to 2026-12-01T00:00:00Z -o november.csv
  chappe cdr export --from 2026-11-27T00:00:00Z --to 2026-11-28T00:00:00Z --country UZ --format ndjson | jq .state
  chappe exports                               what was asked for, and how far it is
  chappe cdr fetch exp_… -o november.csv       wait for it and fetch it; what broke off goes on";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a file of CDRs and fetch it
    #[command(after_help = EXAMPLES)]
    Export(Box<Export>),
    /// Fetch a file that was asked for before
    Fetch(Fetch),
}

#[derive(Debug, Args)]
struct Export {
    /// Of messages accepted at this time or later (RFC 3339)
    #[arg(long, value_name = "TIME")]
    from: String,
    /// And before this
    #[arg(long, value_name = "TIME")]
    to: String,
    /// Where it goes; to standard output when nothing is said
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How records are written
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// Pack it
    #[arg(long)]
    gzip: bool,
    /// Of this account and all below it
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// To this country, by its two letters
    #[arg(long, value_name = "ISO")]
    country: Option<String>,
    /// To this network, by MCC and MNC
    #[arg(long, value_name = "MCCMNC")]
    network: Option<String>,
    /// Carried by this operator at last
    #[arg(long, value_name = "ID")]
    operator: Option<String>,
    /// That ended so
    #[arg(long)]
    state: Option<String>,
    #[command(flatten)]
    api: Api,
}

/// How records are written.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// A line each, below the names of the columns
    Csv,
    /// A JSON object each
    Ndjson,
}

#[derive(Debug, Args)]
struct Fetch {
    /// Its id, `exp_…`
    id: String,
    /// Where it goes; to standard output when nothing is said
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    api: Api,
}

pub(crate) async fn run(common: &Common, options: Options, out: &Output) -> Result<()> {
    match options.action {
        Action::Export(export) => {
            let client = Client::new(common, &export.api)?;
            check(export.output.as_deref())?;
            let made = client.post("/v1/exports", &body(&export)).await?;
            bring(&client, &text(&made, "id"), export.output.as_deref(), out).await
        }
        Action::Fetch(fetch) => {
            let client = Client::new(common, &fetch.api)?;
            check(fetch.output.as_deref())?;
            bring(&client, &fetch.id, fetch.output.as_deref(), out).await
        }
    }
}

/// A file that cannot be written is told before anything is made.
fn check(output: Option<&Path>) -> Result<()> {
    let folder = output.and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty());
    match folder {
        Some(folder) if !folder.is_dir() => Err(Misused(format!("there is no folder {}", folder.display())).into()),
        _ => Ok(()),
    }
}

fn body(export: &Export) -> Value {
    let format = match export.format {
        Format::Csv => "csv",
        Format::Ndjson => "ndjson",
    };
    json!({"kind": "cdr", "from": export.from, "to": export.to, "format": format, "gzip": export.gzip,
        "account_id": export.account, "country": export.country, "network": export.network,
        "operator_id": export.operator, "state": export.state})
}

/// Waits for an export and fetches it.
async fn bring(client: &Client, id: &str, output: Option<&Path>, out: &Output) -> Result<()> {
    let file = output.map(|file| format!(" -o {}", file.display())).unwrap_or_default();
    out.progress(&format!("after an interruption: chappe cdr fetch {id}{file}"));
    let path = format!("/v1/exports/{id}");
    let done = wait(client, &path).await?;
    download::fetch(client, &path, &done, output)
        .await
        .with_context(|| format!("`chappe cdr fetch {id}{file}` goes on"))?;
    match output {
        Some(_) if out.is_json() => print_json(&done)?,
        Some(file) => line(&format!("{} records in {}", text(&done, "rows_done"), file.display())),
        None => {}
    }
    Ok(())
}

/// Waits until it is made, and shows how far it is. A platform that does not answer for a while is asked again.
async fn wait(client: &Client, path: &str) -> Result<Value> {
    let mut progress = Progress::new("exporting");
    let number = |export: &Value, member: &str| export.get(member).and_then(Value::as_u64).unwrap_or(0);
    let mut unanswered = 0;
    loop {
        match client.get(path, &[]).await {
            Ok(export) => {
                unanswered = 0;
                progress.show(number(&export, "rows_done"), number(&export, "rows_total"));
                match text(&export, "state").as_str() {
                    "queued" | "running" => {}
                    "done" => return Ok(export),
                    state => bail!("the export is {state}: {}", text(&export, "error")),
                }
            }
            Err(error) if error.is::<Refused>() || unanswered == UNANSWERED_MAX => return Err(error),
            Err(_) => unanswered += 1,
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_is_told_at_once() {
        let folder = std::env::temp_dir();
        let rows = [
            (None, true),
            (Some(PathBuf::from("november.csv")), true),
            (Some(folder.join("november.csv")), true),
            (Some(folder.join("nowhere-at-all/november.csv")), false),
        ];
        for (output, good) in rows {
            assert_eq!(check(output.as_deref()).is_ok(), good, "{output:?}");
        }
    }
}
