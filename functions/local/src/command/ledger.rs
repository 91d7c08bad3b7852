//! `chappe ledger verify`: checks the books against everything that is stored.

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use store::ledger::Violation;

use crate::cli::Common;
use crate::database;
use crate::output::{Mood, Output, Value, line, print_json};

const EXAMPLES: &str = "\
Checks on one snapshot that every entry sums to zero, that wallets are the fold of their journal, that open
messages and holds agree, and that journal, messages and CDRs say the same. Ends with 1 where they do not.

Examples:
  chappe ledger verify
  chappe ledger verify --json | jq length";

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Check every invariant of money
    #[command(after_help = EXAMPLES)]
    Verify,
}

pub(crate) async fn run(common: &Common, options: Options, out: &Output) -> Result<()> {
    let Action::Verify = options.action;
    let db = database::open(common)?;
    let violations = store::ledger::verify(&db).await.context("cannot check the ledger")?;
    if out.is_json() {
        print_json(&violations.iter().map(as_json).collect::<Vec<_>>())?;
    } else if violations.is_empty() {
        line("the books are right");
    } else {
        let rows = violations.iter().map(|one| vec![Value::with(Mood::Bad, &one.rule), (&one.found).into()]);
        out.table(&["broken rule", "found"], rows.collect(), "");
    }
    if !violations.is_empty() {
        bail!("{} findings in the ledger", violations.len());
    }
    Ok(())
}

fn as_json(violation: &Violation) -> serde_json::Value {
    json!({ "rule": violation.rule, "found": violation.found })
}
