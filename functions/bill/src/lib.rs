//! Queue `bill`: how a submit ended decides what its message becomes and who pays.
//!
//! Accepted by the operator: captured where the tariff charges on submit, and the supplier's cost is booked, of each
//! operator that took it. Refused: another route where there is one, otherwise the message fails and its hold is
//! released; one that an operator took before ends undelivered. Never answered: it waits for a receipt, or for the sweep.

mod verdict;

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use contract::{Envelope, Outcome, queues, seal};
use domain::MessageId;
use host::{Clock, Delivery, Failure, Handler};
use store::{Db, conclude, dlr, hops, inbox, operator_counts, outcome, publish};

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

    async fn save(&self, envelope: &Envelope<Outcome>, now: DateTime<Utc>) -> Result<(), store::Error> {
        let mut tx = self.db.begin().await?;
        if !inbox::mark(&mut tx, Self::NAME, envelope.id).await? {
            return Ok(());
        }
        let undecided = verdict::undecided(&envelope.items);
        if !undecided.is_empty() {
            let all: Vec<MessageId> = envelope.items.iter().map(|outcome| outcome.message_id).collect();
            dlr::lock(&mut tx, &all).await?;
        }
        outcome::store_parts(&mut tx, &envelope.items).await?;
        operator_counts::count_submits(&mut tx, &envelope.items).await?;
        let standings = hops::standing(&mut tx, &undecided).await?;
        let verdicts = Verdicts::of(&envelope.items, &standings, now);
        let mut moved = store::advance::advance(&mut tx, verdicts.advances, now).await?;
        store::advance::append_events(&mut tx, Self::NAME, &verdicts.events).await?;
        let settled: HashSet<MessageId> = moved.iter().map(|moved| moved.message).collect();
        let taken: Vec<_> = verdicts.taken.into_iter().filter(|one| !settled.contains(&one.message)).collect();
        moved.extend(hops::taken(&mut tx, &taken, now).await?);
        let again = hops::again(&mut tx, verdicts.agains).await?;
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
        Ok(self.save(&envelope, self.clock.now()).await?)
    }
}
