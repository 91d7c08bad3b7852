//! Settling: deleting, hiding, and parking, each in batches of its own.
//!
//! **Invariant:** a message is parked before it is deleted: between the two it is twice there, never not at all.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry};
use chrono::Utc;

use super::batch::{self, Answer, Call};
use super::body::{ENQUEUED_AT, Entry, ORIGINAL_ID, PARKED_AT, RECEIVED, WHY, reason, seconds_up};
use super::fault::{Fault, Refused};
use super::send::{failed, send_entries};
use super::taken::Taken;
use super::{Inner, deletes, places};
use crate::{Error, Lease, Settle, SettleError};

/// The longest that SQS hides a message, in seconds.
pub(super) const HIDDEN_SECONDS_MAX: i32 = 43_200;

/// How long a message is ours while it is parked.
const PARKING: Duration = Duration::from_mins(1);

type Results = Vec<Result<(), SettleError>>;

/// Why a message cannot be parked.
#[derive(Debug, thiserror::Error)]
#[error("a lease that was made of a receipt handle alone does not know the message that it is to park")]
struct UnknownMessage;

/// A message to hide.
#[derive(Clone)]
pub(super) struct Hide {
    pub(super) handle: String,
    pub(super) seconds: i32,
}

impl Hide {
    pub(super) fn of(handle: String, time: Duration) -> Self {
        let seconds = i32::try_from(seconds_up(time)).unwrap_or(i32::MAX).min(HIDDEN_SECONDS_MAX);
        Self { handle, seconds }
    }
}

/// One item of a batch, by its place there.
struct Item {
    place: usize,
    lease: Lease,
}

pub(super) async fn settle(inner: &Arc<Inner>, queue: &str, batch: Vec<(Lease, Settle)>) -> Results {
    let name = match inner.names.queue(queue) {
        Ok(name) => name,
        Err(error) => return batch.iter().map(|_| Err(error.clone().into())).collect(),
    };
    let mut results: Results = batch.iter().map(|_| Err(SettleError::Outdated)).collect();
    let (mut acks, mut retries, mut parks) = (Vec::new(), Vec::new(), Vec::new());
    let mut claimed = Vec::new();
    for (place, (lease, settle)) in batch.into_iter().enumerate() {
        if !claim(&lease, queue) {
            continue;
        }
        claimed.push(Item { place, lease: lease.clone() });
        match settle {
            Settle::Ack => acks.push(Item { place, lease }),
            Settle::Retry(after) => retries.push((Item { place, lease }, after)),
            Settle::Park(why) => parks.push((Item { place, lease }, why)),
        }
    }
    let settled = tokio::join!(
        ack(inner, &name, queue, acks),
        retry(inner, &name, queue, retries),
        park(inner, &name, queue, parks)
    );
    for (place, result) in settled.0.into_iter().chain(settled.1).chain(settled.2) {
        results[place] = result;
    }
    for item in claimed.iter().filter(|item| matches!(results[item.place], Err(SettleError::Failed(_)))) {
        item.lease.sqs().inspect(|taken| taken.release());
    }
    results
}

pub(super) async fn extend(inner: &Inner, queue: &str, leases: &[Lease], lease: Duration) -> Results {
    let name = match inner.names.queue(queue) {
        Ok(name) => name,
        Err(error) => return leases.iter().map(|_| Err(error.clone().into())).collect(),
    };
    let mut results: Results = leases.iter().map(|_| Err(SettleError::Outdated)).collect();
    let ours = leases
        .iter()
        .enumerate()
        .filter(|(_, one)| one.sqs().is_none_or(|taken| taken.is_of(queue) && taken.is_ours()));
    let ours: Vec<(usize, &Lease)> = ours.collect();
    let hides: Vec<Hide> = ours.iter().map(|(_, one)| hide_of(one, lease)).collect();
    for ((place, one), result) in ours.into_iter().zip(hide(inner, &name, queue, &hides).await) {
        if let (Ok(()), Some(taken)) = (&result, one.sqs()) {
            taken.hold(lease);
        }
        results[place] = result;
    }
    results
}

