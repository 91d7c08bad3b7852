//! An event source mapping in small: takes records from a queue, hands them to a function, and deletes what is not
//! reported as failed (AWS Lambda, "Using Lambda with Amazon SQS").

use std::time::Duration;

use queue::{Lease, Settle, Take};
use serde_json::{Value, json};

use super::emulator::Function;
use super::recorded;
use crate::world::World;

/// How long records stay invisible: longer than any test.
const LEASE: Duration = Duration::from_mins(5);

/// Records of a queue on their way to a function.
pub(super) struct Batch {
    queue: &'static str,
    records: Vec<(String, Lease, Value)>,
}

impl Batch {
    /// Takes `count` records; panics when there are fewer.
    pub(super) async fn take(world: &World, queue: &'static str, count: usize) -> Self {
        let mut records = Vec::new();
        while records.len() < count {
            let take = Take { max: count - records.len(), wait: super::LIMIT, lease: LEASE };
            let received = world.queue.receive(queue, take).await.unwrap();
            assert!(!received.is_empty(), "{} of {count} records in {queue}", records.len());
            records.extend(received.into_iter().map(|delivery| {
                let mut record = recorded("sqs-record");
                record["messageId"] = json!(delivery.id);
                record["receiptHandle"] = json!(delivery.lease.token());
                record["body"] = json!(String::from_utf8_lossy(&delivery.body));
                record["attributes"]["ApproximateReceiveCount"] = json!(delivery.received.to_string());
                record["eventSourceARN"] = json!(format!("arn:aws:sqs:eu-central-1:123456789012:{queue}"));
                (delivery.id, delivery.lease, record)
            }));
        }
        Self { queue, records }
    }

    /// The event that Lambda gets.
    pub(super) fn event(&self) -> Value {
        json!({ "Records": self.records.iter().map(|(_, _, record)| record).collect::<Vec<_>>() })
    }

    /// Hands it over and deletes what is not reported. Answers how many were.
    pub(super) async fn hand_to(self, function: &Function, world: &World) -> usize {
        let answer = function.answer(self.event()).await;
        self.settle(&answer, world).await
    }

    /// Deletes what `answer` does not report. What was parked is gone already.
    pub(super) async fn settle(self, answer: &Value, world: &World) -> usize {
        let failures = answer["batchItemFailures"].as_array().unwrap_or_else(|| panic!("no batch response: {answer}"));
        let failed = |id: &str| failures.iter().any(|failure| failure["itemIdentifier"] == id);
        let done: Vec<_> = self.records.iter().filter(|(id, _, _)| !failed(id)).collect();
        let items = done.iter().map(|(_, lease, _)| (lease.clone(), Settle::Ack)).collect();
        world.queue.settle(self.queue, items).await;
        assert_eq!(done.len() + failures.len(), self.records.len(), "every failure names a record: {answer}");
        failures.len()
    }
}
