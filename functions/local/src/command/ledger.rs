//! `chappe ledger`: checks the books, and seals what was written to them.

use std::io::{IsTerminal as _, Write as _};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use chrono::Utc;
use clap::{Args, Subcommand};
use serde_json::json;
use store::ledger::{Audit, Extent, Progress, Violation};

use crate::cli::Common;
use crate::database;
use crate::output::{Mood, Output, Value, line, print_json};

const EXAMPLES: &str = "\
Checks on one snapshot that every entry is as it was sealed and sums to zero, that wallets are the fold of their journal,
that open messages and holds agree, and that journal, messages, CDRs and the counters of reports say the same. With
--incremental it goes on from the last check that found nothing. Ends with 1 where the books are wrong.

Keep the number and the hash of the last seal elsewhere: as long as they come again, nobody replaced what was before.

Examples:
  chappe ledger verify
  chappe ledger verify --incremental
  chappe ledger verify --json | jq .violations";

/// Columns of the progress bar.
const BAR_COLUMNS: i64 = 30;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Check every invariant of money
    #[command(after_help = EXAMPLES)]
    Verify(Verify),
    /// Seal what was written to the journal; the timers do so by themselves
    Seal,
}

#[derive(Debug, Args)]
struct Verify {
    /// Only what came since the last check that found nothing
    #[arg(long)]
    incremental: bool,
}

pub(crate) async fn run(common: &Common, options: Options, out: &Output) -> Result<()> {
    match options.action {
        Action::Verify(options) => verify(common, &options, out).await,
        Action::Seal => seal(common, out).await,
    }
}

async fn seal(common: &Common, out: &Output) -> Result<()> {
    let db = database::open(common)?;
    let sealed = store::ledger::seal(&db, Utc::now(), store::ledger::GRACE).await.context("cannot seal the journal")?;
    if out.is_json() {
        return print_json(&json!({"seals": sealed.seals, "entries": sealed.entries, "late": sealed.late}));
    }
    line(&format!("{} seals over {} entries, {} of them late", sealed.seals, sealed.entries, sealed.late));
    Ok(())
}

async fn verify(common: &Common, options: &Verify, out: &Output) -> Result<()> {
    let db = database::open(common)?;
    let extent = if options.incremental { Extent::Incremental } else { Extent::Full };
    let (started, bar) = (Instant::now(), Bar::new(out));
    let audit = store::ledger::audit(&db, extent, Utc::now(), &mut |progress| bar.show(&progress, started)).await;
    bar.clear();
    let audit = audit.context("cannot check the ledger")?;
    let seconds = Seconds(started.elapsed());
    if out.is_json() {
        print_json(&as_json(&audit, seconds))?;
    } else {
        show(&audit, seconds, out);
    }
    if !audit.violations.is_empty() {
        bail!("{} findings in the ledger", audit.violations.len());
    }
    Ok(())
}

fn show(audit: &Audit, took: Seconds, out: &Output) {
    if audit.violations.is_empty() {
        line("the books are right");
    } else {
        let row = |one: &Violation| vec![Value::with(Mood::Bad, &one.rule), (&one.found).into()];
        out.table(&["broken rule", "found"], audit.violations.iter().map(row).collect(), "");
    }
    let extent = if audit.extent == Extent::Full { "everything" } else { "what came since the last check" };
    let (lines, seals, rate) = (audit.lines, audit.seals, took.rate(audit.lines));
    line(&format!("checked {extent}: {lines} sealed lines under {seals} seals in {took}, {rate} lines/s"));
    if audit.head.0 > 0 {
        line(&format!("last seal {}: {}", audit.head.0, audit.head.1));
    }
}

fn as_json(audit: &Audit, took: Seconds) -> serde_json::Value {
    let violation = |one: &Violation| json!({ "rule": one.rule, "found": one.found });
    json!({
        "violations": audit.violations.iter().map(violation).collect::<Vec<_>>(),
        "extent": if audit.extent == Extent::Full { "full" } else { "incremental" },
        "lines": audit.lines,
        "seals": audit.seals,
        "milliseconds": u64::try_from(took.0.as_millis()).unwrap_or(u64::MAX),
        "last_seal": {"sequence": audit.head.0, "hash": audit.head.1},
    })
}

/// A time as people read it: one digit behind the point.
#[derive(Debug, Clone, Copy)]
struct Seconds(std::time::Duration);

impl Seconds {
    /// How many in one second.
    fn rate(self, lines: i64) -> i128 {
        i128::from(lines) * 1000 / i128::try_from(self.0.as_millis().max(1)).unwrap_or(i128::MAX)
    }
}

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{} s", self.0.as_secs(), self.0.subsec_millis() / 100)
    }
}

/// The line at the bottom that moves, on a terminal only.
#[derive(Debug)]
struct Bar {
    is_shown: bool,
}

impl Bar {
    fn new(out: &Output) -> Self {
        Self { is_shown: !out.is_json() && std::io::stderr().is_terminal() }
    }

    fn show(&self, at: &Progress, started: Instant) {
        if !self.is_shown {
            return;
        }
        let rate = Seconds(started.elapsed()).rate(at.lines);
        let lines = match at.step {
            1 => format!("{} {}/{} lines, {rate}/s", bar(at.lines, at.lines_total), at.lines, at.lines_total),
            _ => String::new(),
        };
        let _ = write!(std::io::stderr(), "\r\x1b[K[{}/{}] {} {lines}", at.step, at.steps, at.rule);
    }

    fn clear(&self) {
        if self.is_shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

fn bar(done: i64, of: i64) -> String {
    let filled = (done.saturating_mul(BAR_COLUMNS) / of.max(1)).clamp(0, BAR_COLUMNS);
    let part = |columns: i64, sign: &str| sign.repeat(usize::try_from(columns).unwrap_or_default());
    format!("{}{}", part(filled, "█"), part(BAR_COLUMNS - filled, "░"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_rates_are_whole() {
        let took = Seconds(std::time::Duration::from_millis(2_549));
        assert_eq!(took.to_string(), "2.5 s");
        assert_eq!((took.rate(2_549), took.rate(0)), (1000, 0));
        assert_eq!(bar(1, 2), format!("{}{}", "█".repeat(15), "░".repeat(15)));
        assert_eq!(bar(9, 0), "█".repeat(30));
    }
}