/// Whether the lease is ours to settle. One that somebody else made of a handle always is.
fn claim(lease: &Lease, queue: &str) -> bool {
    lease.sqs().is_none_or(|taken| taken.is_of(queue) && taken.claim())
}

/// Hides for this time, or as long as SQS still allows for this receipt.
fn hide_of(lease: &Lease, time: Duration) -> Hide {
    let max = lease.sqs().map_or(time, |taken| taken.hidden_max());
    Hide::of(lease.token().to_owned(), time.min(max))
}

type Placed = Vec<(usize, Result<(), SettleError>)>;

async fn ack(inner: &Arc<Inner>, name: &str, queue: &str, items: Vec<Item>) -> Placed {
    let handles = items.iter().map(|item| item.lease.token().to_owned()).collect();
    let results = deletes::delete(inner, name, queue, handles).await;
    items.into_iter().map(|item| item.place).zip(results).collect()
}

async fn retry(inner: &Inner, name: &str, queue: &str, items: Vec<(Item, Duration)>) -> Placed {
    let hides: Vec<Hide> = items.iter().map(|(item, after)| hide_of(&item.lease, *after)).collect();
    let results = hide(inner, name, queue, &hides).await;
    items.into_iter().map(|(item, _)| item.place).zip(results).collect()
}

/// Makes sure that the messages are still ours, sends their copies, then deletes them.
async fn park(inner: &Arc<Inner>, name: &str, queue: &str, items: Vec<(Item, String)>) -> Placed {
    let mut results = Placed::new();
    let mut known: Vec<(Item, Arc<Taken>, String)> = Vec::new();
    for (item, why) in items {
        match item.lease.sqs() {
            Some(taken) => known.push((item, taken, why)),
            None => results.push((item.place, Err(Error::Backend(Arc::new(UnknownMessage)).into()))),
        }
    }
    let hides: Vec<Hide> = known.iter().map(|(item, ..)| hide_of(&item.lease, PARKING)).collect();
    let held = hide(inner, name, queue, &hides).await;
    let held = keep_good(known, held, &mut results);
    let (copied, to_copy): (Vec<_>, Vec<_>) = held.into_iter().partition(|(_, taken, _)| taken.is_parked());
    let entries: Vec<Entry> = to_copy.iter().map(|(_, taken, why)| copy(taken, why)).collect();
    let sent = match inner.names.parking(queue) {
        Ok(parking) => send_entries(inner, &parking, queue, &entries).await,
        Err(error) => entries.iter().map(|_| Err(Refused::Call(error.clone()))).collect(),
    };
    let sent = sent.into_iter().map(|sent| sent.map_err(|refused| SettleError::Failed(refused.into()))).collect();
    let mut parked = keep_good(to_copy, sent, &mut results);
    for (_, taken, _) in &parked {
        taken.set_parked();
    }
    parked.extend(copied);
    let items = parked.into_iter().map(|(item, ..)| item).collect();
    results.extend(ack(inner, name, queue, items).await);
    results
}

type Parking = (Item, Arc<Taken>, String);

/// The items whose step went well; the others' results are told.
fn keep_good(items: Vec<Parking>, step: Results, results: &mut Placed) -> Vec<Parking> {
    let mut good = Vec::new();
    for (item, result) in items.into_iter().zip(step) {
        match result {
            Ok(()) => good.push(item),
            Err(error) => results.push((item.0.place, Err(error))),
        }
    }
    good
}

fn copy(taken: &Taken, why: &str) -> Entry {
    let mut entry = Entry::of(&taken.body);
    entry.attributes.extend([
        (WHY, reason(why)),
        (RECEIVED, taken.received.to_string()),
        (ENQUEUED_AT, taken.enqueued_at.timestamp_millis().to_string()),
        (PARKED_AT, Utc::now().timestamp_millis().to_string()),
        (ORIGINAL_ID, taken.id.clone()),
    ]);
    entry
}

