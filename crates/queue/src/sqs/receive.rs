//! Receiving: one long poll, and more polls that do not wait where it came back full.
//!
//! What becomes of a message that SQS hands to a request whose caller is gone? It stays hidden for its lease, with a
//! receipt counted, and comes again then. So a poll is never cut off: it is a task of its own, and when its caller is
//! gone by the time it ends, it gives back at once what it got. Only where the process ends meanwhile does a message
//! wait for the end of the lease.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName as SystemAttribute};
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::batch::{ENTRIES_MAX, REQUESTS_MAX};
use super::body::{DUE, ENCODING, seconds_up};
use super::clients::LONG_POLL;
use super::fault::Fault;
use super::handed::Handed;
use super::{Inner, places, settle};
use crate::{Delivery, Error, RECEIVE_MAX, Take};

/// What one request of ours asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub(super) max: usize,
    pub(super) wait: Duration,
    /// How long the messages are hidden from others.
    pub(super) lease: Duration,
    /// Whether all attributes are to come, or only those of a message on its way.
    pub(super) all_attributes: bool,
}

pub(super) async fn receive(inner: &Arc<Inner>, queue: &str, take: Take) -> Result<Vec<Delivery>, Error> {
    let name = inner.names.queue(queue)?;
    let (give, got) = oneshot::channel();
    let place = Place { inner: Arc::clone(inner), name, queue: queue.to_owned() };
    let poller = place.clone();
    tokio::spawn(async move {
        let received = gather(&poller, take).await;
        if let Err(Ok(unwanted)) = give.send(received) {
            give_back(poller, unwanted).await;
        }
    });
    let received = Waiting { place, got }.await;
    received.unwrap_or_else(|_| Err(Fault::odd("ReceiveMessage", "its task was lost").about(queue)))
}

/// A queue with all that is known of it.
#[derive(Clone)]
struct Place {
    inner: Arc<Inner>,
    name: String,
    queue: String,
}

type Received = Result<Vec<Delivery>, Error>;

/// The caller's end of a poll.
struct Waiting {
    place: Place,
    got: oneshot::Receiver<Received>,
}

impl Future for Waiting {
    type Output = Result<Received, oneshot::error::RecvError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.got).poll(context)
    }
}

impl Drop for Waiting {
    /// What was handed over and not taken goes back.
    fn drop(&mut self) {
        self.got.close();
        if let (Ok(Ok(unwanted)), Ok(runtime)) = (self.got.try_recv(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(give_back(self.place.clone(), unwanted));
        }
    }
}

async fn give_back(place: Place, unwanted: Vec<Delivery>) {
    if unwanted.is_empty() {
        return;
    }
    let count = unwanted.len();
    tracing::debug!(count, "nobody waits for {count} messages of queue {} any more", place.queue);
    let hides = unwanted.into_iter().map(|one| settle::Hide { handle: one.lease.token().to_owned(), seconds: 0 });
    // What stays hidden comes again when its lease ends.
    let _ = settle::hide(&place.inner, &place.name, &place.queue, &hides.collect::<Vec<_>>()).await;
}

/// Polls until something may be handled, or the time is over.
async fn gather(place: &Place, take: Take) -> Received {
    let max = take.max.min(RECEIVE_MAX);
    if max == 0 {
        return Ok(Vec::new());
    }
    let deadline = Instant::now() + take.wait;
    if let Some(at) = place.inner.receive_at(&place.name) {
        sleep_until(at.min(deadline)).await;
    }
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let wait = left.min(LONG_POLL);
        let handed =
            ask(place, Ask { max: max.min(ENTRIES_MAX), wait, lease: take.lease, all_attributes: false }).await?;
        let (is_full, waited_in_vain) = (handed.len() == max.min(ENTRIES_MAX), handed.is_empty() && left <= wait);
        if !handed.is_empty() {
            place.inner.note_received(&place.name, is_full);
        }
        let mut ready = without_early(place, handed, take.lease).await;
        if is_full && max > ENTRIES_MAX {
            ready.extend(more(place, max - ENTRIES_MAX, take.lease).await);
        }
        // A poll that found only what is not due yet ended before its time.
        if !ready.is_empty() || waited_in_vain || Instant::now() >= deadline {
            return Ok(ready);
        }
    }
}

