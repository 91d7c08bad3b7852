//! Exports of CDRs: made in the background, whole whatever dies meanwhile, and in the eyes of who asks.

mod download;
mod late;

use std::collections::BTreeSet;
use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use contract::ReceiptState;
use domain::{MessageId, OperatorId};
use host::clock::Fake;
use serde_json::{Value, json};
use sqlx::PgPool;
use sweep::Sweep;
use testkit::eventually;
use uuid::Uuid;

use super::money::{ON_SUBMIT, carry};
use super::rig::{Rig, send};

/// CDRs of the client in each test.
const ROWS: usize = 1_500;
/// What client, reseller and house pay for a segment, in millionths.
const PRICES: [i64; 3] = [80_000_000, 60_000_000, 50_000_000];

impl Rig {
    fn sweep(&self, look_at: u16) -> Sweep {
        let world = &self.world;
        // So much later that nobody can still be about to store what had ended when an export was asked for.
        let clock = Arc::new(Fake::at(Utc::now() + store::exports::SETTLING));
        Sweep::new(world.db.clone(), Arc::clone(&world.queue), clock, store::sweep::Retention::default())
            .with_export_page(look_at)
    }

    /// Sweeps until every export has begun: one waits for whatever transaction is still open or being rolled back.
    async fn export_all(&self, look_at: u16) {
        let sweep = self.sweep(look_at);
        let begun = async || {
            sweep.exports().await.unwrap();
            self.world.count("SELECT count(*) FROM exports WHERE state = 'queued'").await == 0
        };
        eventually(Duration::from_secs(30), begun).await;
    }

    /// CDRs of the client like a message of its own; answers segments in total.
    async fn cdrs(&self) -> i64 {
        let sent = self.post(&self.client, "/v1/messages", &send(&json!({}))).await.expect(201).text("id");
        cdrs(self.world.pool(), (sent.parse().unwrap(), self.world.operators[0]), ROWS).await;
        self.world.count("SELECT sum(accepted_segments)::bigint FROM sms_cdr").await
    }

    /// Asks for an export of the last hour, with `changes` on top; answers its path.
    async fn export(&self, token: &str, changes: &Value) -> String {
        let made = self.post(token, "/v1/exports", &asked(changes)).await.expect(202);
        format!("/v1/exports/{}", made.text("id"))
    }

    async fn state(&self, token: &str, path: &str) -> Value {
        self.get(token, path).await.expect(200).json()
    }

    /// The file as records by the names of its columns.
    async fn records(&self, token: &str, path: &str) -> Vec<csv::StringRecord> {
        let file = self.get(token, &format!("{path}/download")).await.expect(200);
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&file.bytes[..]);
        reader.records().map(Result::unwrap).collect()
    }
}

/// Stores CDRs like those of `message`, of 1 to 3 segments each, every fifth undelivered, with their parts.
pub(crate) async fn cdrs(pool: &PgPool, (message, operator): (MessageId, OperatorId), rows: usize) {
    let ids: Vec<Uuid> = (0..rows).map(|_| Uuid::now_v7()).collect();
    sqlx::query(
        "INSERT INTO sms_cdr (message_id, account_id, recipient, sender, mcc_mnc, encoding, segments, accepted_segments,
            state, operator_id, hop, chain_id, unit_price_micros, price_micros, currency, cost_micros, cost_currency,
            capture_entry_id, client_reference, accepted_at, ended_at)
         SELECT i.id, m.account_id, 998931234567, 'TestCompany', '43405', 'gsm7', 1 + i.at % 3, 1 + i.at % 3,
            CASE WHEN i.at % 5 = 0 THEN 'undelivered' ELSE 'delivered' END, $3, 0, m.chain_id, $4,
            $4 * (1 + i.at % 3), 'UZS', $5 * (1 + i.at % 3), 'UZS', $6, '=SUM(A1;' || i.at || ')', now(), now()
         FROM unnest($1::uuid[]) WITH ORDINALITY AS i (id, at), messages m WHERE m.id = $2",
    )
    .bind(&ids)
    .bind(message.uuid())
    .bind(operator.uuid())
    .bind(PRICES[0])
    .bind(PRICES[2])
    .bind(Uuid::now_v7())
    .execute(pool)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO message_parts (message_id, hop, segment, segments, account_id, operator_id, smpp_message_id,
            submit_status, submitted_at, state, receipt, receipt_at, udh_reference, udh_part, udh_total)
         SELECT message_id, 0, s, segments, account_id, operator_id, 'op-' || s, 0, now(), 'delivered',
            'id:op-' || s || ' stat:DELIVRD', now(), 4711, s, segments FROM sms_cdr, generate_series(1, segments) s
         WHERE message_id = ANY ($1)",
    )
    .bind(&ids)
    .execute(pool)
    .await
    .unwrap();
}

