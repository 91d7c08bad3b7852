//! Secrets in AWS Secrets Manager, spoken to in its own protocol, and their rotation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::emulator::Function;
use super::{RICH, SECRET, customer, recorded};
use crate::world::World;

const DATABASE: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:chappe/database-AbCdEf";
const KEY: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:chappe/key-AbCdEf";

/// The secrets that the manager has, and how often it was asked.
#[derive(Default)]
struct Manager {
    secrets: Mutex<HashMap<String, String>>,
    asked: Mutex<usize>,
}

impl Manager {
    async fn start() -> (Arc<Self>, String) {
        let manager = Arc::new(Self::default());
        let router = Router::new().route("/", post(get_secret_value)).with_state(Arc::clone(&manager));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (manager, url)
    }

    fn put(&self, arn: &str, secret: &Value) {
        let text = secret.as_str().map_or_else(|| secret.to_string(), str::to_owned);
        self.secrets.lock().unwrap().insert(arn.to_owned(), text);
    }

    fn asked(&self) -> usize {
        *self.asked.lock().unwrap()
    }
}

/// JSON 1.1 of AWS: the action in a header, errors by their type.
async fn get_secret_value(State(manager): State<Arc<Manager>>, headers: HeaderMap, body: String) -> Response {
    assert_eq!(headers["x-amz-target"], "secretsmanager.GetSecretValue");
    assert!(headers.contains_key("authorization"), "requests are signed");
    *manager.asked.lock().unwrap() += 1;
    let asked: Value = serde_json::from_str(&body).unwrap();
    let arn = asked["SecretId"].as_str().unwrap();
    let json = [("content-type", "application/x-amz-json-1.1")];
    if let Some(secret) = manager.secrets.lock().unwrap().get(arn) {
        (json, json!({ "ARN": arn, "SecretString": secret }).to_string()).into_response()
    } else {
        let error = json!({ "__type": "ResourceNotFoundException", "Message": "no such secret" });
        (StatusCode::BAD_REQUEST, json, error.to_string()).into_response()
    }
}

/// A user of the database with a password, who goes with the test.
struct User<'a> {
    world: &'a World,
    name: String,
}

impl<'a> User<'a> {
    async fn new(world: &'a World, password: &str) -> Self {
        let name = format!("rotated_{}", uuid::Uuid::now_v7().simple());
        run(world, format!("CREATE ROLE {name} LOGIN SUPERUSER PASSWORD '{password}'")).await;
        Self { world, name }
    }

    async fn rotate(&self, password: &str) {
        run(self.world, format!("ALTER ROLE {} PASSWORD '{password}'", self.name)).await;
        // Whoever is connected stays so until its connection ends.
        let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{}'", self.name);
        run(self.world, end).await;
    }

    fn secret(&self, password: &str) -> Value {
        json!({ "username": self.name, "password": password, "engine": "postgres" })
    }
}

async fn run(world: &World, sql: String) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(world.pool()).await.unwrap();
}

/// The settings of a function whose secrets lie at `endpoint`.
fn settings(world: &World, endpoint: &str) -> Vec<(String, String)> {
    let url = world.url();
    let (scheme, rest) = url.split_once("://").unwrap();
    let pairs = [
        ("DATABASE_URL", format!("{scheme}://{}", rest.split_once('@').unwrap().1)),
        ("CHAPPE_DATABASE_SECRET_ARN", DATABASE.to_owned()),
        ("CHAPPE_SECRET_KEY_ARN", KEY.to_owned()),
        ("AWS_ENDPOINT_URL", endpoint.to_owned()),
        ("AWS_REGION", "eu-central-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_password_is_read_again_without_a_new_start() {
    let world = World::with_balance(RICH).await;
    let key = customer(&world).await;
    let user = User::new(&world, "first/@:").await;
    let (manager, endpoint) = Manager::start().await;
    manager.put(DATABASE, &user.secret("first/@:"));
    manager.put(KEY, &json!(STANDARD.encode(SECRET)));
    let api = Function::start("api", &settings(&world, &endpoint)).await;
    assert_eq!(manager.asked(), 2, "each secret once");
    let mut send = recorded("http-api");
    send["headers"]["authorization"] = json!(format!("Bearer {key}"));
    send["headers"].as_object_mut().unwrap().remove("content-length");
    assert_eq!(api.answer(send.clone()).await["statusCode"], 201, "{}", api.errors());
    manager.put(DATABASE, &user.secret("second"));
    user.rotate("second").await;
    // What was read a moment ago is not doubted at once.
    testkit::eventually(super::LIMIT, async || api.answer(send.clone()).await["statusCode"] == 201).await;
    assert!((3..=6).contains(&manager.asked()), "{} requests", manager.asked());
    assert!(!api.errors().contains("second"), "no password is logged");
    drop(api);
    run(&world, format!("DROP ROLE {}", user.name)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_cannot_be_read_is_told_together() {
    let world = World::with_balance(RICH).await;
    let (manager, endpoint) = Manager::start().await;
    manager.put(DATABASE, &json!("hunter2"));
    let output = tokio::process::Command::new(super::emulator::program("api"))
        .env_clear()
        .envs(settings(&world, &endpoint))
        .output()
        .await
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("CHAPPE_DATABASE_SECRET_ARN: the secret is not JSON with username and password"), "{told}");
    assert!(told.contains("CHAPPE_SECRET_KEY_ARN: cannot read the secret"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
    assert_eq!(output.status.code(), Some(64));
}
