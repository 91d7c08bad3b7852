//! What the edge is told and what it tells.

use std::sync::Arc;

use axum::body::Body;
use chrono::Utc;
use contract::profile::{IdRule, Long};
use contract::{BindState, BindStatus, BindType, EdgeSnapshot, OperatorStatus};
use http::{Request, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::rig::{Rig, send};

async fn ask(rig: &Rig, token: &str, request: http::request::Builder, body: Option<Value>) -> (u16, Vec<u8>) {
    let request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    let request = match body {
        Some(body) => request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string())),
        None => request.body(Body::empty()),
    };
    let router = api::internal_router(Arc::clone(&rig.api));
    let response = router.oneshot(request.unwrap()).await.unwrap();
    (response.status().as_u16(), response.into_body().collect().await.unwrap().to_bytes().to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_gets_settings_with_passwords_and_nobody_else_does() {
    let rig = Rig::new().await;
    sqlx::query("UPDATE operators SET deleted_at = now()").execute(rig.world.pool()).await.unwrap();
    let new = json!({"name": "New", "host": "127.0.0.1", "port": 2775, "system_id": "chappe", "password": "s3cret!",
        "binds": 2, "window": 50, "tps": 100});
    let made = rig.post(&rig.house, "/v1/operators", &new).await.expect(201);
    let id = made.text("id");
    assert!(!String::from_utf8_lossy(&made.bytes).contains("s3cret"), "the password is never shown");
    rig.world.queue.depth(&format!("submit.{id}")).await.unwrap();
    let token = rig.keys.internal_token().to_owned();
    let get = || Request::get("/internal/edge/snapshot");
    for wrong in ["", "x", rig.house.as_str()] {
        assert_eq!(ask(&rig, wrong, get(), None).await.0, 401);
    }
    let (status, body) = ask(&rig, &token, get(), None).await;
    assert_eq!(status, 200);
    let snapshot: EdgeSnapshot = serde_json::from_slice(&body).unwrap();
    let [operator] = snapshot.operators.as_slice() else { panic!("{snapshot:?}") };
    assert_eq!((operator.password.expose(), operator.binds, operator.window, operator.tps), ("s3cret!", 2, 50, 100));
    let known = format!("/internal/edge/snapshot?known={}", snapshot.version);
    assert_eq!(ask(&rig, &token, Request::get(&known), None).await.0, 304);
    let change = json!({"password": "other", "preset": "hex_receipts", "profile": {"long": "udh16"},
        "tls_key": "-----BEGIN PRIVATE KEY-----\nbWFnaWM=\n-----END PRIVATE KEY-----"});
    let changed = rig.call("PATCH", &format!("/v1/operators/{id}"), Some(&rig.house), Some(&change)).await.expect(200);
    assert!(!String::from_utf8_lossy(&changed.bytes).contains("bWFnaWM"), "the key is never shown");
    let (_, body) = ask(&rig, &token, Request::get(&known), None).await;
    let snapshot: EdgeSnapshot = serde_json::from_slice(&body).unwrap();
    let operator = &snapshot.operators[0];
    assert_eq!(operator.password.expose(), "other");
    assert_eq!((operator.profile.long, operator.profile.receipts.ids), (Long::Udh16, IdRule::ReceiptHex));
    assert!(operator.tls_key.as_ref().unwrap().expose().contains("bWFnaWM"));
    let bad = json!({"profile": {"long": "udh32", "colour": 1}});
    let bad = rig.call("PATCH", &format!("/v1/operators/{id}"), Some(&rig.house), Some(&bad)).await.expect(400);
    let bad = String::from_utf8_lossy(&bad.bytes).into_owned();
    assert!(bad.contains("/profile/long") && bad.contains("/profile/colour"), "{bad}");
    let presets = rig.get(&rig.house, "/v1/operator-presets").await.expect(200).json();
    assert_eq!(presets["data"][0]["name"], "standard");
    let audit = rig.get(&rig.house, "/v1/audit-logs").await.expect(200);
    assert!(!String::from_utf8_lossy(&audit.bytes).contains("s3cret"), "the audit log holds no secrets");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_an_edge_reports_are_shown_and_routed_by() {
    let rig = Rig::new().await;
    let operator_id = rig.world.operators[0];
    let bind = |bind, state| BindStatus {
        bind,
        bind_type: BindType::Transceiver,
        state,
        since: Utc::now(),
        in_flight: 3,
        window: 10,
        submits: 7,
        submits_per_second: 1,
        last_error: None,
    };
    let status = OperatorStatus { operator_id, binds: vec![bind(0, BindState::Bound), bind(1, BindState::BackingOff)] };
    let report = serde_json::to_value(api::internal::BindReport {
        edge_id: "e1".to_owned(),
        operators: vec![status],
        sessions: Vec::new(),
    });
    let token = rig.keys.internal_token().to_owned();
    let (status, _) = ask(&rig, &token, Request::post("/internal/edge/binds"), Some(report.unwrap())).await;
    assert_eq!(status, 200);
    let shown = rig.get(&rig.house, &format!("/v1/operators/{operator_id}")).await.expect(200).json();
    assert_eq!((shown["bound"].as_u64(), shown["sessions"].as_array().unwrap().len()), (Some(1), 2));
    rig.world.catalogue.refresh().await.unwrap();
    let ask_route = json!({"to": "+998931234567"});
    let decision = rig.post(&rig.house, "/v1/routing/decision", &ask_route).await.expect(200).json();
    // Ucell costs more, but is the only one that is up.
    assert_eq!(decision["candidates"][0]["operator"], "Ucell");
    assert_eq!(decision["candidates"][1]["reason"], "no session is up");
    let waiting = rig.post(&rig.client, "/v1/messages", &send(&json!({}))).await.expect(201).text("id");
    let submits = json!({"submits": [[waiting, 0]]});
    let (status, body) = ask(&rig, &token, Request::post("/internal/edge/outcomes-known"), Some(submits)).await;
    assert_eq!((status, String::from_utf8(body).unwrap()), (200, r#"{"submits":[]}"#.to_owned()));
}
