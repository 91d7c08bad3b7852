//! From the settings to a database whose transactions publish.

use std::sync::Arc;

use anyhow::Context as _;
use host::Config;
use queue::Queue;
use store::{Db, Publish};

use crate::Pump;

/// A database, the queues, and what carries from one to the other.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The database; its transactions hand over to `pump` where there is one.
    pub db: Db,
    /// The queues.
    pub queue: Arc<dyn Queue>,
    /// `None` where the queues are in the database: then a publish is part of the transaction.
    pub pump: Option<Arc<Pump>>,
}

impl Opened {
    /// Puts `db` and `queue` together; inside a runtime, unless `is_lambda`.
    pub fn new(db: Db, queue: Arc<dyn Queue>, is_lambda: bool) -> Self {
        if db.publishing() == Publish::InTransaction {
            return Self { db, queue, pump: None };
        }
        let make = if is_lambda { Pump::waiting } else { Pump::start };
        let pump = make(db.clone(), Arc::clone(&queue));
        let db = db.handing_over(Arc::<Pump>::clone(&pump), queue.has_listeners());
        Self { db, queue, pump: Some(pump) }
    }

    /// Waits until what was handed over is published, or left for the next look into the outbox.
    pub async fn drained(&self) {
        if let Some(pump) = &self.pump {
            pump.drained().await;
        }
    }
}

/// Opens what the settings say. Connects to neither of both yet.
///
/// # Errors
/// When a URL is missing or cannot be read.
pub async fn open(config: &Config) -> anyhow::Result<Opened> {
    let db: anyhow::Result<Db> = store::open!(config);
    let queue = queue::open(config.queue_url()?).await.context("QUEUE_URL")?;
    let db = db.context("DATABASE_URL")?;
    Ok(Opened::new(db, queue, config.is_lambda))
}
