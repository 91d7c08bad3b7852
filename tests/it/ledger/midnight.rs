//! Prices and rates that change at midnight UTC while traffic goes on: a customer pays the price of the moment at which a
//! message was accepted, and the house the rate of the moment at which it was routed.

use std::sync::Arc;
use std::time::Duration;

use bill::Bill;
use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};
use contract::{Envelope, Outcome, OutcomeClass, Routed, SegmentOutcome, queues};
use domain::tariff::{ChargeOn, OnUnconfirmed};
use domain::{MessageId, Micros, OperatorId, PlanId, RateId, TariffId};
use host::clock::Fake;
use queue::{Settle, Take};
use route::Route;
use store::accept::{Acceptance, NewMessage, Single, accept_gathered};
use store::rates::NewRate;
use store::tariffs::NewTariff;
use uuid::{NoContext, Timestamp, Uuid};

use super::{publish, pump};
use crate::world::{CLIENT_SUBMIT, RESELLER, World};

const NETWORK: &str = "43405";
const BALANCE: i64 = 1_000_000_000_000;
/// What client and reseller pay for a segment from midnight on.
const CLIENT_NEW: i64 = 85_000_000;
const RESELLER_NEW: i64 = 65_000_000;
/// What the operators take until midnight, and what the cheaper one takes from then on.
const UCELL: i64 = 50_000_000;
const BEELINE: i64 = 45_000_000;
const BEELINE_NEW: i64 = 58_000_000;

/// Tomorrow's: what changes then can be published now.
fn midnight() -> DateTime<Utc> {
    let tomorrow = Utc::now().date_naive() + Days::new(1);
    tomorrow.and_time(NaiveTime::MIN).and_utc()
}

/// Publishes what shall hold from `from` on.
async fn change(world: &World, from: DateTime<Utc>) {
    let network = NETWORK.parse().ok();
    let plan = |account: domain::AccountId| async move {
        let plan: Uuid = sqlx::query_scalar("SELECT plan_id FROM accounts WHERE id = $1")
            .bind(account.uuid())
            .fetch_one(world.pool())
            .await
            .unwrap();
        PlanId::from_uuid(plan)
    };
    let plans = [(plan(world.client).await, CLIENT_NEW), (plan(world.reseller).await, RESELLER_NEW)];
    let mut tx = world.db.begin().await.unwrap();
    for (plan, price) in plans {
        let (id, price) = (TariffId::generate(), Micros::new(price));
        let (charge_on, on_unconfirmed) = (ChargeOn::Submit, OnUnconfirmed::Release);
        let new = NewTariff { id, plan, network, traffic_class: None, price, charge_on, on_unconfirmed, from };
        assert!(store::tariffs::publish(&mut tx, world.house, &new).await.unwrap());
    }
    let (id, price, currency) = (RateId::generate(), Micros::new(BEELINE_NEW), "UZS".parse().unwrap());
    let (operator, network) = (world.operators[1], "434".parse().unwrap());
    let new =
        NewRate { id, operator, network, traffic_class: None, price, currency, charge_on: ChargeOn::Submit, from };
    assert!(store::rates::publish(&mut tx, &new).await.unwrap());
    tx.commit().await.unwrap();
    world.catalogue.refresh().await.unwrap();
}

/// Accepts so many messages at a moment.
async fn accept(world: &World, at: DateTime<Utc>, messages: u32) {
    let moment = Timestamp::from_unix(NoContext, at.timestamp().unsigned_abs(), at.timestamp_subsec_nanos());
    let message = |_| {
        let id = MessageId::from_uuid(Uuid::new_v7(moment));
        Single { message: NewMessage { id, ..world.message(NETWORK, 1, at) }, idempotency: None }
    };
    let singles: Vec<Single> = (0..messages).map(message).collect();
    let stored = accept_gathered(&world.db, &singles).await.unwrap();
    assert!(stored.iter().all(|one| *one == Acceptance::Stored), "{stored:?}");
}

/// Takes everything that waits for an operator as accepted by it; answers how many.
async fn accepted_by(world: &World, operator_id: OperatorId, at: DateTime<Utc>) -> usize {
    let name = queues::submit(operator_id);
    let take = Take { max: 10, wait: Duration::ZERO, lease: Duration::from_secs(30) };
    let mut outcomes = Vec::new();
    for delivery in world.queue.receive(&name, take).await.unwrap() {
        let envelope: Envelope<Routed> = serde_json::from_slice(&delivery.body).unwrap();
        outcomes.extend(envelope.items.iter().map(|message| Outcome {
            message_id: message.message_id,
            account_id: message.account_id,
            operator_id,
            hop: message.hop,
            class: OutcomeClass::Accepted,
            at,
            segments: vec![SegmentOutcome {
                segment: 1,
                status: Some(0),
                smpp_message_id: Some(message.message_id.to_string()),
                part_of: None,
            }],
        }));
        world.queue.settle(&name, vec![(delivery.lease, Settle::Ack)]).await;
    }
    publish(world, queues::BILL, &outcomes).await;
    outcomes.len()
}

#[tokio::test]
async fn a_message_keeps_the_price_of_its_moment_across_midnight() {
    let world = World::with_balance(BALANCE).await;
    let midnight = midnight();
    change(&world, midnight).await;
    let clock = Fake::at(midnight);
    let route = Route::new(world.db.clone(), world.catalogue.clone(), Arc::new(clock.clone()));
    let bill = Bill::new(world.db.clone(), Arc::new(clock.clone()));
    let before = midnight - TimeDelta::milliseconds(1);
    // Accepted at, routed at, how many; who carries them.
    let [ucell, beeline] = world.operators;
    for (accepted_at, routed_at, messages, operator) in
        [(before, before, 3, beeline), (before, midnight, 5, ucell), (midnight, midnight, 7, ucell)]
    {
        accept(&world, accepted_at, messages).await;
        clock.set(routed_at);
        pump(&world, &route, queues::ROUTE).await;
        let carried = accepted_by(&world, operator, routed_at).await;
        assert_eq!(carried, usize::try_from(messages).unwrap(), "accepted at {accepted_at}, routed at {routed_at}");
        pump(&world, &bill, queues::BILL).await;
        world.assert_books_are_right().await;
    }
    let paid = [(world.client, 8 * CLIENT_SUBMIT + 7 * CLIENT_NEW), (world.reseller, 8 * RESELLER + 7 * RESELLER_NEW)];
    for (account, paid) in paid {
        assert_eq!(world.wallet(account).await, (BALANCE - paid, 0));
    }
    let owed = "SELECT sum(posted_micros)::bigint FROM balance_ledger WHERE ledger = 'supplier'";
    assert_eq!(world.count(owed).await, 3 * BEELINE + 12 * UCELL);
    let prices = "SELECT count(DISTINCT unit_price_micros) FROM messages";
    assert_eq!(world.count(prices).await, 2, "the price of each message is that of its moment");
}
