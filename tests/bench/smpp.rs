//! `make bench-smpp`: customers over SMPP, through Chappe's server and client, to an operator and back.
//!
//! First the edge alone, with intake and queues in memory, to show its own ceiling; then the whole platform, where
//! every submit is answered when it is durable and paid for, and every message is receipted.

mod alone;
pub(crate) mod esme;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};

use crate::books::Books;
use crate::child::Child;
use crate::operator::Operator;
use crate::options::Options;
use crate::platform::Platform;
use crate::report::{per_second, ratio, table, thousandths};
use crate::setup::{self, Customer};
use crate::usage::{self, Ticks};
use crate::{print, say};
use esme::{Plan, Tally};

pub(crate) use alone::main as edge_alone;

/// Binds and windows of the runs.
const SHAPES: [(u32, u32); 4] = [(1, 10), (1, 100), (8, 10), (8, 100)];
/// Messages of a run of the edge alone.
const ALONE_MESSAGES: u64 = 1_000_000;
/// The aims: submits of the edge alone per second of processor time; receipted messages a second of the whole.
const ALONE_AIM: u64 = 150_000;
const WHOLE_AIM: u64 = 5_000;
/// After so long every edge knows a system that was made.
const SYSTEM_KNOWN_AFTER: Duration = Duration::from_secs(4);
/// The window of a run decides how many messages are worth waiting for.
const SMALL_WINDOW_PART: u64 = 4;

/// What one run showed.
struct Outcome {
    name: String,
    messages: u64,
    tally: Tally,
    chappe_us: u64,
    postgres_us: u64,
    load_us: u64,
    peak_kib: u64,
}

/// Everything, in this order.
pub(crate) fn main() -> Result<()> {
    let options = Options::read().context(crate::options::HELP)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        alone().await?;
        whole(&options).await
    })
}

async fn alone() -> Result<()> {
    let own = std::env::current_exe().context("where does this program lie?")?;
    let per_second_ticks = usage::ticks_per_second()?;
    let mut outcomes = Vec::new();
    for (binds, window) in SHAPES {
        let mut edge = Child::start("the edge alone", &own, &["edge-alone"], &[])?;
        let mut line = String::new();
        edge.output()?.read_line(&mut line).await?;
        let addr = line.trim().parse().with_context(|| format!("no address in {line:?}{}", edge.said()))?;
        let messages = if window < 100 { ALONE_MESSAGES / SMALL_WINDOW_PART } else { ALONE_MESSAGES };
        let plan = Plan {
            addr,
            system_id: alone::SYSTEM_ID.to_owned(),
            password: alone::PASSWORD.to_owned(),
            from: setup::SENDER.to_owned(),
            number_prefix: setup::NETWORKS[0].2.to_owned(),
            binds,
            window,
            messages,
            receipts: false,
        };
        say(&format!("the edge alone: {messages} messages, {binds} binds, window {window}"));
        let before = usage::of(edge.pid())?;
        let tally = load(&plan).await?;
        outcomes.push(Outcome {
            name: format!("{binds} x {window}"),
            messages,
            chappe_us: (usage::of(edge.pid())? - before).micros(per_second_ticks),
            postgres_us: 0,
            load_us: tally.cpu.micros(per_second_ticks),
            peak_kib: usage::peak_kib(edge.pid())?,
            tally,
        });
        edge.stop().await?;
    }
    print(
        "\nThe edge alone, intake and queues in memory: submit_sm a second, and for one second of its processor time\n",
    );
    let titles = [
        "binds x window",
        "submit_sm/s",
        "p50 ms",
        "p99 ms",
        "per core",
        "aim",
        "edge CPU/1,000",
        "load CPU/1,000",
        "MiB",
    ];
    let rows: Vec<Vec<String>> = outcomes.iter().map(alone_cells).collect();
    table(&titles, &rows);
    Ok(())
}

fn alone_cells(outcome: &Outcome) -> Vec<String> {
    let per_core = per_second(outcome.messages, outcome.chappe_us);
    vec![
        outcome.name.clone(),
        per_second(outcome.messages, outcome.tally.answered_us).to_string(),
        thousandths(outcome.tally.p50_us),
        thousandths(outcome.tally.p99_us),
        per_core.to_string(),
        ratio(per_core, ALONE_AIM),
        thousandths(outcome.chappe_us * 1000 / outcome.messages / 1000),
        thousandths(outcome.load_us * 1000 / outcome.messages / 1000),
        (outcome.peak_kib / 1024).to_string(),
    ]
}

