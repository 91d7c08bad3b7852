//! `chappe numbers import`: prefixes, or numbers that moved, from a CSV file of any size.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use crate::cli::{Api, Common};
use crate::client::Client;
use crate::output::{Output, line, print_json};
use crate::progress::Progress;

/// Lines of one request.
const PART_LINES: usize = 50_000;

const EXAMPLES: &str = "\
The first line names the columns:
  prefixes:   prefix, mcc, mnc, operator_name       (mnc and operator_name may be missing)
  overrides:  number, mcc, mnc, source, expires_at  (mnc, source and expires_at may be missing; a line whose mcc and
              mnc are empty forgets the number)

The whole file is checked before anything is stored. A file of more than 50,000 lines is then stored in parts, each of
them whole or not at all. What was stored is in force within seconds, without a restart.

Examples:
  chappe numbers import overrides portability.csv
  chappe numbers import prefixes plan.csv --dry-run";

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Import prefixes, or numbers that moved to another network
    #[command(after_help = EXAMPLES)]
    Import(Import),
}

#[derive(Debug, Args)]
struct Import {
    /// What the lines are
    kind: Kind,
    /// A CSV file
    file: PathBuf,
    /// Only say what is wrong; store nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    api: Api,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Prefixes,
    Overrides,
}

impl Kind {
    const fn path(self) -> &'static str {
        match self {
            Self::Prefixes => "/v1/prefixes/import",
            Self::Overrides => "/v1/number-overrides/import",
        }
    }
}

pub(crate) async fn run(common: &Common, options: Options, out: &Output) -> Result<()> {
    let Action::Import(import) = options.action;
    let text = std::fs::read_to_string(&import.file);
    let text = text.with_context(|| format!("cannot read {}", import.file.display()))?;
    let (header, parts) = parts(&text)?;
    let client = Client::new(common, &import.api)?;
    let total: usize = parts.iter().map(|(_, lines)| lines.len()).sum();
    send(&client, &import, (header, &parts, total), true).await?;
    if !import.dry_run {
        send(&client, &import, (header, &parts, total), false).await?;
    }
    if out.is_json() {
        return print_json(&json!({ "lines": total, "dry_run": import.dry_run }));
    }
    let done = if import.dry_run { "are good; nothing was stored" } else { "imported" };
    line(&format!("{total} lines {done}"));
    Ok(())
}

/// A part of the file: the number of the line before its first one, and its lines.
type Part<'a> = (usize, Vec<&'a str>);

/// The names of the columns, and the lines behind them in parts.
fn parts(text: &str) -> Result<(&str, Vec<Part<'_>>)> {
    let mut lines = text.lines();
    let header = lines.next().filter(|header| !header.trim().is_empty()).context("the file is empty")?;
    let lines: Vec<&str> = lines.collect();
    ensure!(!lines.is_empty(), "the file has no line behind the names of its columns");
    let parts = lines.chunks(PART_LINES).enumerate();
    Ok((header, parts.map(|(at, lines)| (1 + at * PART_LINES, lines.to_vec())).collect()))
}

async fn send(
    client: &Client,
    import: &Import,
    (header, parts, total): (&str, &[Part<'_>], usize),
    dry_run: bool,
) -> Result<()> {
    let mut progress = Progress::new(if dry_run { "checking" } else { "importing" });
    let (mut done, total) = (0, u64::try_from(total)?);
    for (before, lines) in parts {
        progress.show(done, total);
        let body = format!("{header}\n{}\n", lines.join("\n"));
        let query = [("dry_run", dry_run.to_string()), ("first_line", before.to_string())];
        let sent = client.post_csv(import.kind.path(), &query, body).await;
        if sent.is_err() {
            progress.end();
        }
        sent.with_context(|| format!("{done} of {total} lines were {}", if dry_run { "checked" } else { "imported" }))?;
        done += u64::try_from(lines.len())?;
    }
    progress.show(done, total);
    progress.end();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_cut_behind_its_columns() {
        let lines = |count: usize| format!("number,mcc\n{}", "1,2\n".repeat(count));
        let cut = |text: &str| {
            parts(text).map(|(_, parts)| parts.iter().map(|(before, lines)| (*before, lines.len())).collect::<Vec<_>>())
        };
        assert!(cut("").is_err() && cut("number,mcc\n").is_err());
        assert_eq!(cut(&lines(1)).unwrap(), [(1, 1)]);
        assert_eq!(cut(&lines(PART_LINES)).unwrap(), [(1, PART_LINES)]);
        assert_eq!(cut(&lines(PART_LINES + 2)).unwrap(), [(1, PART_LINES), (1 + PART_LINES, 2)]);
    }
}
