//! node-smpp as an operator that our edge binds to.

use serde_json::{Value, json};
use testkit::eventually;

use super::capture::Tap;
use super::script::Script;
use super::tools;
use crate::chappe::{Chappe, Company, Leftovers, ON_SUBMIT, OperatorIs, PASSWORD, SENDER, SYSTEM_ID};
use crate::journey::{JOURNEY, until_state};

/// node-smpp behind a tap, with these further options.
pub(super) async fn operator(more: &Value) -> (Script, Tap) {
    let mut options = json!({"system_id": SYSTEM_ID, "password": PASSWORD});
    options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut script = Script::start(tools::node("operator.js"), &options);
    let port = script.told("listening", |_| true).await["port"].as_u64().unwrap();
    (script, Tap::to(u16::try_from(port).unwrap()).await)
}

/// What is sent: the text, its segments, and the data coding and beginning of the header that the operator sees.
fn texts() -> [(String, usize, u64); 4] {
    [
        ("Hello from Chappe: @£$ ΔΩ, 12€ [x] {y} ~ ^ | \\".to_owned(), 1, 0),
        ("Салом, дунё! 🙂".to_owned(), 1, 8),
        ("A text of three parts, with Ω and £ in it. ".repeat(10), 3, 0),
        ("Привет, мир. ".repeat(14), 3, 8),
    ]
}

/// The text of the message to `to` as the operator put it together, and the data coding of its first part.
fn shown(submits: &[Value], to: &str) -> (String, usize, u64) {
    let mut parts: Vec<&Value> = submits.iter().filter(|submit| submit["to"] == to).collect();
    // Of the header's only element: reference, total, number of this part.
    parts.sort_by_key(|part| part["udh"][0].as_str().map(|udh| udh[udh.len() - 2..].to_owned()));
    for part in &parts {
        assert_eq!(part["from"], SENDER);
        assert_eq!(part["registered_delivery"], 1);
        assert_eq!(part["esm_class"], if parts.len() > 1 { 0x40 } else { 0 });
    }
    let text = parts.iter().map(|part| part["text"].as_str().unwrap()).collect();
    (text, parts.len(), parts[0]["data_coding"].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn node_smpp_carries_every_text_and_brings_receipts_and_a_message_back() {
    let mut chappe = Chappe::start().await;
    let company = Company::found(&chappe).await;
    let (mut node, tap) = operator(&json!({})).await;
    company.operator_at(tap.port(), OperatorIs::simple("Node", ON_SUBMIT, "50"), json!({})).await;
    assert_eq!(node.told("bound", |_| true).await["status"], 0);
    assert_eq!(node.told("linked", |_| true).await["status"], 0, "we answer enquire_link");
    for (number, (text, ..)) in texts().iter().enumerate() {
        for (last, state) in [(0, "delivered"), (9, "undelivered")] {
            let message = company.send(&format!("9989300000{number}{last}"), text).await;
            until_state(&company, &message, state).await;
        }
    }
    let message = json!({"from": "998931112233", "to": "4400", "text": "Привет from a handset"});
    assert_eq!(node.ask("deliver", message).await["status"], 0);
    let arrived = "SELECT count(*) FROM inbound_messages WHERE sender LIKE '%998931112233' AND recipient = '4400'
        AND body = 'Привет from a handset' AND NOT partial";
    eventually(JOURNEY, async || chappe.count(arrived).await == 1).await;
    chappe.assert_settled(JOURNEY, Leftovers::default()).await;
    let submits = node.events("submit");
    for (number, expected) in texts().into_iter().enumerate() {
        for last in [0, 9] {
            assert_eq!(shown(&submits, &format!("9989300000{number}{last}")), expected);
        }
    }
    assert!(chappe.terminate().await.success());
    node.told("closed", |_| true).await;
    let seen = tap.assert_well_formed().await;
    for (command, count) in [
        ("bind_transceiver", 1),
        ("bind_transceiver_resp", 1),
        ("submit_sm", 16),
        ("submit_sm_resp", 16),
        ("deliver_sm", 17),
        ("deliver_sm_resp", 17),
        ("unbind", 1),
        ("unbind_resp", 1),
    ] {
        assert_eq!(seen.get(command), Some(&count), "{command}: {seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn node_smpp_that_drops_its_connections_gets_a_new_bind() {
    let chappe = Chappe::start().await;
    let company = Company::found(&chappe).await;
    let (mut node, tap) = operator(&json!({})).await;
    company.operator_at(tap.port(), OperatorIs::simple("Node", ON_SUBMIT, "50"), json!({})).await;
    node.told("bound", |_| true).await;
    node.ask("drop", json!({})).await;
    node.told("closed", |_| true).await;
    assert_eq!(node.told("bound", |_| true).await["status"], 0);
    let message = company.send("998930000000", "After the drop").await;
    until_state(&company, &message, "delivered").await;
    chappe.assert_settled(JOURNEY, Leftovers::default()).await;
    tap.assert_well_formed().await;
}
