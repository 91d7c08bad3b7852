//! Money that people move, over the API: what is answered is what the books say.

mod adjustments;
mod books;
mod bounds;
mod caps;
mod corrections;
mod credit_limits;
mod depth;
pub(super) mod margins;
mod payouts;
mod refunds;
mod repeated;
mod revenue;
mod statement;
mod suppliers;
mod suspension;
mod thresholds;
mod transfers;

use std::sync::Arc;

use bill::Bill;
use chrono::{DateTime, TimeDelta, Utc};
use contract::{Envelope, Outcome, OutcomeClass, Receipt, ReceiptState, Routed, SegmentOutcome, queues, seal};
use dlr::Dlr;
use domain::{AccountId, Private};
use queue::{Out, Settle, Take};
use route::Route;
use serde_json::{Value, json};

use super::rig::{Rig, send};
use crate::ledger::pump;
use crate::world::World;

/// Number of a network that is charged on submit.
pub(super) const ON_SUBMIT: &str = "+998931234567";
/// Number of a network that is charged on delivery.
pub(super) const ON_DELIVERY: &str = "+998901234567";

impl Rig {
    /// The token of a person of the house.
    pub(super) async fn person(&self, account: AccountId, email: &str) -> String {
        self.user(account, email, "password123").await;
        let who = json!({"email": email, "password": "password123"});
        self.call("POST", "/v1/auth/login", None, Some(&who)).await.expect(200).text("access_token")
    }

    /// Sends a message of the client of so many segments, which ends in `last`. Answers its id.
    pub(super) async fn ended(&self, to: &str, segments: usize, last: ReceiptState) -> String {
        let text = "x".repeat(if segments == 1 { 1 } else { 153 * segments });
        let sent = self.post(&self.client, "/v1/messages", &send(&json!({"to": to, "text": text}))).await;
        let id = sent.expect(201).text("id");
        carry(&self.world, last).await;
        id
    }
}

/// Micros of an amount in an answer.
pub(super) fn micros(amount: &Value) -> i64 {
    amount.as_str().unwrap().parse::<domain::Micros>().unwrap().get()
}

/// Carries what was accepted through route, operator and receipt, all of which end in `last`.
pub(super) async fn carry(world: &World, last: ReceiptState) {
    carry_as(world, || (last, TimeDelta::zero())).await;
}

/// The same; `end` says of one message after the other in which state it ends, and how long after its submit.
pub(super) async fn carry_as(world: &World, mut end: impl FnMut() -> (ReceiptState, TimeDelta)) {
    let clock: Arc<dyn host::Clock> = Arc::new(host::clock::System);
    pump(world, &Route::new(world.db.clone(), Arc::clone(&world.catalogue), Arc::clone(&clock)), queues::ROUTE).await;
    for operator in world.operators {
        let name = queues::submit(operator);
        let take = Take { max: 10, wait: std::time::Duration::ZERO, lease: std::time::Duration::from_secs(30) };
        for delivery in world.queue.receive(&name, take).await.unwrap() {
            let envelope: Envelope<Routed> = serde_json::from_slice(&delivery.body).unwrap();
            let (mut outcomes, mut told): (Vec<Outcome>, Vec<Receipt>) = (Vec::new(), Vec::new());
            for item in &envelope.items {
                let (last, after) = end();
                let outcome = accepted(item, operator, Utc::now() - after);
                told.extend(receipts(&outcome, last, outcome.at + after));
                outcomes.push(outcome);
            }
            publish(world, queues::BILL, &outcomes).await;
            publish(world, queues::DLR, &told).await;
            world.queue.settle(&name, vec![(delivery.lease, Settle::Ack)]).await;
        }
    }
    pump(world, &Bill::new(world.db.clone(), Arc::clone(&clock)), queues::BILL).await;
    pump(world, &Dlr::new(world.db.clone(), clock), queues::DLR).await;
}

async fn publish<T: contract::Item>(world: &World, queue: &str, items: &[T]) {
    for sealed in seal(items, Utc::now()).unwrap() {
        for result in world.queue.send(queue, &[Out::now(sealed.body)]).await {
            result.unwrap();
        }
    }
}

fn accepted(message: &Routed, operator_id: domain::OperatorId, at: DateTime<Utc>) -> Outcome {
    let segment = |segment| SegmentOutcome {
        segment,
        status: Some(0),
        smpp_message_id: Some(format!("{}-{segment}", message.message_id)),
        part_of: None,
    };
    Outcome {
        message_id: message.message_id,
        account_id: message.account_id,
        operator_id,
        hop: message.hop,
        class: OutcomeClass::Accepted,
        at,
        segments: (1..=message.segments).map(segment).collect(),
    }
}

fn receipts(outcome: &Outcome, last: ReceiptState, received_at: DateTime<Utc>) -> Vec<Receipt> {
    let receipt = |part: &SegmentOutcome| Receipt {
        operator_id: outcome.operator_id,
        smpp_message_id: part.smpp_message_id.clone().unwrap(),
        state: last,
        error: "000".into(),
        meaning: None,
        done_at: None,
        received_at,
        raw: Private::new("id:1 stat:DELIVRD"),
        lookups: 0,
    };
    outcome.segments.iter().map(receipt).collect()
}
