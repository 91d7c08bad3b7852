//! The edge as a whole: follows the settings, starts and stops operators, ends in order.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use anyhow::{Context, bail};
use contract::edge::{EdgeSnapshot, OperatorSettings};
use contract::queues;
use domain::OperatorId;
use limits::Directory;
use queue::Queue;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::operator::{Operator, Shared};
use crate::publish;
use crate::seats::{self, Given, Wanted};
use crate::server::{Running, Server};
use crate::settings::Settings;
use crate::status::EdgeStatus;

/// What an edge is made of.
#[derive(Clone, Debug)]
pub struct Edge {
    /// Names this edge among those that share the operators.
    pub name: String,
    /// Times and bounds.
    pub config: Config,
    /// Where the settings come from.
    pub settings: Arc<dyn Settings>,
    /// Where messages come from and outcomes go.
    pub queue: Arc<dyn Queue>,
    /// Shares the binds of operators among edges.
    pub directory: Arc<dyn Directory>,
    /// Where the states of the sessions can be seen.
    pub status: EdgeStatus,
    /// How customers are served; none: this edge has sessions with operators only.
    pub server: Option<Server>,
}

/// Runs until `shutdown`, then stops taking, lets the windows empty, publishes, unbinds and leaves within the grace.
/// An error is a bug of the edge; whoever started it starts it again.
pub async fn run(edge: Edge, shutdown: CancellationToken) -> anyhow::Result<()> {
    let config = Arc::new(edge.config);
    let (publishers, mut publishing) = publish::start(&config, &edge.queue);
    let server = edge.server.map(|server| Running::start(server, &config, &edge.queue, &edge.status));
    let shared = Shared {
        config: Arc::clone(&config),
        settings: edge.settings,
        queue: edge.queue,
        publishers,
        status: edge.status,
    };
    create_queues(&shared, &shutdown).await;
    let (wanted, wanted_receiver) = watch::channel(Wanted::new());
    let (mut given, mut sharing) = seats::start(edge.directory, &edge.name, Arc::clone(&config), wanted_receiver);
    let mut supervisor = Supervisor {
        shared,
        operators: HashMap::new(),
        server,
        version: None,
        wanted,
        given: Given::new(),
        stopping: TaskTracker::new(),
    };
    let mut ticks = interval(config.settings_every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !shutdown.is_cancelled() {
        tokio::select! {
            _ = ticks.tick() => supervisor.follow_settings().await,
            Ok(()) = given.changed() => supervisor.seat(given.borrow_and_update().clone()),
            () = shutdown.cancelled() => {}
            ended = &mut sharing => {
                ended.context("the sharing of binds panicked")?;
                bail!("the sharing of binds ended while the edge was running");
            }
            ended = &mut publishing => {
                ended.context("a publisher panicked")?;
                bail!("the publishers ended while the edge was running");
            }
        }
    }
    let ending = async {
        supervisor.stop_all().await;
        let (shared, published) = tokio::join!(sharing, publishing);
        shared.and(published)
    };
    let Ok(ended) = timeout(config.grace, ending).await else {
        tracing::warn!("edge did not end within its grace; unsettled envelopes come again");
        return Ok(());
    };
    ended.context("a publisher or the sharing of binds panicked")
}

/// Tries until the queues that the edge publishes to exist.
async fn create_queues(shared: &Shared, shutdown: &CancellationToken) {
    for name in [queues::BILL, queues::DLR, queues::INBOUND] {
        while let Err(error) = shared.queue.create(name).await {
            tracing::warn!(error = %error, "cannot create queue {name}");
            if timeout(shared.config.settings_every, shutdown.cancelled()).await.is_ok() {
                return;
            }
        }
    }
}

struct Supervisor {
    shared: Shared,
    operators: HashMap<OperatorId, Operator>,
    server: Option<Running>,
    version: Option<i64>,
    /// How many binds every operator allows, told to those who share them.
    wanted: watch::Sender<Wanted>,
    /// The seats that are ours.
    given: Given,
    /// Operators that were switched off and finish their windows.
    stopping: TaskTracker,
}

impl Supervisor {
    /// Asks for the settings and applies what changed. Without an answer everything stays as it is.
    async fn follow_settings(&mut self) {
        match self.shared.settings.snapshot(self.version).await {
            Ok(None) => {}
            Ok(Some(EdgeSnapshot { version, operators, systems })) => {
                self.apply(operators);
                if let Some(server) = &self.server {
                    server.apply(systems);
                }
                self.version = Some(version);
                self.shared.status.settings_came();
            }
            Err(error) => tracing::warn!(error = %format!("{error:#}"), "cannot read the settings, the old ones stay"),
        }
    }

    fn apply(&mut self, wanted: Vec<OperatorSettings>) {
        let wanted: Vec<OperatorSettings> = wanted.into_iter().filter(|operator| operator.enabled).collect();
        let ids: HashSet<OperatorId> = wanted.iter().map(|operator| operator.id).collect();
        let gone: Vec<OperatorId> = self.operators.keys().filter(|id| !ids.contains(id)).copied().collect();
        for id in gone {
            tracing::info!(operator.id = %id, "operator {id} is switched off");
            if let Some(operator) = self.operators.remove(&id) {
                self.stopping.spawn(operator.stop());
            }
        }
        self.wanted.send_replace(wanted.iter().map(|operator| (operator.id, operator.binds)).collect());
        for settings in wanted {
            if let Some(operator) = self.operators.get_mut(&settings.id) {
                operator.apply(settings);
                continue;
            }
            tracing::info!(operator.id = %settings.id, "operator {} is switched on", settings.name);
            let id = settings.id;
            self.operators.insert(id, Operator::start(settings, self.shared.clone()));
        }
        self.match_binds();
    }

    /// Other seats are ours now.
    fn seat(&mut self, given: Given) {
        self.given = given;
        self.match_binds();
    }

    fn match_binds(&mut self) {
        let none = BTreeMap::new();
        for (id, operator) in &mut self.operators {
            operator.match_binds(self.given.get(id).unwrap_or(&none));
        }
    }

    /// Stops the server and every operator; drops the last ends of the publishers and of the seats with itself.
    async fn stop_all(self) {
        // Those who share learn it first, so that other edges take each seat as soon as its session has ended.
        drop((self.wanted, self.given));
        if let Some(server) = self.server {
            self.stopping.spawn(server.stop());
        }
        for (_, operator) in self.operators {
            self.stopping.spawn(operator.stop());
        }
        self.stopping.close();
        self.stopping.wait().await;
    }
}
