//! Kannel binds to the simulated operator: what tests and demo lean on speaks with the gateways of the field.

use std::time::Duration;

use smsc::{Account, Config, IdForm, Outcome, Profile, Receipts, Rule, Smsc};
use testkit::eventually;

use super::capture::Tap;
use super::kannel::Kannel;
use crate::chappe::{PASSWORD, SYSTEM_ID};

const LIMIT: Duration = Duration::from_mins(1);
const HANDSET: &str = "998901234567";
/// A service of ours, which handsets write to.
const SERVICE: &str = "4321";

async fn operator(profile: Profile) -> (Smsc, Tap) {
    let accounts = vec![Account::new(SYSTEM_ID, PASSWORD)];
    let smsc = Smsc::start(Config { accounts, profile, ..Config::default() }).await.unwrap();
    let tap = Tap::to(smsc.addr().port()).await;
    (smsc, tap)
}

fn undelivered(suffix: &str) -> Rule {
    Rule { suffix: suffix.to_owned(), outcome: Some(Outcome::Undelivered), ..Rule::default() }
}

/// What is sent, with Kannel's name for its coding: one segment or three, 7-bit or UCS-2.
fn texts() -> [(String, u8); 4] {
    [
        ("Hello from Kannel: @£$ ΔΩ, 12€ [x] {y} ~ ^ | \\".to_owned(), 0),
        ("Салом, дунё! 🙂".to_owned(), 2),
        ("A text of three parts, with Ω and £ in it. ".repeat(10), 0),
        ("Привет, мир. ".repeat(14), 2),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn kannel_sends_every_text_and_understands_every_receipt() {
    let receipts = Receipts { delay_ms: 300, ..Receipts::default() };
    let profile = Profile { receipts, rules: vec![undelivered("9")], ..Profile::default() };
    let (smsc, tap) = operator(profile).await;
    let mut kannel = Kannel::start(tap.port(), (SYSTEM_ID, PASSWORD), "transceiver-mode = true").await;
    kannel.until_bound().await;
    assert_eq!(smsc.bound(SYSTEM_ID), 1);
    for (number, (text, coding)) in texts().iter().enumerate() {
        for (last, report) in [(0, "1"), (9, "2")] {
            let to = format!("9989000000{number}{last}");
            kannel.send(("Bank", &to), text, *coding).await;
            // Kannel asks for the receipt of one part only.
            for report in ["8", report] {
                kannel.until_reported(&to, report, 1).await;
            }
            eventually(LIMIT, async || smsc.shown(&to).len() == 1).await;
            let shown = smsc.shown(&to);
            assert_eq!((shown[0].source.as_str(), &shown[0].text), ("Bank", text), "{to}");
        }
    }
    for (number, (text, ..)) in texts().iter().enumerate() {
        let from = format!("{HANDSET}{number}");
        smsc.deliver(SYSTEM_ID, &from, SERVICE, text).unwrap();
        let told = kannel.told(|told| told["what"] == "message" && told["from"].ends_with(&from)).await;
        assert_eq!((told["to"].trim_start_matches('+'), &told["text"]), (SERVICE, text));
    }
    kannel.stop().await;
    eventually(LIMIT, async || smsc.bound(SYSTEM_ID) == 0).await;
    let counters = smsc.counters();
    assert_eq!((counters.accepted, counters.refused, counters.malformed), (16, 0, 0), "{counters:?}");
    assert_eq!((counters.deliveries_failed, counters.deliveries_dropped), (0, 0), "{counters:?}");
    let seen = tap.assert_well_formed().await;
    for command in ["bind_transceiver", "submit_sm", "deliver_sm", "enquire_link", "unbind"] {
        assert!(seen.contains_key(command), "{command}: {seen:?}");
        assert_eq!(seen.get(command), seen.get(&format!("{command}_resp")), "every {command} is answered");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kannel_survives_what_the_simulator_acts_out() {
    // Hexadecimal in the answer and decimal in the receipt is what Kannel's `msg-id-type = 0x01` is for.
    let receipts = Receipts { delay_ms: 100, ids: Some(IdForm::Decimal), ..Receipts::default() };
    let profile = Profile { ids: IdForm::Hex, submits_per_second_max: Some(3), receipts, ..Profile::default() };
    let (smsc, tap) = operator(profile).await;
    let more = "transceiver-mode = true\nmax-pending-submits = 3\nmsg-id-type = 0x01";
    let kannel = Kannel::start(tap.port(), (SYSTEM_ID, PASSWORD), more).await;
    kannel.until_bound().await;
    // The last one is throttled, after which Kannel sends nothing for 15 seconds.
    for number in 0..4 {
        kannel.send(("Bank", &format!("99890000000{number}")), "Slowly", 0).await;
    }
    for number in 0..4 {
        kannel.until_reported(&format!("99890000000{number}"), "1", 1).await;
    }
    smsc.disconnect_all();
    eventually(LIMIT, async || smsc.counters().binds == 2).await;
    kannel.send(("Bank", HANDSET), "After the break", 0).await;
    kannel.until_reported(HANDSET, "1", 1).await;
    assert_eq!((smsc.counters().accepted, smsc.repeats().repeated), (5, 0));
    assert!(smsc.counters().throttled > 0);
    tap.assert_well_formed().await;
}
