//! What can be published and set has an upper bound, so that sums of it can be counted; and what a wallet cannot hold is
//! refused, not failed.

use contract::ReceiptState::Delivered;
use domain::Micros;
use serde_json::{Value, json};
use store::ledger::TopUp;

use super::ON_SUBMIT;
use crate::api::rig::Rig;

/// The highest price, and the least above it.
const PRICE: (&str, &str) = ("1000000", "1000000.000001");
/// The highest amount, and the least above it.
const AMOUNT: (&str, &str) = ("1000000000", "1000000000.000001");

/// Method, path, a body with `$` for the amount, the field that is refused, and the highest amount and the least above it.
type Door = (&'static str, String, Value, &'static str, (&'static str, &'static str));

#[tokio::test(flavor = "multi_thread")]
async fn every_price_limit_and_cap_names_its_bound() {
    let rig = Rig::new().await;
    let (client, operator) = (rig.world.client, rig.world.operators[0]);
    let ann = rig.person(rig.world.house, "ann@h.example").await;
    let key = rig.post(&rig.client, "/v1/api-keys", &json!({"name": "server"})).await.expect(201).text("id");
    let plan = rig.post(&rig.house, "/v1/tariff-plans", &json!({"name": "x"})).await.expect(201).text("id");
    let of = |path: &str| format!("/v1/accounts/{client}{path}");
    let margin = |field: &str| json!({"rules": [{field: "$"}]});
    let rows: [Door; 14] = [
        ("POST", "/v1/tariffs".into(), json!({"plan_id": plan, "price": "$"}), "/price", PRICE),
        (
            "POST",
            "/v1/operator-rates".into(),
            json!({"operator_id": operator, "mcc": "450", "currency": "UZS", "price": "$"}),
            "/price",
            PRICE,
        ),
        ("PUT", of("/lookups"), json!({"policy": "always", "price": "$"}), "/price", PRICE),
        ("POST", format!("/v1/price-lists/{plan}/proposal"), margin("add"), "/rules/0/add", PRICE),
        ("POST", format!("/v1/price-lists/{plan}/proposal"), margin("min"), "/rules/0/min", PRICE),
        ("POST", format!("/v1/price-lists/{plan}/proposal"), margin("step"), "/rules/0/step", PRICE),
        (
            "POST",
            "/v1/accounts".into(),
            json!({"name": "x", "role": "client", "credit_limit": "$"}),
            "/credit_limit",
            AMOUNT,
        ),
        ("PATCH", of(""), json!({"credit_limit": "$"}), "/credit_limit", AMOUNT),
        ("PUT", of("/credit-limit"), json!({"amount": "$"}), "/amount", AMOUNT),
        ("PUT", of("/spend-cap"), json!({"daily": "$"}), "/daily", AMOUNT),
        ("PUT", format!("/v1/api-keys/{key}/spend-cap"), json!({"daily": "$"}), "/daily", AMOUNT),
        ("PUT", "/v1/adjustment-limits/UZS".into(), json!({"amount": "$"}), "/amount", AMOUNT),
        ("POST", "/v1/balance-thresholds".into(), json!({"amount": "$"}), "/amount", AMOUNT),
        (
            "PUT",
            format!("/v1/operators/{operator}/account"),
            json!({"currency": "UZS", "alarm_below": "$"}),
            "/alarm_below",
            AMOUNT,
        ),
    ];
    for (method, path, body, pointer, (highest, above)) in rows {
        let with = |amount: &str| -> Value { body.to_string().replace('$', amount).parse().unwrap() };
        let refused = rig.call(method, &path, Some(&ann), Some(&with(above))).await.expect(400).json();
        let bound = format!("{highest}.00");
        let error = &refused["errors"][0];
        assert_eq!((&refused["code"], &error["pointer"]), (&json!("invalid_request"), &json!(pointer)), "{path}");
        assert!(error["detail"].as_str().unwrap().contains(&bound), "{path}: {refused}");
        let good = rig.call(method, &path, Some(&ann), Some(&with(highest))).await;
        assert!(good.status.is_success(), "{path}: {}", good.json());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_wallet_cannot_hold_is_refused() {
    let rig = Rig::new().await;
    let client = rig.world.client;
    let id = rig.ended(ON_SUBMIT, 1, Delivered).await;
    // As full as a wallet gets.
    let mut tx = rig.world.db.begin().await.unwrap();
    let amount = Micros::new(Micros::WALLET_MAX.get() - rig.world.wallet(client).await.0);
    let top_up = TopUp { account: client, amount, reason: "much".to_owned(), actor: "test".to_owned() };
    store::ledger::top_up(&mut tx, &top_up).await.unwrap();
    tx.commit().await.unwrap();
    let one = json!({"amount": "1", "reason": "x", "direction": "down"});
    let credit = json!({"amount": "1", "reason": "x"});
    let because = json!({"reason": "x"});
    let rows = [
        (&rig.house, format!("/v1/accounts/{client}/credit"), &credit),
        (&rig.reseller, format!("/v1/accounts/{client}/transfers"), &one),
        (&rig.house, format!("/v1/messages/{id}/refunds"), &because),
    ];
    for (token, path, body) in rows {
        assert_eq!(rig.post(token, &path, body).await.refusal(), (409, "conflict".to_owned()), "{path}");
    }
    // It still sends, and gives.
    rig.ended(ON_SUBMIT, 1, Delivered).await;
    rig.post(&rig.house, &format!("/v1/messages/{id}/refunds"), &because).await.expect(201);
    rig.world.assert_books_are_right().await;
}
