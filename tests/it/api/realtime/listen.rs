//! Connections and what is heard on them.

use std::time::Duration;

use api::Settings;
use domain::AccountId;
use futures_util::SinkExt as _;
use limits::{Message as News, Opened, TOPIC_BUFFER};
use serde_json::json;
use testkit::eventually;
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

use super::super::money::margins::{Tree, tree};
use super::super::rig::Rig;
use super::instance::{Instance, LIMIT, warm_up};

#[tokio::test(flavor = "multi_thread")]
async fn events_reach_the_account_and_those_above_it_and_nobody_else() {
    let rig = Rig::new().await;
    let sibling = sibling(&rig).await;
    let sibling_key = rig.key(sibling, &["messages:read"]).await;
    let instance = Instance::alone(&rig).await;
    let mut client = instance.listen("", &rig.client).await;
    let mut reseller = instance.listen("", &rig.reseller).await;
    let mut house = instance.listen("", &rig.house).await;
    let mut stranger = instance.listen("", &sibling_key).await;
    warm_up(&instance, &rig.client, [&mut client, &mut reseller, &mut house]).await;
    let id = instance.happen(&rig.client).await;
    for socket in [&mut client, &mut reseller, &mut house] {
        let event = socket.hear_of(&id).await;
        assert!(event["id"].as_str().unwrap().starts_with("evt_"), "{event}");
        assert_eq!(event["type"], "message.canceled");
        assert!(event["timestamp"].is_string());
        for (field, expected) in [
            ("account_id", json!(rig.world.client)),
            ("state", json!("canceled")),
            ("to", json!("+998931234567")),
            ("segments", json!(1)),
            ("price", json!({"amount": "0.00", "currency": "UZS"})),
        ] {
            assert_eq!(event["data"][field], expected, "{field}");
        }
    }
    // What happens above is nobody's below; and nothing of all this was the sibling's.
    may_send(&rig, rig.world.reseller).await;
    let above = instance.happen(&rig.reseller).await;
    reseller.hear_of(&above).await;
    for (account, socket) in [(rig.world.client, &mut client), (sibling, &mut stranger)] {
        instance.mark(account, "end").await;
        assert_eq!(socket.hear().await, json!({"type": "end"}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_further_up_hears_of_a_message_and_not_of_its_price() {
    let Tree { rig, below, bottom, .. } = tree().await;
    let instance = Instance::alone(&rig).await;
    let mut house = instance.listen("", &rig.house).await;
    let mut further_up = instance.listen("", &rig.reseller).await;
    let mut seller = instance.listen("", &below).await;
    warm_up(&instance, &bottom, [&mut house, &mut further_up, &mut seller]).await;
    let id = instance.happen(&bottom).await;
    for (socket, knows) in [(&mut house, true), (&mut further_up, false), (&mut seller, true)] {
        let event = socket.hear_of(&id).await;
        assert_eq!(event["data"]["state"], "canceled");
        assert_eq!(event["data"]["price"].is_object(), knows, "{event}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_listen_costs_nothing() {
    let rig = Rig::new().await;
    let instance = Instance::start(&rig, Opened::in_process(), Settings::default()).await;
    instance.happen(&rig.client).await;
    assert_eq!(rig.world.queue.depth("realtime").await.unwrap().ready, 0);
    let socket = instance.listen("", &rig.client).await;
    eventually(LIMIT, async || {
        instance.happen(&rig.client).await;
        rig.world.queue.depth("realtime").await.unwrap().ready > 0
    })
    .await;
    drop(socket);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_chooses_its_events() {
    let rig = Rig::new().await;
    let instance = Instance::alone(&rig).await;
    let mut all = instance.listen("", &rig.client).await;
    let mut none = instance.listen("?events=message.delivered,message.inbound", &rig.client).await;
    warm_up(&instance, &rig.client, [&mut all]).await;
    instance.mark(rig.world.client, "unheard").await;
    for (said, expected) in [
        (r#"{"type":"ping"}"#, json!({"type": "pong"})),
        (
            r#"{"type":"subscribe","events":["message.canceled"]}"#,
            json!({"type": "subscribed", "events": ["message.canceled"]}),
        ),
    ] {
        none.say(said).await;
        assert_eq!(none.hear().await, expected, "the first that it hears");
    }
    let id = instance.happen(&rig.client).await;
    assert_eq!(none.hear_of(&id).await["type"], "message.canceled");
    none.say("nonsense").await;
    assert_eq!(none.hear().await["type"], "error");
    assert_eq!(refused(&instance, "?events=canceled", &rig.client).await, (400, "invalid_request".into()));
    assert_eq!(refused(&instance, "?event=", &rig.client).await, (400, "unknown_field".into()));
    none.0.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(none.closed().await, 1003);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_client_is_closed_and_holds_up_nobody() {
    let rig = Rig::new().await;
    let instance = Instance::start(&rig, Opened::in_process(), Settings::default()).await;
    let mut slow = instance.listen("", &rig.client).await;
    let mut quick = instance.listen("", &rig.client).await;
    // More than the buffers of two sockets hold, and then more than waits for a slow one.
    let payload = format!("message.delivered\n{}", json!({"x": "x".repeat(30_000)}));
    let news = News { topic: rig.world.client.to_string(), payload: payload.into() };
    for _ in 0..3 * TOPIC_BUFFER / 64 {
        instance.limits.fanout.publish(&vec![news.clone(); 64]).await.unwrap();
        for _ in 0..64 {
            assert_eq!(quick.hear().await["x"].as_str().unwrap().len(), 30_000);
        }
    }
    assert_eq!(slow.closed().await, 4408);
    instance.mark(rig.world.client, "on").await;
    assert_eq!(quick.hear().await, json!({"type": "on"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_clients_and_revoked_keys_are_closed() {
    let rig = Rig::new().await;
    let settings = Settings { ping_every: Duration::from_millis(100), ..Settings::default() };
    let instance = Instance::start(&rig, Opened::in_process(), settings).await;
    // Who does not read does not answer pings either.
    let mut silent = instance.listen("", &rig.client).await;
    let key =
        rig.post(&rig.client, "/v1/api-keys", &json!({"name": "x", "scopes": ["messages:read"]})).await.expect(201);
    let mut revoked = instance.listen("", &key.text("secret")).await;
    let path = format!("/v1/api-keys/{}", key.text("id"));
    let revoke = rig.call("DELETE", &path, Some(&rig.client), None);
    let (code, _) = tokio::join!(revoked.closed(), revoke);
    assert_eq!(code, 4401);
    assert_eq!(silent.closed().await, 4408);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_so_many_connections_and_a_stop_closes_them() {
    let rig = Rig::new().await;
    let instance = Instance::start(&rig, Opened::in_process(), Settings::default()).await;
    let mut sockets = Vec::new();
    for _ in 0..contract::realtime::ACCOUNT_CONNECTIONS_MAX {
        sockets.push(instance.listen("", &rig.client).await);
    }
    assert_eq!(refused(&instance, "", &rig.client).await, (429, "too_many_connections".into()));
    let other = instance.listen("", &rig.reseller).await;
    sockets.truncate(50);
    drop(other);
    eventually(LIMIT, async || instance.open("", Some(&rig.client)).await.is_ok()).await;
    assert!(rig.world.count("SELECT count(*) FROM realtime_connections").await >= 1);
    instance.stop.cancel();
    for socket in &mut sockets {
        assert_eq!(socket.closed().await, 1001);
    }
    drop(sockets);
    tokio::time::timeout(LIMIT, instance.api.closed()).await.unwrap();
    assert_eq!(rig.world.count("SELECT count(*) FROM realtime_connections").await, 0);
}

/// With which status and code a connection is refused.
async fn refused(instance: &Instance, query: &str, token: &str) -> (u16, String) {
    instance.open(query, Some(token)).await.err().expect("it is refused")
}

/// Another client of the same reseller.
async fn sibling(rig: &Rig) -> AccountId {
    let id = AccountId::generate();
    let path: Vec<Uuid> = [rig.world.house, rig.world.reseller, id].iter().map(|account| account.uuid()).collect();
    sqlx::query("INSERT INTO accounts (id, parent_id, path, name, role, currency) VALUES ($1, $2, $3, 'sibling', 'client', 'UZS')")
        .bind(id.uuid())
        .bind(rig.world.reseller.uuid())
        .bind(path)
        .execute(rig.world.pool())
        .await
        .unwrap();
    rig.world.catalogue.refresh().await.unwrap();
    id
}

/// Lets an account send as `TestCompany`.
async fn may_send(rig: &Rig, account: AccountId) {
    sqlx::query("INSERT INTO sender_ids (id, account_id, sender, status) VALUES ($1, $2, 'TestCompany', 'approved')")
        .bind(Uuid::now_v7())
        .bind(account.uuid())
        .execute(rig.world.pool())
        .await
        .unwrap();
    sqlx::query("UPDATE catalogue_version SET version = version + 1").execute(rig.world.pool()).await.unwrap();
    rig.world.catalogue.refresh().await.unwrap();
}
