//! Systems and sessions, as people set and see them and as an edge hears of them.

use api::internal::{BindReport, report_binds, snapshot};
use serde_json::{Value, json};

use super::super::rig::Rig;
use super::session;

async fn make(rig: &Rig, name: &str) -> Value {
    let new = json!({"system_id": name, "account_id": rig.world.client.to_string()});
    rig.post(&rig.reseller, "/v1/smpp/systems", &new).await.expect(201).json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_is_made_changed_told_to_the_edge_and_removed() {
    let rig = Rig::new().await;
    // Those of the fixture have no password that can be told.
    sqlx::query("UPDATE operators SET deleted_at = now()").execute(rig.world.pool()).await.unwrap();
    let made = make(&rig, "shop").await;
    let (id, password) = (made["id"].as_str().unwrap(), made["password"].as_str().unwrap());
    assert_eq!(password.len(), 8, "the field of SMPP 3.4 holds it");
    rig.world.queue.depth(&format!("deliver.{id}")).await.unwrap();
    let path = format!("/v1/smpp/systems/{id}");
    let read = rig.get(&rig.client, &path).await.expect(200);
    assert!(!String::from_utf8_lossy(&read.bytes).contains(password), "it is shown once");
    let again = json!({"system_id": "shop"});
    assert_eq!(rig.post(&rig.house, "/v1/smpp/systems", &again).await.refusal(), (409, "conflict".to_owned()));
    let told = snapshot(&rig.world.db, &rig.keys, None).await.unwrap().unwrap();
    assert!(rig.keys.matches(password.as_bytes(), &told.systems[0].password_hash.0));
    let change = json!({"window": 7, "addresses": ["192.0.2.0/24"], "id_form": "hex", "service_types": {"OTP": "otp"}});
    rig.call("PATCH", &path, Some(&rig.reseller), Some(&change)).await.expect(200);
    assert_eq!(snapshot(&rig.world.db, &rig.keys, Some(told.version)).await.unwrap().unwrap().systems[0].window, 7);
    let given = json!({"password": "a longer password"});
    let changed = rig.post(&rig.client, &format!("{path}/password"), &given).await.expect(200).json();
    assert_eq!(changed["password"], Value::Null, "what was given is not told back");
    let told = snapshot(&rig.world.db, &rig.keys, None).await.unwrap().unwrap();
    assert!(rig.keys.matches(b"a longer password", &told.systems[0].password_hash.0));
    assert_eq!(told.systems[0].addresses, ["192.0.2.0/24"], "the rest stays");
    let audit = rig.get(&rig.house, &format!("/v1/audit-logs?account_id={}", rig.world.client)).await.expect(200);
    let audit = String::from_utf8_lossy(&audit.bytes).into_owned();
    assert!(audit.contains("smpp_system.password") && !audit.contains("longer") && !audit.contains("hash"));
    rig.call("DELETE", &path, Some(&rig.reseller), None).await.expect(204);
    rig.get(&rig.client, &path).await.expect(404);
    assert!(snapshot(&rig.world.db, &rig.keys, None).await.unwrap().unwrap().systems.is_empty());
    make(&rig, "shop").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_wrong_with_a_system_is_said_at_once() {
    let rig = Rig::new().await;
    let wrong = json!({"system_id": "has space", "password": "short", "addresses": ["x"], "window": 0});
    let refused = rig.post(&rig.reseller, "/v1/smpp/systems", &wrong).await;
    let errors = refused.json()["errors"].as_array().unwrap().clone();
    let pointers: Vec<&str> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/password", "/system_id", "/window", "/addresses/0"]);
    let nameless = rig.post(&rig.reseller, "/v1/smpp/systems", &json!({})).await;
    assert_eq!(nameless.json()["errors"][0]["pointer"], "/system_id");
    let system = make(&rig, "shop").await;
    let path = format!("/v1/smpp/systems/{}", system["id"].as_str().unwrap());
    let moved = json!({"account_id": rig.world.reseller.to_string()});
    let moved = rig.call("PATCH", &path, Some(&rig.reseller), Some(&moved)).await.expect(400);
    assert_eq!(moved.json()["errors"][0]["pointer"], "/account_id");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_seen_cut_and_gone() {
    let rig = Rig::new().await;
    let system = make(&rig, "shop").await["id"].as_str().unwrap().to_owned();
    let (one, other) =
        (session(system.parse().unwrap(), rig.world.client), session(system.parse().unwrap(), rig.world.client));
    let report = |sessions| BindReport { edge_id: "e1".to_owned(), operators: Vec::new(), sessions };
    let both = report(vec![one.clone(), other.clone()]);
    assert!(report_binds(&rig.world.db, &both).await.unwrap().cut.is_empty());
    let listed = async || rig.get(&rig.client, "/v1/smpp/sessions").await.expect(200).json()["data"].clone();
    let shown = listed().await;
    assert_eq!(shown.as_array().unwrap().len(), 2);
    assert_eq!(
        (&shown[0]["edge"], &shown[0]["closing"], &shown[0]["delivering"]),
        (&json!("e1"), &json!(false), &json!(2))
    );
    let path = format!("/v1/smpp/sessions/{}", one.id);
    rig.call("DELETE", &path, Some(&rig.client), None).await.expect(202);
    assert_eq!(report_binds(&rig.world.db, &both).await.unwrap().cut, [one.id]);
    // Another edge says nothing about the sessions of this one.
    let elsewhere = BindReport { edge_id: "e2".to_owned(), operators: Vec::new(), sessions: Vec::new() };
    report_binds(&rig.world.db, &elsewhere).await.unwrap();
    report_binds(&rig.world.db, &report(vec![other.clone()])).await.unwrap();
    let shown = listed().await;
    assert_eq!(shown.as_array().unwrap().len(), 1);
    assert_eq!(shown[0]["id"], other.id.to_string());
    let of_none = "/v1/smpp/sessions?system_id=sys_00000000000000000000000000";
    assert_eq!(rig.get(&rig.client, of_none).await.expect(200).json()["data"].as_array().unwrap().len(), 0);
}
