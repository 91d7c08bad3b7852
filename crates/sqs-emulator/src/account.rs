//! All queues of the emulator.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::REGION;
use crate::fault::Faults;
use crate::message::{Content, Message};
use crate::queue::{Queue, Taken};
use crate::refusal::Refusal;

/// The account that every queue belongs to.
const ACCOUNT: &str = "000000000000";

/// Queues by name, the faults to come, and the ids given out.
#[derive(Debug)]
pub(crate) struct Account {
    endpoint: String,
    queues: Mutex<BTreeMap<String, Arc<Queue>>>,
    pub(crate) faults: Faults,
    ids: AtomicU64,
}

impl Account {
    pub(crate) fn at(address: SocketAddr) -> Self {
        let endpoint = format!("http://{address}");
        Self { endpoint, queues: Mutex::default(), faults: Faults::default(), ids: AtomicU64::new(1) }
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("{}/{ACCOUNT}/{name}", self.endpoint)
    }

    pub(crate) fn arn(name: &str) -> String {
        format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")
    }

    /// The queue that a URL, an ARN or a name ends with.
    pub(crate) fn queue(&self, named: &str) -> Result<Arc<Queue>, Refusal> {
        let name = named.rsplit(['/', ':']).next().unwrap_or_default();
        self.queues().get(name).cloned().ok_or_else(Refusal::no_queue)
    }

    pub(crate) fn queues(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Queue>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a checked message into a queue, and returns its id.
    pub(crate) fn send(&self, queue: &Queue, content: Arc<Content>, delay: Duration) -> u64 {
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let sent_ms = now_ms();
        queue.push(Message { id, content, sent_ms, first_received_ms: None, received: 0, receipt: 0 }, delay);
        id
    }

    /// Waits up to `wait` for messages. Those that were received too often go to the dead-letter queue.
    pub(crate) async fn receive(&self, queue: &Queue, max: usize, wait: Duration, visibility: Duration) -> Taken {
        let end = Instant::now() + wait;
        loop {
            let rung = queue.bell.notified();
            let redrive = redrive(queue);
            let mut taken = queue.take(max, visibility, redrive.as_ref().map(|(_, received_max)| *received_max));
            let dead_letters = redrive.and_then(|(arn, _)| self.queue(&arn).ok());
            for dead in taken.dead.drain(..) {
                // A message whose dead-letter queue is gone is lost; Amazon keeps it, tests look there.
                if let Some(queue) = &dead_letters {
                    queue.push(Message { receipt: 0, ..dead }, Duration::ZERO);
                }
            }
            let now = Instant::now();
            if !taken.messages.is_empty() || now >= end {
                return taken;
            }
            let next = taken.next.unwrap_or(end).min(end).max(now + Duration::from_millis(1));
            let _ = tokio::time::timeout_at(next, rung).await;
        }
    }
}

/// The dead-letter queue's ARN and how often a message is received before it goes there.
fn redrive(queue: &Queue) -> Option<(String, u32)> {
    let policy = queue.redrive_policy()?;
    let policy: serde_json::Value = serde_json::from_str(&policy).ok()?;
    let count = &policy["maxReceiveCount"];
    let count = count.as_u64().or_else(|| count.as_str()?.parse().ok())?;
    Some((policy["deadLetterTargetArn"].as_str()?.to_owned(), u32::try_from(count).ok()?))
}

/// Milliseconds of the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "a server tells its own time")]
pub(crate) fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
