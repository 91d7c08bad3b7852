//! The edge as a whole: follows the settings, starts and stops operators, ends in order.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use anyhow::{Context, bail};
use contract::edge::{EdgeSnapshot, OperatorSettings};
use contract::queues;
use domain::OperatorId;
use queue::Queue;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::operator::{Operator, Shared};
use crate::publish;
use crate::server::{Running, Server};
use crate::settings::Settings;
use crate::status::EdgeStatus;

/// What an edge is made of.
#[derive(Clone, Debug)]
pub struct Edge {
    /// Times and bounds.
    pub config: Config,
    /// Where the settings come from.
    pub settings: Arc<dyn Settings>,
    /// Where messages come from and outcomes go.
    pub queue: Arc<dyn Queue>,
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
    let mut supervisor =
        Supervisor { shared, operators: HashMap::new(), server, version: None, stopping: TaskTracker::new() };
    let mut ticks = interval(config.settings_every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !shutdown.is_cancelled() {
        tokio::select! {
            _ = ticks.tick() => supervisor.follow_settings().await,
            () = shutdown.cancelled() => {}
            ended = &mut publishing => {
                ended.context("a publisher panicked")?;
                bail!("the publishers ended while the edge was running");
            }
        }
    }
    let ending = async {
        supervisor.stop_all().await;
        publishing.await
    };
    let Ok(ended) = timeout(config.grace, ending).await else {
        tracing::warn!("edge did not end within its grace; unsettled envelopes come again");
        return Ok(());
    };
    ended.context("a publisher panicked")
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
        for settings in wanted {
            if let Some(operator) = self.operators.get_mut(&settings.id) {
                operator.apply(settings);
                continue;
            }
            tracing::info!(operator.id = %settings.id, "operator {} is switched on", settings.name);
            let id = settings.id;
            self.operators.insert(id, Operator::start(settings, self.shared.clone()));
        }
    }

    /// Stops the server and every operator; drops the last ends of the publishers with itself.
    async fn stop_all(self) {
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
