//! The load over SMPP, as a process of its own: binds as a customer, keeps its windows full, takes its receipts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, BytesMut};
use chrono::Utc;
use serde::{Deserialize, Serialize};
use smpp::pdu::{Address, Bind, MessageResp, Sm};
use smpp::{Body, Framer, Policy, Status, decode, encode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::usage::{self, Ticks};

/// What each message says: one segment.
const TEXT: &[u8] = b"Your parcel 4711 was handed to the courier and will be delivered today between 2 and 4 pm";
/// How long nothing may happen before the load has failed.
const STALL_LIMIT: Duration = Duration::from_mins(1);
/// Octets that a read asks for.
const READ_BYTES: usize = 64 * 1024;
/// Pause before a refused submit goes again.
const AGAIN_AFTER: Duration = Duration::from_millis(2);
/// How often a session that has all its answers looks whether the others have all receipts.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What the load does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) addr: SocketAddr,
    pub(crate) system_id: String,
    pub(crate) password: String,
    pub(crate) from: String,
    /// Everything of a number but its last seven digits, with `+`.
    pub(crate) number_prefix: String,
    pub(crate) binds: u32,
    /// Unanswered submits of each bind.
    pub(crate) window: u32,
    /// Over all binds.
    pub(crate) messages: u64,
    /// Ask for receipts, and wait for them.
    pub(crate) receipts: bool,
}

/// What the load saw.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Microseconds since 1970 when the first submit was written.
    pub(crate) started_us: i64,
    /// From the first submit to the last response.
    pub(crate) answered_us: u64,
    /// From the first submit to the last receipt; as above where none are asked for.
    pub(crate) receipted_us: u64,
    /// From writing a submit to reading its response.
    pub(crate) p50_us: u64,
    /// The same.
    pub(crate) p99_us: u64,
    /// Submits that went again after a refusal, by status.
    pub(crate) again: BTreeMap<u32, u64>,
    /// Processor time of this process.
    pub(crate) cpu: Ticks,
}

/// Reads a plan, does it, and prints the tally.
pub(crate) fn main() -> Result<()> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let plan: Plan = serde_json::from_str(&line).context("no plan")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tally = runtime.block_on(run(plan))?;
    crate::print(&serde_json::to_string(&tally)?);
    Ok(())
}

async fn run(plan: Plan) -> Result<Tally> {
    let mut sessions = Vec::new();
    let receipts_left = Arc::new(AtomicU64::new(if plan.receipts { plan.messages } else { 0 }));
    for number in 0..plan.binds {
        sessions.push(
            Session::bind(&plan, number, Arc::clone(&receipts_left)).await.with_context(|| format!("bind {number}"))?,
        );
    }
    let (started, started_us) = (Instant::now(), Utc::now().timestamp_micros());
    let mut tasks: JoinSet<Result<Seen>> = sessions.into_iter().map(|session| session.run(started)).collect();
    let mut all = Seen::default();
    while let Some(seen) = tasks.join_next().await {
        all.add(seen??);
    }
    all.took_us.sort_unstable();
    let part = |permille: usize| all.took_us.get(all.took_us.len() * permille / 1000).copied().unwrap_or(0);
    Ok(Tally {
        started_us,
        answered_us: all.answered_us,
        receipted_us: all.receipted_us.max(all.answered_us),
        p50_us: part(500).into(),
        p99_us: part(990).into(),
        again: all.again,
        cpu: usage::own()?,
    })
}

/// What one session saw.
#[derive(Debug, Default)]
struct Seen {
    answered_us: u64,
    receipted_us: u64,
    took_us: Vec<u32>,
    again: BTreeMap<u32, u64>,
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.answered_us = self.answered_us.max(other.answered_us);
        self.receipted_us = self.receipted_us.max(other.receipted_us);
        self.took_us.extend(other.took_us);
        for (status, count) in other.again {
            *self.again.entry(status).or_default() += count;
        }
    }
}

struct Session {
    stream: TcpStream,
    input: BytesMut,
    output: BytesMut,
    from: String,
    /// Destinations: the prefix and a number of seven digits.
    prefix: String,
    next: u64,
    step: u64,
    /// Submits still to be written, and to be answered well.
    todo: u64,
    answers_left: u64,
    /// Of all sessions: a receipt may come on any of them.
    receipts_left: Arc<AtomicU64>,
    receipts: bool,
    window: usize,
    sequence: u32,
    sent: Vec<Option<Instant>>,
    in_flight: usize,
    seen: Seen,
}

