//! Every route that is published, called without rights and with another tenant's rights. A route that is not in
//! the table fails the test.

use serde_json::{Value, json};

use super::rig::{ALL, Rig, send};

/// How a reseller of another branch fares when it reaches for the victim's things.
#[derive(Debug, Clone, Copy)]
enum Rival {
    /// Its role does not allow this to anybody but the house.
    Forbidden,
    /// The victim's thing does not exist for it.
    NotFound,
    /// It sees only what is its own.
    SeesNothing,
    /// It acts on its own things only; there is no way to name another's.
    OwnOnly,
    /// The request is refused because it names nothing of its own.
    Refused(u16),
}

struct Route {
    operation: &'static str,
    path: String,
    body: Option<Value>,
    rival: Rival,
}

/// Routes that need no credentials.
const OPEN: [&str; 8] = [
    "get /healthz",
    "get /readyz",
    "get /metrics",
    "get /openapi.json",
    "get /errors",
    "post /v1/auth/login",
    "post /v1/auth/refresh",
    "post /v1/auth/logout",
];

/// The victim's things, by name.
struct Victim {
    account: String,
    message: String,
    key: String,
    sender: String,
    plan: String,
    operator: String,
}

fn routes(victim: &Victim) -> Vec<Route> {
    let Victim { account, message, key, sender, plan, operator } = victim;
    let route =
        |operation, path: &str, body: Option<Value>, rival| Route { operation, path: path.to_owned(), body, rival };
    let get = |operation: &'static str, rival| {
        let path = operation.strip_prefix("get ").unwrap().to_owned();
        Route { operation, path, body: None, rival }
    };
    let new_price = json!({"plan_id": plan, "mcc": "434", "price": "1.00"});
    let new_operator = json!({"name": "x", "host": "x.example", "port": 1, "system_id": "x", "password": "x"});
    let new_rate = json!({"operator_id": operator, "mcc": "434", "price": "1", "currency": "UZS"});
    let new_prefix = json!({"prefix": "99", "mcc": "434"});
    let moved = json!({"number": "+998931234567", "mcc": "434"});
    use Rival::{Forbidden, NotFound, OwnOnly, Refused, SeesNothing};
    vec![
        route("post /v1/messages", "/v1/messages", Some(send(&json!({}))), Refused(400)),
        route(
            "post /v1/messages/batch",
            "/v1/messages/batch",
            Some(json!({"messages": [send(&json!({}))]})),
            Refused(202),
        ),
        get("get /v1/messages", SeesNothing),
        route("get /v1/messages/{id}", &format!("/v1/messages/{message}"), None, NotFound),
        route("get /v1/balance", &format!("/v1/balance?account_id={account}"), None, NotFound),
        get("get /v1/accounts", SeesNothing),
        route(
            "post /v1/accounts",
            "/v1/accounts",
            Some(json!({"name": "x", "role": "client", "parent_id": account})),
            NotFound,
        ),
        route("get /v1/accounts/{id}", &format!("/v1/accounts/{account}"), None, NotFound),
        route("patch /v1/accounts/{id}", &format!("/v1/accounts/{account}"), Some(json!({"name": "x"})), NotFound),
        route(
            "post /v1/accounts/{id}/credit",
            &format!("/v1/accounts/{account}/credit"),
            Some(json!({"amount": "1", "reason": "x"})),
            NotFound,
        ),
        get("get /v1/users", SeesNothing),
        // Its key may not do this at all; a person of the rival is tried below.
        route(
            "post /v1/users",
            "/v1/users",
            Some(json!({"email": "a@b.example", "password": "password123", "account_id": account})),
            Forbidden,
        ),
        get("get /v1/api-keys", SeesNothing),
        route("post /v1/api-keys", "/v1/api-keys", Some(json!({"name": "x", "account_id": account})), NotFound),
        route("delete /v1/api-keys/{id}", &format!("/v1/api-keys/{key}"), None, NotFound),
        get("get /v1/sender-ids", SeesNothing),
        route(
            "post /v1/sender-ids",
            "/v1/sender-ids",
            Some(json!({"sender": "Mine", "account_id": account})),
            NotFound,
        ),
        route(
            "post /v1/sender-ids/{id}/approve",
            &format!("/v1/sender-ids/{sender}/approve"),
            Some(json!({})),
            NotFound,
        ),
        route(
            "post /v1/sender-ids/{id}/reject",
            &format!("/v1/sender-ids/{sender}/reject"),
            Some(json!({"reason": "x"})),
            NotFound,
        ),
        get("get /v1/webhook-secret", OwnOnly),
        get("get /v1/tariff-plans", SeesNothing),
        route("post /v1/tariff-plans", "/v1/tariff-plans", Some(json!({"name": "x", "account_id": account})), NotFound),
        get("get /v1/tariffs", SeesNothing),
        route("post /v1/tariffs", "/v1/tariffs", Some(new_price), NotFound),
        get("get /v1/operators", Forbidden),
        route("post /v1/operators", "/v1/operators", Some(new_operator), Forbidden),
        route("get /v1/operators/{id}", &format!("/v1/operators/{operator}"), None, Forbidden),
        route("patch /v1/operators/{id}", &format!("/v1/operators/{operator}"), Some(json!({"tps": 1})), Forbidden),
        route("delete /v1/operators/{id}", &format!("/v1/operators/{operator}"), None, Forbidden),
        get("get /v1/operator-rates", Forbidden),
        route("post /v1/operator-rates", "/v1/operator-rates", Some(new_rate), Forbidden),
        get("get /v1/prefixes", Forbidden),
        route("post /v1/prefixes", "/v1/prefixes", Some(new_prefix.clone()), Forbidden),
        route("post /v1/prefixes/bulk", "/v1/prefixes/bulk", Some(json!({"prefixes": [new_prefix]})), Forbidden),
        route("delete /v1/prefixes/{id}", "/v1/prefixes/pfx_00000000000000000000000000", None, Forbidden),
        get("get /v1/number-overrides", Forbidden),
        route("post /v1/number-overrides", "/v1/number-overrides", Some(moved), Forbidden),
        route("delete /v1/number-overrides/{number}", "/v1/number-overrides/998931234567", None, Forbidden),
        route("post /v1/routing/decision", "/v1/routing/decision", Some(json!({"to": "+998931234567"})), Forbidden),
        route("get /v1/audit-logs", &format!("/v1/audit-logs?account_id={account}"), None, NotFound),
    ]
}

