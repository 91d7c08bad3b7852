//! An operator that reports every message as delivered at once, over real sockets: it is found by itself.

use std::time::Duration;

use serde_json::json;
use smsc::{Profile, Receipts};
use testkit::eventually;

use crate::chappe::{Chappe, Company, ON_SUBMIT, OperatorIs, smsc};

/// Found and demoted within this time.
const FOUND: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_fake_receipt_operator_is_found_and_demoted() {
    let chappe = Chappe::start().await;
    let company = Company::found(&chappe).await;
    // It takes everything and says "delivered" before a phone could have rung.
    let fake = smsc(Profile { receipts: Receipts { delay_ms: 0, ..Receipts::default() }, ..Profile::default() }).await;
    let honest = smsc(Profile::default()).await;
    let cheap = company.operator(&fake, OperatorIs::simple("Cheap", ON_SUBMIT, "40")).await;
    company.operator(&honest, OperatorIs::simple("Honest", ON_SUBMIT, "55")).await;
    // As many as are needed to judge, so that none of them is routed elsewhere already.
    for number in 0..100 {
        company.send(&format!("99893{number:07}"), "Hello").await;
    }
    eventually(FOUND, async || fake.counters().accepted == 100).await;
    let ask = async || company.admin.post("/v1/routing/decision", json!({"to": "+998930000001"})).await;
    eventually(FOUND, async || ask().await["candidates"][0]["operator"] == "Honest").await;
    let decision = ask().await;
    let second = &decision["candidates"][1];
    assert_eq!((&second["operator"], &second["rank"]), (&json!("Cheap"), &json!(2)));
    assert_eq!(second["reason"], "untrusted: its receipts are not believed");

    company.send("998930009999", "By whom?").await;
    eventually(FOUND, async || honest.counters().accepted == 1).await;
    assert_eq!(fake.counters().accepted, 100, "no more for who is not believed");
    let look = async || company.admin.get(&format!("/v1/operators/{cheap}/health")).await;
    eventually(FOUND, async || look().await["networks"][0]["counts"]["accepted"] == 100).await;
    let health = look().await;
    let network = &health["networks"][0];
    assert!(network["score"]["trust_permille"].as_u64().unwrap() < 500, "{health}");
    assert_eq!(network["score"]["doubts"][0]["doubt"], "too_fast");
    assert_eq!(network["counts"]["delivered"], 100);
}
