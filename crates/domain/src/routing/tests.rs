use uuid::Uuid;

use super::margin::{Earned, Guard, Guards};
use super::rule::{Body, Rule, Share, Then};
use super::*;
use crate::tariff::Rate;

fn id(number: u128) -> OperatorId {
    OperatorId::from_uuid(Uuid::from_u128(number))
}

fn ids(numbers: &[u128]) -> Vec<OperatorId> {
    numbers.iter().copied().map(id).collect()
}

fn operator(number: u128, priority: i16, health: u16, bound: bool) -> Operator {
    Operator {
        id: id(number),
        name: format!("op{number}").into(),
        enabled: number != 9,
        priority,
        health_permille: health,
        bound,
    }
}

fn up(number: u128) -> Operator {
    operator(number, 10, 1000, true)
}

fn rate(number: u128, price: i64) -> Rate {
    Rate {
        id: RateId::from_uuid(Uuid::from_u128(number)),
        operator: id(number),
        price: Micros::new(price),
        currency: "UZS".parse().unwrap(),
        from: DateTime::UNIX_EPOCH,
        to: None,
    }
}

pub(super) fn question<'a>() -> Question<'a> {
    Question {
        account: AccountId::from_uuid(Uuid::from_u128(1)),
        to: Number::parse("+998931234567").unwrap(),
        network: "43405".parse().unwrap(),
        sender: "Chappe",
        traffic_class: "otp".parse().ok(),
        template: None,
        encoding: Encoding::Gsm7,
        segments: 1,
        turn: 0,
        tried: &[],
        priced_at: DateTime::UNIX_EPOCH,
        at: DateTime::UNIX_EPOCH,
    }
}

fn shares(weights: &[(u128, u32)]) -> Vec<Share> {
    weights.iter().map(|(number, weight)| Share { operator_id: id(*number), weight: *weight }).collect()
}

fn ruled(then: Then) -> Rule {
    Rule {
        id: RoutingRuleId::from_uuid(Uuid::from_u128(1)),
        version: 3,
        name: "test".to_owned(),
        position: 1,
        body: Body { then, ..Body::default() },
        from: DateTime::UNIX_EPOCH,
        to: None,
    }
}

fn ask(operators: &[Operator], rates: &[(u128, i64)], question: &Question<'_>, then: Option<Then>) -> Decision {
    let mut exact: Vec<Rate> = rates.iter().map(|(number, price)| rate(*number, *price)).collect();
    exact.sort_by_key(|rate| rate.operator);
    let rule = then.map(ruled);
    let offer = Offer { operators, exact: &exact, country: &[], rule: rule.as_ref(), watch: None };
    decided(question, &offer)
}

/// Every decision of these tests is also picked, which must come to the same.
fn decided(question: &Question<'_>, offer: &Offer<'_>) -> Decision {
    let decision = decide(1, question, offer);
    let picked = pick(question, offer);
    assert_eq!(picked.first, decision.candidates.first().map(|first| first.operator_id));
    let taken = picked.taken.map(|taken| (taken.operator.id, Some(taken.rate.id), taken.margin, taken.breach));
    let choice = decision.choice().map(|c| (c.operator_id, c.rate_id, c.margin, c.breach));
    assert_eq!(taken, choice.ok_or_else(|| decision.code()));
    decision
}

fn told(decision: &Decision) -> Vec<String> {
    let told = |c: &Candidate| match c.excluded {
        Some(why) => format!("{}:{why:?}", c.operator),
        None => c.operator.to_string(),
    };
    decision.candidates.iter().map(told).collect()
}

#[test]
fn least_cost_then_priority_then_health() {
    /// Operators, their rates as (operator, price), those tried before, and the ranking.
    type Case<'a> = (&'a [Operator], &'a [(u128, i64)], &'a [u128], &'a [&'a str]);
    let cases: [Case<'_>; 6] = [
        (&[up(1), up(2)], &[(1, 50), (2, 45)], &[], &["op2", "op1"]),
        (&[up(1), operator(2, 5, 1000, true)], &[(1, 50), (2, 50)], &[], &["op2", "op1"]),
        (&[operator(1, 10, 900, true), up(2)], &[(1, 50), (2, 50)], &[], &["op2", "op1"]),
        (&[operator(1, 10, 1000, false), up(2)], &[(1, 1), (2, 50)], &[], &["op2", "op1"]),
        (&[up(1), up(2)], &[(1, 50), (2, 45)], &[2], &["op1", "op2:AlreadyTried"]),
        (&[up(1), up(3), up(9)], &[(9, 1), (3, 5)], &[], &["op3", "op9:Disabled", "op1:NoRate"]),
    ];
    for (operators, rates, tried, expected) in cases {
        let tried = ids(tried);
        let decision = ask(operators, rates, &Question { tried: &tried, ..question() }, None);
        assert_eq!(told(&decision), expected);
    }
}

