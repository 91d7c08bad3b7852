//! Publishing rows: each to its queue, news to the world outside.

use std::collections::BTreeMap;
use std::time::Duration;

use contract::{Envelope, news};
use futures_util::future::join_all;
use queue::{Error, News, Out, Queue, SendError, Topic, chain};
use serde::Serialize;
use store::outbox::{NEWS, Outboxed};
use uuid::Uuid;

/// The version of what the world outside is told.
const NEWS_VERSION: u16 = 1;

/// Publishes `rows`, every queue at the same time, and answers the ids of those that are durable there. The others
/// stay in the outbox.
pub(crate) async fn publish(queue: &dyn Queue, rows: &[Outboxed]) -> Vec<Uuid> {
    let mut by_queue: BTreeMap<&str, Vec<&Outboxed>> = BTreeMap::new();
    for row in rows {
        by_queue.entry(&row.queue).or_default().push(row);
    }
    let each = by_queue.into_iter().map(async |(name, rows)| match name {
        NEWS => announce(queue, &rows).await,
        name => send(queue, name, &rows).await,
    });
    let done: Vec<Uuid> = join_all(each).await.into_iter().flatten().collect();
    count("published", done.len());
    count("left", rows.len().saturating_sub(done.len()));
    done
}

fn count(what: &'static str, rows: usize) {
    metrics::counter!("chappe_outbox_rows_total", "result" => what).increment(u64::try_from(rows).unwrap_or(0));
}

/// Sends to one queue. One that does not exist is made: no message may wait for its first reader.
async fn send(queue: &dyn Queue, name: &str, rows: &[&Outboxed]) -> Vec<Uuid> {
    let batch: Vec<Out> = rows.iter().map(|row| out(row)).collect();
    let mut results = queue.send(name, &batch).await;
    let is_missing = |result: &Result<(), SendError>| matches!(result, Err(SendError::Failed(Error::NoQueue(_))));
    if results.iter().any(is_missing) && create(queue, name).await {
        results = queue.send(name, &batch).await;
    }
    let mut done = Vec::with_capacity(rows.len());
    let mut first_error = None;
    for (row, result) in rows.iter().zip(results) {
        match result {
            Ok(()) => done.push(row.id),
            Err(error) => drop(first_error.get_or_insert(error)),
        }
    }
    if let Some(error) = first_error {
        let left = rows.len() - done.len();
        tracing::warn!(queue = name, left, error = %chain(&error), "cannot publish from the outbox to {name}");
    }
    done
}

async fn create(queue: &dyn Queue, name: &str) -> bool {
    let created = queue.create(name).await;
    if let Err(error) = &created {
        tracing::warn!(queue = name, error = %chain(error), "cannot make the queue {name}");
    }
    created.is_ok()
}

fn out(row: &Outboxed) -> Out {
    let delay = Duration::from_millis(u64::try_from(row.delay_ms).unwrap_or(0));
    Out { group: row.tenant.map(|account| account.to_string()), ..Out::after(delay, row.body.clone()) }
}

/// What the world outside reads.
#[derive(Serialize)]
struct Told<'a> {
    v: u16,
    #[serde(flatten)]
    news: &'a news::News,
}

/// Tells the news of each row. A row is done when all of its news were told; until then all of them are told again.
async fn announce(queue: &dyn Queue, rows: &[&Outboxed]) -> Vec<Uuid> {
    let (mut told, mut lengths) = (Vec::new(), Vec::with_capacity(rows.len()));
    for row in rows {
        let news = read(row);
        lengths.push(news.len());
        told.extend(news);
    }
    let mut results = queue.announce(&told).await.into_iter();
    let mut done = Vec::with_capacity(rows.len());
    for (row, length) in rows.iter().zip(lengths) {
        let error = results.by_ref().take(length).filter_map(Result::err).last();
        match error {
            None => done.push(row.id),
            Some(error) => tracing::warn!(error = %chain(&error), "cannot tell news to the world outside"),
        }
    }
    done
}

/// The news of a row. One that cannot be read is a bug of ours; it must not stop those behind it.
fn read(row: &Outboxed) -> Vec<News> {
    let envelope: Result<Envelope<news::News>, _> = serde_json::from_slice(&row.body);
    if let Ok(envelope) = envelope {
        envelope.items.iter().filter_map(outside).collect()
    } else {
        tracing::error!(outbox.id = %row.id, "news in the outbox cannot be read, they are dropped");
        Vec::new()
    }
}

fn outside(news: &news::News) -> Option<News> {
    let topic = match news {
        news::News::Change(_) => Topic::Messaging,
        news::News::Charge(_) => Topic::Billing,
    };
    let body = serde_json::to_vec(&Told { v: NEWS_VERSION, news }).ok()?;
    Some(News { topic, key: news.key(), id: news.id().to_string(), body: body.into() })
}
