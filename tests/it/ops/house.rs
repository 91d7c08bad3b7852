//! The beginning of a real installation: one command, and what it prints opens the platform.

use std::process::{Output, Stdio};

use reqwest::Method;
use serde_json::{Value, json};

use crate::chappe::Chappe;

const GOOD: [&str; 6] = ["--name", "Bright SMS", "--currency", "UZS", "--email", "ops@example.com"];
/// Wrong use (`EX_USAGE` of sysexits.h).
const USAGE: Option<i32> = Some(64);

fn create(chappe: &Chappe, arguments: &[&str]) -> Output {
    let mut command = chappe.command();
    command.args(["house", "create", "--json"]).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.output().unwrap()
}

fn refused(output: &Output, why: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), USAGE, "{said}");
    assert!(said.contains(why), "expected {why}: {said}");
    assert!(output.stdout.is_empty(), "a refusal prints no secret");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_house_is_made_once_and_its_key_and_its_log_in_open_the_platform() {
    let chappe = Chappe::without_edge().await;
    for (arguments, why) in [
        (["--name", " ", "--currency", "UZS"].as_slice(), "name"),
        (&["--name", "Bright SMS", "--currency", "uzs"], "--currency"),
        (&["--name", "Bright SMS", "--currency", "UZS", "--email", "nobody"], "e-mail"),
    ] {
        refused(&create(&chappe, arguments), why);
    }
    let output = create(&chappe, &GOOD);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    refused(&create(&chappe, &GOOD), "a house already");

    let admin = chappe.api(made["api_key"]["secret"].as_str().unwrap());
    let house = made["account_id"].as_str().unwrap();
    // The API reads the catalogue anew within half a second; an account below the house needs it.
    let path = format!("/v1/accounts/{house}/credit");
    let credit = json!({"amount": "1000", "reason": "capital"});
    testkit::eventually(std::time::Duration::from_secs(10), async || {
        admin.ask(Method::POST, &path, Some(&credit), None).await.unwrap().status.is_success()
    })
    .await;
    assert_eq!(admin.get("/v1/balance").await["available"], "1000.00");
    admin.make("/v1/accounts", json!({"name": "R", "role": "reseller"})).await;

    let person = json!({"email": "ops@example.com", "password": made["login"]["password"]});
    let tokens = chappe.api("").ask(Method::POST, "/v1/auth/login", Some(&person), None).await.unwrap();
    let person = chappe.api(tokens.body["access_token"].as_str().unwrap());
    person.make("/v1/users", json!({"email": "second@example.com", "password": "a long password"})).await;
    let logs = admin.get("/v1/audit-logs").await;
    let actions: Vec<&str> = logs["data"].as_array().unwrap().iter().filter_map(|log| log["action"].as_str()).collect();
    assert!(actions.contains(&"house.create"), "{actions:?}");
    assert!(!logs.to_string().contains(made["login"]["password"].as_str().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_house_needs_a_schema() {
    let chappe = Chappe::without_edge().await;
    chappe.execute("DROP TABLE _sqlx_migrations").await;
    refused(&create(&chappe, &GOOD), "chappe migrate");
}
