//! The long run: does memory stay flat?

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::interval;

use crate::operator::Operator;
use crate::report::{Outcome, ratio, table};
use crate::run::{Mode, measure};
use crate::{Bench, print, usage};

/// Messages between two looks at memory.
const SAMPLE_MESSAGES: u64 = 10_000;
/// Looks that can be divided into quarters.
const SAMPLES_MIN: usize = 4;

/// Memory at one moment.
#[derive(Debug, Clone, Copy)]
struct Sample {
    /// Messages that the operator had taken.
    messages: u64,
    resident_kib: u64,
}

type Samples = Arc<Mutex<Vec<Sample>>>;

/// Sends `messages` and prints how much memory Chappe had on the way.
pub(crate) async fn run(bench: &mut Bench, mode: &Mode, messages: u64) -> Result<Outcome> {
    let samples = Samples::default();
    let operator = Arc::clone(&bench.operators[0]);
    let watching = tokio::spawn(watch(operator, bench.platform.process.pid(), Arc::clone(&samples)));
    let outcome = measure(bench, mode, 0, messages).await;
    watching.abort();
    let samples = samples.lock().unwrap_or_else(PoisonError::into_inner).clone();
    report(&samples, outcome.as_ref().map_or(0, |outcome| outcome.messages))?;
    outcome
}

/// Looks at memory whenever the operator has taken so many more messages.
async fn watch(operator: Arc<Operator>, pid: u32, samples: Samples) {
    let first = operator.accepted();
    let mut next = SAMPLE_MESSAGES;
    let mut every = interval(Duration::from_millis(100));
    loop {
        every.tick().await;
        let messages = operator.accepted().saturating_sub(first);
        if messages < next {
            continue;
        }
        next = (messages / SAMPLE_MESSAGES + 1) * SAMPLE_MESSAGES;
        if let Ok(resident_kib) = usage::resident_kib(pid) {
            samples.lock().unwrap_or_else(PoisonError::into_inner).push(Sample { messages, resident_kib });
        }
    }
}

fn report(samples: &[Sample], messages: u64) -> Result<()> {
    print(&format!("\nResident memory of Chappe over {messages} messages:"));
    let cells = |sample: &Sample| vec![sample.messages.to_string(), (sample.resident_kib / 1024).to_string()];
    table(&["messages", "MiB"], &samples.iter().map(cells).collect::<Vec<_>>());
    ensure!(samples.len() >= SAMPLES_MIN, "too few samples to compare quarters; raise BENCH_ENDURANCE");
    let quarter = samples.len() / 4;
    let sum = |samples: &[Sample]| samples.iter().map(|sample| sample.resident_kib).sum::<u64>();
    let (first, last) = (sum(&samples[..quarter]), sum(&samples[samples.len() - quarter..]));
    print(&format!("last quarter against first quarter: {}", ratio(last, first)));
    Ok(())
}
