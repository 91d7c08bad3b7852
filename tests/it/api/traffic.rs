//! The traffic class and the template of a message: from the request to the CDR, and what routing makes of them.

use std::sync::Arc;

use contract::{Accepted, Envelope, queues};
use route::Route;
use serde_json::{Value, json};

use super::rig::{Rig, send};
use crate::ledger::pump;

const TO: &str = "+998931234567";

/// Routes everything that waits.
async fn route_all(rig: &Rig) {
    let route = Route::new(rig.world.db.clone(), Arc::clone(&rig.world.catalogue), Arc::new(host::clock::System));
    pump(&rig.world, &route, queues::ROUTE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn class_and_template_go_with_a_message_from_the_request_to_its_record() {
    let rig = Rig::new().await;
    // What nobody may carry ends at once, with a record.
    let block = json!({"name": "No marketing", "position": 1, "when": {"traffic_classes": ["marketing"],
        "templates": ["spring.sale"]}, "then": {"strategy": "block"}});
    let rule = rig.post(&rig.house, "/v1/routing/rules", &block).await.expect(201).json();
    assert_eq!(rule["when"]["traffic_classes"], json!(["marketing"]));
    assert_eq!(rule["when"]["templates"], json!(["spring.sale"]));
    let said = json!({"traffic_class": "marketing", "template": "spring.sale"});
    let one = rig.post(&rig.client, "/v1/messages", &send(&said)).await.expect(201).json();
    let batch = json!({"messages": [send(&said), send(&json!({"traffic_class": "otp"})), send(&json!({}))]});
    let batch = rig.post(&rig.client, "/v1/messages/batch", &batch).await.expect(202).json();
    let told = |index: usize| batch["results"][index]["message"].clone();
    // Class, template, and where it stands when it was routed.
    let rows = [
        (one, json!("marketing"), json!("spring.sale"), "rejected"),
        (told(0), json!("marketing"), json!("spring.sale"), "rejected"),
        (told(1), json!("otp"), Value::Null, "queued"),
        (told(2), Value::Null, Value::Null, "queued"),
    ];
    route_all(&rig).await;
    for (message, class, template, state) in rows {
        assert_eq!((&message["traffic_class"], &message["template"]), (&class, &template));
        let path = format!("/v1/messages/{}", message["id"].as_str().unwrap());
        let read = rig.get(&rig.client, &path).await.expect(200).json();
        assert_eq!((&read["traffic_class"], &read["template"], &read["state"]), (&class, &template, &json!(state)));
    }
    let records: Vec<(Option<String>, Option<String>)> =
        sqlx::query_as("SELECT traffic_class, template FROM sms_cdr").fetch_all(rig.world.pool()).await.unwrap();
    let expected = (Some("marketing".to_owned()), Some("spring.sale".to_owned()));
    assert_eq!(records, [expected.clone(), expected]);
    let listed = rig.get(&rig.client, "/v1/messages").await.expect(200).json();
    let classes: Vec<&Value> = listed["data"].as_array().unwrap().iter().map(|row| &row["traffic_class"]).collect();
    assert_eq!(classes.iter().filter(|class| class.is_null()).count(), 1, "{classes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_later_keeps_its_class() {
    let rig = Rig::new().await;
    let said = json!({"traffic_class": "otp", "template": "code", "send_at": "2999-01-01T00:00:00Z"});
    rig.post(&rig.client, "/v1/messages", &send(&said)).await.expect(400);
    let soon = chrono::Utc::now() + chrono::TimeDelta::hours(1);
    let said = json!({"traffic_class": "otp", "template": "code", "send_at": soon.to_rfc3339()});
    rig.post(&rig.client, "/v1/messages", &send(&said)).await.expect(201);
    assert_eq!(store::schedule::send(&rig.world.db, soon, soon, 10).await.unwrap(), 1);
    let take = queue::Take { max: 1, wait: std::time::Duration::ZERO, lease: std::time::Duration::from_secs(30) };
    let waiting = rig.world.queue.receive(queues::ROUTE, take).await.unwrap();
    let envelope: Envelope<Accepted> = serde_json::from_slice(&waiting[0].body).unwrap();
    let item = &envelope.items[0];
    assert_eq!((item.traffic_class, item.template.clone()), ("otp".parse().ok(), "code".parse().ok()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_ranks_by_class_and_template() {
    let rig = Rig::new().await;
    let [ucell, beeline] = rig.world.operators;
    for (position, when, then) in [
        (1, json!({"traffic_classes": ["otp"]}), json!({"operators": [{"operator_id": ucell}]})),
        (2, json!({"templates": ["code"]}), json!({"except": [ucell]})),
    ] {
        let rule = json!({"name": "by class", "position": position, "when": when, "then": then});
        rig.post(&rig.house, "/v1/routing/rules", &rule).await.expect(201);
    }
    for (said, expected) in [
        (json!({"traffic_class": "otp"}), ucell),
        (json!({"traffic_class": "otp", "template": "code"}), ucell),
        (json!({"template": "code"}), beeline),
        (json!({"traffic_class": "marketing"}), beeline),
        (json!({}), beeline),
    ] {
        let mut ask = json!({"to": TO, "account_id": rig.world.client});
        ask.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
        let decision = rig.post(&rig.house, "/v1/routing/decision", &ask).await.expect(200).json();
        assert_eq!(decision["operator_id"], expected.to_string(), "{said}");
    }
    for (body, pointer) in [
        (json!({"to": TO, "traffic_class": "OTP"}), "/traffic_class"),
        (json!({"to": TO, "template": "Ä"}), "/template"),
    ] {
        let refused = rig.post(&rig.house, "/v1/routing/decision", &body).await.expect(400).json();
        assert_eq!(refused["errors"][0]["pointer"], pointer);
    }
    let rule = json!({"name": "x", "position": 1, "when": {"traffic_classes": ["otp", "O"], "templates": ["-"]}});
    let refused = rig.post(&rig.house, "/v1/routing/rules", &rule).await.expect(400).json();
    let pointers: Vec<&Value> = refused["errors"].as_array().unwrap().iter().map(|e| &e["pointer"]).collect();
    assert_eq!(pointers, ["/when/traffic_classes/1", "/when/templates/0"]);
}
