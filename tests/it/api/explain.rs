//! Messages explained: to the house all of it, to everybody below only what is theirs.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use contract::{OutcomeClass, ReceiptState, queues};
use domain::reroute::Policy;
use domain::{MessageId, OperatorId};
use http::{Request, header};
use route::Route;
use serde_json::{Value, json};
use store::sweep::Retention;

use super::rig::{Rig, answer, send};
use crate::failover::bound;
use crate::ledger::pump;
use crate::road::Road;

impl Rig {
    /// A message of the client that was routed.
    async fn routed(&self) -> String {
        let id = self.post(&self.client, "/v1/messages", &send(&json!({}))).await.expect(201).text("id");
        let clock: Arc<dyn host::Clock> = Arc::new(host::clock::System);
        let route = Route::new(self.world.db.clone(), self.world.catalogue.clone(), clock);
        assert_eq!(pump(&self.world, &route, queues::ROUTE).await, 1);
        id
    }

    async fn explanation(&self, key: &str, id: &str) -> Value {
        self.get(key, &format!("/v1/messages/{id}/explanation")).await.expect(200).json()
    }
}

fn prices(explanation: &Value) -> Vec<&str> {
    let payers = explanation["payers"].as_array().unwrap();
    payers.iter().map(|payer| payer["price"].as_str().unwrap()).collect()
}

