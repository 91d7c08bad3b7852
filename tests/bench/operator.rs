//! The simulated operator, as another process.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, Lines};

use crate::child::Child;

/// Our name and password there.
pub(crate) const SYSTEM_ID: &str = "bench";
pub(crate) const PASSWORD: &str = "bench";

/// A running operator.
#[derive(Debug)]
pub(crate) struct Operator {
    pub(crate) latency_ms: u64,
    pub(crate) addr: SocketAddr,
    pub(crate) process: Child,
    accepted: Arc<AtomicU64>,
}

impl Operator {
    pub(crate) async fn start(program: &Path, latency_ms: u64) -> Result<Self> {
        let (account, latency) = (format!("{SYSTEM_ID}:{PASSWORD}"), latency_ms.to_string());
        let args =
            ["smsc", "--listen", "127.0.0.1:0", "--account", &account, "--latency-ms", &latency, "--report", "1"];
        let mut process = Child::start("chappe smsc", program, &args, &[])?;
        let mut lines = process.output()?.lines();
        let first = lines.next_line().await?.with_context(|| format!("no operator{}", process.said()))?;
        let addr =
            first.split(" on ").nth(1).and_then(|rest| rest.split(';').next()).and_then(|addr| addr.parse().ok());
        let addr = addr.with_context(|| format!("no address in {first:?}"))?;
        let accepted = Arc::new(AtomicU64::new(0));
        tokio::spawn(follow(lines, Arc::clone(&accepted)));
        Ok(Self { latency_ms, addr, process, accepted })
    }

    /// Messages taken since the start, as of the last second.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.load(Relaxed)
    }
}

/// Reads the counters that it prints.
async fn follow<R: tokio::io::AsyncBufRead + Unpin>(mut lines: Lines<R>, accepted: Arc<AtomicU64>) {
    while let Ok(Some(line)) = lines.next_line().await {
        let counters: Option<Value> = serde_json::from_str(&line).ok();
        if let Some(count) = counters.as_ref().and_then(|counters| counters.get("accepted")?.as_u64()) {
            accepted.store(count, Relaxed);
        }
    }
}
