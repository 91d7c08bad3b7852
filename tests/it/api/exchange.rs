//! What is priced in one currency and bought in another: exchange rates over the API, routes by converted costs, and the
//! journal of a message.

use std::sync::Arc;

use bill::Bill;
use chrono::{TimeDelta, Utc};
use contract::{Envelope, Outcome, OutcomeClass, Receipt, ReceiptState, Routed, SegmentOutcome, queues, seal};
use dlr::Dlr;
use domain::{OperatorId, Private};
use queue::{Out, Settle, Take};
use route::Route;
use serde_json::{Value, json};

use super::rig::{Rig, send};
use crate::ledger::pump;

const TO: &str = "+998931234567";
const PATH: &str = "/v1/exchange-rates";

impl Rig {
    /// A company whose first operator takes euros: 0.004 for a segment.
    async fn with_euros() -> Self {
        let rig = Self::new().await;
        let rate = json!({"operator_id": rig.world.operators[0], "mcc": "434", "mnc": "05", "price": "0.004",
            "currency": "EUR"});
        rig.post(&rig.house, "/v1/operator-rates", &rate).await.expect(201);
        rig
    }

    /// A euro is so many som, and an exchange costs one percent.
    async fn euro(&self, rate: &str) -> Value {
        let body = json!({"from": "EUR", "to": "UZS", "rate": rate, "spread_ppm": 10_000, "reason": "the bank"});
        self.post(&self.house, PATH, &body).await.expect(201).json()
    }

    /// Each operator in its order: what its margin is, or why it is none.
    async fn margins(&self) -> Vec<(String, String)> {
        let ask = json!({"to": TO, "account_id": self.world.client});
        let decision = self.post(&self.house, "/v1/routing/decision", &ask).await.expect(200).json();
        let told = |candidate: &Value| {
            let text = |name: &str| candidate[name].as_str().unwrap_or("unknown").to_owned();
            (text("operator"), if candidate["rank"].is_null() { text("reason") } else { text("margin") })
        };
        decision["candidates"].as_array().unwrap().iter().map(told).collect()
    }

    /// Takes what waits for an operator: each segment is accepted and delivered.
    pub(super) async fn deliver(&self, operator_id: OperatorId) {
        let name = queues::submit(operator_id);
        let take = Take { max: 10, wait: std::time::Duration::ZERO, lease: std::time::Duration::from_secs(30) };
        for delivery in self.world.queue.receive(&name, take).await.unwrap() {
            let envelope: Envelope<Routed> = serde_json::from_slice(&delivery.body).unwrap();
            for message in envelope.items {
                let outcome = outcome(&message, operator_id);
                let receipts: Vec<Receipt> = outcome.segments.iter().map(|part| receipt(operator_id, part)).collect();
                self.publish(queues::BILL, &[outcome]).await;
                self.publish(queues::DLR, &receipts).await;
            }
            self.world.queue.settle(&name, vec![(delivery.lease, Settle::Ack)]).await;
        }
    }

    async fn publish<T: contract::Item>(&self, queue: &str, items: &[T]) {
        for sealed in seal(items, Utc::now()).unwrap() {
            self.world.queue.send(queue, &[Out::now(sealed.body)]).await.remove(0).unwrap();
        }
    }
}

fn outcome(message: &Routed, operator_id: OperatorId) -> Outcome {
    let id = |segment| Some(format!("{}-{segment}", message.message_id));
    let part = |segment| SegmentOutcome { segment, status: Some(0), smpp_message_id: id(segment), part_of: None };
    let (message_id, account_id, hop) = (message.message_id, message.account_id, message.hop);
    let segments = (1..=message.segments).map(part).collect();
    Outcome { message_id, account_id, operator_id, hop, class: OutcomeClass::Accepted, at: Utc::now(), segments }
}

