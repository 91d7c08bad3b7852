//! An emulator of Amazon SQS, for tests, demos and benchmarks on one machine: what `aws-sdk-sqs` speaks
//! (`application/x-amz-json-1.0`), in memory, for standard queues.
//!
//! It keeps the rules that a client must live with: batches of ten, lengths, legal characters, receipt handles that go
//! stale, visibility, delays, long polls, the redrive policy. It breaks on demand, see [`Fault`], and counts the
//! requests that Amazon would bill. A [`Mapping`] plays Lambda's event source mapping. It checks no signatures and
//! keeps nothing.
//!
//! ```no_run
//! # async fn example() {
//! use sqs_emulator::{Fault, SqsEmulator};
//! let sqs = SqsEmulator::start().await;
//! let queue_url = sqs.url("test");
//! sqs.inject("SendMessageBatch", Fault::throttled(), 2);
//! # }
//! ```

mod account;
mod actions;
mod batches;
mod fault;
mod mapping;
mod message;
mod protocol;
mod queue;
mod refusal;
mod server;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use account::Account;
pub use fault::Fault;
pub use mapping::Mapping;

/// The region that it claims to be.
pub const REGION: &str = "eu-central-1";

/// A running emulator. It ends when dropped.
#[derive(Debug)]
pub struct SqsEmulator {
    account: Arc<Account>,
    server: JoinHandle<()>,
}

impl SqsEmulator {
    /// Starts one on a free port of this machine.
    pub async fn start() -> Self {
        let started = Self::start_at((Ipv4Addr::LOCALHOST, 0).into()).await;
        started.unwrap_or_else(|error| panic!("no emulator of SQS: {error:#}"))
    }

    /// Starts one at an address.
    pub async fn start_at(address: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        let account = Arc::new(Account::at(listener.local_addr().context("the listener has no address")?));
        let server = tokio::spawn(server::serve(listener, Arc::clone(&account)));
        Ok(Self { account, server })
    }

    /// What to name in `AWS_ENDPOINT_URL_SQS`.
    pub fn endpoint(&self) -> &str {
        self.account.endpoint()
    }

    /// What to name in `QUEUE_URL`.
    pub fn url(&self, prefix: &str) -> String {
        format!("sqs://{REGION}/{prefix}?endpoint={}", self.endpoint())
    }

    /// Lets the next `times` requests of this action meet a fault, after those injected before.
    pub fn inject(&self, action: &str, fault: Fault, times: usize) {
        self.account.faults.inject(action, fault, times);
    }

    /// How many requests came so far, by action; those of mappings included, as Amazon bills them too.
    pub fn requests(&self) -> BTreeMap<String, u64> {
        self.account.faults.requests()
    }

    /// All requests so far.
    pub fn requests_total(&self) -> u64 {
        self.requests().values().sum()
    }

    /// Plays Lambda's event source mapping on a queue of this name on SQS: takes up to `batch` messages, calls `invoke`
    /// with the event, deletes what its answer does not list in `batchItemFailures`. It ends when dropped.
    pub fn mapping<F, I>(&self, queue: &str, batch: usize, invoke: F) -> Mapping
    where
        F: Fn(serde_json::Value) -> I + Send + Sync + 'static,
        I: Future<Output = Result<serde_json::Value>> + Send + 'static,
    {
        Mapping::start(&self.account, queue, batch, invoke)
    }
}

impl Drop for SqsEmulator {
    fn drop(&mut self) {
        self.server.abort();
    }
}
