//! An operator takes a message and does not deliver it; another one does. Its customers, over HTTPS and over SMPP, see one
//! message with one end, and pay for one.

use reqwest::Method;
use serde_json::json;
use smpp::{Body, CommandId, Status};
use smsc::{Outcome, Profile, Receipts, Rule, Smsc};
use testkit::eventually;

use super::customers::{bound, sm, system, told};
use super::{BALANCE, JOURNEY, RESELLER, balance, until_state};
use crate::chappe::{
    Chappe, Company, Hook, Leftovers, ON_SUBMIT, OperatorIs, SYSTEM_ID, Story, on_every_backend, smsc,
};

const PRICE: i64 = 80_000_000;
const CHEAP: i64 = 20_000_000;
const DEAR: i64 = 25_000_000;
/// Submits that an operator can have without an answer.
const WINDOW: u64 = 50;

/// An operator that takes everything and delivers nothing.
fn failing(receipts: Receipts) -> Profile {
    let rules = vec![Rule { outcome: Some(Outcome::Undelivered), ..Rule::default() }];
    Profile { rules, receipts, ..Profile::default() }
}

/// Two operators, of which the cheaper one delivers nothing, and a policy that knows what to do about it.
async fn carriers(company: &Company, policy: serde_json::Value, cheap: Profile) -> [Smsc; 2] {
    let carriers = [smsc(cheap).await, smsc(Profile::default()).await];
    company.operator(&carriers[0], OperatorIs::simple("Cheap", ON_SUBMIT, "20")).await;
    company.operator(&carriers[1], OperatorIs::simple("Dear", ON_SUBMIT, "25")).await;
    let path = format!("/v1/accounts/{}/reroute", company.house);
    let answer = company.admin.ask(Method::PUT, &path, Some(&policy), None).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    carriers
}

/// Who came first by the decision for the first operator of a message, and by that for the last.
async fn first_choices(company: &Company, message: &str) -> (serde_json::Value, serde_json::Value) {
    let path = format!("/v1/messages/{message}/explanation");
    let told = company.admin.ask(Method::GET, &path, None, None).await.unwrap().body;
    let first = |routing: &serde_json::Value| routing["candidates"][0]["operator"].clone();
    let sender = company.sender.ask(Method::GET, &path, None, None).await.unwrap().body.to_string();
    assert!(!sender.contains("routing") && !sender.contains("Cheap"), "{sender}");
    (first(&told["hops"][0]["routing"]), first(&told["routing"]))
}