async fn whole(options: &Options) -> Result<()> {
    let operator = Arc::new(Operator::start(&options.program, 0).await?);
    let platform = Platform::start(options, None).await?;
    let mut books = Books::open(&platform.database_url()?).await?;
    let customer = setup::run_for_smpp(platform.http, &operator).await.context("cannot make accounts and operators")?;
    let done = runs(&platform, &mut books, &customer, options).await;
    if done.is_err() {
        say(&format!("chappe said:{}", platform.process.said()));
    }
    platform.stop().await.and(done)
}

async fn runs(platform: &Platform, books: &mut Books, customer: &Customer, options: &Options) -> Result<()> {
    let ticks = usage::ticks_per_second()?;
    let plan = |binds, window, messages| Plan {
        addr: platform.smpp,
        system_id: customer.system_id.clone(),
        password: customer.password.clone(),
        from: setup::SENDER.to_owned(),
        number_prefix: setup::NETWORKS[0].2.to_owned(),
        binds,
        window,
        messages,
        receipts: true,
    };
    // An edge hears of a new system within a second or two; before that a bind counts as a wrong password.
    let _ = tokio::time::timeout(SYSTEM_KNOWN_AFTER, std::future::pending::<()>()).await;
    say("the whole platform: warm-up");
    load(&plan(4, 100, crate::WARM_UP)).await.context("at the warm-up")?;
    let mut outcomes = Vec::new();
    for (binds, window) in SHAPES {
        // A window of 10 answers when a batch is durable: that many messages would take minutes.
        let messages = if binds * window < 100 { options.messages / SMALL_WINDOW_PART } else { options.messages };
        say(&format!("the whole platform: {messages} messages, {binds} binds, window {window}"));
        let pid = platform.process.pid();
        usage::forget_peak(pid);
        let before: (Ticks, Ticks) = (usage::of(pid)?, usage::of_postgres_below(pid)?);
        let tally = load(&plan(binds, window, messages)).await?;
        let after = (usage::of(pid)?, usage::of_postgres_below(pid)?);
        outcomes.push(Outcome {
            name: format!("{binds} x {window}"),
            messages,
            chappe_us: (after.0 - before.0).micros(ticks),
            postgres_us: (after.1 - before.1).micros(ticks),
            load_us: tally.cpu.micros(ticks),
            peak_kib: usage::peak_kib(pid)?,
            tally,
        });
    }
    print("\nThe whole: ESME, server, intake, queues, client, operator, receipts back; durable and billed\n");
    let titles = [
        "binds x window",
        "accepted/s",
        "receipted/s",
        "aim",
        "p50 ms",
        "p99 ms",
        "chappe",
        "postgres",
        "both",
        "load",
        "MiB",
        "again",
    ];
    table(&titles, &outcomes.iter().map(whole_cells).collect::<Vec<_>>());
    crate::run::settled_books(books).await?;
    books.nothing_left().await?;
    print(&format!("\nchappe ledger verify: {}", platform.ask(&["ledger", "verify"]).await?.trim()));
    Ok(())
}

fn whole_cells(outcome: &Outcome) -> Vec<String> {
    let receipted = per_second(outcome.messages, outcome.tally.receipted_us);
    let each = |us: u64| thousandths(us / outcome.messages);
    vec![
        outcome.name.clone(),
        per_second(outcome.messages, outcome.tally.answered_us).to_string(),
        receipted.to_string(),
        ratio(receipted, WHOLE_AIM),
        thousandths(outcome.tally.p50_us),
        thousandths(outcome.tally.p99_us),
        each(outcome.chappe_us),
        each(outcome.postgres_us),
        each(outcome.chappe_us + outcome.postgres_us),
        each(outcome.load_us),
        (outcome.peak_kib / 1024).to_string(),
        outcome.tally.again.values().sum::<u64>().to_string(),
    ]
}

/// Runs the load to its end, in a process of its own.
async fn load(plan: &Plan) -> Result<Tally> {
    let own = std::env::current_exe().context("where does this program lie?")?;
    let mut process = Child::start("the load", &own, &["esme"], &[])?;
    let mut input = process.input()?;
    input.write_all(format!("{}\n", serde_json::to_string(plan)?).as_bytes()).await?;
    let mut line = String::new();
    process.output()?.read_line(&mut line).await?;
    process.finish().await?;
    serde_json::from_str(&line).context("the load said nothing that can be read")
}

/// The settings of the customer's system.
pub(crate) fn system(account: &str, system_id: &str, password: &str) -> serde_json::Value {
    json!({
        "account_id": account,
        "system_id": system_id,
        "password": password,
        "transceivers": 16,
        "window": 1000,
    })
}
