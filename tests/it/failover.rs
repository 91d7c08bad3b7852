//! An operator loses its sessions: what waits for it goes to another one after a while, and nothing is sent twice.

use std::time::Duration;

use chrono::TimeDelta;
use contract::{OutcomeClass, ReceiptState, queues};
use domain::OperatorId;
use serde_json::json;

use crate::road::Road;
use crate::world::{CLIENT_SUBMIT, World};

const BALANCE: i64 = 1_000_000_000_000;

/// An edge says how many sessions an operator has, now and by the test's clock.
pub(crate) async fn bound(road: &Road, operator: OperatorId, count: i32) {
    sqlx::query(
        "INSERT INTO operator_binds (operator_id, edge_id, bound, binds, at) VALUES ($1, 'edge', $2, $3, $4)
         ON CONFLICT (operator_id, edge_id) DO UPDATE SET bound = excluded.bound, at = excluded.at",
    )
    .bind(operator.uuid())
    .bind(count)
    .bind(json!([]))
    .bind(road.now())
    .execute(road.world.pool())
    .await
    .unwrap();
    sqlx::query("UPDATE catalogue_version SET version = version + 1").execute(road.world.pool()).await.unwrap();
    road.world.catalogue.refresh().await.unwrap();
}

struct Case {
    road: Road,
    cheap: OperatorId,
    dear: OperatorId,
}

impl Case {
    async fn new() -> Self {
        let world = World::with_balance(BALANCE).await;
        let [dear, cheap] = world.operators;
        let road = Road::of(world);
        bound(&road, cheap, 1).await;
        bound(&road, dear, 1).await;
        Self { road, cheap, dear }
    }

    /// So much later, with so many sessions of each.
    async fn later(&self, seconds: u64, cheap: i32, dear: i32) -> u64 {
        self.road.clock.advance(Duration::from_secs(seconds));
        bound(&self.road, self.cheap, cheap).await;
        bound(&self.road, self.dear, dear).await;
        let moved = self.road.sweep.failover().await.unwrap();
        self.road.route().await;
        moved
    }
}

#[tokio::test]
async fn what_waits_for_an_operator_that_is_down_goes_to_another_after_a_while() {
    let case = Case::new().await;
    let Case { road, cheap, dear } = &case;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(road.send(road.world.message("43405", 1, road.now())).await);
    }
    assert_eq!(case.later(0, 0, 1).await, 0, "it has just gone");
    assert_eq!(case.later(59, 0, 1).await, 0);
    assert_eq!(case.later(2, 0, 1).await, 3);
    assert!(road.taken(*cheap).await.is_empty(), "nothing is left for whoever comes back");
    let keys: Vec<_> = ids.iter().map(|id| (*id, 0)).collect();
    assert_eq!(store::outcome::known(&road.world.db, &keys).await.unwrap().len(), 3, "an edge that asks does not send");
    let submits = road.taken(*dear).await;
    assert_eq!(submits.len(), 3);
    for submit in &submits {
        assert_eq!(submit.hop, 1);
        road.accepts(*dear, submit).await;
        road.tells(*dear, submit, 1, ReceiptState::Delivered).await;
    }
    for id in ids {
        assert_eq!(road.stands(id).await, ("delivered".to_owned(), None, CLIENT_SUBMIT));
    }
    assert_eq!((road.owed(*cheap).await, road.owed(*dear).await), (0, 3 * 50_000_000));
    assert_eq!(road.world.wallet(road.world.client).await, (BALANCE - 3 * CLIENT_SUBMIT, 0));
    road.world.assert_books_are_right().await;
}

#[tokio::test]
async fn what_is_taken_from_an_operator_that_is_down_is_given_back_to_its_cap() {
    let case = Case::new().await;
    let Case { road, cheap, .. } = &case;
    sqlx::query("UPDATE operators SET daily_cap = 100 WHERE id = $1")
        .bind(cheap.uuid())
        .execute(road.world.pool())
        .await
        .unwrap();
    road.world.catalogue.refresh().await.unwrap();
    for segments in [1, 2] {
        road.send(road.world.message("43405", segments, road.now())).await;
    }
    let used = async || road.world.count("SELECT sum(segments)::bigint FROM operator_days").await;
    assert_eq!(used().await, 3);
    case.later(0, 0, 1).await;
    assert_eq!(case.later(61, 0, 1).await, 2);
    assert_eq!(used().await, 0);
}