on_every_backend! {
    async fn a_re_route_after_undeliv_delivers_and_costs_the_client_once(backend) {
        let chappe = Chappe::on(backend).await;
        let company = Company::found(&chappe).await;
        let hook = Hook::start().await;
        let receipts = Receipts { delay_ms: 200, copies: 2, ..Receipts::default() };
        let [cheap, dear] = carriers(&company, json!({"hops_max": 2}), failing(receipts)).await;
        let password = system(&company, json!({})).await;
        let mut esme = bound(chappe.smpp(), &password, CommandId::BIND_TRANSCEIVER).await;

        let more = json!({"status_url": hook.url("127.0.0.1")});
        let over_https = company.send_with("998930000001", "Hello", more).await;
        let mut submit = sm("998930000002", b"Hello");
        // Of every end, and of what comes before it.
        submit.registered_delivery = 0x11;
        let answer = esme.ask(&Body::SubmitSm(submit)).await;
        assert_eq!(answer.status, Status::ROK);

        let mut words = Vec::new();
        while words.last().is_none_or(|word| word != "DELIVRD") {
            let got = esme.next().await;
            let (id, word) = told(&got);
            assert_eq!(id, answer.id());
            esme.answer(&got, Status::ROK).await;
            words.push(word);
        }
        assert!(!words.iter().any(|word| word == "UNDELIV" || word == "EXPIRED"), "{words:?}");
        until_state(&company, &over_https, "delivered").await;
        chappe.assert_settled(JOURNEY, Leftovers::default()).await;
        assert_eq!(hook.told(&over_https), ["sent", "delivered"]);
        for (to, operator) in [("998930000001", &dear), ("998930000002", &dear)] {
            assert_eq!(operator.shown(to).len(), 1, "{to}");
        }
        assert_eq!((cheap.counters().accepted, dear.counters().accepted), (2, 2));
        let story = Story::of(&company.sender, &over_https).await;
        let hops: Vec<i64> =
            story.0["parts"].as_array().unwrap().iter().map(|part| part["hop"].as_i64().unwrap()).collect();
        assert_eq!(hops, [0, 1], "its story has both");
        assert_eq!(first_choices(&company, &over_https).await, (json!("Cheap"), json!("Dear")));
        assert_eq!(balance(&company, company.client).await, (BALANCE - 2 * PRICE, 0));
        assert_eq!(balance(&company, company.reseller).await, (BALANCE - 2 * RESELLER, 0));
        assert_eq!(chappe.ledger("supplier", None).await, 2 * (CHEAP + DEAR), "whoever took it is paid");
        assert_eq!(chappe.count("SELECT count(*) FROM sms_cdr WHERE cost_micros = 45000000 AND jsonb_array_length(hops) = 1").await, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_receipt_in_time_another_operator_gets_it() {
    let chappe = Chappe::start().await;
    let company = Company::found(&chappe).await;
    let silent = Profile { receipts: Receipts { enabled: false, ..Receipts::default() }, ..Profile::default() };
    let policy = json!({"hops_max": 2, "receipt_timeout_seconds": 10});
    let [cheap, dear] = carriers(&company, policy, silent).await;
    let message = company.send("998930000001", "Hello").await;
    until_state(&company, &message, "delivered").await;
    assert_eq!((cheap.bound(SYSTEM_ID), dear.bound(SYSTEM_ID)), (1, 1));
    chappe.assert_settled(JOURNEY, Leftovers::default()).await;
    assert_eq!((cheap.counters().accepted, dear.counters().accepted), (1, 1));
    let timeline = Story::of(&company.sender, &message).await.timeline();
    assert!(timeline.contains(&"queued sweep receipt_timeout".to_owned()), "{timeline:?}");
    assert_eq!(balance(&company, company.client).await, (BALANCE - PRICE, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_two_operators_loses_nothing_and_pays_nobody_twice() {
    let mut chappe = Chappe::durable_on(crate::chappe::Backend::Postgres).await;
    let company = Company::found(&chappe).await;
    let receipts = Receipts { delay_ms: 300, jitter_ms: 1_500, ..Receipts::default() };
    let [cheap, dear] = carriers(&company, json!({"hops_max": 2}), failing(receipts)).await;
    for number in 0..40 {
        company.send(&format!("99893{number:07}"), "Hello").await;
    }
    // In the middle of it: some are with the second operator, and some are not.
    eventually(JOURNEY, async || dear.counters().accepted >= 5).await;
    chappe.kill();
    chappe.restart().await;
    chappe.assert_settled(JOURNEY * 3, Leftovers { receipts: true }).await;
    // What was unanswered at that moment may come twice, and no more.
    let repeated = dear.repeats().repeated + cheap.repeats().repeated;
    assert!(repeated <= 2 * WINDOW, "{repeated}");
    assert_eq!(chappe.count("SELECT count(*) FROM messages WHERE state = 'delivered'").await, 40);
    assert_eq!(balance(&company, company.client).await, (BALANCE - 40 * PRICE, 0));
    assert_eq!(chappe.ledger("supplier", None).await, 40 * (CHEAP + DEAR));
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_cheapest_route_is_down_the_next_one_carries_and_the_price_stays() {
    let chappe = Chappe::start().await;
    let company = Company::found(&chappe).await;
    let [cheap, dear] = [smsc(Profile::default()).await, smsc(Profile::default()).await];
    company.operator(&cheap, OperatorIs::simple("Cheap", ON_SUBMIT, "20")).await;
    let id = company.operator(&dear, OperatorIs::simple("Dear", ON_SUBMIT, "25")).await;
    let first = company.send("998930000001", "Hello").await;
    until_state(&company, &first, "delivered").await;
    cheap.stop().await;
    let ask = json!({"to": "+998930000002", "account_id": company.client.to_string()});
    let choice = async || company.admin.post("/v1/routing/decision", ask.clone()).await["operator_id"].clone();
    eventually(JOURNEY, async || choice().await == id.as_str()).await;
    let second = company.send("998930000002", "Hello").await;
    until_state(&company, &second, "delivered").await;
    chappe.assert_settled(JOURNEY, Leftovers::default()).await;
    assert_eq!(dear.shown("998930000002").len(), 1);
    assert_eq!(balance(&company, company.client).await, (BALANCE - 2 * PRICE, 0));
    assert_eq!(chappe.ledger("supplier", None).await, CHEAP + DEAR);
}
