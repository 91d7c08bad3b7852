//! Sending.

use std::time::Duration;

use aws_sdk_sqs::types::{BatchResultErrorEntry, MessageAttributeValue, SendMessageBatchRequestEntry};
use chrono::Utc;

use super::batch::{self, Answer, Call, Failed};
use super::body::Entry;
use super::fault::{Fault, Refused};
use super::{Inner, places};
use crate::{BODY_BYTES_MAX, Error, Out, SendError};

/// The longest delay. SQS drops a message after 14 days, whatever it waits for, so longer ones are refused.
const DELAY_MAX: Duration = Duration::from_hours(13 * 24);

/// Why a message cannot be delayed so long.
#[derive(Debug, thiserror::Error)]
#[error("SQS keeps a message for 14 days; a delay of {hours} hours is too long", hours = .0.as_secs() / 3_600)]
struct TooLate(Duration);

pub(super) async fn send(inner: &Inner, queue: &str, batch: &[Out]) -> Vec<Result<(), SendError>> {
    let now = Utc::now();
    let mut results: Vec<Result<(), SendError>> = batch.iter().map(check).collect();
    let places: Vec<usize> = results.iter().enumerate().filter(|(_, it)| it.is_ok()).map(|(place, _)| place).collect();
    let entries: Vec<Entry> = places.iter().map(|&place| Entry::of_out(&batch[place], now)).collect();
    let name = match inner.names.queue(queue) {
        Ok(name) => name,
        Err(error) => return batch.iter().map(|_| Err(error.clone().into())).collect(),
    };
    for (place, sent) in places.into_iter().zip(send_entries(inner, &name, queue, &entries).await) {
        results[place] = sent.map_err(|refused| send_error(refused, &batch[place]));
    }
    results
}

/// What needs no server to be refused.
fn check(out: &Out) -> Result<(), SendError> {
    if out.body.len() > BODY_BYTES_MAX {
        return Err(SendError::TooLarge { bytes: out.body.len() });
    }
    if out.delay > DELAY_MAX {
        return Err(SendError::Failed(Error::Backend(std::sync::Arc::new(TooLate(out.delay)))));
    }
    Ok(())
}

/// A queue may be bounded at 256 KiB, and what is not text grows by a third on its way.
fn send_error(refused: Refused, out: &Out) -> SendError {
    if refused.is_too_long() && Entry::of(&out.body).bytes() > BODY_BYTES_MAX {
        return SendError::TooLarge { bytes: out.body.len() };
    }
    SendError::Failed(refused.into())
}

/// Sends entries to a queue by its name on SQS. Returns one result per entry, in order.
pub(super) async fn send_entries(
    inner: &Inner,
    name: &str,
    queue: &str,
    entries: &[Entry],
) -> Vec<Result<(), Refused>> {
    if entries.is_empty() {
        return Vec::new();
    }
    match places::url(inner, name, queue).await {
        Ok(url) => batch::run(&Sending { inner, name, queue, url }, entries).await,
        Err(error) => entries.iter().map(|_| Err(Refused::Call(error.clone()))).collect(),
    }
}

struct Sending<'a> {
    inner: &'a Inner,
    name: &'a str,
    queue: &'a str,
    url: String,
}

impl Call for Sending<'_> {
    type Item = Entry;
    const ACTION: &'static str = "SendMessageBatch";

    fn bytes(item: &Entry) -> usize {
        item.bytes()
    }

    async fn call(&self, items: &[(usize, &Entry)]) -> Result<Answer, Error> {
        let mut entries = Vec::with_capacity(items.len());
        for (place, entry) in items {
            let entry = request_entry(*place, entry);
            entries.push(entry.map_err(|error| Fault::odd(Self::ACTION, &error.to_string()).about(self.queue))?);
        }
        let request = self.inner.clients().await.sqs.send_message_batch().queue_url(&self.url);
        let sent = request.set_entries(Some(entries)).send().await;
        let sent = sent.map_err(|error| self.inner.fault(Fault::of(Self::ACTION, &error), self.name, self.queue))?;
        let done = sent.successful.into_iter().map(|one| one.id).collect();
        Ok(Answer { done, failed: sent.failed.into_iter().map(failed).collect() })
    }
}

/// An entry that SQS refused, in whichever batch.
pub(super) fn failed(entry: BatchResultErrorEntry) -> Failed {
    Failed { id: entry.id, code: entry.code, is_senders_fault: entry.sender_fault }
}

type BuildError = aws_sdk_sqs::error::BuildError;

fn request_entry(place: usize, entry: &Entry) -> Result<SendMessageBatchRequestEntry, BuildError> {
    let mut request = SendMessageBatchRequestEntry::builder()
        .id(place.to_string())
        .message_body(&entry.text)
        .set_message_group_id(entry.group.clone())
        .set_delay_seconds((entry.delay_s > 0).then_some(entry.delay_s));
    for (name, value) in &entry.attributes {
        let value = MessageAttributeValue::builder().data_type("String").string_value(value).build()?;
        request = request.message_attributes(*name, value);
    }
    request.build()
}
