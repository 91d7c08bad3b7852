//! `chappe queues`: what lies where.

use std::time::Duration;

use anyhow::{Context, Result};
use queue::Depth;
use serde_json::json;

use crate::cli::Common;
use crate::database;
use crate::output::{Mood, Output, Value, print_json};

pub(crate) async fn run(common: &Common, out: &Output) -> Result<()> {
    let queues = database::queues(common).await?;
    let mut depths = Vec::new();
    for name in queues.queues().await.context("cannot list the queues")? {
        let depth = queues.depth(&name).await.with_context(|| format!("cannot look into {name}"))?;
        depths.push((name, depth));
    }
    if out.is_json() {
        return print_json(&depths.iter().map(as_json).collect::<Vec<_>>());
    }
    let rows = depths.iter().map(as_row).collect();
    out.table(
        &["queue", "ready", "waiting", "parked", "oldest ready", "oldest waiting"],
        rows,
        "no queues yet; `chappe up` makes them",
    );
    Ok(())
}

fn as_json((name, depth): &(String, Depth)) -> serde_json::Value {
    let millis = |age: Option<Duration>| age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
    json!({
        "queue": name,
        "ready": depth.ready,
        "waiting": depth.waiting,
        "parked": depth.parked,
        "oldest_ms": millis(depth.oldest_age),
        "oldest_waiting_ms": millis(depth.oldest_waiting_age),
    })
}

fn as_row((name, depth): &(String, Depth)) -> Vec<Value> {
    let parked_mood = if depth.parked > 0 { Mood::Bad } else { Mood::Plain };
    let ready_mood = if depth.ready > 0 { Mood::Open } else { Mood::Plain };
    vec![
        name.into(),
        Value::with(ready_mood, &depth.ready),
        depth.waiting.into(),
        Value::with(parked_mood, &depth.parked),
        seconds(depth.oldest_age),
        seconds(depth.oldest_waiting_age),
    ]
}

fn seconds(age: Option<Duration>) -> Value {
    age.map_or(String::new(), |age| format!("{} s", age.as_secs())).into()
}
