//! What handlers share.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use host::secrets::Keys;
use limits::Opened;
use queue::Queue;
use store::accept::NewMessage;
use store::holder::Holder;
use store::{Db, schedule};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::auth::keys::KeyCache;
use crate::auth::password::Passwords;
use crate::lookups::Lookups;
use crate::messages::idempotency::KEEPING_MAX;
use crate::messages::intake::Intake;
use crate::pace::Pace;
use crate::realtime::Hub;

/// Batches accepted at the same time.
const BATCHES_MAX: usize = 4;

/// How often a WebSocket is asked when nothing else is said; well below the minutes after which proxies cut one.
const PING_EVERY: Duration = Duration::from_secs(30);

/// Lines of one statement as CSV when nothing else is said: what a spreadsheet can open.
const STATEMENT_LINES_MAX: u32 = 1_000_000;

/// Scheduled messages that one request sends on their way before it is frozen; the timer finds more.
const SOON_MAX: u16 = 500;

/// What an operator of the platform can set, and what its host says of itself.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Segments per second of an account that has no rate of its own.
    pub segments_per_second: u32,
    /// May events go to private addresses? For machines of one's own.
    pub private_webhooks: bool,
    /// How often a WebSocket is asked whether its client is still there.
    pub ping_every: Duration,
    /// Nothing runs between requests (AWS Lambda): the catalogue is looked at when a request comes, and
    /// [`Api::before_freeze`] is awaited behind it.
    pub on_demand: bool,
    /// Movements of one statement as CSV, at most; more are refused.
    pub statement_lines_max: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            segments_per_second: 1_000,
            private_webhooks: false,
            ping_every: PING_EVERY,
            on_demand: false,
            statement_lines_max: STATEMENT_LINES_MAX,
        }
    }
}

/// What a host gives.
pub struct Parts {
    /// The database.
    pub db: Db,
    /// The catalogue; the host keeps it fresh with [`Holder::follow`].
    pub catalogue: Arc<Holder>,
    /// The platform's keys.
    pub keys: Arc<Keys>,
    /// Where queues are made for new operators.
    pub queue: Arc<dyn Queue>,
    /// Rates, answers and news; shared with other processes where there is a Redis.
    pub limits: Opened,
    /// Settings.
    pub settings: Settings,
    /// Cancelled when the process stops: every WebSocket is closed then, see [`Api::closed`].
    pub stop: CancellationToken,
    /// Renders the metrics of this process in the text format of Prometheus; `None` where they are told elsewhere, or to
    /// nobody.
    pub metrics: Option<Arc<dyn Fn() -> String + Send + Sync>>,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("db", &self.db).field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The state of the API in one process.
pub struct Api {
    pub(crate) db: Db,
    pub(crate) catalogue: Arc<Holder>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) limits: Opened,
    pub(crate) settings: Settings,
    pub(crate) metrics: Option<Arc<dyn Fn() -> String + Send + Sync>>,
    pub(crate) intake: Intake,
    pub(crate) pace: Pace,
    pub(crate) lookups: Lookups,
    pub(crate) batches: Semaphore,
    pub(crate) key_cache: KeyCache,
    pub(crate) passwords: Passwords,
    pub(crate) keeping: Arc<Semaphore>,
    pub(crate) hub: Arc<Hub>,
    /// A message was accepted that is due before the timer of scheduled messages comes by again.
    is_something_due_soon: AtomicBool,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("db", &self.db).field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Api {
    /// Puts the parts together and starts the gatherer; call it inside a runtime.
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { db, catalogue, keys, queue, limits, settings, stop, metrics } = parts;
        Arc::new(Self {
            intake: Intake::start(db.clone()),
            pace: Pace::new(Arc::clone(&limits.limiter), settings.segments_per_second),
            lookups: Lookups::new(settings.private_webhooks),
            batches: Semaphore::new(BATCHES_MAX),
            key_cache: KeyCache::new(),
            passwords: Passwords::new(),
            keeping: Arc::new(Semaphore::new(KEEPING_MAX)),
            hub: Hub::start(db.clone(), Arc::clone(&limits.fanout), stop),
            limits,
            is_something_due_soon: AtomicBool::new(false),
            db,
            catalogue,
            keys,
            queue,
            settings,
            metrics,
        })
    }

    /// Waits until the process stops and every WebSocket is closed.
    pub async fn closed(&self) {
        self.hub.closed().await;
    }

    /// Remembers when a message is due that is about to be accepted.
    pub(crate) fn note_time(&self, message: &NewMessage) {
        let is_soon = message.scheduled_at.is_some_and(|at| at - message.created_at < schedule::AHEAD);
        if self.settings.on_demand && is_soon {
            self.is_something_due_soon.store(true, Ordering::Relaxed);
        }
    }

    /// Does what other hosts leave to the background. Where the timer of scheduled messages ticks once a minute, a
    /// message that is due before its next tick is sent on its way now, to wait in the queue.
    pub async fn before_freeze(&self) {
        if !self.is_something_due_soon.swap(false, Ordering::Relaxed) {
            return;
        }
        let now = crate::time::now();
        if let Err(error) = schedule::send(&self.db, now, now + schedule::AHEAD, SOON_MAX).await {
            tracing::warn!(error = %error, "cannot send scheduled messages ahead, the timer will");
        }
    }
}
