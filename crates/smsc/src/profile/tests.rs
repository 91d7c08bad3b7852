use super::{Draw, IdForm, Outcome, Outcomes, Profile, Refusal, Rule};

#[test]
fn ids_by_form() {
    let check = |form: IdForm, number, id: &str| assert_eq!(form.render(number), id, "{form:?}");
    check(IdForm::Decimal, 255, "255");
    check(IdForm::PaddedDecimal, 255, "00000000000000000255");
    check(IdForm::Hex, 255, "ff");
    check(IdForm::Repeated, 256, "128");
    check(IdForm::Repeated, 257, "128");
    check(IdForm::Empty, 255, "");
    let id = IdForm::Uuid.render(255);
    let lengths: Vec<_> = id.split('-').map(str::len).collect();
    assert_eq!(lengths, [8, 4, 4, 4, 12]);
    assert_ne!(id, IdForm::Uuid.render(256));
}

#[test]
fn shares_come_out_about_right_and_the_same_every_time() {
    let refusals = vec![Refusal { status: 0x58, per_mille: 200 }, Refusal { status: 0x08, per_mille: 50 }];
    let profile = Profile { refusals, ..Profile::default() };
    let refused = |status| {
        let draws = (0..10_000).map(|number| Draw::new(7, number, 1));
        draws.filter(|&draw| profile.refusal(draw) == Some(status)).count()
    };
    assert!((1900..2100).contains(&refused(0x58)), "{}", refused(0x58));
    assert!((400..600).contains(&refused(0x08)), "{}", refused(0x08));
    assert_eq!(refused(0x58), refused(0x58));
}

#[test]
fn outcomes_fill_the_thousand() {
    let all = Outcomes { expired_per_mille: 1000, ..Outcomes::default() };
    assert!((0..1000).all(|number| all.of(Draw::new(1, number, 2)) == Outcome::Expired));
    let none = Outcomes::default();
    assert!((0..1000).all(|number| none.of(Draw::new(1, number, 2)) == Outcome::Delivered));
}

#[test]
fn the_first_rule_that_matches_counts() {
    let rule = |suffix: &str, status| Rule { suffix: suffix.into(), status, ..Rule::default() };
    let profile = Profile { rules: vec![rule("02", Some(11)), rule("2", None)], ..Profile::default() };
    let status = |destination: &[u8]| profile.rule(destination).map(|rule| rule.status);
    assert_eq!(status(b"99890102"), Some(Some(11)));
    assert_eq!(status(b"99890112"), Some(None));
    assert_eq!(status(b"99890113"), None);
}

#[test]
fn json_form_is_partial_and_strict() {
    let json = r#"{"latency_ms":5,"ids":"hex","answers":"reversed","refusals":[{"status":88,"per_mille":200}],
        "receipts":{"outcomes":{"undelivered_per_mille":30},"format":"terse"},"fault":{"after_submits":9,"kind":"close"}}"#;
    let profile: Profile = serde_json::from_str(json).unwrap();
    assert_eq!(profile.ids, IdForm::Hex);
    assert!(profile.receipts.enabled);
    assert!(serde_json::from_str::<Profile>(r#"{"latency":5}"#).is_err());
}
