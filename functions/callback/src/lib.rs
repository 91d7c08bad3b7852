//! Queue `callback`: events on their way to customers' URLs, signed by Standard Webhooks.
//!
//! The handler only stores deliveries, so that a slow customer holds up nobody. The [`Deliverer`] takes what is
//! due, tries a bounded number at once and a few at most per host, and stores how each try ended.

mod attempt;
mod deliverer;
mod guard;
mod schedule;
mod sign;

use std::sync::Arc;

use contract::{CustomerEvent, Envelope, queues};
use host::{Clock, Delivery, Failure, Handler};
use store::{Db, Publish, webhooks};
use tokio::sync::Notify;

pub use attempt::Sender;
pub use deliverer::Deliverer;
pub use guard::Reach;
pub use schedule::Schedule;
pub use sign::signature;

/// The handler of queue `callback`.
#[derive(Debug)]
pub struct Callback {
    db: Db,
    clock: Arc<dyn Clock>,
    stored: Arc<Notify>,
}

impl Callback {
    /// A handler as the settings say, with a deliverer beside it.
    ///
    /// # Errors
    /// When a setting is missing or cannot be read.
    pub fn open(config: &host::Config) -> anyhow::Result<Self> {
        let db = Db::open(config.database_url()?, Publish::between(config.database_url()?, config.queue_url()?))?;
        let (clock, stored) = (Arc::new(host::clock::System), Arc::new(Notify::new()));
        let sender = Sender::new(Arc::new(config.keys()?), Reach::Public, Schedule::default())?;
        let deliverer = Deliverer::new(db.clone(), sender, clock.clone(), stored.clone());
        tokio::spawn(async move { deliverer.run(std::future::pending()).await });
        Ok(Self::new(db, clock, stored))
    }

    /// A handler over `db` that wakes a deliverer of the same process by `stored`.
    pub fn new(db: Db, clock: Arc<dyn Clock>, stored: Arc<Notify>) -> Self {
        Self { db, clock, stored }
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
}
