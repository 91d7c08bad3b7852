//! Profile files: those that come with the crate, and those that are wrong.

use smsc::{IdForm, Profile, ReceiptParts, Smsc};

use crate::client::Client;

#[tokio::test]
async fn the_files_that_come_with_it_are_right_and_can_be_acted_out() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/profiles");
    let mut found = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let profile = Profile::from_json(&std::fs::read_to_string(&path).unwrap());
        let profile = profile.unwrap_or_else(|problems| panic!("{}: {problems}", path.display()));
        let written = serde_json::to_string(&profile).unwrap();
        assert_eq!(Profile::from_json(&written), Ok(profile.clone()), "{}", path.display());
        let smsc: Smsc = crate::client::smsc(profile).await;
        Client::transceiver(&smsc).await;
        found += 1;
    }
    assert!(found >= 5, "{found} files");
}

#[test]
fn what_a_file_says_is_what_happens() {
    let profile = Profile::from_json(include_str!("../../profiles/vendor.json")).unwrap();
    assert_eq!(
        (profile.ids, profile.throttle_status, profile.receipts.parts),
        (IdForm::Hex, Some(0x401), ReceiptParts::Last)
    );
}

#[test]
fn everything_wrong_is_told_at_once() {
    let check = |json: &str, expected: &[&str]| {
        let problems = Profile::from_json(json).unwrap_err();
        assert_eq!(problems.0.len(), expected.len(), "{json}: {problems}");
        for part in expected {
            assert!(problems.0.iter().any(|problem| problem.contains(part)), "{part} in {problems}");
        }
    };
    check("{", &["no JSON"]);
    check("[]", &["object"]);
    check(
        r#"{"latency": 5, "ids": "octal", "receipts": {"copies": -1, "colour": 1, "outcomes": {"lost_per_mille": 1}},
            "link": {"outbind": 1}, "fault": {"kind": "explode", "after_submits": 3}}"#,
        &[
            "latency:",
            "ids:",
            "receipts.copies",
            "receipts.colour",
            "receipts.outcomes.lost_per_mille",
            "link.outbind",
            "fault.kind",
        ],
    );
    check(
        r#"{"refusals": [{"status": 88, "per_mille": 600}, {"status": 0, "per_mille": 600}], "window_max": 0,
            "receipts": {"template": "{when} {id", "date_digits": 11, "utc_offset_minutes": 9999, "copies": 0,
                         "window": 0, "outcomes": {"silent_per_mille": 1001}},
            "mobile": [{"text": "one part", "order": [2]}, {"text": "я", "alphabet": "gsm7"}],
            "rules": [{"status": 8, "reply": "no"}]}"#,
        &[
            "1200 of 1000",
            "status 0",
            "window_max",
            "{when}",
            "never closed",
            "date_digits",
            "utc_offset_minutes",
            "copies",
            "receipts.window",
            "1001 of 1000",
            "mobile[0]",
            "mobile[1]",
            "rules[0]",
        ],
    );
}