/// Deletes messages by their handles. Returns one result per handle, in order.
pub(super) async fn delete(inner: &Inner, name: &str, queue: &str, handles: &[String]) -> Results {
    if handles.is_empty() {
        return Vec::new();
    }
    let deleted = match places::url(inner, name, queue).await {
        Ok(url) => batch::run(&Deleting(Target { inner, name, queue, url }), handles).await,
        Err(error) => return handles.iter().map(|_| Err(error.clone().into())).collect(),
    };
    deleted.into_iter().map(|one| one.map_err(settle_error)).collect()
}

/// Hides messages. Returns one result per message, in order.
pub(super) async fn hide(inner: &Inner, name: &str, queue: &str, hides: &[Hide]) -> Results {
    if hides.is_empty() {
        return Vec::new();
    }
    let hidden = match places::url(inner, name, queue).await {
        Ok(url) => batch::run(&Hiding(Target { inner, name, queue, url }), hides).await,
        Err(error) => return hides.iter().map(|_| Err(error.clone().into())).collect(),
    };
    hidden.into_iter().map(|one| one.map_err(settle_error)).collect()
}

fn settle_error(refused: Refused) -> SettleError {
    if refused.is_outdated() { SettleError::Outdated } else { SettleError::Failed(refused.into()) }
}

/// The queue that requests go to.
struct Target<'a> {
    inner: &'a Inner,
    name: &'a str,
    queue: &'a str,
    url: String,
}

impl Target<'_> {
    fn fault(&self, fault: Fault) -> Error {
        self.inner.fault(fault, self.name, self.queue)
    }
}

struct Deleting<'a>(Target<'a>);

impl Call for Deleting<'_> {
    type Item = String;
    const ACTION: &'static str = "DeleteMessageBatch";

    async fn call(&self, items: &[(usize, &String)]) -> Result<Answer, Error> {
        let odd = |error| self.0.fault(Fault::odd(Self::ACTION, &format!("{error}")));
        let mut entries = Vec::with_capacity(items.len());
        for (place, handle) in items {
            let entry = DeleteMessageBatchRequestEntry::builder().id(place.to_string()).receipt_handle(*handle);
            entries.push(entry.build().map_err(odd)?);
        }
        let request = self.0.inner.clients().await.sqs.delete_message_batch().queue_url(&self.0.url);
        let deleted = request.set_entries(Some(entries)).send().await;
        let deleted = deleted.map_err(|error| self.0.fault(Fault::of(Self::ACTION, &error)))?;
        let done = deleted.successful.into_iter().map(|one| one.id).collect();
        Ok(Answer { done, failed: deleted.failed.into_iter().map(failed).collect() })
    }
}

struct Hiding<'a>(Target<'a>);

impl Call for Hiding<'_> {
    type Item = Hide;
    const ACTION: &'static str = "ChangeMessageVisibilityBatch";

    async fn call(&self, items: &[(usize, &Hide)]) -> Result<Answer, Error> {
        let odd = |error| self.0.fault(Fault::odd(Self::ACTION, &format!("{error}")));
        let mut entries = Vec::with_capacity(items.len());
        for (place, hide) in items {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(place.to_string());
            let entry = entry.receipt_handle(&hide.handle).visibility_timeout(hide.seconds);
            entries.push(entry.build().map_err(odd)?);
        }
        let request = self.0.inner.clients().await.sqs.change_message_visibility_batch().queue_url(&self.0.url);
        let hidden = request.set_entries(Some(entries)).send().await;
        let hidden = hidden.map_err(|error| self.0.fault(Fault::of(Self::ACTION, &error)))?;
        let done = hidden.successful.into_iter().map(|one| one.id).collect();
        Ok(Answer { done, failed: hidden.failed.into_iter().map(failed).collect() })
    }
}
