//! What is refused, and how: the exact status, code and pointer; nothing stored, nothing held.

use axum::body::Body;
use http::{Request, header};
use serde_json::{Value, json};

use super::rig::{Rig, send};

fn pointers(answer: &Value) -> Vec<&str> {
    let errors = answer["errors"].as_array();
    errors.into_iter().flatten().map(|error| error["pointer"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_send_is_refused_with_its_code_and_every_pointer() {
    let rig = Rig::new().await;
    let rows: [(Value, u16, &str, &[&str]); 17] = [
        (send(&json!({"to": null})), 400, "invalid_request", &["/to"]),
        (send(&json!({"to": 998_931_234_567_i64})), 400, "invalid_request", &["/to"]),
        (send(&json!({"max_price": 1.5})), 400, "invalid_request", &["/max_price"]),
        (send(&json!({"txt": "x", "text": null})), 400, "invalid_request", &["/text", "/txt"]),
        (send(&json!({"a/b~": 1})), 400, "unknown_field", &["/a~1b~0"]),
        (json!([]), 400, "invalid_request", &[""]),
        (send(&json!({"to": "12345"})), 422, "invalid_number", &["/to"]),
        (send(&json!({"from": "Кафе"})), 422, "invalid_sender", &["/from"]),
        (send(&json!({"text": ""})), 422, "empty_text", &["/text"]),
        (send(&json!({"text": "x".repeat(40_000)})), 422, "text_too_long", &["/text"]),
        (send(&json!({"to": "+12025550123"})), 422, "unpriced_destination", &["/to"]),
        (send(&json!({"max_price": "79.99"})), 422, "above_max_price", &["/max_price"]),
        (send(&json!({"from": "Stranger"})), 403, "sender_not_allowed", &["/from"]),
        (send(&json!({"validity_seconds": 5})), 400, "invalid_request", &["/validity_seconds"]),
        (send(&json!({"status_url": "http://10.0.0.1/"})), 400, "invalid_request", &["/status_url"]),
        (send(&json!({"metadata": {"a": [1]}})), 400, "invalid_request", &["/metadata"]),
        (send(&json!({"to": "x", "text": "", "from": "?"})), 400, "invalid_request", &["/to", "/from", "/text"]),
    ];
    for (body, status, code, expected) in rows {
        let answer = rig.post(&rig.client, "/v1/messages", &body).await;
        let problem = answer.json();
        assert_eq!(answer.refusal(), (status, code.to_owned()), "{body} -> {problem}");
        assert_eq!(pointers(&problem), expected, "{body} -> {problem}");
        assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(problem["request_id"].as_str(), answer.headers["request-id"].to_str().ok());
        assert_eq!(problem["status"], status);
    }
    assert_eq!(rig.messages().await, 0);
    let holds = "SELECT count(*) FROM account_balances WHERE held_micros <> 0";
    assert_eq!(rig.world.count(holds).await, 0);
    assert_eq!(rig.world.count("SELECT count(*) FROM idempotency_keys").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_refused_too() {
    let rig = Rig::new().await;
    let request = |kind: &str, body: Vec<u8>| {
        Request::post("/v1/messages")
            .header(header::AUTHORIZATION, format!("Bearer {}", rig.client))
            .header(header::CONTENT_TYPE, kind)
            .body(Body::from(body))
            .unwrap()
    };
    let rows = [
        (request("application/json", b"{\"to\"".to_vec()), 400, "invalid_request"),
        (request("application/json", vec![0xff, 0xfe]), 400, "invalid_request"),
        (request("application/json", Vec::new()), 400, "invalid_request"),
        (request("text/plain", b"{}".to_vec()), 415, "unsupported_media_type"),
        (request("application/json", vec![b' '; 300 * 1024]), 413, "payload_too_large"),
        (Request::delete("/v1/messages").body(Body::empty()).unwrap(), 405, "method_not_allowed"),
        (Request::get("/v1/nothing").body(Body::empty()).unwrap(), 404, "not_found"),
    ];
    for (request, status, code) in rows {
        let shown = format!("{} {}", request.method(), request.uri());
        let answer = rig.raw(request).await;
        assert_eq!(answer.refusal(), (status, code.to_owned()), "{shown}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_credit_nothing_is_stored_or_held() {
    let rig = Rig::with_balance(79_000_000).await;
    let answer = rig.post(&rig.client, "/v1/messages", &send(&json!({}))).await;
    assert_eq!(answer.refusal(), (402, "insufficient_credit".to_owned()));
    assert_eq!(rig.messages().await, 0);
    assert_eq!(rig.world.wallet(rig.world.client).await, (79_000_000, 0));
    assert_eq!(rig.world.wallet(rig.world.reseller).await, (79_000_000, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_account_can_look_but_not_act() {
    let rig = Rig::new().await;
    let path = format!("/v1/accounts/{}", rig.world.reseller);
    rig.call("PATCH", &path, Some(&rig.house), Some(&json!({"status": "suspended"}))).await.expect(200);
    let answer = rig.post(&rig.client, "/v1/messages", &send(&json!({}))).await;
    assert_eq!(answer.refusal(), (403, "account_suspended".to_owned()));
    let answer = rig.post(&rig.client, "/v1/api-keys", &json!({"name": "x"})).await;
    assert_eq!(answer.refusal(), (403, "account_suspended".to_owned()));
    rig.get(&rig.client, "/v1/balance").await.expect(200);
    rig.call("PATCH", &path, Some(&rig.house), Some(&json!({"status": "active"}))).await.expect(200);
    rig.post(&rig.client, "/v1/messages", &send(&json!({}))).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_fast_is_429_and_says_when() {
    let rig = Rig::new().await;
    let path = format!("/v1/accounts/{}", rig.world.client);
    rig.call("PATCH", &path, Some(&rig.reseller), Some(&json!({"segments_per_second": 2}))).await.expect(200);
    let three = send(&json!({"text": "x".repeat(400)}));
    let first = rig.post(&rig.client, "/v1/messages", &three).await.expect(201);
    assert_eq!(first.headers["ratelimit-policy"], "\"send\";q=2;w=1");
    assert_eq!(first.headers["ratelimit"].to_str().unwrap().split(';').nth(1), Some("r=0"));
    let second = rig.post(&rig.client, "/v1/messages", &three).await;
    assert_eq!(second.refusal(), (429, "rate_limited".to_owned()));
    assert_eq!(second.json()["retryable"], true);
    assert!(second.headers[header::RETRY_AFTER].to_str().unwrap().parse::<u32>().unwrap() >= 1);
    assert_eq!(rig.messages().await, 1);
}
