//! The road of a message without sockets: the real handlers on a real database under a clock that the test moves, and the
//! test in the place of the edge and of the operators.

use std::sync::Arc;
use std::time::Duration;

use bill::Bill;
use chrono::{DateTime, Utc};
use contract::profile::ReceiptMeaning;
use contract::{Envelope, Outcome, OutcomeClass, Receipt, ReceiptState, Routed, SegmentOutcome, queues, seal};
use dlr::Dlr;
use domain::reroute::Policy;
use domain::{MessageId, OperatorId, Private};
use host::clock::Fake;
use queue::{Out, Settle, Take};
use route::Route;
use serde_json::json;
use store::accept::{Acceptance, NewMessage, Single, accept_gathered};
use store::sweep::Retention;
use sweep::Sweep;
use uuid::Uuid;

use crate::ledger::pump;
use crate::world::World;

/// The handlers over one world.
pub(crate) struct Road {
    pub(crate) world: World,
    pub(crate) clock: Fake,
    pub(crate) route: Route,
    pub(crate) bill: Bill,
    pub(crate) dlr: Dlr,
    pub(crate) sweep: Sweep,
}

impl Road {
    pub(crate) fn of(world: World) -> Self {
        let clock = Fake::at(Utc::now());
        let shared = || Arc::new(clock.clone());
        let route = Route::new(world.db.clone(), world.catalogue.clone(), shared());
        let (bill, dlr) = (Bill::new(world.db.clone(), shared()), Dlr::new(world.db.clone(), shared()));
        let sweep = Sweep::new(world.db.clone(), world.queue.clone(), shared(), Retention::default());
        Self { world, clock, route, bill, dlr, sweep }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        host::Clock::now(&self.clock)
    }

    /// All messages of the house go on like this.
    pub(crate) async fn set_policy(&self, policy: Policy) {
        sqlx::query("UPDATE accounts SET reroute = $1 WHERE parent_id IS NULL")
            .bind(json!(policy))
            .execute(self.world.pool())
            .await
            .unwrap();
        self.world.catalogue.refresh().await.unwrap();
    }

    /// Accepts a message and gives it its operator.
    pub(crate) async fn send(&self, message: NewMessage) -> MessageId {
        let id = message.id;
        let stored = accept_gathered(&self.world.db, &[Single { message, idempotency: None }]).await.unwrap();
        assert_eq!(stored, [Acceptance::Stored]);
        self.route().await;
        id
    }

    /// A moment passes, and what waits for an operator gets one.
    pub(crate) async fn route(&self) {
        self.clock.advance(Duration::from_millis(10));
        pump(&self.world, &self.route, queues::ROUTE).await;
    }

    /// Takes what lies in an operator's queue.
    pub(crate) async fn taken(&self, operator: OperatorId) -> Vec<Routed> {
        let name = queues::submit(operator);
        let take = Take { max: 10, wait: Duration::ZERO, lease: Duration::from_secs(30) };
        let mut taken = Vec::new();
        for delivery in self.world.queue.receive(&name, take).await.unwrap() {
            let envelope: Envelope<Routed> = serde_json::from_slice(&delivery.body).unwrap();
            taken.extend(envelope.items);
            self.world.queue.settle(&name, vec![(delivery.lease, Settle::Ack)]).await;
        }
        taken
    }

    /// The only message that lies there.
    pub(crate) async fn one(&self, operator: OperatorId) -> Routed {
        let mut taken = self.taken(operator).await;
        assert_eq!(taken.len(), 1, "one message for this operator");
        taken.remove(0)
    }

    /// Puts envelopes into a queue.
    pub(crate) async fn publish<T: contract::Item>(&self, queue: &str, items: &[T]) {
        for sealed in seal(items, self.now()).unwrap() {
            for result in self.world.queue.send(queue, &[Out::now(sealed.body)]).await {
                result.unwrap();
            }
        }
    }

    /// The operator answers a submit: a status for each segment.
    pub(crate) async fn answer(&self, operator: OperatorId, submit: &Routed, class: OutcomeClass, statuses: &[u32]) {
        self.publish(queues::BILL, &[self.outcome(operator, submit, class, statuses)]).await;
        pump(&self.world, &self.bill, queues::BILL).await;
        self.route().await;
    }

    /// It takes all of it.
    pub(crate) async fn accepts(&self, operator: OperatorId, submit: &Routed) {
        let statuses = vec![0; usize::from(submit.segments)];
        self.answer(operator, submit, OutcomeClass::Accepted, &statuses).await;
    }

