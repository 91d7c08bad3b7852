//! What-ifs: a million messages of a CSV, and the traffic that the runs before have sent, by settings as they are and by
//! changed ones.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tokio::time::{Instant, interval};

use crate::Bench;
use crate::report::table;
use crate::setup::{Api, NETWORKS, text};
use crate::usage::{self, Ticks};

/// A million messages may take so long.
const MILLION_AIM: Duration = Duration::from_mins(1);
/// How long a replay may take here.
const LIMIT: Duration = Duration::from_mins(10);

/// Replays a CSV of `lines` messages, and all that was sent; prints what each took.
pub(crate) async fn run(bench: &Bench, lines: u64) -> Result<()> {
    let mut api = Api::log_in(bench.platform.http).await?;
    // Turns cost most: nothing is counted for many messages at once.
    let rules = json!([{"position": 1, "then": {"strategy": "round_robin"}}]);
    let listed = json!({"csv": csv(lines)?, "rules": rules});
    let past = json!({"rules": rules});
    let mut rows = Vec::new();
    for (name, ask) in [("a CSV, a line for each", listed), ("what was sent here", past)] {
        rows.push(one(bench, &mut api, name, &ask).await?);
    }
    crate::print(&format!("\nWhat-ifs; the aim is a million messages in {} s:", MILLION_AIM.as_secs()));
    table(&["traffic", "messages", "ms", "ms of a million", "CPU ms, chappe", "CPU ms, PostgreSQL"], &rows);
    Ok(())
}

fn csv(lines: u64) -> Result<String> {
    let mut csv = "to,from,segments\n".to_owned();
    for line in 0..lines {
        let (_, _, prefix) = NETWORKS[usize::try_from(line)? % NETWORKS.len()];
        writeln!(csv, "{prefix}{:07},Bench,{}", line % 10_000_000, 1 + line % 3)?;
    }
    Ok(csv)
}

/// One replay, from the question to its result.
async fn one(bench: &Bench, api: &mut Api, name: &str, ask: &Value) -> Result<Vec<String>> {
    let chappe = bench.platform.process.pid();
    let used = || -> Result<(Ticks, Ticks)> { Ok((usage::of(chappe)?, usage::of_postgres_below(chappe)?)) };
    let (before, started) = (used()?, Instant::now());
    let path = format!("/v1/routing/what-if/{}", text(&api.post("/v1/routing/what-if", ask).await?, "id")?);
    let mut every = interval(Duration::from_millis(50));
    let done = loop {
        every.tick().await;
        let row = api.get(&path).await?;
        match text(&row, "state")?.as_str() {
            "done" => break row,
            "running" => ensure!(started.elapsed() < LIMIT, "a replay takes more than {} s", LIMIT.as_secs()),
            _ => anyhow::bail!("a replay failed: {row}"),
        }
    };
    let (took, after) = (started.elapsed(), used()?);
    let messages = done["messages"].as_u64().unwrap_or_default();
    let ms = u64::try_from(took.as_millis())?;
    let cpu = |from: Ticks, to: Ticks| ((to - from).micros(bench.ticks_per_second) / 1000).to_string();
    Ok(vec![
        name.to_owned(),
        messages.to_string(),
        ms.to_string(),
        (ms * 1_000_000 / messages.max(1)).to_string(),
        cpu(before.0, after.0),
        cpu(before.1, after.1),
    ])
}
