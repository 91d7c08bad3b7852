//! What the server of the edge can do by itself: customers in this process submit over TCP, the intake is a stub that
//! accepts everything, and the queue is empty. Run with `--release`; arguments: seconds, sessions, window.
//!
//! Prints submits per second, and per second of processor time of the whole process; the customers' own share of it is
//! inside, so the server alone does better.
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use async_trait::async_trait;
use bytes::{Buf, BytesMut};
use contract::edge::{EdgeSnapshot, SubmitKey};
use contract::intake::{AboutMessage, Answer, Refusal, Submissions, SubmitVerdict};
use contract::{BindCounts, Octets, SystemSettings};
use domain::{AccountId, SmppSystemId};
use host::secrets::Keys;
use limits::{InProcess, InProcessDirectory};
use smpp::pdu::{Address, Bind, Sm};
use smpp::{Body, Framer, Status, encode};
use smpp_edge::{Bounds, Config, Edge, EdgeStatus, Intake, Listener, Server, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

#[path = "../tests/edge/memory.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "made for tests")]
mod memory;

const PASSWORD: &[u8] = b"secret";
/// Ticks of processor time per second in `/proc` (`CLK_TCK` of Linux).
const TICKS_PER_SECOND: u64 = 100;

#[derive(Debug)]
struct Yes(SystemSettings);

#[async_trait]
impl Intake for Yes {
    async fn submit(&self, submissions: &Submissions) -> anyhow::Result<Vec<SubmitVerdict>> {
        Ok(vec![SubmitVerdict::Accepted; submissions.submissions.len()])
    }

    async fn about(&self, _: &AboutMessage) -> anyhow::Result<Answer> {
        Ok(Answer::Refused(Refusal { status: Status::RQUERYFAIL.0, code: "none".to_owned() }))
    }
}

#[async_trait]
impl Settings for Yes {
    async fn snapshot(&self, known_version: Option<i64>) -> anyhow::Result<Option<EdgeSnapshot>> {
        let systems = vec![self.0.clone()];
        Ok(known_version.is_none().then_some(EdgeSnapshot { version: 1, operators: Vec::new(), systems }))
    }

    async fn outcomes_known(&self, _: &[SubmitKey]) -> anyhow::Result<HashSet<SubmitKey>> {
        Ok(HashSet::new())
    }
}

fn system(keys: &Keys, sessions: u16, window: u16) -> SystemSettings {
    SystemSettings {
        id: SmppSystemId::generate(),
        account_id: AccountId::generate(),
        system_id: "customer".to_owned(),
        password_hash: Octets(keys.hash(PASSWORD).to_vec()),
        binds: BindCounts { transmitters: sessions, receivers: 0, transceivers: 0 },
        addresses: Vec::new(),
        segments_per_second: 0,
        burst: 0,
        window,
        senders: Vec::new(),
        default_sender: None,
        default_alphabet: contract::Alphabet::default(),
        receipts: contract::system::ReceiptStyle::default(),
        inbound: contract::system::InboundStyle::default(),
        service_types: BTreeMap::new(),
        enabled: true,
    }
}

/// One customer: keeps its window full until the end.
async fn customer(addr: std::net::SocketAddr, window: u32, done: Arc<AtomicU64>) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let mut out = BytesMut::new();
    encode(&mut out, Status::ROK, 1, &Body::BindTransmitter(Bind::new(b"customer", PASSWORD)))?;
    let sm = Sm {
        source: Address::new(5, 0, b"Chappe"),
        destination: Address::new(1, 1, b"998901234567"),
        registered_delivery: 1,
        short_message: &[b'a'; 143],
        ..Sm::default()
    };
    let framer = Framer::default();
    let mut input = BytesMut::with_capacity(64 * 1024);
    let (mut number, mut room, mut counted) = (1_u32, 0, false);
    loop {
        for _ in 0..room {
            number = number % 0x7FFF_FFFF + 1;
            encode(&mut out, Status::ROK, number, &Body::SubmitSm(sm))?;
        }
        stream.write_all_buf(&mut out).await?;
        anyhow::ensure!(stream.read_buf(&mut input).await? > 0, "the server closed the session");
        room = 0;
        while let Some(octets) = framer.peek(&input)? {
            anyhow::ensure!(input.get(8..12) == Some(&[0; 4]), "a refusal");
            input.advance(octets);
            room += 1;
        }
        if counted {
            done.fetch_add(u64::from(room), Ordering::Relaxed);
        } else if room > 0 {
            (counted, room) = (true, window);
        }
        input.reserve(16 * 1024);
    }
}

/// Processor time of this process, in ticks.
fn ticks() -> anyhow::Result<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit(')').next().context("no fields")?;
    let numbers = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    Ok(numbers.sum::<Result<u64, _>>()?)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |default: u16| arguments.next().map_or(Ok(default), |given| given.parse());
    let (seconds, sessions, window) = (argument(5)?, argument(8)?, argument(100)?);
    let keys = Arc::new(Keys::new(&[7; 32])?);
    let platform = Arc::new(Yes(system(&keys, sessions, window)));
    let listener = Listener::bind("127.0.0.1:0".parse()?).await?;
    let addr = listener.addr()?;
    let server = Server {
        listeners: vec![listener],
        intake: Arc::<Yes>::clone(&platform),
        directory: Arc::new(InProcessDirectory::new()),
        limiter: Arc::new(InProcess::new(1000)),
        keys,
        edge: "ceiling".to_owned(),
        bounds: Bounds::default(),
    };
    let shutdown = CancellationToken::new();
    let edge = Edge {
        config: Config::default(),
        settings: platform,
        queue: Arc::new(memory::Memory::default()),
        status: EdgeStatus::new(),
        directory: Arc::new(InProcessDirectory::new()),
        name: "ceiling".to_owned(),
        server: Some(server),
    };
    let running = tokio::spawn(smpp_edge::run(edge, shutdown.clone()));
    let done = Arc::new(AtomicU64::new(0));
    let customers: Vec<_> =
        (0..sessions).map(|_| tokio::spawn(customer(addr, window.into(), Arc::clone(&done)))).collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (before, ticks_before, started) = (done.load(Ordering::Relaxed), ticks()?, Instant::now());
    tokio::time::sleep(Duration::from_secs(seconds.into())).await;
    let count = done.load(Ordering::Relaxed) - before;
    let (ticks, millis) = (ticks()? - ticks_before, u64::try_from(started.elapsed().as_millis())?);
    println!("{sessions} sessions, window {window}: {} submits/s", count * 1000 / millis.max(1));
    println!("{} submits per second of processor time, customers included", count * TICKS_PER_SECOND / ticks.max(1));
    customers.iter().for_each(tokio::task::JoinHandle::abort);
    shutdown.cancel();
    running.await?
}
