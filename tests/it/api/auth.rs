//! Credentials: keys in both forms, log-ins, their locks, and stolen tokens.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Request, header};
use serde_json::{Value, json};

use super::rig::{ALL, Answer, Rig};

async fn with_header(rig: &Rig, value: &str) -> u16 {
    let request = Request::get("/v1/balance").header(header::AUTHORIZATION, value).body(Body::empty()).unwrap();
    rig.raw(request).await.status.as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_works_as_bearer_and_as_basic_and_in_no_other_form() {
    let rig = Rig::new().await;
    let made = rig.post(&rig.client, "/v1/api-keys", &json!({"name": "server"})).await.expect(201);
    let (id, secret) = (made.text("id"), made.text("secret"));
    assert_eq!(made.json()["scopes"], json!(["messages:write", "messages:read", "balance:read"]));
    let basic = |user: &str, password: &str| format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    let other = rig.key(rig.world.client, &ALL).await;
    let changed = format!("{}x", &secret[..secret.len() - 1]);
    let rows = [
        (format!("Bearer {secret}"), 200),
        (format!("bearer {secret}"), 200),
        (basic(&id, &secret), 200),
        (basic(&id, &other), 401),
        (basic("key_00000000000000000000000000", &secret), 401),
        (basic(&id, ""), 401),
        (format!("Bearer {changed}"), 401),
        ("Bearer ".to_owned(), 401),
        ("Bearer sk_live_".to_owned(), 401),
        ("Basic !!!".to_owned(), 401),
        (secret.clone(), 401),
    ];
    for (value, status) in rows {
        assert_eq!(with_header(&rig, &value).await, status, "{value}");
    }
    // The secret is nowhere in lists, nor in the audit log, nor in the database.
    for path in ["/v1/api-keys", "/v1/audit-logs"] {
        let listed = rig.get(&rig.client, path).await.expect(200);
        assert!(!String::from_utf8_lossy(&listed.bytes).contains(&secret[35..]));
    }
    // A key cannot make a key that may more than itself.
    let weak = rig.key(rig.world.client, &["account:write"]).await;
    let answer = rig.post(&weak, "/v1/api-keys", &json!({"name": "x", "scopes": ["messages:write"]})).await;
    assert_eq!(answer.refusal(), (403, "forbidden".to_owned()));
    rig.call("DELETE", &format!("/v1/api-keys/{id}"), Some(&rig.client), None).await.expect(204);
    assert_eq!(with_header(&rig, &format!("Bearer {secret}")).await, 401, "a revoked key is refused at once here");
}

async fn log_in(rig: &Rig, email: &str, password: &str) -> Answer {
    rig.call("POST", "/v1/auth/login", None, Some(&json!({"email": email, "password": password}))).await
}

async fn refresh(rig: &Rig, token: &str) -> Answer {
    rig.call("POST", "/v1/auth/refresh", None, Some(&json!({"refresh_token": token}))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_logs_in_refreshes_and_logs_out() {
    let rig = Rig::new().await;
    rig.user(rig.world.client, "client@example.com", "password123").await;
    let tokens = log_in(&rig, "Client@Example.com", "password123").await.expect(200);
    let access = tokens.text("access_token");
    rig.get(&access, "/v1/balance").await.expect(200);
    let next = refresh(&rig, &tokens.text("refresh_token")).await.expect(200);
    rig.get(&next.text("access_token"), "/v1/balance").await.expect(200);
    let out = json!({"refresh_token": next.text("refresh_token")});
    rig.call("POST", "/v1/auth/logout", None, Some(&out)).await.expect(204);
    assert_eq!(refresh(&rig, &next.text("refresh_token")).await.refusal().0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_refresh_token_ends_the_whole_log_in() {
    let rig = Rig::new().await;
    rig.user(rig.world.client, "client@example.com", "password123").await;
    let first = log_in(&rig, "client@example.com", "password123").await.expect(200).text("refresh_token");
    let second = refresh(&rig, &first).await.expect(200).text("refresh_token");
    assert_eq!(refresh(&rig, &first).await.refusal().0, 401, "it was used before");
    assert_eq!(refresh(&rig, &second).await.refusal().0, 401, "its whole family has ended");
    let stored: i64 = rig.world.count("SELECT count(*) FROM refresh_tokens WHERE revoked_at IS NULL").await;
    assert_eq!(stored, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_lock_the_log_in_and_nobody_learns_who_exists() {
    let rig = Rig::new().await;
    rig.user(rig.world.client, "client@example.com", "password123").await;
    let blank = |answer: &Answer| -> Value {
        let mut body = answer.json();
        body["request_id"] = Value::Null;
        body
    };
    let unknown = log_in(&rig, "nobody@example.com", "password123").await;
    for _ in 0..10 {
        let wrong = log_in(&rig, "client@example.com", "password124").await;
        assert_eq!((wrong.status, blank(&wrong)), (unknown.status, blank(&unknown)));
    }
    let locked = log_in(&rig, "client@example.com", "password123").await;
    assert_eq!(
        (locked.status.as_u16(), blank(&locked)),
        (401, blank(&unknown)),
        "the right password is locked out, too"
    );
    sqlx::query("UPDATE account_credentials SET locked_until = now()").execute(rig.world.pool()).await.unwrap();
    log_in(&rig, "client@example.com", "password123").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_person_makes_people() {
    let rig = Rig::new().await;
    rig.user(rig.world.reseller, "reseller@example.com", "password123").await;
    let person = log_in(&rig, "reseller@example.com", "password123").await.expect(200).text("access_token");
    let new = json!({"email": "new@example.com", "password": "long enough", "account_id": rig.world.client});
    assert_eq!(rig.post(&rig.reseller, "/v1/users", &new).await.refusal().0, 403);
    rig.post(&person, "/v1/users", &new).await.expect(201);
    assert_eq!(rig.post(&person, "/v1/users", &new).await.refusal(), (409, "conflict".to_owned()));
    log_in(&rig, "new@example.com", "long enough").await.expect(200);
    let listed = rig.get(&person, "/v1/users").await.expect(200).json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 2);
}
