//! Deletions, which wait a moment for others: ten cost as much as one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::time::sleep;

use super::batch::ENTRIES_MAX;
use super::fault::Fault;
use super::{Inner, LINGER, settle};
use crate::SettleError;

/// What waits to be deleted, by queue.
#[derive(Debug, Default)]
pub(super) struct Deletes {
    waiting: Mutex<HashMap<String, Waiting>>,
}

#[derive(Debug, Default)]
struct Waiting {
    items: Vec<Item>,
    /// Somebody takes them all in a moment.
    is_timed: bool,
}

#[derive(Debug)]
struct Item {
    handle: String,
    told: oneshot::Sender<Result<(), SettleError>>,
}

/// Deletes messages by their handles, together with what others delete in the same moment. Returns one result per handle,
/// in order. Goes on when nobody waits for it any more.
pub(super) async fn delete(
    inner: &Arc<Inner>,
    name: &str,
    queue: &str,
    handles: Vec<String>,
) -> Vec<Result<(), SettleError>> {
    let (items, told): (Vec<Item>, Vec<_>) = handles.into_iter().map(item).unzip();
    let (full, is_first) = inner.deletes.add(queue, items);
    let place = (Arc::clone(inner), name.to_owned(), queue.to_owned());
    if !full.is_empty() {
        tokio::spawn(send(place.clone(), full));
    }
    if is_first {
        tokio::spawn(async move {
            sleep(LINGER).await;
            let rest = place.0.deletes.take(&place.2);
            send(place, rest).await;
        });
    }
    let mut results = Vec::with_capacity(told.len());
    for told in told {
        let lost = |_| Err(Fault::odd("DeleteMessageBatch", "its task was lost").about(queue).into());
        results.push(told.await.unwrap_or_else(lost));
    }
    results
}

fn item(handle: String) -> (Item, oneshot::Receiver<Result<(), SettleError>>) {
    let (told, result) = oneshot::channel();
    (Item { handle, told }, result)
}

async fn send((inner, name, queue): (Arc<Inner>, String, String), items: Vec<Item>) {
    let (handles, told): (Vec<String>, Vec<_>) = items.into_iter().map(|item| (item.handle, item.told)).unzip();
    let results = settle::delete(&inner, &name, &queue, &handles).await;
    for (told, result) in told.into_iter().zip(results) {
        // Whoever went away need not know.
        let _ = told.send(result);
    }
}

impl Deletes {
    /// Adds items; gives those that fill whole requests, and whether somebody must take the rest in a moment.
    fn add(&self, queue: &str, items: Vec<Item>) -> (Vec<Item>, bool) {
        let mut waiting = self.waiting();
        let waiting = waiting.entry(queue.to_owned()).or_default();
        waiting.items.extend(items);
        let full = waiting.items.len() - waiting.items.len() % ENTRIES_MAX;
        let full = waiting.items.drain(..full).collect();
        let is_first = !waiting.items.is_empty() && !std::mem::replace(&mut waiting.is_timed, true);
        (full, is_first)
    }

    fn take(&self, queue: &str) -> Vec<Item> {
        self.waiting().remove(queue).map(|waiting| waiting.items).unwrap_or_default()
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<String, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
