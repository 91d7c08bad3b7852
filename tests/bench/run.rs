//! One run: the load as another process, and what everything used until the last message was delivered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, interval};
use uuid::Uuid;

use crate::Bench;
use crate::books::{Books, Progress};
use crate::child::Child;
use crate::load::{Plan, Tally};
use crate::operator::Operator;
use crate::queues::{Kind, Queues};
use crate::report::Outcome;
use crate::say;
use crate::usage::{self, Ticks};

/// How long nothing may happen before a run has failed.
const STALL_LIMIT: Duration = Duration::from_mins(1);
/// Between two looks at most the time of so many messages passes, at 10,000 a second; so looking costs little.
const LOOK_US_PER_MESSAGE: u64 = 100;

/// How messages are sent.
#[derive(Debug, Clone)]
pub(crate) struct Mode {
    pub(crate) name: String,
    pub(crate) connections: usize,
    /// Messages of one request.
    pub(crate) batch: u64,
}

/// Processor time used until now.
struct Used {
    chappe: Ticks,
    postgres: Ticks,
    smsc: Ticks,
    broker: Ticks,
    /// The machine: busy, and busy or idle.
    machine: (Ticks, Ticks),
}

impl Used {
    fn now(bench: &Bench, operator: &Operator) -> Result<Self> {
        let chappe = bench.platform.process.pid();
        Ok(Self {
            chappe: usage::of(chappe)?,
            postgres: usage::of_postgres_below(chappe)?,
            smsc: usage::of(operator.process.pid())?,
            broker: bench.queues.used()?,
            machine: usage::of_machine()?,
        })
    }
}

/// Sends `messages` to the operator, waits until all are delivered and every queue is empty, and says what it took.
pub(crate) async fn measure(bench: &mut Bench, mode: &Mode, operator: usize, messages: u64) -> Result<Outcome> {
    let operator = Arc::clone(&bench.operators[operator]);
    let messages = messages.div_ceil(mode.batch) * mode.batch;
    say(&format!("{messages} messages, {}, operator of {} ms", mode.name, operator.latency_ms));
    let plan = bench.plan(mode, &operator, messages);
    let after = bench.books.last_message().await?;
    usage::forget_peak(bench.platform.process.pid());
    let requests_before = bench.queues.requests().await?;
    let before = Used::now(bench, &operator)?;
    let tally = load(&plan).await?;
    let end = delivered(bench, after, messages).await?;
    settled_books(&mut bench.books).await?;
    settled_queues(bench).await?;
    let used = Used::now(bench, &operator)?;
    let per_second = bench.ticks_per_second;
    let micros = |from: Ticks, to: Ticks| (to - from).micros(per_second);
    let [chappe_us, postgres_us, smsc_us] =
        [micros(before.chappe, used.chappe), micros(before.postgres, used.postgres), micros(before.smsc, used.smsc)];
    let broker_us = micros(before.broker, used.broker);
    let load_us = tally.cpu.micros(per_second);
    let ours_us = chappe_us + postgres_us + smsc_us + load_us + broker_us;
    let busy_us = micros(before.machine.0, used.machine.0);
    let requests = less(bench.queues.requests().await?, &requests_before);
    let outcome = Outcome {
        queues: Kind::Postgres.name(),
        name: mode.name.clone(),
        operator_ms: operator.latency_ms,
        messages,
        deliver_us: u64::try_from(end.last_us - tally.started_us).context("the clock went backwards")?,
        chappe_us,
        postgres_us,
        smsc_us,
        broker_us,
        requests,
        load_us,
        elsewhere_percent: busy_us.saturating_sub(ours_us) * 100 / micros(before.machine.1, used.machine.1).max(1),
        peak_kib: usage::peak_kib(bench.platform.process.pid())?,
        tally,
    };
    say(&format!("  {} a second delivered", outcome.delivered_per_second()));
    Ok(outcome)
}

/// Runs the load to its end.
pub(crate) async fn load(plan: &Plan) -> Result<Tally> {
    let own = std::env::current_exe().context("where does this program lie?")?;
    let mut process = Child::start("the load", &own, &["load"], &[])?;
    let mut input = process.input()?;
    input.write_all(format!("{}\n", serde_json::to_string(plan)?).as_bytes()).await?;
    let mut line = String::new();
    process.output()?.read_line(&mut line).await?;
    process.finish().await?;
    serde_json::from_str(&line).context("the load said nothing that can be read")
}

/// Waits until all messages behind `after` are delivered.
async fn delivered(bench: &mut Bench, after: Uuid, messages: u64) -> Result<Progress> {
    let mut seen = Progress::default();
    let mut moved = Instant::now();
    let mut look = Instant::now();
    let mut every = interval(Duration::from_millis(20));
    loop {
        every.tick().await;
        bench.platform.process.check()?;
        if Instant::now() < look {
            continue;
        }
        let progress = bench.books.progress(after).await?;
        if progress.ended == messages {
            ensure!(progress.stored == messages, "{} messages are stored of {messages} sent", progress.stored);
            let states = bench.books.states(after).await?;
            ensure!(progress.delivered == messages, "not all were delivered: {states}");
            return Ok(progress);
        }
        if progress != seen {
            (seen, moved) = (progress, Instant::now());
        } else if moved.elapsed() > STALL_LIMIT {
            bail!("nothing moves: {}{}", bench.books.states(after).await?, bench.platform.process.said());
        }
        look = Instant::now() + Duration::from_micros((messages - progress.ended) * LOOK_US_PER_MESSAGE);
    }
}

/// Waits until every queue is empty: what follows the last delivery is part of the cost.
pub(crate) async fn settled_books(books: &mut Books) -> Result<()> {
    let limit = Instant::now() + STALL_LIMIT;
    let mut every = interval(Duration::from_millis(100));
    while books.envelopes().await? > 0 {
        ensure!(Instant::now() < limit, "queues do not run empty: {}", books.states(Uuid::max()).await?);
        every.tick().await;
    }
    Ok(())
}

/// Waits until every queue that is not in the database is empty, too.
async fn settled_queues(bench: &Bench) -> Result<()> {
    if matches!(bench.queues, Queues::Postgres) {
        return Ok(());
    }
    let limit = Instant::now() + STALL_LIMIT;
    let mut every = interval(Duration::from_millis(500));
    loop {
        every.tick().await;
        let told = bench.platform.ask(&["queues", "--json"]).await?;
        let queues: Vec<serde_json::Value> = serde_json::from_str(&told).context("chappe queues says no JSON")?;
        let lies = |what: &str| queues.iter().filter_map(|queue| queue[what].as_u64()).sum::<u64>();
        ensure!(lies("parked") == 0, "envelopes are parked: {told}");
        if lies("ready") + lies("waiting") == 0 {
            return Ok(());
        }
        ensure!(Instant::now() < limit, "queues do not run empty: {told}");
    }
}

/// What was added to each count.
fn less(after: BTreeMap<String, u64>, before: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let added = |(action, count): (String, u64)| {
        let old = before.get(&action).copied().unwrap_or(0);
        (action, count - old)
    };
    after.into_iter().map(added).collect()
}
