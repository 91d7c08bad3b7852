//! What accounts further down agree among themselves is their business: a seller knows what it pays, and what those pay that
//! buy from it. The house, which keeps everybody's books, sees all.

use contract::ReceiptState::Delivered;
use serde_json::{Value, json};

use super::ON_SUBMIT;
use super::carry;
use super::suspension::deeper;
use crate::api::rig::{ALL, Rig, send};

/// A tree with traffic: the rig's reseller sells to `sub`, which sells to `shop`, each with a price of its own.
pub(in crate::api) struct Tree {
    pub(in crate::api) rig: Rig,
    sub: String,
    /// The key of `sub`.
    pub(in crate::api) below: String,
    shop: String,
    /// The key of `shop`.
    pub(in crate::api) bottom: String,
    plan: String,
    message: String,
}

/// Prices of a segment: what `sub` pays the reseller, and what `shop` pays `sub`.
const SUB: &str = "70.00";
const SHOP: &str = "99.00";

pub(in crate::api) async fn tree() -> Tree {
    let rig = Rig::new().await;
    let (sub, below, shop) = deeper(&rig).await;
    let bottom = rig.key(shop.parse().unwrap(), &ALL).await;
    let plan_of = async |seller: &str, buyer: &str, price: &str| {
        let plan = rig.post(seller, "/v1/tariff-plans", &json!({"name": "deep"})).await.expect(201).text("id");
        let tariff = json!({"plan_id": plan, "price": price});
        rig.post(seller, "/v1/tariffs", &tariff).await.expect(201);
        let change = json!({"plan_id": plan});
        rig.call("PATCH", &format!("/v1/accounts/{buyer}"), Some(seller), Some(&change)).await.expect(200);
        plan
    };
    plan_of(&rig.reseller, &sub, SUB).await;
    let plan = plan_of(&below, &shop, SHOP).await;
    for account in [&sub, &shop] {
        let money = json!({"amount": "10000", "reason": "x"});
        rig.post(&rig.house, &format!("/v1/accounts/{account}/credit"), &money).await.expect(201);
    }
    let anybody = json!({"any_sender": true});
    rig.call("PATCH", &format!("/v1/accounts/{shop}"), Some(&rig.house), Some(&anybody)).await.expect(200);
    let message = rig.post(&bottom, "/v1/messages", &send(&json!({"to": ON_SUBMIT}))).await.expect(201).text("id");
    carry(&rig.world, Delivered).await;
    Tree { rig, sub, below, shop, bottom, plan, message }
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_of_a_deeper_tree_are_read_by_who_agreed_on_them_and_by_the_house() {
    let Tree { rig, sub, below, shop, bottom, plan, message } = tree().await;
    // The message and its prices: what its account pays, and who pays how much as far as the reader knows.
    let rows: [(&str, Option<&str>, &[&str]); 4] = [
        (&rig.house, Some(SHOP), &[SHOP, SUB, "60.00"]),
        (&rig.reseller, None, &[SUB, "60.00"]),
        (&below, Some(SHOP), &[SHOP, SUB]),
        (&bottom, Some(SHOP), &[SHOP]),
    ];
    for (at, (token, cost, payers)) in rows.into_iter().enumerate() {
        for path in [format!("/v1/messages/{message}"), format!("/v1/messages/{message}/explanation")] {
            let story = rig.get(token, &path).await.expect(200).json();
            assert_eq!(story["cost"]["unit_price"], json!(cost), "{at} {path}");
            assert_eq!((&story["charged"], story["refunded"].is_null()), (&json!(cost), cost.is_none()), "{at} {path}");
            if let Some(told) = story["payers"].as_array() {
                let prices: Vec<&str> = told.iter().map(|payer| payer["price"].as_str().unwrap()).collect();
                assert_eq!(prices, payers, "{at}");
            }
        }
        let listed = rig.get(token, "/v1/messages").await.expect(200).json();
        assert_eq!(listed["data"][0]["cost"]["unit_price"], json!(cost), "{at}");
    }
    // Doors that tell what an account pays, or sells for: of the shop, and of the one that sells to it.
    let doors = [
        (format!("/v1/statement?account_id={shop}"), [200, 403, 200]),
        (format!("/v1/statement.csv?account_id={shop}"), [200, 403, 200]),
        (format!("/v1/balance?account_id={shop}"), [200, 403, 200]),
        (format!("/v1/accounts/{shop}/lookups"), [200, 403, 200]),
        (format!("/v1/price-lists/{plan}"), [200, 404, 200]),
        (format!("/v1/statement?account_id={sub}"), [200, 200, 200]),
        (format!("/v1/balance?account_id={sub}"), [200, 200, 200]),
        (format!("/v1/accounts/{sub}/lookups"), [200, 200, 200]),
    ];
    for (path, expected) in doors {
        for (token, status) in [&rig.house, &rig.reseller, &below].into_iter().zip(expected) {
            assert_eq!(rig.get(token, &path).await.status.as_u16(), status, "{path}");
        }
    }
    for (token, sees) in [(&rig.house, true), (&rig.reseller, false), (&below, true), (&bottom, true)] {
        let listed = rig.get(token, "/v1/tariffs").await.expect(200).json();
        let prices: Vec<&Value> = listed["data"].as_array().unwrap().iter().map(|row| &row["price"]).collect();
        assert_eq!(prices.contains(&&json!(SHOP)), sees, "{prices:?}");
    }
    // The trail says that a price changed; how high it is, is told to its owner.
    for (token, sees) in [(&rig.house, true), (&rig.reseller, false), (&below, true)] {
        let trail = rig.get(token, &format!("/v1/audit-logs?account_id={sub}")).await.expect(200).json();
        let published = trail["data"].as_array().unwrap().iter().find(|row| row["action"] == "tariff.publish").unwrap();
        assert_eq!(published["detail"]["price"], if sees { json!(SHOP) } else { Value::Null });
        assert_eq!(published["detail"]["plan_id"], json!(plan));
    }
}

/// The amounts of an account's wallet, as an answer shows the account.
fn amounts(account: &Value) -> [&Value; 3] {
    ["balance", "held", "available"].map(|name| &account["balance"][name])
}

#[tokio::test(flavor = "multi_thread")]
async fn amounts_of_a_deeper_wallet_are_read_by_who_sells_to_it_and_by_the_house() {
    let Tree { rig, sub, below, shop, bottom, .. } = tree().await;
    let path = format!("/v1/accounts/{shop}");
    let key = json!({"name": "x", "scopes": ["messages:write"]});
    let key = rig.post(&bottom, "/v1/api-keys", &key).await.expect(201).text("id");
    let cap = json!({"daily": "1000"});
    rig.call("PUT", &format!("{path}/spend-cap"), Some(&below), Some(&cap)).await.expect(200);
    // 10000 less the price of the message that it sent.
    let left = [json!("9901.00"), json!("0.00"), json!("9901.00")];
    let nothing = [Value::Null, Value::Null, Value::Null];
    for (at, (token, sees)) in
        [(&rig.house, true), (&rig.reseller, false), (&below, true), (&bottom, true)].into_iter().enumerate()
    {
        let shown = rig.get(token, &path).await.expect(200).json();
        let listed = rig.get(token, "/v1/accounts").await.expect(200).json();
        let listed = listed["data"].as_array().unwrap().iter().find(|row| row["id"] == json!(shop)).unwrap();
        for account in [&shown, listed] {
            assert_eq!(amounts(account), if sees { left.each_ref() } else { nothing.each_ref() }, "{at}");
            let told = ["kind", "credit_limit", "currency"].map(|name| &account["balance"][name]);
            assert_eq!(told, [&json!("prepaid"), &json!("0.00"), &json!("UZS")], "{at}");
        }
        let of_account = rig.get(token, &format!("{path}/spend-cap")).await.expect(200).json();
        let of_key = rig.get(token, &format!("/v1/api-keys/{key}/spend-cap")).await.expect(200).json();
        let told = json!([of_account["daily"], of_account["spent"], of_account["left"], of_key["spent"]]);
        let expected =
            if sees { json!(["1000.00", "99.00", "901.00", "0.00"]) } else { json!(["1000.00", null, null, null]) };
        assert_eq!(told, expected, "{at}");
    }
    // Who hears of a low balance hears what is left.
    let low = json!({"account_id": shop, "amount": "1"});
    for (token, status) in [(&rig.reseller, 403), (&below, 201)] {
        rig.post(token, "/v1/balance-thresholds", &low).await.expect(status);
    }
    let of_sub = rig.get(&rig.reseller, &format!("/v1/accounts/{sub}")).await.expect(200).json();
    assert_eq!(amounts(&of_sub), [&json!("9930.00"), &json!("0.00"), &json!("9930.00")], "who buys from it");
    // What changes the account, or its cap, tells no more.
    let renamed = rig.call("PATCH", &path, Some(&rig.reseller), Some(&json!({"name": "Shop 2"}))).await.expect(200);
    assert_eq!(amounts(&renamed.json()), nothing.each_ref());
    let capped =
        rig.call("PUT", &format!("{path}/spend-cap"), Some(&rig.reseller), Some(&cap)).await.expect(200).json();
    assert_eq!((&capped["spent"], &capped["left"]), (&Value::Null, &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_of_a_deeper_plan_are_set_by_its_owner_and_by_the_house() {
    let Tree { rig, sub, below, shop, plan, .. } = tree().await;
    let of_plan = async |token: &str| {
        let listed = rig.get(token, &format!("/v1/tariffs?plan_id={plan}")).await.expect(200).json();
        listed["data"][0]["id"].as_str().unwrap().to_owned()
    };
    let tariff = of_plan(&below).await;
    let price = |mcc: &str| json!({"plan_id": plan, "mcc": mcc, "price": "1"});
    let ask = json!({"rules": [{"margin_permille": 200}]});
    for (method, path, body) in [
        ("POST", "/v1/tariffs".to_owned(), Some(price("434"))),
        ("POST", format!("/v1/tariffs/{tariff}/end"), Some(json!({"reason": "x"}))),
        ("DELETE", format!("/v1/tariffs/{tariff}"), None),
        ("POST", format!("/v1/price-lists/{plan}/proposal"), Some(ask.clone())),
        ("POST", format!("/v1/price-lists/{plan}/publish"), Some(ask)),
    ] {
        let refused = rig.call(method, &path, Some(&rig.reseller), body.as_ref()).await.refusal();
        assert_eq!(refused, (404, "not_found".to_owned()), "{method} {path}");
    }
    let named = json!({"name": "for them", "account_id": sub});
    let refused = rig.post(&rig.reseller, "/v1/tariff-plans", &named).await.refusal();
    assert_eq!(refused, (403, "forbidden".to_owned()));
    rig.post(&rig.house, "/v1/tariff-plans", &named).await.expect(201);
    for (token, mcc) in [(&below, "434"), (&rig.house, "401")] {
        rig.post(token, "/v1/tariffs", &price(mcc)).await.expect(201);
    }
    let end = json!({"reason": "a mistake"});
    rig.post(&rig.house, &format!("/v1/tariffs/{}/end", of_plan(&below).await), &end).await.expect(200);
    let shown = rig.get(&below, &format!("/v1/accounts/{shop}")).await.expect(200).json();
    assert_eq!(shown["plan_id"], json!(plan), "the account pays by it as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_tells_each_what_it_may_know() {
    let Tree { rig, below, bottom, message, .. } = tree().await;
    let because = json!({"reason": "x"});
    let made = rig.post(&rig.reseller, &format!("/v1/messages/{message}/refunds"), &because).await.expect(201).json();
    let told: Vec<&Value> = made["shares"].as_array().unwrap().iter().map(|share| &share["amount"]).collect();
    assert_eq!(told, [&json!(SUB)]);
    let rows: [(&str, &[&str]); 4] =
        [(&rig.house, &[SUB, SHOP]), (&rig.reseller, &[SUB]), (&below, &[SUB, SHOP]), (&bottom, &[SHOP])];
    for (token, expected) in rows {
        let seen = rig.get(token, "/v1/transactions?kind=refund").await.expect(200).json();
        let mut amounts: Vec<&str> =
            seen["data"].as_array().unwrap().iter().map(|row| row["amount"].as_str().unwrap()).collect();
        amounts.sort_unstable();
        assert_eq!(amounts, expected);
    }
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_seller_earns_takes_more_than_a_key_that_sends() {
    let Tree { rig, sub, below, message, .. } = tree().await;
    let plain = ["messages:write", "messages:read", "balance:read"];
    let of_sub = rig.key(sub.parse().unwrap(), &plain).await;
    let of_house = rig.key(rig.world.house, &plain).await;
    store::traffic::fold(&rig.world.db).await.unwrap();
    let earned = async |token: &str| rig.get(token, "/v1/reports/traffic").await.expect(200).json()["rows"][0].clone();
    let (all, some) = (earned(&below).await, earned(&of_sub).await);
    assert_eq!((&all["revenue_gross"]["total"], &all["margin"]["total"]), (&json!(SHOP), &json!("29.00")));
    assert_eq!(
        (&some["revenue_gross"], &some["margin"], &some["cost_converted"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!(some["cost_gross"], all["cost_gross"], "what it pays it sees");
    assert_eq!(rig.get(&of_house, "/v1/reports/traffic").await.refusal(), (403, "forbidden".to_owned()));
    let export = json!({"kind": "cdr", "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"});
    for token in [&of_sub, &of_house] {
        assert_eq!(rig.post(token, "/v1/exports", &export).await.refusal(), (403, "forbidden".to_owned()));
    }
    let path = format!("/v1/messages/{message}/explanation");
    for (token, margin) in [(&below, json!("29.00")), (&of_sub, Value::Null)] {
        assert_eq!(rig.get(token, &path).await.expect(200).json()["margin"], margin);
    }
    let told = rig.get(&of_house, &path).await.expect(200).json();
    assert_eq!((&told["routing"], &told["decision"]), (&Value::Null, &Value::Null));
}
