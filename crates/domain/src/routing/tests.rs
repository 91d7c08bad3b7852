use uuid::Uuid;

use super::margin::{Earned, Guard, Guards};
use super::rule::{Body, Rule, Share, Then};
use super::standing::{At, Known, Standings};
use super::*;
use crate::fx::{ExchangeRate, Fx};
use crate::id::ExchangeRateId;
use crate::tariff::{ChargeOn, Rate};

fn id(number: u128) -> OperatorId {
    OperatorId::from_uuid(Uuid::from_u128(number))
}

fn ids(numbers: &[u128]) -> Vec<OperatorId> {
    numbers.iter().copied().map(id).collect()
}

fn operator(number: u128, priority: i16, bound: bool) -> Operator {
    Operator { id: id(number), name: format!("op{number}").into(), enabled: number != 9, priority, bound }
}

fn up(number: u128) -> Operator {
    operator(number, 10, true)
}

fn uzs() -> Currency {
    "UZS".parse().unwrap()
}

fn rate(number: u128, price: i64) -> Rate {
    Rate {
        id: RateId::from_uuid(Uuid::from_u128(number)),
        operator: id(number),
        class: None,
        price: Micros::new(price),
        currency: uzs(),
        charge_on: ChargeOn::Submit,
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
        paid: &[],
        probes: &[],
        earned: None,
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

/// Of what operator 3 is given only half succeeds, of what operator 7 is given nine tenths.
fn ask(operators: &[Operator], rates: &[(u128, i64)], question: &Question<'_>, then: Option<Then>) -> Decision {
    let score = |number, success| (id(number), None, Score { success, ..Score::default() });
    let known = Known { operators: ids(&[3, 7]), scores: vec![score(3, 500), score(7, 900)], ..Known::default() };
    decide_by(&Standings::new(1, known), operators, rates, (question, then))
}

fn decide_by(
    standings: &Standings,
    operators: &[Operator],
    rates: &[(u128, i64)],
    (question, then): (&Question<'_>, Option<Then>),
) -> Decision {
    let mut exact: Vec<Rate> = rates.iter().map(|(number, price)| rate(*number, *price)).collect();
    exact.sort_by_key(|rate| rate.operator);
    let rule = then.map(ruled);
    let offer = Offer {
        operators,
        exact: &exact,
        country: &[],
        rule: rule.as_ref(),
        watch: None,
        reroute: None,
        currency: uzs(),
        fx: &Fx::default(),
    };
    decided(question, &offer, standings.at(question.network))
}

/// Every decision of these tests is also picked, which must come to the same.
fn decided(question: &Question<'_>, offer: &Offer<'_>, standings: At<'_>) -> Decision {
    let decision = decide((1, standings), question, offer);
    let picked = pick(standings, question, offer);
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
        (&[up(1), operator(2, 5, true)], &[(1, 50), (2, 50)], &[], &["op2", "op1"]),
        (&[up(7), up(8)], &[(7, 50), (8, 50)], &[], &["op8", "op7"]),
        (&[operator(1, 10, false), up(2)], &[(1, 1), (2, 50)], &[], &["op2", "op1"]),
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
    let operators = [up(1), up(2), operator(3, 1, true), operator(4, 10, false)];
    let rates = [(1, 50), (2, 40), (3, 30), (4, 10)];
    let by = |strategy| Then { strategy, ..Then::default() };
    let named = |strategy, weights: &[(u128, u32)]| Then { operators: shares(weights), ..by(strategy) };
    let rows: [(Then, u64, &[&str]); 12] = [
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
        // Who has no session comes behind a last resort that has one.
        (
            Then { last_resort: ids(&[3]), ..named(Strategy::LeastCost, &[(4, 1)]) },
            0,
            &["op3", "op4", "op2:NotInRule", "op1:NotInRule"],
        ),
        (
            Then { last_resort: ids(&[3, 2]), ..named(Strategy::Weighted, &[(4, 1), (1, 1)]) },
            1,
            &["op1", "op3", "op2", "op4"],
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
    let operators = [up(1), up(2), up(3), operator(4, 1, false)];
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
    let uzs = uzs();
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
    let (fx, watch, reroute) = (Fx::default(), Some((earned, watch)), None);
    let (operators, exact) = (&operators, &exact);
    let offer = Offer { operators, exact, country: &[], rule: None, watch, reroute, currency: uzs, fx: &fx };
    let decision = decided(&question, &offer, At::default());
    assert_eq!(told(&decision), ["op1", "op3", "op4", "op2:Margin"]);
    let margins: Vec<Option<i64>> = decision.candidates.iter().map(|c| c.margin.map(Micros::get)).collect();
    assert_eq!(margins, [Some(0), Some(-10), None, Some(-1)]);
    assert_eq!(decision.candidates[1].guard_id, Some(GuardId::from_uuid(Uuid::from_u128(1))));

    // Whoever had it before was paid 1: op1 would then lose it.
    let paid = [(earned.currency, Micros::new(1))];
    let again = Question { paid: &paid, ..question };
    assert_eq!(told(&decided(&again, &offer, At::default())), ["op3", "op4", "op1:Margin", "op2:Margin"]);

    let offer = Offer { operators: &operators[1..2], ..offer };
    assert_eq!(decided(&question, &offer, At::default()).code(), "below_margin");
}

#[test]
fn how_operators_stand_decides_with_their_cost() {
    use breaker::State::{HalfOpen, Held, Open};
    /// What is known, who may be probed, the rule, and the ranking where 1 costs 40, 2 costs 50 and 3 costs 60.
    type Case<'a> = (Known, &'a [u128], Option<Then>, &'a [&'a str]);
    let score = |number, score: Score| (id(number), Some("43405".parse().unwrap()), score);
    let good = Score::default();
    let breaker = |number, state| (id(number), "43405".parse().unwrap(), state);
    let today = DateTime::UNIX_EPOCH.date_naive();
    let yesterday = today.pred_opt().unwrap();
    let known = || Known { operators: ids(&[1, 2, 3]), ..Known::default() };
    let quality = || Some(Then { strategy: Strategy::Quality, ..Then::default() });
    let turns = || Some(Then { strategy: Strategy::RoundRobin, ..Then::default() });
    let rows: [Case<'_>; 17] = [
        (known(), &[], quality(), &["op1", "op2", "op3"]),
        (
            Known { scores: vec![score(1, Score { success: 900, delivery: 900, ..good })], ..known() },
            &[],
            quality(),
            &["op1", "op2", "op3"],
        ),
        // 40 / 0.72 = 55.6
        (
            Known { scores: vec![score(1, Score { success: 900, delivery: 800, ..good })], ..known() },
            &[],
            quality(),
            &["op2", "op1", "op3"],
        ),
        (
            Known { scores: vec![score(1, Score { speed: 666, ..good })], ..known() },
            &[],
            quality(),
            &["op2", "op3", "op1"],
        ),
        (Known { scores: vec![score(1, good.trusted(799))], ..known() }, &[], quality(), &["op2", "op1", "op3"]),
        (Known { scores: vec![score(1, good.trusted(500))], ..known() }, &[], None, &["op1", "op2", "op3"]),
        (Known { scores: vec![score(1, good.trusted(499))], ..known() }, &[], None, &["op2", "op3", "op1"]),
        (Known { scores: vec![score(1, good.trusted(499))], ..known() }, &[], turns(), &["op2", "op3", "op1"]),
        (Known { breakers: vec![breaker(1, Open)], ..known() }, &[], None, &["op2", "op3", "op1:BreakerOpen"]),
        (Known { breakers: vec![breaker(1, HalfOpen)], ..known() }, &[2], None, &["op2", "op3", "op1:BreakerOpen"]),
        (Known { breakers: vec![breaker(1, HalfOpen)], ..known() }, &[1], None, &["op1", "op2", "op3"]),
        (Known { breakers: vec![breaker(1, Held)], ..known() }, &[1], None, &["op2", "op3", "op1:BreakerOpen"]),
        // Nobody else is left: better a try than none, but for what a person forbade.
        (
            Known { breakers: vec![breaker(1, Open), breaker(2, HalfOpen), breaker(3, Held)], ..known() },
            &[],
            None,
            &["op1", "op2", "op3:BreakerOpen"],
        ),
        (Known { full: vec![(id(1), today)], ..known() }, &[], None, &["op2", "op3", "op1:DailyCap"]),
        (Known { full: vec![(id(1), yesterday)], ..known() }, &[], None, &["op1", "op2", "op3"]),
        (
            Known { full: vec![(id(1), today)], breakers: vec![breaker(1, Open), breaker(2, Open)], ..known() },
            &[],
            None,
            &["op3", "op1:DailyCap", "op2:BreakerOpen"],
        ),
        (
            Known { full: vec![(id(1), today), (id(2), today), (id(3), today)], ..known() },
            &[],
            None,
            &["op1:DailyCap", "op2:DailyCap", "op3:DailyCap"],
        ),
    ];
    for (known, probes, then, expected) in rows {
        let probes = ids(probes);
        let question = Question { probes: &probes, ..question() };
        let told_of = format!("{known:?}");
        let standings = Standings::new(1, known);
        let rates = [(1, 40), (2, 50), (3, 60)];
        let decision = decide_by(&standings, &[up(1), up(2), up(3)], &rates, (&question, then));
        assert_eq!(told(&decision), expected, "{told_of}");
    }
}

#[test]
fn the_rate_that_names_most_of_a_message_holds() {
    let classed = |class: &str, price| Rate { class: class.parse().ok(), ..rate(1, price) };
    let exact = [classed("marketing", 40), rate(1, 50)];
    let country = [classed("otp", 10), rate(1, 20)];
    let ended = [Rate { to: Some(DateTime::UNIX_EPOCH), ..rate(1, 1) }];
    for (class, exact, country, expected) in [
        ("marketing", &exact[..], &country[..], Some(40)),
        ("otp", &exact[..], &country[..], Some(50)),
        ("otp", &exact[..1], &country[..], Some(10)),
        ("transactional", &exact[..1], &country[..], Some(20)),
        ("transactional", &exact[..1], &country[..1], None),
        ("", &exact[..], &country[..], Some(50)),
        ("", &ended[..], &country[..], Some(20)),
    ] {
        let (operators, fx) = ([up(1)], Fx::default());
        let offer = Offer {
            operators: &operators,
            exact,
            country,
            rule: None,
            watch: None,
            reroute: None,
            currency: uzs(),
            fx: &fx,
        };
        let question = Question { traffic_class: class.parse().ok(), ..question() };
        let cost = decide((1, At::default()), &question, &offer).candidates[0].cost;
        assert_eq!(cost.map(Micros::get), expected, "{class}");
    }
}

#[test]
fn costs_are_compared_and_guarded_in_the_currency_of_the_price() {
    let foreign = |number, code: &str, price| Rate { currency: code.parse().unwrap(), ..rate(number, price) };
    // A euro is 100; whoever exchanges pays a tenth on top.
    let mut fx = Fx::default();
    let exchange = ExchangeRate {
        id: ExchangeRateId::from_uuid(Uuid::from_u128(7)),
        ratio: "100".parse().unwrap(),
        spread_ppm: 100_000,
        from: DateTime::UNIX_EPOCH,
        to: None,
    };
    fx.add(("EUR".parse().unwrap(), uzs()), exchange.clone());
    let earned = Earned { price: Micros::new(540), currency: uzs() };
    let guards = Guards::new(Vec::new());
    let question = question();
    // By bare numbers 4 and 5 euros and 6 dollars would be the cheapest.
    let exact = [rate(1, 500), foreign(2, "EUR", 4), foreign(3, "EUR", 5), foreign(4, "USD", 6), foreign(5, "GBP", 7)];
    let operators = [up(1), up(2), up(3), up(4), up(5)];
    let watch = Some((earned, guards.watch(earned, &[question.account], question.network, question.at)));
    let (operators, exact, reroute) = (&operators, &exact, None);
    let offer = Offer { operators, exact, country: &[], rule: None, watch, reroute, currency: uzs(), fx: &fx };
    let decision = decided(&question, &offer, At::default());
    assert_eq!(told(&decision), ["op2", "op1", "op5", "op4", "op3:Margin"]);
    let margins: Vec<Option<i64>> = decision.candidates.iter().map(|c| c.margin.map(Micros::get)).collect();
    assert_eq!(margins, [Some(100), Some(40), None, None, Some(-10)]);
    let exchanged = decision.candidates[0].exchange.unwrap();
    assert_eq!((exchanged.amount.get(), exchanged.spread.get(), exchanged.rate_id), (400, 40, exchange.id));
    assert_eq!(decision.candidates[1].exchange, None);
    let taken = pick(At::default(), &question, &offer).taken.unwrap();
    assert_eq!((taken.operator.id, taken.exchange, taken.margin), (id(2), Some(exchanged), Some(Micros::new(100))));
    let quality = ruled(Then { strategy: Strategy::Quality, ..Then::default() });
    // What was paid before, in whichever currency, counts as well: 50, and half a euro with its spread.
    let paid = [(uzs(), Micros::new(40)), ("EUR".parse().unwrap(), Micros::new(1))];
    let again = Question { paid: &paid[..1], ..question };
    assert_eq!(told(&decided(&again, &offer, At::default()))[..2], ["op2", "op1"]);
    let again = Question { paid: &paid, ..question };
    assert_eq!(told(&decided(&again, &offer, At::default())), ["op5", "op4", "op2:Margin", "op1:Margin", "op3:Margin"]);
    let unknown = [("CHF".parse().unwrap(), Micros::new(1))];
    let again = Question { paid: &unknown, ..question };
    let margins = decided(&again, &offer, At::default()).candidates.iter().filter(|one| one.margin.is_some()).count();
    assert_eq!(margins, 0, "nobody knows what was paid in francs");
    // What is too dear even without them is refused all the same.
    let refused = decided(&again, &offer, At::default());
    let refused = refused.candidates.iter().filter(|one| one.excluded == Some(Exclusion::Margin));
    assert_eq!(refused.map(|one| one.operator_id).collect::<Vec<_>>(), [id(3)]);
    let by_quality = Offer { rule: Some(&quality), ..offer };
    assert_eq!(told(&decided(&question, &by_quality, At::default()))[..2], ["op2", "op1"]);
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
