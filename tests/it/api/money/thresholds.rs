//! Thresholds of balances, burn rate and time to empty.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use contract::ReceiptState::Delivered;
use contract::{CustomerEvent, Envelope, queues};
use queue::{Settle, Take};
use serde_json::{Value, json};
use sweep::Sweep;

use super::ON_SUBMIT;
use crate::api::rig::Rig;
use crate::world::CLIENT_SUBMIT;

fn sweep(rig: &Rig) -> Sweep {
    let clock: Arc<dyn host::Clock> = Arc::new(host::clock::System);
    Sweep::new(rig.world.db.clone(), rig.world.queue.clone(), clock, store::sweep::Retention::default())
}

/// What a webhook is told now, as its body says it.
async fn told(rig: &Rig) -> Vec<Value> {
    let take = Take { max: 10, wait: std::time::Duration::ZERO, lease: std::time::Duration::from_secs(30) };
    let mut bodies = Vec::new();
    for delivery in rig.world.queue.receive(queues::CALLBACK, take).await.unwrap() {
        let envelope: Envelope<CustomerEvent> = serde_json::from_slice(&delivery.body).unwrap();
        bodies.extend(envelope.items.iter().map(CustomerEvent::body));
        rig.world.queue.settle(queues::CALLBACK, vec![(delivery.lease, Settle::Ack)]).await;
    }
    bodies
}

impl Rig {
    async fn an_hour_goes_by(&self) {
        let passed = "UPDATE balance_thresholds SET told_at = told_at - interval '1 hour'";
        sqlx::query(passed).execute(self.world.pool()).await.unwrap();
    }

