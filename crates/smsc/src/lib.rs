//! A simulated operator: a real SMPP 3.4 server on a TCP port that takes messages, sends receipts, and misbehaves
//! on request.
//!
//! The demo talks to it, tests ask it what a handset would show, and the benchmark runs it next to Chappe, so it
//! is cheap: one task per session, many PDUs per read and per write, one timer per session. What it does is a
//! [`Profile`] that may be changed while it runs; chance is repeatable from a seed.

mod account;
mod clock;
mod config;
mod counters;
mod mobile;
mod profile;
mod record;
mod session;
mod timetable;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

pub use config::{Account, Config};
pub use counters::Counters;
pub use mobile::{Alphabet, Mobile, MobileError, Parts};
pub use profile::{
    Answers, Fault, FaultKind, Format, IdForm, Link, Nul, Outcome, Outcomes, Problems, Profile, ReceiptParts, Receipts,
    Refusal, Rule, SecondFinal, Wire,
};
pub use record::{Accepted, Repeats, Shown};
pub use tls::Tls;

use account::Directory;
use clock::Clock;
use record::Recorder;

/// Time that [`Smsc::stop`] gives sessions to end.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// A running operator. Dropping it stops it.
#[derive(Debug)]
pub struct Smsc {
    addr: SocketAddr,
    shared: Arc<Shared>,
    control: watch::Sender<Control>,
    tasks: TaskTracker,
    stop: DropGuard,
}

/// What all sessions share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) directory: Directory,
    pub(crate) recorder: Recorder,
    pub(crate) counters: counters::Live,
    pub(crate) clock: Clock,
    pub(crate) seed: u64,
    pub(crate) pdu_bytes_max: usize,
    next_number: AtomicU64,
}

impl Shared {
    pub(crate) fn next_number(&self) -> u64 {
        self.next_number.fetch_add(1, Relaxed)
    }

    /// For a message in parts.
    pub(crate) fn next_reference(&self) -> u16 {
        let [.., high, low] = self.next_number().to_be_bytes();
        u16::from_be_bytes([high, low])
    }
}

/// What sessions are told while they run.
#[derive(Clone, Debug)]
pub(crate) struct Control {
    pub(crate) profile: Arc<Profile>,
    /// Sessions that began under another value end.
    pub(crate) generation: u64,
}

/// Why [`Smsc::deliver`] cannot.
#[derive(Debug)]
#[non_exhaustive]
pub enum DeliverError {
    /// Nobody of this name is configured or has ever bound.
    UnknownAccount,
    /// The message cannot be put into PDUs.
    Mobile(MobileError),
    /// Too many deliveries wait already.
    Full,
}

impl std::fmt::Display for DeliverError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnknownAccount => out.write_str("no account of this name"),
            Self::Mobile(_) => out.write_str("the message cannot be sent"),
            Self::Full => out.write_str("too many deliveries wait already"),
        }
    }
}

impl std::error::Error for DeliverError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Mobile(error) => Some(error),
            Self::UnknownAccount | Self::Full => None,
        }
    }
}

