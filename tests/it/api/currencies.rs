//! Customers who pay in another currency than the house: accounts and price lists over the API, and the books of a message.

use std::sync::Arc;

use bill::Bill;
use contract::queues;
use dlr::Dlr;
use route::Route;
use serde_json::{Value, json};

use super::rig::{ALL, Rig, send};
use crate::ledger::pump;

/// A company that sells to a reseller in euros, which sells on in euros; operators take som.
struct Abroad {
    rig: Rig,
    reseller: Value,
    client: Value,
}

impl Abroad {
    async fn new() -> Self {
        let rig = Rig::new().await;
        let rate = json!({"from": "UZS", "to": "EUR", "rate": "0.00008", "spread_ppm": 0, "reason": "the bank"});
        rig.post(&rig.house, "/v1/exchange-rates", &rate).await.expect(201);
        let reseller = rig.sells(&rig.house, None, ("reseller", "0.02")).await;
        let client = rig.sells(&rig.house, Some(&reseller), ("client", "0.03")).await;
        Self { rig, reseller, client }
    }
}

impl Rig {
    /// An account that pays so many euros for a segment to the country of the world.
    async fn sells(&self, token: &str, parent: Option<&Value>, (role, price): (&str, &str)) -> Value {
        let owner = parent.map(|parent| parent["id"].clone());
        let plan = json!({"name": format!("{role} in euros"), "account_id": owner, "currency": "EUR"});
        let plan = self.post(token, "/v1/tariff-plans", &plan).await.expect(201).json();
        assert_eq!(plan["currency"], "EUR");
        let tariff = json!({"plan_id": plan["id"], "mcc": "434", "price": price});
        let tariff = self.post(token, "/v1/tariffs", &tariff).await.expect(201).json();
        assert_eq!(tariff["currency"], "EUR");
        let account = json!({"name": role, "role": role, "parent_id": owner, "plan_id": plan["id"],
            "currency": parent.is_none().then_some("EUR"), "any_sender": true});
        let account = self.post(token, "/v1/accounts", &account).await.expect(201).json();
        assert_eq!(account["balance"]["currency"], "EUR");
        let top_up = json!({"amount": "10.00", "reason": "paid by bank"});
        let path = format!("/v1/accounts/{}/credit", account["id"].as_str().unwrap());
        if parent.is_none() {
            self.post(token, &path, &top_up).await.expect(201);
        }
        account
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reseller_and_its_client_pay_in_euros_what_is_bought_in_som() {
    let Abroad { rig, reseller, client } = &Abroad::new().await;
    let (of_reseller, of_client) = (rig.key(id(reseller), &ALL).await, rig.key(id(client), &ALL).await);
    let credit = json!({"amount": "1.00", "reason": "to begin with"});
    let path = format!("/v1/accounts/{}/credit", client["id"].as_str().unwrap());
    rig.post(&of_reseller, &path, &credit).await.expect(201);
    let sent = rig.post(&of_client, "/v1/messages", &send(&json!({"text": "x".repeat(161)}))).await.expect(201);
    assert_eq!(sent.json()["cost"]["currency"], "EUR", "{}", sent.json());
    let clock = || Arc::new(host::clock::System);
    let world = &rig.world;
    pump(world, &Route::new(world.db.clone(), Arc::clone(&world.catalogue), clock()), queues::ROUTE).await;
    for operator in world.operators {
        rig.deliver(operator).await;
    }
    pump(world, &Bill::new(world.db.clone(), clock()), queues::BILL).await;
    pump(world, &Dlr::new(world.db.clone(), clock()), queues::DLR).await;
    let balance = async |token: &str| rig.get(token, "/v1/balance").await.expect(200).json()["balance"].clone();
    assert_eq!((balance(&of_client).await, balance(&of_reseller).await), (json!("0.94"), json!("8.96")));
    world.assert_books_are_right().await;
    let by_currency = "SELECT count(*) FROM (SELECT FROM balance_ledger GROUP BY entry_id, currency HAVING sum(posted_micros) <> 0) x";
    assert_eq!(world.count(by_currency).await, 0, "no entry crosses currencies");

    // The house earns euros of the one, and som of others; each stands by itself.
    rig.post(&rig.client, "/v1/messages", &send(&json!({}))).await.expect(201);
    pump(world, &Route::new(world.db.clone(), Arc::clone(&world.catalogue), clock()), queues::ROUTE).await;
    for operator in world.operators {
        rig.deliver(operator).await;
    }
    pump(world, &Bill::new(world.db.clone(), clock()), queues::BILL).await;
    pump(world, &Dlr::new(world.db.clone(), clock()), queues::DLR).await;
    store::traffic::fold(&world.db).await.unwrap();
    let shares = rig.get(&rig.house, "/v1/revenue-shares").await.expect(200).json();
    let told = |currency: &str| {
        let shares = shares["data"].as_array().unwrap().iter();
        shares.filter(|share| share["currency"] == currency).map(|share| share["earned"].clone()).collect::<Vec<_>>()
    };
    assert_eq!((told("EUR"), told("UZS")), (vec![json!("0.04")], vec![json!("60.00")]), "{shares}");
    let own = rig.get(&of_reseller, "/v1/revenue-shares").await.expect(200).json();
    assert_eq!((&own["data"][0]["share"], &own["data"][0]["currency"]), (&json!("0.02"), &json!("EUR")));
    let report = rig.get(&rig.house, "/v1/reports/traffic?by=account").await.expect(200).json();
    let currencies: std::collections::BTreeSet<String> =
        report["rows"].as_array().unwrap().iter().map(|row| row["revenue_net"]["currency"].to_string()).collect();
    assert_eq!(currencies.len(), 2, "{report}");
    world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_payers_has_one_currency() {
    let rig = Rig::new().await;
    let plan = |owner: &Value, currency: &str| json!({"name": format!("in {currency}"), "account_id": owner, "currency": currency});
    let euros = rig.post(&rig.house, "/v1/tariff-plans", &plan(&Value::Null, "EUR")).await.expect(201).json();
    let som = rig.post(&rig.house, "/v1/tariff-plans", &plan(&Value::Null, "UZS")).await.expect(201).json();
    let reseller = json!(rig.world.reseller);
    let account = |parent: &Value, currency: &str, plan: &Value| json!({"name": "A", "role": "client", "parent_id": parent, "currency": currency, "plan_id": plan});
    let rows = [
        ("/v1/tariff-plans", plan(&reseller, "EUR"), "/currency"),
        ("/v1/tariff-plans", plan(&Value::Null, "euro"), "/currency"),
        ("/v1/accounts", account(&reseller, "EUR", &Value::Null), "/currency"),
        ("/v1/accounts", account(&Value::Null, "E", &Value::Null), "/currency"),
        ("/v1/accounts", account(&Value::Null, "EUR", &som["id"]), "/plan_id"),
        ("/v1/accounts", account(&Value::Null, "UZS", &euros["id"]), "/plan_id"),
    ];
    for (path, body, field) in rows {
        let refused = rig.post(&rig.house, path, &body).await;
        assert_eq!(refused.status.as_u16(), 400, "{path} {body} {}", refused.json());
        assert_eq!(refused.json()["errors"][0]["pointer"], field, "{path} {body}");
    }
    let abroad = rig.post(&rig.house, "/v1/accounts", &account(&Value::Null, "EUR", &euros["id"])).await.expect(201);
    let path = format!("/v1/accounts/{}", abroad.text("id"));
    let other = json!({"plan_id": som["id"]});
    assert_eq!(rig.call("PATCH", &path, Some(&rig.house), Some(&other)).await.status.as_u16(), 400);
}

fn id(account: &Value) -> domain::AccountId {
    account["id"].as_str().unwrap().parse().unwrap()
}
