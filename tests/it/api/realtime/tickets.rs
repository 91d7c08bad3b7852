//! Who may listen: keys, people, and tickets that open one connection.

use serde_json::json;

use super::super::rig::Rig;
use super::instance::Instance;

#[tokio::test(flavor = "multi_thread")]
async fn credentials_open_a_connection() {
    let rig = Rig::new().await;
    rig.user(rig.world.client, "person@example.com", "password123").await;
    let body = json!({"email": "person@example.com", "password": "password123"});
    let person = rig.call("POST", "/v1/auth/login", None, Some(&body)).await.expect(200).text("access_token");
    let unfit = rig.key(rig.world.client, &["messages:write", "balance:read"]).await;
    let instance = Instance::alone(&rig).await;
    for (token, expected) in [
        (Some(rig.client.as_str()), None),
        (Some(person.as_str()), None),
        (None, Some((401, "unauthorized"))),
        (Some("sk_live_nonsense"), Some((401, "unauthorized"))),
        (Some(unfit.as_str()), Some((403, "forbidden"))),
    ] {
        let refused = instance.open("", token).await.err();
        assert_eq!(refused, expected.map(|(status, code)| (status, code.to_owned())), "{expected:?}");
    }
    let plain = rig.get(&rig.client, "/v1/realtime").await;
    assert_eq!(plain.refusal(), (400, "invalid_request".to_owned()), "it is no ordinary request");
    assert_eq!(rig.post(&unfit, "/v1/realtime/tickets", &json!({})).await.refusal().0, 403);
    assert_eq!(rig.call("POST", "/v1/realtime/tickets", None, None).await.refusal().0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_opens_one_connection_for_a_short_time() {
    let rig = Rig::new().await;
    let instance = Instance::alone(&rig).await;
    let unauthorized = Some((401, "unauthorized".to_owned()));
    let ticket = async || rig.post(&rig.client, "/v1/realtime/tickets", &json!({})).await.expect(201).text("ticket");
    let first = ticket().await;
    let query = format!("?events=message.canceled&ticket={first}");
    // What opens no connection does not use it up.
    assert_eq!(instance.open(&format!("?events=x&ticket={first}"), None).await.err().unwrap().0, 400);
    assert_eq!(rig.call("GET", &format!("/v1/realtime{query}"), None, None).await.refusal().0, 400);
    let mut socket = instance.open(&query, None).await.unwrap();
    instance.mark(rig.world.client, "unwanted").await;
    socket.say(r#"{"type":"ping"}"#).await;
    assert_eq!(socket.hear().await, json!({"type": "pong"}), "it is the client's, with its filter");
    assert_eq!(instance.open(&query, None).await.err(), unauthorized, "it was used");
    let late = format!("?ticket={}", ticket().await);
    sqlx::query("UPDATE realtime_tickets SET expires_at = now() - interval '1 second'")
        .execute(rig.world.pool())
        .await
        .unwrap();
    assert_eq!(instance.open(&late, None).await.err(), unauthorized, "its time is over");
    assert_eq!(instance.open("?ticket=rt_nonsense", Some(&rig.client)).await.err(), unauthorized);
    let query = format!("?ticket={}", ticket().await);
    let both = tokio::join!(instance.open(&query, None), instance.open(&query, None));
    assert_eq!(usize::from(both.0.is_ok()) + usize::from(both.1.is_ok()), 1, "of two at once one gets in");
}
