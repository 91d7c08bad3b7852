//! Single sends: what is answered, what is stored, and what a repeated request does.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::rig::{Rig, send};
use crate::world::{CLIENT_SUBMIT, RESELLER};

#[tokio::test(flavor = "multi_thread")]
async fn a_send_is_priced_held_stored_and_published() {
    let rig = Rig::new().await;
    let body = send(&json!({"text": "x".repeat(161), "client_reference": "order-17", "max_price": "160.00",
        "metadata": {"a": 1}, "to": "00998931234567"}));
    let answer = rig.post(&rig.client, "/v1/messages", &body).await.expect(201);
    let message = answer.json();
    assert!(message["id"].as_str().unwrap().starts_with("msg_"));
    for (field, expected) in [
        ("state", json!("accepted")),
        ("to", json!("+998931234567")),
        ("segments", json!(2)),
        ("encoding", json!("gsm7")),
        ("mcc_mnc", json!("43405")),
        ("cost", json!({"unit_price": "80.00", "total": "160.00", "currency": "UZS"})),
        ("client_reference", json!("order-17")),
    ] {
        assert_eq!(message[field], expected, "{field}");
    }
    assert_eq!(rig.world.wallet(rig.world.client).await.1, 2 * CLIENT_SUBMIT);
    assert_eq!(rig.world.wallet(rig.world.reseller).await.1, 2 * RESELLER);
    assert_eq!(rig.world.queue.depth("route").await.unwrap().ready, 1);
    rig.world.assert_books_are_right().await;
    let balance = rig.get(&rig.client, "/v1/balance").await.expect(200).json();
    assert_eq!(
        balance,
        json!({"balance": "1000000.00", "held": "160.00", "available": "999840.00",
        "credit_limit": "0.00", "currency": "UZS", "kind": "prepaid", "burn_per_hour": "0.00", "empty_at": null})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_gets_the_same_answer_and_has_one_effect() {
    let rig = Rig::new().await;
    let body = send(&json!({}));
    let first = rig.post_once(&rig.client, "/v1/messages", "k1", &body).await.expect(201);
    assert!(!first.headers.contains_key("idempotency-replayed"));
    let again = rig.post_once(&rig.client, "/v1/messages", "k1", &body).await.expect(201);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(first.bytes, again.bytes);
    let other = rig.post_once(&rig.client, "/v1/messages", "k1", &send(&json!({"text": "other"}))).await;
    assert_eq!(other.refusal(), (422, "idempotency_key_reused".to_owned()));
    // The reseller's keys are its own.
    assert_eq!(rig.post_once(&rig.reseller, "/v1/messages", "k1", &body).await.refusal().0, 403);
    // What would be refused today was accepted then: the answer stands.
    let path = format!("/v1/accounts/{}", rig.world.client);
    rig.call("PATCH", &path, Some(&rig.house), Some(&json!({"status": "suspended"}))).await.expect(200);
    let late = rig.post_once(&rig.client, "/v1/messages", "k1", &body).await.expect(201);
    assert_eq!(first.bytes, late.bytes);
    assert_eq!(rig.messages().await, 1);
    assert_eq!(rig.world.wallet(rig.world.client).await.1, CLIENT_SUBMIT);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_at_the_same_time_is_one_message() {
    let rig = Rig::new().await;
    let body = send(&json!({}));
    let calls = (0..50).map(|_| rig.post_once(&rig.client, "/v1/messages", "same", &body));
    let answers = join_all(calls).await;
    let ids: std::collections::HashSet<Value> = answers.iter().map(|answer| answer.json()["id"].clone()).collect();
    assert!(answers.iter().all(|answer| answer.status == 201), "{answers:?}");
    assert_eq!((ids.len(), rig.messages().await), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_sends_are_gathered_and_the_balance_is_exact() {
    // Enough for 700 of a thousand.
    let rig = Rig::with_balance(700 * CLIENT_SUBMIT).await;
    let body = send(&json!({}));
    let answers = join_all((0..1_000).map(|_| rig.post(&rig.client, "/v1/messages", &body))).await;
    let count = |status: u16| answers.iter().filter(|answer| answer.status.as_u16() == status).count();
    assert_eq!((count(201), count(402)), (700, 300));
    assert_eq!(rig.messages().await, 700);
    assert_eq!(rig.world.wallet(rig.world.client).await, (700 * CLIENT_SUBMIT, 700 * CLIENT_SUBMIT));
    rig.world.assert_books_are_right().await;
    let transactions = rig.world.count("SELECT count(DISTINCT xmin::text::bigint) FROM messages").await;
    assert!(transactions < 350, "{transactions} transactions for 700 messages: they were not gathered");
}