    pub(crate) fn outcome(
        &self,
        operator_id: OperatorId,
        submit: &Routed,
        class: OutcomeClass,
        statuses: &[u32],
    ) -> Outcome {
        let segments = (1..).zip(statuses).map(|(segment, status)| SegmentOutcome {
            segment,
            status: (class != OutcomeClass::Unknown).then_some(*status),
            smpp_message_id: (class != OutcomeClass::Unknown).then(|| smpp_id(submit, segment)),
            part_of: None,
        });
        let (message_id, account_id, hop) = (submit.message_id, submit.account_id, submit.hop);
        Outcome { message_id, account_id, operator_id, hop, class, at: self.now(), segments: segments.collect() }
    }

    /// A receipt for a segment, with the operator's own code and perhaps its meaning.
    pub(crate) fn receipt(&self, operator_id: OperatorId, smpp_message_id: String, state: ReceiptState) -> Receipt {
        Receipt {
            operator_id,
            smpp_message_id,
            state,
            error: if state == ReceiptState::Delivered { "000" } else { "0b2" }.to_owned(),
            meaning: None,
            done_at: None,
            received_at: self.now(),
            raw: Private::new("id:1"),
            lookups: 0,
        }
    }

    /// The operator says how a segment ended.
    pub(crate) async fn tells(&self, operator: OperatorId, submit: &Routed, segment: u8, state: ReceiptState) {
        let receipt = self.receipt(operator, smpp_id(submit, segment), state);
        self.hears(&[receipt]).await;
    }

    /// The same with a code whose meaning the operator's profile knows.
    pub(crate) async fn explains(&self, operator: OperatorId, submit: &Routed, code: &str, reroute: Option<bool>) {
        let meaning = Some(ReceiptMeaning { code: code.to_owned(), billable: false, reroute });
        let receipt = self.receipt(operator, smpp_id(submit, 1), ReceiptState::Undeliverable);
        self.hears(&[Receipt { meaning, ..receipt }]).await;
    }

    pub(crate) async fn hears(&self, receipts: &[Receipt]) {
        self.publish(queues::DLR, receipts).await;
        pump(&self.world, &self.dlr, queues::DLR).await;
        self.route().await;
    }

    /// Where a message stands: state, code, and what its customer was charged.
    pub(crate) async fn stands(&self, message: MessageId) -> (String, Option<String>, i64) {
        sqlx::query_as("SELECT state, code, captured_micros FROM messages WHERE id = $1")
            .bind(message.uuid())
            .fetch_one(self.world.pool())
            .await
            .unwrap()
    }

    /// What an operator is owed, in micros.
    pub(crate) async fn owed(&self, operator: OperatorId) -> i64 {
        sqlx::query_scalar(
            "SELECT coalesce(sum(posted_micros), 0)::bigint FROM balance_ledger WHERE ledger = 'supplier' AND operator_id = $1",
        )
        .bind(operator.uuid())
        .fetch_one(self.world.pool())
        .await
        .unwrap()
    }

    /// The newest record of a message: cost, operators before the last one, and how many records there are.
    pub(crate) async fn record(&self, message: MessageId) -> (i64, usize, i64) {
        let (cost, hops, records): (i64, Option<serde_json::Value>, i64) = sqlx::query_as(
            "SELECT cost_micros, hops, count(*) OVER () FROM sms_cdr WHERE message_id = $1
             ORDER BY correction DESC LIMIT 1",
        )
        .bind(message.uuid())
        .fetch_one(self.world.pool())
        .await
        .unwrap();
        (cost, hops.and_then(|hops| hops.as_array().map(Vec::len)).unwrap_or(0), records)
    }

    /// States that its customer was told, in order. Takes them.
    pub(crate) async fn told(&self) -> Vec<String> {
        let take = Take { max: 10, wait: Duration::ZERO, lease: Duration::from_secs(30) };
        let mut told = Vec::new();
        loop {
            let received = self.world.queue.receive(queues::CALLBACK, take).await.unwrap();
            if received.is_empty() {
                return told;
            }
            for delivery in received {
                let envelope: Envelope<contract::CustomerEvent> = serde_json::from_slice(&delivery.body).unwrap();
                told.extend(envelope.items.iter().map(contract::CustomerEvent::name));
                self.world.queue.settle(queues::CALLBACK, vec![(delivery.lease, Settle::Ack)]).await;
            }
        }
    }

    /// One more operator, that costs so much in the major unit.
    pub(crate) async fn operator(&self, name: &str, cost: i64) -> OperatorId {
        let id = self.world.one_more_operator(name, cost).await;
        self.world.catalogue.refresh().await.unwrap();
        id
    }
}

/// The id that an operator gives a segment.
pub(crate) fn smpp_id(submit: &Routed, segment: u8) -> String {
    let uuid: Uuid = submit.message_id.uuid();
    format!("{uuid}-{}-{segment}", submit.hop)
}
