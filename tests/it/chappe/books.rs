//! What must be true when the work is done, seen through the API where a user can, through the database where not.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::AccountId;
use serde_json::Value;
use testkit::eventually;

use super::{Api, Chappe};

/// What the API tells of a message.
#[derive(Debug)]
pub(crate) struct Story(pub(crate) Value);

impl Story {
    pub(crate) async fn of(api: &Api, message: &str) -> Self {
        Self(api.get(&format!("/v1/messages/{message}")).await)
    }

    pub(crate) fn state(&self) -> &str {
        self.0["state"].as_str().unwrap()
    }

    pub(crate) fn code(&self) -> Option<&str> {
        self.0["code"].as_str()
    }

    /// The timeline as `state source` with segment and code where there are such, for example
    /// `delivered dlr 2`.
    pub(crate) fn timeline(&self) -> Vec<String> {
        let events = self.0["events"].as_array().unwrap();
        let line = |event: &Value| {
            let mut line = format!("{} {}", event["state"].as_str().unwrap(), event["source"].as_str().unwrap());
            for extra in [&event["segment"], &event["code"]] {
                let text = extra.as_str().map_or_else(|| extra.to_string(), str::to_owned);
                if !extra.is_null() {
                    line = format!("{line} {text}");
                }
            }
            line
        };
        events.iter().map(line).collect()
    }
}

/// Which leftovers a test expects; none by default.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Leftovers {
    /// Receipts that belong to no message and are still being looked up.
    pub(crate) receipts: bool,
}

impl Chappe {
    /// Waits until every message has ended and every queue is empty; then checks that nothing is left and the
    /// books are right.
    pub(crate) async fn assert_settled(&self, limit: Duration, leftovers: Leftovers) {
        self.until_ended(limit).await;
        let mut waiting = BTreeMap::new();
        eventually(limit, async || {
            waiting = self.waiting().await;
            if leftovers.receipts {
                waiting.remove(contract::queues::DLR);
            }
            waiting.is_empty()
        })
        .await;
        // What is published is deleted a moment later.
        eventually(limit, async || self.count("SELECT count(*) FROM outbox").await == 0).await;
        let untold = "SELECT count(*) FROM webhook_deliveries WHERE status = 'pending'";
        eventually(limit, async || self.count(untold).await == 0).await;
        for (what, sql) in [
            ("holds", "SELECT count(*) FROM account_balances WHERE held_micros <> 0"),
            ("webhooks that were given up", "SELECT count(*) FROM webhook_deliveries WHERE status <> 'delivered'"),
        ] {
            assert_eq!(self.count(sql).await, 0, "left over: {what}");
        }
        assert_eq!(self.parked().await, Vec::<String>::new(), "left over: parked envelopes");
        let violations = store::ledger::verify(&self.db()).await.unwrap();
        assert!(violations.is_empty(), "{violations:#?}");
    }

    /// Waits until every message has ended.
    pub(crate) async fn until_ended(&self, limit: Duration) {
        let open = "SELECT count(*) FROM messages WHERE state_rank < 8";
        eventually(limit, async || self.count(open).await == 0).await;
    }

    /// Why each of the parked envelopes lies where it does.
    async fn parked(&self) -> Vec<String> {
        let mut parked = Vec::new();
        for name in self.queue().queues().await.unwrap() {
            let found = self.queue().parked(&name, 10).await.unwrap();
            parked.extend(found.into_iter().map(|one| format!("{name}: {}", one.why)));
        }
        parked
    }

    /// The queues that are not empty, with how much is in them.
    async fn waiting(&self) -> BTreeMap<String, u64> {
        let queue = self.queue();
        let mut waiting = BTreeMap::new();
        for name in queue.queues().await.unwrap() {
            let depth = queue.depth(&name).await.unwrap();
            if depth.ready + depth.waiting > 0 {
                waiting.insert(name, depth.ready + depth.waiting);
            }
        }
        waiting
    }

    /// What lies in a queue.
    pub(crate) async fn depth(&self, name: &str) -> u64 {
        let depth = self.queue().depth(name).await.unwrap();
        depth.ready + depth.waiting
    }

    /// Everything that the database has of the messages to a number.
    pub(crate) async fn all_of(&self, recipient: &str) -> String {
        let rows = "SELECT coalesce(jsonb_agg(to_jsonb(m) || jsonb_build_object('events', (
            SELECT jsonb_agg(to_jsonb(e)) FROM message_events e WHERE e.message_id = m.id)))::text, 'nothing')
            FROM messages m WHERE m.recipient = $1::bigint";
        sqlx::query_scalar(rows).bind(recipient).fetch_one(self.db().pool()).await.unwrap()
    }

    /// One number out of the database.
    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(self.db().pool()).await.unwrap()
    }

    /// Changes the data behind its back: only for what otherwise takes days.
    pub(crate) async fn execute(&self, sql: &'static str) {
        sqlx::query(sql).execute(self.db().pool()).await.unwrap();
    }

    /// Puts envelopes into a queue.
    pub(crate) async fn publish(&self, name: &str, sealed: Vec<contract::Sealed>) {
        let batch: Vec<queue::Out> = sealed.into_iter().map(|sealed| queue::Out::now(sealed.body)).collect();
        for result in self.queue().send(name, &batch).await {
            result.unwrap();
        }
    }

    /// The sum of a ledger, in micros; of one account where it is given.
    pub(crate) async fn ledger(&self, ledger: &str, account: Option<AccountId>) -> i64 {
        sqlx::query_scalar(
            "SELECT coalesce(sum(posted_micros), 0)::bigint FROM balance_ledger
             WHERE ledger = $1 AND operation NOT IN ('top_up', 'transfer') AND ($2::uuid IS NULL OR account_id = $2)",
        )
        .bind(ledger)
        .bind(account.map(AccountId::uuid))
        .fetch_one(self.db().pool())
        .await
        .unwrap()
    }
}
