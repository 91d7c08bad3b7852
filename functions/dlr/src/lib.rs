//! Queue `dlr`: a receipt finds its part, the part's message changes state, and what is charged on delivery is
//! settled. What was not delivered goes to another operator where its policy says so; its customer hears of the end only.
//!
//! A receipt that comes before the outcome it belongs to is published again, alone, with a growing delay; one
//! that nothing is found for in the end is kept where people see it.

mod verdict;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use contract::{Envelope, Receipt, queues, seal};
use domain::MessageId;
use domain::settlement::Outcome;
use host::{Clock, Delivery, Failure, Handler};
use store::advance::{Advance, Moved, advance};
use store::hops::Taken;
use store::{Db, conclude, dlr, hops, inbox, publish};

use crate::verdict::{Matched, Verdicts};

/// How long a receipt without its part waits before each next look: a submit's outcome may be on its way. One that
/// a dead process had taken comes again after a minute, hence a look soon after that.
const LOOK_AGAIN: [Duration; 8] = [
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(30),
    Duration::from_secs(30),
    Duration::from_mins(2),
    Duration::from_mins(10),
];

/// The handler of queue `dlr`.
#[derive(Debug)]
pub struct Dlr {
    db: Db,
    clock: Arc<dyn Clock>,
}

impl Dlr {
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

    async fn save(&self, envelope: &Envelope<Receipt>, now: DateTime<Utc>) -> Result<(), store::Error> {
        let mut tx = self.db.begin().await?;
        if !inbox::mark(&mut tx, Self::NAME, envelope.id).await? {
            return Ok(());
        }
        let parts = dlr::find(&mut tx, &envelope.items, now).await?;
        let matched = Matched::of(&envelope.items, &parts);
        // Parts of one message can be receipted in two envelopes at once: the second waits for the first.
        let undecided = matched.undecided();
        let ids: Vec<MessageId> = undecided.iter().map(|(_, message)| *message).collect();
        dlr::lock(&mut tx, &ids).await?;
        dlr::store(&mut tx, &matched.receipts).await?;
        let standings = hops::standing(&mut tx, &undecided).await?;
        let verdicts = Verdicts::of(&matched.receipts, &standings, now);
        let moved = self.take(&mut tx, (verdicts.advances, verdicts.delivered), now).await?;
        store::advance::append_events(&mut tx, Self::NAME, &verdicts.events).await?;
        let again = hops::again(&mut tx, verdicts.agains).await?;
        publish::publish(&mut tx, self.db.publishing(), queues::ROUTE, seal(&again, now)?, 0).await?;
        self.look_again(&mut tx, &matched.missing, now).await?;
        conclude::conclude(&mut tx, &self.db, &moved, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Takes the steps that receipts ask for, and books what they owe operators that bill deliveries.
    async fn take(
        &self,
        tx: &mut store::Tx,
        (advances, mut delivered): (Vec<Advance>, BTreeMap<(MessageId, i16), Taken>),
        now: DateTime<Utc>,
    ) -> Result<Vec<Moved>, store::Error> {
        let earned: Vec<(MessageId, i16)> =
            advances.iter().filter(|one| one.earns).filter_map(|one| Some((one.message, one.hop?))).collect();
        let billable = advances.iter().filter(|one| one.outcome == Outcome::Billable && one.to.is_final());
        let mut late: Vec<Advance> = billable.cloned().collect();
        let mut moved = advance(tx, advances, now).await?;
        let mut at: HashMap<MessageId, i16> = moved.iter().map(|moved| (moved.message, moved.hop)).collect();
        late.retain(|one| !at.contains_key(&one.message));
        let corrected = store::late::correct(tx, &self.db, (late, &moved), now).await?;
        at.extend(corrected.iter().map(|moved| (moved.message, moved.hop)));
        moved.extend(corrected);
        // The step of a message has booked what its own operator gets.
        for (message, hop) in earned {
            if at.get(&message) == Some(&hop) {
                delivered.remove(&(message, hop));
            }
        }
        let delivered: Vec<Taken> = delivered.into_values().collect();
        moved.extend(hops::delivered(tx, &delivered, now).await?);
        Ok(moved)
    }

    async fn look_again(
        &self,
        tx: &mut store::Tx,
        missing: &[Receipt],
        now: DateTime<Utc>,
    ) -> Result<(), store::Error> {
        let (again, given_up): (Vec<&Receipt>, Vec<&Receipt>) =
            missing.iter().partition(|r| usize::from(r.lookups) < LOOK_AGAIN.len());
        for (lookups, delay) in (0..).zip(LOOK_AGAIN) {
            let items: Vec<Receipt> = again
                .iter()
                .filter(|r| r.lookups == lookups)
                .map(|r| Receipt { lookups: lookups + 1, ..(*r).clone() })
                .collect();
            let delay_ms = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
            publish::publish(tx, self.db.publishing(), queues::DLR, seal(&items, now)?, delay_ms).await?;
        }
        let given_up: Vec<Receipt> = given_up.into_iter().cloned().collect();
        for receipt in &given_up {
            let operator = receipt.operator_id.to_string();
            metrics::counter!("chappe_unmatched_receipts_total", "operator" => operator).increment(1);
        }
        dlr::store_unmatched(tx, &given_up).await
    }
}

impl Handler for Dlr {
    const NAME: &'static str = queues::DLR;
    type Envelope = Envelope<Receipt>;

    async fn handle(&self, envelope: Envelope<Receipt>, _: &Delivery) -> Result<(), Failure> {
        Ok(self.save(&envelope, self.clock.now()).await?)
    }
}
