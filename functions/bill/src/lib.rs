//! Queue `bill`: how a submit ended decides what its message becomes and who pays.
//!
//! Accepted by the operator: captured where the tariff charges on submit, and the supplier's cost is booked.
//! Refused: another route where there is one, otherwise the message fails and its hold is released. Never
//! answered: the message waits for a receipt, or for the sweep.

mod verdict;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use contract::{Envelope, Outcome, queues, seal};
use host::{Clock, Delivery, Failure, Handler};
use store::{Db, conclude, inbox, outcome, publish};

use crate::verdict::Verdicts;

/// The handler of queue `bill`.
#[derive(Debug)]
pub struct Bill {
    db: Db,
    clock: Arc<dyn Clock>,
}

impl Bill {
    /// A handler as the settings say.
    ///
    /// # Errors
    /// When a URL of the settings is missing or cannot be read.
    pub async fn open(config: &host::Config) -> anyhow::Result<Self> {
        let db = outbox::open(config).await?.db;
        Ok(Self::new(db, Arc::new(host::clock::System)))
    }

    /// A handler over `db`.
    pub fn new(db: Db, clock: Arc<dyn Clock>) -> Self {
        Self { db, clock }
    }

    async fn save(
        &self,
        envelope: &Envelope<Outcome>,
        verdicts: Verdicts,
        now: DateTime<Utc>,
    ) -> Result<(), store::Error> {
        let mut tx = self.db.begin().await?;
        if !inbox::mark(&mut tx, Self::NAME, envelope.id).await? {
            return Ok(());
        }
        outcome::store_parts(&mut tx, &envelope.items).await?;
        let moved = store::advance::advance(&mut tx, verdicts.advances, now).await?;
        store::advance::append_events(&mut tx, Self::NAME, &verdicts.events).await?;
        let again = outcome::reroutes(&mut tx, &verdicts.reroutes).await?;
        publish::publish(&mut tx, self.db.publishing(), queues::ROUTE, seal(&again, now)?, 0).await?;
        conclude::conclude(&mut tx, &self.db, &moved, now).await?;
        tx.commit().await?;
        Ok(())
    }
}

impl Handler for Bill {
    const NAME: &'static str = queues::BILL;
    type Envelope = Envelope<Outcome>;

    async fn handle(&self, envelope: Envelope<Outcome>, _: &Delivery) -> Result<(), Failure> {
        let verdicts = Verdicts::of(&envelope.items);
        Ok(self.save(&envelope, verdicts, self.clock.now()).await?)
    }
}