    async fn move_credit(&self, direction: &str, amount: &str) {
        let body = json!({"direction": direction, "amount": amount, "reason": "x"});
        let path = format!("/v1/accounts/{}/transfers", self.world.client);
        self.post(&self.reseller, &path, &body).await.expect(201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_threshold_tells_once_when_it_is_crossed_and_again_after_a_top_up() {
    let rig = Rig::with_balance(1_000_000_000).await;
    let sweep = sweep(&rig);
    for amount in ["500", "100"] {
        let new = json!({"amount": amount, "url": "https://example.com/money"});
        rig.post(&rig.client, "/v1/balance-thresholds", &new).await.expect(201);
    }
    // What moves, and the thresholds that are told of then.
    let rows: [(&str, &str, &[&str]); 7] = [
        ("up", "500", &[]),
        ("up", "0.000001", &["500.00"]),
        ("up", "100", &[]),
        ("up", "350", &["100.00"]),
        ("down", "60", &[]),
        ("up", "50", &["100.00"]),
        ("down", "900", &[]),
    ];
    for (direction, amount, expected) in rows {
        rig.move_credit(direction, amount).await;
        rig.an_hour_goes_by().await;
        let looks = tokio::join!(sweep.balances(), sweep.balances());
        assert_eq!(looks.0.unwrap() + looks.1.unwrap(), u64::try_from(expected.len()).unwrap(), "{direction} {amount}");
        let told = told(&rig).await;
        let amounts: Vec<&str> =
            told.iter().map(|body| body["data"]["threshold"]["amount"].as_str().unwrap()).collect();
        assert_eq!(amounts, expected, "{direction} {amount}");
        for body in &told {
            assert_eq!((&body["type"], &body["data"]["account_id"]), (&json!("balance.low"), &json!(rig.world.client)));
        }
    }
    rig.move_credit("up", "900").await;
    rig.an_hour_goes_by().await;
    assert_eq!(sweep.balances().await.unwrap(), 2, "both are armed again");
}

#[tokio::test(flavor = "multi_thread")]
async fn thresholds_have_bounds_and_go() {
    let rig = Rig::with_balance(1_000_000).await;
    let new = |amount: &str| json!({"amount": amount});
    let first = rig.post(&rig.client, "/v1/balance-thresholds", &new("5")).await.expect(201).json();
    assert_eq!(rig.post(&rig.client, "/v1/balance-thresholds", &new("5.0")).await.refusal().0, 409, "it is there");
    for amount in 6..25 {
        rig.post(&rig.client, "/v1/balance-thresholds", &new(&amount.to_string())).await.expect(201);
    }
    assert_eq!(rig.post(&rig.client, "/v1/balance-thresholds", &new("99")).await.refusal().0, 409, "twenty are enough");
    let bad = json!({"amount": "x", "url": "ftp://example.com"});
    assert_eq!(rig.post(&rig.client, "/v1/balance-thresholds", &bad).await.refusal().0, 400);
    assert_eq!(sweep(&rig).balances().await.unwrap(), 20, "what is below already is told");
    let path = format!("/v1/balance-thresholds/{}", first["id"].as_str().unwrap());
    rig.call("DELETE", &path, Some(&rig.client), None).await.expect(204);
    rig.call("DELETE", &path, Some(&rig.client), None).await.expect(404);
    let listed = rig.get(&rig.reseller, "/v1/balance-thresholds").await.expect(200).json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 19);
    assert!(listed["data"].as_array().unwrap().iter().all(|row| row["is_low"] == json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn burn_and_time_to_empty_come_from_the_journal() {
    let rig = Rig::with_balance(100 * CLIENT_SUBMIT).await;
    let calm = rig.get(&rig.client, "/v1/balance").await.expect(200).json();
    assert_eq!((&calm["burn_per_hour"], &calm["empty_at"]), (&json!("0.00"), &Value::Null));
    for _ in 0..2 {
        rig.ended(ON_SUBMIT, 2, Delivered).await;
    }
    // What was taken long ago does not burn any more.
    rig.ended(ON_SUBMIT, 1, Delivered).await;
    let old = "UPDATE balance_ledger SET at = at - interval '61 minutes' WHERE operation = 'capture' AND posted_micros = -80000000";
    sqlx::query(old).execute(rig.world.pool()).await.unwrap();
    let before = Utc::now();
    let busy = rig.get(&rig.client, "/v1/balance").await.expect(200).json();
    assert_eq!((&busy["burn_per_hour"], &busy["available"]), (&json!("320.00"), &json!("7600.00")));
    let empty_at: DateTime<Utc> = busy["empty_at"].as_str().unwrap().parse().unwrap();
    // 95 messages at four in an hour.
    let expected = TimeDelta::seconds(95 * 3_600 / 4);
    assert!((empty_at - before - expected).abs() < TimeDelta::seconds(10), "{empty_at}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_balance_that_moves_around_a_threshold_is_told_of_once() {
    let rig = Rig::with_balance(1_000_000_000).await;
    let sweep = sweep(&rig);
    rig.post(&rig.client, "/v1/balance-thresholds", &json!({"amount": "1000"})).await.expect(201);
    // How full the wallet is without anybody moving money, as messages hold and set free; whether an hour went by; and
    // how many are told.
    let rows = [
        (999_999_999, false, 1),
        (1_000_000_000, true, 0),
        (999_999_999, true, 0),
        (1_099_999_999, true, 0),
        (999_999_999, true, 0),
        // A tenth above it is clearly above it.
        (1_100_000_000, true, 0),
        (999_999_999, false, 1),
        // Clearly above it, and below it again: not within the hour.
        (1_100_000_000, false, 0),
        (999_999_999, false, 0),
        (999_999_998, true, 1),
    ];
    for (at, (micros, has_passed, told)) in rows.into_iter().enumerate() {
        if has_passed {
            rig.an_hour_goes_by().await;
        }
        sqlx::query("UPDATE account_balances SET posted_micros = $2 WHERE account_id = $1")
            .bind(rig.world.client.uuid())
            .bind(micros)
            .execute(rig.world.pool())
            .await
            .unwrap();
        assert_eq!(sweep.balances().await.unwrap(), told, "{at}");
    }
    // Money that comes in arms it, also where that is little.
    rig.move_credit("down", "1").await;
    assert_eq!(sweep.balances().await.unwrap(), 0);
    rig.move_credit("up", "1").await;
    assert_eq!(sweep.balances().await.unwrap(), 0, "told within the hour");
    rig.an_hour_goes_by().await;
    assert_eq!(sweep.balances().await.unwrap(), 1);
}
