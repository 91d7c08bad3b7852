//! The API behind an HTTP API of API Gateway.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use super::emulator::Function;
use super::{RICH, customer, function, recorded, settings_of};
use crate::world::World;

/// A recorded request of a customer with another body.
fn request(key: &str, body: &str) -> Value {
    post("/v1/messages", key, body)
}

/// The same to another path.
pub(super) fn post(path: &str, key: &str, body: &str) -> Value {
    let mut request = recorded("http-api");
    request["rawPath"] = json!(path);
    request["requestContext"]["http"]["path"] = json!(path);
    request["headers"]["authorization"] = json!(format!("Bearer {key}"));
    request["headers"]["content-length"] = json!(body.len().to_string());
    request["body"] = json!(body);
    request
}

fn get(path: &str) -> Value {
    let mut request = recorded("http-api");
    request["rawPath"] = json!(path);
    request["requestContext"]["http"] = json!({ "method": "GET", "path": path, "protocol": "HTTP/1.1" });
    request.as_object_mut().unwrap().remove("body");
    request["headers"].as_object_mut().unwrap().remove("content-length");
    request
}

fn body(answer: &Value) -> Value {
    assert_eq!(answer["isBase64Encoded"], false, "JSON goes as text: {answer}");
    serde_json::from_str(answer["body"].as_str().unwrap_or_else(|| panic!("no body: {answer}"))).unwrap()
}

fn send(more: &Value) -> String {
    let mut send = json!({ "to": "+998931234567", "from": "TestCompany", "text": "Hello" });
    send.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    send.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_send_is_answered_when_it_is_stored_and_published() {
    let world = World::with_balance(RICH).await;
    let key = customer(&world).await;
    let api = function("api", &world).await;
    let mut event = recorded("http-api");
    event["headers"]["authorization"] = json!(format!("Bearer {key}"));
    event["headers"].as_object_mut().unwrap().remove("content-length");
    let answer = api.answer(event).await;
    assert_eq!(answer["statusCode"], 201, "{answer}\n{}", api.errors());
    assert!(body(&answer)["id"].as_str().unwrap().starts_with("msg_"));
    assert!(answer["headers"]["request-id"].as_str().unwrap().starts_with("req_"), "{answer}");
    assert_eq!(world.count("SELECT count(*) FROM messages WHERE state = 'accepted'").await, 1);
    assert_eq!(world.queue.depth("route").await.unwrap().ready, 1);
    world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_problems_and_no_failed_invocations() {
    let world = World::with_balance(RICH).await;
    let key = customer(&world).await;
    let api = function("api", &world).await;
    for (event, status, code) in [
        (request(&key, "{broken"), 400, "invalid_request"),
        (request(&key, &send(&json!({ "colour": "red" }))), 400, "unknown_field"),
        (request("nobody", &send(&json!({}))), 401, "unauthorized"),
        (get("/v1/nowhere"), 404, "not_found"),
    ] {
        let answer = api.answer(event).await;
        assert_eq!(answer["statusCode"], status, "{answer}");
        assert_eq!(answer["headers"]["content-type"], "application/problem+json");
        let problem = body(&answer);
        assert_eq!((&problem["code"], &problem["status"]), (&json!(code), &json!(status)), "{problem}");
    }
    assert_eq!(world.count("SELECT count(*) FROM messages").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_elsewhere_is_seen_by_a_later_request() {
    let world = World::with_balance(RICH).await;
    let key = customer(&world).await;
    let api = function("api", &world).await;
    assert_eq!(api.answer(request(&key, &send(&json!({})))).await["statusCode"], 201);
    sqlx::query("DELETE FROM sender_ids").execute(world.pool()).await.unwrap();
    sqlx::query("UPDATE catalogue_version SET version = version + 1").execute(world.pool()).await.unwrap();
    testkit::eventually(super::LIMIT, async || api.answer(request(&key, &send(&json!({})))).await["statusCode"] != 201)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_database_it_starts_and_asks_to_come_again() {
    let api = Function::start("api", &settings_of("postgres://nobody@127.0.0.1:1/none")).await;
    let answer = api.answer(request("key", &send(&json!({})))).await;
    assert_eq!(answer["statusCode"], 503, "{answer}");
    assert!(answer["headers"]["retry-after"].is_string(), "{answer}");
    assert_eq!(api.answer(get("/healthz")).await["statusCode"], 200);
    assert_eq!(api.answer(get("/readyz")).await["statusCode"], 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_before_the_timer_comes_by_waits_in_the_queue() {
    let world = World::with_balance(RICH).await;
    let key = customer(&world).await;
    let api = function("api", &world).await;
    for (seconds, waiting) in [(30, 1), (3600, 1)] {
        let at = (Utc::now() + TimeDelta::seconds(seconds)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let answer = api.answer(request(&key, &send(&json!({ "send_at": at })))).await;
        assert_eq!(answer["statusCode"], 201, "{answer}");
        let depth = world.queue.depth("route").await.unwrap();
        assert_eq!((depth.ready, depth.waiting), (0, waiting), "due in {seconds} s");
    }
    assert_eq!(world.count("SELECT count(*) FROM messages WHERE released_at IS NOT NULL").await, 1);
}
