//! The journey of a message through real sockets: HTTP API, queue, SMPP, receipt, webhook. At the end everything is
//! exact: what the handset shows, what the customer is told, what everybody paid.

mod customers;
mod edges;
mod exports;
mod hot_wallet;
mod inbound;
mod operators;
mod receipts;
mod reroute;
mod webhooks;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::{AccountId, Micros};
use serde_json::json;
use smsc::{Outcome, Profile, Receipts, Rule, Smsc};
use testkit::{Moto, eventually};

use crate::chappe::{
    Chappe, Company, Hook, Leftovers, ON_DELIVERY, ON_SUBMIT, OperatorIs, Queues, SENDER, Story, on_every_backend, smsc,
};

/// Everything of a journey has happened within this time.
pub(crate) const JOURNEY: Duration = Duration::from_mins(1);
/// What every account begins with, in micros.
pub(crate) const BALANCE: i64 = 1_000_000_000_000;
/// What the reseller pays for a segment.
const RESELLER: i64 = 60_000_000;
/// SMPP `ESME_RINVDSTADR`: no operator would take it.
const BAD_NUMBER: u32 = 0x0B;

/// What a message says, and what must follow.
struct Text {
    says: String,
    encoding: &'static str,
    segments: i64,
}

fn texts() -> Vec<Text> {
    let text = |says: String, encoding, segments| Text { says, encoding, segments };
    vec![
        text("Hello from Chappe: @£$ ΔΩ, 100%".to_owned(), "gsm7", 1),
        text("Салом, дунё! 🙂".to_owned(), "ucs2", 1),
        // Characters of the extension table take two septets, which may not be torn apart.
        text("Σ: 12€ [x] {y} ~ ^ | \\ ".repeat(14), "gsm7", 3),
        text("Привет 🙂, мир. ".repeat(11), "ucs2", 3),
    ]
}

/// What becomes of a message by the end of its number, and who pays.
struct End {
    digits: &'static str,
    rule: Rule,
    state: &'static str,
    code: Option<&'static str>,
    /// The operator takes it.
    is_taken: bool,
}

fn ends() -> Vec<End> {
    let receipt = |outcome| Rule { outcome: Some(outcome), ..Rule::default() };
    let refusal = Rule { status: Some(BAD_NUMBER), ..Rule::default() };
    let end = |digits: &'static str, rule: Rule, state, code| {
        let is_taken = rule.status.is_none();
        End { digits, rule: Rule { suffix: digits.to_owned(), ..rule }, state, code, is_taken }
    };
    vec![
        end("01", receipt(Outcome::Delivered), "delivered", None),
        end("02", receipt(Outcome::Undelivered), "undelivered", Some("001")),
        end("03", refusal, "failed", Some("smpp_0000000b")),
        end("04", receipt(Outcome::Expired), "expired", Some("002")),
    ]
}

/// One message and everything that is expected of it.
struct Row {
    id: String,
    to: String,
    text: Text,
    end: End,
    /// What the client pays, the reseller pays, and the operator gets, in micros.
    client: i64,
    reseller: i64,
    supplier: i64,
}

/// Two operators: one for each way of charging.
async fn carriers(company: &Company) -> [Smsc; 2] {
    // The receipt comes when the answer to the submit is long known, so that the order of events is certain.
    let receipts = Receipts { delay_ms: 500, ..Receipts::default() };
    let profile = Profile { rules: ends().into_iter().map(|end| end.rule).collect(), receipts, ..Profile::default() };
    let carriers = [smsc(profile.clone()).await, smsc(profile).await];
    company.operator(&carriers[0], OperatorIs::simple("Ucell", ON_SUBMIT, "50")).await;
    company.operator(&carriers[1], OperatorIs::simple("Beeline", ON_DELIVERY, "45")).await;
    carriers
}

