//! What routing does when operators do badly: down, refusing, full, lying. Time is a clock that the test sets; operators
//! are played by it, but for one that is simulated over real sockets.

mod breaker;
mod cap;
mod down;
mod fake;
mod loss;
mod memory;
mod trust;

use std::sync::Arc;
use std::time::Duration;

use bill::Bill;
use chrono::{DateTime, TimeDelta, Utc};
use contract::{Envelope, Item, Outcome, OutcomeClass, Receipt, ReceiptState, Routed, SegmentOutcome, queues, seal};
use dlr::Dlr;
use domain::{MessageId, Private};
use host::Clock as _;
use host::clock::Fake;
use queue::{Out, Settle, Take};
use route::Route;
use serde_json::Value;
use store::accept::{Acceptance, Single, accept_gathered};
use sweep::Sweep;

use crate::ledger::pump;
use crate::world::World;

/// Enough money for everything.
const RICH: i64 = 1_000_000_000_000_000;
/// The operators of [`World`]: the second one is cheaper.
const UCELL: usize = 0;
const BEELINE: usize = 1;
/// Where all messages go.
const NETWORK: &str = "43405";
/// An operator's own system fails.
const SYSTEM_ERROR: u32 = 0x08;

/// A message that lies at an operator.
#[derive(Clone)]
struct Given {
    operator: usize,
    routed: Routed,
}

/// The company, its functions, and a clock that stands still.
struct Play {
    world: World,
    clock: Fake,
    route: Route,
    bill: Bill,
    dlr: Dlr,
    sweep: Sweep,
}

impl Play {
    async fn new() -> Self {
        let world = World::with_balance(RICH).await;
        let clock = Fake::at(Utc::now());
        let told: Arc<dyn host::Clock> = Arc::new(clock.clone());
        let (db, queue) = (world.db.clone(), Arc::clone(&world.queue));
        Self {
            route: Route::new(db.clone(), Arc::clone(&world.catalogue), Arc::clone(&told)),
            bill: Bill::new(db.clone(), Arc::clone(&told)),
            dlr: Dlr::new(db.clone(), Arc::clone(&told)),
            sweep: Sweep::new(db, queue, told, store::sweep::Retention::default()),
            world,
            clock,
        }
    }

    /// Accepts messages of the client. Answers their ids.
    async fn accept(&self, count: usize) -> Vec<MessageId> {
        let message = || self.world.message(NETWORK, 1, self.clock.now());
        let singles: Vec<Single> = (0..count).map(|_| Single { message: message(), idempotency: None }).collect();
        let stored = accept_gathered(&self.world.db, &singles).await.unwrap();
        assert!(stored.iter().all(|stored| *stored == Acceptance::Stored));
        singles.iter().map(|single| single.message.id).collect()
    }

    /// Accepts and routes messages. Answers where they lie.
    async fn send(&self, count: usize) -> Vec<Given> {
        self.accept(count).await;
        pump(&self.world, &self.route, queues::ROUTE).await;
        self.taken().await
    }

    /// What lies at the operators by now.
    async fn taken(&self) -> Vec<Given> {
        let mut given = Vec::new();
        for (operator, id) in self.world.operators.iter().enumerate() {
            let name = queues::submit(*id);
            loop {
                let take = Take { max: 10, wait: Duration::ZERO, lease: Duration::from_secs(30) };
                let received = self.world.queue.receive(&name, take).await.unwrap();
                if received.is_empty() {
                    break;
                }
                for delivery in received {
                    let envelope: Envelope<Routed> = serde_json::from_slice(&delivery.body).unwrap();
                    given.extend(envelope.items.into_iter().map(|routed| Given { operator, routed }));
                    self.world.queue.settle(&name, vec![(delivery.lease, Settle::Ack)]).await;
                }
            }
        }
        given
    }