async fn submit(rig: &Rig, id: &str, operator: OperatorId) {
    let uuid = id.parse::<domain::MessageId>().unwrap().uuid();
    sqlx::query(
        "INSERT INTO message_parts (message_id, hop, segment, operator_id, smpp_message_id, submit_status, submitted_at,
           state, segments, account_id)
         SELECT $1, 0, 1, $2, 'abc', 69, now(), 'failed', 1, account_id FROM messages WHERE id = $1",
    )
    .bind(uuid)
    .bind(operator.uuid())
    .execute(rig.world.pool())
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_explained_as_far_as_the_caller_may_see() {
    let rig = Rig::new().await;
    let [ucell, beeline] = rig.world.operators;
    let rule = json!({"name": "Ours", "position": 1, "reason": "contract 7", "when": {"networks": ["434"]},
        "then": {"strategy": "priority", "operators": [{"operator_id": ucell}]}});
    let rule = rig.post(&rig.house, "/v1/routing/rules", &rule).await.expect(201).json();
    let id = rig.routed().await;
    submit(&rig, &id, ucell).await;

    let all = rig.explanation(&rig.house, &id).await;
    assert_eq!(prices(&all), ["80.00", "60.00"]);
    assert_eq!(all["margin"], "10.00");
    assert_eq!(all["payers"][0]["tariff"]["mcc_mnc"], "43405");
    assert_eq!(all["payers"][1]["tariff"]["mcc_mnc"], "434");
    let said = &all["routing"]["rule"];
    assert_eq!((&said["id"], &said["version"], &said["reason"]), (&rule["id"], &json!(1), &json!("contract 7")));
    assert_eq!((&said["when"]["networks"], &said["then"]["strategy"]), (&json!(["434"]), &json!("priority")));
    let candidates = all["routing"]["candidates"].as_array().unwrap();
    let told: Vec<(&str, &str)> =
        candidates.iter().map(|c| (c["operator"].as_str().unwrap(), c["reason"].as_str().unwrap())).collect();
    assert_eq!(told[1], ("Beeline", "the rule names others"));
    assert_eq!(candidates[0]["rank"], 1);
    let rates = all["routing"]["rates"].as_array().unwrap();
    assert!(rates.iter().any(|rate| rate["id"] == candidates[0]["rate_id"] && rate["price"] == "50.00"), "{rates:?}");
    assert_eq!((&all["hops"][0]["operator"], &all["hops"][0]["hop"]), (&json!("Ucell"), &json!(0)));
    assert_eq!(all["hops"][0]["outcome"], "refused with SMPP status 0x00000045");
    assert_eq!(all["summary"], "queued: it is still under way");

    // What was said then is told, whatever the rule says now.
    let path = format!("/v1/routing/rules/{}", rule["id"].as_str().unwrap());
    let second = json!({"name": "Other", "position": 1, "then": {"strategy": "block"}});
    rig.call("PUT", &path, Some(&rig.house), Some(&second)).await.expect(200);
    let said = rig.explanation(&rig.house, &id).await["routing"]["rule"].clone();
    assert_eq!((&said["name"], &said["then"]["strategy"]), (&json!("Ours"), &json!("priority")));

    let reseller = rig.explanation(&rig.reseller, &id).await;
    assert_eq!((prices(&reseller), &reseller["margin"]), (vec!["80.00", "60.00"], &json!("20.00")));
    let client = rig.explanation(&rig.client, &id).await;
    assert_eq!((prices(&client), &client["margin"]), (vec!["80.00"], &Value::Null));
    for mut seen in [reseller, client] {
        // An operator of the test is called like the network, whose name is no secret.
        assert_eq!((seen["network"].take(), &seen["country"]), (json!("Ucell"), &json!("UZ")));
        let text = seen.to_string();
        let secrets =
            [ucell.to_string(), beeline.to_string(), "Ucell".to_owned(), "50.00".to_owned(), "rate_".to_owned()];
        assert!(secrets.iter().all(|secret| !text.contains(secret.as_str())), "{text}");
        assert!(seen.get("routing").is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_plan_asks_everywhere_else_is_explained_like_any_price() {
    let rig = Rig::new().await;
    // The reseller's price is that of its plan for wherever it names no other.
    sqlx::query("UPDATE tariffs SET mcc = NULL WHERE price_micros = 60000000").execute(rig.world.pool()).await.unwrap();
    rig.world.catalogue.refresh().await.unwrap();
    let id = rig.routed().await;
    for (key, expected) in [(&rig.house, vec!["80.00", "60.00"]), (&rig.reseller, vec!["80.00", "60.00"])] {
        let told = rig.explanation(key, &id).await;
        assert_eq!(prices(&told), expected);
        let tariff = &told["payers"][1]["tariff"];
        assert_eq!((&tariff["mcc_mnc"], &tariff["price"]), (&Value::Null, &json!("60.00")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_nobody_carries_says_why_and_what_to_do() {
    let rig = Rig::new().await;
    rig.post(&rig.house, "/v1/routing/guards", &json!({"min": "100"})).await.expect(201);
    let id = rig.routed().await;
    let told = rig.explanation(&rig.house, &id).await;
    let summary = "rejected: every operator costs more than the margin guard lets it cost";
    assert_eq!((&told["state"], &told["code"]), (&json!("rejected"), &json!("below_margin")));
    assert_eq!(told["summary"], summary);
    assert!(told["to_do"].as_str().unwrap().starts_with("raise the price"), "{told}");
    let reasons = told["routing"]["candidates"].as_array().unwrap().iter().map(|c| c["reason"].as_str().unwrap());
    assert_eq!(reasons.collect::<Vec<_>>(), ["a segment would earn too little"; 2]);
    // The client hears that it ended, not how to earn more by it.
    let told = rig.explanation(&rig.client, &id).await;
    assert_eq!((&told["to_do"], told["summary"].as_str().unwrap().contains("margin")), (&Value::Null, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_are_kept_as_long_as_messages_may_name_them() {
    let rig = Rig::new().await;
    let id = rig.routed().await;
    let age = async |days: i32| {
        let age = sqlx::query("UPDATE routing_decisions SET used_at = now() - make_interval(days => $1)").bind(days);
        age.execute(rig.world.pool()).await.unwrap();
    };
    let clock: Arc<dyn host::Clock> = Arc::new(host::clock::System);
    let sweep = sweep::Sweep::new(rig.world.db.clone(), rig.world.queue.clone(), clock, Retention::default());
    let decisions = async || rig.world.count("SELECT count(*) FROM routing_decisions").await;
    // Whoever is routed alike uses the same decision, which is young again.
    age(500).await;
    rig.routed().await;
    sweep.partitions().await.unwrap();
    assert_eq!(decisions().await, 1);
    age(401).await;
    sweep.partitions().await.unwrap();
    assert_eq!(decisions().await, 1);
    age(403).await;
    sweep.partitions().await.unwrap();
    assert_eq!(decisions().await, 0);
    let told = rig.explanation(&rig.house, &id).await;
    assert_eq!((told.get("routing"), prices(&told)), (None, vec!["80.00", "60.00"]));
}

/// A company on the road, and the API beside it.
struct Watched {
    road: Road,
    router: Router,
    house: String,
    client: String,
}

impl Watched {
    async fn new() -> Self {
        let Rig { world, router, house, client, .. } = Rig::new().await;
        Self { road: Road::of(world), router, house, client }
    }

    async fn explanation(&self, key: &str, id: MessageId) -> Value {
        let request = Request::get(format!("/v1/messages/{id}/explanation"));
        let request = request.header(header::AUTHORIZATION, format!("Bearer {key}")).body(Body::empty()).unwrap();
        answer(&self.router, request).await.expect(200).json()
    }
}

/// The candidates of a decision, each with its reason.
fn reasons(routing: &Value) -> Vec<(&str, &str)> {
    let candidates = routing["candidates"].as_array().unwrap().iter();
    candidates.map(|one| (one["operator"].as_str().unwrap(), one["reason"].as_str().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_for_another_operator_that_finds_none_is_explained_beside_the_first() {
    let refused = "refused with SMPP status 0x00000045";
    // Whether Beeline takes the message and does not deliver it, or refuses it; how that ends; why nobody else takes it.
    for (is_taken, outcome, ends, code, why) in [
        (true, "taken, undelivered, error 0b2", "undelivered", "below_margin", "a segment would earn too little"),
        (false, refused, "failed", "routes_exhausted", "switched off"),
    ] {
        let watched = Watched::new().await;
        let Watched { road, house, client, .. } = &watched;
        let [ucell, beeline] = road.world.operators;
        road.set_policy(Policy { hops_max: 2, receipt_timeout_seconds: None }).await;
        let id = road.send(road.world.message("43405", 1, road.now())).await;
        let submit = road.one(beeline).await;
        if is_taken {
            road.accepts(beeline, &submit).await;
            road.tells(beeline, &submit, 1, ReceiptState::Undeliverable).await;
        } else {
            sqlx::query("UPDATE operators SET enabled = false WHERE id = $1")
                .bind(ucell.uuid())
                .execute(road.world.pool())
                .await
                .unwrap();
            road.world.catalogue.refresh().await.unwrap();
            road.answer(beeline, &submit, OutcomeClass::Temporary, &[0x45]).await;
        }
        let told = watched.explanation(house, id).await;
        assert_eq!((&told["state"], &told["hops"][0]["outcome"]), (&json!(ends), &json!(outcome)));
        assert_eq!(reasons(&told["routing"])[0].0, "Beeline", "how its operator was chosen stays: {told}");
        assert_eq!(told["routing"]["candidates"][0]["rank"], 1);
        let looks = told["in_vain"].as_array().unwrap();
        assert_eq!((looks.len(), &looks[0]["code"]), (1, &json!(code)), "{told}");
        let mut found = reasons(&looks[0]["routing"]);
        found.sort_unstable();
        assert_eq!(found, [("Beeline", "was tried before"), ("Ucell", why)]);
        let told = watched.explanation(client, id).await;
        assert_eq!((told.get("in_vain"), told.get("routing")), (None, None));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_never_got_the_message_is_one_of_its_hops() {
    let watched = Watched::new().await;
    let Watched { road, house, .. } = &watched;
    let [ucell, beeline] = road.world.operators;
    let later = async |seconds: u64, is_up: i32| {
        road.clock.advance(Duration::from_secs(seconds));
        bound(road, beeline, is_up).await;
        bound(road, ucell, 1).await;
        road.sweep.failover().await.unwrap();
        road.route().await;
    };
    later(0, 1).await;
    let id = road.send(road.world.message("43405", 1, road.now())).await;
    later(1, 0).await;
    later(61, 0).await;
    let submit = road.one(ucell).await;
    road.accepts(ucell, &submit).await;
    let told = watched.explanation(house, id).await;
    let hops = told["hops"].as_array().unwrap();
    let of = |hop: &Value| (hop["operator"].clone(), hop["outcome"].clone(), hop["submitted_at"].is_null());
    assert_eq!(
        hops.iter().map(of).collect::<Vec<_>>(),
        [
            (json!("Beeline"), json!("taken back before it was submitted"), true),
            (json!("Ucell"), json!("taken, sent"), false)
        ]
    );
    assert_eq!(reasons(&hops[0]["routing"])[0].0, "Beeline");
    assert_eq!(reasons(&told["routing"])[0].0, "Ucell");
}
