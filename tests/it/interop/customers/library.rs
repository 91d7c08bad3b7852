//! The two libraries: the same questions to both, as far as a library knows the PDU.

use serde_json::{Value, json};
use testkit::eventually;

use super::rig::{CUSTOMER, HANDSET, PASSWORD_OF_CUSTOMER, Rig, SERVICE};
use crate::chappe::SENDER;
use crate::interop::script::Script;
use crate::interop::tools;
use crate::journey::JOURNEY;

/// `esm_class` of a receipt, and of a message with a user data header.
const RECEIPT: u64 = 0x04;
const WITH_HEADER: u64 = 0x40;
/// States of SMPP 3.4 §5.2.28.
const DELIVERED: u64 = 2;
const DELETED: u64 = 4;
const UNDELIVERABLE: u64 = 5;
/// Statuses.
const BAD_NUMBER: u64 = 0x0B;
const NO_SUCH_MESSAGE: u64 = 0x0C;
const WRONG_PASSWORD: u64 = 0x0E;
const CANNOT_CANCEL: u64 = 0x11;
const THROTTLED: u64 = 0x58;
/// In an hour, by the clock of whoever reads it.
const LATER: &str = "000000010000000R";

fn smpplib(rig: &Rig) -> Script {
    Script::start(tools::python("customer.py"), &json!({"port": rig.tap.port()}))
}

fn node_smpp(rig: &Rig) -> Script {
    Script::start(tools::node("customer.js"), &json!({"port": rig.tap.port()}))
}

async fn bind(customer: &mut Script, password: &str) -> Value {
    customer.ask("bind", json!({"system_id": CUSTOMER, "password": password})).await
}

async fn bound(customer: &mut Script) {
    let answer = bind(customer, PASSWORD_OF_CUSTOMER).await;
    assert_eq!((&answer["status"], &answer["version"]), (&json!(0), &json!(0x34)), "{answer}");
}

