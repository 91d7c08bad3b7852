//! `make bench-books`: how long the books of many messages take to seal and to check, and whether one altered row among
//! them is found.
//!
//! The books are made in the database: messages of a reseller tree, each accepted and billed alone, which takes eight
//! journal lines in two entries. Batches take fewer lines for a message; so this is the dearest case.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};
use tokio::process::Command;
use uuid::Uuid;

use crate::options::{Options, number};
use crate::print;

/// Journal lines of one message.
const LINES_OF_ONE: i64 = 8;
/// Messages that one statement makes.
const STEP: i64 = 50_000;
/// One message a second until an hour ago, and then ten a second until ten minutes ago.
const BEFORE: (i64, i64) = (1_000, 3_600_000);
const SINCE: (i64, i64) = (100, 600_000);
/// How long a command may take.
const LIMIT: Duration = Duration::from_hours(1);

/// A house, ten resellers and a hundred clients, each with its price chain and money enough.
const TREE: &str = include_str!("ledger/tree.sql");
/// Messages `$1` to `$2` of `$3`, with their CDRs and journal lines: one in `$4` ms, the last one `$5` ms ago.
const MESSAGES: &str = include_str!("ledger/messages.sql");
/// Wallets as the fold of what was written.
const WALLETS: &str = include_str!("ledger/wallets.sql");

pub(crate) fn main() -> Result<()> {
    let options = Options::read().context(crate::options::HELP)?;
    let lines = i64::try_from(number("BENCH_LINES", 10_000_000)?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let database = testkit::Database::fresh().await;
        measure(&options, &database.url(), (lines / LINES_OF_ONE).max(1)).await
    })
}

async fn measure(options: &Options, url: &str, messages: i64) -> Result<()> {
    let mut db = PgConnection::connect(url).await.context("cannot connect to the database")?;
    let started = Instant::now();
    fill(&mut db, messages).await?;
    let lines: i64 = sqlx::query_scalar("SELECT count(*) FROM balance_ledger").fetch_one(&mut db).await?;
    let size: String =
        sqlx::query_scalar("SELECT pg_size_pretty(pg_database_size(current_database()))").fetch_one(&mut db).await?;
    print(&format!("{messages} messages, {lines} journal lines, {size}: made in {}", seconds(started)));

    let started = Instant::now();
    let mut entries = 0;
    loop {
        let sealed = ask(options, url, &["ledger", "seal"]).await?.0;
        entries += sealed["entries"].as_i64().unwrap_or_default();
        if sealed["seals"] == 0 {
            break;
        }
    }
    print(&format!("sealed {entries} entries in {}", seconds(started)));

    checked(options, url, "full", &["ledger", "verify"]).await?;
    checked(options, url, "incremental, nothing new", &["ledger", "verify", "--incremental"]).await?;
    fill_more(&mut db, messages).await?;
    ask(options, url, &["ledger", "seal"]).await?;
    checked(options, url, "incremental, 1 % more", &["ledger", "verify", "--incremental"]).await?;
    alter_one(&mut db, options, url).await
}

async fn fill(db: &mut PgConnection, messages: i64) -> Result<()> {
    sqlx::raw_sql(TREE).execute(&mut *db).await.context("the tree")?;
    make(db, 0, messages, BEFORE).await?;
    sqlx::raw_sql(WALLETS).execute(&mut *db).await.context("the wallets")?;
    sqlx::raw_sql("VACUUM ANALYZE").execute(&mut *db).await?;
    Ok(())
}

async fn make(db: &mut PgConnection, from: i64, to: i64, (spacing_ms, ago_ms): (i64, i64)) -> Result<()> {
    for start in (from..to).step_by(usize::try_from(STEP)?) {
        let statements = MESSAGES
            .replace("$1", &start.to_string())
            .replace("$2", &(start + STEP).min(to).to_string())
            .replace("$3", &to.to_string())
            .replace("$4", &spacing_ms.to_string())
            .replace("$5", &ago_ms.to_string());
        sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(&mut *db).await.context("the messages")?;
    }
    Ok(())
}

/// A hundredth more, behind all of it.
async fn fill_more(db: &mut PgConnection, messages: i64) -> Result<()> {
    make(db, messages, messages + (messages / 100).max(1), SINCE).await?;
    sqlx::raw_sql(WALLETS).execute(&mut *db).await?;
    Ok(())
}

/// Changes one line in the middle in a way that no sum shows, and looks whether the check names its entry.
async fn alter_one(db: &mut PgConnection, options: &Options, url: &str) -> Result<()> {
    let middle = "SELECT first_entry_id FROM journal_seals ORDER BY sequence OFFSET (SELECT count(*) / 2 FROM journal_seals) LIMIT 1";
    let entry: Uuid = sqlx::query_scalar(middle).fetch_one(&mut *db).await?;
    let alter = "UPDATE balance_ledger SET messages = messages + 1 WHERE entry_id = $1 AND line = 1";
    ensure!(sqlx::query(alter).bind(entry).execute(db).await?.rows_affected() == 1, "nothing to alter");
    let started = Instant::now();
    let (report, is_right) = ask(options, url, &["ledger", "verify"]).await?;
    let found = report["violations"].as_array().context("no violations in the answer")?;
    let names_it = found.iter().any(|one| one["found"].as_str().is_some_and(|said| said.contains(&entry.to_string())));
    ensure!(!is_right && found.len() == 1 && names_it, "one altered line was not found: {report}");
    print(&format!("one altered line found in {}: {}", seconds(started), found[0]["found"]));
    Ok(())
}

async fn checked(options: &Options, url: &str, name: &str, args: &[&str]) -> Result<()> {
    let started = Instant::now();
    let (report, is_right) = ask(options, url, args).await?;
    ensure!(is_right, "the books are wrong: {report}");
    let lines = report["lines"].as_i64().unwrap_or_default();
    let rate = u128::try_from(lines)? * 1000 / started.elapsed().as_millis().max(1);
    print(&format!("{name}: {lines} lines under {} seals in {}, {rate} lines/s", report["seals"], seconds(started)));
    Ok(())
}

/// What a command answers, and whether it ended well.
async fn ask(options: &Options, url: &str, args: &[&str]) -> Result<(Value, bool)> {
    let mut command = Command::new(&options.program);
    command.args(args).arg("--json").env("DATABASE_URL", url).env_remove("QUEUE_URL").kill_on_drop(true);
    let output = tokio::time::timeout(LIMIT, command.output()).await.context("no end after an hour")??;
    let said = String::from_utf8_lossy(&output.stdout);
    match serde_json::from_str(&said) {
        Ok(json) => Ok((json, output.status.success())),
        Err(_) => bail!("chappe {}: {said}{}", args.join(" "), String::from_utf8_lossy(&output.stderr)),
    }
}

fn seconds(since: Instant) -> String {
    let elapsed = since.elapsed();
    format!("{}.{} s", elapsed.as_secs(), elapsed.subsec_millis() / 100)
}
