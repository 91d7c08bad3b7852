use uuid::Uuid;

use super::*;
use crate::routing::tests::question;

fn account(number: u128) -> AccountId {
    AccountId::from_uuid(Uuid::from_u128(number))
}

fn plan() -> PlanId {
    PlanId::from_uuid(Uuid::from_u128(5))
}

fn networks(names: &[&str]) -> Vec<Network> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().copied().map(str::to_owned).collect()
}

fn classes(names: &[&str]) -> Vec<TrafficClass> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn templates(names: &[&str]) -> Vec<TemplateName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

#[test]
fn conditions_fit_or_not() {
    let any = When::default;
    let template: TemplateName = "code".parse().unwrap();
    let hours =
        |from_minute, until_minute| vec![OpenHours { days: Vec::new(), from_minute, until_minute, zone_minutes: 0 }];
    let rows: [(When, bool); 27] = [
        (any(), true),
        (When { accounts: vec![account(1)], ..any() }, true),
        (When { accounts: vec![account(9), account(2)], ..any() }, true),
        (When { accounts: vec![account(3)], ..any() }, false),
        (When { plans: vec![plan()], ..any() }, true),
        (When { plans: vec![PlanId::from_uuid(Uuid::nil())], ..any() }, false),
        (When { networks: networks(&["434"]), ..any() }, true),
        (When { networks: networks(&["43405"]), ..any() }, true),
        (When { networks: networks(&["43404", "401"]), ..any() }, false),
        (When { prefixes: texts(&["7", "99893"]), ..any() }, true),
        (When { prefixes: texts(&["99894"]), ..any() }, false),
        (When { senders: texts(&["chappe"]), ..any() }, true),
        (When { senders: texts(&["CHAP*"]), ..any() }, true),
        (When { senders: texts(&["chap", "Chappe2"]), ..any() }, false),
        (When { traffic_classes: classes(&["marketing", "otp"]), ..any() }, true),
        (When { traffic_classes: classes(&["marketing"]), ..any() }, false),
        (When { templates: templates(&["code", "welcome.v2"]), ..any() }, true),
        (When { templates: templates(&["welcome"]), ..any() }, false),
        (When { traffic_classes: classes(&["otp"]), templates: templates(&["welcome"]), ..any() }, false),
        (When { encodings: vec![Encoding::Ucs2], ..any() }, false),
        (When { encodings: vec![Encoding::Ucs2, Encoding::Gsm7], ..any() }, true),
        (When { segments_min: Some(1), segments_max: Some(1), ..any() }, true),
        (When { segments_min: Some(2), ..any() }, false),
        (When { segments_max: Some(0), ..any() }, false),
        (When { hours: hours(0, 60), ..any() }, true),
        (When { hours: hours(60, 120), ..any() }, false),
        (When { accounts: vec![account(1)], networks: networks(&["401"]), ..any() }, false),
    ];
    for (when, expected) in rows {
        // An account below another one.
        let question = Question { template: Some(&template), ..question() };
        assert_eq!(when.fits(&question, &[account(1), account(2)], Some(plan())), expected, "{when:?}");
    }
}

fn rule(number: u128, position: i32, when: When) -> Rule {
    Rule {
        id: RoutingRuleId::from_uuid(Uuid::from_u128(number)),
        version: 1,
        name: number.to_string(),
        position,
        body: Body { when, then: Then::default() },
        from: DateTime::UNIX_EPOCH,
        to: None,
    }
}

#[test]
fn the_first_that_fits_holds_however_it_is_found() {
    let any = When::default;
    let by_account = |number| When { accounts: vec![account(number)], ..any() };
    let by_network = |name| When { networks: networks(&[name]), ..any() };
    let later = Rule { from: DateTime::from_timestamp(1, 0).unwrap(), ..rule(4, 0, any()) };
    let over = Rule { to: Some(DateTime::UNIX_EPOCH), ..rule(4, 0, any()) };
    let rows: [(Vec<Rule>, Option<&str>); 9] = [
        (vec![], None),
        (vec![rule(1, 9, any()), rule(2, 3, by_account(2)), rule(3, 5, by_network("434"))], Some("2")),
        (vec![rule(1, 1, any()), rule(2, 3, by_account(1)), rule(3, 5, by_network("434"))], Some("1")),
        (vec![rule(1, 9, any()), rule(2, 6, by_account(1)), rule(3, 5, by_network("43405"))], Some("3")),
        (vec![rule(1, 9, any()), rule(2, 3, by_account(7)), rule(3, 5, by_network("401"))], Some("1")),
        (vec![rule(1, 4, by_account(1)), rule(2, 3, by_account(2))], Some("2")),
        (vec![rule(2, 3, any()), rule(1, 3, any())], Some("1")),
        (vec![later, rule(1, 9, any())], Some("1")),
        (vec![over, rule(1, 9, any())], Some("1")),
    ];
    for (rules, expected) in rows {
        let rules = Rules::new(rules);
        let first = rules.first(&question(), &[account(1), account(2)], None);
        assert_eq!(first.map(|rule| rule.name.as_str()), expected);
    }
}

#[test]
fn a_body_is_written_short_and_read_strictly() {
    let body = Body {
        when: When { networks: networks(&["434"]), segments_min: Some(2), ..When::default() },
        then: Then {
            strategy: Strategy::Weighted,
            operators: vec![Share { operator_id: OperatorId::from_uuid(Uuid::from_u128(1)), weight: 1 }],
            ..Then::default()
        },
    };
    let json = serde_json::to_value(&body).unwrap();
    let expected = serde_json::json!({
        "when": {"networks": ["434"], "segments_min": 2},
        "then": {"strategy": "weighted", "operators": [{"operator_id": "op_00000000000000000000000001"}]},
    });
    assert_eq!(json, expected);
    assert_eq!(serde_json::from_value::<Body>(json).unwrap(), body);
    for wrong in [r#"{"when": {"network": []}}"#, r#"{"then": {"strategy": "cheapest"}}"#, r#"{"if": {}}"#] {
        assert!(serde_json::from_str::<Body>(wrong).is_err(), "{wrong}");
    }
}