/// What the client has: a message, a key, a sender ID that waits, and its reseller's plan.
async fn victim(rig: &Rig) -> Victim {
    let message = rig.post(&rig.client, "/v1/messages", &send(&json!({}))).await.expect(201).text("id");
    let key = rig.post(&rig.client, "/v1/api-keys", &json!({"name": "server"})).await.expect(201).text("id");
    let sender = rig.post(&rig.client, "/v1/sender-ids", &json!({"sender": "Waiting"})).await.expect(201).text("id");
    let plans = rig.get(&rig.reseller, "/v1/tariff-plans").await.expect(200).json();
    rig.user(rig.world.client, "victim@example.com", "password123").await;
    Victim {
        account: rig.world.client.to_string(),
        message,
        key,
        sender,
        plan: plans["data"][0]["id"].as_str().unwrap().to_owned(),
        operator: rig.world.operators[0].to_string(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_route_opens_without_rights_or_to_another_tenant() {
    let rig = Rig::new().await;
    let victim = victim(&rig).await;
    let other = json!({"name": "Rival", "role": "reseller"});
    let other = rig.post(&rig.house, "/v1/accounts", &other).await.expect(201).text("id");
    let rival = rig.key(other.parse().unwrap(), &ALL).await;
    let powerless = rig.key(rig.world.client, &[]).await;
    let table = routes(&victim);
    let before = (rig.messages().await, rig.world.count("SELECT count(*) FROM audit_logs").await);
    for operation in published() {
        if OPEN.contains(&operation.as_str()) {
            continue;
        }
        let route = table.iter().find(|route| route.operation == operation);
        let Some(route) = route else { panic!("{operation} is not in the table of isolation") };
        let method = operation.split(' ').next().unwrap().to_uppercase();
        let call = async |token: Option<&str>| rig.call(&method, &route.path, token, route.body.as_ref()).await;
        assert_eq!(call(None).await.refusal(), (401, "unauthorized".to_owned()), "{operation} without credentials");
        assert_eq!(call(Some(&powerless)).await.refusal(), (403, "forbidden".to_owned()), "{operation} without scopes");
        judge(&operation, route.rival, &call(Some(&rival)).await, &victim);
    }
    let after = (rig.messages().await, rig.world.count("SELECT count(*) FROM audit_logs").await);
    assert_eq!(before, after, "nothing was changed");
}

fn judge(operation: &str, expected: Rival, answer: &super::rig::Answer, victim: &Victim) {
    let body = String::from_utf8_lossy(&answer.bytes).into_owned();
    let status = match expected {
        Rival::Forbidden => 403,
        Rival::NotFound => 404,
        Rival::SeesNothing | Rival::OwnOnly => 200,
        Rival::Refused(status) => status,
    };
    assert_eq!(answer.status.as_u16(), status, "{operation} by a rival: {body}");
    for secret in [&victim.account, &victim.message, &victim.key, &victim.sender, &victim.plan] {
        assert!(!body.contains(secret), "{operation} tells a rival of {secret}");
    }
    assert!(!body.contains("victim@example.com"), "{operation} tells a rival of a person");
}

/// Every operation of the description, as `get /v1/messages`.
fn published() -> Vec<String> {
    let document: Value = serde_json::from_str(&api::openapi_document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, operations)| {
        operations.as_object().unwrap().keys().map(move |method| format!("{method} {path}"))
    });
    operations.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_does_not_act_as_a_seller_or_as_the_house() {
    let rig = Rig::new().await;
    let victim = victim(&rig).await;
    let own = |path: &str| path.contains("sender-ids/") || path.contains("/credit");
    for route in routes(&victim) {
        let seller_only = matches!(
            route.operation,
            "post /v1/accounts" | "patch /v1/accounts/{id}" | "post /v1/tariffs" | "post /v1/tariff-plans"
        ) || own(&route.path);
        if seller_only || matches!(route.rival, Rival::Forbidden) {
            let method = route.operation.split(' ').next().unwrap().to_uppercase();
            let answer = rig.call(&method, &route.path, Some(&rig.client), route.body.as_ref()).await;
            assert_eq!(answer.refusal(), (403, "forbidden".to_owned()), "{} by a client", route.operation);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn those_above_see_those_below() {
    let rig = Rig::new().await;
    let victim = victim(&rig).await;
    for token in [&rig.house, &rig.reseller, &rig.client] {
        rig.get(token, &format!("/v1/messages/{}", victim.message)).await.expect(200);
        let listed = rig.get(token, "/v1/messages").await.expect(200).json();
        assert_eq!(listed["data"][0]["id"], victim.message);
        rig.get(token, &format!("/v1/balance?account_id={}", victim.account)).await.expect(200);
    }
    let above = rig.get(&rig.client, &format!("/v1/accounts/{}", rig.world.reseller)).await;
    assert_eq!(above.refusal().0, 404, "nobody sees those above");
    let prices = rig.get(&rig.client, "/v1/tariffs").await.expect(200).json();
    assert_eq!(prices["data"].as_array().unwrap().len(), 2, "a client sees what it pays itself, and no more");
}
