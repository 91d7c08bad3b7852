//! Messages that were set aside, in a queue beside their own, which is also its dead-letter queue.
//!
//! SQS cannot look without taking: looking hides messages for a moment, and shows them again when it is done.

use std::collections::HashSet;
use std::time::Duration;

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName as SystemAttribute};
use chrono::{DateTime, Utc};

use super::Inner;
use super::batch::ENTRIES_MAX;
use super::body::{ENCODING, ENQUEUED_AT, Entry, PARKED_AT, RECEIVED, WHY, decode};
use super::places::received_max;
use super::receive::{self, Ask};
use super::send::send_entries;
use super::settle::{self, Hide};
use crate::{Error, Parked, SettleError};

/// How long messages are hidden while somebody looks; also how long another look may miss them.
const LOOK: Duration = Duration::from_secs(30);

/// The wait of each request: one that does not wait asks some of SQS' machines only and may find nothing.
const LOOK_WAIT: Duration = Duration::from_secs(1);

/// The most messages that are looked through for one.
const LOOK_MAX: usize = 1_000;

pub(super) async fn parked(inner: &Inner, queue: &str, limit: usize) -> Result<Vec<Parked>, Error> {
    let name = inner.names.parking(queue)?;
    let messages = look(inner, &name, queue, limit.min(LOOK_MAX), None).await?;
    show_again(inner, &name, queue, &messages).await;
    let mut parked: Vec<Parked> = messages.into_iter().filter_map(|message| parked_of(message, queue)).collect();
    parked.sort_by_key(|one| one.parked_at);
    Ok(parked)
}

pub(super) async fn replay(inner: &Inner, queue: &str, id: &str) -> Result<bool, Error> {
    let (main, name) = (inner.names.queue(queue)?, inner.names.parking(queue)?);
    let Some(message) = find(inner, &name, queue, id).await? else {
        return Ok(false);
    };
    let sent = match parked_of(message.clone(), queue) {
        Some(parked) => send_entries(inner, &main, queue, &[Entry::of(&parked.body)]).await.pop(),
        None => None,
    };
    match sent {
        Some(Ok(())) => remove(inner, &name, queue, &message).await,
        Some(Err(refused)) => {
            show_again(inner, &name, queue, &[message]).await;
            Err(refused.into())
        }
        None => Ok(false),
    }
}

pub(super) async fn discard(inner: &Inner, queue: &str, id: &str) -> Result<bool, Error> {
    let name = inner.names.parking(queue)?;
    match find(inner, &name, queue, id).await? {
        Some(message) => remove(inner, &name, queue, &message).await,
        None => Ok(false),
    }
}

/// The parked message of this id, hidden from others; all others are visible again.
async fn find(inner: &Inner, name: &str, queue: &str, id: &str) -> Result<Option<Message>, Error> {
    let mut messages = look(inner, name, queue, LOOK_MAX, Some(id)).await?;
    let place = messages.iter().position(|message| message.message_id() == Some(id));
    let found = place.map(|place| messages.swap_remove(place));
    show_again(inner, name, queue, &messages).await;
    Ok(found)
}

/// Takes messages until there are no more, or so many, or the one that is sought. Each is taken once.
async fn look(
    inner: &Inner,
    name: &str,
    queue: &str,
    limit: usize,
    sought: Option<&str>,
) -> Result<Vec<Message>, Error> {
    let (mut messages, mut ids) = (Vec::new(), HashSet::new());
    while messages.len() < limit {
        let max = (limit - messages.len()).min(ENTRIES_MAX);
        let ask = Ask { max, wait: LOOK_WAIT, lease: LOOK, all_attributes: true };
        let some = receive::request(inner, name, queue, ask).await?;
        let is_found = some.iter().any(|message| sought.is_some() && message.message_id() == sought);
        let known = ids.len();
        messages.extend(some.into_iter().filter(|one| ids.insert(one.message_id().unwrap_or_default().to_owned())));
        if is_found || ids.len() == known {
            break;
        }
    }
    Ok(messages)
}

/// Shows messages again at once; what this fails for shows itself when the look's time is over.
async fn show_again(inner: &Inner, name: &str, queue: &str, messages: &[Message]) {
    let handles = messages.iter().filter_map(|message| message.receipt_handle.clone());
    let hides: Vec<Hide> = handles.map(|handle| Hide { handle, seconds: 0 }).collect();
    let _ = settle::hide(inner, name, queue, &hides).await;
}

async fn remove(inner: &Inner, name: &str, queue: &str, message: &Message) -> Result<bool, Error> {
    let handle = message.receipt_handle.clone().unwrap_or_default();
    match settle::delete(inner, name, queue, &[handle]).await.pop() {
        Some(Ok(())) => Ok(true),
        Some(Err(SettleError::Failed(error))) => Err(error),
        Some(Err(SettleError::Outdated)) | None => Ok(false),
    }
}

/// As parked by us, or by SQS itself, which gives no reason.
fn parked_of(message: Message, queue: &str) -> Option<Parked> {
    let system = message.attributes.unwrap_or_default();
    let mut attributes = message.message_attributes.unwrap_or_default();
    let mut attribute = |name: &str| attributes.remove(name).and_then(|value| value.string_value);
    let sent_at = system.get(&SystemAttribute::SentTimestamp).and_then(|text| time(text)).unwrap_or_else(Utc::now);
    let parked_at = attribute(PARKED_AT).and_then(|text| time(&text));
    // SQS goes on counting in the dead-letter queue, where looks count too.
    let by_us = attribute(RECEIVED).and_then(|text| text.parse().ok());
    let by_sqs = system.get(&SystemAttribute::ApproximateReceiveCount).and_then(|text| text.parse::<u32>().ok());
    let received = by_us.or(by_sqs.map(|count| count.saturating_sub(1).min(received_max(queue)))).unwrap_or(0);
    let moved = || format!("received {received} times and never settled (moved by SQS)");
    Some(Parked {
        id: message.message_id?,
        why: attribute(WHY).unwrap_or_else(moved),
        body: decode(message.body.unwrap_or_default(), attribute(ENCODING).as_deref()),
        received,
        enqueued_at: attribute(ENQUEUED_AT).and_then(|text| time(&text)).unwrap_or(sent_at),
        parked_at: parked_at.unwrap_or(sent_at),
    })
}

fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(text.parse().ok()?)
}
