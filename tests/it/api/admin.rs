//! Setting the platform up through its API: what is answered is in force at once.

use serde_json::{Value, json};

use super::rig::{Rig, send};

#[tokio::test(flavor = "multi_thread")]
async fn a_new_client_is_set_up_by_its_reseller_and_sends() {
    let rig = Rig::new().await;
    let plan = rig.post(&rig.reseller, "/v1/tariff-plans", &json!({"name": "Retail"})).await.expect(201).text("id");
    let price = json!({"plan_id": plan, "mcc": "434", "price": "75.5"});
    rig.post(&rig.reseller, "/v1/tariffs", &price).await.expect(201);
    let new = json!({"name": "Shop", "role": "client", "plan_id": plan});
    let account = rig.post(&rig.reseller, "/v1/accounts", &new).await.expect(201).text("id");
    let credit = json!({"amount": "1000", "reason": "start"});
    let credited = rig.post(&rig.reseller, &format!("/v1/accounts/{account}/credit"), &credit).await.expect(201).json();
    assert_eq!(credited["balance"]["available"], "1000.00");
    let key = json!({"name": "server", "account_id": account});
    let key = rig.post(&rig.reseller, "/v1/api-keys", &key).await.expect(201).text("secret");
    let sender = json!({"sender": "Shop", "account_id": account});
    let sender = rig.post(&rig.reseller, "/v1/sender-ids", &sender).await.expect(201).text("id");
    let body = send(&json!({"from": "shop"}));
    assert_eq!(rig.post(&key, "/v1/messages", &body).await.refusal().1, "sender_not_allowed");
    rig.post(&rig.reseller, &format!("/v1/sender-ids/{sender}/approve"), &json!({})).await.expect(200);
    let sent = rig.post(&key, "/v1/messages", &body).await.expect(201).json();
    assert_eq!(sent["cost"]["total"], "75.50");
    let reject = json!({"reason": "belongs to a bank"});
    rig.post(&rig.house, &format!("/v1/sender-ids/{sender}/reject"), &reject).await.expect(200);
    assert_eq!(rig.post(&key, "/v1/messages", &body).await.refusal().1, "sender_not_allowed");
    rig.world.assert_books_are_right().await;
    let audit = rig.get(&rig.reseller, &format!("/v1/audit-logs?account_id={account}")).await.expect(200).json();
    let actions: Vec<&str> = audit["data"].as_array().unwrap().iter().map(|a| a["action"].as_str().unwrap()).collect();
    let expected = [
        "sender_id.reject",
        "sender_id.approve",
        "sender_id.register",
        "api_key.create",
        "account.credit",
        "account.create",
    ];
    assert_eq!(actions, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn money_comes_from_outside_through_the_house_and_from_wallets_otherwise() {
    let rig = Rig::with_balance(100_000_000).await;
    let give = async |token: &str, to: domain::AccountId, amount: &str| {
        let credit = json!({"amount": amount, "reason": "test"});
        rig.post(token, &format!("/v1/accounts/{to}/credit"), &credit).await
    };
    let (reseller, client) = (rig.world.reseller, rig.world.client);
    give(&rig.house, client, "0.000001").await.expect(201);
    assert_eq!(give(&rig.reseller, client, "100.01").await.refusal().1, "insufficient_credit");
    give(&rig.reseller, client, "40").await.expect(201);
    assert_eq!(give(&rig.reseller, reseller, "1").await.refusal().1, "forbidden");
    for amount in ["0", "-1", "1.0000001", "x", "99999999999999"] {
        assert_eq!(give(&rig.house, client, amount).await.refusal().0, 400, "{amount}");
    }
    assert_eq!(rig.world.wallet(client).await.0, 140_000_001);
    assert_eq!(rig.world.wallet(reseller).await.0, 60_000_000);
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_price_closes_the_one_before_it_and_no_two_hold_at_once() {
    let rig = Rig::new().await;
    let plan = rig.post(&rig.reseller, "/v1/tariff-plans", &json!({"name": "P"})).await.expect(201).text("id");
    let price = |price: &str, from: &str| json!({"plan_id": plan, "mcc": "434", "mnc": "05", "price": price, "effective_from": from});
    let publish = async |body: Value| rig.post(&rig.reseller, "/v1/tariffs", &body).await;
    publish(price("1", "2026-01-01T00:00:00Z")).await.expect(201);
    publish(price("3", "2030-01-01T00:00:00Z")).await.expect(201);
    publish(price("2", "2028-01-01T00:00:00Z")).await.expect(201);
    assert_eq!(publish(price("9", "2028-01-01T00:00:00Z")).await.refusal(), (409, "conflict".to_owned()));
    let listed = rig.get(&rig.reseller, &format!("/v1/tariffs?plan_id={plan}")).await.expect(200).json();
    let mut spans: Vec<(String, String, Value)> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| {
            let text = |field: &str| t[field].as_str().unwrap().to_owned();
            (text("price"), text("effective_from"), t["effective_to"].clone())
        })
        .collect();
    spans.sort_by(|a, b| a.0.cmp(&b.0));
    let at = |year: u16| format!("{year}-01-01T00:00:00.000Z");
    let expected = [
        ("1.00".to_owned(), at(2026), json!(at(2028))),
        ("2.00".to_owned(), at(2028), json!(at(2030))),
        ("3.00".to_owned(), at(2030), Value::Null),
    ];
    assert_eq!(spans, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_prices_and_routes_are_in_force_when_they_are_answered() {
    let rig = Rig::new().await;
    let nowhere = json!({"to": "+88812345678"});
    let unknown = rig.post(&rig.house, "/v1/routing/decision", &nowhere).await;
    assert_eq!(unknown.refusal(), (422, "unpriced_destination".to_owned()));
    let ask = json!({"to": "+998941234567"});
    let decision = rig.post(&rig.house, "/v1/routing/decision", &ask).await.expect(200).json();
    assert_eq!(decision["mcc_mnc"], "43405", "the world's plan knows Ucell");
    let prefixes =
        json!({"prefixes": [{"prefix": "99894", "mcc": "434", "mnc": "05"}, {"prefix": "998941", "mcc": "434"}]});
    rig.post(&rig.house, "/v1/prefixes/bulk", &prefixes).await.expect(200);
    let decision = rig.post(&rig.house, "/v1/routing/decision", &ask).await.expect(200).json();
    assert_eq!(decision["mcc_mnc"], "434");
    assert_eq!(decision["candidates"][0]["operator"], "Beeline");
    assert_eq!(decision["candidates"][1]["reason"], "costs more");
    let moved = json!({"number": "+998941234567", "mcc": "434", "mnc": "04"});
    rig.post(&rig.house, "/v1/number-overrides", &moved).await.expect(201);
    let decision = rig.post(&rig.house, "/v1/routing/decision", &ask).await.expect(200).json();
    assert_eq!(decision["mcc_mnc"], "43404");
    let operator = rig.world.operators[1];
    let off = json!({"enabled": false});
    rig.call("PATCH", &format!("/v1/operators/{operator}"), Some(&rig.house), Some(&off)).await.expect(200);
    let decision = rig.post(&rig.house, "/v1/routing/decision", &ask).await.expect(200).json();
    assert_eq!(decision["candidates"][0]["operator"], "Ucell");
    assert_eq!(decision["candidates"][1]["reason"], "switched off");
    rig.call("DELETE", "/v1/number-overrides/998941234567", Some(&rig.house), None).await.expect(204);
    let again = rig.call("DELETE", "/v1/number-overrides/998941234567", Some(&rig.house), None).await;
    assert_eq!(again.refusal().0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_settings_are_refused_with_their_pointers() {
    let rig = Rig::new().await;
    let operator = json!({"name": "", "host": "no host", "port": 0, "system_id": "x".repeat(16), "password": "123456789",
        "bind_type": "both", "binds": 101, "window": 0});
    let rows = [
        (
            "/v1/operators",
            operator,
            vec!["/name", "/host", "/bind_type", "/port", "/binds", "/window", "/system_id", "/password"],
        ),
        ("/v1/operators", json!({"name": "x", "port": "2775"}), vec!["/host", "/system_id", "/password", "/port"]),
        ("/v1/prefixes", json!({"prefix": "0123", "mcc": "43", "mnc": "5"}), vec!["/mcc", "/mnc", "/prefix"]),
        ("/v1/accounts", json!({"name": "x", "role": "admin", "credit_limit": "-1"}), vec!["/role", "/credit_limit"]),
        ("/v1/api-keys", json!({"name": "x", "scopes": ["messages:write", "root"]}), vec!["/scopes/1"]),
        (
            "/v1/operator-rates",
            json!({"operator_id": "op_x", "mcc": "434", "price": "1", "currency": "uzs"}),
            vec!["/operator_id", "/currency"],
        ),
    ];
    for (path, body, expected) in rows {
        let answer = rig.post(&rig.house, path, &body).await.expect(400).json();
        let pointers: Vec<&str> =
            answer["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
        assert_eq!(pointers, expected, "{path}: {answer}");
    }
}