    /// The operators answer so: `None` refuses with [`SYSTEM_ERROR`], and what is to go elsewhere is routed again.
    async fn answer(&self, given: &[Given], is_good: bool) {
        let outcome = |given: &Given| {
            let Routed { message_id, account_id, hop, .. } = given.routed;
            let (class, status) =
                if is_good { (OutcomeClass::Accepted, 0) } else { (OutcomeClass::Temporary, SYSTEM_ERROR) };
            let smpp_message_id = is_good.then(|| message_id.to_string());
            let segment = SegmentOutcome { segment: 1, status: Some(status), smpp_message_id, part_of: None };
            let operator_id = self.world.operators[given.operator];
            Outcome { message_id, account_id, operator_id, hop, class, at: self.clock.now(), segments: vec![segment] }
        };
        self.publish(queues::BILL, &given.iter().map(outcome).collect::<Vec<_>>()).await;
        pump(&self.world, &self.bill, queues::BILL).await;
        pump(&self.world, &self.route, queues::ROUTE).await;
    }

    /// Receipts come, each so long after now.
    async fn receipt(&self, given: &[Given], of: impl Fn(usize) -> (ReceiptState, TimeDelta)) {
        let receipt = |(number, given): (usize, &Given)| {
            let (state, after) = of(number);
            Receipt {
                operator_id: self.world.operators[given.operator],
                smpp_message_id: given.routed.message_id.to_string(),
                state,
                error: "000".to_owned(),
                meaning: None,
                done_at: None,
                received_at: self.clock.now() + after,
                raw: Private::new("id:1 stat:DELIVRD"),
                lookups: 0,
            }
        };
        self.publish(queues::DLR, &given.iter().enumerate().map(receipt).collect::<Vec<_>>()).await;
        pump(&self.world, &self.dlr, queues::DLR).await;
    }

    async fn publish<T: Item>(&self, queue: &str, items: &[T]) {
        for sealed in seal(items, Utc::now()).unwrap() {
            for result in self.world.queue.send(queue, &[Out::now(sealed.body)]).await {
                result.unwrap();
            }
        }
    }

    /// Lets time pass.
    fn later(&self, seconds: u64) -> DateTime<Utc> {
        self.clock.advance(Duration::from_secs(seconds));
        self.clock.now()
    }

    /// Operators are judged, and routing hears of it.
    async fn judge(&self) {
        self.sweep.health().await.unwrap();
        self.world.catalogue.refresh().await.unwrap();
    }

    /// The candidates of a message's decision: `name`, or `name: why not`.
    async fn ranked(&self, message: MessageId) -> Vec<String> {
        let decision: Value = sqlx::query_scalar(
            "SELECT d.decision FROM messages m JOIN routing_decisions d ON d.id = m.decision_id WHERE m.id = $1",
        )
        .bind(message.uuid())
        .fetch_one(self.world.pool())
        .await
        .unwrap();
        let one = |candidate: &Value| {
            let name = candidate["operator"].as_str().unwrap();
            candidate["excluded"].as_str().map_or(name.to_owned(), |why| format!("{name}: {why}"))
        };
        decision["candidates"].as_array().unwrap().iter().map(one).collect()
    }

    /// Where the breaker of an operator stands.
    async fn breaker(&self, operator: usize) -> Option<String> {
        sqlx::query_scalar("SELECT state FROM operator_breakers WHERE operator_id = $1 AND mcc_mnc = $2")
            .bind(self.world.operators[operator].uuid())
            .bind(NETWORK)
            .fetch_optional(self.world.pool())
            .await
            .unwrap()
    }

    /// How far an operator is trusted at the network, and how well it does, in thousandths.
    async fn standing(&self, operator: usize) -> Option<(i16, i16, i16, i16)> {
        sqlx::query_as(
            "SELECT success_permille, delivery_permille, speed_permille, trust_permille FROM operator_standings
             WHERE operator_id = $1 AND mcc_mnc = $2",
        )
        .bind(self.world.operators[operator].uuid())
        .bind(NETWORK)
        .fetch_optional(self.world.pool())
        .await
        .unwrap()
    }
}

/// How many lie at each operator.
fn split(given: &[Given]) -> [usize; 2] {
    [UCELL, BEELINE].map(|operator| given.iter().filter(|given| given.operator == operator).count())
}

/// An honest operator's receipt: nine of ten arrive, after 2 to 12 seconds.
fn honest(number: usize) -> (ReceiptState, TimeDelta) {
    let state = if number % 10 == 9 { ReceiptState::Undeliverable } else { ReceiptState::Delivered };
    (state, TimeDelta::milliseconds(2_000 + i64::try_from(number * 7_919 % 10_000).unwrap()))
}
