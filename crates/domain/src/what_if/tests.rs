use chrono::DateTime;
use uuid::Uuid;

use super::*;
use crate::id::{AccountId, OperatorId, PlanId, RateId, RoutingRuleId, TariffId};
use crate::money::Micros;
use crate::routing::Operator;
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
        let question = Question {
            account: client(),
            to: Number::parse("+998931234567").unwrap(),
            network: network(),
            sender: "Chappe",
            traffic_class: None,
            template: None,
            encoding: Encoding::Gsm7,
            segments: 2,
            turn,
            tried: &[],
            paid: &[],
            probes: &[],
            priced_at: DateTime::UNIX_EPOCH,
            at: DateTime::UNIX_EPOCH,
        };
        what_if.replay(&question, 1, &mut report);
    }
    report
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
