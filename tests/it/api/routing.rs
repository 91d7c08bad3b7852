//! Routing rules and guards of the margin over the API, and what becomes of messages under them.

use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use contract::queues;
use domain::OperatorId;
use route::Route;
use serde_json::{Value, json};
use store::accept::{Acceptance, Single, accept_gathered};

use super::rig::Rig;
use crate::ledger::pump;

const TO: &str = "+998931234567";

/// The places of the errors in a refusal.
fn pointers(refusal: &Value) -> Vec<String> {
    let errors = refusal["errors"].as_array().cloned().unwrap_or_default();
    errors.iter().map(|error| error["pointer"].as_str().unwrap_or_default().to_owned()).collect()
}

impl Rig {
    async fn rule(&self, body: &Value) -> Value {
        self.post(&self.house, "/v1/routing/rules", body).await.expect(201).json()
    }

    async fn guard(&self, body: &Value) -> Value {
        self.post(&self.house, "/v1/routing/guards", body).await.expect(201).json()
    }

    /// What would become of a message of the client.
    async fn decision(&self, more: &[(&str, Value)]) -> Value {
        let mut ask = json!({"to": TO, "account_id": self.world.client});
        for (name, value) in more {
            ask[*name] = value.clone();
        }
        self.post(&self.house, "/v1/routing/decision", &ask).await.expect(200).json()
    }

