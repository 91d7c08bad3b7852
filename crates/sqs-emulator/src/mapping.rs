//! Lambda's event source mapping with `ReportBatchItemFailures`: takes batches, invokes, deletes what did not fail.
//!
//! As Lambda does, it takes an answer that it cannot read, an empty id or an id that was not in the batch for the
//! failure of the whole batch ("Implementing partial batch responses" in the developer guide). What failed stays until
//! the queue's visibility timeout is over.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::account::Account;
use crate::actions::event_record;
use crate::message::{Message, message_id};
use crate::queue::Queue;

/// Batches that are handled at once: what Lambda begins with.
const POLLERS: usize = 5;

/// The wait of one poll.
const POLL: Duration = Duration::from_secs(20);

/// The pause after a queue was not found.
const PAUSE: Duration = Duration::from_millis(100);

/// Messages of one request, as Amazon counts requests.
const PER_REQUEST: u64 = 10;

/// A running mapping. It ends when dropped.
#[derive(Debug)]
pub struct Mapping {
    invocations: Arc<AtomicU64>,
    _pollers: JoinSet<()>,
}

impl Mapping {
    pub(crate) fn start<F, I>(account: &Arc<Account>, queue: &str, batch: usize, invoke: F) -> Self
    where
        F: Fn(Value) -> I + Send + Sync + 'static,
        I: Future<Output = Result<Value>> + Send + 'static,
    {
        let (invoke, invocations) = (Arc::new(invoke), Arc::new(AtomicU64::new(0)));
        let mut pollers = JoinSet::new();
        for _ in 0..POLLERS {
            let (account, queue) = (Arc::clone(account), queue.to_owned());
            let (invoke, invocations) = (Arc::clone(&invoke), Arc::clone(&invocations));
            pollers.spawn(async move {
                loop {
                    let Ok(queue) = account.queue(&queue) else {
                        tokio::time::sleep(PAUSE).await;
                        continue;
                    };
                    let batch = take(&account, &queue, batch).await;
                    if !batch.is_empty() {
                        invocations.fetch_add(1, Ordering::Relaxed);
                        let answer = invoke(event(&queue, &batch)).await;
                        delete(&account, &queue, &batch, answer.ok());
                    }
                }
            });
        }
        Self { invocations, _pollers: pollers }
    }

    /// How often the function was invoked.
    pub fn invocations(&self) -> u64 {
        self.invocations.load(Ordering::Relaxed)
    }
}

type Batch = Vec<(Message, String)>;

async fn take(account: &Account, queue: &Queue, max: usize) -> Batch {
    let taken = account.receive(queue, max, POLL, queue.visibility()).await.messages;
    count(account, "ReceiveMessage", taken.len().max(1));
    taken
}

/// Counts the requests that a real mapping would make.
fn count(account: &Account, action: &str, messages: usize) {
    let messages = u64::try_from(messages).unwrap_or(u64::MAX);
    let _ = account.faults.meet(action, messages.div_ceil(PER_REQUEST));
}

fn event(queue: &Queue, batch: &Batch) -> Value {
    let records: Vec<Value> =
        batch.iter().map(|(message, handle)| event_record(message, handle, &queue.name)).collect();
    json!({ "Records": records })
}

fn delete(account: &Account, queue: &Queue, batch: &Batch, answer: Option<Value>) {
    let ids: HashSet<String> = batch.iter().map(|(message, _)| message_id(message.id)).collect();
    let Some(failures) = answer.and_then(|answer| failures(&answer)) else { return };
    if !failures.is_subset(&ids) {
        return;
    }
    let done: Vec<&String> = batch
        .iter()
        .filter(|(message, _)| !failures.contains(&message_id(message.id)))
        .map(|(_, handle)| handle)
        .collect();
    count(account, "DeleteMessageBatch", done.len());
    for handle in done {
        let _ = queue.delete(handle);
    }
}

/// The ids that an answer lists; `None` where it cannot be read.
fn failures(answer: &Value) -> Option<HashSet<String>> {
    let listed = match answer {
        Value::Null => return Some(HashSet::new()),
        Value::Object(answer) => answer.get("batchItemFailures"),
        _ => return None,
    };
    match listed {
        None | Some(Value::Null) => Some(HashSet::new()),
        Some(Value::Array(listed)) => {
            listed.iter().map(|one| one.get("itemIdentifier")?.as_str().map(str::to_owned)).collect()
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_as_lambda_reads_them() {
        let rows = [
            (json!(null), Some(vec![])),
            (json!({}), Some(vec![])),
            (json!({ "batchItemFailures": [] }), Some(vec![])),
            (json!({ "batchItemFailures": null }), Some(vec![])),
            (json!({ "batchItemFailures": [{ "itemIdentifier": "a" }] }), Some(vec!["a"])),
            (json!({ "batchItemFailures": [{ "itemIdentifier": null }] }), None),
            (json!({ "batchItemFailures": [{ "id": "a" }] }), None),
            (json!({ "batchItemFailures": "a" }), None),
            (json!("fine"), None),
        ];
        for (answer, expected) in rows {
            let expected = expected.map(|ids: Vec<&str>| ids.into_iter().map(str::to_owned).collect());
            assert_eq!(failures(&answer), expected, "{answer}");
        }
    }
}
