//! Queue `inbound`: what handsets send becomes whole messages, finds its account, and goes to its webhook or its
//! SMPP system; words like STOP become opt-outs.
//!
//! A part that comes again is known by its id, or by its place and its octets. Of two envelopes with the last two parts
//! of a message one waits for the other, so that the message is handed over once.

mod assemble;
mod decode;
mod hand_over;

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use contract::{Envelope, InboundPart, queues};
use domain::Private;
use host::{Clock, Delivery, Failure, Handler};
use store::inbound::InboundMessage;
use store::{Db, inbox};

use crate::assemble::{REPEATED, Whole, assemble, key_of};

pub use crate::assemble::TOGETHER;

/// Parts whose waiting ends in one look.
pub const OVERDUE_MAX: u16 = 500;

/// The handler of queue `inbound`.
#[derive(Debug)]
pub struct Inbound {
    db: Db,
    clock: Arc<dyn Clock>,
}

impl Inbound {
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

    async fn save(&self, envelope: Envelope<InboundPart>, now: DateTime<Utc>) -> Result<(), store::Error> {
        let mut tx = self.db.begin().await?;
        if !inbox::mark(&mut tx, Self::NAME, envelope.id).await? {
            return Ok(());
        }
        let mut wholes = Vec::new();
        let mut parts = Vec::new();
        for item in envelope.items.into_iter().map(storable) {
            match key_of(&item) {
                Some(key) => parts.push((key, item)),
                None => wholes.push(Whole::single(item)),
            }
        }
        let keys: Vec<_> = parts.iter().map(|(key, _)| key.clone()).collect::<BTreeSet<_>>().into_iter().collect();
        store::inbound::lock(&mut tx, &keys).await?;
        store::inbound::store_parts(&mut tx, &parts).await?;
        let first = parts.iter().map(|(_, part)| part.received_at).min().unwrap_or(now);
        let assembled = assemble(store::inbound::parts(&mut tx, &keys, first - REPEATED).await?, None);
        store::inbound::mark_parts(&mut tx, &assembled.marks).await?;
        wholes.extend(assembled.wholes);
        let done = hand_over::hand_over(&mut tx, &self.db, &wholes, now).await?;
        tx.commit().await?;
        count(&done);
        Ok(())
    }
}

impl Handler for Inbound {
    const NAME: &'static str = queues::INBOUND;
    type Envelope = Envelope<InboundPart>;

    async fn handle(&self, envelope: Envelope<InboundPart>, _: &Delivery) -> Result<(), Failure> {
        Ok(self.save(envelope, self.clock.now()).await?)
    }
}

/// Hands over, as partial, the messages whose first part was stored `wait` ago and whose other parts did not come.
/// Answers how many parts were looked at.
///
/// # Errors
/// When the database fails; then nothing of it is done.
pub async fn complete_overdue(db: &Db, now: DateTime<Utc>, wait: TimeDelta) -> Result<u64, store::Error> {
    let mut tx = db.begin().await?;
    let keys = store::inbound::overdue(&mut tx, now - wait, i64::from(OVERDUE_MAX)).await?;
    if keys.is_empty() {
        return Ok(0);
    }
    store::inbound::lock(&mut tx, &keys).await?;
    let parts = store::inbound::parts(&mut tx, &keys, now - TOGETHER).await?;
    let assembled = assemble(parts, Some(now - wait));
    store::inbound::mark_parts(&mut tx, &assembled.marks).await?;
    let done = hand_over::hand_over(&mut tx, db, &assembled.wholes, now).await?;
    tx.commit().await?;
    count(&done);
    Ok(u64::try_from(done.len()).unwrap_or(u64::MAX))
}

fn count(done: &[InboundMessage]) {
    for message in done {
        let claimed = if message.account.is_some() { "yes" } else { "no" };
        let partial = if message.partial { "yes" } else { "no" };
        metrics::counter!("chappe_inbound_messages_total", "claimed" => claimed, "partial" => partial).increment(1);
    }
}

/// Without what a database cannot keep in addresses.
fn storable(mut part: InboundPart) -> InboundPart {
    for address in [&mut part.from, &mut part.to] {
        if address.addr.expose().contains(char::is_control) {
            address.addr = Private::new(address.addr.expose().replace(char::is_control, ""));
        }
    }
    part
}
