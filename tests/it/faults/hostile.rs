//! Strangers at the door of a running platform: ten thousand who never bind, floods of binds, octets that are no PDU,
//! and peers that take for ever. A good customer beside them hardly notices.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use smpp::pdu::Bind;
use smpp::{Body, CommandId, Status, encode};
use smsc::Profile;
use testkit::eventually;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use super::{END, MOMENT};
use crate::chappe::{Chappe, Company, Customer, Esme, Leftovers, Manners, ON_SUBMIT, OperatorIs, sm, smsc};

/// Connections that never bind, where the system allows this process so many.
const SILENT: usize = 10_000;
/// Descriptors that this process needs for all else.
const DESCRIPTORS_LEFT: usize = 1_500;
/// Who opens them, and who does everything else, at one moment.
const HANDS: usize = 8;
/// How often each of them does it.
const EVERY: Duration = Duration::from_millis(10);
/// Where the guessers come from: an address that guesses is shut out for a while, and the customer has another.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Connections that send an octet now and then.
const SLOW: usize = 50;
const OCTET_EVERY: Duration = Duration::from_millis(200);
/// Submits that are timed, one after the other.
const TIMED: usize = 300;
/// A latency below this is good, whatever it was before: what other processes of a busy machine take.
const LATENCY_FLOOR: Duration = Duration::from_millis(50);
/// Times that it is measured, of which one must be good: other tests run beside this one.
const ROUNDS: usize = 4;
/// What the platform may grow by, in KiB: 10,000 strangers with 4 KiB each are 40 MiB.
const GROWTH_KIB: u64 = 256 * 1024;

/// What the strangers did.
#[derive(Debug, Default)]
struct Done {
    silent: AtomicUsize,
    refused: AtomicU64,
    broken: AtomicU64,
    overruns: AtomicU64,
}

/// Connections that the system lets this process have.
fn silent_max() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let soft = line.split_whitespace().next().unwrap().parse().unwrap_or(usize::MAX);
    SILENT.min(soft.saturating_sub(DESCRIPTORS_LEFT))
}

/// Connects and says nothing.
async fn be_silent(addr: SocketAddr, count: usize, done: Arc<Done>, stop: CancellationToken) {
    let mut connections = Vec::new();
    for _ in 0..count {
        connections.push(TcpStream::connect(addr).await.unwrap());
        done.silent.fetch_add(1, Ordering::Relaxed);
    }
    stop.cancelled().await;
}

/// Guesses passwords.
async fn guess(mut customer: Customer, done: Arc<Done>, stop: CancellationToken) {
    customer.from = ELSEWHERE;
    let mut ticks = interval(EVERY);
    while !stop.is_cancelled() {
        ticks.tick().await;
        if let Err(Some(status)) = customer.bind("a wrong password", Manners::default()).await {
            assert_ne!(status, Status::ROK);
            done.refused.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Sends what no PDU begins with, and reads until the end.
async fn send_garbage(addr: SocketAddr, done: Arc<Done>, stop: CancellationToken) {
    let mut ticks = interval(EVERY);
    for length in [0_u32, 15, u32::MAX, 0x7FFF_FFFF].into_iter().cycle() {
        ticks.tick().await;
        if stop.is_cancelled() {
            return;
        }
        let mut stream = TcpStream::connect(addr).await.unwrap();
        let octets = [&length.to_be_bytes()[..], &[0xFF; 60]].concat();
        // It may be driven out before it has said everything.
        let _ = stream.write_all(&octets).await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
        done.broken.fetch_add(1, Ordering::Relaxed);
    }
}

/// A bind, an octet at a time.
async fn drip(addr: SocketAddr, stop: CancellationToken) {
    let mut bind = BytesMut::new();
    encode(&mut bind, Status::ROK, 1, &Body::BindTransceiver(Bind::new(b"nobody", b"x"))).unwrap();
    let mut ticks = interval(OCTET_EVERY);
    while !stop.is_cancelled() {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        for octet in &bind {
            ticks.tick().await;
            if stop.is_cancelled() || stream.write_u8(*octet).await.is_err() {
                break;
            }
        }
    }
}

/// Submits with parameters that are longer than their PDU; the session must go on.
async fn overrun(customer: &Customer, done: &Done, stop: &CancellationToken) {
    let esme = customer.bound().await;
    let mut octets = BytesMut::new();
    let to = format!("{}9999999", ON_SUBMIT.prefix);
    encode(&mut octets, Status::ROK, 1, &Body::SubmitSm(sm(&to, b"Hello"))).unwrap();
    octets.advance(16);
    octets.extend_from_slice(&[0x04, 0x24, 0xFF, 0xFF, b'x']);
    let mut ticks = interval(EVERY);
    while !stop.is_cancelled() {
        ticks.tick().await;
        let answer = esme.ask(&Body::Other(CommandId::SUBMIT_SM, &octets)).await.expect("the session goes on");
        assert_ne!(answer.status, Status::ROK, "half a parameter was taken");
        done.overruns.fetch_add(1, Ordering::Relaxed);
    }
    assert_eq!(esme.ask(&Body::EnquireLink).await.unwrap().status, Status::ROK);
}

/// Times submits one after the other, on a thread that nobody else uses; of a hundred, the slowest but one.
async fn latency(customer: &Customer, round: usize) -> Duration {
    let customer = customer.clone();
    let timed = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let esme = customer.bound().await;
            let mut took = Vec::with_capacity(TIMED);
            for number in 0..TIMED {
                let to = format!("{}{round:03}{number:04}", ON_SUBMIT.prefix);
                took.push(time(&esme, &to).await);
            }
            esme.leave().await;
            took.sort_unstable();
            took[TIMED * 99 / 100]
        })
    };
    spawn_blocking(timed).await.unwrap()
}