    /// Candidates as `name` or `name: why not`.
    async fn ranked(&self, more: &[(&str, Value)]) -> Vec<String> {
        let decision = self.decision(more).await;
        let one = |candidate: &Value| {
            let (name, reason) = (candidate["operator"].as_str().unwrap(), candidate["reason"].as_str().unwrap());
            if candidate["rank"].is_null() { format!("{name}: {reason}") } else { name.to_owned() }
        };
        decision["candidates"].as_array().unwrap().iter().map(one).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_holds_at_once_in_its_newest_version_and_can_be_ended() {
    let rig = Rig::new().await;
    let [ucell, beeline] = rig.world.operators;
    let rule = rig
        .rule(&json!({
            "name": "Banks by Ucell", "position": 10, "reason": "contract 7",
            "when": {"networks": ["434"], "senders": ["Bank*"], "segments_max": 2},
            "then": {"strategy": "priority", "operators": [{"operator_id": ucell}]},
        }))
        .await;
    assert_eq!((&rule["version"], &rule["reason"]), (&json!(1), &json!("contract 7")));
    let bank = [("from", json!("BANK OF A"))];
    assert_eq!(rig.ranked(&[]).await, ["Beeline", "Ucell"]);
    assert_eq!(rig.ranked(&bank).await, ["Ucell", "Beeline: the rule names others"]);
    assert_eq!(rig.ranked(&[bank[0].clone(), ("segments", json!(3))]).await, ["Beeline", "Ucell"]);
    let decision = rig.decision(&bank).await;
    assert_eq!((&decision["rule"]["name"], &decision["strategy"]), (&json!("Banks by Ucell"), &json!("priority")));
    let names = ["mcc_mnc", "network", "country", "country_name"].map(|name| decision[name].as_str().unwrap());
    assert_eq!(names, ["43405", "Ucell", "UZ", "Uzbekistan"]);

    let path = format!("/v1/routing/rules/{}", rule["id"].as_str().unwrap());
    let second = json!({
        "name": "Banks by Ucell", "position": 10,
        "when": {"networks": ["434"], "senders": ["Bank*"]},
        "then": {"except": [beeline]},
    });
    let second = rig.call("PUT", &path, Some(&rig.house), Some(&second)).await.expect(200).json();
    assert_eq!(second["version"], 2);
    assert_eq!(rig.ranked(&bank).await, ["Ucell", "Beeline: the rule excepts it"]);
    let history = rig.get(&rig.house, &path).await.expect(200).json();
    let changes: Vec<&str> =
        history["versions"][0]["changes"].as_array().unwrap().iter().map(|c| c["pointer"].as_str().unwrap()).collect();
    assert_eq!(changes, ["/then/except", "/then/operators", "/then/strategy", "/when/segments_max"]);
    assert_eq!(history["versions"][1]["effective_to"], history["versions"][0]["effective_from"]);
    assert_eq!(history["versions"][1]["changes"], json!([]));

    assert_eq!(rig.get(&rig.house, "/v1/routing/rules").await.expect(200).json()["data"].as_array().unwrap().len(), 1);
    rig.call("DELETE", &path, Some(&rig.house), None).await.expect(204);
    assert_eq!(rig.ranked(&bank).await, ["Beeline", "Ucell"]);
    assert_eq!(rig.call("DELETE", &path, Some(&rig.house), None).await.refusal().0, 404);
    rig.get(&rig.house, &path).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_of_later_begins_in_its_time() {
    let rig = Rig::new().await;
    let tomorrow = Utc::now() + TimeDelta::days(1);
    let from = tomorrow.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let block = json!({"name": "Closed", "position": 1, "then": {"strategy": "block"}, "effective_from": from});
    rig.rule(&block).await;
    assert_eq!(rig.ranked(&[]).await, ["Beeline", "Ucell"]);
    let later = rig.decision(&[("at", json!(from))]).await;
    assert_eq!((&later["operator_id"], &later["code"]), (&Value::Null, &json!("blocked_by_rule")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_of_later_is_taken_back_and_gives_its_number_to_nobody() {
    let rig = Rig::new().await;
    let day = |days| (Utc::now() + TimeDelta::days(days)).to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let says = |from: Option<&String>, strategy: &str| json!({"name": "R", "position": 1, "then": {"strategy": strategy}, "effective_from": from});
    let id = rig.rule(&says(None, "least_cost")).await["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/routing/rules/{id}");
    let put = async |body: &Value| rig.call("PUT", &path, Some(&rig.house), Some(body)).await.expect(200).json();
    let versions = async || {
        let history = rig.get(&rig.house, &path).await.expect(200).json();
        let one = |row: &Value| (row["version"].as_u64().unwrap(), row["effective_to"].as_str().map(str::to_owned));
        history["versions"].as_array().unwrap().iter().map(one).collect::<Vec<_>>()
    };
    let withdraw =
        async |version: u64| rig.call("DELETE", &format!("{path}/versions/{version}"), Some(&rig.house), None).await;
    let (tomorrow, later) = (day(1), day(2));
    put(&says(Some(&later), "block")).await;
    let between = put(&says(Some(&tomorrow), "quality")).await;
    assert_eq!(between["effective_to"], later, "it ends where a later one begins");
    assert_eq!(versions().await, [(3, Some(later.clone())), (2, None), (1, Some(tomorrow.clone()))]);
    withdraw(3).await.expect(204);
    assert_eq!(versions().await, [(2, None), (1, Some(later))]);
    withdraw(2).await.expect(204);
    assert_eq!(versions().await, [(1, None)]);
    assert_eq!(withdraw(2).await.refusal().0, 404);
    assert_eq!(withdraw(1).await.refusal(), (409, "conflict".to_owned()), "it holds");
    assert_eq!(rig.call("DELETE", &format!("{path}/versions/x"), Some(&rig.house), None).await.refusal().0, 404);
    assert_eq!(put(&says(Some(&tomorrow), "block")).await["version"], 4);
    rig.call("DELETE", &path, Some(&rig.house), None).await.expect(204);
    assert_eq!(versions().await.iter().map(|(version, _)| *version).collect::<Vec<_>>(), [1]);
    assert_eq!(put(&says(None, "quality")).await["version"], 5);
    let trail = rig.get(&rig.house, "/v1/audit-logs").await.expect(200).json();
    let actions: Vec<&Value> = trail["data"].as_array().unwrap().iter().map(|entry| &entry["action"]).collect();
    assert!(actions.contains(&&json!("routing_rule.withdraw")), "{actions:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn weights_share_messages_out() {
    let rig = Rig::new().await;
    let [ucell, beeline] = rig.world.operators;
    let shares = json!([{"operator_id": ucell, "weight": 1}, {"operator_id": beeline, "weight": 0}]);
    rig.rule(&json!({"name": "One", "position": 1, "then": {"strategy": "weighted", "operators": shares}})).await;
    for _ in 0..10 {
        assert_eq!(rig.ranked(&[]).await, ["Ucell", "Beeline"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_earns_too_little_is_refused_unless_somebody_allowed_it() {
    let rig = Rig::new().await;
    let [ucell, beeline] = rig.world.operators;
    // The reseller pays 60; Ucell costs 50 and Beeline 45.
    let decision = rig.decision(&[]).await;
    assert_eq!((&decision["earned"], &decision["candidates"][0]["margin"]), (&json!("60.00"), &json!("15.00")));
    let rows = [
        (json!({"min": "12"}), vec!["Beeline", "Ucell: a segment would earn too little"]),
        (json!({"min": "0", "min_permille": 240}), vec!["Beeline", "Ucell: a segment would earn too little"]),
        (
            json!({"operator_id": beeline, "min": "16"}),
            vec!["Beeline: a segment would earn too little", "Ucell: a segment would earn too little"],
        ),
        (
            json!({"operator_id": ucell, "on_breach": "allow", "reason": "a trial", "min": "11"}),
            vec!["Ucell", "Beeline: a segment would earn too little"],
        ),
        (json!({"account_id": rig.world.reseller, "min": "10"}), vec!["Beeline", "Ucell"]),
        (
            json!({"account_id": rig.world.client, "mcc": "434", "mnc": "05", "min": "15", "on_breach": "alert"}),
            vec!["Beeline", "Ucell"],
        ),
    ];
    for (guard, expected) in rows {
        rig.guard(&guard).await;
        assert_eq!(rig.ranked(&[]).await, expected, "{guard}");
    }
    let decision = rig.decision(&[]).await;
    assert_eq!(
        (&decision["candidates"][1]["breach"], &decision["candidates"][0]["breach"]),
        (&json!("alert"), &Value::Null)
    );
    let guards = rig.get(&rig.house, "/v1/routing/guards").await.expect(200).json();
    let guards = guards["data"].as_array().unwrap().clone();
    assert_eq!(guards.len(), 6);
    assert_eq!(guards[4]["effective_from"], guards[5]["effective_to"], "a guard closes the one before it");
    for guard in guards.iter().filter(|guard| guard["effective_to"].is_null()) {
        let path = format!("/v1/routing/guards/{}", guard["id"].as_str().unwrap());
        rig.call("DELETE", &path, Some(&rig.house), None).await.expect(204);
    }
    assert_eq!(rig.ranked(&[]).await, ["Beeline", "Ucell"]);
    assert_eq!(rig.ranked(&[("account_id", json!(rig.world.house))]).await, ["Beeline", "Ucell"], "its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_of_later_that_is_taken_back_is_as_if_it_had_never_been() {
    let rig = Rig::new().await;
    let at = |days: i64| (Utc::now() + TimeDelta::days(days)).to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let [soon, later] = [at(1), at(2)];
    rig.guard(&json!({"min": "12"})).await;
    let second = rig.guard(&json!({"min": "0", "effective_from": later})).await;
    let between = rig.guard(&json!({"min": "16", "effective_from": soon})).await;
    // The guards from the newest, as when they begin, none for the first, and when they end.
    let guards = async || {
        let guards = rig.get(&rig.house, "/v1/routing/guards").await.expect(200).json();
        let one = |guard: &Value| {
            let from = guard["effective_from"].as_str().unwrap().to_owned();
            (Some(from).filter(|from| *from >= soon), guard["effective_to"].as_str().map(str::to_owned))
        };
        guards["data"].as_array().unwrap().iter().map(one).collect::<Vec<_>>()
    };
    let take_back = async |guard: &Value| {
        let path = format!("/v1/routing/guards/{}", guard["id"].as_str().unwrap());
        rig.call("DELETE", &path, Some(&rig.house), None).await.expect(204);
    };
    let [some_soon, some_later] = [Some(soon.clone()), Some(later.clone())];
    let first = |ends: &Option<String>| (None, ends.clone());
    let last = (some_later.clone(), None);
    assert_eq!(guards().await, [(some_soon.clone(), some_later.clone()), last.clone(), first(&some_soon)]);
    take_back(&between).await;
    assert_eq!(guards().await, [last, first(&some_later)]);
    take_back(&second).await;
    assert_eq!(guards().await, [(None, None)]);
    let in_three_days = [("at", json!(at(3)))];
    assert_eq!(rig.ranked(&in_three_days).await, ["Beeline", "Ucell: a segment would earn too little"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named() {
    let rig = Rig::new().await;
    let nobody = OperatorId::generate();
    let rule = json!({
        "name": " ", "position": 1, "effective_from": "2020-01-01T00:00:00Z",
        "when": {"networks": ["43"], "prefixes": ["+998"], "segments_min": 3, "segments_max": 2, "encodings": ["morse"],
            "hours": [{"from_minute": 9, "until_minute": 9}]},
        "then": {"strategy": "dearest", "operators": [{"operator_id": nobody, "weight": 2_000_000}], "except": ["op_x"]},
    });
    let told = pointers(&rig.post(&rig.house, "/v1/routing/rules", &rule).await.json());
    let expected = [
        "/name",
        "/effective_from",
        "/when/segments_max",
        "/when/networks/0",
        "/when/prefixes/0",
        "/when/encodings/0",
        "/when/hours/0/until_minute",
        "/then/strategy",
        "/then/operators/0/weight",
        "/then/operators/0/operator_id",
        "/then/except/0",
    ];
    assert_eq!(told, expected);
    for (guard, expected) in [
        (json!({"mnc": "05"}), "/mnc"),
        (json!({"on_breach": "allow"}), "/reason"),
        (json!({"on_breach": "shrug"}), "/on_breach"),
        (json!({"min_permille": 1001}), "/min_permille"),
        (json!({"account_id": domain::AccountId::generate()}), "/account_id"),
        (json!({"operator_id": nobody}), "/operator_id"),
        (json!({"min": "much"}), "/min"),
    ] {
        let refused = rig.post(&rig.house, "/v1/routing/guards", &guard).await.expect(400).json();
        assert_eq!(pointers(&refused), [expected], "{guard}");
    }
}

/// A message of the client, accepted and routed.
async fn routed(rig: &Rig) -> domain::MessageId {
    let world = &rig.world;
    let message = world.message("43405", 1, Utc::now());
    let id = message.id;
    let stored = accept_gathered(&world.db, &[Single { message, idempotency: None }]).await.unwrap();
    assert_eq!(stored, [Acceptance::Stored]);
    let route = Route::new(world.db.clone(), Arc::clone(&world.catalogue), Arc::new(host::clock::System));
    pump(world, &route, queues::ROUTE).await;
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_nobody_may_carry_ends_and_says_why() {
    let rig = Rig::new().await;
    rig.guard(&json!({"min": "20"})).await;
    let id = routed(&rig).await;
    let told = rig.get(&rig.house, &format!("/v1/messages/{id}")).await.expect(200).json();
    assert_eq!((&told["state"], &told["code"]), (&json!("rejected"), &json!("below_margin")));
    let decision = &told["decision"];
    assert_eq!(decision["candidates"][0]["excluded"], "margin");
    assert_eq!(decision["earned"], "60.00");
    assert_eq!(rig.world.wallet(rig.world.client).await.1, 0, "nothing stays held");
    rig.world.assert_books_are_right().await;
    let told = rig.get(&rig.client, &format!("/v1/messages/{id}")).await.expect(200).json();
    assert_eq!(told["decision"], Value::Null, "what the house earns is not for its customers");
}