fn receipt(operator_id: OperatorId, part: &SegmentOutcome) -> Receipt {
    Receipt {
        operator_id,
        smpp_message_id: part.smpp_message_id.clone().unwrap(),
        state: ReceiptState::Delivered,
        error: "000".into(),
        meaning: None,
        done_at: None,
        received_at: Utc::now(),
        raw: Private::new("stat:DELIVRD"),
        lookups: 0,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_priced_in_som_and_bought_in_euros_is_booked_in_both() {
    let rig = Rig::with_euros().await;
    let exchange = rig.euro("12500.5").await;
    let [euros, som] = rig.world.operators;
    let off = json!({"enabled": false});
    rig.call("PATCH", &format!("/v1/operators/{som}"), Some(&rig.house), Some(&off)).await.expect(200);
    let clock = || Arc::new(host::clock::System);
    for _ in 0..2 {
        let id = rig
            .post(&rig.client, "/v1/messages", &send(&json!({"text": "x".repeat(161)})))
            .await
            .expect(201)
            .text("id");
        pump(&rig.world, &Route::new(rig.world.db.clone(), Arc::clone(&rig.world.catalogue), clock()), queues::ROUTE)
            .await;
        // A rate of later, and one that closes it, change nothing of what was decided.
        rig.euro("99999").await;
        rig.euro("12500.5").await;
        rig.deliver(euros).await;
        pump(&rig.world, &Bill::new(rig.world.db.clone(), clock()), queues::BILL).await;
        rig.world.assert_books_are_right().await;
        pump(&rig.world, &Dlr::new(rig.world.db.clone(), clock()), queues::DLR).await;
        let told = rig.get(&rig.house, &format!("/v1/messages/{id}")).await.expect(200).json();
        assert_eq!(told["state"], "delivered");
        let first = &told["decision"]["candidates"][0];
        assert_eq!(
            (&first["cost"], &first["currency"], &first["margin"]),
            (&json!("0.004"), &json!("EUR"), &json!("9.49798"))
        );
        assert_eq!((&first["exchange"]["amount"], &first["exchange"]["spread"]), (&json!("50.002"), &json!("0.50002")));
    }
    assert_booked(&rig).await;
    store::traffic::fold(&rig.world.db).await.unwrap();
    let report = rig.get(&rig.house, "/v1/reports/traffic?by=operator").await.expect(200).json();
    let amount = |total: &str, currency: &str| json!({"total": total, "currency": currency});
    let row = &report["rows"][0];
    assert_eq!(row["cost_net"], amount("0.016", "EUR"), "{report}");
    assert_eq!((&row["cost_converted"], &row["margin"]), (&amount("202.00808", "UZS"), &amount("37.99192", "UZS")));
    let records: Vec<(String, i64, i64, i64, i64)> = sqlx::query_as(
        "SELECT cost_currency::text, cost_micros, exchanged_micros, spread_micros, converted_micros FROM sms_cdr
         ORDER BY message_id",
    )
    .fetch_all(rig.world.pool())
    .await
    .unwrap();
    assert_eq!(records, vec![("EUR".to_owned(), 8_000, 100_004_000, 1_000_040, 101_004_040); 2]);
    let used: Vec<uuid::Uuid> = sqlx::query_scalar("SELECT exchange_rate_id FROM sms_cdr ORDER BY message_id LIMIT 1")
        .fetch_all(rig.world.pool())
        .await
        .unwrap();
    assert_eq!(domain::ExchangeRateId::from_uuid(used[0]).to_string(), exchange["id"]);
    rig.world.assert_books_are_right().await;
    assert_damage_is_found(&rig).await;
}

/// Two messages of two segments: 0.004 EUR are 50.002 UZS, and a hundredth of it goes to whoever exchanges.
async fn assert_booked(rig: &Rig) {
    let lines: Vec<(String, String, String, i64)> = sqlx::query_as(
        "SELECT operation, ledger, currency::text, sum(posted_micros)::bigint FROM balance_ledger
         WHERE operation IN ('supplier_cost', 'exchange') GROUP BY 1, 2, 3 ORDER BY 1, 3, 2",
    )
    .fetch_all(rig.world.pool())
    .await
    .unwrap();
    let lines: Vec<_> = lines.iter().map(|(o, l, c, posted)| (o.as_str(), l.as_str(), c.as_str(), *posted)).collect();
    let expected = [
        ("exchange", "fx", "EUR", -16_000),
        ("exchange", "supplier_cost", "EUR", 16_000),
        ("exchange", "fx", "UZS", 202_008_080),
        ("exchange", "fx_spread", "UZS", -2_000_080),
        ("exchange", "supplier_cost", "UZS", -200_008_000),
        ("supplier_cost", "supplier", "EUR", 16_000),
        ("supplier_cost", "supplier_cost", "EUR", -16_000),
    ];
    assert_eq!(lines, expected);
    let by_currency = "SELECT count(*) FROM (SELECT FROM balance_ledger GROUP BY entry_id, currency HAVING sum(posted_micros) <> 0) x";
    assert_eq!(rig.world.count(by_currency).await, 0, "no entry crosses currencies");
    let spread_is_its_own =
        "SELECT count(*) FROM balance_ledger WHERE ledger = 'fx_spread' AND operator_id IS NOT NULL";
    assert_eq!(rig.world.count(spread_is_its_own).await, 2);
    let result = "SELECT sum(posted_micros)::bigint FROM balance_ledger WHERE currency = 'UZS'
        AND account_id = (SELECT id FROM accounts WHERE parent_id IS NULL)
        AND ledger IN ('revenue', 'supplier_cost', 'fx_spread')";
    assert_eq!(rig.world.count(result).await, 4 * 60_000_000 - 200_008_000 - 2_000_080, "what the house earned in som");
}

async fn assert_damage_is_found(rig: &Rig) {
    for (damage, rule) in [
        (
            "UPDATE balance_ledger SET posted_micros = posted_micros * 2 WHERE operation = 'exchange'",
            "no more is exchanged",
        ),
        ("DELETE FROM balance_ledger WHERE operation = 'exchange'", "what was exchanged is"),
    ] {
        sqlx::query(damage).execute(rig.world.pool()).await.unwrap();
        let violations = store::ledger::verify(&rig.world.db).await.unwrap();
        assert!(violations.iter().any(|violation| violation.rule.starts_with(rule)), "{damage}: {violations:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_are_compared_and_guarded_by_what_they_cost_in_the_currency_of_the_price() {
    let rig = Rig::with_euros().await;
    let row = |operator: &str, margin: &str| (operator.to_owned(), margin.to_owned());
    let unknown = [row("Beeline", "15.00"), row("Ucell", "unknown")];
    assert_eq!(rig.margins().await, unknown, "without a rate nobody knows, and no guard judges");
    for (rate, expected) in [
        ("10000", [row("Ucell", "19.60"), row("Beeline", "15.00")]),
        ("12500.5", [row("Beeline", "15.00"), row("Ucell", "9.49798")]),
        ("14851.485148514", [row("Beeline", "15.00"), row("Ucell", "0.00")]),
        ("14851.75", [row("Beeline", "15.00"), row("Ucell", "a segment would earn too little")]),
    ] {
        let made = rig.euro(rate).await;
        assert_eq!(rig.margins().await, expected, "{rate}");
        let ask = json!({"to": TO, "account_id": rig.world.client});
        let decision = rig.post(&rig.house, "/v1/routing/decision", &ask).await.expect(200).json();
        let ucell = decision["candidates"].as_array().unwrap().iter().find(|one| one["operator"] == "Ucell").unwrap();
        assert_eq!(ucell["exchange"]["exchange_rate_id"], made["id"], "the decision names the row");
        assert_eq!((&ucell["cost"], &ucell["currency"]), (&json!("0.004"), &json!("EUR")), "the cost stays what it is");
    }
    let rates = rig.get(&rig.house, PATH).await.expect(200).json();
    let path = format!("{PATH}/{}", rates["data"][0]["id"].as_str().unwrap());
    rig.call("DELETE", &path, Some(&rig.house), None).await.expect(204);
    assert_eq!(rig.margins().await, unknown);
    rig.post(&rig.house, "/v1/routing/guards", &json!({"min": "0"})).await.expect(201);
    let blocked = "nobody knows what a segment would earn: no exchange rate is in force";
    assert_eq!(rig.margins().await, [row("Beeline", "15.00"), row("Ucell", blocked)], "who made a guard wants to know");
    // The other way round it says the same.
    let body = json!({"from": "UZS", "to": "EUR", "rate": "0.0001"});
    rig.post(&rig.house, PATH, &body).await.expect(201);
    assert_eq!(rig.margins().await, [row("Ucell", "20.00"), row("Beeline", "15.00")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rates_close_each_other_and_what_is_wrong_is_named() {
    let rig = Rig::new().await;
    let later = (Utc::now() + TimeDelta::days(1)).to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let first = rig.euro("10000").await;
    let body = json!({"from": "EUR", "to": "UZS", "rate": "10001.000000001", "effective_from": later});
    let second = rig.post(&rig.house, PATH, &body).await.expect(201).json();
    assert_eq!((&second["rate"], &second["effective_to"]), (&json!("10001.000000001"), &Value::Null));
    assert_eq!(rig.post(&rig.house, PATH, &body).await.refusal(), (409, "conflict".to_owned()));
    assert_eq!(rig.euro("10002").await["effective_to"], later, "it ends where a later one begins");
    let listed = async |query: &str| {
        let page = rig.get(&rig.house, &format!("{PATH}{query}")).await.expect(200).json();
        page["data"].as_array().unwrap().clone()
    };
    let all = listed("").await;
    assert_eq!(all.len(), 3);
    assert_eq!((&all[2]["id"], &all[2]["effective_to"]), (&first["id"], &all[0]["effective_from"]));
    assert_eq!((listed("?from=EUR&to=UZS").await.len(), listed("?to=EUR").await.len()), (3, 0));
    let path = format!("{PATH}/{}", second["id"].as_str().unwrap());
    rig.call("DELETE", &path, Some(&rig.house), None).await.expect(204);
    assert_eq!(listed("").await[0]["effective_to"], Value::Null, "the one before goes on");
    assert_eq!(rig.call("DELETE", &path, Some(&rig.house), None).await.refusal().0, 404);
    // What was ended on purpose stays ended when one of later is taken back.
    let current = format!("{PATH}/{}", listed("").await[0]["id"].as_str().unwrap());
    rig.call("DELETE", &current, Some(&rig.house), None).await.expect(204);
    let ended = listed("").await[0]["effective_to"].clone();
    sqlx::query("UPDATE exchange_rates SET effective_to = $1, ended_at = $1 WHERE effective_to = ended_at")
        .bind(Utc::now() + TimeDelta::days(1))
        .execute(rig.world.pool())
        .await
        .unwrap();
    assert_ne!(listed("").await[0]["effective_to"], ended, "it ends tomorrow");
    let until = listed("").await[0]["effective_to"].clone();
    for from in [until.clone(), json!((Utc::now() + TimeDelta::hours(1)).to_rfc3339())] {
        let body = json!({"from": "EUR", "to": "UZS", "rate": "2", "effective_from": from});
        let later = rig.post(&rig.house, PATH, &body).await.expect(201).text("id");
        rig.call("DELETE", &format!("{PATH}/{later}"), Some(&rig.house), None).await.expect(204);
        assert_eq!(listed("").await[0]["effective_to"], until, "{from}");
    }
    for (body, expected) in [
        (json!({"from": "eur", "to": "UZS", "rate": "0"}), vec!["/from", "/rate"]),
        (json!({"from": "EUR", "to": "EUR", "rate": "1"}), vec!["/to"]),
        (
            json!({"from": "EUR", "to": "UZS", "rate": "1.0000000001", "spread_ppm": 500_001}),
            vec!["/rate", "/spread_ppm"],
        ),
        (
            json!({"from": "EUR", "to": "UZS", "rate": "1", "effective_from": "2020-01-01T00:00:00Z"}),
            vec!["/effective_from"],
        ),
        (json!({"from": "EUR", "to": "UZS", "rate": 1}), vec!["/rate"]),
    ] {
        let refused = rig.post(&rig.house, PATH, &body).await.expect(400).json();
        let pointers: Vec<&Value> = refused["errors"].as_array().unwrap().iter().map(|e| &e["pointer"]).collect();
        assert_eq!(pointers, expected, "{body}");
    }
    let trail = rig.get(&rig.house, "/v1/audit-logs").await.expect(200).json();
    assert_eq!(trail["data"][0]["action"], "exchange_rate.end");
}

#[tokio::test(flavor = "multi_thread")]
async fn rates_are_set_listed_and_ended_on_the_command_line() {
    let rig = Rig::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, rig.router.clone()).into_future());
    let run = async |arguments: &[&str]| {
        let mut command = tokio::process::Command::new(crate::chappe::binary::chappe());
        command.arg("exchange-rates").args(arguments).args(["--url", &url]).env("CHAPPE_API_KEY", &rig.house);
        let ran = command.output().await.unwrap();
        (
            ran.status.success(),
            String::from_utf8_lossy(if ran.status.success() { &ran.stdout } else { &ran.stderr }).into_owned(),
        )
    };
    let (done, told) =
        run(&["set", "EUR", "UZS", "13950.25", "--spread-ppm", "5000", "--reason", "the bank", "--json"]).await;
    assert!(done, "{told}");
    let made: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&made["rate"], &made["spread_ppm"]), (&json!("13950.25"), &json!(5000)));
    let id = made["id"].as_str().unwrap();
    for arguments in [&[][..], &["list", "--from", "EUR", "--to", "UZS"]] {
        let (done, told) = run(arguments).await;
        assert!(done && told.contains("1 EUR = 13950.25 UZS") && told.contains(id), "{told}");
    }
    let (done, told) = run(&["set", "EUR", "EUR", "0"]).await;
    assert!(!done && told.contains("/rate") && told.contains("/to"), "{told}");
    assert_eq!(run(&["end", id]).await, (true, format!("{id} holds no more\n")));
    let (done, told) = run(&["end", id]).await;
    assert!(!done && told.contains("404"), "{told}");
}
