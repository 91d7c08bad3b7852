//! The API in this process, over the small company of [`World`].

use std::sync::Arc;

use api::{Api, Parts, Settings};
use axum::Router;
use axum::body::{Body, Bytes};
use domain::AccountId;
use host::secrets::Keys;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use store::keys::NewKey;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::world::World;

/// Everything a key can do.
pub(super) const ALL: [&str; 7] =
    ["messages:write", "messages:read", "balance:read", "account:read", "account:write", "admin:read", "admin:write"];

/// A million of the major unit.
pub(super) const RICH: i64 = 1_000_000_000_000;

pub(super) struct Rig {
    pub(super) world: World,
    pub(super) api: Arc<Api>,
    pub(super) router: Router,
    pub(super) keys: Arc<Keys>,
    /// Keys that may do everything that their account may.
    pub(super) house: String,
    pub(super) reseller: String,
    pub(super) client: String,
}

/// An answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) bytes: Bytes,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    /// The text of a field.
    pub(super) fn text(&self, field: &str) -> String {
        self.json()[field].as_str().unwrap_or_else(|| panic!("no {field} in {self:?}")).to_owned()
    }

    /// Status and problem code, for tables.
    pub(super) fn refusal(&self) -> (u16, String) {
        (self.status.as_u16(), self.json()["code"].as_str().unwrap_or_default().to_owned())
    }

    /// Fails unless the status is this.
    pub(super) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.bytes));
        self
    }
}

impl Rig {
    /// A company with `balance` micros in each wallet; the client may send as `TestCompany`.
    pub(super) async fn with_balance(balance: i64) -> Self {
        Self::with(balance, Settings { segments_per_second: 1_000_000, ..Settings::default() }).await
    }

    /// The same with settings of its own.
    pub(super) async fn with(balance: i64, settings: Settings) -> Self {
        let world = World::with_balance(balance).await;
        sqlx::query(
            "INSERT INTO sender_ids (id, account_id, sender, status) VALUES ($1, $2, 'TestCompany', 'approved')",
        )
        .bind(uuid::Uuid::now_v7())
        .bind(world.client.uuid())
        .execute(world.pool())
        .await
        .unwrap();
        world.catalogue.refresh().await.unwrap();
        let keys = Arc::new(Keys::new(&[7; 32]).unwrap());
        let api = Api::new(Parts {
            db: world.db.clone(),
            catalogue: Arc::clone(&world.catalogue),
            keys: Arc::clone(&keys),
            queue: Arc::clone(&world.queue),
            limits: limits::Opened::in_process(),
            settings,
            stop: CancellationToken::new(),
            metrics: Some(Arc::new(String::new)),
        });
        let router = api::router(Arc::clone(&api));
        let none = String::new;
        let mut rig = Self { world, api, router, keys, house: none(), reseller: none(), client: none() };
        rig.house = rig.key(rig.world.house, &ALL).await;
        rig.reseller = rig.key(rig.world.reseller, &ALL).await;
        rig.client = rig.key(rig.world.client, &ALL).await;
        rig
    }

    pub(super) async fn new() -> Self {
        Self::with_balance(RICH).await
    }

    /// The secret of a new key.
    pub(super) async fn key(&self, account: AccountId, scopes: &[&str]) -> String {
        let minted = api::mint_key(&self.keys).unwrap();
        let key = NewKey {
            id: minted.id,
            account,
            name: "test".to_owned(),
            secret_hash: minted.hash,
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            expires_at: None,
        };
        let mut tx = self.world.db.begin().await.unwrap();
        assert!(store::keys::create(&mut tx, account, &key).await.unwrap());
        tx.commit().await.unwrap();
        minted.secret
    }

    /// Sends a request as it stands.
    pub(super) async fn raw(&self, request: Request<Body>) -> Answer {
        answer(&self.router, request).await
    }

    /// Calls with a bearer token, where there is one.
    pub(super) async fn call(&self, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> Answer {
        let mut request = Request::builder().method(method.parse::<Method>().unwrap()).uri(path);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.raw(request.body(body).unwrap()).await
    }

    pub(super) async fn get(&self, token: &str, path: &str) -> Answer {
        self.call("GET", path, Some(token), None).await
    }

    pub(super) async fn post(&self, token: &str, path: &str, body: &Value) -> Answer {
        self.call("POST", path, Some(token), Some(body)).await
    }

    /// Posts with an idempotency key.
    pub(super) async fn post_once(&self, token: &str, path: &str, key: &str, body: &Value) -> Answer {
        let request = Request::post(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header("idempotency-key", key)
            .body(Body::from(body.to_string()))
            .unwrap();
        self.raw(request).await
    }

    /// A log-in of an account.
    pub(super) async fn user(&self, account: AccountId, email: &str, password: &str) {
        let hash = api::hash_password(password).unwrap();
        let mut tx = self.world.db.begin().await.unwrap();
        let user = domain::UserId::generate();
        let new = store::users::NewUser { id: user, account, email, password_hash: &hash, created_by: None };
        assert!(store::users::create(&mut tx, account, &new).await.unwrap());
        tx.commit().await.unwrap();
    }

    pub(super) async fn messages(&self) -> i64 {
        self.world.count("SELECT count(*) FROM messages").await
    }
}

/// What `router` answers.
pub(super) async fn answer(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    Answer { status: parts.status, headers: parts.headers, bytes: body.collect().await.unwrap().to_bytes() }
}

/// A good send, with `changes` on top; null takes a field away.
pub(super) fn send(changes: &Value) -> Value {
    let mut body = json!({"to": "+998931234567", "from": "TestCompany", "text": "hello"});
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(body.as_object_mut().unwrap().remove(name)),
            value => body[name] = value.clone(),
        }
    }
    body
}

impl Rig {
    /// Runs `chappe` with this key against this company: whether it succeeded, and what it said.
    pub(crate) async fn chappe(&self, key: &str, arguments: &[&str]) -> (bool, String) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(axum::serve(listener, self.router.clone()).into_future());
        let mut command = tokio::process::Command::new(crate::chappe::binary::chappe());
        command.args(arguments).args(["--url", &url]).env("CHAPPE_API_KEY", key);
        let ran = command.output().await.unwrap();
        server.abort();
        let told = if ran.status.success() { &ran.stdout } else { &ran.stderr };
        (ran.status.success(), String::from_utf8_lossy(told).into_owned())
    }
}
