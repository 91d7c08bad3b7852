//! The host of AWS Lambda, behind an SQS event source mapping with `ReportBatchItemFailures`.
//!
//! Bodies are decoded one by one in [`process`]: a body that cannot be read must not sink its neighbours, and a
//! panic is caught per record for the same reason. A record without an id cannot be reported on its own (AWS takes
//! an empty id for the failure of the whole batch), so the invocation fails, openly.
//!
//! SQS has no "again, after this time": a record is reported as failed, after its visibility was changed. Nor can a
//! function park by itself. Both are the business of a [`Followup`].

use std::sync::Arc;

use anyhow::{Context, bail};
use async_trait::async_trait;
use chrono::DateTime;
use futures_util::{StreamExt, stream};
use lambda_runtime::{LambdaEvent, service_fn};

pub use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};

use crate::process::{Verdict, process};
use crate::{Delivery, Handler};

/// The most records of a batch that are handled at a time.
pub const FAN_OUT: usize = 10;

/// What SQS must be told beside the list of failures.
#[async_trait]
pub trait Followup: Send + Sync {
    /// Called for every verdict that is not `Ack`: change the record's visibility, or send its body to the parking
    /// queue. `true` when that leaves nothing to do, so that SQS may delete the record.
    async fn follow_up(&self, record: &SqsMessage, verdict: &Verdict) -> bool;
}

/// Reports failures and does no more: SQS brings the record again after the queue's visibility timeout, and moves
/// it to the queue's dead-letter queue after its `maxReceiveCount`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReportOnly;

#[async_trait]
impl Followup for ReportOnly {
    async fn follow_up(&self, _: &SqsMessage, _: &Verdict) -> bool {
        false
    }
}

/// Serves invocations until Lambda ends the process.
pub async fn run<H: Handler>(handler: Arc<H>, followup: Arc<dyn Followup>) -> anyhow::Result<()> {
    let serve = service_fn(move |event: LambdaEvent<SqsEvent>| {
        let (handler, followup) = (Arc::clone(&handler), Arc::clone(&followup));
        async move { handle_batch(handler, followup, event.payload).await.map_err(|error| format!("{error:#}")) }
    });
    lambda_runtime::run(serve).await.map_err(|error| anyhow::anyhow!(error))
}

/// Handles the records of one invocation, at most [`FAN_OUT`] at a time, and lists those that SQS must keep.
pub async fn handle_batch<H: Handler>(
    handler: Arc<H>,
    followup: Arc<dyn Followup>,
    event: SqsEvent,
) -> anyhow::Result<SqsBatchResponse> {
    if event.records.iter().any(|record| record.message_id.as_deref().unwrap_or_default().is_empty()) {
        bail!("a record has no id, so no record can be reported alone");
    }
    let records = event.records.into_iter().map(|record| {
        let (handler, followup) = (Arc::clone(&handler), Arc::clone(&followup));
        async move { tokio::spawn(handle_record(handler, followup, record)).await }
    });
    let mut ended = stream::iter(records).buffer_unordered(FAN_OUT);
    let mut response = SqsBatchResponse::default();
    while let Some(record) = ended.next().await {
        if let Some(id) = record.context("a record's task was lost")? {
            response.add_failure(id);
        }
    }
    Ok(response)
}

/// The record's id when SQS must keep it.
async fn handle_record<H: Handler>(handler: Arc<H>, followup: Arc<dyn Followup>, record: SqsMessage) -> Option<String> {
    let delivery = delivery(&record);
    let body = record.body.as_deref().unwrap_or_default();
    let verdict = process(handler.as_ref(), body.as_bytes(), &delivery).await;
    if verdict == Verdict::Ack || followup.follow_up(&record, &verdict).await {
        return None;
    }
    Some(delivery.id)
}

fn delivery(record: &SqsMessage) -> Delivery {
    let attribute = |name: &str| record.attributes.get(name)?.parse::<i64>().ok();
    let arn = record.event_source_arn.as_deref().unwrap_or_default();
    let received = attribute("ApproximateReceiveCount").and_then(|count| u32::try_from(count).ok());
    Delivery {
        queue: arn.rsplit(':').next().unwrap_or_default().to_owned(),
        id: record.message_id.clone().unwrap_or_default(),
        received: received.unwrap_or(1),
        enqueued_at: attribute("SentTimestamp").and_then(DateTime::from_timestamp_millis),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    impl Handler for Nothing {
        const NAME: &'static str = "nothing";
        type Envelope = serde::de::IgnoredAny;

        async fn handle(&self, _: Self::Envelope, _: &Delivery) -> Result<(), crate::Failure> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_record_without_an_id_fails_the_invocation() {
        for id in ["null", "\"\""] {
            let event = format!(r#"{{"Records":[{{"messageId":"a","body":"1"}},{{"messageId":{id},"body":"1"}}]}}"#);
            let event: SqsEvent = serde_json::from_str(&event).unwrap();
            assert!(handle_batch(Arc::new(Nothing), Arc::new(ReportOnly), event).await.is_err());
        }
    }

    #[test]
    fn what_sqs_tells_of_a_record_is_kept() {
        let record = r#"{"messageId":"a","eventSourceARN":"arn:aws:sqs:eu-central-1:1:chappe-route",
            "attributes":{"ApproximateReceiveCount":"7","SentTimestamp":"1700000000123"}}"#;
        let delivery = delivery(&serde_json::from_str(record).unwrap());
        assert_eq!((delivery.queue.as_str(), delivery.received), ("chappe-route", 7));
        assert_eq!(delivery.enqueued_at.unwrap().timestamp_millis(), 1_700_000_000_123);
    }
}