impl Session {
    async fn bind(plan: &Plan, number: u32, receipts_left: Arc<AtomicU64>) -> Result<Self> {
        let mut stream = TcpStream::connect(plan.addr).await?;
        stream.set_nodelay(true)?;
        let bind = Body::BindTransceiver(Bind::new(plan.system_id.as_bytes(), plan.password.as_bytes()));
        let mut output = BytesMut::new();
        encode(&mut output, Status::ROK, 1, &bind)?;
        stream.write_all(&output).await?;
        output.clear();
        let mut input = BytesMut::new();
        let length = loop {
            if let Some(length) = Framer::default().peek(&input)? {
                break length;
            }
            ensure!(stream.read_buf(&mut input).await? > 0, "closed");
        };
        let status = decode(&input[..length], Policy::Lenient).context("no PDU")?.header.command_status;
        ensure!(status == Status::ROK, "refused with {status}");
        input.advance(length);
        let binds = u64::from(plan.binds);
        let share = plan.messages / binds + u64::from(u64::from(number) < plan.messages % binds);
        let window = usize::try_from(plan.window)?;
        Ok(Self {
            stream,
            input,
            output,
            from: plan.from.clone(),
            prefix: plan.number_prefix.trim_start_matches('+').to_owned(),
            next: u64::from(number),
            step: binds,
            todo: share,
            answers_left: share,
            receipts_left,
            receipts: plan.receipts,
            window,
            sequence: 1,
            sent: vec![None; window.next_power_of_two() * 4],
            in_flight: 0,
            seen: Seen::default(),
        })
    }

    async fn run(mut self, started: Instant) -> Result<Seen> {
        let mut busy_until: Option<Instant> = None;
        let mut moved = Instant::now();
        while self.answers_left > 0 || self.receipts_left.load(Relaxed) > 0 {
            if busy_until.is_none_or(|until| until <= Instant::now()) {
                busy_until = None;
                self.fill()?;
            }
            if !self.output.is_empty() {
                self.stream.write_all(&self.output).await?;
                self.output.clear();
            }
            self.input.reserve(READ_BYTES);
            let limit = if busy_until.is_some() { AGAIN_AFTER } else { LOOK_EVERY };
            if let Ok(read) = timeout(limit, self.stream.read_buf(&mut self.input)).await {
                ensure!(read? > 0, "closed with {} answers missing", self.answers_left);
                moved = Instant::now();
            } else if moved.elapsed() > STALL_LIMIT {
                bail!("nothing came; {} answers, {:?} receipts missing", self.answers_left, self.receipts_left);
            }
            if self.take(started)? {
                busy_until = Some(Instant::now() + AGAIN_AFTER);
            }
        }
        Ok(self.seen)
    }

    /// Fills the window; not for a few messages at a time.
    fn fill(&mut self) -> Result<()> {
        let free = self.window - self.in_flight;
        if free * 8 < self.window {
            return Ok(());
        }
        let now = Instant::now();
        for _ in 0..u64::try_from(free)?.min(self.todo) {
            let destination = format!("{}{:07}", self.prefix, self.next % 10_000_000);
            self.next += self.step;
            let submit = Sm {
                source: Address::new(5, 0, self.from.as_bytes()),
                destination: Address::new(1, 1, destination.as_bytes()),
                registered_delivery: u8::from(self.receipts),
                short_message: TEXT,
                ..Sm::default()
            };
            self.sequence += 1;
            encode(&mut self.output, Status::ROK, self.sequence, &Body::SubmitSm(submit))?;
            let at = self.slot(self.sequence)?;
            self.sent[at] = Some(now);
            self.in_flight += 1;
            self.todo -= 1;
        }
        Ok(())
    }

    fn slot(&self, sequence: u32) -> Result<usize> {
        Ok(usize::try_from(sequence)? & (self.sent.len() - 1))
    }

    /// Takes every whole PDU; whether one says that we are too fast.
    fn take(&mut self, started: Instant) -> Result<bool> {
        let now = Instant::now();
        let since_us = u64::try_from(now.duration_since(started).as_micros())?;
        let mut input = std::mem::take(&mut self.input);
        let mut too_fast = false;
        while let Some(length) = Framer::default().peek(&input)? {
            let pdu = decode(&input[..length], Policy::Lenient).context("no PDU")?;
            let (status, number) = (pdu.header.command_status, pdu.header.sequence_number);
            match pdu.body {
                Ok(Body::SubmitSmResp(_)) => {
                    let at = self.slot(number)?;
                    let sent = self.sent[at].take().context("an answer to nothing")?;
                    self.in_flight -= 1;
                    if status == Status::ROK {
                        self.answers_left -= 1;
                        self.seen.answered_us = since_us;
                        self.seen.took_us.push(u32::try_from(now.duration_since(sent).as_micros())?);
                    } else {
                        *self.seen.again.entry(status.0).or_default() += 1;
                        self.todo += 1;
                        too_fast = true;
                        ensure!(
                            matches!(status, Status::RTHROTTLED | Status::RMSGQFUL | Status::RSYSERR),
                            "refused with {status}"
                        );
                    }
                }
                Ok(Body::DeliverSm(sm)) => {
                    if sm.is_receipt() {
                        let _ = self.receipts_left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
                        self.seen.receipted_us = since_us;
                    }
                    let answer = Body::DeliverSmResp(MessageResp::default());
                    encode(&mut self.output, Status::ROK, number, &answer)?;
                }
                Ok(Body::EnquireLink) => encode(&mut self.output, Status::ROK, number, &Body::EnquireLinkResp)?,
                Ok(_) => {}
                Err(error) => bail!("a broken PDU came: {error}"),
            }
            input.advance(length);
        }
        self.input = input;
        Ok(too_fast)
    }
}
