//! An edge, a simulated operator and a queue in memory, with short times.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{TimeDelta, Utc};
use contract::edge::{BindType, EdgeSnapshot, OperatorSettings, SubmitKey};
use contract::{Encoding, Envelope, InboundPart, Item, Outcome, Receipt, Routed, queues, seal};
use domain::{AccountId, MessageId, Number, OperatorId, Private, Sender};
use limits::{Directory, InProcessDirectory};
use queue::{Out, Queue};
use smpp_edge::{Config, Edge, EdgeStatus, Settings};
use smsc::{Profile, Smsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::memory::Memory;

/// A condition that does not hold by then never will.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// What the rest of the platform would answer.
#[derive(Debug, Default)]
pub(crate) struct Platform {
    version: Mutex<i64>,
    operators: Mutex<BTreeMap<OperatorId, OperatorSettings>>,
    pub(crate) known: Mutex<HashSet<SubmitKey>>,
    pub(crate) asked: Mutex<usize>,
}

#[async_trait]
impl Settings for Platform {
    async fn snapshot(&self, known_version: Option<i64>) -> anyhow::Result<Option<EdgeSnapshot>> {
        let version = *self.version.lock().unwrap();
        let operators = self.operators.lock().unwrap().values().cloned().collect();
        Ok((known_version != Some(version)).then_some(EdgeSnapshot { version, operators, systems: Vec::new() }))
    }

    async fn outcomes_known(&self, submits: &[SubmitKey]) -> anyhow::Result<HashSet<SubmitKey>> {
        *self.asked.lock().unwrap() += 1;
        let known = self.known.lock().unwrap();
        Ok(submits.iter().filter(|key| known.contains(key)).copied().collect())
    }
}

impl Platform {
    pub(crate) fn set(&self, operator: OperatorSettings) {
        self.operators.lock().unwrap().insert(operator.id, operator);
        *self.version.lock().unwrap() += 1;
    }

    pub(crate) fn remove(&self, id: OperatorId) {
        self.operators.lock().unwrap().remove(&id);
        *self.version.lock().unwrap() += 1;
    }
}

#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) queue: Arc<Memory>,
    pub(crate) platform: Arc<Platform>,
    pub(crate) status: EdgeStatus,
    shutdown: CancellationToken,
    edge: JoinHandle<anyhow::Result<()>>,
}

/// Times of production, shortened.
pub(crate) fn config() -> Config {
    Config {
        settings_every: Duration::from_millis(20),
        response_timeout: Duration::from_millis(700),
        enquire_after: Duration::from_secs(5),
        enquire_timeout: Duration::from_secs(2),
        backoff_min: Duration::from_millis(20),
        backoff_max: Duration::from_millis(100),
        refused_backoff: Duration::from_millis(300),
        throttle_delay: Duration::from_millis(50),
        temporary_delay: Duration::from_millis(50),
        lease: Duration::from_secs(3),
        seats_lease: Duration::from_secs(1),
        seats_every: Duration::from_millis(50),
        receive_wait: Duration::from_millis(100),
        return_after: Duration::from_millis(100),
        receipt_gather: Duration::from_millis(10),
        drain: Duration::from_secs(2),
        grace: Duration::from_secs(5),
        ..Config::default()
    }
}

/// An operator that behaves as `profile` says.
pub(crate) async fn operator(profile: Profile) -> (Smsc, OperatorSettings) {
    let smsc = Smsc::start(smsc::Config { profile, ..smsc::Config::default() }).await.unwrap();
    let settings = OperatorSettings {
        id: OperatorId::generate(),
        name: "sim".to_owned(),
        host: smsc.addr().ip().to_string(),
        port: smsc.addr().port(),
        system_id: "chappe".to_owned(),
        password: Private::new("secret"),
        system_type: String::new(),
        bind_type: BindType::Transceiver,
        binds: 2,
        window: 10,
        tps: 0,
        enabled: true,
        profile: Box::default(),
        tls_key: None,
    };
    (smsc, settings)
}

