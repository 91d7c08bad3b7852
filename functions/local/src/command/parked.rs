//! `chappe parked`: what could not be handled waits for a person, who looks, replays or drops.

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use queue::{Parked, Queue};
use serde_json::json;

use crate::cli::Common;
use crate::database;
use crate::output::{Output, Value, line, print_json};

/// How many parked messages of a queue are looked at.
const LOOK_MAX: usize = 1000;

const EXAMPLES: &str = "\
Examples:
  chappe parked list                every queue with parked messages
  chappe parked list bill           those of one queue, with the reason
  chappe parked show bill 42        the whole envelope; it holds texts and numbers of customers
  chappe parked replay bill 42      put it back, for instance after a fix
  chappe parked replay bill --all
  chappe parked drop bill 42        throw it away for good";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List what is parked, with the reason
    List {
        /// Only this queue
        queue: Option<String>,
    },
    /// Show one parked message as it came
    Show { queue: String, id: String },
    /// Put parked messages back into their queue
    Replay(Choice),
    /// Throw parked messages away for good
    Drop(Choice),
}

/// Some parked messages of one queue.
#[derive(Debug, Args)]
struct Choice {
    queue: String,
    /// Ids as `parked list` shows them
    #[arg(required_unless_present = "all")]
    ids: Vec<String>,
    /// Every parked message of the queue
    #[arg(long, conflicts_with = "ids")]
    all: bool,
}

pub(crate) async fn run(common: &Common, options: Options, out: &Output) -> Result<()> {
    let queues = database::queues(common).await?;
    match options.action {
        Action::List { queue } => list(queues.as_ref(), queue, out).await,
        Action::Show { queue, id } => show(queues.as_ref(), &queue, &id, out).await,
        Action::Replay(choice) => {
            let ids = chosen(queues.as_ref(), &choice).await?;
            for id in &ids {
                found(queues.replay(&choice.queue, id).await?, &choice.queue, id)?;
            }
            report(out, "replayed", &ids)
        }
        Action::Drop(choice) => {
            let ids = chosen(queues.as_ref(), &choice).await?;
            for id in &ids {
                found(queues.discard(&choice.queue, id).await?, &choice.queue, id)?;
            }
            report(out, "dropped", &ids)
        }
    }
}

async fn list(queues: &dyn Queue, queue: Option<String>, out: &Output) -> Result<()> {
    let names = match queue {
        Some(name) => vec![name],
        None => queues.queues().await.context("cannot list the queues")?,
    };
    let mut all = Vec::new();
    for name in names {
        let parked = queues.parked(&name, LOOK_MAX).await.with_context(|| format!("cannot look into {name}"))?;
        all.extend(parked.into_iter().map(|parked| (name.clone(), parked)));
    }
    if out.is_json() {
        return print_json(&all.iter().map(|(name, parked)| as_json(name, parked)).collect::<Vec<_>>());
    }
    let rows = all.iter().map(|(name, parked)| as_row(name, parked)).collect();
    out.table(&["queue", "id", "parked", "received", "bytes", "why"], rows, "nothing is parked");
    Ok(())
}

async fn show(queues: &dyn Queue, queue: &str, id: &str, out: &Output) -> Result<()> {
    let parked = queues.parked(queue, LOOK_MAX).await?;
    let Some(parked) = parked.into_iter().find(|parked| parked.id == id) else {
        bail!("no message {id} is parked in {queue}");
    };
    let text = String::from_utf8_lossy(&parked.body);
    let body = serde_json::from_str(&text).unwrap_or_else(|_| json!(text));
    if out.is_json() {
        let mut shown = as_json(queue, &parked);
        shown["body"] = body;
        return print_json(&shown);
    }
    out.table(
        &["queue", "id", "parked", "received", "bytes", "why"],
        vec![as_row(queue, &parked)],
        "nothing is parked",
    );
    line("");
    print_json(&body)
}

/// The ids that a choice means.
async fn chosen(queues: &dyn Queue, choice: &Choice) -> Result<Vec<String>> {
    if !choice.all {
        return Ok(choice.ids.clone());
    }
    let parked = queues.parked(&choice.queue, LOOK_MAX).await?;
    Ok(parked.into_iter().map(|parked| parked.id).collect())
}

fn found(found: bool, queue: &str, id: &str) -> Result<()> {
    if !found {
        bail!("no message {id} is parked in {queue}");
    }
    Ok(())
}

fn report(out: &Output, done: &str, ids: &[String]) -> Result<()> {
    if out.is_json() {
        return print_json(&json!({ done: ids }));
    }
    line(&format!("{done} {}", ids.len()));
    Ok(())
}

fn as_json(queue: &str, parked: &Parked) -> serde_json::Value {
    json!({
        "queue": queue,
        "id": parked.id,
        "why": parked.why,
        "received": parked.received,
        "body_bytes": parked.body.len(),
        "enqueued_at": parked.enqueued_at,
        "parked_at": parked.parked_at,
    })
}

fn as_row(queue: &str, parked: &Parked) -> Vec<Value> {
    vec![
        queue.into(),
        (&parked.id).into(),
        parked.parked_at.format("%Y-%m-%d %H:%M:%S").into(),
        parked.received.into(),
        parked.body.len().into(),
        (&parked.why).into(),
    ]
}
