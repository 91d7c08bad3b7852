//! The end of every transaction that moved messages: tell the customers by webhook and receipt, settle the money.

use chrono::{DateTime, Utc};
use contract::{CustomerEvent, MessageEvent, queues, seal};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::advance::Moved;
use crate::ledger::{self, Entries};
use crate::publish::publish;
use crate::{Db, Error, chain, receipts};

/// Publishes the events and receipts of `moved` and settles what they owe. Call it last before the commit: it takes the locks
/// that others wait for.
pub async fn conclude(connection: &mut PgConnection, db: &Db, moved: &[Moved], at: DateTime<Utc>) -> Result<(), Error> {
    if moved.is_empty() {
        return Ok(());
    }
    let events: Vec<CustomerEvent> = moved.iter().filter_map(|moved| event(moved, at)).collect();
    publish(connection, db.publish, queues::CALLBACK, seal(&events, at)?, 0).await?;
    receipts::publish(connection, db, moved, at).await?;
    let chains = chain::load(connection, db, moved.iter().map(|m| m.chain)).await?;
    let mut entries = Entries::new();
    for step in moved.iter().filter(|m| m.settles_submit || m.settles_final) {
        let chain = chains.get(&step.chain).ok_or_else(|| Error::Corrupt("a message without its chain".into()))?;
        entries.add(step, chain)?;
    }
    ledger::settle(connection, &entries).await
}

fn event(moved: &Moved, at: DateTime<Utc>) -> Option<CustomerEvent> {
    let url = moved.status_url.clone()?;
    Some(CustomerEvent::Message(MessageEvent {
        id: Uuid::now_v7(),
        account_id: moved.account,
        message_id: moved.message,
        url,
        state: moved.state,
        at,
        code: moved.code.clone(),
        to: moved.to,
        client_reference: moved.client_reference.clone(),
        segments: moved.segments,
        price: moved.captured,
        currency: moved.currency,
    }))
}