/// A message to `to`.
pub(crate) fn message(to: &str, text: &str) -> Routed {
    let count = smpp::text::count(text);
    Routed {
        message_id: MessageId::generate(),
        account_id: AccountId::generate(),
        hop: 0,
        to: Number::parse(to).unwrap(),
        from: Sender::parse("Chappe").unwrap(),
        text: Private::new(text),
        encoding: if count.encoding == smpp::text::Encoding::Gsm7 { Encoding::Gsm7 } else { Encoding::Ucs2 },
        segments: u8::try_from(count.segments).unwrap(),
        expires_at: Utc::now() + TimeDelta::hours(1),
        smpp: None,
    }
}

/// Messages to different numbers.
pub(crate) fn messages(count: u64) -> Vec<Routed> {
    (0..count).map(|n| message(&(998_900_000_000 + n).to_string(), &format!("text {n}"))).collect()
}

impl Rig {
    pub(crate) async fn start(config: Config, operators: &[&OperatorSettings]) -> Self {
        Self::start_beside(Arc::new(InProcessDirectory::new()), config, operators).await
    }

    /// An edge that shares the operators with the other edges of this directory.
    pub(crate) async fn start_beside(
        directory: Arc<dyn Directory>,
        config: Config,
        operators: &[&OperatorSettings],
    ) -> Self {
        let _ = tracing_subscriber::fmt().with_env_filter("smpp_edge=debug").with_test_writer().try_init();
        let queue = Arc::new(Memory::default());
        let platform = Arc::new(Platform::default());
        for operator in operators {
            queue.create(&queues::submit(operator.id)).await.unwrap();
            platform.set((*operator).clone());
        }
        let status = EdgeStatus::new();
        let shutdown = CancellationToken::new();
        let edge = Edge {
            name: "test".to_owned(),
            config,
            settings: platform.clone(),
            queue: queue.clone(),
            directory,
            status: status.clone(),
            server: None,
        };
        let edge = tokio::spawn(smpp_edge::run(edge, shutdown.clone()));
        Self { queue, platform, status, shutdown, edge }
    }

    /// Puts messages into the operator's queue, ten to an envelope.
    pub(crate) async fn submit(&self, operator: &OperatorSettings, messages: &[Routed]) {
        for chunk in messages.chunks(10) {
            let sealed = seal(chunk, Utc::now()).unwrap();
            let batch: Vec<Out> = sealed.into_iter().map(|sealed| Out::now(sealed.body)).collect();
            for result in self.queue.send(&queues::submit(operator.id), &batch).await {
                result.unwrap();
            }
        }
    }

    pub(crate) fn outcomes(&self) -> Vec<Outcome> {
        self.items(queues::BILL)
    }

    pub(crate) fn receipts(&self) -> Vec<Receipt> {
        self.items(queues::DLR)
    }

    pub(crate) fn inbound(&self) -> Vec<InboundPart> {
        self.items(queues::INBOUND)
    }

    fn items<T: Item>(&self, queue: &str) -> Vec<T> {
        let bodies = self.queue.bodies(queue);
        bodies.iter().flat_map(|body| serde_json::from_slice::<Envelope<T>>(body).unwrap().items).collect()
    }

    /// Waits for so many outcomes; fails if there are more.
    pub(crate) async fn wait_for_outcomes(&self, count: usize) -> Vec<Outcome> {
        until("outcomes", || self.outcomes().len() >= count).await;
        let outcomes = self.outcomes();
        assert_eq!(outcomes.len(), count);
        outcomes
    }

    /// Waits until every envelope is settled.
    pub(crate) async fn wait_until_settled(&self, operator: &OperatorSettings) {
        until("settled envelopes", || self.queue.bodies(&queues::submit(operator.id)).is_empty()).await;
    }

    pub(crate) async fn wait_for_binds(&self, operator: &OperatorSettings, count: usize) {
        until("binds", || self.status.bound(operator.id) == count).await;
    }

    /// Asks the edge to stop and waits until it has.
    pub(crate) async fn stop(self) -> Arc<Memory> {
        self.shutdown.cancel();
        tokio::time::timeout(WAIT_MAX, self.edge).await.unwrap().unwrap().unwrap();
        self.queue
    }
}

/// Waits until `holds`; fails after [`WAIT_MAX`] with the caller's name for it.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let waited = testkit::until_some(WAIT_MAX, async || holds().then_some(what));
    waited.await;
}
