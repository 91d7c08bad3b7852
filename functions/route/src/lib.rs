//! Queue `route`: a message whose money is held gets its operator, or ends for want of one.
//!
//! Load the catalogue from memory, decide by [`domain::Catalogue::decide`], save the choice, its reasons and the
//! queue message for the operator in one transaction.

mod plan;

use std::sync::Arc;

use contract::{Accepted, Envelope, queues, seal};
use domain::MessageId;
use host::{Clock, Delivery, Failure, Handler};
use store::holder::Holder;
use store::{Db, breakers, conclude, dlr, inbox, operator_caps, publish, routing};

use crate::plan::Plan;

/// The handler of queue `route`.
#[derive(Debug)]
pub struct Route {
    db: Db,
    catalogue: Arc<Holder>,
    clock: Arc<dyn Clock>,
    /// Nobody follows the catalogue: it is looked at when there is something to route.
    on_demand: bool,
}

impl Route {
    /// A handler as the settings say, with a catalogue that follows its database; on Lambda, where nothing follows,
    /// with one that is looked at before it is used.
    ///
    /// # Errors
    /// When a URL of the settings is missing or cannot be read, or the database does not answer.
    pub async fn open(config: &host::Config) -> anyhow::Result<Self> {
        let db = outbox::open(config).await?.db;
        let clock = Arc::new(host::clock::System);
        if config.is_lambda {
            return Ok(Self { on_demand: true, ..Self::new(db.clone(), Holder::unread(db), clock) });
        }
        let catalogue = Holder::load(db.clone()).await?;
        let follower = catalogue.clone();
        tokio::spawn(async move { follower.follow(std::future::pending()).await });
        Ok(Self::new(db, catalogue, clock))
    }

    /// A handler over `db` that decides by `catalogue`.
    pub fn new(db: Db, catalogue: Arc<Holder>, clock: Arc<dyn Clock>) -> Self {
        Self { db, catalogue, clock, on_demand: false }
    }
}

impl Handler for Route {
    const NAME: &'static str = queues::ROUTE;
    type Envelope = Envelope<Accepted>;

    async fn handle(&self, envelope: Envelope<Accepted>, _: &Delivery) -> Result<(), Failure> {
        if self.on_demand {
            self.catalogue.keep_fresh().await?;
        }
        let now = self.clock.now();
        let wanted = plan::wanted(&self.catalogue.get(), &envelope.items, now);
        let probes = breakers::claim(&self.db, &wanted, now).await?;
        let (mut plan, without) = Plan::make(&self.catalogue.get(), envelope.items, probes, now)?;
        if !without.is_empty() {
            // An operator or a rate that was added a moment ago may not be in the picture yet.
            self.catalogue.refresh().await?;
            plan.complete(&self.catalogue.get(), without, now)?;
        }
        Ok(self.save(envelope.id, plan, now).await?)
    }
}

impl Route {
    async fn save(
        &self,
        envelope: domain::EnvelopeId,
        plan: Plan,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<(), store::Error> {
        let mut tx = self.db.begin().await?;
        if !inbox::mark(&mut tx, Self::NAME, envelope).await? {
            return Ok(());
        }
        routing::remember(&mut tx, &plan.decisions, now).await?;
        let again: Vec<(MessageId, i16)> =
            plan.choices.iter().filter(|choice| choice.hop > 0).map(|choice| (choice.message, choice.hop)).collect();
        let chosen = routing::choose(&mut tx, plan.choices, now).await?;
        let mut given = operator_caps::Days::new();
        for (operator, mut items) in plan.routed {
            items.retain(|item| chosen.contains(&item.message_id));
            if plan.capped.contains(&operator) {
                let segments: i64 = items.iter().map(|item| i64::from(item.segments)).sum();
                *given.entry((operator, now.date_naive())).or_default() += segments;
            }
            publish::publish(&mut tx, self.db.publishing(), &queues::submit(operator), seal(&items, now)?, 0).await?;
        }
        routing::note(&mut tx, plan.unrouted).await?;
        // A receipt for an operator of before may be at work on them: its cost belongs into the CDR.
        let ending: Vec<MessageId> = plan.ended.iter().map(|advance| advance.message).collect();
        dlr::lock(&mut tx, &ending).await?;
        let ended = store::advance::advance(&mut tx, plan.ended, now).await?;
        store::advance::append_events(&mut tx, Self::NAME, &plan.events).await?;
        routing::note_looks(&mut tx, &plan.in_vain, now).await?;
        conclude::conclude(&mut tx, &self.db, &ended, now).await?;
        let moved: Vec<_> = again.into_iter().filter(|(message, _)| chosen.contains(message)).collect();
        operator_caps::give_back(&mut tx, &moved, &mut given).await?;
        operator_caps::count(&mut tx, &given).await?;
        tx.commit().await?;
        Ok(())
    }
}
