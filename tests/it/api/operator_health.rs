//! Health of operators over the API: what is shown, breakers by hand, caps, test numbers and feedback.

use std::sync::Arc;

use chrono::Utc;
use contract::queues;
use domain::MessageId;
use route::Route;
use serde_json::{Value, json};
use store::accept::{Acceptance, Single, accept_gathered};

use super::rig::Rig;
use crate::chappe::binary::chappe;
use crate::ledger::pump;

impl Rig {
    /// A message of the client that an operator has, in this state.
    async fn sent(&self, state: &str) -> MessageId {
        let message = self.world.message("43405", 1, Utc::now());
        let id = message.id;
        let stored = accept_gathered(&self.world.db, &[Single { message, idempotency: None }]).await.unwrap();
        assert_eq!(stored, [Acceptance::Stored]);
        let clock = Arc::new(host::clock::System);
        let route = Route::new(self.world.db.clone(), Arc::clone(&self.world.catalogue), clock);
        pump(&self.world, &route, queues::ROUTE).await;
        sqlx::query(
            "INSERT INTO message_parts (message_id, hop, segment, segments, account_id, operator_id, submitted_at, state)
             SELECT id, hop, 1, 1, account_id, operator_id, now(), $2 FROM messages WHERE id = $1",
        )
        .bind(id.uuid())
        .bind(state)
        .execute(self.world.pool())
        .await
        .unwrap();
        sqlx::query("UPDATE messages SET state = $2 WHERE id = $1")
            .bind(id.uuid())
            .bind(state)
            .execute(self.world.pool())
            .await
            .unwrap();
        id
    }

    async fn judge(&self) {
        let (db, queue, clock) = (self.world.db.clone(), Arc::clone(&self.world.queue), Arc::new(host::clock::System));
        sweep::Sweep::new(db, queue, clock, store::sweep::Retention::default()).health().await.unwrap();
    }

