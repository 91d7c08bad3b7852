//! Operators that are down, refuse, stall, or are set up anew while messages are on their way.

use serde_json::json;
use smsc::{Answers, Config, Profile, Refusal, Smsc};
use testkit::eventually;

use super::{BALANCE, JOURNEY, balance, until_state};
use crate::chappe::{Chappe, Company, Leftovers, ON_DELIVERY, ON_SUBMIT, OperatorIs, SYSTEM_ID, Story, smsc};

/// An operator refuses the sender, or its own system fails: another operator may do better.
const BAD_SENDER: u32 = 0x0A;

#[tokio::test(flavor = "multi_thread")]
async fn messages_wait_for_an_operator_that_is_down_and_then_go() {
    let chappe = Chappe::start().await;
    let company = Company::found(&chappe).await;
    let operator = smsc(Profile::default()).await;
    let addr = operator.addr();
    company.operator(&operator, OperatorIs::simple("Ucell", ON_SUBMIT, "50")).await;
    operator.stop().await;
    let mut messages = Vec::new();
    for number in 0..20 {
        messages.push(company.send(&format!("99893{number:07}"), "I can wait").await);
    }
    for message in &messages {
        until_state(&company, message, "queued").await;
    }
    assert_eq!(balance(&company, company.client).await, (BALANCE, 20 * 80_000_000), "held and not yet taken");
    let operator = Smsc::start(Config { listen: addr, ..Config::default() }).await.unwrap();
    for message in &messages {
        until_state(&company, message, "delivered").await;
    }
    chappe.assert_settled(JOURNEY, Leftovers::default()).await;
    assert_eq!((operator.counters().accepted, operator.repeats().repeated), (20, 0));
    assert_eq!(balance(&company, company.client).await, (BALANCE - 20 * 80_000_000, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_operator_refuses_goes_to_the_next_and_is_charged_once() {
    let chappe = Chappe::start().await;
    let company = Company::found(&chappe).await;
    let refusal = Refusal { status: BAD_SENDER, per_mille: 1000 };
    let cheap = smsc(Profile { refusals: vec![refusal], ..Profile::default() }).await;
    let dear = smsc(Profile::default()).await;
    company.operator(&cheap, OperatorIs::simple("Cheap", ON_SUBMIT, "40")).await;
    company.operator(&dear, OperatorIs::simple("Dear", ON_SUBMIT, "55")).await;
    let text = "Two segments, of which each is refused once. ".repeat(5);
    let message = company.send("998930000001", &text).await;
    until_state(&company, &message, "delivered").await;
    chappe.assert_settled(JOURNEY, Leftovers::default()).await;
    assert_eq!((cheap.counters().accepted, dear.shown("998930000001").len()), (0, 1));
    assert_eq!(balance(&company, company.client).await, (BALANCE - 2 * 80_000_000, 0));
    assert_eq!(chappe.ledger("supplier", None).await, 2 * 55_000_000, "who carried it is paid");
    let timeline = Story::of(&company.sender, &message).await.timeline();
    let expected = ["accepted api", "queued route", "queued bill smpp_0000000a", "queued route", "sent bill"];
    assert_eq!(&timeline[..5], expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_every_operator_refuses_fails_and_costs_nothing() {
    let chappe = Chappe::start().await;
    let company = Company::found(&chappe).await;
    let refusal = Refusal { status: BAD_SENDER, per_mille: 1000 };
    let operator = smsc(Profile { refusals: vec![refusal], ..Profile::default() }).await;
    company.operator(&operator, OperatorIs::simple("Only", ON_SUBMIT, "40")).await;
    let message = company.send("998930000001", "Hello").await;
    until_state(&company, &message, "failed").await;
    assert_eq!(Story::of(&company.sender, &message).await.code(), Some("routes_exhausted"));
    chappe.assert_settled(JOURNEY, Leftovers::default()).await;
    assert_eq!(balance(&company, company.client).await, (BALANCE, 0));
    assert_eq!(balance(&company, company.reseller).await, (BALANCE, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_an_operator_change_without_a_restart() {
    let chappe = Chappe::start().await;
    let company = Company::found(&chappe).await;
    let operator = smsc(Profile { answers: Answers::Never, ..Profile::default() }).await;
    let small = OperatorIs { window: 3, ..OperatorIs::simple("Ucell", ON_SUBMIT, "50") };
    let id = company.operator(&operator, small).await;
    let binds = operator.counters().binds;
    for number in 0..40 {
        company.send(&format!("99893{number:07}"), "Hello").await;
    }
    eventually(JOURNEY, async || operator.counters().accepted == 3).await;
    company.change_operator(&id, json!({"window": 10})).await;
    eventually(JOURNEY, async || operator.counters().accepted == 10).await;
    assert_eq!(operator.counters().binds, binds, "a window grows within its session");
    company.change_operator(&id, json!({"enabled": false})).await;
    eventually(JOURNEY, async || operator.bound(SYSTEM_ID) == 0).await;
    let bound = async || company.admin.get(&format!("/v1/operators/{id}")).await;
    eventually(JOURNEY, async || bound().await["binds_bound"] != json!(1)).await;
    operator.set_profile(Profile::default());
    company.change_operator(&id, json!({"enabled": true, "binds": 2, "tps": 500})).await;
    eventually(JOURNEY, async || operator.bound(SYSTEM_ID) == 2).await;
    eventually(JOURNEY, async || operator.counters().accepted >= 40).await;
    let unanswered = "SELECT count(*) FROM messages WHERE state = 'queued'";
    eventually(JOURNEY, async || chappe.count(unanswered).await == 10).await;
    assert_eq!(operator.repeats().repeated, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_stalls_delays_nobody_else() {
    let chappe = Chappe::start().await;
    let company = Company::found(&chappe).await;
    let (stalled, brisk) =
        (smsc(Profile { answers: Answers::Never, ..Profile::default() }).await, smsc(Profile::default()).await);
    company.operator(&stalled, OperatorIs { window: 10, ..OperatorIs::simple("Stalled", ON_SUBMIT, "50") }).await;
    company.operator(&brisk, OperatorIs::simple("Brisk", ON_DELIVERY, "45")).await;
    for number in 0..300 {
        company.send(&format!("{}{number:07}", ON_SUBMIT.prefix), "Nobody answers").await;
    }
    eventually(JOURNEY, async || stalled.counters().accepted == 10).await;
    for number in 0..100 {
        company.send(&format!("{}{number:07}", ON_DELIVERY.prefix), "Hello").await;
    }
    let delivered = "SELECT count(*) FROM messages WHERE state = 'delivered'";
    eventually(JOURNEY, async || chappe.count(delivered).await == 100).await;
    assert_eq!(stalled.counters().accepted, 10, "no more than its window");
}
