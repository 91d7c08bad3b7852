use chrono::DateTime;
use uuid::Uuid;

use super::*;
use crate::id::{AccountId, GuardId, OperatorId, PlanId, RateId, RoutingRuleId, TariffId};
use crate::money::Micros;
use crate::routing::Operator;
use crate::routing::margin::{Breach, Guard, Guards};
use crate::routing::rule::{Body, Rule, Rules, Share, Strategy, Then};
use crate::tariff::{ChargeOn, OnUnconfirmed, Rate, Tariff};
use crate::{Account, Currency, Encoding, Network, Number, Role};

fn op(number: u128) -> OperatorId {
    OperatorId::from_uuid(Uuid::from_u128(number))
}

fn network() -> Network {
    "43405".parse().unwrap()
}

fn uzs() -> Currency {
    "UZS".parse().unwrap()
}

fn rate(operator: u128, price: i64) -> Rate {
    Rate {
        id: RateId::from_uuid(Uuid::from_u128(operator)),
        operator: op(operator),
        price: Micros::new(price),
        currency: uzs(),
        charge_on: ChargeOn::Submit,
        class: None,
        from: DateTime::UNIX_EPOCH,
        to: None,
    }
}

fn tariff(price: i64) -> Tariff {
    Tariff {
        id: TariffId::from_uuid(Uuid::nil()),
        price: Micros::new(price),
        currency: uzs(),
        charge_on: ChargeOn::Submit,
        on_unconfirmed: OnUnconfirmed::Release,
        class: None,
        from: DateTime::UNIX_EPOCH,
        to: None,
    }
}

fn rule(number: u128, then: Then) -> Rule {
    Rule {
        id: RoutingRuleId::from_uuid(Uuid::from_u128(number)),
        version: 1,
        name: number.to_string(),
        position: 1,
        body: Body { then, ..Body::default() },
        from: DateTime::UNIX_EPOCH,
        to: None,
    }
}

fn plan() -> PlanId {
    PlanId::from_uuid(Uuid::from_u128(1))
}

fn client() -> AccountId {
    AccountId::from_uuid(Uuid::from_u128(2))
}

/// The client pays 60 for a segment; operators 1 and 2 cost 50 and 45, and are not in session.
fn company() -> Catalogue {
    let mut catalogue = Catalogue::default();
    let house = AccountId::from_uuid(Uuid::from_u128(1));
    for (id, parent) in [(house, None), (client(), Some(house))] {
        let account = Account {
            id,
            parent,
            role: Role::Client,
            plan: Some(plan()),
            currency: uzs(),
            suspended: false,
            segments_per_second: None,
            any_sender: true,
        };
        catalogue.accounts.insert(id, account);
    }
    for number in [1, 2] {
        catalogue.operators.push(Operator {
            id: op(number),
            name: format!("op{number}").into(),
            enabled: true,
            priority: 10,
            bound: false,
        });
    }
    catalogue.add_rate(network(), rate(1, 50));
    catalogue.add_rate(network(), rate(2, 45));
    catalogue.tariffs.insert((plan(), Some(network())), vec![tariff(60)]);
    catalogue
}

/// A hundred messages of two segments each.
fn replay(catalogue: Catalogue, drafts: &Drafts) -> Report {
    let mut report = Report::default();
    let what_if = WhatIf::new(catalogue, drafts);
    for turn in 0..100 {
        what_if.replay(&Question { turn, ..question() }, &mut report);
    }
    report
}

fn question() -> Question<'static> {
    Question {
        account: client(),
        to: Number::parse("+998931234567").unwrap(),
        network: network(),
        sender: "Chappe",
        traffic_class: None,
        template: None,
        encoding: Encoding::Gsm7,
        segments: 2,
        turn: 0,
        tried: &[],
        paid: &[],
        probes: &[],
        earned: None,
        priced_at: DateTime::UNIX_EPOCH,
        at: DateTime::UNIX_EPOCH,
    }
}

