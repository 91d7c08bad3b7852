//! Reading messages back: the story of one, and lists with their filters.

use serde_json::{Value, json};

use super::rig::{Rig, send};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_tells_its_story_and_customers_do_not_see_who_carried_it() {
    let rig = Rig::new().await;
    let id = rig.post(&rig.client, "/v1/messages", &send(&json!({}))).await.expect(201).text("id");
    let uuid = id.parse::<domain::MessageId>().unwrap().uuid();
    let operator = rig.world.operators[0];
    sqlx::query("INSERT INTO message_events (message_id, at, state, source, operator_id) VALUES ($1, now(), 'queued', 'route', $2)")
        .bind(uuid)
        .bind(operator.uuid())
        .execute(rig.world.pool())
        .await
        .unwrap();
    sqlx::query("INSERT INTO message_parts (message_id, hop, segment, operator_id, smpp_message_id, submit_status, submitted_at, state, segments, account_id)
                 SELECT $1, 0, 1, $2, 'abc', 0, now(), 'sent', 1, account_id FROM messages WHERE id = $1")
        .bind(uuid)
        .bind(operator.uuid())
        .execute(rig.world.pool())
        .await
        .unwrap();
    let story = rig.get(&rig.house, &format!("/v1/messages/{id}")).await.expect(200).json();
    let states: Vec<&str> = story["events"].as_array().unwrap().iter().map(|e| e["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["accepted", "queued"]);
    assert_eq!((story["events"][0]["source"].as_str(), story["text"].as_str()), (Some("api"), Some("hello")));
    assert_eq!(story["cost"], json!({"unit_price": "80.00", "total": "80.00", "currency": "UZS"}));
    assert_eq!((story["charged"].as_str(), story["state"].as_str()), (Some("0.00"), Some("accepted")));
    assert_eq!(story["parts"][0]["smpp_message_id"], "abc");
    let seen = rig.get(&rig.client, &format!("/v1/messages/{id}")).await.expect(200);
    let text = String::from_utf8_lossy(&seen.bytes).into_owned();
    assert!(!text.contains(&operator.to_string()) && !text.contains("abc"), "{text}");
    assert_eq!(rig.get(&rig.client, "/v1/messages/msg_nonsense").await.refusal().0, 404);
}

async fn ids(rig: &Rig, query: &str) -> Vec<String> {
    let list = rig.get(&rig.client, &format!("/v1/messages?{query}")).await.expect(200).json();
    list["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_go_page_by_page_and_filters_hold() {
    let rig = Rig::new().await;
    let mut sent = Vec::new();
    for n in 0..7 {
        let to = if n % 2 == 0 { "+998931234567" } else { "+998901234567" };
        let body = send(&json!({"to": to, "client_reference": format!("r{n}")}));
        sent.push(rig.post(&rig.client, "/v1/messages", &body).await.expect(201));
    }
    let mut newest_first: Vec<String> = sent.iter().map(|answer| answer.text("id")).collect();
    newest_first.sort();
    newest_first.reverse();
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = rig.get(&rig.client, &format!("/v1/messages?limit=3{cursor}")).await.expect(200).json();
        found.extend(page["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_owned()));
        match &page["next_cursor"] {
            Value::String(next) => cursor = format!("&cursor={next}"),
            _ => break assert_eq!(page["has_more"], false),
        }
    }
    assert_eq!(found, newest_first);
    assert_eq!(ids(&rig, "to=%2B998931234567").await.len(), 4);
    assert_eq!(ids(&rig, "client_reference=r3").await.len(), 1);
    assert_eq!(ids(&rig, "state=accepted&from=TestCompany").await.len(), 7);
    assert_eq!(ids(&rig, "state=delivered").await.len(), 0);
    assert_eq!(ids(&rig, "created_at[gte]=2020-01-01T00:00:00Z").await.len(), 7);
    assert_eq!(ids(&rig, "created_at[lt]=2020-01-01T00:00:00Z").await.len(), 0);
    assert_eq!(ids(&rig, "created_at%5Bgte%5D=2100-01-01T00:00:00Z").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_queries_are_refused_with_the_parameter() {
    let rig = Rig::new().await;
    let rows = [
        ("state=done", "invalid_request", "/state"),
        ("to=x", "invalid_number", "/to"),
        ("limit=0", "invalid_request", "/limit"),
        ("limit=1001", "invalid_request", "/limit"),
        ("cursor=x", "invalid_request", "/cursor"),
        ("created_at[gte]=yesterday", "invalid_request", "/created_at[gte]"),
        ("colour=red", "unknown_field", "/colour"),
        ("state=sent&state=sent", "invalid_request", "/state"),
        ("client_reference=%00", "invalid_request", "/client_reference"),
    ];
    for (query, code, pointer) in rows {
        let answer = rig.get(&rig.client, &format!("/v1/messages?{query}")).await;
        let problem = answer.json();
        assert_eq!(problem["code"], code, "{query}: {problem}");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{query}: {problem}");
    }
}
