//! What the parts of one process share: database, queues, keys, the catalogue in memory, and the way to stop.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use contract::queues;
use futures_util::future::try_join_all;
use host::{Clock, Config, clock};
use queue::Queue;
use secrecy::ExposeSecret;
use store::Db;
use store::holder::Holder;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use host::secrets::Keys;
use outbox::{Opened, Pump};

use crate::exit::Misused;

/// How long a start waits for a database that does not answer, and between two attempts.
const DATABASE_PATIENCE: Duration = Duration::from_secs(30);
const DATABASE_RETRY: Duration = Duration::from_millis(500);

/// A platform that is open: the parts that [`Platform::run`] starts share it.
#[derive(Debug, Clone)]
pub(crate) struct Platform {
    pub(crate) db: Db,
    pub(crate) queue: Arc<dyn Queue>,
    /// What carries from the outbox to the queues, where these are elsewhere.
    pub(crate) pump: Option<Arc<Pump>>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) catalogue: Arc<Holder>,
    pub(crate) limits: limits::Opened,
    pub(crate) clock: Arc<dyn Clock>,
    /// How long a stop lets work finish.
    pub(crate) grace: Duration,
    /// How long an operator may be without a session before what waits for it goes elsewhere.
    pub(crate) failover_after: Duration,
    /// Cancelled when the process is asked to stop.
    pub(crate) shutdown: CancellationToken,
    tasks: TaskTracker,
}

/// Reads the catalogue; waits a while for a database that does not answer yet, as when all of a host starts at once.
async fn load_catalogue(db: &Db) -> Result<Arc<Holder>, store::Error> {
    let give_up = Instant::now() + DATABASE_PATIENCE;
    loop {
        match Holder::load(db.clone()).await {
            Err(error @ store::Error::Unavailable(_)) if Instant::now() < give_up => {
                tracing::warn!(error = %queue::chain(&error), "the database does not answer yet");
                sleep(DATABASE_RETRY).await;
            }
            loaded => return loaded,
        }
    }
}

impl Platform {
    /// Opens everything; the schema must be up to date. `config` has a database, a queue and a secret.
    pub(crate) async fn open(config: &Config, shutdown: CancellationToken) -> Result<Self> {
        let Opened { db, queue, pump } = Opened::new(open_db(config)?, open_queue(config).await?, false);
        // Whoever accepts the first message finds the queue that it goes to, however late its reader starts.
        let making = queues::ALWAYS
            .map(async |name| queue.create(name).await.with_context(|| format!("cannot make the queue {name}")));
        try_join_all(making).await?;
        let secret = config.secret_key.as_ref().context("there is no secret key")?;
        let keys = Arc::new(Keys::new(secret.expose_secret())?);
        let catalogue =
            load_catalogue(&db).await.context("cannot read the catalogue; has the schema been migrated?")?;
        let platform = Self {
            db,
            queue,
            pump,
            keys,
            catalogue,
            limits: open_limits(config)?,
            clock: Arc::new(clock::System),
            grace: config.grace,
            failover_after: config.failover_after,
            shutdown,
            tasks: TaskTracker::new(),
        };
        let (catalogue, asked) = (Arc::clone(&platform.catalogue), platform.shutdown.clone());
        platform.run(async move { catalogue.follow(asked.cancelled()).await });
        Ok(platform)
    }

    /// Runs a part until it ends by itself, which it does at a shutdown.
    pub(crate) fn run(&self, part: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(part);
    }

    /// Waits until the process is asked to stop and every part has ended.
    pub(crate) async fn stopped(&self) {
        self.shutdown.cancelled().await;
        self.tasks.close();
        self.tasks.wait().await;
        if let Some(pump) = &self.pump {
            let _ = timeout(self.grace, pump.drained()).await;
        }
    }
}

/// The database of the settings.
pub(crate) fn open_db(config: &Config) -> Result<Db> {
    let opened: Result<Db> = store::open!(config);
    opened.map_err(|error| Misused(format!("DATABASE_URL: {error:#}")).into())
}

/// What keeps seats and rates, remembers and spreads: the Redis of the settings, or this process where there is none.
pub(crate) fn open_limits(config: &Config) -> Result<limits::Opened> {
    let url = config.redis_url.as_ref().map(ExposeSecret::expose_secret);
    limits::open(url).map_err(|error| Misused(format!("REDIS_URL: {error}")).into())
}

/// The queues of the settings.
pub(crate) async fn open_queue(config: &Config) -> Result<Arc<dyn Queue>> {
    let url = config.queue_url.as_ref().context("there is no queue")?.expose_secret();
    queue::open(url).await.map_err(|error| Misused(format!("QUEUE_URL: {error}")).into())
}