/// Messages, revenue, cost and margin.
fn sums(side: &Side) -> (u64, i128, i128, i128) {
    let of = |sums: &std::collections::BTreeMap<Currency, i128>| sums.get(&uzs()).copied().unwrap_or_default();
    (side.messages, of(&side.revenue), of(&side.cost), of(&side.margin()))
}

/// What it is, the drafts, sums afterwards, messages that move, and codes of those that nobody carries.
type Case = (&'static str, Drafts, (u64, i128, i128, i128), u64, Vec<(&'static str, u64)>);

#[test]
fn drafts_change_what_traffic_costs_and_earns() {
    let by = |strategy, operators: &[(u128, u32)]| {
        let share = |(number, weight): &(u128, u32)| Share { operator_id: op(*number), weight: *weight };
        Then { strategy, operators: operators.iter().map(share).collect(), ..Then::default() }
    };
    let none = Drafts::default;
    let rows: Vec<Case> = vec![
        ("nothing", none(), (100, 12_000, 9_000, 3_000), 0, vec![]),
        (
            "a dearer rate",
            Drafts { rates: vec![(network(), rate(2, 55))], ..none() },
            (100, 12_000, 10_000, 2_000),
            100,
            vec![],
        ),
        (
            "a cheaper rate for the country counts for nothing",
            Drafts { rates: vec![(network().country(), rate(1, 1))], ..none() },
            (100, 12_000, 9_000, 3_000),
            0,
            vec![],
        ),
        (
            "a price below all costs",
            Drafts { tariffs: vec![(plan(), network(), tariff(40))], ..none() },
            (0, 0, 0, 0),
            100,
            vec![("below_margin", 100)],
        ),
        ("one is off", Drafts { enabled: vec![(op(2), false)], ..none() }, (100, 12_000, 10_000, 2_000), 100, vec![]),
        (
            "all are off",
            Drafts { enabled: vec![(op(2), false), (op(1), false)], ..none() },
            (0, 0, 0, 0),
            100,
            vec![("no_route", 100)],
        ),
        (
            "shares",
            Drafts { rules: vec![rule(7, by(Strategy::Weighted, &[(1, 1), (2, 3)]))], ..none() },
            (100, 12_000, 9_250, 2_750),
            25,
            vec![],
        ),
        (
            "a rule that blocks",
            Drafts { rules: vec![rule(7, by(Strategy::Block, &[]))], ..none() },
            (0, 0, 0, 0),
            100,
            vec![("blocked_by_rule", 100)],
        ),
    ];
    for (what, drafts, expected, moved, codes) in rows {
        let report = replay(company(), &drafts);
        assert_eq!(sums(&report.total.before), (100, 12_000, 9_000, 3_000), "{what}");
        assert_eq!(sums(&report.total.after), expected, "{what}");
        assert_eq!((report.messages, report.moved), (100, moved), "{what}");
        assert_eq!(report.total.after.unrouted, codes.into_iter().collect(), "{what}");
        assert_eq!(report.networks[&network()], report.total, "{what}");
        let of_operators: u64 = report.operators.values().map(|pair| pair.after.messages).sum();
        assert_eq!(of_operators, expected.0, "{what}");
    }
}

#[test]
fn a_rule_is_replaced_or_taken_away_by_its_id() {
    let mut catalogue = company();
    let first = Then {
        strategy: Strategy::Priority,
        operators: vec![Share { operator_id: op(1), weight: 1 }],
        ..Then::default()
    };
    catalogue.rules = Rules::new(vec![rule(7, first.clone())]);
    let taken = Drafts { without_rules: std::iter::once(rule(7, first).id).collect(), ..Drafts::default() };
    let replaced = Drafts { rules: vec![rule(7, Then::default())], ..Drafts::default() };
    for drafts in [taken, replaced] {
        let report = replay(catalogue.clone(), &drafts);
        assert_eq!((sums(&report.total.before).2, sums(&report.total.after).2, report.moved), (10_000, 9_000, 100));
    }
}

