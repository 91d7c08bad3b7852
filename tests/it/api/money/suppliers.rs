//! Accounts with suppliers: payments less costs, and an alarm when little is left.

use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use contract::ReceiptState::Delivered;
use serde_json::{Value, json};
use sweep::Sweep;

use super::ON_SUBMIT;
use crate::api::rig::Rig;

/// A clock that stands at one moment.
#[derive(Debug)]
struct At(chrono::DateTime<Utc>);

impl host::Clock for At {
    fn now(&self) -> chrono::DateTime<Utc> {
        self.0
    }
}

/// One look of the sweep, so much later.
async fn look(rig: &Rig, later: TimeDelta) -> u64 {
    let clock: Arc<dyn host::Clock> = Arc::new(At(Utc::now() + later));
    let sweep = Sweep::new(rig.world.db.clone(), rig.world.queue.clone(), clock, store::sweep::Retention::default());
    sweep.balances().await.unwrap()
}

impl Rig {
    async fn standing(&self) -> Value {
        // Beeline is the cheaper one: it carries everything.
        let path = format!("/v1/operators/{}/account", self.world.operators[1]);
        self.get(&self.house, &path).await.expect(200).json()["balances"].clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_balance_is_payments_less_costs_before_and_behind_the_fold() {
    let rig = Rig::new().await;
    let operator = rig.world.operators[1];
    assert_eq!(rig.standing().await, json!([]));
    let pay = async |amount: &str, currency: &str, key: &str| {
        let body = json!({"amount": amount, "currency": currency, "reason": "prepayment"});
        rig.post_once(&rig.house, &format!("/v1/operators/{operator}/payments"), key, &body).await
    };
    pay("1000", "UZS", "a").await.expect(201);
    pay("1000", "UZS", "a").await.expect(201);
    pay("5", "EUR", "b").await.expect(201);
    for _ in 0..3 {
        rig.ended(ON_SUBMIT, 2, Delivered).await;
        look(&rig, TimeDelta::zero()).await;
    }
    let expected = json!([
        {"currency": "EUR", "paid": "5.00", "cost": "0.00", "balance": "5.00", "alarm_below": null, "is_low": false},
        {"currency": "UZS", "paid": "1000.00", "cost": "270.00", "balance": "730.00", "alarm_below": null, "is_low": false},
    ]);
    assert_eq!(rig.standing().await, expected);
    rig.world.assert_books_are_right().await;
    // Everything is folded, then something is added behind it.
    look(&rig, TimeDelta::minutes(30)).await;
    assert_eq!(rig.standing().await, expected);
    rig.world.assert_books_are_right().await;
    let entries =
        rig.get(&rig.house, &format!("/v1/operators/{operator}/entries?currency=UZS")).await.expect(200).json();
    let amounts: Vec<&str> =
        entries["data"].as_array().unwrap().iter().map(|row| row["amount"].as_str().unwrap()).collect();
    assert_eq!(amounts, ["-90.00", "-90.00", "-90.00", "1000.00"]);
    for (body, pointer) in [
        (json!({"amount": "0", "currency": "UZS", "reason": "x"}), "/amount"),
        (json!({"amount": "1", "currency": "uzs", "reason": "x"}), "/currency"),
        (json!({"amount": "1", "currency": "UZS", "reason": ""}), "/reason"),
    ] {
        let refused = rig.post(&rig.house, &format!("/v1/operators/{operator}/payments"), &body).await.expect(400);
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer);
    }
    let nobody = format!("/v1/operators/{}/payments", domain::OperatorId::generate());
    let body = json!({"amount": "1", "currency": "UZS", "reason": "x"});
    assert_eq!(rig.post(&rig.house, &nobody, &body).await.refusal().0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supplier_that_runs_low_raises_its_alarm_once() {
    let rig = Rig::new().await;
    let operator = rig.world.operators[1];
    let body = json!({"amount": "200", "currency": "UZS", "reason": "prepayment"});
    rig.post(&rig.house, &format!("/v1/operators/{operator}/payments"), &body).await.expect(201);
    let alarm = json!({"currency": "UZS", "alarm_below": "150"});
    let path = format!("/v1/operators/{operator}/account");
    rig.call("PUT", &path, Some(&rig.house), Some(&alarm)).await.expect(200);
    assert_eq!(look(&rig, TimeDelta::zero()).await, 0);
    rig.ended(ON_SUBMIT, 2, Delivered).await;
    assert_eq!((look(&rig, TimeDelta::zero()).await, look(&rig, TimeDelta::zero()).await), (1, 0));
    assert_eq!(rig.standing().await[0]["is_low"], true);
    let audit = rig.get(&rig.house, "/v1/audit-logs").await.expect(200).json();
    let row = &audit["data"][0];
    assert_eq!((&row["action"], &row["subject"]), (&json!("supplier.balance_low"), &json!(operator)));
    assert_eq!(row["detail"]["balance"], "110.00");
    rig.post(&rig.house, &format!("/v1/operators/{operator}/payments"), &body).await.expect(201);
    assert_eq!(look(&rig, TimeDelta::zero()).await, 0);
    rig.ended(ON_SUBMIT, 4, Delivered).await;
    assert_eq!(look(&rig, TimeDelta::zero()).await, 1, "armed again by the payment");
}
