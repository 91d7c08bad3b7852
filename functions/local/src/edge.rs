//! The edge as a part of a process, and its way to the rest of the platform: by function calls where the rest is
//! in the same process, by the internal API where it is elsewhere.

mod link;
pub(crate) mod name;
pub(crate) mod watch;

use std::sync::Arc;
use std::time::Duration;

use api::internal::BindReport;
use limits::Directory;
use queue::Queue;
use smpp_edge::{Config, Edge, EdgeStatus, Server};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

pub(crate) use link::Link;

/// How often the states of the sessions are reported; an edge that is silent for 30 s counts as gone.
const REPORT_EVERY: Duration = Duration::from_secs(2);
/// The edges, which share the rates of SMPP customers' systems: see [`limits::Opened::join`].
pub(crate) const INSTANCES: &str = "edge";
/// The wait before an edge that ended by a fault is started again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What an edge runs with.
#[derive(Debug, Clone)]
pub(crate) struct Station {
    /// Names this edge in what it reports.
    pub(crate) name: String,
    pub(crate) link: Arc<Link>,
    pub(crate) queue: Arc<dyn Queue>,
    /// Shares the binds of operators with other edges.
    pub(crate) directory: Arc<dyn Directory>,
    /// How it serves customers; none: it has sessions with operators only.
    pub(crate) server: Option<Server>,
    /// Where its sessions are seen and watched.
    pub(crate) status: EdgeStatus,
    /// How long a stop lets the windows empty.
    pub(crate) grace: Duration,
    pub(crate) shutdown: CancellationToken,
}

/// Runs an edge until the shutdown, and reports its sessions.
pub(crate) async fn run(station: Station) {
    let status = station.status.clone();
    let edge = Edge {
        name: station.name.clone(),
        config: Config { grace: station.grace, ..Config::default() },
        settings: Arc::<Link>::clone(&station.link),
        queue: Arc::clone(&station.queue),
        directory: Arc::clone(&station.directory),
        status: status.clone(),
        server: station.server.clone(),
    };
    tokio::join!(keep_running(edge, &station.shutdown), report(status, &station));
}

/// An error of the edge is a bug; until it is mended, a new start is better than none.
async fn keep_running(edge: Edge, shutdown: &CancellationToken) {
    while let Err(error) = smpp_edge::run(edge.clone(), shutdown.clone()).await {
        tracing::error!(cause = format!("{error:#}"), "the edge ended, it starts again");
        sleep(AGAIN_AFTER).await;
    }
}

async fn report(status: EdgeStatus, station: &Station) {
    while station.shutdown.run_until_cancelled(sleep(REPORT_EVERY)).await.is_some() {
        let report =
            BindReport { edge_id: station.name.clone(), operators: status.operators(), sessions: status.sessions() };
        match station.link.report(&report).await {
            Ok(orders) => status.cut(&orders.cut),
            Err(error) => tracing::warn!(cause = format!("{error:#}"), "cannot report the states of the sessions"),
        }
    }
}
