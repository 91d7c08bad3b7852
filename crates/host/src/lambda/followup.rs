//! What SQS must be told beside the list of failures.
//!
//! SQS has no "again, after this time": a record is reported as failed, after its visibility was changed. Nor can a
//! function park by itself. Both go through the queue's own backend.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use queue::sqs::Handed;
use queue::{Lease, Queue, Settle, SettleError};

use super::SqsMessage;
use crate::process::Verdict;

/// What stands for `.` in names of queues on SQS, which allows no dots (Amazon SQS, "`CreateQueue`").
const DOT: &str = "--";

/// What becomes of records that were not simply done.
#[async_trait]
pub trait Followup: Send + Sync {
    /// Called once for a batch, with every record whose verdict is not `Ack`: change its visibility, or send its body
    /// to the parking queue. Answers for each, in order, `true` when nothing is left to do, so that SQS may delete it.
    async fn follow_up(&self, ended: &[(&SqsMessage, &Verdict)]) -> Vec<bool>;

    /// The body of a record, or how long it must still wait.
    fn take(&self, record: &SqsMessage) -> Taken {
        Taken::Body(record.body.clone().unwrap_or_default().into())
    }

    /// The name that our code has for the queue of this record.
    fn queue_of(&self, record: &SqsMessage) -> String {
        last_part(record).to_owned()
    }
}

/// What a record holds.
#[derive(Clone, PartialEq, Eq)]
pub enum Taken {
    /// What it was sent with.
    Body(Bytes),
    /// It came before it is due, and waits so much longer: a delay that SQS does not know.
    Early(Duration),
}

/// Without the body.
impl fmt::Debug for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(body) => f.debug_struct("Body").field("bytes", &body.len()).finish(),
            Self::Early(wait) => f.debug_tuple("Early").field(wait).finish(),
        }
    }
}

/// Reports failures and does no more: SQS brings the record again after the queue's visibility timeout, and moves
/// it to the queue's dead-letter queue after its `maxReceiveCount`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReportOnly;

#[async_trait]
impl Followup for ReportOnly {
    async fn follow_up(&self, ended: &[(&SqsMessage, &Verdict)]) -> Vec<bool> {
        vec![false; ended.len()]
    }
}

/// Settles through the backend that the queue belongs to.
#[derive(Clone, Debug)]
pub struct Settling {
    queue: Arc<dyn Queue>,
    /// Records are messages of SQS; in tests they may be of another backend.
    is_sqs: bool,
    /// What stands before the names of our queues, `-` included.
    prefix: String,
}

impl Settling {
    /// Over the queues of `queue_url`, whose prefix (`sqs://<region>/<prefix>`) is no part of our names.
    pub fn new(queue: Arc<dyn Queue>, queue_url: &str) -> Self {
        let prefix = queue_url.strip_prefix("sqs://").and_then(|rest| rest.split_once('/'));
        let prefix = prefix.map(|(_, prefix)| format!("{}-", prefix.split('?').next().unwrap_or_default()));
        Self { queue, is_sqs: prefix.is_some(), prefix: prefix.unwrap_or_default() }
    }

    /// What the record is settled by. SQS parks a copy, which its handle alone does not tell.
    fn lease(&self, record: &SqsMessage) -> Lease {
        if self.is_sqs {
            return handed(record).delivery(None).lease;
        }
        Lease::from_token(record.receipt_handle.clone().unwrap_or_default())
    }
}

#[async_trait]
impl Followup for Settling {
    async fn follow_up(&self, ended: &[(&SqsMessage, &Verdict)]) -> Vec<bool> {
        let mut done = vec![false; ended.len()];
        // A mapping has one queue; that is Lambda's promise and not ours.
        let mut by_queue: BTreeMap<String, Vec<(usize, Lease, Settle)>> = BTreeMap::new();
        for (index, (record, verdict)) in ended.iter().enumerate() {
            let lease = self.lease(record);
            by_queue.entry(self.queue_of(record)).or_default().push((index, lease, settle(verdict)));
        }
        for (name, items) in by_queue {
            let batch = items.iter().map(|(_, lease, settle)| (lease.clone(), settle.clone())).collect();
            let results = self.queue.settle(&name, batch).await;
            for ((index, _, settle), result) in items.into_iter().zip(results) {
                done[index] = is_over(&name, &settle, result);
            }
        }
        done
    }