/// Up to `max` further messages, from polls that do not wait. One that fails costs nothing but its messages' time.
async fn more(place: &Place, max: usize, lease: Duration) -> Vec<Delivery> {
    let mut asks = Vec::new();
    for start in (0..max).step_by(ENTRIES_MAX) {
        let max = (max - start).min(ENTRIES_MAX);
        asks.push(ask(place, Ask { max, wait: Duration::ZERO, lease, all_attributes: false }));
    }
    let answers: Vec<Result<Vec<Handed>, Error>> = stream::iter(asks).buffered(REQUESTS_MAX).collect().await;
    let handed = answers.into_iter().flatten().flatten().collect();
    without_early(place, handed, lease).await
}

async fn ask(place: &Place, ask: Ask) -> Result<Vec<Handed>, Error> {
    let messages = request(&place.inner, &place.name, &place.queue, ask).await?;
    Ok(messages.into_iter().filter_map(handed).collect())
}

/// Hides again what came before it is due, and makes deliveries of the others.
async fn without_early(place: &Place, handed: Vec<Handed>, lease: Duration) -> Vec<Delivery> {
    let now = Utc::now();
    let (mut ready, mut early) = (Vec::new(), Vec::new());
    for one in handed {
        if let Some(wait) = one.early(now) {
            early.push(settle::Hide::of(one.receipt_handle, wait));
            continue;
        }
        let delivery = one.delivery(Some(whole_seconds(lease)));
        delivery.lease.sqs().inspect(|taken| taken.came_from(&place.queue));
        ready.push(delivery);
    }
    if !early.is_empty() {
        // What is not hidden comes again when its lease ends, and is hidden then.
        let _ = settle::hide(&place.inner, &place.name, &place.queue, &early).await;
    }
    ready
}

/// One `ReceiveMessage`.
pub(super) async fn request(inner: &Inner, name: &str, queue: &str, ask: Ask) -> Result<Vec<Message>, Error> {
    let url = places::url(inner, name, queue).await?;
    let attributes = if ask.all_attributes { vec!["All"] } else { vec![ENCODING, DUE] };
    let system = vec![SystemAttribute::ApproximateReceiveCount, SystemAttribute::SentTimestamp];
    let request = inner.clients().await.poll.receive_message().queue_url(url);
    let received = request
        .max_number_of_messages(i32::try_from(ask.max.min(ENTRIES_MAX)).unwrap_or(1))
        .wait_time_seconds(seconds(ask.wait))
        .visibility_timeout(seconds(whole_seconds(ask.lease)))
        .set_message_attribute_names(Some(attributes.into_iter().map(str::to_owned).collect()))
        .set_message_system_attribute_names(Some(system))
        .send()
        .await;
    let received = received.map_err(|error| inner.fault(Fault::of("ReceiveMessage", &error), name, queue))?;
    Ok(received.messages.unwrap_or_default())
}

/// `None` for a message without an id or a handle, of which nothing could be said.
fn handed(message: Message) -> Option<Handed> {
    let system = message.attributes.unwrap_or_default();
    let sent_ms = system.get(&SystemAttribute::SentTimestamp).and_then(|text| text.parse().ok());
    let received = system.get(&SystemAttribute::ApproximateReceiveCount).and_then(|text| text.parse().ok());
    let mut attributes = message.message_attributes.unwrap_or_default();
    let mut attribute = |name: &str| attributes.remove(name).and_then(|value| value.string_value);
    Some(Handed {
        id: message.message_id?,
        receipt_handle: message.receipt_handle?,
        text: message.body.unwrap_or_default(),
        received: received.unwrap_or(1),
        sent_at: sent_ms.and_then(DateTime::from_timestamp_millis).unwrap_or_else(Utc::now),
        encoding: attribute(ENCODING),
        due: attribute(DUE),
    })
}

/// A lease in whole seconds; at least one.
fn whole_seconds(lease: Duration) -> Duration {
    Duration::from_secs(seconds_up(lease).max(1))
}

/// Whole seconds as SQS takes them.
fn seconds(time: Duration) -> i32 {
    i32::try_from(seconds_up(time)).unwrap_or(i32::MAX).min(settle::HIDDEN_SECONDS_MAX)
}
