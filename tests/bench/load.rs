//! The load: another process, this program called with `load`, which posts messages as fast as they are taken.
//!
//! It reads its [`Plan`] from standard input, one line of JSON, and answers with one line, its [`Tally`].

use std::io::{BufRead as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use host::clock::{Clock as _, System};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::http::{Connection, post_head};
use crate::usage::{self, Ticks};

/// The digits at the end of a number that count the messages.
const DIGITS: usize = 7;
/// How often one request is made again when the server is too busy; each time a little later.
const RETRIES_MAX: u32 = 600;
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// The counts of an answer to a batch stand in its first bytes.
const COUNTS_BYTES: usize = 64;
/// 90 characters of the default alphabet: one segment.
const TEXT: &str = "Your parcel 4711 was handed to the courier and will be delivered today between 2 and 4 pm";

/// What to send.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) addr: SocketAddr,
    pub(crate) key: String,
    pub(crate) from: String,
    /// Everything of the number, in E.164, but its last seven digits.
    pub(crate) number_prefix: String,
    pub(crate) connections: usize,
    /// Messages of one request; 1 posts single messages.
    pub(crate) batch: u64,
    /// In all; a multiple of `batch`.
    pub(crate) messages: u64,
    /// When they are to be sent (RFC 3339); `None`: at once.
    pub(crate) send_at: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// When the first request was sent, in microseconds of Unix time.
    pub(crate) started_us: i64,
    /// From the first request to the last answer.
    pub(crate) elapsed_us: u64,
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    /// Requests that were refused because the server was busy, and sent again.
    pub(crate) retries: u64,
    /// Processor time of this process.
    pub(crate) cpu: Ticks,
}

/// The whole process.
pub(crate) fn main() -> Result<()> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("no plan on standard input")?;
    let plan: Plan = serde_json::from_str(&line).context("the plan cannot be read")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tally = runtime.block_on(send(plan))?;
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&tally)?)?;
    Ok(())
}

async fn send(plan: Plan) -> Result<Tally> {
    let plan = Arc::new(plan);
    let next = Arc::new(AtomicU64::new(0));
    let mut connections = Vec::new();
    for _ in 0..plan.connections {
        connections.push(Connection::open(plan.addr).await?);
    }
    let (started_at, started) = (System.now(), Instant::now());
    let mut workers = JoinSet::new();
    for connection in connections {
        workers.spawn(work(Arc::clone(&plan), Arc::clone(&next), connection));
    }
    let mut latencies = Vec::new();
    let mut retries = 0;
    while let Some(worker) = workers.join_next().await {
        let (own, own_retries) = worker??;
        latencies.extend(own);
        retries += own_retries;
    }
    let elapsed_us = u64::try_from(started.elapsed().as_micros())?;
    latencies.sort_unstable();
    Ok(Tally {
        started_us: started_at.timestamp_micros(),
        elapsed_us,
        p50_us: percentile(&latencies, 50),
        p99_us: percentile(&latencies, 99),
        retries,
        cpu: usage::own()?,
    })
}

/// Posts until all is sent; answers the latency of each request in microseconds, and the retries.
async fn work(plan: Arc<Plan>, next: Arc<AtomicU64>, mut connection: Connection) -> Result<(Vec<u64>, u64)> {
    let mut request = Request::render(&plan);
    let (mut latencies, mut retries) = (Vec::new(), 0);
    loop {
        let first = next.fetch_add(plan.batch, Relaxed);
        if first >= plan.messages {
            return Ok((latencies, retries));
        }
        request.number(first);
        let started = Instant::now();
        retries += post(&mut connection, &request.bytes).await?;
        latencies.push(u64::try_from(started.elapsed().as_micros())?);
    }
}

/// Posts one request until it is taken; answers how often it was refused.
async fn post(connection: &mut Connection, request: &[u8]) -> Result<u64> {
    for retry in 0..RETRIES_MAX {
        let answer = connection.exchange(request).await?;
        match answer.status {
            200..300 if refused(answer.body) => bail!("a part of the batch was refused: {}", start(answer.body)),
            200..300 => return Ok(u64::from(retry)),
            429 | 503 => pause(RETRY_AFTER).await,
            status => bail!("{status} {}", start(answer.body)),
        }
    }
    bail!("the server stayed busy over {RETRIES_MAX} attempts");
}

/// Whether the answer to a batch, which begins with its counts, counts refusals.
fn refused(body: &[u8]) -> bool {
    let none = b"\"rejected\":0";
    let counts = &body[..body.len().min(COUNTS_BYTES)];
    counts.starts_with(b"{\"accepted\":") && !counts.windows(none.len()).any(|window| window == none)
}

/// As much of a body as an error quotes.
fn start(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(2000).collect()
}

async fn pause(time: Duration) {
    let mut interval = tokio::time::interval_at(tokio::time::Instant::now() + time, time);
    interval.tick().await;
}

fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or_default()
}

/// A request in bytes, in which only the digits that count the messages change.
struct Request {
    bytes: Vec<u8>,
    /// Where those digits begin, of each message.
    digits_at: Vec<usize>,
}

impl Request {
    fn render(plan: &Plan) -> Self {
        let before = format!("{{\"to\":\"{}", plan.number_prefix);
        let send_at = plan.send_at.as_ref().map(|at| format!(",\"send_at\":\"{at}\"")).unwrap_or_default();
        let after = format!("\",\"from\":\"{}\",\"text\":\"{TEXT}\"{send_at}}}", plan.from);
        let item = format!("{before}{}{after}", "0".repeat(DIGITS));
        let (path, open, close) = match plan.batch {
            1 => ("/v1/messages", "", ""),
            _ => ("/v1/messages/batch", "{\"messages\":[", "]}"),
        };
        let count = usize::try_from(plan.batch).unwrap_or(1);
        let body = format!("{open}{}{close}", vec![item.as_str(); count].join(","));
        let head = post_head(plan.addr, path, &plan.key, body.len());
        let first = head.len() + open.len() + before.len();
        let digits_at = (0..count).map(|message| first + message * (item.len() + 1)).collect();
        Self { bytes: format!("{head}{body}").into_bytes(), digits_at }
    }

    /// Numbers the messages from `first`.
    fn number(&mut self, first: u64) {
        for (number, at) in (first..).zip(&self.digits_at) {
            let mut rest = number;
            for digit in self.bytes[*at..*at + DIGITS].iter_mut().rev() {
                *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
                rest /= 10;
            }
        }
    }
}
