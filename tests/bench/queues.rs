//! The same load with the queues elsewhere: in `RabbitMQ`, and in an emulator of SQS in a process of its own.
//!
//! Of SQS the emulator shows what counts there: how many requests a message costs. Its speed says nothing of that of
//! Amazon's.

use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};

use anyhow::{Context, Result};
use sqs_emulator::SqsEmulator;
use testkit::RabbitMq;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{ChildStdin, ChildStdout};

use crate::child::Child;
use crate::usage::{self, Ticks};

/// Where queues can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Postgres,
    RabbitMq,
    Sqs,
}

impl Kind {
    /// Those that are not in the database.
    pub(crate) const ELSEWHERE: [Self; 2] = [Self::RabbitMq, Self::Sqs];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgresql",
            Self::RabbitMq => "rabbitmq",
            Self::Sqs => "sqs (emulated)",
        }
    }
}

/// Queues of a running benchmark.
#[derive(Debug)]
pub(crate) enum Queues {
    Postgres,
    RabbitMq(RabbitMq),
    Sqs(Box<Emulator>),
}

impl Queues {
    pub(crate) async fn start(kind: Kind) -> Result<Self> {
        Ok(match kind {
            Kind::Postgres => Self::Postgres,
            Kind::RabbitMq => Self::RabbitMq(RabbitMq::start().await),
            Kind::Sqs => Self::Sqs(Box::new(Emulator::start().await?)),
        })
    }

    /// What `QUEUE_URL` says.
    pub(crate) fn url(&self) -> Option<String> {
        match self {
            Self::Postgres => None,
            Self::RabbitMq(broker) => Some(broker.url()),
            Self::Sqs(emulator) => Some(format!("sqs://eu-central-1/bench?endpoint={}", emulator.endpoint)),
        }
    }

    /// Processor time of the broker; of the emulator it does not count.
    pub(crate) fn used(&self) -> Result<Ticks> {
        match self {
            Self::RabbitMq(_) => usage::of_named_below(std::process::id(), "beam"),
            _ => Ok(Ticks::default()),
        }
    }

    /// Requests until now, by action; none where nobody counts them.
    pub(crate) async fn requests(&mut self) -> Result<BTreeMap<String, u64>> {
        match self {
            Self::Sqs(emulator) => emulator.requests().await,
            _ => Ok(BTreeMap::new()),
        }
    }
}

/// The emulator as another process.
#[derive(Debug)]
pub(crate) struct Emulator {
    endpoint: String,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Ends when dropped.
    _process: Child,
}

impl Emulator {
    async fn start() -> Result<Self> {
        let own = std::env::current_exe().context("where does this program lie?")?;
        let mut process = Child::start("the SQS emulator", &own, &["sqs"], &[])?;
        let (input, mut output) = (process.input()?, process.output()?);
        let mut endpoint = String::new();
        output.read_line(&mut endpoint).await?;
        Ok(Self { endpoint: endpoint.trim().to_owned(), input, output, _process: process })
    }

    async fn requests(&mut self) -> Result<BTreeMap<String, u64>> {
        self.input.write_all(b"requests\n").await?;
        let mut line = String::new();
        self.output.read_line(&mut line).await?;
        serde_json::from_str(&line).context("the emulator said nothing that can be read")
    }
}

/// The main of that process: says where it listens, and at each line how many requests came, until its input ends.
pub(crate) fn emulator_main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let emulator = runtime.block_on(SqsEmulator::start());
    writeln!(std::io::stdout(), "{}", emulator.endpoint())?;
    for _ in std::io::stdin().lock().lines() {
        writeln!(std::io::stdout(), "{}", serde_json::to_string(&emulator.requests())?)?;
    }
    Ok(())
}