/// What is sent: the text, its coding, its segments.
fn texts() -> [(String, &'static str, usize); 4] {
    [
        ("Hello from a library: @£$ ΔΩ, 100%".to_owned(), "gsm", 1),
        ("Салом, дунё!".to_owned(), "ucs2", 1),
        ("A text of three parts, with Ω and £ in it. ".repeat(10), "gsm", 3),
        ("Привет, мир. ".repeat(14), "ucs2", 3),
    ]
}

/// Sends every text, one that arrives and one that does not; the operator shows them, and a receipt comes for every
/// part.
async fn send_everything(customer: &mut Script, rig: &Rig) {
    for (number, (text, coding, segments)) in texts().into_iter().enumerate() {
        for (last, state, stat) in [(0, DELIVERED, "DELIVRD"), (9, UNDELIVERABLE, "UNDELIV")] {
            let to = format!("9989300000{number}{last}");
            let said = json!({"from": SENDER, "to": to, "text": text, "coding": coding, "receipt": true});
            let answer = customer.ask("submit", said).await;
            assert_eq!(answer["statuses"], json!(vec![0; segments]), "{answer}");
            for id in answer["ids"].as_array().unwrap() {
                let told = customer.told("deliver", |told| told["receipted_message_id"] == *id).await;
                assert_eq!((&told["esm_class"], &told["message_state"]), (&json!(RECEIPT), &json!(state)), "{told}");
                assert_eq!((&told["from"], &told["to"]), (&json!(to), &json!(SENDER)), "{told}");
                let text = told["text"].as_str().unwrap();
                assert!(text.starts_with(&format!("id:{} sub:", id.as_str().unwrap())), "{text}");
                assert!(text.contains(&format!(" stat:{stat} ")), "{text}");
            }
            let shown = rig.smsc.shown(&to);
            assert_eq!(shown.len(), 1, "{to}");
            assert_eq!((shown[0].source.as_str(), &shown[0].text), (SENDER, &text), "{to}");
        }
    }
}

/// Messages from a handset reach the customer: in parts with headers where they are long.
async fn receive(mut customer: Script, rig: Rig) {
    rig.claim_number().await;
    bound(&mut customer).await;
    for (text, _, segments) in texts() {
        rig.write(&text);
        let mut parts = Vec::new();
        for _ in 0..segments {
            let told = customer.told("deliver", |told| told["from"] == HANDSET).await;
            assert_eq!(told["to"], SERVICE, "{told}");
            assert_eq!(told["esm_class"], if segments > 1 { WITH_HEADER } else { 0 }, "{told}");
            let part = told["udh"][0].as_str().unwrap_or_default();
            parts.push((part[part.len().saturating_sub(2)..].to_owned(), told["text"].as_str().unwrap().to_owned()));
        }
        parts.sort();
        assert_eq!(parts.into_iter().map(|(_, text)| text).collect::<String>(), text);
    }
    customer.ask("unbind", json!({})).await;
    rig.assert_done(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn smpplib_gets_messages_from_handsets() {
    let rig = Rig::start(&json!({})).await;
    receive(smpplib(&rig), rig).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_smpp_gets_messages_from_handsets() {
    let rig = Rig::start(&json!({})).await;
    receive(node_smpp(&rig), rig).await;
}

async fn submit_one(customer: &mut Script, to: &str, more: &Value) -> String {
    let said = json!({"from": SENDER, "to": to, "text": "Hello", "receipt": true, "more": more});
    let answer = customer.ask("submit", said).await;
    assert_eq!(answer["statuses"], json!([0]), "{answer}");
    answer["ids"][0].as_str().unwrap().to_owned()
}

/// Asks after a message that has arrived, and after one that never was.
async fn query(customer: &mut Script) {
    let id = submit_one(customer, "998930000100", &json!({})).await;
    customer.told("deliver", |told| told["receipted_message_id"] == id).await;
    let answer = customer.ask("query", json!({"id": id, "from": SENDER})).await;
    assert_eq!((&answer["status"], &answer["state"], &answer["id"]), (&json!(0), &json!(DELIVERED), &json!(id)));
    let unknown = customer.ask("query", json!({"id": "no-such-message", "from": SENDER})).await;
    assert_eq!(unknown["status"], NO_SUCH_MESSAGE);
}

/// More at once than the window has: the rest waits in the sockets, and nothing is lost. Over the rate: refused, and
/// only what was accepted is sent. Answers how many were accepted.
async fn flood(customer: &mut Script, rig: &Rig) -> i64 {
    let flood = |count| json!({"from": SENDER, "to": "998930000200", "text": "Flood", "receipt": true, "count": count});
    let answer = customer.ask("flood", flood(60)).await;
    assert_eq!(answer["statuses"], json!(vec![0; 60]), "{answer}");
    let system = format!("/v1/smpp/systems/{}", rig.system);
    rig.company.admin.patch(&system, json!({"segments_per_second": 1, "burst": 5})).await;
    // The edge follows within a second or two.
    let mut accepted = 60;
    eventually(JOURNEY, async || {
        let answer = customer.ask("flood", flood(20)).await;
        let statuses = answer["statuses"].as_array().unwrap();
        assert!(statuses.iter().all(|status| *status == 0 || *status == THROTTLED), "{answer}");
        let taken = statuses.iter().filter(|status| **status == 0).count();
        accepted += i64::try_from(taken).unwrap();
        taken < 20
    })
    .await;
    rig.company.admin.patch(&system, json!({"segments_per_second": 0})).await;
    let seen = async || rig.smsc.log().iter().filter(|one| *one.destination == *b"998930000200").count();
    eventually(JOURNEY, async || i64::try_from(seen().await).unwrap() == accepted).await;
    accepted
}

#[tokio::test(flavor = "multi_thread")]
async fn smpplib_is_served() {
    let rig = Rig::start(&json!({"window": 10})).await;
    let mut customer = smpplib(&rig);
    assert_eq!(bind(&mut customer, "wrong").await["status"], WRONG_PASSWORD);
    bound(&mut customer).await;
    rig.until_sessions(1).await;
    send_everything(&mut customer, &rig).await;
    query(&mut customer).await;
    let flooded = flood(&mut customer, &rig).await;
    rig.chappe.until_ended(JOURNEY).await;
    customer.until_events("deliver", usize::try_from(16 + 1 + flooded).unwrap()).await;
    assert_eq!(customer.ask("unbind", json!({})).await["status"], 0);
    rig.until_sessions(0).await;
    rig.assert_done(16 + 1 + flooded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_smpp_is_served() {
    let rig = Rig::start(&json!({"window": 10})).await;
    let mut customer = node_smpp(&rig);
    assert_eq!(bind(&mut customer, "wrong").await["status"], WRONG_PASSWORD);
    bound(&mut customer).await;
    rig.until_sessions(1).await;
    send_everything(&mut customer, &rig).await;
    query(&mut customer).await;
    let managed = manage(&mut customer, &rig).await;
    let flooded = flood(&mut customer, &rig).await;
    rig.chappe.until_ended(JOURNEY).await;
    customer.until_events("deliver", usize::try_from(16 + 1 + 5 + flooded).unwrap()).await;
    assert_eq!(customer.ask("link", json!({})).await["status"], 0);
    assert_eq!(customer.ask("unbind", json!({})).await["status"], 0);
    rig.until_sessions(0).await;
    rig.assert_done(16 + 1 + managed + flooded).await;
}

/// The PDUs that smpplib does not have. Answers how many segments were sent.
async fn manage(customer: &mut Script, rig: &Rig) -> i64 {
    // Cancelled before its time: a receipt says so, and it costs nothing.
    let (to, later) = ("998930000300", json!({"schedule_delivery_time": LATER}));
    let id = submit_one(customer, to, &later).await;
    let cancel = json!({"id": id, "from": SENDER, "to": to});
    assert_eq!(customer.ask("cancel", cancel.clone()).await["status"], 0);
    let told = customer.told("deliver", |told| told["receipted_message_id"] == id).await;
    assert_eq!(told["message_state"], DELETED, "{told}");
    assert_eq!(customer.ask("query", json!({"id": id, "from": SENDER})).await["state"], DELETED);
    assert_eq!(customer.ask("cancel", cancel).await["status"], CANNOT_CANCEL);
    // Replaced before its time.
    let id = submit_one(customer, to, &later).await;
    let answer = customer.ask("replace", json!({"id": id, "from": SENDER, "text": "Better"})).await;
    assert_eq!(answer["status"], 0);
    let story = rig.company.sender.get(&format!("/v1/messages/msg_{id}")).await;
    assert_eq!(story["text"], "Better");
    assert_eq!(customer.ask("cancel", json!({"id": id, "from": SENDER, "to": to})).await["status"], 0);
    customer.told("deliver", |told| told["receipted_message_id"] == id).await;
    // To two at once, and to one that is no number.
    let tos = ["998930000310", "123", "998930000320"];
    let said = json!({"from": SENDER, "to": "", "tos": tos, "text": "Hello, both", "receipt": true});
    let answer = customer.ask("submit_multi", said).await;
    assert_eq!((&answer["status"], &answer["refused"]), (&json!(0), &json!([["123", BAD_NUMBER]])), "{answer}");
    for to in [tos[0], tos[2]] {
        let told = customer.told("deliver", |told| told["from"] == to).await;
        assert_eq!((&told["receipted_message_id"], &told["message_state"]), (&answer["id"], &json!(DELIVERED)));
    }
    // With its text in `message_payload`.
    let said = json!({"from": SENDER, "to": "998930000330", "text": "By data_sm", "receipt": true});
    let answer = customer.ask("data", said).await;
    assert_eq!(answer["status"], 0, "{answer}");
    customer.told("deliver", |told| told["receipted_message_id"] == answer["id"]).await;
    assert_eq!(rig.smsc.shown("998930000330")[0].text, "By data_sm");
    3
}
