//! Many customers who send at once and do not give up: what they do not know to be accepted they send again, with
//! the same idempotency key.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use smsc::Smsc;
use testkit::until_some;

use super::company::{ON_SUBMIT, SENDER};
use super::{Api, Chappe};

/// Requests at once.
const CUSTOMERS: u64 = 8;
/// Messages of every other request; the others carry one.
const BATCH: u64 = 25;
/// How long a customer keeps trying.
const TRY_LIMIT: Duration = Duration::from_mins(2);

/// The number and the text of message `number`.
pub(crate) fn numbered(number: u64) -> (String, String) {
    (format!("{}{number:07}", ON_SUBMIT.prefix), format!("This is message {number}."))
}

/// What customers have seen.
#[derive(Debug, Default)]
pub(crate) struct Load {
    total: u64,
    /// The next message to send.
    next: AtomicU64,
    accepted: AtomicU64,
    /// Answers of 503, all of which said when to come again.
    unavailable: AtomicU64,
    /// Requests that nobody answered.
    unanswered: AtomicU64,
}

impl Load {
    /// Of `total` messages.
    pub(crate) fn new(total: u64) -> Self {
        Self { total, ..Self::default() }
    }

    /// Messages that were answered as accepted.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    pub(crate) fn unavailable(&self) -> u64 {
        self.unavailable.load(Ordering::Relaxed)
    }

    /// Sends everything; ends when all of it is accepted.
    pub(crate) async fn run(&self, api: &Api) {
        join_all((0..CUSTOMERS).map(|_| self.send_share(api))).await;
        assert_eq!(self.accepted(), self.total);
    }

    async fn send_share(&self, api: &Api) {
        for turn in 0_u64.. {
            let size = if turn % 2 == 0 { BATCH } else { 1 };
            let first = self.next.fetch_add(size, Ordering::Relaxed);
            let last = (first + size).min(self.total);
            if first >= last {
                return;
            }
            self.send(api, first..last).await;
        }
    }

    async fn send(&self, api: &Api, numbers: std::ops::Range<u64>) {
        let key = format!("from-{}", numbers.start);
        let count = numbers.end - numbers.start;
        let mut messages: Vec<Value> = numbers
            .map(|number| {
                let (to, text) = numbered(number);
                json!({"to": to, "from": SENDER, "text": text})
            })
            .collect();
        let (path, body) = match count {
            1 => ("/v1/messages", messages.remove(0)),
            _ => ("/v1/messages/batch", json!({ "messages": messages })),
        };
        until_some(TRY_LIMIT, async || {
            let Ok(answer) = api.ask(Method::POST, path, Some(&body), Some(&key)).await else {
                self.unanswered.fetch_add(1, Ordering::Relaxed);
                return None;
            };
            match answer.status {
                StatusCode::CREATED => return Some(()),
                StatusCode::ACCEPTED => {
                    assert_eq!(answer.body["accepted"], count, "{}", answer.body);
                    return Some(());
                }
                StatusCode::SERVICE_UNAVAILABLE => {
                    assert!(answer.headers.contains_key("retry-after"), "503 does not say when to come again");
                    self.unavailable.fetch_add(1, Ordering::Relaxed);
                }
                other => panic!("{path} was answered {other}: {}", answer.body),
            }
            None
        })
        .await;
        self.accepted.fetch_add(count, Ordering::Relaxed);
    }

    /// Every message is at the operator; answers how many segments came there again.
    pub(crate) async fn assert_all_came(&self, chappe: &Chappe, smsc: &Smsc) -> u64 {
        let numbers = (0..self.total).map(numbered);
        let lost: Vec<String> = numbers.filter(|(to, text)| smsc.times_seen(to, text) == 0).map(|(to, _)| to).collect();
        if let Some(first) = lost.first() {
            panic!("{} messages were lost; what is known of the first: {}", lost.len(), chappe.all_of(first).await);
        }
        smsc.repeats().repeated
    }
}
