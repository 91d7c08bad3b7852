//! What a routing manager asks on the command line: why a message went where it went, by which rules, and what others would do.

use contract::ReceiptState::Delivered;
use serde_json::{Value, json};

use super::money::ON_SUBMIT;
use super::rig::Rig;

/// What a command prints, where it succeeds.
async fn told(rig: &Rig, token: &str, arguments: &[&str]) -> String {
    let (done, told) = rig.chappe(token, arguments).await;
    assert!(done, "{arguments:?}: {told}");
    told
}

/// Everything of `parts` is in what a command prints.
async fn tells(rig: &Rig, token: &str, arguments: &[&str], parts: &[&str]) {
    let told = told(rig, token, arguments).await;
    let missing: Vec<_> = parts.iter().filter(|part| !told.contains(**part)).collect();
    assert!(missing.is_empty(), "{arguments:?} without {missing:?}: {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_and_rules_are_explained() {
    let rig = Rig::new().await;
    let rule = json!({"name": "no Beeline for banks", "position": 1, "when": {"senders": ["BANK*"]},
        "then": {"except": [rig.world.operators[1]]}});
    let rule = rig.post(&rig.house, "/v1/routing/rules", &rule).await.expect(201).text("id");
    let message = rig.ended(ON_SUBMIT, 1, Delivered).await;
    tells(&rig, &rig.house, &["explain", &message], &["delivered", "Beeline", "Ucell", "80.00", "60.00", "45.00"])
        .await;
    let seen: Value = serde_json::from_str(&told(&rig, &rig.client, &["explain", &message, "--json"]).await).unwrap();
    assert!(seen.get("routing").is_none(), "a client sees no operators: {seen}");
    tells(&rig, &rig.house, &["routing", "rules"], &["no Beeline for banks", &rule]).await;
    let change = json!({"name": "no Beeline for banks", "position": 2, "when": {"senders": ["BANK*"]},
        "then": {"except": [rig.world.operators[1]]}});
    rig.call("PUT", &format!("/v1/routing/rules/{rule}"), Some(&rig.house), Some(&change)).await.expect(200);
    tells(&rig, &rig.house, &["routing", "diff", &rule], &["position", "1", "2"]).await;
    let question = ["routing", "decision", "--to", ON_SUBMIT, "--from", "BANK1"];
    tells(&rig, &rig.house, &question, &["Ucell", "Beeline", "no Beeline for banks"]).await;
    let (done, refused) = rig.chappe(&rig.house, &["explain", "msg_x"]).await;
    assert!(!done && refused.contains("404"), "{refused}");
    assert!(!told(&rig, &rig.house, &["rates", "losses"]).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_what_if_is_asked_waited_for_and_told() {
    let rig = Rig::new().await;
    rig.ended(ON_SUBMIT, 3, Delivered).await;
    let until = (chrono::Utc::now() + chrono::TimeDelta::minutes(1)).to_rfc3339();
    let beeline = rig.world.operators[1].to_string();
    // 45 a segment over Beeline, 50 over Ucell.
    tells(&rig, &rig.house, &["what-if", "--disable", &beeline, "--until", &until], &["135.00", "150.00", "Ucell"])
        .await;
    let folder = testkit::temp_dir();
    let file = folder.path().join("plan.csv");
    std::fs::write(&file, "to,count\n+998931234567,1000\n").unwrap();
    let file = file.display().to_string();
    let asked = ["what-if", "--traffic", &file, "--disable", &beeline, "--json"];
    let found: Value = serde_json::from_str(&told(&rig, &rig.house, &asked).await).unwrap();
    let result = found.get("result").unwrap_or(&found);
    assert_eq!((&result["messages"], &result["moved"]), (&json!(1000), &json!(1000)), "{found}");
    let (done, refused) = rig.chappe(&rig.house, &["what-if", "--rate", "nobody:434:x:UZS"]).await;
    assert!(!done && !refused.is_empty(), "{refused}");
}
