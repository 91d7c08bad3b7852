//! Customers bind to us: every ESME library is welcome, none can harm another.
//!
//! One task per connection owns its socket. What one read brings is parsed at once and goes to the intake as one
//! batch; the hub joins the batches of all sessions. Verdicts come back as batches, and their responses leave in one
//! write. What is for the customer (receipts, messages from handsets) waits in a queue per system, from which a lane
//! feeds all receiving sessions that the system has on this edge.
//!
//! **Invariant:** `ESME_ROK` for a submit is sent only after the intake has said that it is durable, and a delivery is
//! settled only after the customer has answered it.

mod accept;
mod address;
mod auth;
mod bounds;
mod doors;
mod hub;
mod lane;
mod listener;
mod long;
mod meters;
mod open;
mod proxy;
mod render;
mod seats;
mod session;
mod submit;
mod systems;
mod taker;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use chrono::DateTime;
use contract::SystemSettings;
use host::secrets::Keys;
use limits::{Directory, Limiter};
use queue::Queue;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use bounds::Bounds;
pub use listener::{Listener, server_tls};

use crate::config::Config;
use crate::intake::Intake;
use crate::status::EdgeStatus;
use doors::Doors;
use lane::Lanes;
use long::Long;
use seats::Seats;
use systems::Systems;

/// What the edge serves customers with.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where it listens.
    pub listeners: Vec<Listener>,
    /// Where submits go.
    pub intake: Arc<dyn Intake>,
    /// Who holds which seat, over all edges.
    pub directory: Arc<dyn Directory>,
    /// How fast systems may submit, and strangers may guess passwords.
    pub limiter: Arc<dyn Limiter>,
    /// Passwords are checked with them.
    pub keys: Arc<Keys>,
    /// Names this edge in the directory and, as `system_id`, to its customers.
    pub edge: String,
    /// Times and bounds.
    pub bounds: Bounds,
}

/// What every part of a running server has.
#[derive(Debug)]
pub(crate) struct Shared {
    bounds: Bounds,
    config: Arc<Config>,
    intake: Arc<dyn Intake>,
    limiter: Arc<dyn Limiter>,
    keys: Arc<Keys>,
    edge: String,
    status: EdgeStatus,
    systems: watch::Receiver<Arc<Systems>>,
    hub: mpsc::Sender<hub::Batch>,
    /// Submits of all sessions that have no verdict yet.
    unanswered: Arc<AtomicUsize>,
    long: Long,
    lanes: Lanes,
    seats: Seats,
    doors: Doors,
    shutdown: CancellationToken,
}

impl Shared {
    /// The time that limits count by: processes may share them, so it is the time of day.
    fn time_of_day(&self) -> Duration {
        (self.config.clock)().signed_duration_since(DateTime::UNIX_EPOCH).to_std().unwrap_or_default()
    }
}

/// A server at work.
#[derive(Debug)]
pub(crate) struct Running {
    systems: watch::Sender<Arc<Systems>>,
    shared: Arc<Shared>,
    listening: TaskTracker,
    hub: tokio::task::JoinHandle<()>,
    seats: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Listens. Nobody can bind before [`apply`](Self::apply) has told of systems.
    pub(crate) fn start(server: Server, config: &Arc<Config>, queue: &Arc<dyn Queue>, status: &EdgeStatus) -> Self {
        let (systems, followed) = watch::channel(Arc::<Systems>::default());
        let unanswered = Arc::new(AtomicUsize::new(0));
        let (sender, receiver) = mpsc::channel(hub::BATCHES_MAX);
        let hub = hub::Hub::new(Arc::clone(&server.intake), &server.bounds, Arc::clone(&unanswered));
        let hub = tokio::spawn(hub.run(receiver));
        let (seats, keeping) = Seats::start(server.directory, &server.edge, &server.bounds);
        let shutdown = CancellationToken::new();
        let shared = Arc::new(Shared {
            doors: Doors::new(&server.bounds),
            lanes: Lanes::new(Arc::clone(queue), config, &server.bounds),
            long: Long::new(server.bounds.long_messages_max),
            bounds: server.bounds,
            config: Arc::clone(config),
            intake: server.intake,
            limiter: server.limiter,
            keys: server.keys,
            edge: server.edge,
            status: status.clone(),
            systems: followed,
            hub: sender,
            unanswered,
            seats,
            shutdown,
        });
        let listening = TaskTracker::new();
        for listener in server.listeners {
            listening.spawn(accept::run(listener, Arc::clone(&shared), listening.clone()));
        }
        Self { systems, shared, listening, hub, seats: keeping }
    }

    /// Applies settings: sessions of systems that may no longer be bound are closed, the others follow.
    pub(crate) fn apply(&self, systems: Vec<SystemSettings>) {
        let systems = self.systems.borrow().with(systems);
        self.shared.lanes.keep(&systems);
        self.systems.send_replace(Arc::new(systems));
    }

    /// Accepts nobody any more, lets the windows empty, unbinds, gives back what was not delivered.
    pub(crate) async fn stop(self) {
        let Self { systems: _systems, shared, listening, hub, seats } = self;
        shared.shutdown.cancel();
        listening.close();
        listening.wait().await;
        shared.lanes.stop().await;
        // The last of the parts: with it go the ends that the hub and the seats wait for.
        drop(shared);
        for ended in [hub.await, seats.await] {
            if let Err(error) = ended {
                tracing::error!(error = %error, "a part of the server ended by a fault");
            }
        }
    }
}
