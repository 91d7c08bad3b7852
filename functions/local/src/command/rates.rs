//! `chappe rates`: suppliers' rate sheets and what would lose money, for people of the house.

mod import;
mod losses;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::{Api, Common};
use crate::client::{Client, text};
use crate::output::{Output, line, print_json};

const EXAMPLES: &str = "\
Examples:
  chappe rates import Ucell november.xlsx           compare it with the rates in force; nothing is changed
  chappe rates import Ucell november.csv --apply    and apply it, where no row is broken
  chappe rates apply sheet_01k… --leave-out         apply it without its broken rows
  chappe rates undo sheet_01k… --reason \"a correction came\"
  chappe rates losses                               what would lose money from tomorrow on

Which column is which is saved for each operator: PUT /v1/operators/{id}/rate-sheet-rules.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Upload a rate sheet (CSV or XLSX) and show what it changes
    Import(import::Options),
    /// Approve a sheet that somebody else uploaded
    Approve(Step),
    /// Apply a sheet, as a whole
    Apply(Apply),
    /// Take a sheet back before it is in force
    Undo(End),
    /// Reject a sheet that is not applied
    Reject(End),
    /// Show what would lose money tomorrow and in the days after
    Losses(losses::Options),
}

#[derive(Debug, Args)]
struct Step {
    /// The sheet
    id: String,
    #[command(flatten)]
    api: Api,
}

#[derive(Debug, Args)]
struct Apply {
    #[command(flatten)]
    step: Step,
    /// Without the rows that are broken or refused
    #[arg(long)]
    leave_out: bool,
}

#[derive(Debug, Args)]
struct End {
    #[command(flatten)]
    step: Step,
    /// Why, for the record
    #[arg(long)]
    reason: String,
}

pub(crate) async fn run(common: &Common, options: Options, out: &Output) -> Result<()> {
    match options.command {
        Command::Import(options) => import::run(common, options, out).await,
        Command::Losses(options) => losses::run(common, options, out).await,
        Command::Approve(step) => act(common, &step, "approve", &json!({}), out).await,
        Command::Apply(Apply { step, leave_out }) => {
            act(common, &step, "apply", &json!({"leave_out": leave_out}), out).await
        }
        Command::Undo(End { step, reason }) => act(common, &step, "undo", &json!({"reason": reason}), out).await,
        Command::Reject(End { step, reason }) => act(common, &step, "reject", &json!({"reason": reason}), out).await,
    }
}

async fn act(common: &Common, step: &Step, verb: &str, body: &serde_json::Value, out: &Output) -> Result<()> {
    let client = Client::new(common, &step.api)?;
    let sheet = client.post(&format!("/v1/rate-sheets/{}/{verb}", step.id), body).await?;
    if out.is_json() {
        return print_json(&sheet);
    }
    line(&format!("{} is {}", text(&sheet, "id"), text(&sheet, "state")));
    Ok(())
}