    fn take(&self, record: &SqsMessage) -> Taken {
        if !self.is_sqs {
            return Taken::Body(record.body.clone().unwrap_or_default().into());
        }
        let handed = handed(record);
        match handed.early(Utc::now()) {
            Some(wait) => Taken::Early(wait),
            None => Taken::Body(handed.delivery(None).body),
        }
    }

    fn queue_of(&self, record: &SqsMessage) -> String {
        let name = last_part(record);
        name.strip_prefix(&self.prefix).unwrap_or(name).replace(DOT, ".")
    }
}

/// How often a record was received, this time included.
pub(super) fn received(record: &SqsMessage) -> u32 {
    attribute(record, "ApproximateReceiveCount").and_then(|count| u32::try_from(count).ok()).unwrap_or(1)
}

/// When a record was sent, where SQS tells.
pub(super) fn sent_at(record: &SqsMessage) -> Option<DateTime<Utc>> {
    attribute(record, "SentTimestamp").and_then(DateTime::from_timestamp_millis)
}

fn attribute(record: &SqsMessage, name: &str) -> Option<i64> {
    record.attributes.get(name)?.parse().ok()
}

/// A record as the queue's backend knows a message.
fn handed(record: &SqsMessage) -> Handed {
    let own = |name: &str| record.message_attributes.get(name)?.string_value.clone();
    Handed {
        id: record.message_id.clone().unwrap_or_default(),
        receipt_handle: record.receipt_handle.clone().unwrap_or_default(),
        text: record.body.clone().unwrap_or_default(),
        received: received(record),
        sent_at: sent_at(record).unwrap_or_default(),
        encoding: own(Handed::ENCODING),
        due: own(Handed::DUE),
    }
}

fn settle(verdict: &Verdict) -> Settle {
    match verdict {
        Verdict::Ack => Settle::Ack,
        Verdict::Retry(after) => Settle::Retry(*after),
        Verdict::Park(why) => Settle::Park(why.clone()),
    }
}

/// What is parked is over. Everything else comes again: after its delay where that could be said, and otherwise after
/// the queue's visibility timeout.
fn is_over(queue: &str, settle: &Settle, result: Result<(), SettleError>) -> bool {
    match result {
        Ok(()) => !matches!(settle, Settle::Retry(_)),
        Err(error) => {
            let error = anyhow::Error::new(error);
            tracing::warn!(%queue, "cannot settle a record of queue {queue}, it comes again: {error:#}");
            false
        }
    }
}

/// The last part of an ARN.
fn last_part(record: &SqsMessage) -> &str {
    record.event_source_arn.as_deref().unwrap_or_default().rsplit(':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_on_sqs_are_ours_in_another_dress() {
        let queue = queue::open("postgres://nobody@127.0.0.1:1/none").await.unwrap();
        let rows = [
            ("sqs://eu-central-1/chappe-dev", "arn:aws:sqs:eu-central-1:1:chappe-dev-route", "route"),
            ("sqs://eu-central-1/chappe", "arn:aws:sqs:eu-central-1:1:chappe-submit--op_1", "submit.op_1"),
            ("sqs://eu-central-1/chappe?endpoint=x", "arn:aws:sqs:eu-central-1:1:chappe-bill", "bill"),
            ("postgres://a/b", "arn:aws:sqs:eu-central-1:1:route", "route"),
            ("sqs://eu-central-1/other", "arn:aws:sqs:eu-central-1:1:chappe-route", "chappe-route"),
        ];
        for (url, arn, expected) in rows {
            let record: SqsMessage = serde_json::from_value(serde_json::json!({ "eventSourceARN": arn })).unwrap();
            assert_eq!(Settling::new(Arc::clone(&queue), url).queue_of(&record), expected, "{arn} at {url}");
        }
    }
}