fn asked(changes: &Value) -> Value {
    let (from, to) = (Utc::now() - chrono::TimeDelta::hours(1), Utc::now() + chrono::TimeDelta::hours(1));
    let mut body = json!({"kind": "cdr", "from": from, "to": to});
    for (name, value) in changes.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

/// The values of a column.
fn column<'a>(records: &'a [csv::StringRecord], name: &str) -> Option<Vec<&'a str>> {
    let at = records[0].iter().position(|column| column == name)?;
    Some(records[1..].iter().map(|record| &record[at]).collect())
}

/// The sum of a column of money, in millionths.
fn sum(records: &[csv::StringRecord], name: &str) -> Option<i64> {
    Some(column(records, name)?.iter().map(|amount| amount.parse::<domain::Micros>().unwrap().get()).sum())
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_sees_the_own_price_and_no_margin_of_others() {
    let rig = Rig::new().await;
    let segments = rig.cdrs().await;
    let tokens = [&rig.client, &rig.reseller, &rig.house];
    let mut paths = Vec::new();
    for token in tokens {
        paths.push(rig.export(token, &json!({})).await);
    }
    assert_eq!(rig.state(&rig.client, &paths[0]).await["state"], "queued");
    assert_eq!(rig.get(&rig.client, &format!("{}/download", paths[0])).await.refusal().0, 409, "not yet");
    rig.export_all(10_000).await;
    let expected = [(PRICES[0], None, None), (PRICES[0], Some(PRICES[1]), None), (PRICES[1], None, Some(PRICES[2]))];
    for ((token, path), (price, cost, supplier)) in tokens.into_iter().zip(&paths).zip(expected) {
        let state = rig.state(token, path).await;
        assert_eq!(
            (&state["state"], &state["rows_done"], &state["rows_total"]),
            (&json!("done"), &json!(ROWS), &json!(ROWS))
        );
        let records = rig.records(token, path).await;
        assert_eq!(records.len(), ROWS + 1);
        assert_eq!(sum(&records, "price"), Some(price * segments));
        let paid = cost.map(|cost| cost * segments);
        let shown = column(&records, "cost").unwrap();
        assert_eq!(shown[0].is_empty(), paid.is_none());
        if paid.is_some() {
            assert_eq!(sum(&records, "cost"), paid);
        }
        assert_eq!(
            sum(&records, "supplier_cost"),
            supplier.map(|cost| cost * segments),
            "the house alone has the column"
        );
        assert_eq!(column(&records, "operator_id").is_some(), supplier.is_some());
        let parts: Value = serde_json::from_str(column(&records, "parts").unwrap()[1]).unwrap();
        let first = &parts[0];
        assert_eq!((&first["smpp_message_id"], &first["receipt"]), (&json!("op-1"), &json!("id:op-1 stat:DELIVRD")));
        assert_eq!((&first["udh_reference"], &first["udh_part"]), (&json!(4711), &json!(1)));
        assert_eq!(first.get("operator_id").is_some(), supplier.is_some());
        assert!(
            column(&records, "client_reference").unwrap().iter().all(|text| text.starts_with("'=SUM(A1;")),
            "no formula"
        );
        for named in ["tariff_id", "capture_entry_id", "accepted_at", "submitted_at", "receipt_at", "ended_at"] {
            assert!(column(&records, named).unwrap().iter().all(|text| !text.is_empty()), "{named}");
        }
    }
    // The client's file adds up to its CDRs, to the micro.
    let stored = rig.world.count("SELECT sum(price_micros)::bigint FROM sms_cdr").await;
    assert_eq!(sum(&rig.records(&rig.client, &paths[0]).await, "price"), Some(stored));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_after_it_was_asked_for_is_not_in_it() {
    let rig = Rig::new().await;
    rig.cdrs().await;
    let path = rig.export(&rig.house, &json!({"format": "ndjson", "gzip": true})).await;
    // A look makes a hundred pages: it is in the middle then.
    rig.export_all(10).await;
    let left = rig.state(&rig.house, &path).await;
    assert_eq!((&left["state"], &left["rows_done"]), (&json!("running"), &json!(1_000)));
    assert!(left["rows_total"].as_u64() >= left["rows_done"].as_u64());
    sqlx::query(
        "UPDATE sms_cdr SET ended_at = now() + interval '1 minute'
         WHERE message_id = (SELECT message_id FROM sms_cdr ORDER BY message_id DESC LIMIT 1)",
    )
    .execute(rig.world.pool())
    .await
    .unwrap();
    rig.sweep(97).exports().await.unwrap();
    assert_eq!(rig.state(&rig.house, &path).await["state"], "done");
    let file = rig.get(&rig.house, &format!("{path}/download")).await.expect(200);
    assert_eq!(file.headers["content-type"], "application/gzip");
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(&file.bytes[..]).read_to_string(&mut text).unwrap();
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: BTreeSet<&str> = records.iter().map(|record| record["message_id"].as_str().unwrap()).collect();
    assert_eq!((records.len(), ids.len()), (ROWS - 1, ROWS - 1), "nothing twice, nothing left out");
    let cost = |record: &Value| record["supplier_cost"].as_str().unwrap().parse::<domain::Micros>().unwrap().get();
    let stored = rig.world.count("SELECT sum(cost_micros)::bigint FROM sms_cdr WHERE ended_at <= now()").await;
    assert_eq!(records.iter().map(cost).sum::<i64>(), stored);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_shows_what_was_given_back_of_the_viewers_own_price() {
    let rig = Rig::new().await;
    let id = rig.ended(ON_SUBMIT, 3, ReceiptState::Delivered).await;
    let refunds = format!("/v1/messages/{id}/refunds");
    let mut entries = Vec::new();
    for (token, segments) in [(&rig.house, 1), (&rig.reseller, 1)] {
        let body = json!({"segments": segments, "reason": "=a forged receipt"});
        entries.push(rig.post(token, &refunds, &body).await.expect(201).json()["entry_id"].clone());
    }
    // Segments and amount of the price, what came back of the cost, and refunds, in the eyes of each.
    let expected = [
        (&rig.client, json!([2, "160.00", null]), 2),
        (&rig.reseller, json!([2, "160.00", "60.00"]), 2),
        (&rig.house, json!([1, "60.00", null]), 1),
    ];
    for (token, told, count) in expected {
        let path = rig.export(token, &json!({"format": "ndjson"})).await;
        rig.export_all(100).await;
        let file = rig.get(token, &format!("{path}/download")).await.expect(200);
        let record: Value = serde_json::from_slice(&file.bytes).unwrap();
        assert_eq!(json!([record["refunded_segments"], record["refunded"], record["cost_refunded"]]), told);
        let refunds = record["refunds"].as_array().unwrap();
        assert_eq!(refunds.len(), count);
        for (refund, entry) in refunds.iter().zip(&entries) {
            assert_eq!((&refund["entry_id"], &refund["reason"]), (entry, &json!("=a forged receipt")));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_whose_message_has_gone_keeps_what_it_holds_itself() {
    let rig = Rig::new().await;
    let said = json!({"to": ON_SUBMIT, "traffic_class": "otp", "template": "login-code.v2"});
    rig.post(&rig.client, "/v1/messages", &send(&said)).await.expect(201);
    carry(&rig.world, ReceiptState::Delivered).await;
    let told = async || {
        let path = rig.export(&rig.client, &json!({"format": "ndjson"})).await;
        rig.export_all(100).await;
        let file = rig.get(&rig.client, &format!("{path}/download")).await.expect(200);
        let record: Value = serde_json::from_slice(&file.bytes).unwrap();
        ["traffic_class", "template", "capture_entry_id", "submit_entry_id", "final_entry_id"]
            .map(|name| record[name].clone())
    };
    let before = told().await;
    assert_eq!(before[..2], [json!("otp"), json!("login-code.v2")]);
    assert!(before.iter().all(Value::is_string), "{before:?}");
    let later = Utc::now() + chrono::TimeDelta::days(500);
    store::sweep::retention(&rig.world.db, store::sweep::Retention::default(), later).await.unwrap();
    assert_eq!(rig.world.count("SELECT count(*) FROM messages").await, 0);
    assert_eq!(told().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_are_filtered_bounded_canceled_and_dropped() {
    let rig = Rig::new().await;
    rig.cdrs().await;
    let undelivered = ROWS / 5;
    let other = json!({"name": "Rival", "role": "reseller"});
    let other = rig.post(&rig.house, "/v1/accounts", &other).await.expect(201).text("id");
    let client = rig.world.client.to_string();
    let rows = [
        (json!({"state": "undelivered"}), undelivered),
        (json!({"country": "UZ"}), ROWS),
        (json!({"country": "DE"}), 0),
        (json!({"network": "43405"}), ROWS),
        (json!({"network": "43404"}), 0),
        (json!({"account_id": client}), ROWS),
        (json!({"account_id": other}), 0),
        (json!({"operator_id": rig.world.operators[0].to_string(), "state": "delivered"}), ROWS - undelivered),
        (json!({"operator_id": rig.world.operators[1].to_string()}), 0),
    ];
    let mut paths = Vec::new();
    for (filter, _) in &rows {
        paths.push(rig.export(&rig.house, filter).await);
    }
    let canceled = rig.export(&rig.house, &json!({})).await;
    assert_eq!(rig.post(&rig.house, "/v1/exports", &asked(&json!({}))).await.refusal().0, 409, "ten are open");
    rig.call("DELETE", &canceled, Some(&rig.house), None).await.expect(204);
    assert_eq!(rig.call("DELETE", &canceled, Some(&rig.house), None).await.refusal().0, 409);
    rig.export_all(400).await;
    for ((filter, expected), path) in rows.iter().zip(&paths) {
        assert_eq!(rig.records(&rig.house, path).await.len(), expected + 1, "{filter}");
    }
    assert_eq!(rig.state(&rig.house, &canceled).await["state"], "canceled");
    let refused = [
        (json!({"kind": "x"}), 400, "/kind"),
        (json!({"from": "soon"}), 400, "/from"),
        (json!({"to": "2020-01-01T00:00:00Z"}), 400, "/to"),
        (json!({"to": "2030-01-01T00:00:00Z"}), 400, "/to"),
        (json!({"format": "xml"}), 400, "/format"),
        (json!({"country": "ZZ"}), 400, "/country"),
        (json!({"state": "lost"}), 400, "/state"),
    ];
    for (changes, status, pointer) in refused {
        let answer = rig.post(&rig.client, "/v1/exports", &asked(&changes)).await.expect(status).json();
        assert_eq!(answer["errors"][0]["pointer"], pointer, "{changes}");
    }
    let by_operator = json!({"operator_id": rig.world.operators[0].to_string()});
    assert_eq!(rig.post(&rig.client, "/v1/exports", &asked(&by_operator)).await.refusal().0, 403);
    let above = json!({"account_id": rig.world.reseller.to_string()});
    assert_eq!(rig.post(&rig.client, "/v1/exports", &asked(&above)).await.refusal().0, 404);
    assert_eq!(rig.get(&rig.client, &paths[0]).await.refusal().0, 404, "an export is its account's own");
    sqlx::query("UPDATE exports SET expires_at = now()").execute(rig.world.pool()).await.unwrap();
    rig.export_all(400).await;
    assert_eq!(rig.world.count("SELECT count(*) FROM exports").await, 0);
    assert_eq!(rig.world.count("SELECT count(*) FROM export_chunks").await, 0);
}