#[tokio::test]
async fn what_nobody_else_may_carry_waits_on_and_a_moment_without_sessions_moves_nothing() {
    let case = Case::new().await;
    let Case { road, cheap, dear } = &case;
    let id = road.send(road.world.message("43405", 1, road.now())).await;
    case.later(0, 0, 1).await;
    case.later(30, 1, 1).await;
    assert_eq!(case.later(40, 0, 1).await, 0, "it was up in between");
    // The other one has no rate any more; then it is down, too.
    sqlx::query("DELETE FROM operator_rates WHERE operator_id = $1")
        .bind(dear.uuid())
        .execute(road.world.pool())
        .await
        .unwrap();
    assert_eq!(case.later(61, 0, 1).await, 0);
    assert_eq!(case.later(61, 0, 0).await, 0);
    assert_eq!(road.stands(id).await.0, "queued");
    let depth = road.world.queue.depth(&queues::submit(*cheap)).await.unwrap();
    assert_eq!(depth.ready + depth.waiting, 1, "it is still there for its operator");
}

#[tokio::test]
async fn what_the_other_operator_takes_no_more_waits_for_the_first_again() {
    let case = Case::new().await;
    let Case { road, cheap, dear } = &case;
    let id = road.send(road.world.message("43405", 1, road.now())).await;
    assert_eq!(case.later(0, 0, 1).await, 0);
    // The other one is there when the message is taken from the first, and gone when it is routed.
    road.clock.advance(Duration::from_secs(61));
    bound(road, *dear, 1).await;
    assert_eq!(road.sweep.failover().await.unwrap(), 1);
    let rates = "UPDATE operator_rates SET effective_to = effective_from + interval '1 second' WHERE operator_id = $1";
    sqlx::query(rates).bind(dear.uuid()).execute(road.world.pool()).await.unwrap();
    road.world.catalogue.refresh().await.unwrap();
    road.route().await;
    assert_eq!(road.stands(id).await.0, "queued", "it has not failed");
    bound(road, *cheap, 1).await;
    let submit = road.one(*cheap).await;
    assert_eq!((submit.message_id, submit.hop), (id, 1));
    road.accepts(*cheap, &submit).await;
    road.tells(*cheap, &submit, 1, ReceiptState::Delivered).await;
    assert_eq!(road.stands(id).await, ("delivered".to_owned(), None, CLIENT_SUBMIT));
    road.world.assert_books_are_right().await;
}

#[tokio::test]
async fn what_stays_of_an_envelope_that_comes_twice_is_not_lost() {
    let case = Case::new().await;
    let Case { road, cheap, dear } = &case;
    let (moves, stays) = (
        road.send(road.world.message("43405", 1, road.now())).await,
        road.send(road.world.message("43404", 1, road.now())).await,
    );
    let both: Vec<contract::Routed> = road.taken(*cheap).await;
    assert_eq!(both.len(), 2);
    let envelope = contract::seal(&both, road.now()).unwrap().remove(0).body;
    // Nobody else may carry one of them.
    sqlx::query(
        "INSERT INTO operator_rates (id, operator_id, mcc, mnc, price_micros, currency, effective_from)
         SELECT gen_random_uuid(), $1, '434', '04', 1000000000, 'UZS', '2020-01-01'",
    )
    .bind(dear.uuid())
    .execute(road.world.pool())
    .await
    .unwrap();
    // A worker used the envelope and died before it said so: it comes once more.
    for _ in 0..2 {
        road.world.queue.send(&queues::submit(*cheap), &[queue::Out::now(envelope.clone())]).await.remove(0).unwrap();
    }
    case.later(0, 0, 1).await;
    assert_eq!(case.later(61, 0, 1).await, 1);
    assert_eq!(road.taken(*dear).await.iter().map(|one| one.message_id).collect::<Vec<_>>(), [moves]);
    let depth = road.world.queue.depth(&queues::submit(*cheap)).await.unwrap();
    assert_eq!(depth.ready + depth.waiting, 1, "what stays waits for its operator");
    assert_eq!(road.stands(stays).await.0, "queued");
}

#[tokio::test]
async fn what_the_operator_has_got_stays_there() {
    let case = Case::new().await;
    let Case { road, cheap, dear } = &case;
    let id = road.send(road.world.message("43405", 1, road.now())).await;
    let submit = road.one(*cheap).await;
    // It went out, nobody knows how it ended, and its envelope comes once more.
    road.publish(&queues::submit(*cheap), std::slice::from_ref(&submit)).await;
    road.answer(*cheap, &submit, OutcomeClass::Unknown, &[0]).await;
    case.later(0, 0, 1).await;
    assert_eq!(case.later(61, 0, 1).await, 0);
    assert!(road.taken(*dear).await.is_empty());
    assert_eq!(road.stands(id).await.0, "queued");
    road.clock.advance(TimeDelta::days(1).to_std().unwrap());
}