    async fn first(&self) -> Value {
        let ask = json!({"to": "+998931234567", "account_id": self.world.client});
        self.post(&self.house, "/v1/routing/decision", &ask).await.expect(200).json()["candidates"][0].clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breaker_is_turned_on_the_command_line() {
    let rig = Rig::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, rig.router.clone()).into_future());
    let turn = async |verb: &str, operator: &str| {
        let mut command = std::process::Command::new(chappe());
        command.args(["operators", "breaker", verb, operator, "43405", "--reason", "maintenance", "--json"]);
        command.args(["--url", &url]).env("CHAPPE_API_KEY", &rig.house);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    };
    assert_eq!(rig.first().await["operator"], "Beeline");
    let told = turn("open", "beeline").await;
    assert!(told.status.success(), "{told:?}");
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    let breaker = &told["operators"][0]["networks"][0]["breaker"];
    assert_eq!((&breaker["state"], &breaker["reason"]), (&json!("held"), &json!("maintenance")));
    assert_eq!(rig.first().await["operator"], "Ucell");
    let told = turn("close", &rig.world.operators[1].to_string()).await;
    assert!(told.status.success(), "{told:?}");
    assert_eq!(rig.first().await["operator"], "Beeline");
    let unknown = turn("open", "nobody").await;
    assert!(!unknown.status.success());
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there is no operator nobody"), "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_opens_and_closes_a_breaker_and_says_why() {
    let rig = Rig::new().await;
    let beeline = rig.world.operators[1];
    let path = format!("/v1/operators/{beeline}/breakers/43405");
    let turn = |state: &str| json!({"state": state, "reason": "complaints"});
    assert_eq!(rig.first().await["operator"], "Beeline");
    let health = rig.call("PUT", &path, Some(&rig.house), Some(&turn("open"))).await.expect(200).json();
    let breaker = &health["networks"][0]["breaker"];
    assert_eq!(
        (&breaker["state"], &breaker["reason"], &breaker["until"]),
        (&json!("held"), &json!("complaints"), &Value::Null)
    );
    assert!(breaker["made_by"].as_str().unwrap().starts_with("key_"), "{breaker}");
    assert_eq!(rig.first().await["operator"], "Ucell");
    rig.judge().await;
    assert_eq!(rig.first().await["operator"], "Ucell", "it does not close by itself");
    let logs = rig.get(&rig.house, "/v1/audit-logs").await.expect(200).json();
    let log = &logs["data"][0];
    assert_eq!((&log["action"], &log["detail"]["reason"]), (&json!("operator_breaker.turn"), &json!("complaints")));

    let health = rig.call("PUT", &path, Some(&rig.house), Some(&turn("closed"))).await.expect(200).json();
    assert_eq!(health["networks"][0]["breaker"]["state"], "closed");
    assert_eq!(rig.first().await["operator"], "Beeline");

    let wrong = json!({"state": "ajar", "reason": " "});
    let path = format!("/v1/operators/{beeline}/breakers/43x05");
    let refused = rig.call("PUT", &path, Some(&rig.house), Some(&wrong)).await.expect(400).json();
    let pointers: Vec<&str> =
        refused["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/mcc_mnc", "/state", "/reason"]);
    let nobody = format!("/v1/operators/{}/breakers/43405", domain::OperatorId::generate());
    assert_eq!(rig.call("PUT", &nobody, Some(&rig.house), Some(&turn("open"))).await.refusal().0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breaker_for_a_country_is_open_at_all_its_networks() {
    let rig = Rig::new().await;
    let beeline = rig.world.operators[1];
    let turn = async |place: &str, state: &str| {
        let path = format!("/v1/operators/{beeline}/breakers/{place}");
        rig.call("PUT", &path, Some(&rig.house), Some(&json!({"state": state, "reason": "a dispute"}))).await
    };
    turn("434", "open").await.expect(200);
    let first = rig.first().await;
    assert_eq!(first["operator"], "Ucell", "{first}");
    // Its network alone cannot be closed; that of another country can.
    assert_eq!(turn("43405", "closed").await.refusal(), (409, "conflict".to_owned()));
    turn("25001", "closed").await.expect(200);
    rig.judge().await;
    rig.world.catalogue.refresh().await.unwrap();
    assert_eq!(rig.first().await["operator"], "Ucell", "it does not close by itself");
    turn("434", "closed").await.expect(200);
    assert_eq!(rig.first().await["operator"], "Beeline");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daily_cap_is_set_shown_and_taken_away() {
    let rig = Rig::new().await;
    let path = format!("/v1/operators/{}", rig.world.operators[1]);
    let change = async |cap: i64| {
        let changed = rig.call("PATCH", &path, Some(&rig.house), Some(&json!({"daily_cap": cap}))).await;
        changed.expect(200).json()["daily_cap"].clone()
    };
    assert_eq!(change(2).await, 2);
    for _ in 0..2 {
        rig.sent("sent").await;
    }
    rig.world.catalogue.refresh().await.unwrap();
    let health = rig.get(&rig.house, &format!("{path}/health")).await.expect(200).json();
    assert_eq!((&health["daily_cap"], &health["routed_today"]), (&json!(2), &json!(2)));
    assert_eq!(rig.first().await["operator"], "Ucell");
    assert_eq!(change(0).await, 0);
    assert_eq!(rig.first().await["operator"], "Beeline");
    let wrong = json!({"daily_cap": 1_000_000_000_001_u64});
    assert_eq!(rig.call("PATCH", &path, Some(&rig.house), Some(&wrong)).await.refusal().0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn feedback_is_one_final_opinion_of_a_message_that_was_sent() {
    let rig = Rig::new().await;
    let (first, second, unsent) = (rig.sent("delivered").await, rig.sent("delivered").await, MessageId::generate());
    let give = async |token: &str, id: MessageId, outcome: &str| {
        rig.post(token, &format!("/v1/messages/{id}/feedback"), &json!({"outcome": outcome})).await
    };
    let said = give(&rig.client, first, "converted").await.expect(200).json();
    assert_eq!((&said["message_id"], &said["outcome"]), (&json!(first), &json!("converted")));
    assert_eq!(give(&rig.client, first, "converted").await.expect(200).json(), said, "the same again");
    assert_eq!(give(&rig.client, first, "not_received").await.refusal(), (409, "conflict".to_owned()));
    assert_eq!(give(&rig.client, first, "read").await.refusal().0, 400);
    assert_eq!(give(&rig.client, unsent, "converted").await.refusal().0, 404);
    give(&rig.reseller, second, "not_received").await.expect(200);
    assert_eq!(rig.world.count("SELECT count(*) FROM message_feedback").await, 2);
    let counted = "SELECT count(*) FROM operator_count_deltas WHERE converted + not_received > 0";
    assert_eq!(rig.world.count(counted).await, 0, "both were sent before the account said anything");
    let third = rig.sent("delivered").await;
    for _ in 0..2 {
        give(&rig.client, third, "not_received").await.expect(200);
    }
    assert_eq!(rig.world.count(counted).await, 1, "once");
    let failed = rig.sent("undelivered").await;
    give(&rig.client, failed, "not_received").await.expect(200);
    assert_eq!(rig.world.count(counted).await, 1, "the operator said so itself");
    let waiting = rig.world.message("43405", 1, Utc::now());
    let id = waiting.id;
    accept_gathered(&rig.world.db, &[Single { message: waiting, idempotency: None }]).await.unwrap();
    assert_eq!(give(&rig.client, id, "not_received").await.refusal(), (409, "conflict".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn test_numbers_tell_what_really_arrived() {
    let rig = Rig::new().await;
    let put = async |number: &str, kind: &str| {
        rig.post(&rig.house, "/v1/test-numbers", &json!({"number": number, "kind": kind, "note": "in the safe"})).await
    };
    put("+998901234567", "dead").await.expect(201);
    put("+998931112233", "dead").await.expect(201);
    assert_eq!(put("12", "alive").await.refusal(), (400, "invalid_request".to_owned()));
    let (message, other) = (rig.sent("delivered").await, rig.sent("delivered").await);
    let report = async |message: MessageId, arrived: bool| {
        let body = json!({"message_id": message, "arrived": arrived});
        rig.post(&rig.house, "/v1/test-numbers/998901234567/results", &body).await
    };
    assert_eq!(report(message, false).await.refusal().0, 400, "a dead number has nobody to tell");
    put("+998901234567", "truthful").await.expect(201);
    report(message, true).await.expect(204);
    report(message, false).await.expect(204);
    report(other, false).await.expect(204);
    assert_eq!(report(MessageId::generate(), false).await.refusal().0, 400);
    rig.judge().await;
    let path = format!("/v1/operators/{}/health", rig.world.operators[1]);
    let health = rig.get(&rig.house, &path).await.expect(200).json();
    let score = &health["networks"][0]["score"];
    assert_eq!(
        (&score["trust_permille"], &score["doubts"]),
        (&json!(100), &json!([{"doubt": "untrue_tests", "takes": 900}]))
    );
    rig.world.catalogue.refresh().await.unwrap();
    assert_eq!(rig.first().await["operator"], "Ucell", "it is cheaper, but lies");

    let listed = rig.get(&rig.house, "/v1/test-numbers?limit=1").await.expect(200).json();
    assert_eq!((&listed["data"][0]["number"], &listed["has_more"]), (&json!("+998901234567"), &json!(true)));
    let next = listed["next_cursor"].as_str().unwrap();
    let listed = rig.get(&rig.house, &format!("/v1/test-numbers?cursor={next}")).await.expect(200).json();
    assert_eq!((&listed["data"][0]["kind"], &listed["has_more"]), (&json!("dead"), &json!(false)));
    rig.call("DELETE", "/v1/test-numbers/998931112233", Some(&rig.house), None).await.expect(204);
    assert_eq!(rig.call("DELETE", "/v1/test-numbers/998931112233", Some(&rig.house), None).await.refusal().0, 404);
}
