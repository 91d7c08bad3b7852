//! An edge that serves customers, with short times, a stub for the platform and a queue in memory.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{TimeDelta, Utc};
use contract::edge::{EdgeSnapshot, SubmitKey};
use contract::{
    BindCounts, CustomerInbound, CustomerReceipt, Deliver, Encoding, Octets, SystemSettings, What, WireAddress, queues,
    seal,
};
use domain::{AccountId, InboundId, MessageId, Private, SmppSystemId, State};
use host::secrets::Keys;
use limits::{InProcess, InProcessDirectory};
use queue::{Out, Queue};
use smpp::pdu::Bind;
use smpp::{CommandId, Status};
use smpp_edge::{Bounds, Config, Edge, EdgeStatus, Listener, Server, Settings};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::esme::{self, Esme};
use crate::intake::Stub;
use crate::memory::Memory;

/// A condition that does not hold by then never will.
const WAIT_MAX: Duration = Duration::from_secs(10);
pub(crate) const NAME: &str = "customer";
/// Longer than the eight octets of the specification.
pub(crate) const PASSWORD: &str = "a longer password";

/// What the rest of the platform would answer.
#[derive(Debug, Default)]
pub(crate) struct Platform {
    version: Mutex<i64>,
    systems: Mutex<BTreeMap<SmppSystemId, SystemSettings>>,
}

#[async_trait]
impl Settings for Platform {
    async fn snapshot(&self, known_version: Option<i64>) -> anyhow::Result<Option<EdgeSnapshot>> {
        let version = *self.version.lock().unwrap();
        let systems = self.systems.lock().unwrap().values().cloned().collect();
        Ok((known_version != Some(version)).then_some(EdgeSnapshot { version, operators: Vec::new(), systems }))
    }

    async fn outcomes_known(&self, _: &[SubmitKey]) -> anyhow::Result<HashSet<SubmitKey>> {
        Ok(HashSet::new())
    }
}

impl Platform {
    pub(crate) fn set(&self, system: SystemSettings) {
        self.systems.lock().unwrap().insert(system.id, system);
        *self.version.lock().unwrap() += 1;
    }

    pub(crate) fn remove(&self, id: SmppSystemId) {
        self.systems.lock().unwrap().remove(&id);
        *self.version.lock().unwrap() += 1;
    }
}

pub(crate) struct Rig {
    pub(crate) queue: Arc<Memory>,
    pub(crate) platform: Arc<Platform>,
    pub(crate) intake: Arc<Stub>,
    pub(crate) directory: Arc<InProcessDirectory>,
    pub(crate) status: EdgeStatus,
    pub(crate) addr: SocketAddr,
    shutdown: CancellationToken,
    edge: JoinHandle<anyhow::Result<()>>,
}

pub(crate) fn keys() -> Keys {
    Keys::new(&[7; 32]).unwrap()
}

/// Times of production, shortened.
pub(crate) fn bounds() -> Bounds {
    Bounds {
        stall_after: Duration::from_millis(200),
        unbind_timeout: Duration::from_millis(500),
        intake_again: Duration::from_millis(10),
        refusal_delay: Duration::from_millis(50),
        again_min: Duration::from_millis(50),
        again_max: Duration::from_millis(100),
        pause: Duration::from_millis(20),
        seat_lease: Duration::from_secs(1),
        ..Bounds::default()
    }
}

fn config() -> Config {
    Config {
        settings_every: Duration::from_millis(20),
        lease: Duration::from_secs(3),
        receive_wait: Duration::from_millis(50),
        return_after: Duration::from_millis(50),
        drain: Duration::from_secs(2),
        grace: Duration::from_secs(5),
        ..Config::default()
    }
}

/// A system that may do everything.
pub(crate) fn system() -> SystemSettings {
    SystemSettings {
        id: SmppSystemId::generate(),
        account_id: AccountId::generate(),
        system_id: NAME.to_owned(),
        password_hash: Octets(keys().hash(PASSWORD.as_bytes()).to_vec()),
        binds: BindCounts { transmitters: 2, receivers: 2, transceivers: 2 },
        addresses: Vec::new(),
        segments_per_second: 0,
        burst: 0,
        window: 10,
        senders: Vec::new(),
        default_sender: None,
        default_alphabet: contract::Alphabet::default(),
        receipts: contract::system::ReceiptStyle::default(),
        inbound: contract::system::InboundStyle::default(),
        service_types: BTreeMap::new(),
        enabled: true,
    }
}

impl Rig {
    pub(crate) async fn start(system: &SystemSettings) -> Self {
        Self::start_with(bounds(), std::slice::from_ref(system), |listener| listener).await
    }