/// Sends every text to every end over every network.
async fn send_all(company: &Company, hook: &Hook) -> Vec<Row> {
    let mut rows = Vec::new();
    for (network, cost) in [(ON_SUBMIT, 50_000_000), (ON_DELIVERY, 45_000_000)] {
        let price = micros(network.price);
        for end in ends().iter().map(|end| end.digits) {
            for (number, text) in texts().into_iter().enumerate() {
                let end = ends().into_iter().find(|one| one.digits == end).unwrap();
                let to = format!("{}{number:05}{}", network.prefix, end.digits);
                let more = json!({"status_url": hook.url("127.0.0.1"), "client_reference": to});
                let id = company.send_with(&to, &text.says, more).await;
                let taken = if end.is_taken { text.segments } else { 0 };
                let is_charged = network.charge_on == "submit" || end.state == "delivered";
                let client = if is_charged { taken * price } else { 0 };
                rows.push(Row { id, to, text, end, client, reseller: taken * RESELLER, supplier: taken * cost });
            }
        }
    }
    rows
}

pub(crate) fn micros(decimal: &str) -> i64 {
    decimal.parse::<Micros>().unwrap().get()
}

/// What the API tells: state, code, cost, encoding, and the timeline.
async fn assert_story(company: &Company, row: &Row) {
    let Row { id, text, end, .. } = row;
    let story = Story::of(&company.sender, id).await;
    assert_eq!((story.state(), story.code()), (end.state, end.code), "{}", row.to);
    let json = &story.0;
    assert_eq!(json["text"], text.says.as_str());
    assert_eq!((&json["encoding"], &json["segments"]), (&json!(text.encoding), &json!(text.segments)));
    assert_eq!(micros(json["charged"].as_str().unwrap()), row.client, "{}", row.to);
    let code = end.code.map(|code| format!(" {code}")).unwrap_or_default();
    let mut expected: Vec<String> = ["accepted api", "queued route"].map(str::to_owned).to_vec();
    if end.is_taken {
        expected.push("sent bill".to_owned());
        for segment in 1..=text.segments {
            let segment = if text.segments > 1 { format!(" {segment}") } else { String::new() };
            expected.push(format!("{} dlr{segment}{code}", end.state));
        }
    } else {
        expected.push(format!("failed bill{code}"));
    }
    let mut timeline = story.timeline();
    // Receipts of several segments come as the network likes; what came before them is in order.
    let receipts = timeline.iter().position(|line| line.contains(" dlr")).unwrap_or(timeline.len());
    timeline[receipts..].sort();
    assert_eq!(timeline, expected, "{}", row.to);
    assert_eq!(json["parts"].as_array().unwrap().len(), usize::try_from(text.segments).unwrap(), "{}", row.to);
}

/// The handset shows the text once and whole, from the right sender; nothing of what was refused.
fn assert_shown(carriers: &[Smsc; 2], row: &Row) {
    let shown = carriers.iter().flat_map(|carrier| carrier.shown(&row.to)).collect::<Vec<_>>();
    if !row.end.is_taken {
        assert!(shown.is_empty(), "{}", row.to);
        return;
    }
    assert_eq!(shown.len(), 1, "{}", row.to);
    assert_eq!((shown[0].source.as_str(), &shown[0].text), (SENDER, &row.text.says), "{}", row.to);
}

/// The customer was told each state once, signed.
fn assert_told(company: &Company, hook: &Hook, rows: &[Row]) {
    let requests = hook.received();
    let ids: BTreeSet<&str> = requests.iter().map(|request| request.id.as_str()).collect();
    assert_eq!(ids.len(), requests.len(), "an event came twice");
    let by_id: BTreeMap<&str, &Row> = rows.iter().map(|row| (row.id.as_str(), row)).collect();
    for request in &requests {
        request.assert_signed(&company.webhook_secret);
        let body = request.body();
        let row = by_id[request.told().0.as_str()];
        assert_eq!(body["data"]["client_reference"], row.to.as_str());
        assert_eq!(body["data"]["account_id"], company.client.to_string());
    }
    for row in rows {
        // Of several parts the first may be reported before the others.
        let told: BTreeSet<String> = hook.told(&row.id).into_iter().filter(|state| state != "buffered").collect();
        let sent = row.end.is_taken.then_some("sent");
        let expected: BTreeSet<String> = sent.into_iter().chain([row.end.state]).map(str::to_owned).collect();
        assert_eq!(told, expected, "{}", row.to);
    }
}

