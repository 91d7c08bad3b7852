//! Queue `callback`: events on their way to customers' URLs, signed by Standard Webhooks.
//!
//! The handler only stores deliveries, so that a slow customer holds up nobody. The [`Deliverer`] takes what is
//! due, tries a bounded number at once and a few at most per host, and stores how each try ended.

mod attempt;
mod deliverer;
mod schedule;
mod sign;
mod timer;

use std::sync::Arc;

use contract::{CustomerEvent, Envelope, queues};
use host::{Clock, Delivery, Failure, Handler};
use store::{Db, webhooks};
use tokio::sync::Notify;
use tokio::time::Instant;

pub use attempt::Sender;
pub use deliverer::Deliverer;
pub use egress::Reach;
pub use schedule::Schedule;
pub use sign::signature;

/// The handler of queue `callback`.
#[derive(Debug)]
pub struct Callback {
    db: Db,
    clock: Arc<dyn Clock>,
    stored: Arc<Notify>,
    /// Delivers when the handler comes to rest, where nothing runs in the background.
    on_demand: Option<Deliverer>,
}

impl Callback {
    /// A handler as the settings say, with a deliverer beside it; on Lambda, with one inside.
    ///
    /// # Errors
    /// When a setting is missing or cannot be read.
    pub async fn open(config: &host::Config) -> anyhow::Result<Self> {
        let db = outbox::open(config).await?.db;
        let (clock, stored) = (Arc::new(host::clock::System), Arc::new(Notify::new()));
        let reach = if config.private_webhooks { Reach::Anywhere } else { Reach::Public };
        let sender = Sender::new(Arc::new(config.keys()?), reach, Schedule::default())?;
        let deliverer = Deliverer::new(db.clone(), sender, clock.clone(), stored.clone());
        if config.is_lambda {
            return Ok(Self { on_demand: Some(deliverer), ..Self::new(db, clock, stored) });
        }
        tokio::spawn(async move { deliverer.run(std::future::pending()).await });
        Ok(Self::new(db, clock, stored))
    }

    /// A handler over `db` that wakes a deliverer of the same process by `stored`.
    pub fn new(db: Db, clock: Arc<dyn Clock>, stored: Arc<Notify>) -> Self {
        Self { db, clock, stored, on_demand: None }
    }
}

impl Handler for Callback {
    const NAME: &'static str = queues::CALLBACK;
    type Envelope = Envelope<CustomerEvent>;

    async fn handle(&self, envelope: Envelope<CustomerEvent>, _: &Delivery) -> Result<(), Failure> {
        // An event's id is its key: the same envelope twice stores it once.
        webhooks::store(&self.db, &envelope.items, self.clock.now()).await?;
        self.stored.notify_one();
        Ok(())
    }
    async fn before_freeze(&self, until: Instant) {
        if let Some(deliverer) = &self.on_demand
            && let Err(error) = deliverer.deliver_due(until).await
        {
            tracing::warn!(error = format!("{:#}", anyhow::Error::new(error)), "cannot take due webhooks");
        }
    }
}