    pub(crate) async fn start_with(
        bounds: Bounds,
        systems: &[SystemSettings],
        listening: impl FnOnce(Listener) -> Listener,
    ) -> Self {
        let _ = tracing_subscriber::fmt().with_env_filter("smpp_edge=debug").with_test_writer().try_init();
        let queue = Arc::new(Memory::default());
        let platform = Arc::new(Platform::default());
        for system in systems {
            platform.set(system.clone());
            queue.create(&queues::deliver(system.id)).await.unwrap();
        }
        let (intake, directory) = (Arc::new(Stub::default()), Arc::new(InProcessDirectory::new()));
        let listener = listening(Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap());
        let addr = listener.addr().unwrap();
        let server = Server {
            listeners: vec![listener],
            intake: intake.clone(),
            directory: directory.clone(),
            limiter: Arc::new(InProcess::new(1000)),
            keys: Arc::new(keys()),
            edge: "edge-1".to_owned(),
            bounds,
        };
        let status = EdgeStatus::new();
        let shutdown = CancellationToken::new();
        let edge = Edge {
            name: "edge-1".to_owned(),
            config: config(),
            settings: platform.clone(),
            queue: queue.clone(),
            directory: directory.clone(),
            status: status.clone(),
            server: Some(server),
        };
        let edge = tokio::spawn(smpp_edge::run(edge, shutdown.clone()));
        Self { queue, platform, intake, directory, status, addr, shutdown, edge }
    }

    pub(crate) async fn connect(&self) -> Esme {
        Esme::connect(self.addr).await
    }

    /// A customer that is bound. The settings come a moment after the start, so the first bind may be too early.
    pub(crate) async fn bound(&self, command: CommandId) -> Esme {
        let bound = testkit::until_some(WAIT_MAX, async || {
            let mut esme = self.connect().await;
            let got = esme.ask(&esme::bind(command, Bind::new(NAME.as_bytes(), PASSWORD.as_bytes()))).await;
            (got.status == Status::ROK).then_some(esme)
        });
        bound.await
    }

    pub(crate) async fn transceiver(&self) -> Esme {
        self.bound(CommandId::BIND_TRANSCEIVER).await
    }

    /// Puts deliveries into the queue of their system, in one envelope.
    pub(crate) async fn deliver(&self, system: &SystemSettings, whats: Vec<What>) {
        let deliver = |what| Deliver {
            id: uuid::Uuid::now_v7(),
            system_id: system.id,
            account_id: system.account_id,
            expires_at: Utc::now() + TimeDelta::days(3),
            what,
        };
        let delivers: Vec<Deliver> = whats.into_iter().map(deliver).collect();
        self.deliver_all(system, &delivers).await;
    }

    pub(crate) async fn deliver_all(&self, system: &SystemSettings, delivers: &[Deliver]) {
        let batch: Vec<Out> =
            seal(delivers, Utc::now()).unwrap().into_iter().map(|sealed| Out::now(sealed.body)).collect();
        for result in self.queue.send(&queues::deliver(system.id), &batch).await {
            result.unwrap();
        }
    }

    /// Waits until every delivery is settled.
    pub(crate) async fn wait_until_settled(&self, system: &SystemSettings) {
        until("settled deliveries", || self.queue.bodies(&queues::deliver(system.id)).is_empty()).await;
    }

    pub(crate) fn ask_to_stop(&self) {
        self.shutdown.cancel();
    }

    pub(crate) async fn stop(self) -> Arc<Memory> {
        self.shutdown.cancel();
        tokio::time::timeout(WAIT_MAX, self.edge).await.unwrap().unwrap().unwrap();
        assert!(self.status.sessions().is_empty(), "no session is left");
        self.queue
    }
}

/// Waits until `holds`; fails with the caller's name for it.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    testkit::until_some(WAIT_MAX, async || holds().then_some(what)).await;
}

fn address(addr: &str) -> WireAddress {
    WireAddress { ton: 1, npi: 1, addr: Private::new(addr) }
}

pub(crate) fn receipt(message_id: MessageId, state: State) -> What {
    let at = "2026-05-04T11:59:10Z".parse().unwrap();
    What::Receipt(CustomerReceipt {
        message_id,
        recipient: address("998901234567"),
        sender: address("Chappe"),
        state,
        error: "000".to_owned(),
        submitted_at: at,
        done_at: at + TimeDelta::minutes(1),
        segments: 1,
        text: Private::new("Hello"),
        user_message_reference: None,
    })
}

pub(crate) fn inbound(text: &str, encoding: Encoding) -> What {
    What::Inbound(CustomerInbound {
        inbound_id: InboundId::generate(),
        from: address("998901234567"),
        to: address("4444"),
        text: Private::new(text),
        encoding,
        partial: false,
        received_at: Utc::now(),
    })
}
