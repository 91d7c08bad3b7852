//! Reports of traffic, as house, reseller and client read them.

use chrono::TimeDelta;
use contract::ReceiptState::{Delivered, Undeliverable};
use serde_json::{Value, json};

use super::money::{ON_SUBMIT, carry_as};
use super::rig::{ALL, Rig, send};
use crate::ledger::live;

const PATH: &str = "/v1/reports/traffic";

async fn rows(rig: &Rig, token: &str, query: &str) -> Vec<Value> {
    let report = rig.get(token, &format!("{PATH}?{query}")).await.expect(200).json();
    report["rows"].as_array().unwrap().clone()
}

fn micros(amount: &Value) -> i64 {
    amount["total"].as_str().unwrap().parse::<domain::Micros>().unwrap().get()
}

async fn traffic() -> Rig {
    let rig = Rig::new().await;
    Box::pin(live(&rig.world, 31)).await;
    store::traffic::fold(&rig.world.db).await.unwrap();
    rig
}

#[tokio::test(flavor = "multi_thread")]
async fn each_level_sees_its_own_prices_and_margin_and_nobody_elses() {
    let rig = traffic().await;
    let one = async |token: &str| rows(&rig, token, "").await.remove(0);
    let (house, reseller, client) = (one(&rig.house).await, one(&rig.reseller).await, one(&rig.client).await);
    for name in ["messages", "segments", "delivered", "unconfirmed", "failed", "delivery_rate", "receipt_p50_ms"] {
        assert_eq!((&house[name], &reseller[name]), (&reseller[name], &client[name]), "{name}");
    }
    assert!(house["messages"].as_i64().unwrap() > 0);
    assert_eq!(house["revenue_gross"], reseller["cost_gross"]);
    assert_eq!(reseller["revenue_gross"], client["cost_gross"]);
    for seen in [&house, &reseller] {
        assert_eq!(micros(&seen["margin"]), micros(&seen["revenue_net"]) - micros(&seen["cost_net"]));
    }
    assert_ne!(house["cost_gross"], reseller["cost_gross"], "what operators cost is the house's business");
    assert_eq!((&client["revenue_gross"], &client["margin"]), (&Value::Null, &Value::Null));
    let spent = rig.world.count("SELECT sum(price_micros)::bigint FROM sms_cdr WHERE correction = 0").await;
    assert_eq!(micros(&client["cost_gross"]), spent);
    let rival = json!({"name": "Rival", "role": "reseller"});
    let rival = rig.post(&rig.house, "/v1/accounts", &rival).await.expect(201).text("id");
    let rival = rig.key(rival.parse().unwrap(), &ALL).await;
    assert_eq!(rows(&rig, &rival, "by=account").await, Vec::<Value>::new());
    let named = rig.get(&rival, &format!("{PATH}?account_id={}", rig.world.client)).await;
    assert_eq!(named.refusal().0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn refunds_count_with_their_message_at_every_level() {
    let rig = Rig::new().await;
    let id = rig.ended(ON_SUBMIT, 3, Delivered).await;
    store::traffic::fold(&rig.world.db).await.unwrap();
    let before = rows(&rig, &rig.house, "by=day").await;
    let refund = async |token: &str, segments: u8| {
        let body = json!({"segments": segments, "reason": "a forged receipt"});
        rig.post(token, &format!("/v1/messages/{id}/refunds"), &body).await.expect(201);
    };
    refund(&rig.reseller, 1).await;
    refund(&rig.house, 1).await;
    store::traffic::fold(&rig.world.db).await.unwrap();
    // 60.00 a segment to the house, 80.00 to the reseller.
    let cost = before[0]["cost_gross"]["total"].as_str().unwrap();
    let expected = [
        (
            &rig.house,
            [json!(1), json!("180.00"), json!("60.00"), json!("120.00"), json!(cost), json!("0.00"), json!(cost)],
        ),
        (
            &rig.reseller,
            [
                json!(2),
                json!("240.00"),
                json!("160.00"),
                json!("80.00"),
                json!("180.00"),
                json!("60.00"),
                json!("120.00"),
            ],
        ),
        (
            &rig.client,
            [json!(2), Value::Null, Value::Null, Value::Null, json!("240.00"), json!("160.00"), json!("80.00")],
        ),
    ];
    for (token, expected) in expected {
        let seen = rows(&rig, token, "by=day").await;
        assert_eq!(seen.len(), 1, "a refund makes no row of its own: {seen:?}");
        let names = ["revenue_gross", "refunded", "revenue_net", "cost_gross", "cost_refunded", "cost_net"];
        let amounts = names.map(|name| seen[0][name]["total"].clone());
        assert_eq!(seen[0]["refunded_segments"], expected[0]);
        assert_eq!(amounts, expected[1..]);
        let margin = &seen[0]["margin"];
        assert!(margin.is_null() || micros(margin) == micros(&seen[0]["revenue_net"]) - micros(&seen[0]["cost_net"]));
    }
    let csv = rig.get(&rig.reseller, &format!("{PATH}?by=network&format=csv")).await.expect(200);
    let csv = String::from_utf8(csv.bytes.to_vec()).unwrap();
    assert!(
        csv.contains(
            ",refunded_segments,revenue_gross,refunded,revenue_net,revenue_currency,cost_gross,cost_refunded,"
        )
    );
    assert!(csv.contains(",2,240.00,160.00,80.00,UZS,180.00,60.00,120.00,UZS,120.00,-40.00,"), "{csv}");
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_are_divided_and_filtered() {
    let rig = traffic().await;
    let all = rows(&rig, &rig.house, "").await.remove(0);
    let today = chrono::Utc::now().date_naive();
    let queries = [
        ("by=day", 1),
        ("by=account", 1),
        ("by=country", 1),
        ("by=network", 2),
        ("by=sender", 1),
        ("by=network,day,account,country,sender", 2),
    ];
    for (query, groups) in queries {
        let rows = rows(&rig, &rig.house, query).await;
        assert_eq!(rows.len(), groups, "{query}");
        let sum: i64 = rows.iter().map(|row| row["messages"].as_i64().unwrap()).sum();
        assert_eq!(all["messages"], sum, "{query}");
        let cost: i64 = rows.iter().map(|row| micros(&row["cost_gross"])).sum();
        assert_eq!(micros(&all["cost_gross"]), cost, "{query}");
    }
    let by_network = rows(&rig, &rig.house, "by=network").await;
    let one = rows(&rig, &rig.house, "network=43405").await;
    assert_eq!(by_network[1]["network"], "43405");
    assert_eq!(one[0]["messages"], by_network[1]["messages"]);
    let filters = [
        format!("account_id={}", rig.world.reseller),
        "country=434".to_owned(),
        "sender=TestCompany".to_owned(),
        format!("from={today}&to={today}"),
    ];
    for filter in filters {
        let rows = rows(&rig, &rig.house, &filter).await;
        assert_eq!(rows.iter().map(|row| row["messages"].as_i64().unwrap()).sum::<i64>(), all["messages"], "{filter}");
    }
    for filter in ["country=250", "network=43401", "sender=Nobody", "from=2026-01-01&to=2026-01-31"] {
        assert_eq!(rows(&rig, &rig.house, filter).await, Vec::<Value>::new(), "{filter}");
    }
    for operator in rig.world.operators {
        let of_one = rows(&rig, &rig.house, &format!("operator_id={operator}&by=operator")).await;
        assert!(of_one.iter().all(|row| row["operator_id"] == operator.to_string()), "{of_one:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn receipt_times_are_bounds_of_their_buckets_and_the_rate_is_of_all_that_ended() {
    let rig = Rig::new().await;
    // How each message ends, and how many milliseconds after its submit. A time that is a bound lies in the bucket
    // behind it: these lie in those up to 100, 200, 300, 500, 700, 1000, 1500 and 15000.
    let ends = [
        (Delivered, 99),
        (Delivered, 100),
        (Delivered, 299),
        (Delivered, 300),
        (Delivered, 650),
        (Delivered, 700),
        (Undeliverable, 1_200),
        (Undeliverable, 14_999),
    ];
    let post = async || rig.post(&rig.client, "/v1/messages", &send(&json!({}))).await.expect(201).text("id");
    let canceled = post().await;
    rig.call("DELETE", &format!("/v1/messages/{canceled}"), Some(&rig.client), None).await.expect(200);
    for _ in &ends {
        post().await;
    }
    let mut next = ends.into_iter();
    carry_as(&rig.world, || {
        let (state, after_ms) = next.next().expect("no message more than was sent");
        (state, TimeDelta::milliseconds(after_ms))
    })
    .await;
    assert_eq!(next.len(), 0, "every message was carried");
    store::traffic::fold(&rig.world.db).await.unwrap();
    for token in [&rig.house, &rig.reseller, &rig.client] {
        let seen = rows(&rig, token, "").await.remove(0);
        let told = ["messages", "delivered", "unconfirmed", "failed"].map(|name| seen[name].as_i64().unwrap());
        assert_eq!(told, [9, 6, 0, 3]);
        // 6 of 9; of the eight that have a receipt, the fourth and the last.
        let told = ["delivery_rate", "receipt_p50_ms", "receipt_p95_ms"].map(|name| &seen[name]);
        assert_eq!(told, [&json!("0.6667"), &json!(500), &json!(15_000)]);
    }
    let csv = rig.get(&rig.client, &format!("{PATH}?format=csv")).await.expect(200);
    let csv = String::from_utf8(csv.bytes.to_vec()).unwrap();
    assert!(csv.lines().nth(1).unwrap().ends_with(",500,15000"), "{csv}");
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_csv_where_that_is_wanted() {
    let rig = traffic().await;
    sqlx::query("UPDATE traffic_counters SET sender = '=HYPERLINK'").execute(rig.world.pool()).await.unwrap();
    let answer = rig.get(&rig.house, &format!("{PATH}?by=network,sender&format=csv")).await.expect(200);
    assert!(answer.headers["content-type"].to_str().unwrap().starts_with("text/csv"));
    assert!(answer.headers["content-disposition"].to_str().unwrap().contains("traffic-"));
    let csv = String::from_utf8(answer.bytes.to_vec()).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[0].starts_with("network,sender,messages,segments,"), "{csv}");
    assert_eq!(lines.len(), 3, "{csv}");
    assert!(lines[1].starts_with("43404,'=HYPERLINK,"), "no spreadsheet takes it for a formula: {csv}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_question_is_told() {
    let rig = Rig::new().await;
    let rows = [
        (&rig.house, "by=week", 400, "/by"),
        (&rig.house, "from=2026-11-30&to=2026-11-01", 400, "/from"),
        (&rig.house, "from=2020-01-01", 400, "/from"),
        (&rig.house, "format=pdf", 400, "/format"),
        (&rig.house, "weeks=2", 400, "/weeks"),
        (&rig.reseller, "by=operator", 403, ""),
        (&rig.client, &format!("operator_id={}", rig.world.operators[0]), 403, ""),
    ];
    for (token, query, status, pointer) in rows {
        let answer = rig.get(token, &format!("{PATH}?{query}")).await;
        assert_eq!(answer.status.as_u16(), status, "{query}");
        if !pointer.is_empty() {
            assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{query}");
        }
    }
}
