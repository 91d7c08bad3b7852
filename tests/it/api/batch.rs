//! Batches: per-item verdicts, one transaction, and the bound of ten thousand.

use serde_json::{Value, json};

use super::rig::{Rig, send};
use crate::world::CLIENT_SUBMIT;

const PATH: &str = "/v1/messages/batch";

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_messages_are_accepted_in_their_order_as_far_as_the_balance_reaches() {
    let rig = Rig::with_balance(9_000 * CLIENT_SUBMIT).await;
    let messages: Vec<Value> = (0..10_000).map(|n| send(&json!({"client_reference": n.to_string()}))).collect();
    let result = rig.post(&rig.client, PATH, &json!({"messages": messages})).await.expect(202).json();
    assert_eq!((result["accepted"].as_u64(), result["rejected"].as_u64()), (Some(9_000), Some(1_000)));
    let results = result["results"].as_array().unwrap();
    assert_eq!(results.len(), 10_000);
    for (at, verdict) in results.iter().enumerate() {
        assert_eq!(verdict["index"], at);
        if at < 9_000 {
            assert_eq!(verdict["message"]["client_reference"], at.to_string());
        } else {
            assert_eq!(verdict["problem"]["code"], "insufficient_credit");
        }
    }
    assert_eq!(rig.messages().await, 9_000);
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_message_spoils_no_other_and_a_bad_form_spoils_all() {
    let rig = Rig::new().await;
    let good = send(&json!({}));
    let body = json!({"messages": [good, send(&json!({"to": "x"})), good, send(&json!({"from": "Stranger"}))]});
    let result = rig.post(&rig.client, PATH, &body).await.expect(202).json();
    let codes: Vec<_> = result["results"].as_array().unwrap().iter().map(|r| r["problem"]["code"].clone()).collect();
    assert_eq!(codes, [Value::Null, json!("invalid_number"), Value::Null, json!("sender_not_allowed")]);
    assert_eq!(rig.messages().await, 2);
    let rows = [
        (json!({"messages": []}), "/messages"),
        (json!({"messages": [good, send(&json!({"txt": 1}))]}), "/messages/1/txt"),
        (json!({"messages": [send(&json!({"text": 5}))]}), "/messages/0/text"),
        (json!({"messages": vec![&good; 10_001]}), "/messages"),
    ];
    for (body, pointer) in rows {
        let answer = rig.post(&rig.client, PATH, &body).await.expect(400).json();
        assert_eq!(answer["errors"][0]["pointer"], pointer);
    }
    assert_eq!(rig.messages().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_batch_has_one_effect() {
    let rig = Rig::new().await;
    let body = json!({"messages": [send(&json!({})), send(&json!({"to": "x"}))]});
    let first = rig.post_once(&rig.client, PATH, "b1", &body).await.expect(202);
    let again = rig.post_once(&rig.client, PATH, "b1", &body).await.expect(202);
    assert_eq!(first.bytes, again.bytes);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    let other = json!({"messages": [send(&json!({}))]});
    let other = rig.post_once(&rig.client, PATH, "b1", &other).await;
    assert_eq!(other.refusal(), (422, "idempotency_key_reused".to_owned()));
    assert_eq!(rig.messages().await, 1);
}
