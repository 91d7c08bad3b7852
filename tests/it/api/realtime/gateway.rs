//! Connections of API Gateway: the events of their life, and what is posted to them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_apigatewaymanagement::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_apigatewaymanagement::{Client, Config};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::post;
use contract::{Envelope, RealtimeEvent};
use host::lambda::Events as _;
use host::{Delivery, Handler as _};
use http::{HeaderMap, StatusCode};
use realtime::Realtime;
use realtime::gateway::{Gateway, ManagementApi};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::super::rig::Rig;

/// When an answer must be there.
fn soon() -> Instant {
    Instant::now() + Duration::from_mins(1)
}

/// A management API of a stage: what was posted to which connection.
#[derive(Debug, Default)]
struct Stage {
    posted: Mutex<Vec<(String, Value)>>,
    gone: Mutex<BTreeSet<String>>,
}

/// `POST /@connections/{id}`, as "API Gateway management API reference" describes it.
async fn take(
    State(stage): State<Arc<Stage>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, &'static str) {
    let id = id.strip_prefix("id-").unwrap_or(&id).to_owned();
    let signed = headers["authorization"].to_str().unwrap().starts_with("AWS4-HMAC-SHA256 Credential=");
    match (signed, id.as_str()) {
        (false, _) => (StatusCode::FORBIDDEN, r#"{"message":"Forbidden"}"#),
        (true, id) if stage.gone.lock().unwrap().contains(id) => (StatusCode::GONE, ""),
        (true, "throttled") => (StatusCode::TOO_MANY_REQUESTS, r#"{"message":"slow down"}"#),
        (true, _) => {
            let said = serde_json::from_slice(&body).unwrap();
            stage.posted.lock().unwrap().push((id, said));
            (StatusCode::OK, "")
        }
    }
}

impl Stage {
    /// What was posted since the last look.
    fn posted(&self) -> Vec<(String, Value)> {
        let mut posted = std::mem::take(&mut *self.posted.lock().unwrap());
        posted.sort_by(|one, other| one.0.cmp(&other.0));
        posted
    }
}

struct Lambda {
    rig: Rig,
    stage: Arc<Stage>,
    function: Realtime,
}

impl Lambda {
    async fn new() -> Self {
        let rig = Rig::new().await;
        let stage = Arc::new(Stage::default());
        let router = Router::new().route("/prod/@connections/{id}", post(take)).with_state(Arc::clone(&stage));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}/prod", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, router).into_future());
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
            .endpoint_url(endpoint)
            .build();
        let posts = Arc::new(ManagementApi::new(Client::from_conf(config)));
        let gateway = Gateway::new(rig.world.db.clone(), Arc::clone(&rig.keys), posts);
        let function = Realtime::through(gateway, Arc::new(host::clock::System));
        Self { rig, stage, function }
    }

    /// Hands an event over; the status that is answered.
    async fn event(&self, kind: &str, id: &str, more: Value) -> i64 {
        let mut event = json!({"isBase64Encoded": false, "requestContext": {
            "routeKey": format!("${}", kind.to_lowercase()), "eventType": kind, "connectionId": id,
            "stage": "prod", "apiId": "abcdef1234", "domainName": "abcdef1234.execute-api.eu-central-1.amazonaws.com",
        }});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = self.function.on_event(event, soon()).await.unwrap();
        answer["statusCode"].as_i64().unwrap()
    }

    async fn connect(&self, id: &str, query: &Value, authorization: Option<&str>) -> i64 {
        let mut headers = json!({"Host": "abcdef1234.execute-api.eu-central-1.amazonaws.com"});
        if let Some(authorization) = authorization {
            headers["Authorization"] = json!(authorization);
        }
        self.event("CONNECT", id, json!({"headers": headers, "queryStringParameters": query})).await
    }

    async fn connections(&self) -> i64 {
        self.rig.world.count("SELECT count(*) FROM realtime_connections WHERE gateway").await
    }

    /// Something happens to a message of the client; what is in the queue goes through the function.
    async fn happen(&self) -> String {
        let body = super::super::rig::send(&json!({}));
        let id = self.rig.post(&self.rig.client, "/v1/messages", &body).await.expect(201).text("id");
        self.rig.call("DELETE", &format!("/v1/messages/{id}"), Some(&self.rig.client), None).await.expect(200);
        let rows: Vec<Vec<u8>> = sqlx::query_scalar(
            "DELETE FROM queue.messages WHERE queue = (SELECT id FROM queue.queues WHERE name = 'realtime') RETURNING body",
        )
        .fetch_all(self.rig.world.pool())
        .await
        .unwrap();
        for body in rows {
            let envelope: Envelope<RealtimeEvent> = serde_json::from_slice(&body).unwrap();
            let delivery = Delivery { queue: "realtime".into(), id: "1".into(), received: 1, enqueued_at: None };
            self.function.handle(envelope, &delivery).await.unwrap();
        }
        id
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_let_in_by_credentials() {
    let lambda = Lambda::new().await;
    let rig = &lambda.rig;
    let unfit = rig.key(rig.world.client, &["balance:read"]).await;
    let ticket = rig.post(&rig.client, "/v1/realtime/tickets", &json!({})).await.expect(201).text("ticket");
    let bearer = |token: &str| Some(format!("Bearer {token}"));
    let ticket = json!({ "ticket": ticket });
    for (query, authorization, expected) in [
        (Value::Null, bearer(&rig.client), 200),
        (json!({"events": "message.delivered,message.inbound"}), bearer(&rig.client), 200),
        (Value::Null, None, 401),
        (Value::Null, bearer("sk_live_nonsense"), 401),
        (Value::Null, bearer(&format!("{}x", rig.client)), 401),
        (Value::Null, Some("Digest x".to_owned()), 401),
        (Value::Null, bearer(&unfit), 403),
        (json!({"events": "nonsense"}), bearer(&rig.client), 400),
        (ticket.clone(), None, 200),
        (ticket, None, 401),
        (json!({"ticket": "rt_nonsense"}), bearer(&rig.client), 401),
    ] {
        let before = lambda.connections().await;
        let id = format!("c{before}");
        assert_eq!(lambda.connect(&id, &query, authorization.as_deref()).await, expected, "{query}");
        assert_eq!(lambda.connections().await, before + i64::from(expected == 200), "{query}");
    }
    assert_eq!(lambda.event("DISCONNECT", "c0", json!({})).await, 200);
    assert_eq!(lambda.event("DISCONNECT", "c0", json!({})).await, 200, "twice is no fault");
    assert_eq!(lambda.connections().await, 2);
    sqlx::query(
        "INSERT INTO realtime_connections (id, account_id, gateway, expires_at)
         SELECT 'more' || n, $1, true, now() + interval '1 hour' FROM generate_series(1, 98) n",
    )
    .bind(rig.world.client.uuid())
    .execute(rig.world.pool())
    .await
    .unwrap();
    assert_eq!(lambda.connect("full", &Value::Null, bearer(&rig.client).as_deref()).await, 429);
    assert!(lambda.function.on_event(json!({"Records": []}), soon()).await.is_err(), "no event of a WebSocket");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_posted_and_what_is_gone_is_forgotten() {
    let lambda = Lambda::new().await;
    let (client, house) = (format!("Bearer {}", lambda.rig.client), format!("Bearer {}", lambda.rig.house));
    let filtered = json!({"events": "message.inbound"});
    for (id, query, authorization) in [
        ("client", &Value::Null, &client),
        ("filtered", &filtered, &client),
        ("gone", &Value::Null, &client),
        ("house", &Value::Null, &house),
        ("throttled", &Value::Null, &client),
    ] {
        assert_eq!(lambda.connect(id, query, Some(authorization)).await, 200);
    }
    lambda.stage.gone.lock().unwrap().insert("gone".into());
    let reseller = format!("Bearer {}", lambda.rig.reseller);
    testkit::eventually(super::instance::LIMIT, async || {
        lambda.happen().await;
        !lambda.stage.posted().is_empty()
    })
    .await;
    assert_eq!(lambda.connections().await, 4, "the one that is gone is forgotten");
    assert_eq!(lambda.connect("elsewhere", &Value::Null, Some(&reseller)).await, 200);
    let id = lambda.happen().await;
    let posted = lambda.stage.posted();
    let who: Vec<&str> = posted.iter().map(|(connection, _)| connection.as_str()).collect();
    assert!(who.starts_with(&["client"]) && who.ends_with(&["house"]), "{who:?}");
    assert!(!who.contains(&"filtered"));
    for (_, event) in posted {
        assert_eq!((&event["type"], &event["data"]["id"]), (&json!("message.canceled"), &json!(id)));
    }
    for (said, expected) in [
        (r#"{"type":"ping"}"#, json!({"type": "pong"})),
        (
            r#"{"type":"subscribe","events":["message.canceled"]}"#,
            json!({"type": "subscribed", "events": ["message.canceled"]}),
        ),
    ] {
        assert_eq!(lambda.event("MESSAGE", "filtered", json!({"body": said})).await, 200);
        assert_eq!(lambda.stage.posted(), [("filtered".to_owned(), expected)]);
    }
    assert_eq!(lambda.event("MESSAGE", "filtered", json!({"body": "nonsense"})).await, 200);
    assert_eq!(lambda.stage.posted()[0].1["type"], "error");
    lambda.happen().await;
    assert!(lambda.stage.posted().iter().any(|(connection, _)| connection == "filtered"), "it changed its mind");
    assert_eq!(lambda.event("MESSAGE", "gone", json!({"body": "{}"})).await, 410);
    // A key that was revoked hears nothing more.
    sqlx::query("UPDATE api_keys SET revoked_at = now() WHERE account_id = $1")
        .bind(lambda.rig.world.house.uuid())
        .execute(lambda.rig.world.pool())
        .await
        .unwrap();
    lambda.happen().await;
    assert!(!lambda.stage.posted().iter().any(|(connection, _)| connection == "house"));
}
