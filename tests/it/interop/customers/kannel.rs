//! Kannel as a customer: what it is given by HTTP goes through us to the operator, and its reports come back.

use serde_json::json;
use testkit::eventually;

use super::rig::{CUSTOMER, HANDSET, PASSWORD_OF_CUSTOMER, Rig, SERVICE};
use crate::chappe::SENDER;
use crate::interop::kannel::Kannel;
use crate::journey::JOURNEY;

/// What is sent, with Kannel's name for its coding, and its segments.
fn texts() -> [(String, u8, i64); 4] {
    [
        ("Hello from Kannel: @£$ ΔΩ, 12€ [x] {y} ~ ^ | \\".to_owned(), 0, 1),
        ("Салом, дунё! 🙂".to_owned(), 2, 1),
        ("A text of three parts, with Ω and £ in it. ".repeat(10), 0, 3),
        ("Привет, мир. ".repeat(14), 2, 3),
    ]
}

/// Kannel with these further settings, bound by so many sessions.
async fn kannel(rig: &Rig, more: &str, sessions: usize) -> Kannel {
    let kannel = Kannel::start(rig.tap.port(), (CUSTOMER, PASSWORD_OF_CUSTOMER), more).await;
    kannel.until_bound().await;
    rig.until_sessions(sessions).await;
    kannel
}

#[tokio::test(flavor = "multi_thread")]
async fn kannel_is_served() {
    let rig = Rig::start(&json!({"window": 10})).await;
    let mut kannel = kannel(&rig, "transceiver-mode = true", 1).await;
    let mut paid = 0;
    for (number, (text, coding, segments)) in texts().iter().enumerate() {
        for (last, report) in [(0, "1"), (9, "2")] {
            let to = format!("9989300000{number}{last}");
            kannel.send((SENDER, &to), text, *coding).await;
            // Kannel asks for the receipt of one part only.
            for report in ["8", report] {
                kannel.until_reported(&to, report, 1).await;
            }
            eventually(JOURNEY, async || rig.smsc.shown(&to).len() == 1).await;
            let shown = rig.smsc.shown(&to);
            assert_eq!((shown[0].source.as_str(), &shown[0].text), (SENDER, text), "{to}");
            paid += segments;
        }
    }
    // Refused for good: not a number, and a sender that is not the customer's.
    kannel.send((SENDER, "123"), "To nobody", 0).await;
    kannel.until_reported("123", "16", 1).await;
    kannel.send(("Somebody", "998930000400"), "From nobody", 0).await;
    kannel.until_reported("998930000400", "16", 1).await;
    kannel.stop().await;
    rig.until_sessions(0).await;
    rig.assert_done(paid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kannel_with_a_receiver_beside_its_transmitter_gets_messages_and_reports() {
    let rig = Rig::start(&json!({})).await;
    rig.claim_number().await;
    // For Kannel the receiver is a connection of its own; the common name lets it find what its reports are about.
    let receiver = format!(
        "
group = smsc
smsc = smpp
smsc-id = operator
host = 127.0.0.1
receive-port = {}
smsc-username = {CUSTOMER}
smsc-password = {PASSWORD_OF_CUSTOMER}
system-type = VMA
reconnect-delay = 1
",
        rig.tap.port()
    );
    let mut kannel = kannel(&rig, &receiver, 2).await;
    kannel.send((SENDER, "998930000500"), "By the transmitter", 0).await;
    kannel.until_reported("998930000500", "1", 1).await;
    for (text, ..) in texts() {
        rig.write(&text);
        let told = kannel.told(|told| told["what"] == "message" && told["text"] == text).await;
        let plain = |name: &str| told[name].trim_start_matches('+').to_owned();
        assert_eq!((plain("from"), plain("to")), (HANDSET.to_owned(), SERVICE.to_owned()));
    }
    kannel.stop().await;
    let seen = rig.assert_done(1).await;
    assert_eq!((seen.get("bind_transmitter"), seen.get("bind_receiver")), (Some(&1), Some(&1)), "{seen:?}");
}