#[test]
fn rules_rank_and_exclude() {
    let operators = [up(1), up(2), operator(3, 1, 500, true), operator(4, 10, 1000, false)];
    let rates = [(1, 50), (2, 40), (3, 30), (4, 10)];
    let by = |strategy| Then { strategy, ..Then::default() };
    let named = |strategy, weights: &[(u128, u32)]| Then { operators: shares(weights), ..by(strategy) };
    let rows: [(Then, u64, &[&str]); 10] = [
        (by(Strategy::LeastCost), 0, &["op3", "op2", "op1", "op4"]),
        (by(Strategy::Quality), 0, &["op2", "op1", "op3", "op4"]),
        (named(Strategy::Priority, &[(1, 1), (3, 1)]), 0, &["op1", "op3", "op2:NotInRule", "op4:NotInRule"]),
        (by(Strategy::Priority), 0, &["op3", "op2", "op1", "op4"]),
        (named(Strategy::Weighted, &[(1, 3), (2, 1)]), 2, &["op1", "op2", "op3:NotInRule", "op4:NotInRule"]),
        (named(Strategy::Weighted, &[(1, 3), (2, 1)]), 7, &["op2", "op1", "op3:NotInRule", "op4:NotInRule"]),
        (by(Strategy::RoundRobin), 4, &["op2", "op3", "op1", "op4"]),
        (Then { except: ids(&[3]), ..Then::default() }, 0, &["op2", "op1", "op4", "op3:ExceptInRule"]),
        (
            Then { last_resort: ids(&[3]), ..named(Strategy::LeastCost, &[(1, 1)]) },
            0,
            &["op1", "op3", "op2:NotInRule", "op4:NotInRule"],
        ),
        (by(Strategy::Block), 0, &["op3:Blocked", "op2:Blocked", "op1:Blocked", "op4:Blocked"]),
    ];
    for (then, turn, expected) in rows {
        let decision = ask(&operators, &rates, &Question { turn, ..question() }, Some(then.clone()));
        assert_eq!(told(&decision), expected, "{then:?}");
        assert_eq!(decision.rule.map(|rule| (rule.version, rule.name)), Some((3, "test".to_owned())));
    }
}

#[test]
fn turns_follow_the_weights_exactly() {
    /// The strategy, the weights, and how often each operator's turn comes in a hundred.
    type Case<'a> = (Strategy, &'a [(u128, u32)], [u64; 4]);
    let operators = [up(1), up(2), up(3), operator(4, 1, 1, false)];
    let rates = [(1, 1), (2, 2), (3, 3), (4, 4)];
    let rows: [Case<'_>; 4] = [
        (Strategy::Weighted, &[(1, 70), (2, 20), (3, 10)], [70, 20, 10, 0]),
        (Strategy::Weighted, &[(1, 0), (2, 1), (4, 9)], [0, 100, 0, 0]),
        (Strategy::RoundRobin, &[(1, 5), (3, 1)], [50, 0, 50, 0]),
        (Strategy::Weighted, &[(1, 0)], [100, 0, 0, 0]),
    ];
    for (strategy, weights, expected) in rows {
        let mut counts = [0; 4];
        for turn in 0..100 {
            let then = Then { strategy, operators: shares(weights), ..Then::default() };
            let decision = ask(&operators, &rates, &Question { turn, ..question() }, Some(then));
            let chosen = decision.choice().unwrap().operator_id;
            counts[usize::try_from(chosen.uuid().as_u128()).unwrap() - 1] += 1;
        }
        assert_eq!(counts, expected, "{strategy:?} {weights:?}");
    }
}

#[test]
fn what_earns_too_little_is_no_choice() {
    let uzs = "UZS".parse().unwrap();
    let usd: Currency = "USD".parse().unwrap();
    let earned = Earned { price: Micros::new(50), currency: uzs };
    let allowed = Guard {
        id: GuardId::from_uuid(Uuid::from_u128(1)),
        account: None,
        operator: Some(id(3)),
        network: None,
        min: Micros::ZERO,
        min_permille: None,
        on_breach: Breach::Allow,
        from: DateTime::UNIX_EPOCH,
        to: None,
    };
    let guards = Guards::new(vec![allowed]);
    let question = question();
    let watch = guards.watch(earned, &[question.account], question.network, question.at);
    let foreign = Rate { currency: usd, ..rate(4, 70) };
    let exact = [rate(1, 50), rate(2, 51), rate(3, 60), foreign];
    let operators = [up(1), up(2), up(3), up(4)];
    let offer = Offer { operators: &operators, exact: &exact, country: &[], rule: None, watch: Some((earned, watch)) };
    let decision = decided(&question, &offer);
    assert_eq!(told(&decision), ["op1", "op3", "op4", "op2:Margin"]);
    let margins: Vec<Option<i64>> = decision.candidates.iter().map(|c| c.margin.map(Micros::get)).collect();
    assert_eq!(margins, [Some(0), Some(-10), None, Some(-1)]);
    assert_eq!(decision.candidates[1].guard_id, Some(GuardId::from_uuid(Uuid::from_u128(1))));

    let offer = Offer { operators: &operators[1..2], ..offer };
    assert_eq!(decided(&question, &offer).code(), "below_margin");
}

#[test]
fn no_route_is_a_decision_without_a_choice() {
    /// Rates, who had it, the rule, and the code.
    type Case<'a> = (&'a [(u128, i64)], &'a [OperatorId], Option<Then>, &'a str);
    let tried = ids(&[1]);
    let block = Then { strategy: Strategy::Block, ..Then::default() };
    let rows: [Case<'_>; 3] = [
        (&[], &[], None, "no_route"),
        (&[(1, 5)], &tried, None, "routes_exhausted"),
        (&[(1, 5)], &[], Some(block), "blocked_by_rule"),
    ];
    for (rates, tried, then, code) in rows {
        let decision = ask(&[up(1)], rates, &Question { tried, ..question() }, then);
        assert_eq!((decision.choice(), decision.code()), (None, code));
    }
}

#[test]
fn decisions_of_before_rules_can_be_read() {
    let old = r#"{"mcc_mnc": "43405", "catalogue_version": 7, "candidates": [{"operator_id":
        "op_00000000000000000000000001", "operator": "one", "priority": 1, "health_permille": 1000, "bound": true}]}"#;
    let read: Decision = serde_json::from_str(old).unwrap();
    assert_eq!((read.strategy, read.rule, read.candidates.len()), (Strategy::LeastCost, None, 1));
}
