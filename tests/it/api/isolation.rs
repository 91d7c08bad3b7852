//! Every route that is published, called without rights and with another tenant's rights. A route that is not in
//! the table fails the test.

use serde_json::{Value, json};

use Rival::{Forbidden, NotFound, OwnOnly, Refused, SeesNothing};

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
    price: String,
    operator: String,
    system: String,
    session: String,
    rule: String,
    inbound: String,
    transaction: String,
    entry: String,
    export: String,
}

fn route(operation: &'static str, path: impl Into<String>, body: impl Into<Option<Value>>, rival: Rival) -> Route {
    Route { operation, path: path.into(), body: body.into(), rival }
}

/// A route whose path is the published one.
fn plain(operation: &'static str, body: impl Into<Option<Value>>, rival: Rival) -> Route {
    route(operation, operation.split(' ').nth(1).unwrap(), body, rival)
}

fn routes(victim: &Victim) -> Vec<Route> {
    [
        routes_of_messages(victim),
        routes_of_inbound(victim),
        routes_of_smpp(victim),
        routes_of_accounts(victim),
        routes_of_settings(victim),
        routes_of_money(victim),
        routes_of_spending(victim),
        routes_of_the_house(victim),
        routes_of_rate_sheets(victim),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn routes_of_smpp(Victim { account, system, session, .. }: &Victim) -> Vec<Route> {
    let one = format!("/v1/smpp/systems/{system}");
    vec![
        plain("get /v1/smpp/systems", None, SeesNothing),
        plain("post /v1/smpp/systems", json!({"system_id": "rival", "account_id": account}), NotFound),
        route("get /v1/smpp/systems/{id}", &one, None, NotFound),
        route("patch /v1/smpp/systems/{id}", &one, json!({"window": 1}), NotFound),
        route("delete /v1/smpp/systems/{id}", &one, None, NotFound),
        route("post /v1/smpp/systems/{id}/password", format!("{one}/password"), json!({}), NotFound),
        plain("get /v1/smpp/sessions", None, SeesNothing),
        route("delete /v1/smpp/sessions/{id}", format!("/v1/smpp/sessions/{session}"), None, NotFound),
    ]
}

fn routes_of_messages(Victim { account, message, export, .. }: &Victim) -> Vec<Route> {
    let an_export = format!("/v1/exports/{export}");
    vec![
        plain("post /v1/messages", send(&json!({})), Refused(400)),
        plain("post /v1/messages/batch", json!({"messages": [send(&json!({}))]}), Refused(202)),
        plain("get /v1/messages", None, SeesNothing),
        // Whom a connection hears of is judged in `realtime`; a ticket is one's own.
        plain("get /v1/realtime", None, Refused(400)),
        plain("post /v1/realtime/tickets", None, Refused(201)),
        route("get /v1/messages/{id}", format!("/v1/messages/{message}"), None, NotFound),
        plain("get /v1/exports", None, SeesNothing),
        plain(
            "post /v1/exports",
            json!({"kind": "cdr", "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z",
            "account_id": account}),
            NotFound,
        ),
        route("get /v1/exports/{id}", &an_export, None, NotFound),
        route("delete /v1/exports/{id}", &an_export, None, NotFound),
        route("get /v1/exports/{id}/download", format!("{an_export}/download"), None, NotFound),
        route("get /v1/lookups/{number}", "/v1/lookups/+998931234567", None, OwnOnly),
        route("get /v1/messages/{id}/explanation", format!("/v1/messages/{message}/explanation"), None, NotFound),
        route("delete /v1/messages/{id}", format!("/v1/messages/{message}"), None, NotFound),
        route(
            "post /v1/messages/{id}/feedback",
            format!("/v1/messages/{message}/feedback"),
            json!({"outcome": "converted"}),
            NotFound,
        ),
        route("get /v1/balance", format!("/v1/balance?account_id={account}"), None, NotFound),
        plain("get /v1/reports/traffic", None, SeesNothing),
        plain("get /v1/webhook-secret", None, OwnOnly),
        route("get /v1/audit-logs", format!("/v1/audit-logs?account_id={account}"), None, NotFound),
    ]
}

fn routes_of_inbound(Victim { account, rule, inbound, .. }: &Victim) -> Vec<Route> {
    let (one, message) = (format!("/v1/inbound-rules/{rule}"), format!("/v1/inbound-messages/{inbound}"));
    let new = json!({"account_id": account, "number": "4401", "url": "https://example.com/"});
    let opt_out = json!({"number": "+998901234567", "account_id": account});
    let gone = format!("/v1/opt-outs/+998901234567?account_id={account}");
    vec![
        plain("post /v1/inbound-rules", new, Forbidden),
        plain("get /v1/inbound-rules", None, SeesNothing),
        route("get /v1/inbound-rules/{id}", &one, None, NotFound),
        route("patch /v1/inbound-rules/{id}", &one, json!({"url": "https://rival.example/"}), NotFound),
        route("delete /v1/inbound-rules/{id}", &one, None, Forbidden),
        plain("get /v1/inbound-messages", None, SeesNothing),
        route("get /v1/inbound-messages/{id}", message, None, NotFound),
        plain("get /v1/opt-outs", None, SeesNothing),
        plain("post /v1/opt-outs", opt_out, NotFound),
        route("delete /v1/opt-outs/{number}", gone, None, NotFound),
    ]
}

fn routes_of_accounts(Victim { account, .. }: &Victim) -> Vec<Route> {
    let (one, credit) = (format!("/v1/accounts/{account}"), format!("/v1/accounts/{account}/credit"));
    let reroute = format!("/v1/accounts/{account}/reroute");
    let child = json!({"name": "x", "role": "client", "parent_id": account});
    let person = json!({"email": "a@b.example", "password": "password123", "account_id": account});
    vec![
        plain("get /v1/accounts", None, SeesNothing),
        plain("post /v1/accounts", child, NotFound),
        route("get /v1/accounts/{id}", &one, None, NotFound),
        route("patch /v1/accounts/{id}", &one, json!({"name": "x"}), NotFound),
        route("get /v1/accounts/{id}/reroute", &reroute, None, Forbidden),
        route("put /v1/accounts/{id}/reroute", &reroute, json!({"hops_max": 2}), Forbidden),
        route("delete /v1/accounts/{id}/reroute", &reroute, None, Forbidden),
        route("get /v1/accounts/{id}/lookups", format!("{one}/lookups"), None, NotFound),
        route("put /v1/accounts/{id}/lookups", format!("{one}/lookups"), json!({"policy": "never"}), NotFound),
        route("put /v1/accounts/{id}/credit-limit", format!("{one}/credit-limit"), json!({"amount": "1"}), NotFound),
        route("post /v1/accounts/{id}/credit", credit, json!({"amount": "1", "reason": "x"}), NotFound),
        plain("get /v1/users", None, SeesNothing),
        // A key may not do this at all.
        plain("post /v1/users", person, Forbidden),
    ]
}

fn routes_of_spending(Victim { account, message, key, entry, operator, .. }: &Victim) -> Vec<Route> {
    let (of_account, of_key) = (format!("/v1/accounts/{account}/spend-cap"), format!("/v1/api-keys/{key}/spend-cap"));
    let cap = json!({"daily": "1"});
    let of_supplier = |what: &str| format!("/v1/operators/{operator}/{what}");
    let of_provider = |what: &str| format!("/v1/lookup-providers/lkp_01m835r56ceywr0hvw89c806ve/{what}");
    let payment = json!({"amount": "1", "currency": "UZS", "reason": "x"});
    let threshold = json!({"account_id": account, "amount": "1"});
    vec![
        route("get /v1/accounts/{id}/spend-cap", &of_account, None, NotFound),
        route("put /v1/accounts/{id}/spend-cap", &of_account, cap.clone(), NotFound),
        route("get /v1/api-keys/{id}/spend-cap", &of_key, None, NotFound),
        route("put /v1/api-keys/{id}/spend-cap", &of_key, cap, NotFound),
        plain("get /v1/balance-thresholds", None, SeesNothing),
        plain("post /v1/balance-thresholds", threshold, NotFound),
        route(
            "delete /v1/balance-thresholds/{id}",
            "/v1/balance-thresholds/low_01m835r56ceywr0hvw89c806ve",
            None,
            NotFound,
        ),
        route("get /v1/statement", format!("/v1/statement?account_id={account}"), None, NotFound),
        route("get /v1/statement.csv", format!("/v1/statement.csv?account_id={account}"), None, NotFound),
        route("get /v1/statement/{entry}/messages", format!("/v1/statement/{entry}/messages"), None, NotFound),
        route("get /v1/statement/{entry}/lookups", format!("/v1/statement/{entry}/lookups"), None, NotFound),
        plain("get /v1/revenue-shares", None, SeesNothing),
        route("get /v1/messages/{id}/share", format!("/v1/messages/{message}/share"), None, NotFound),
        route("get /v1/operators/{id}/account", of_supplier("account"), None, Forbidden),
        route("put /v1/operators/{id}/account", of_supplier("account"), json!({"currency": "UZS"}), Forbidden),
        route("get /v1/operators/{id}/entries", of_supplier("entries?currency=UZS"), None, Forbidden),
        route("post /v1/operators/{id}/payments", of_supplier("payments"), payment.clone(), Forbidden),
        route("get /v1/lookup-providers/{id}/account", of_provider("account"), None, Forbidden),
        route("put /v1/lookup-providers/{id}/account", of_provider("account"), json!({"currency": "UZS"}), Forbidden),
        route("get /v1/lookup-providers/{id}/entries", of_provider("entries?currency=UZS"), None, Forbidden),
        route("post /v1/lookup-providers/{id}/payments", of_provider("payments"), payment, Forbidden),
    ]
}

fn routes_of_money(Victim { account, message, transaction, .. }: &Victim) -> Vec<Route> {
    let move_ = json!({"direction": "up", "amount": "1", "reason": "x"});
    let adjust = json!({"account_id": account, "amount": "1", "reason": "x"});
    let an_adjustment = |verb: &str| format!("/v1/adjustments/adj_01m835r56ceywr0hvw89c806ve/{verb}");
    let because = json!({"reason": "x"});
    vec![
        route("post /v1/accounts/{id}/transfers", format!("/v1/accounts/{account}/transfers"), move_, NotFound),
        route("post /v1/messages/{id}/refunds", format!("/v1/messages/{message}/refunds"), because.clone(), NotFound),
        plain("get /v1/transactions", None, SeesNothing),
        route(
            "post /v1/transactions/{id}/corrections",
            format!("/v1/transactions/{transaction}/corrections"),
            because.clone(),
            NotFound,
        ),
        plain("post /v1/adjustments", adjust, Forbidden),
        plain("get /v1/adjustments", None, Forbidden),
        plain("get /v1/revenue-balance", None, OwnOnly),
        plain("post /v1/revenue-balance/credits", json!({"amount": "1", "reason": "x"}), Refused(402)),
        route(
            "post /v1/accounts/{id}/payouts",
            format!("/v1/accounts/{account}/payouts"),
            json!({"amount": "1", "reference": "x"}),
            Forbidden,
        ),
        route("post /v1/adjustments/{id}/approve", an_adjustment("approve"), because.clone(), Forbidden),
        route("post /v1/adjustments/{id}/reject", an_adjustment("reject"), because, Forbidden),
        plain("get /v1/adjustment-limits", None, Forbidden),
        route(
            "put /v1/adjustment-limits/{currency}",
            "/v1/adjustment-limits/UZS",
            json!({"amount": "1000000"}),
            Forbidden,
        ),
        route(
            "post /v1/adjustment-limits/{currency}/approve",
            "/v1/adjustment-limits/UZS/approve",
            json!({"amount": "1000000"}),
            Forbidden,
        ),
    ]
}

fn routes_of_settings(Victim { account, key, sender, plan, price: one, .. }: &Victim) -> Vec<Route> {
    let one = format!("/v1/tariffs/{one}");
    let key = format!("/v1/api-keys/{key}");
    let decide = |verb: &str| format!("/v1/sender-ids/{sender}/{verb}");
    let price = json!({"plan_id": plan, "mcc": "434", "price": "1.00"});
    vec![
        plain("get /v1/api-keys", None, SeesNothing),
        plain("post /v1/api-keys", json!({"name": "x", "account_id": account}), NotFound),
        route("delete /v1/api-keys/{id}", key, None, NotFound),
        plain("get /v1/sender-ids", None, SeesNothing),
        plain("post /v1/sender-ids", json!({"sender": "Mine", "account_id": account}), NotFound),
        route("post /v1/sender-ids/{id}/approve", decide("approve"), json!({}), NotFound),
        route("post /v1/sender-ids/{id}/reject", decide("reject"), json!({"reason": "x"}), NotFound),
        plain("get /v1/tariff-plans", None, SeesNothing),
        plain("post /v1/tariff-plans", json!({"name": "x", "account_id": account}), NotFound),
        plain("get /v1/tariffs", None, SeesNothing),
        // The world's lists are everybody's.
        plain("get /v1/networks", None, OwnOnly),
        plain("get /v1/countries", None, OwnOnly),
        plain("post /v1/tariffs", price, NotFound),
        route("post /v1/tariffs/{id}/end", format!("{one}/end"), json!({"reason": "x"}), NotFound),
        route("delete /v1/tariffs/{id}", one, None, NotFound),
    ]
}

fn routes_of_the_house(Victim { operator, message, .. }: &Victim) -> Vec<Route> {
    let one = format!("/v1/operators/{operator}");
    let new_operator = json!({"name": "x", "host": "x.example", "port": 1, "system_id": "x", "password": "x"});
    let rate = json!({"operator_id": operator, "mcc": "434", "price": "1", "currency": "UZS"});
    let a_rate = "/v1/operator-rates/rate_01m835r56ceywr0hvw89c806ve";
    let prefix = json!({"prefix": "99", "mcc": "434"});
    let turn = json!({"state": "open", "reason": "x"});
    let (a_prefix, a_number) = ("/v1/prefixes/pfx_00000000000000000000000000", "/v1/number-overrides/998931234567");
    let rule = json!({"name": "x", "position": 1});
    let a_rule = "/v1/routing/rules/route_01m835r56ceywr0hvw89c806ve";
    vec![
        plain("get /v1/operators", None, Forbidden),
        plain("get /v1/operator-presets", None, Forbidden),
        plain("post /v1/operators", new_operator, Forbidden),
        route("get /v1/operators/{id}", &one, None, Forbidden),
        route("patch /v1/operators/{id}", &one, json!({"tps": 1}), Forbidden),
        route("delete /v1/operators/{id}", &one, None, Forbidden),
        route("get /v1/operators/{id}/health", format!("{one}/health"), None, Forbidden),
        route("put /v1/operators/{id}/breakers/{mcc_mnc}", format!("{one}/breakers/43405"), turn, Forbidden),
        plain("get /v1/test-numbers", None, Forbidden),
        plain("post /v1/test-numbers", json!({"number": "+998931234567", "kind": "dead"}), Forbidden),
        route("delete /v1/test-numbers/{number}", "/v1/test-numbers/998931234567", None, Forbidden),
        route(
            "post /v1/test-numbers/{number}/results",
            "/v1/test-numbers/998931234567/results",
            json!({"message_id": message, "arrived": true}),
            Forbidden,
        ),
        plain("get /v1/operator-rates", None, Forbidden),
        plain("post /v1/operator-rates", rate, Forbidden),
        route("post /v1/operator-rates/{id}/end", format!("{a_rate}/end"), json!({"reason": "x"}), Forbidden),
        route("delete /v1/operator-rates/{id}", a_rate, None, Forbidden),
        plain("get /v1/exchange-rates", None, Forbidden),
        plain("post /v1/exchange-rates", json!({"from": "EUR", "to": "UZS", "rate": "1"}), Forbidden),
        route("delete /v1/exchange-rates/{id}", "/v1/exchange-rates/fx_01m835r56ceywr0hvw89c806ve", None, Forbidden),
        plain("get /v1/prefixes", None, Forbidden),
        plain("post /v1/prefixes", prefix.clone(), Forbidden),
        plain("post /v1/prefixes/bulk", json!({"prefixes": [prefix]}), Forbidden),
        route("delete /v1/prefixes/{id}", a_prefix, None, Forbidden),
        plain("post /v1/prefixes/import", None, Forbidden),
        plain("post /v1/number-overrides/import", None, Forbidden),
        plain("get /v1/lookup-providers", None, Forbidden),
        plain("post /v1/lookup-providers", None, Forbidden),
        route(
            "patch /v1/lookup-providers/{id}",
            "/v1/lookup-providers/lkp_01m835r56ceywr0hvw89c806ve",
            json!({"name": "x"}),
            Forbidden,
        ),
        route(
            "delete /v1/lookup-providers/{id}",
            "/v1/lookup-providers/lkp_01m835r56ceywr0hvw89c806ve",
            None,
            Forbidden,
        ),
        plain("get /v1/number-overrides", None, Forbidden),
        plain("post /v1/number-overrides", json!({"number": "+998931234567", "mcc": "434"}), Forbidden),
        route("delete /v1/number-overrides/{number}", a_number, None, Forbidden),
        plain("post /v1/routing/decision", json!({"to": "+998931234567"}), Forbidden),
        plain("get /v1/routing/what-ifs", None, Forbidden),
        plain("post /v1/routing/what-if", json!({}), Forbidden),
        route("get /v1/routing/what-if/{id}", "/v1/routing/what-if/wif_01m835r56ceywr0hvw89c806ve", None, Forbidden),
        plain("get /v1/routing/rules", None, Forbidden),
        plain("post /v1/routing/rules", rule.clone(), Forbidden),
        route("get /v1/routing/rules/{id}", a_rule, None, Forbidden),
        route("put /v1/routing/rules/{id}", a_rule, rule, Forbidden),
        route("delete /v1/routing/rules/{id}", a_rule, None, Forbidden),
        plain("get /v1/routing/guards", None, Forbidden),
        plain("post /v1/routing/guards", json!({"min": "1"}), Forbidden),
        route("delete /v1/routing/guards/{id}", "/v1/routing/guards/guard_01m835r56ceywr0hvw89c806ve", None, Forbidden),
    ]
}

fn routes_of_rate_sheets(Victim { operator, plan, .. }: &Victim) -> Vec<Route> {
    let margins = json!({"rules": [{"margin_permille": 200}]});
    let one = "/v1/rate-sheets/sheet_01m835r56ceywr0hvw89c806ve";
    let step = |verb: &str| format!("{one}/{verb}");
    let (rules, reason) = (format!("/v1/operators/{operator}/rate-sheet-rules"), json!({"reason": "x"}));
    vec![
        plain("get /v1/rate-sheet-rules", None, Forbidden),
        plain("put /v1/rate-sheet-rules", json!({}), Forbidden),
        route("get /v1/operators/{id}/rate-sheet-rules", &rules, None, Forbidden),
        route("put /v1/operators/{id}/rate-sheet-rules", &rules, json!({}), Forbidden),
        route("post /v1/operators/{id}/rate-sheets", format!("/v1/operators/{operator}/rate-sheets"), None, Forbidden),
        plain("get /v1/rate-sheets", None, Forbidden),
        route("get /v1/rate-sheets/{id}", one, None, Forbidden),
        route("get /v1/rate-sheets/{id}/lines", step("lines"), None, Forbidden),
        route("post /v1/rate-sheets/{id}/approve", step("approve"), None, Forbidden),
        route("post /v1/rate-sheets/{id}/apply", step("apply"), json!({}), Forbidden),
        route("post /v1/rate-sheets/{id}/undo", step("undo"), reason.clone(), Forbidden),
        route("post /v1/rate-sheets/{id}/reject", step("reject"), reason, Forbidden),
        plain("get /v1/reports/losses", None, Forbidden),
        route(
            "delete /v1/routing/rules/{id}/versions/{version}",
            "/v1/routing/rules/route_01m835r56ceywr0hvw89c806ve/versions/1",
            None,
            Forbidden,
        ),
        route("get /v1/price-lists/{plan}", format!("/v1/price-lists/{plan}"), None, NotFound),
        route(
            "post /v1/price-lists/{plan}/proposal",
            format!("/v1/price-lists/{plan}/proposal"),
            margins.clone(),
            NotFound,
        ),
        route("post /v1/price-lists/{plan}/publish", format!("/v1/price-lists/{plan}/publish"), margins, NotFound),
    ]
}

/// What the client has: a message, a key, a sender ID that waits, and its reseller's plan.
async fn victim(rig: &Rig) -> Victim {
    let message = rig.post(&rig.client, "/v1/messages", &send(&json!({}))).await.expect(201).text("id");
    let key = rig.post(&rig.client, "/v1/api-keys", &json!({"name": "server"})).await.expect(201).text("id");
    let sender = rig.post(&rig.client, "/v1/sender-ids", &json!({"sender": "Waiting"})).await.expect(201).text("id");
    let plans = rig.get(&rig.reseller, "/v1/tariff-plans").await.expect(200).json();
    let prices = rig.get(&rig.reseller, "/v1/tariffs").await.expect(200).json();
    let of_plan = |price: &&Value| price["plan_id"] == plans["data"][0]["id"];
    let price = prices["data"].as_array().unwrap().iter().find(of_plan).unwrap()["id"].as_str().unwrap().to_owned();
    rig.user(rig.world.client, "victim@example.com", "password123").await;
    let (system, session) = bound(rig).await;
    let rule = json!({"account_id": rig.world.client, "number": "4400", "url": "https://example.com/"});
    let rule = rig.post(&rig.house, "/v1/inbound-rules", &rule).await.expect(201).text("id");
    let opt_out = json!({"number": "+998909999999"});
    rig.post(&rig.client, "/v1/opt-outs", &opt_out).await.expect(201);
    let export = json!({"kind": "cdr", "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"});
    let export = rig.post(&rig.client, "/v1/exports", &export).await.expect(202).text("id");
    let inbound = inbound_message(&rig.world).await;
    let moved = rig.get(&rig.client, "/v1/transactions").await.expect(200).json();
    let transaction = moved["data"][0]["id"].as_str().unwrap().to_owned();
    let entry = rig.get(&rig.client, "/v1/statement?operation=hold").await.expect(200).json();
    let entry = entry["data"][0]["entry_id"].as_str().unwrap().to_owned();
    Victim {
        account: rig.world.client.to_string(),
        message,
        key,
        sender,
        plan: plans["data"][0]["id"].as_str().unwrap().to_owned(),
        price,
        operator: rig.world.operators[0].to_string(),
        system,
        session,
        rule,
        inbound,
        transaction,
        entry,
        export,
    }
}

/// A system of the client, and a session of it.
async fn bound(rig: &Rig) -> (String, String) {
    let new = json!({"system_id": "victim", "account_id": rig.world.client.to_string()});
    let system = rig.post(&rig.reseller, "/v1/smpp/systems", &new).await.expect(201).text("id");
    let session = super::smpp::session(system.parse().unwrap(), rig.world.client);
    let id = session.id.to_string();
    let report = api::internal::BindReport { edge_id: "e1".to_owned(), operators: Vec::new(), sessions: vec![session] };
    api::internal::report_binds(&rig.world.db, &report).await.unwrap();
    (system, id)
}

/// What a handset sent to the client.
async fn inbound_message(world: &crate::world::World) -> String {
    let id = domain::InboundId::generate();
    sqlx::query(
        "INSERT INTO inbound_messages (id, account_id, operator_id, sender, recipient, body, encoding, parts, received_at)
         VALUES ($1, $2, $3, '998901234567', '4400', 'hello', 'gsm7', 1, now())",
    )
    .bind(id.uuid())
    .bind(world.client.uuid())
    .bind(world.operators[0].uuid())
    .execute(world.pool())
    .await
    .unwrap();
    id.to_string()
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
    let Victim { account, message, key, sender, plan, system, session, rule, inbound, transaction, export, .. } =
        victim;
    for secret in [account, message, key, sender, plan, system, session, rule, inbound, transaction, export] {
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
            "post /v1/accounts"
                | "patch /v1/accounts/{id}"
                | "post /v1/tariffs"
                | "post /v1/tariffs/{id}/end"
                | "delete /v1/tariffs/{id}"
                | "post /v1/tariff-plans"
                | "post /v1/smpp/systems"
                | "patch /v1/smpp/systems/{id}"
                | "delete /v1/smpp/systems/{id}"
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