async fn time(esme: &Esme, to: &str) -> Duration {
    let started = Instant::now();
    assert_eq!(esme.submit(sm(to, b"Hello")).await.expect("the session goes on").status, Status::ROK);
    started.elapsed()
}

/// Everything at once, until stopped.
async fn attack(chappe: &Chappe, guessed: &Customer, done: &Arc<Done>) -> (JoinSet<()>, CancellationToken) {
    let (addr, stop) = (chappe.smpp(), CancellationToken::new());
    let mut strangers = JoinSet::new();
    let silent = silent_max();
    for _ in 0..HANDS {
        strangers.spawn(be_silent(addr, silent / HANDS, Arc::clone(done), stop.clone()));
        strangers.spawn(guess(guessed.clone(), Arc::clone(done), stop.clone()));
    }
    strangers.spawn(send_garbage(addr, Arc::clone(done), stop.clone()));
    for _ in 0..SLOW {
        strangers.spawn(drip(addr, stop.clone()));
    }
    eventually(MOMENT, async || done.silent.load(Ordering::Relaxed) >= silent / HANDS * HANDS).await;
    eprintln!("{silent} silent connections");
    (strangers, stop)
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_at_the_door_cost_a_customer_little() {
    let chappe = Chappe::start().await;
    let company = Company::found(&chappe).await;
    let carrier = smsc(Profile::default()).await;
    company.operator(&carrier, OperatorIs::simple("Ucell", ON_SUBMIT, "50")).await;
    let system = async |name| Customer::of(&chappe, &company, company.client, name).await;
    let (good, guessed, clumsy) = (system("good").await, system("guessed").await, system("clumsy").await);
    let before_kib = chappe.resident_kib();
    let mut seen = Vec::new();
    for round in 0..ROUNDS {
        let before = latency(&good, 2 * round).await;
        let done = Arc::new(Done::default());
        let (mut strangers, stop) = attack(&chappe, &guessed, &done).await;
        let (during, ()) = tokio::join!(
            async {
                let during = latency(&good, 2 * round + 1).await;
                // Whose password is guessed at may come in with the right one, in all this.
                guessed.bound().await.leave().await;
                stop.cancel();
                during
            },
            overrun(&clumsy, &done, &stop)
        );
        while let Some(ended) = strangers.join_next().await {
            ended.unwrap();
        }
        eprintln!("{before:?} before, {during:?} during; {done:?}");
        for count in [&done.refused, &done.broken, &done.overruns] {
            assert!(count.load(Ordering::Relaxed) > 0, "{done:?}");
        }
        let grown_kib = chappe.resident_kib().saturating_sub(before_kib);
        assert!(grown_kib < GROWTH_KIB, "it grew by {grown_kib} KiB");
        seen.push((before, during));
        if during <= LATENCY_FLOOR.max(before * 2) {
            break;
        }
    }
    let (before, during) = seen[seen.len() - 1];
    assert!(during <= LATENCY_FLOOR.max(before * 2), "{seen:?}");
    let _receiving = good.bound().await;
    chappe.assert_settled(END, Leftovers::default()).await;
}
