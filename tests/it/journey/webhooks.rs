//! Customers whose webhook is down or slow.

use axum::http::StatusCode;
use serde_json::json;
use smsc::Profile;
use testkit::eventually;

use super::JOURNEY;
use crate::chappe::{Chappe, Company, Hook, Leftovers, ON_SUBMIT, OperatorIs, smsc};

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_is_down_is_tried_again_and_told_everything_once() {
    let (chappe, hook) = (Chappe::start().await, Hook::start().await);
    let company = Company::found(&chappe).await;
    let operator = smsc(Profile::default()).await;
    company.operator(&operator, OperatorIs::simple("Ucell", ON_SUBMIT, "50")).await;
    hook.set_status(StatusCode::SERVICE_UNAVAILABLE);
    let message = company.send_with("998930000001", "Hello", json!({"status_url": hook.url("127.0.0.1")})).await;
    eventually(JOURNEY, async || hook.received().len() >= 2).await;
    assert!(hook.told(&message).is_empty());
    hook.set_status(StatusCode::OK);
    eventually(JOURNEY, async || hook.told(&message).len() == 2).await;
    chappe.assert_settled(JOURNEY, Leftovers::default()).await;
    let mut told = hook.told(&message);
    told.sort();
    assert_eq!(told, ["delivered", "sent"]);
    let requests = hook.received();
    for request in &requests {
        request.assert_signed(&company.webhook_secret);
    }
    let first = &requests[0];
    let again = requests.iter().find(|other| other.id == first.id && other.answered == 200).unwrap();
    assert_eq!(again.body(), first.body(), "the same event, word for word");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_hangs_delays_no_other() {
    let (chappe, slow, brisk) = (Chappe::start().await, Hook::start().await, Hook::start().await);
    let company = Company::found(&chappe).await;
    let operator = smsc(Profile::default()).await;
    company.operator(&operator, OperatorIs::simple("Ucell", ON_SUBMIT, "50")).await;
    slow.hang();
    for number in 0..100 {
        let to = format!("99893{number:07}");
        company.send_with(&to, "Hello", json!({"status_url": slow.url("localhost")})).await;
    }
    eventually(JOURNEY, async || slow.received().len() >= 10).await;
    let message = company.send_with("998930000999", "Hello", json!({"status_url": brisk.url("127.0.0.1")})).await;
    eventually(JOURNEY, async || brisk.told(&message).len() == 2).await;
    assert!(slow.received().len() <= 16, "{} requests at once to one host", slow.received().len());
    slow.go_on();
    chappe.assert_settled(JOURNEY, Leftovers::default()).await;
}
