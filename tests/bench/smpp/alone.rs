//! The edge alone: a real server on a real socket, whose intake takes everything and whose queues are empty.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use async_trait::async_trait;
use contract::edge::{EdgeSnapshot, SubmitKey};
use contract::intake::{AboutMessage, Answer, Submissions, SubmitVerdict};
use contract::{BindCounts, Octets, SystemSettings};
use domain::{AccountId, SmppSystemId};
use host::secrets::Keys;
use queue::{Delivery, Depth, Error, Lease, Out, Parked, Queue, SendError, Settle, SettleError, Take};
use smpp_edge::{Config, Edge, EdgeStatus, Intake, Listener, Server, Settings};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How the load binds.
pub(crate) const SYSTEM_ID: &str = "bench";
/// The same.
pub(crate) const PASSWORD: &str = "bench-password";

/// The whole process: prints its address, and serves until SIGTERM.
pub(crate) fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let keys = Arc::new(Keys::new(&[7; 32])?);
        let listener = Listener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        crate::print(&listener.addr()?.to_string());
        let limits = limits::Opened::in_process();
        let edge = Edge {
            config: Config::default(),
            settings: Arc::new(OneSystem(system(&keys))),
            queue: Arc::new(Empty),
            status: EdgeStatus::new(),
            directory: Arc::clone(&limits.directory),
            name: "bench".to_owned(),
            server: Some(Server {
                listeners: vec![listener],
                intake: Arc::new(TakesAll),
                directory: limits.directory,
                limiter: limits.limiter,
                keys,
                edge: "bench".to_owned(),
                bounds: smpp_edge::Bounds::default(),
            }),
        };
        let shutdown = CancellationToken::new();
        let mut term = signal(SignalKind::terminate())?;
        let stop = shutdown.clone();
        tokio::spawn(async move {
            term.recv().await;
            stop.cancel();
        });
        smpp_edge::run(edge, shutdown).await
    })
}

fn system(keys: &Keys) -> SystemSettings {
    SystemSettings {
        id: SmppSystemId::generate(),
        account_id: AccountId::generate(),
        system_id: SYSTEM_ID.to_owned(),
        password_hash: Octets(keys.hash(PASSWORD.as_bytes()).to_vec()),
        binds: BindCounts { transmitters: 0, receivers: 0, transceivers: 100 },
        addresses: Vec::new(),
        segments_per_second: 0,
        burst: 1,
        window: 1000,
        senders: Vec::new(),
        default_sender: None,
        default_alphabet: contract::Alphabet::Gsm7,
        receipts: contract::system::ReceiptStyle::default(),
        inbound: contract::system::InboundStyle::default(),
        service_types: std::collections::BTreeMap::new(),
        enabled: true,
    }
}

#[derive(Debug)]
struct OneSystem(SystemSettings);

#[async_trait]
impl Settings for OneSystem {
    async fn snapshot(&self, known: Option<i64>) -> Result<Option<EdgeSnapshot>> {
        let all = || EdgeSnapshot { version: 1, operators: Vec::new(), systems: vec![self.0.clone()] };
        Ok((known != Some(1)).then(all))
    }

    async fn outcomes_known(&self, _: &[SubmitKey]) -> Result<HashSet<SubmitKey>> {
        Ok(HashSet::new())
    }
}

#[derive(Debug)]
struct TakesAll;

#[async_trait]
impl Intake for TakesAll {
    async fn submit(&self, submissions: &Submissions) -> Result<Vec<SubmitVerdict>> {
        Ok(vec![SubmitVerdict::Accepted; submissions.submissions.len()])
    }

    async fn about(&self, _: &AboutMessage) -> Result<Answer> {
        bail!("nothing is known here")
    }
}

/// Queues in which nothing ever lies.
#[derive(Debug)]
struct Empty;

#[async_trait]
impl Queue for Empty {
    async fn create(&self, _: &str) -> Result<(), Error> {
        Ok(())
    }

    async fn send(&self, _: &str, batch: &[Out]) -> Vec<Result<(), SendError>> {
        batch.iter().map(|_| Ok(())).collect()
    }

    async fn receive(&self, _: &str, take: Take) -> Result<Vec<Delivery>, Error> {
        let nothing = std::future::pending::<()>();
        let _ = tokio::time::timeout(take.wait.max(Duration::from_millis(100)), nothing).await;
        Ok(Vec::new())
    }

    async fn settle(&self, _: &str, batch: Vec<(Lease, Settle)>) -> Vec<Result<(), SettleError>> {
        batch.iter().map(|_| Ok(())).collect()
    }

    async fn extend(&self, _: &str, leases: &[Lease], _: Duration) -> Vec<Result<(), SettleError>> {
        leases.iter().map(|_| Ok(())).collect()
    }

    async fn depth(&self, _: &str) -> Result<Depth, Error> {
        Ok(Depth::default())
    }

    async fn queues(&self) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }

    async fn parked(&self, _: &str, _: usize) -> Result<Vec<Parked>, Error> {
        Ok(Vec::new())
    }

    async fn replay(&self, _: &str, _: &str) -> Result<bool, Error> {
        Ok(false)
    }

    async fn discard(&self, _: &str, _: &str) -> Result<bool, Error> {
        Ok(false)
    }
}
