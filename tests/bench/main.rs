//! `make bench`: what the whole platform does on this machine, everything durable, billed and receipted.
//!
//! Four processes share the machine: Chappe with its PostgreSQL, two simulated operators, and the load, which is
//! this program once more. Every figure is taken from outside: from `/proc`, from the answers and from the database.

mod books;
mod child;
mod endurance;
mod holds;
mod http;
mod ledger;
mod load;
mod micro;
mod operator;
mod options;
mod platform;
mod queues;
mod report;
mod run;
mod setup;
mod smpp;
mod usage;
mod what_if;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{SignalKind, signal};

use books::Books;
use load::Plan;
use operator::Operator;
use options::{Only, Options};
use platform::Platform;
use queues::{Kind, Queues};
use report::Outcome;
use run::{Mode, measure};

/// Latencies of the two operators; the first must be the quick one.
const LATENCIES_MS: [u64; 2] = [0, 50];
/// Messages that fill caches before anything is measured.
const WARM_UP: u64 = 2000;
/// Messages of one request and connections, of the batch runs.
const BATCHES: [(u64, usize); 2] = [(100, 8), (1000, 4)];

/// Everything that runs.
#[derive(Debug)]
struct Bench {
    platform: Platform,
    /// Behind the platform: dropped after it.
    queues: Queues,
    operators: Vec<Arc<Operator>>,
    books: Books,
    key: String,
    ticks_per_second: u64,
}

impl Bench {
    async fn start(options: &Options, kind: Kind) -> Result<Self> {
        let mut operators = Vec::new();
        for latency_ms in LATENCIES_MS {
            operators.push(Arc::new(Operator::start(&options.program, latency_ms).await?));
        }
        let queues = Queues::start(kind).await?;
        let platform = Platform::start(options, queues.url()).await?;
        let books = Books::open(&platform.database_url()?).await?;
        let key = setup::run(platform.http, &operators).await.context("cannot make accounts and operators")?;
        Ok(Self { platform, queues, operators, books, key, ticks_per_second: usage::ticks_per_second()? })
    }

    /// What the load sends to an operator.
    fn plan(&self, mode: &Mode, operator: &Operator, messages: u64) -> Plan {
        let networks = LATENCIES_MS.iter().zip(setup::NETWORKS);
        let network =
            networks.filter(|(latency_ms, _)| **latency_ms == operator.latency_ms).map(|(_, network)| network);
        Plan {
            addr: self.platform.http,
            key: self.key.clone(),
            from: setup::SENDER.to_owned(),
            number_prefix: network.map(|(_, _, prefix)| prefix.to_owned()).next().unwrap_or_default(),
            connections: mode.connections,
            batch: mode.batch,
            messages,
            send_at: None,
        }
    }
}

fn main() -> ExitCode {
    let done = match std::env::args().nth(1).as_deref() {
        Some("load") => load::main(),
        Some("esme") => smpp::esme::main(),
        Some("sqs") => queues::emulator_main(),
        Some("edge-alone") => smpp::edge_alone(),
        Some("smpp") => smpp::main(),
        Some("books") => ledger::main(),
        _ => all(),
    };
    let Err(error) = done else { return ExitCode::SUCCESS };
    say(&format!("error: {error:#}"));
    ExitCode::FAILURE
}

fn all() -> Result<()> {
    let options = Options::read().context(options::HELP)?;
    if options.micro {
        micro::run()?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // What is broken off drops its processes, and with that ends them.
    runtime.block_on(async {
        let mut term = signal(SignalKind::terminate())?;
        tokio::select! {
            done = bench(&options) => done,
            _ = tokio::signal::ctrl_c() => bail!("broken off"),
            _ = term.recv() => bail!("broken off"),
        }
    })
}

async fn bench(options: &Options) -> Result<()> {
    let mut outcomes = on(options, Kind::Postgres).await?;
    if !options.queues {
        return Ok(());
    }
    for kind in Kind::ELSEWHERE {
        outcomes.extend(on(options, kind).await.with_context(|| format!("with queues in {}", kind.name()))?);
    }
    report::queues(&outcomes);
    Ok(())
}

/// All runs with the queues at one place.
async fn on(options: &Options, kind: Kind) -> Result<Vec<Outcome>> {
    let mut bench = Bench::start(options, kind).await?;
    let done = match kind {
        Kind::Postgres => runs(&mut bench, options).await,
        _ => short_runs(&mut bench, kind, options).await,
    };
    if done.is_err() {
        say(&format!("chappe said:{}", bench.platform.process.said()));
    }
    bench.platform.stop().await.and(done)
}

/// Each way of sending once, to the quick operator.
async fn short_runs(bench: &mut Bench, kind: Kind, options: &Options) -> Result<Vec<Outcome>> {
    let modes = modes(options);
    measure(bench, &modes[0], 0, WARM_UP).await.context("at the warm-up")?;
    let mut outcomes = Vec::new();
    for mode in &modes {
        let outcome = measure(bench, mode, 0, options.messages).await?;
        outcomes.push(Outcome { queues: kind.name(), ..outcome });
    }
    verified(bench).await?;
    Ok(outcomes)
}

async fn verified(bench: &mut Bench) -> Result<()> {
    bench.books.nothing_left().await?;
    let verified = bench.platform.ask(&["ledger", "verify"]).await?;
    print(&format!("\nchappe ledger verify: {}", verified.trim()));
    print("queues, outbox and holds: empty");
    Ok(())
}

async fn runs(bench: &mut Bench, options: &Options) -> Result<Vec<Outcome>> {
    let modes = modes(options);
    for operator in 0..LATENCIES_MS.len() {
        measure(bench, &modes[0], operator, WARM_UP).await.context("at the warm-up")?;
    }
    let mut outcomes = Vec::new();
    for mode in &modes {
        for operator in 0..LATENCIES_MS.len() {
            pause(options).await?;
            outcomes.push(measure(bench, mode, operator, options.messages).await?);
        }
    }
    report::runs(&outcomes);
    report::ratios(&outcomes);
    if options.endurance > 0 {
        let long = endurance::run(bench, &modes[0], options.endurance).await?;
        report::runs(&[long]);
    }
    if options.what_if > 0 {
        what_if::run(bench, options.what_if).await?;
    }
    verified(bench).await?;
    holds::run(bench, &modes, options.messages).await?;
    Ok(outcomes)
}

/// The runs that were asked for.
fn modes(options: &Options) -> Vec<Mode> {
    let mut modes = Vec::new();
    if options.only != Some(Only::Batch) {
        modes.push(Mode { name: "single".to_owned(), connections: options.connections, batch: 1 });
    }
    if options.only != Some(Only::Single) {
        let batch = |(batch, connections)| Mode { name: format!("batch {batch}"), connections, batch };
        modes.extend(BATCHES.map(batch));
    }
    modes
}

/// Waits for Enter, where that was asked for.
async fn pause(options: &Options) -> Result<()> {
    if options.pause {
        say("press Enter for the next run");
        tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await??;
    }
    Ok(())
}

/// A line of the report. Where nobody reads it there is nobody to tell.
fn print(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// A line about progress.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