impl Smsc {
    /// Listens, and serves in the background until stopped. Fails when it cannot listen there, and on certificates
    /// that are none.
    pub async fn start(config: Config) -> io::Result<Self> {
        let tls = config.tls.as_ref().map(Tls::acceptor).transpose()?;
        let listener = TcpListener::bind(config.listen).await?;
        let addr = listener.local_addr()?;
        let clock = Clock::start();
        let shared = Arc::new(Shared {
            directory: Directory::new(&config),
            recorder: Recorder::new(config.log_max, config.seen_max),
            counters: counters::Live::default(),
            clock,
            seed: config.seed,
            pdu_bytes_max: config.pdu_bytes_max,
            next_number: AtomicU64::new(config.first_id.unwrap_or_else(|| clock.first_id())),
        });
        let (control, _) = watch::channel(Control { profile: Arc::new(config.profile), generation: 0 });
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let acceptor = Acceptor {
            listener,
            tls,
            shared: Arc::clone(&shared),
            control: control.clone(),
            tasks: tasks.clone(),
            stop: stop.clone(),
            connections_max: config.connections_max,
        };
        tasks.spawn(acceptor.run());
        tracing::info!("simulated operator listens on {addr}");
        Ok(Self { addr, shared, control, tasks, stop: stop.drop_guard() })
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Closes all connections and waits, for a bounded time, until the sessions have ended.
    pub async fn stop(self) {
        self.stop.disarm().cancel();
        self.tasks.close();
        if tokio::time::timeout(STOP_WITHIN, self.tasks.wait()).await.is_err() {
            tracing::warn!("simulated operator left sessions behind");
        }
    }

    /// How it behaves now.
    pub fn profile(&self) -> Arc<Profile> {
        Arc::clone(&self.control.borrow().profile)
    }

    /// Behaves so from now on, in sessions that exist too. What is already scheduled keeps its time.
    pub fn set_profile(&self, profile: Profile) {
        self.control.send_modify(|control| control.profile = Arc::new(profile));
    }

    /// Closes all connections; new ones are welcome.
    pub fn disconnect_all(&self) {
        self.control.send_modify(|control| control.generation += 1);
    }

    /// What happened so far, in numbers.
    pub fn counters(&self) -> Counters {
        self.shared.counters.snapshot()
    }

    /// The last messages taken, oldest first.
    pub fn log(&self) -> Vec<Accepted> {
        self.shared.recorder.log()
    }

    /// What the handset of `destination` shows of the logged messages: long ones in one piece, unfinished ones not.
    pub fn shown(&self, destination: &str) -> Vec<Shown> {
        self.shared.recorder.shown(destination)
    }

    /// How often messages came, over all destinations.
    pub fn repeats(&self) -> Repeats {
        self.shared.recorder.repeats()
    }

    /// How often this text came to this destination: 0 lost, 1 as it should be. Of a long text, how often its
    /// rarest part came.
    pub fn times_seen(&self, destination: &str, text: &str) -> u32 {
        self.shared.recorder.times_seen(destination, text)
    }

    /// Sessions bound to this account.
    pub fn bound(&self, system_id: &str) -> usize {
        self.shared.directory.get(system_id).map_or(0, |account| account.binds())
    }

    /// Receipts and messages of all accounts that wait for their time or for a receiver.
    pub fn pending(&self) -> usize {
        self.shared.directory.all().iter().map(|account| account.pending()).sum()
    }

    /// Sends a message from a handset (`source`) to a number of the account.
    pub fn deliver(&self, system_id: &str, source: &str, destination: &str, text: &str) -> Result<(), DeliverError> {
        self.send_mo(system_id, &Mobile::new(source, destination, text))
    }

    /// Sends a message from a handset to a number of the account. It waits until a bind of the account can take it.
    pub fn send_mo(&self, system_id: &str, mobile: &Mobile) -> Result<(), DeliverError> {
        let account = self.shared.directory.get_or_open(system_id).ok_or(DeliverError::UnknownAccount)?;
        let deliveries = mobile.deliveries(self.shared.next_reference()).map_err(DeliverError::Mobile)?;
        match account.push(&mut deliveries.into_iter().map(|delivery| (0, delivery)).collect()) {
            0 => Ok(()),
            _ => Err(DeliverError::Full),
        }
    }
}

/// Takes connections.
struct Acceptor {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    control: watch::Sender<Control>,
    tasks: TaskTracker,
    stop: CancellationToken,
    connections_max: usize,
}

impl Acceptor {
    async fn run(self) {
        /// Pause after a failed accept: most likely file descriptors ran out.
        const PAUSE: Duration = Duration::from_millis(50);
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = self.stop.cancelled() => return,
            };
            match accepted {
                // This task itself is tracked too, hence not "less or equal".
                Ok((stream, _)) if self.tasks.len() <= self.connections_max => {
                    self.shared.counters.connections.one();
                    let session =
                        session::run(stream, self.tls.clone(), Arc::clone(&self.shared), self.control.subscribe());
                    let stop = self.stop.clone();
                    self.tasks.spawn(async move {
                        stop.run_until_cancelled_owned(session).await;
                    });
                }
                Ok((stream, peer)) => {
                    drop(stream);
                    tracing::warn!("too many connections, closed the one from {peer}");
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot take a connection");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}