#[test]
fn a_guard_is_replaced_by_the_draft_of_its_scope() {
    let guard = |number, account, min| Guard {
        id: GuardId::from_uuid(Uuid::from_u128(number)),
        account,
        operator: None,
        network: None,
        min: Micros::new(min),
        min_permille: None,
        on_breach: Breach::Block,
        from: DateTime::UNIX_EPOCH,
        to: None,
    };
    // Operators 1 and 2 earn 10 and 15 a segment. What holds is older and younger than the draft.
    for in_force in [1, 9] {
        for (scope, min, draft, unrouted) in
            [(None, 20, 5, (100, 0)), (None, 5, 20, (0, 100)), (Some(client()), 20, 15, (100, 0))]
        {
            let mut catalogue = company();
            catalogue.guards = Guards::new(vec![guard(in_force, scope, min)]);
            let drafts = Drafts { guards: vec![guard(5, scope, draft)], ..Drafts::default() };
            let report = replay(catalogue, &drafts);
            let blocked = |side: &Side| side.unrouted.values().sum::<u64>();
            let found = (blocked(&report.total.before), blocked(&report.total.after));
            assert_eq!(found, unrouted, "{in_force} {scope:?} {min} {draft}");
        }
        // A draft of another scope leaves it as it is.
        let mut catalogue = company();
        catalogue.guards = Guards::new(vec![guard(in_force, Some(client()), 20)]);
        let drafts = Drafts { guards: vec![guard(5, None, 0)], ..Drafts::default() };
        assert_eq!(replay(catalogue, &drafts).total.after.unrouted, [("below_margin", 100)].into());
    }
}

/// Lines of a list, as (how many, of which class of traffic), and the messages that each of two operators gets by shares of
/// 1 and 3.
#[test]
fn turns_go_on_from_line_to_line() {
    let shares = [(1, 1), (2, 3)].map(|(number, weight)| Share { operator_id: op(number), weight });
    let then = Then { strategy: Strategy::Weighted, operators: shares.to_vec(), ..Then::default() };
    let drafts = Drafts { rules: vec![rule(7, then)], ..Drafts::default() };
    let class = |name: &str| Some(name.parse().unwrap());
    let rows: [(&str, Vec<(u64, _)>); 4] = [
        ("single lines", vec![(1, None); 400]),
        ("one line", vec![(400, None)]),
        ("lines of every length", vec![(7, None), (1, None), (200, None), (192, None)]),
        ("kinds in turn", [(1, class("otp")), (1, class("ads"))].repeat(200)),
    ];
    for (what, lines) in rows {
        let what_if = WhatIf::new(company(), &drafts);
        let (mut turns, mut report) = (Turns::default(), Report::default());
        for (count, traffic_class) in lines {
            what_if.list(&Question { traffic_class, ..question() }, count, &mut turns, &mut report);
        }
        let of = |number| report.operators[&op(number)].after.messages;
        assert_eq!((of(1), of(2)), (100, 300), "{what}");
        assert_eq!(report.operators[&op(2)].before.messages, 400, "{what}");
        assert_eq!((report.messages, report.moved), (400, 100), "{what}");
    }
}

#[test]
fn many_accounts_of_one_message_each_are_shared_out() {
    let then = Then { strategy: Strategy::RoundRobin, ..Then::default() };
    let what_if = WhatIf::new(company(), &Drafts { rules: vec![rule(7, then)], ..Drafts::default() });
    let (mut turns, mut report) = (Turns::default(), Report::default());
    for number in 0..1000 {
        let account = AccountId::from_uuid(Uuid::from_u128(1000 + number));
        what_if.list(&Question { account, ..question() }, 1, &mut turns, &mut report);
    }
    let first = report.operators[&op(1)].after.messages;
    assert!((400..=600).contains(&first), "{first} of 1000");
}
