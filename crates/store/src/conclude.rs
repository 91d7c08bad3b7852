//! The end of every transaction that moved messages: tell the customers by webhook, WebSocket and receipt, settle the
//! money.

use chrono::{DateTime, Utc};
use contract::news::{Change, Charge, News};
use contract::{CustomerEvent, MessageEvent, queues, seal};
use uuid::Uuid;

use crate::advance::Moved;
use crate::ledger::{self, Entries};
use crate::outbox::NEWS;
use crate::publish::publish;
use crate::{Db, Error, Publish, Tx, chain, meters, realtime, receipts};

/// Publishes the events and receipts of `moved` and settles what they owe. Call it last before the commit: it takes the locks
/// that others wait for.
///
/// # Errors
/// When the database fails.
pub async fn conclude(tx: &mut Tx, db: &Db, moved: &[Moved], at: DateTime<Utc>) -> Result<(), Error> {
    if moved.is_empty() {
        return Ok(());
    }
    let listened = db.listening.is_anybody_there();
    let told = moved.iter().filter(|moved| moved.has_moved && (listened || moved.status_url.is_some()));
    let events: Vec<CustomerEvent> = told.map(|moved| event(moved, at)).collect();
    tell(tx, db, events, at).await?;
    if db.has_listeners {
        let news: Vec<News> = moved.iter().filter(|moved| moved.has_moved).flat_map(|moved| news(moved, at)).collect();
        publish(tx, Publish::Outbox, NEWS, seal(&news, at)?, 0).await?;
    }
    receipts::publish(tx, db, moved, at).await?;
    let chains = chain::load(tx, db, moved.iter().map(|m| m.chain)).await?;
    let mut entries = Entries::new();
    for step in moved.iter().filter(|m| m.settles_submit || m.settles_final || m.settles_late || m.taken > 0) {
        let chain = chains.get(&step.chain).ok_or_else(|| Error::Corrupt("a message without its chain".into()))?;
        entries.add(step, chain)?;
    }
    ledger::settle(tx, &entries).await?;
    meters::moved(moved);
    Ok(())
}

/// Publishes `events` to webhooks and to who listens.
pub(crate) async fn tell(tx: &mut Tx, db: &Db, events: Vec<CustomerEvent>, at: DateTime<Utc>) -> Result<(), Error> {
    let (hooked, unhooked): (Vec<_>, Vec<_>) = events.into_iter().partition(|event| !event.url().is_empty());
    publish(tx, db.publish, queues::CALLBACK, seal(&hooked, at)?, 0).await?;
    realtime::tell(tx, db, hooked.into_iter().chain(unhooked), at).await
}

fn event(moved: &Moved, at: DateTime<Utc>) -> CustomerEvent {
    CustomerEvent::Message(MessageEvent {
        id: Uuid::now_v7(),
        account_id: moved.account,
        message_id: moved.message,
        url: moved.status_url.clone().unwrap_or_default(),
        state: moved.state,
        at,
        code: moved.code.clone(),
        to: moved.to,
        client_reference: moved.client_reference.clone(),
        segments: moved.segments,
        price: moved.captured,
        currency: moved.currency,
    })
}

/// What the world outside is told of one step: what became of the message, and what it costs by now where that changed.
fn news(moved: &Moved, at: DateTime<Utc>) -> Vec<News> {
    let change = Change {
        id: Uuid::now_v7(),
        account_id: moved.account,
        message_id: moved.message,
        state: moved.state,
        at,
        code: moved.code.clone(),
        to: moved.to,
        client_reference: moved.client_reference.clone(),
        segments: moved.segments,
    };
    let mut news = vec![News::Change(change)];
    if moved.settles_submit && moved.accepted > 0
        || (moved.settles_final || moved.settles_late) && moved.captured.get() > 0
    {
        news.push(News::Charge(Charge {
            id: Uuid::now_v7(),
            account_id: moved.account,
            message_id: moved.message,
            operator_id: moved.cost.map(|(operator, ..)| operator),
            at,
            is_final: !moved.settles_submit,
            segments: moved.accepted,
            captured: moved.captured,
            currency: moved.currency,
            client_reference: moved.client_reference.clone(),
        }));
    }
    news
}