pub(crate) async fn balance(company: &Company, account: AccountId) -> (i64, i64) {
    let wallet = company.admin.get(&format!("/v1/balance?account_id={account}")).await;
    (micros(wallet["balance"].as_str().unwrap()), micros(wallet["held"].as_str().unwrap()))
}

/// Wallets, revenue and supplier cost, to the micro.
async fn assert_money(chappe: &Chappe, company: &Company, rows: &[Row]) {
    let sum = |part: fn(&Row) -> i64| rows.iter().map(part).sum::<i64>();
    let (client, reseller, supplier) = (sum(|row| row.client), sum(|row| row.reseller), sum(|row| row.supplier));
    assert_eq!(balance(company, company.client).await, (BALANCE - client, 0));
    assert_eq!(balance(company, company.reseller).await, (BALANCE - reseller, 0));
    assert_eq!(balance(company, company.house).await, (BALANCE, 0));
    assert_eq!(chappe.ledger("revenue", Some(company.reseller)).await, client);
    assert_eq!(chappe.ledger("revenue", Some(company.house)).await, reseller);
    assert_eq!(chappe.ledger("supplier_cost", None).await, -supplier);
    assert_eq!(chappe.ledger("supplier", None).await, supplier);
}

/// One call detail record for each message, which says what it cost and why.
async fn assert_records(chappe: &Chappe, rows: &[Row]) {
    type Record = (String, Option<String>, i16, i64, i64, bool);
    let records: Vec<(String, Record)> = sqlx::query_as::<_, (String, String, Option<String>, i16, i64, i64, bool)>(
        "SELECT client_reference, state, code, accepted_segments, price_micros, cost_micros,
            capture_entry_id IS NOT NULL FROM sms_cdr WHERE correction = 0",
    )
    .fetch_all(chappe.db().pool())
    .await
    .unwrap()
    .into_iter()
    .map(|(to, state, code, accepted, price, cost, entry)| (to, (state, code, accepted, price, cost, entry)))
    .collect();
    assert_eq!(records.len(), rows.len());
    let records: BTreeMap<String, Record> = records.into_iter().collect();
    for row in rows {
        let accepted = if row.end.is_taken { i16::try_from(row.text.segments).unwrap() } else { 0 };
        let code = row.end.code.map(str::to_owned);
        let expected = (row.end.state.to_owned(), code, accepted, row.client, row.supplier, row.client > 0);
        assert_eq!(records[&row.to], expected, "{}", row.to);
    }
}

/// Every text meets every end over both networks, and everything is exact.
async fn assert_main_job(chappe: &Chappe) {
    let hook = Hook::start().await;
    let company = Company::found(chappe).await;
    let carriers = carriers(&company).await;
    let rows = send_all(&company, &hook).await;
    assert_eq!(rows.len(), 32);
    chappe.assert_settled(JOURNEY, Leftovers::default()).await;
    for row in &rows {
        assert_shown(&carriers, row);
        assert_story(&company, row).await;
    }
    assert_told(&company, &hook, &rows);
    assert_money(chappe, &company, &rows).await;
    assert_records(chappe, &rows).await;
    let repeated: u64 = carriers.iter().map(|carrier| carrier.repeats().repeated).sum();
    assert_eq!(repeated, 0, "an operator got something twice");
}

on_every_backend! {
    async fn every_text_meets_every_end_and_everything_is_exact(backend) {
        assert_main_job(&Chappe::on(backend).await).await;
    }
}

/// The emulator of SQS is ours; this one was written by others.
#[tokio::test(flavor = "multi_thread")]
async fn every_text_meets_every_end_over_moto() {
    let moto = Moto::start().await;
    let url = format!("sqs://eu-central-1/it?endpoint={}", moto.endpoint());
    assert_main_job(&Chappe::on_these(Queues::At(url)).await).await;
}

/// Waits until a message stands so.
pub(crate) async fn until_state(company: &Company, message: &str, state: &str) {
    eventually(JOURNEY, async || Story::of(&company.sender, message).await.state() == state).await;
}
