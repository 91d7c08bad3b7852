//! What handlers share.

use std::fmt;
use std::sync::Arc;

use host::secrets::Keys;
use queue::Queue;
use store::Db;
use store::holder::Holder;
use tokio::sync::Semaphore;

use crate::auth::keys::KeyCache;
use crate::auth::password::Passwords;
use crate::messages::intake::Intake;
use crate::pace::Pace;

/// Batches accepted at the same time.
const BATCHES_MAX: usize = 4;

/// What an operator of the platform can set.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Segments per second of an account that has no rate of its own.
    pub segments_per_second: u32,
    /// May events go to private addresses? For machines of one's own.
    pub private_webhooks: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { segments_per_second: 1_000, private_webhooks: false }
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
    /// Settings.
    pub settings: Settings,
    /// Renders the metrics of this process in the text format of Prometheus.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
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
    pub(crate) settings: Settings,
    pub(crate) metrics: Arc<dyn Fn() -> String + Send + Sync>,
    pub(crate) intake: Intake,
    pub(crate) pace: Pace,
    pub(crate) batches: Semaphore,
    pub(crate) key_cache: KeyCache,
    pub(crate) passwords: Passwords,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("db", &self.db).field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Api {
    /// Puts the parts together and starts the gatherer; call it inside a runtime.
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { db, catalogue, keys, queue, settings, metrics } = parts;
        Arc::new(Self {
            intake: Intake::start(db.clone()),
            pace: Pace::new(settings.segments_per_second),
            batches: Semaphore::new(BATCHES_MAX),
            key_cache: KeyCache::new(),
            passwords: Passwords::new(),
            db,
            catalogue,
            keys,
            queue,
            settings,
            metrics,
        })
    }
}
