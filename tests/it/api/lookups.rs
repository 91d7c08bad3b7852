//! Look-ups of numbers: who is asked before messages are priced, who pays, and what goes before what. The provider speaks
//! real HTTP.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use api::Settings;
use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use domain::AccountId;
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};
use store::ledger::Extent;

use super::rig::{RICH, Rig, send};
use crate::world::{CLIENT_DELIVERED, CLIENT_SUBMIT, RESELLER};

/// What a look-up costs client, reseller and house, in millionths.
const CLIENT_PRICE: i64 = 3_000_000;
const RESELLER_PRICE: i64 = 2_000_000;
const COST: i64 = 500_000;

/// A provider of look-ups.
#[derive(Clone, Default)]
struct Fake {
    /// The network of each number; of others it knows nothing.
    numbers: Arc<Mutex<HashMap<String, &'static str>>>,
    asked: Arc<AtomicUsize>,
    /// It never answers.
    hangs: bool,
}

impl Fake {
    async fn serve(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1/{{number}}", listener.local_addr().unwrap());
        let router = Router::new().route("/v1/{number}", get(answer)).with_state(self.clone());
        tokio::spawn(axum::serve(listener, router).into_future());
        url
    }

    fn knows(&self, number: &str, network: &'static str) {
        self.numbers.lock().unwrap().insert(number.to_owned(), network);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn answer(State(fake): State<Fake>, Path(number): Path<String>, headers: HeaderMap) -> (StatusCode, Json<Value>) {
    fake.asked.fetch_add(1, Ordering::SeqCst);
    if fake.hangs {
        std::future::pending::<()>().await;
    }
    if headers.get(header::AUTHORIZATION).is_none_or(|value| value != "Bearer secret of the provider") {
        return (StatusCode::UNAUTHORIZED, Json(Value::Null));
    }
    match fake.numbers.lock().unwrap().get(&number) {
        Some(network) => (StatusCode::OK, Json(json!({"result": {"plmn": network, "ported": "yes", "up": true}}))),
        None => (StatusCode::OK, Json(json!({"result": null}))),
    }
}

/// The company with a provider, a reseller and a client that agreed to look-ups.
async fn rig(fake: &Fake, policy: &str) -> Rig {
    let settings = Settings { segments_per_second: 1_000_000, private_webhooks: true, ..Settings::default() };
    let rig = Rig::with(RICH, settings).await;
    let provider = json!({"name": "Portability", "url": fake.serve().await, "header": "Authorization",
        "secret": "Bearer secret of the provider", "timeout_ms": 300, "cost": "0.5", "currency": "UZS",
        "fields": {"network": "/result/plmn", "ported": "/result/ported", "reachable": "/result/up"}});
    let made = rig.post(&rig.house, "/v1/lookup-providers", &provider).await.expect(201).json();
    assert!(!made.to_string().contains("secret of"), "the secret is not shown: {made}");
    rig.agree(&rig.house, rig.world.reseller, &json!({"policy": policy, "price": "2"})).await;
    rig.agree(&rig.reseller, rig.world.client, &json!({"policy": null, "price": "3"})).await;
    rig
}

impl Rig {
    async fn agree(&self, token: &str, account: AccountId, terms: &Value) {
        let path = format!("/v1/accounts/{account}/lookups");
        self.call("PUT", &path, Some(token), Some(terms)).await.expect(200);
    }

    async fn look_up(&self, number: &str) -> Value {
        self.get(&self.client, &format!("/v1/lookups/{number}")).await.expect(200).json()
    }

    /// Sends as the client; answers the network that it was priced for, and the price.
    async fn priced(&self, to: &str) -> (String, String) {
        let sent = self.post(&self.client, "/v1/messages", &send(&json!({"to": to}))).await.expect(201).json();
        (sent["mcc_mnc"].as_str().unwrap().to_owned(), sent["cost"]["total"].as_str().unwrap().to_owned())
    }

    /// What the wallets of client and reseller have paid and set aside since they were filled.
    async fn spent(&self) -> [(i64, i64); 2] {
        let mut spent = [(0, 0); 2];
        for (at, account) in [self.world.client, self.world.reseller].into_iter().enumerate() {
            let (posted, held) = self.world.wallet(account).await;
            spent[at] = (RICH - posted, held);
        }
        spent
    }
}

fn seen(lookup: &Value) -> [&str; 4] {
    ["mcc", "mnc", "network", "source"].map(|field| lookup[field].as_str().unwrap_or("-"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_up_is_asked_once_charged_up_the_chain_and_then_remembered() {
    let fake = Fake::default();
    fake.knows("998931234567", "43408");
    let rig = rig(&fake, "always").await;
    let found = rig.look_up("+998931234567").await;
    assert_eq!(seen(&found), ["434", "08", "Uzmobile", "provider"], "{found}");
    assert_eq!((&found["ported"], &found["reachable"], &found["country"]), (&json!(true), &json!(true), &json!("UZ")));
    assert_eq!(found["price"], json!({"total": "3.00", "currency": "UZS"}));
    assert_eq!(rig.spent().await, [(CLIENT_PRICE, 0), (RESELLER_PRICE, 0)]);
    let lines: Vec<(String, i64)> = sqlx::query_as(
        "SELECT ledger, sum(posted_micros)::bigint FROM balance_ledger WHERE operation = 'lookup' GROUP BY ledger ORDER BY ledger",
    )
    .fetch_all(rig.world.pool())
    .await
    .unwrap();
    let paid = CLIENT_PRICE + RESELLER_PRICE;
    let expected = [("revenue", paid), ("supplier", COST), ("supplier_cost", -COST), ("wallet", -paid)];
    assert_eq!(lines, expected.map(|(ledger, sum)| (ledger.to_owned(), sum)));
    let again = rig.look_up("998931234567").await;
    assert_eq!(seen(&again), ["434", "08", "Uzmobile", "cache"]);
    assert_eq!((&again["price"]["total"], fake.asked()), (&json!("0.00"), 1));
    // A provider that knows nothing of a number costs nothing, and its prefix decides.
    let unknown = rig.look_up("+998931234568").await;
    assert_eq!(seen(&unknown), ["434", "05", "Ucell", "prefix"]);
    assert_eq!(rig.spent().await, [(CLIENT_PRICE, 0), (RESELLER_PRICE, 0)]);
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_priced_and_routed_where_its_number_is() {
    let fake = Fake::default();
    for number in ["998931234567", "998931234570", "998931234571"] {
        fake.knows(number, "43404");
    }
    let rig = rig(&fake, "always").await;
    assert_eq!(rig.priced("+998931234567").await, ("43404".to_owned(), "90.00".to_owned()));
    assert_eq!(rig.spent().await, [(CLIENT_PRICE, CLIENT_DELIVERED), (RESELLER_PRICE, RESELLER)]);
    assert_eq!(rig.priced("+998931234567").await.0, "43404", "remembered");
    assert_eq!(rig.priced("+998931234569").await.0, "43405", "nobody knows better than the prefix");
    assert_eq!(fake.asked(), 2);
    let one = |to: &str| send(&json!({"to": to}));
    let refused = json!({"to": "+998931234572", "from": "Stranger", "text": "x"});
    let messages = json!({"messages": [one("+998931234570"), one("+998931234571"), one("+998931234571"), refused]});
    let batch = rig.post(&rig.client, "/v1/messages/batch", &messages).await.expect(202).json();
    let networks: Vec<&Value> = (0..4).map(|at| &batch["results"][at]["message"]["mcc_mnc"]).collect();
    assert_eq!(networks, [&json!("43404"), &json!("43404"), &json!("43404"), &Value::Null]);
    assert_eq!(fake.asked(), 4, "each number once, and nothing for what is refused anyway");
    assert_eq!(rig.spent().await[0], (3 * CLIENT_PRICE, 5 * CLIENT_DELIVERED + CLIENT_SUBMIT));
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_says_what_is_asked() {
    let fake = Fake::default();
    for number in ["998931234567", "998931234568", "998931234569"] {
        fake.knows(number, "43408");
    }
    let rig = rig(&fake, "never").await;
    assert_eq!((seen(&rig.look_up("998931234567").await), fake.asked()), (["434", "05", "Ucell", "prefix"], 0));
    rig.agree(&rig.house, rig.world.reseller, &json!({"policy": "always"})).await;
    assert_eq!(
        seen(&rig.look_up("998931234567").await)[3],
        "provider",
        "what the reseller agreed holds for its client"
    );
    assert_eq!(rig.spent().await, [(CLIENT_PRICE, 0), (0, 0)], "the house absorbs what the reseller does not pay");
    rig.agree(&rig.reseller, rig.world.client, &json!({"policy": "cached", "price": "3"})).await;
    assert_eq!(seen(&rig.look_up("998931234567").await)[3], "cache");
    assert_eq!(seen(&rig.look_up("998931234568").await), ["434", "05", "Ucell", "prefix"]);
    rig.agree(&rig.reseller, rig.world.client, &json!({"policy": "never"})).await;
    assert_eq!(seen(&rig.look_up("998931234567").await)[3], "prefix", "not even what is known");
    assert_eq!(fake.asked(), 1);
    // Above the wallet: nobody is asked, nothing is charged; a message goes by its prefix.
    rig.agree(&rig.reseller, rig.world.client, &json!({"policy": "always", "price": "1000000"})).await;
    let refused = rig.get(&rig.client, "/v1/lookups/998931234569").await;
    assert_eq!((refused.refusal(), fake.asked()), ((402, "insufficient_credit".to_owned()), 1));
    assert_eq!(rig.priced("+998931234569").await.0, "43405");
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_believed_for_its_lifetime_by_messages_and_decisions_alike() {
    let fake = Fake::default();
    fake.knows("998931234567", "43404");
    let rig = rig(&fake, "always").await;
    let decided = async |account: AccountId| {
        let question = json!({"to": "+998931234567", "account_id": account});
        let told = rig.post(&rig.house, "/v1/routing/decision", &question).await.expect(200).json();
        told["mcc_mnc"].as_str().unwrap().to_owned()
    };
    assert_eq!(decided(rig.world.client).await, "43405", "a decision asks nobody");
    assert_eq!((rig.priced("+998931234567").await.0, fake.asked()), ("43404".to_owned(), 1));
    assert_eq!(decided(rig.world.client).await, "43404");
    assert_eq!(decided(rig.world.house).await, "43405", "the house agreed to no look-ups");
    let left: i64 =
        rig.world.count("SELECT extract(epoch FROM expires_at - looked_up_at)::bigint FROM number_lookups").await;
    let told = rig.get(&rig.house, "/v1/lookup-providers").await.expect(200).json();
    assert_eq!(json!(left), told["data"][0]["lifetime_seconds"]);
    sqlx::query("UPDATE number_lookups SET looked_up_at = looked_up_at - interval '400 days', expires_at = now() - interval '1 hour'")
        .execute(rig.world.pool())
        .await
        .unwrap();
    assert_eq!(decided(rig.world.client).await, "43405");
    rig.agree(&rig.reseller, rig.world.client, &json!({"policy": "cached", "price": "3"})).await;
    assert_eq!(seen(&rig.look_up("998931234567").await)[3], "prefix", "what is over is known no more");
    assert_eq!(fake.asked(), 1);
    rig.agree(&rig.reseller, rig.world.client, &json!({"policy": "always", "price": "3"})).await;
    assert_eq!(seen(&rig.look_up("998931234567").await)[3], "provider");
    assert_eq!((fake.asked(), rig.spent().await[0].0), (2, 2 * CLIENT_PRICE), "asked again, and charged again");
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_hangs_holds_messages_up_for_its_time_at_most() {
    let fake = Fake { hangs: true, ..Fake::default() };
    let rig = rig(&fake, "always").await;
    let started = Instant::now();
    assert_eq!(rig.priced("+998931234567").await.0, "43405");
    assert!(started.elapsed() >= Duration::from_millis(300) && started.elapsed() < Duration::from_secs(5));
    for number in 0..20 {
        rig.priced(&format!("+9989312346{number:02}")).await;
    }
    assert_eq!(fake.asked(), 5, "after five failures it is left alone for a while");
    assert_eq!(rig.spent().await[0].0, 0, "nobody pays for nothing");
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_nobody_has_switch_look_ups_off_for_nobody() {
    let fake = Fake::default();
    fake.knows("998931234567", "43404");
    let rig = rig(&fake, "always").await;
    for number in 0..10 {
        assert_eq!(rig.priced(&format!("+9989312346{number:02}")).await.0, "43405");
    }
    assert_eq!((fake.asked(), rig.spent().await[0].0), (10, 0), "each is asked about, and costs nothing");
    assert_eq!(rig.priced("+998931234567").await.0, "43404");
}

#[tokio::test(flavor = "multi_thread")]
async fn portability_override_wins() {
    let fake = Fake::default();
    fake.knows("998931234567", "43408");
    let rig = rig(&fake, "always").await;
    let moved = json!({"number": "+998931234567", "mcc": "434", "mnc": "04", "source": "portability"});
    rig.post(&rig.house, "/v1/number-overrides", &moved).await.expect(201);
    // Its prefix is Ucell's, the provider would say Uzmobile: it is with Beeline, and is priced and routed so.
    assert_eq!(rig.priced("+998931234567").await, ("43404".to_owned(), "90.00".to_owned()));
    let decision =
        rig.post(&rig.house, "/v1/routing/decision", &json!({"to": "+998931234567"})).await.expect(200).json();
    assert_eq!(decision["mcc_mnc"], "43404");
    let found = rig.look_up("998931234567").await;
    assert_eq!((seen(&found), &found["ported"]), (["434", "04", "Beeline", "override"], &json!(true)));
    assert_eq!(fake.asked(), 0, "nobody is asked about what is known");
    assert_eq!(rig.spent().await[0], (0, CLIENT_DELIVERED));
}

#[tokio::test(flavor = "multi_thread")]
async fn look_ups_count_in_the_spend_cap_of_the_day() {
    let fake = Fake::default();
    for number in ["998931234567", "998931234568", "998931234569"] {
        fake.knows(number, "43405");
    }
    let rig = rig(&fake, "always").await;
    let cap = async |token: &str, account: AccountId, daily: i64| {
        let daily = json!({"daily": domain::Micros::new(daily).to_string()});
        let path = format!("/v1/accounts/{account}/spend-cap");
        rig.call("PUT", &path, Some(token), Some(&daily)).await.expect(200);
    };
    let spent = async || {
        rig.get(&rig.client, &format!("/v1/accounts/{}/spend-cap", rig.world.client)).await.expect(200).text("spent")
    };
    cap(&rig.reseller, rig.world.client, 2 * CLIENT_PRICE + CLIENT_SUBMIT - 1).await;
    let reached = (402, "spend_cap_reached".to_owned());
    assert_eq!(seen(&rig.look_up("998931234567").await)[3], "provider");
    assert_eq!(seen(&rig.look_up("998931234568").await)[3], "provider");
    assert_eq!(spent().await, "6.00");
    assert_eq!(
        rig.post(&rig.client, "/v1/messages", &send(&json!({}))).await.refusal(),
        reached,
        "one micro is missing"
    );
    cap(&rig.reseller, rig.world.client, 3 * CLIENT_PRICE - 1).await;
    assert_eq!(rig.get(&rig.client, "/v1/lookups/998931234569").await.refusal(), reached);
    assert_eq!(fake.asked(), 2, "nobody is asked for what nobody may pay");
    assert_eq!(rig.look_up("998931234567").await["price"]["total"], "0.00", "what is known costs nothing");
    cap(&rig.reseller, rig.world.client, 3 * CLIENT_PRICE).await;
    assert_eq!(seen(&rig.look_up("998931234569").await)[3], "provider");
    assert_eq!(spent().await, "9.00");
    // The cap of an account above counts, too.
    fake.knows("998931234570", "43405");
    cap(&rig.reseller, rig.world.client, RICH).await;
    cap(&rig.house, rig.world.reseller, 0).await;
    assert_eq!(rig.get(&rig.client, "/v1/lookups/998931234570").await.refusal(), reached);
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn look_ups_count_in_the_spend_cap_of_the_key_that_asks() {
    let fake = Fake::default();
    let rig = rig(&fake, "always").await;
    for number in ["998931234567", "998931234568", "998931234569"] {
        fake.knows(number, "43405");
    }
    let made = rig.post(&rig.client, "/v1/api-keys", &json!({"name": "checks", "scopes": ["messages:write"]})).await;
    let made = made.expect(201).json();
    let (key, secret) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    let path = format!("/v1/api-keys/{key}/spend-cap");
    let daily = json!({"daily": domain::Micros::new(2 * CLIENT_PRICE + CLIENT_SUBMIT).to_string()});
    rig.call("PUT", &path, Some(&rig.client), Some(&daily)).await.expect(200);
    let spent = async || rig.get(&rig.client, &path).await.expect(200).text("spent");
    let look_up = async |token: &str, number: &str| rig.get(token, &format!("/v1/lookups/{number}")).await;
    look_up(secret, "998931234567").await.expect(200);
    assert_eq!(spent().await, "3.00");
    // A message asks, too, and then costs its price.
    rig.post(secret, "/v1/messages", &send(&json!({"to": "+998931234568"}))).await.expect(201);
    assert_eq!(spent().await, domain::Micros::new(2 * CLIENT_PRICE + CLIENT_SUBMIT).to_string());
    let reached = (402, "spend_cap_reached".to_owned());
    assert_eq!(look_up(secret, "998931234569").await.refusal(), reached);
    assert_eq!(fake.asked(), 2, "nobody is asked for what may not be spent");
    // Another key of the same account has no such cap.
    look_up(&rig.client, "998931234569").await.expect(200);
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn look_ups_at_the_same_time_never_pass_the_cap() {
    let fake = Fake::default();
    let numbers: Vec<String> = (0..12).map(|nth| format!("9989312345{nth:02}")).collect();
    for number in &numbers {
        fake.knows(number, "43405");
    }
    let rig = rig(&fake, "always").await;
    let daily = json!({"daily": domain::Micros::new(5 * CLIENT_PRICE).to_string()});
    let path = format!("/v1/accounts/{}/spend-cap", rig.world.client);
    rig.call("PUT", &path, Some(&rig.reseller), Some(&daily)).await.expect(200);
    let paths: Vec<String> = numbers.iter().map(|number| format!("/v1/lookups/{number}")).collect();
    futures_util::future::join_all(paths.iter().map(|path| rig.get(&rig.client, path))).await;
    assert_eq!(rig.spent().await[0], (5 * CLIENT_PRICE, 0), "the house absorbs what was asked beyond it");
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_is_changed_without_making_it_anew() {
    let fake = Fake::default();
    fake.knows("998931234567", "43408");
    fake.knows("998931234568", "43408");
    let rig = rig(&fake, "always").await;
    let id = rig.get(&rig.house, "/v1/lookup-providers").await.expect(200).json()["data"][0]["id"].clone();
    let path = format!("/v1/lookup-providers/{}", id.as_str().unwrap());
    let change = async |body: Value| rig.call("PATCH", &path, Some(&rig.house), Some(&body)).await;
    let before = rig.get(&rig.house, "/v1/lookup-providers").await.expect(200).json()["data"][0].clone();
    let changed = change(json!({"cost": "0.75", "timeout_ms": 400})).await.expect(200).json();
    for (name, value) in before.as_object().unwrap() {
        let expected = match name.as_str() {
            "cost" => &json!("0.75"),
            "timeout_ms" => &json!(400),
            _ => value,
        };
        assert_eq!(&changed[name], expected, "{name}");
    }
    assert_eq!(seen(&rig.look_up("998931234567").await)[3], "provider", "its secret is what it was");
    let cost =
        "SELECT sum(posted_micros)::bigint FROM balance_ledger WHERE operation = 'lookup' AND ledger = 'supplier'";
    assert_eq!(rig.world.count(cost).await, 750_000);
    // A secret goes only where somebody who knows it sends it.
    let elsewhere = Fake { numbers: Arc::clone(&fake.numbers), ..Fake::default() };
    let url = elsewhere.serve().await;
    let refused = change(json!({"url": url, "lifetime_seconds": 1})).await.expect(400).json();
    let pointers: Vec<&Value> = refused["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
    assert_eq!(pointers, ["/secret", "/lifetime_seconds"]);
    let moved = json!({"url": url, "header": "Authorization", "secret": "Bearer secret of the provider"});
    change(moved).await.expect(200);
    assert_eq!(seen(&rig.look_up("998931234568").await)[3], "provider");
    assert_eq!((fake.asked(), elsewhere.asked()), (1, 1));
    rig.call("DELETE", &path, Some(&rig.house), None).await.expect(204);
    assert_eq!(change(json!({"name": "Gone"})).await.refusal().0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_look_ups_are_refused_with_their_pointers() {
    let rig = Rig::new().await;
    let bad = json!({"name": "", "url": "http://127.0.0.1/{number}", "header": "a b", "fields": {"network": "x", "mcc": "/y"},
        "timeout_ms": 20000, "lifetime_seconds": 1, "cost": "-1", "currency": "dollars"});
    let refused = rig.post(&rig.house, "/v1/lookup-providers", &bad).await.expect(400).json();
    let pointers: Vec<&str> =
        refused["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    let expected = [
        "/name",
        "/url",
        "/secret",
        "/header",
        "/fields",
        "/fields/network",
        "/timeout_ms",
        "/lifetime_seconds",
        "/cost",
        "/currency",
    ];
    assert_eq!(pointers, expected);
    let path = format!("/v1/accounts/{}/lookups", rig.world.client);
    for (terms, pointer) in [(json!({"policy": "perhaps"}), "/policy"), (json!({"price": "-1"}), "/price")] {
        let refused = rig.call("PUT", &path, Some(&rig.reseller), Some(&terms)).await.expect(400).json();
        assert_eq!(refused["errors"][0]["pointer"], pointer);
    }
    let own = format!("/v1/accounts/{}/lookups", rig.world.reseller);
    let refused = rig.call("PUT", &own, Some(&rig.reseller), Some(&json!({"policy": "always"}))).await;
    assert_eq!(refused.refusal().0, 403, "nobody agrees with himself");
    assert_eq!(rig.get(&rig.client, "/v1/lookups/12").await.refusal(), (422, "invalid_number".to_owned()));
}

/// What the client and its seller see of three look-ups, and the house of what it owes for them.
#[tokio::test(flavor = "multi_thread")]
async fn look_ups_stand_in_statements_burn_rates_shares_and_the_account_of_their_provider() {
    let fake = Fake::default();
    for number in ["998931234567", "998931234568", "998931234569"] {
        fake.knows(number, "43408");
    }
    let rig = rig(&fake, "always").await;
    rig.look_up("+998931234567").await;
    let batch: Vec<Value> = ["+998931234568", "+998931234569"].map(|to| send(&json!({"to": to}))).into_iter().collect();
    rig.post(&rig.client, "/v1/messages/batch", &json!({"messages": batch})).await.expect(202);
    let wallets = [(&rig.client, rig.world.client, CLIENT_PRICE), (&rig.reseller, rig.world.reseller, RESELLER_PRICE)];
    for (token, account, price) in wallets {
        let lines = rig.get(token, "/v1/statement?operation=lookup").await.expect(200).json();
        let lines = lines["data"].as_array().unwrap();
        let micros = |value: &Value| value.as_str().unwrap().parse::<domain::Micros>().unwrap().get();
        assert_eq!(lines.iter().map(|line| micros(&line["amount"])).collect::<Vec<_>>(), [-2 * price, -price]);
        let mut numbers = Vec::new();
        for line in lines {
            let entry = line["entry_id"].as_str().unwrap();
            let opened = rig.get(token, &format!("/v1/statement/{entry}/lookups")).await.expect(200).json();
            let rows = opened["data"].as_array().unwrap();
            assert_eq!(rows.iter().map(|row| micros(&row["price"])).sum::<i64>(), -micros(&line["amount"]), "{opened}");
            assert_eq!(json!(rows.len()), line["messages"]);
            for row in rows {
                assert_eq!((&row["mcc_mnc"], &row["account_id"]), (&json!("43408"), &json!(rig.world.client)));
                numbers.push(row["number"].as_str().unwrap().to_owned());
            }
            let messages = rig.get(token, &format!("/v1/statement/{entry}/messages")).await.expect(200).json();
            assert_eq!(messages["data"], json!([]), "no message stands behind it");
        }
        assert_eq!(numbers, ["+998931234568", "+998931234569", "+998931234567"]);
        let balance = rig.get(token, "/v1/balance").await.expect(200).json();
        assert_eq!(micros(&balance["burn_per_hour"]), 3 * price, "{account}: {balance}");
    }
    let share = async |token: &str| {
        let shares = rig.get(token, "/v1/revenue-shares").await.expect(200).json();
        let day = shares["data"][0].clone();
        (day["earned"].as_str().unwrap().to_owned(), day["paid"].as_str().unwrap().to_owned())
    };
    assert_eq!(share(&rig.reseller).await, ("9.00".into(), "6.00".into()));
    assert_eq!(share(&rig.house).await, ("6.00".into(), "1.50".into()));
    let other = rig.get(&rig.client, "/v1/statement?operation=top_up").await.expect(200).json();
    let none = format!("/v1/statement/{}/lookups", other["data"][0]["entry_id"].as_str().unwrap());
    assert_eq!(rig.get(&rig.client, &none).await.expect(200).json()["data"], json!([]));
    rig.world.assert_books_are_right().await;
    opened_on_the_command_line(&rig).await;
    owed(&rig).await;
}

async fn opened_on_the_command_line(rig: &Rig) {
    let lines = rig.get(&rig.client, "/v1/statement?operation=lookup").await.expect(200).json();
    let entry = lines["data"][0]["entry_id"].as_str().unwrap();
    let (done, told) = rig.chappe(&rig.client, &["statement", entry]).await;
    let shown = ["+998931234568", "+998931234569", "43408", "3.00"].iter().all(|cell| told.contains(cell));
    assert!(done && shown, "{told}");
}

/// One look of the sweep so many minutes from now; answers how many suppliers have just run low.
async fn look(rig: &Rig, minutes: i64) -> usize {
    let mut tx = rig.world.db.begin().await.unwrap();
    let later = chrono::Utc::now() + chrono::TimeDelta::minutes(minutes);
    let (_, fallen) = store::ledger::supplier::look(&mut tx, later).await.unwrap();
    tx.commit().await.unwrap();
    fallen.len()
}

/// The account with the provider: before the fold, behind it, and paid.
async fn owed(rig: &Rig) {
    let providers = rig.get(&rig.house, "/v1/lookup-providers").await.expect(200).json();
    let path = format!("/v1/lookup-providers/{}", providers["data"][0]["id"].as_str().unwrap());
    let standing = async || rig.get(&rig.house, &format!("{path}/account")).await.expect(200).json();
    let balances = |paid: &str, balance: &str, low: bool| {
        let alarm = if low { json!("0.00") } else { Value::Null };
        json!([{"currency": "UZS", "paid": paid, "cost": "1.50", "balance": balance, "alarm_below": alarm, "is_low": low}])
    };
    let before = standing().await;
    assert_eq!(before["balances"], balances("0.00", "-1.50", false));
    assert_eq!((&before["operator_id"], &before["provider_id"]), (&Value::Null, &providers["data"][0]["id"]));
    rig.call(
        "PUT",
        &format!("{path}/account"),
        Some(&rig.house),
        Some(&json!({"currency": "UZS", "alarm_below": "0"})),
    )
    .await
    .expect(200);
    assert_eq!(look(rig, 0).await, 1, "the alarm is raised, nothing is folded");
    assert_eq!(standing().await["balances"], balances("0.00", "-1.50", true));
    let payment = json!({"amount": "10", "currency": "UZS", "reason": "December"});
    for _ in 0..2 {
        rig.post_once(&rig.house, &format!("{path}/payments"), "once", &payment).await.expect(201);
    }
    for minutes in [0, 30] {
        assert_eq!(look(rig, minutes).await, 0);
        assert_eq!(standing().await["balances"][0]["balance"], json!("8.50"), "folded or not");
        rig.world.assert_books_are_right().await;
    }
    let entries = rig.get(&rig.house, &format!("{path}/entries?currency=UZS")).await.expect(200).json();
    let told: Vec<_> = entries["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["operation"].clone(), row["amount"].clone()))
        .collect();
    let told: Vec<_> = told.iter().map(|(of, amount)| (of.as_str().unwrap(), amount.as_str().unwrap())).collect();
    assert_eq!(told, [("supplier_payment", "10.00"), ("lookup", "-1.00"), ("lookup", "-0.50")]);
    let paid = rig.get(&rig.house, "/v1/transactions?kind=supplier_payment").await.expect(200).json();
    let [paid] = paid["data"].as_array().unwrap().as_slice() else { panic!("{paid}") };
    assert!(path.ends_with(paid["provider_id"].as_str().unwrap()) && paid["operator_id"].is_null(), "{paid}");
    rig.world.assert_books_are_right().await;
}

/// The newest entry of look-ups.
const LAST: &str = "(SELECT entry_id FROM entry_lookups ORDER BY entry_id DESC LIMIT 1)";

#[tokio::test(flavor = "multi_thread")]
async fn the_checks_find_what_was_done_to_look_ups() {
    let fake = Fake::default();
    fake.knows("998931234567", "43408");
    fake.knows("998931234568", "43408");
    let rig = rig(&fake, "always").await;
    let seal = || {
        store::ledger::seal(
            &rig.world.db,
            chrono::Utc::now() + chrono::TimeDelta::seconds(1),
            chrono::TimeDelta::zero(),
        )
    };
    let audit =
        async |extent| store::ledger::audit(&rig.world.db, extent, chrono::Utc::now(), &mut |_| ()).await.unwrap();
    rig.look_up("+998931234567").await;
    seal().await.unwrap();
    assert_eq!(audit(Extent::Full).await.violations, []);
    rig.look_up("+998931234568").await;
    assert_eq!(audit(Extent::Incremental).await.violations, []);
    let rule = "look-ups cost what was charged for them";
    let rows = [
        "UPDATE entry_lookups SET prices_micros[1] = prices_micros[1] + 1 WHERE entry_id = {}",
        "UPDATE entry_lookups SET cost_micros = 0 WHERE entry_id = {}",
        "UPDATE entry_lookups SET numbers = numbers || numbers, networks = networks || networks WHERE entry_id = {}",
        "DELETE FROM entry_lookups WHERE entry_id = {}",
        "UPDATE balance_ledger SET posted_micros = posted_micros + CASE ledger WHEN 'supplier' THEN 1 ELSE -1 END
         WHERE entry_id = {} AND ledger IN ('supplier', 'supplier_cost')",
        "DELETE FROM balance_ledger WHERE entry_id = {} AND ledger IN ('supplier', 'supplier_cost')",
    ];
    for damage in rows {
        for extent in [Extent::Incremental, Extent::Full] {
            for table in ["entry_lookups", "balance_ledger"] {
                run(&rig, format!("CREATE TABLE honest_{table} AS SELECT * FROM {table}")).await;
            }
            run(&rig, damage.replace("{}", LAST)).await;
            let found = audit(extent).await;
            assert_eq!(found.extent, extent);
            assert!(found.violations.iter().any(|one| one.rule == rule), "{damage}: {:?}", found.violations);
            for table in ["entry_lookups", "balance_ledger"] {
                run(&rig, format!("DELETE FROM {table}")).await;
                run(&rig, format!("INSERT INTO {table} SELECT * FROM honest_{table}")).await;
                run(&rig, format!("DROP TABLE honest_{table}")).await;
            }
        }
    }
    assert_eq!(audit(Extent::Incremental).await.violations, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checks_find_what_was_done_to_the_account_with_a_provider() {
    let fake = Fake::default();
    fake.knows("998931234567", "43408");
    let rig = rig(&fake, "always").await;
    rig.look_up("+998931234567").await;
    let now = chrono::Utc::now() + chrono::TimeDelta::seconds(1);
    let mut tx = rig.world.db.begin().await.unwrap();
    store::ledger::supplier::look(&mut tx, now + chrono::TimeDelta::minutes(10)).await.unwrap();
    tx.commit().await.unwrap();
    store::ledger::seal(&rig.world.db, now, chrono::TimeDelta::zero()).await.unwrap();
    let audit = async |extent| store::ledger::audit(&rig.world.db, extent, now, &mut |_| ()).await.unwrap();
    assert_eq!(audit(Extent::Full).await.violations, []);
    run(&rig, "CREATE TABLE honest_accounts AS TABLE supplier_accounts".to_owned()).await;
    let moved = "UPDATE supplier_accounts SET cost_micros = cost_micros + 1, paid_micros = paid_micros + 1";
    // What a check that goes on from the one before sees is how a provider's cost and payments differ.
    let rows = [
        (Extent::Full, "DELETE FROM supplier_accounts", true),
        (Extent::Incremental, "DELETE FROM supplier_accounts", true),
        (Extent::Full, moved, true),
        (Extent::Incremental, moved, false),
    ];
    for (extent, damage, is_seen) in rows {
        run(&rig, damage.to_owned()).await;
        let found = audit(extent).await;
        assert_eq!(found.extent, extent);
        let rule = "an account with a supplier is the fold of its journal lines";
        assert_eq!(found.violations.iter().any(|one| one.rule == rule), is_seen, "{damage}: {:?}", found.violations);
        run(&rig, "DELETE FROM supplier_accounts".to_owned()).await;
        run(&rig, "INSERT INTO supplier_accounts TABLE honest_accounts".to_owned()).await;
    }
    assert_eq!(audit(Extent::Full).await.violations, []);
}

async fn run(rig: &Rig, sql: String) {
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(rig.world.pool()).await.unwrap();
}
