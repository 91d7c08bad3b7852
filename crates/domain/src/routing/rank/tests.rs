//! The ranking against a plain model of it, which sorts whole words where the ranking packs them into numbers.

use std::cmp::Reverse;

use chrono::DateTime;
use proptest::prelude::{Just, any, prop, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::Strategy as Draw;
use uuid::Uuid;

use super::*;
use crate::id::{RateId, RoutingRuleId};
use crate::routing::breaker::State;
use crate::routing::health::{Basis, Score};
use crate::routing::margin::Guards;
use crate::routing::rule::{Body, Share};
use crate::routing::standing::{Known, Standings};

/// What the house earns for a segment.
const PRICE: i64 = 60;

/// One operator as it was drawn.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is drawn by itself")]
struct One {
    enabled: bool,
    bound: bool,
    priority: i16,
    /// The cost of a segment, and whether it is in a currency that nobody can convert.
    rate: Option<(i64, bool)>,
    weight: Option<u32>,
    is_excepted: bool,
    is_last_resort: bool,
    breaker: State,
    score: Score,
    /// Its score is an old one, by which not so many of a thousand messages go.
    regained: Option<u16>,
    was_tried: bool,
}

impl One {
    /// What a message of this turn divides its cost by.
    fn health(&self, turn: u64) -> u16 {
        let is_forgotten = self.regained.is_some_and(|regained| turn % 1_000 < u64::from(regained));
        if is_forgotten { Score::default().trusted(self.score.trust).permille() } else { self.score.permille() }
    }
}

fn one() -> impl Draw<Value = One> {
    let breaker = prop_oneof![6 => Just(State::Closed), 1 => Just(State::Open), 1 => Just(State::HalfOpen), 1 => Just(State::Held)];
    let score = (900_u16..=1000, prop_oneof![4 => Just(1000_u16), 1 => Just(100)]).prop_map(|(success, trust)| Score {
        success,
        trust,
        ..Score::default()
    });
    let weight = prop_oneof![2 => Just(None), 3 => (0_u32..4).prop_map(Some)];
    let seldom = || prop::bool::weighted(0.15);
    let rate = prop_oneof![1 => Just(None), 5 => (50_i64..70, seldom()).prop_map(Some)];
    let flags = (prop::bool::weighted(0.9), prop::bool::weighted(0.7), seldom(), seldom(), seldom());
    let judged = (score, prop_oneof![2 => Just(None), 1 => (0_u16..=1000).prop_map(Some)]);
    (flags, -2_i16..2, rate, weight, breaker, judged).prop_map(|(flags, priority, rate, weight, breaker, judged)| {
        let (enabled, bound, is_excepted, is_last_resort, was_tried) = flags;
        let (score, regained) = judged;
        One { enabled, bound, priority, rate, weight, is_excepted, is_last_resort, breaker, score, regained, was_tried }
    })
}

fn strategy() -> impl Draw<Value = Strategy> {
    use Strategy::{Block, LeastCost, Priority, Quality, RoundRobin, Weighted};
    prop::sample::select(vec![LeastCost, Priority, Quality, RoundRobin, Weighted, Weighted, Block])
}

fn id(place: usize) -> OperatorId {
    OperatorId::from_uuid(Uuid::from_u128(u128::try_from(place).unwrap() + 1))
}

fn ids(all: &[One], is: impl Fn(&One) -> bool) -> Vec<OperatorId> {
    all.iter().enumerate().filter(|(_, one)| is(one)).map(|(place, _)| id(place)).collect()
}

/// Why an operator is no choice, without what is done where nobody else is left.
fn why_not(one: &One, then: &Then) -> Option<Exclusion> {
    let is_strange = !then.operators.is_empty() && one.weight.is_none() && !one.is_last_resort;
    let (cost, is_foreign) = one.rate.unwrap_or_default();
    let reasons = [
        (!one.enabled, Exclusion::Disabled),
        (one.rate.is_none(), Exclusion::NoRate),
        (one.was_tried, Exclusion::AlreadyTried),
        (then.strategy == Strategy::Block, Exclusion::Blocked),
        (is_strange, Exclusion::NotInRule),
        (one.is_excepted, Exclusion::ExceptInRule),
        (!is_foreign && cost > PRICE, Exclusion::Margin),
        (one.breaker != State::Closed, Exclusion::BreakerOpen),
    ];
    reasons.into_iter().find(|(is_so, _)| *is_so).map(|(_, why)| why)
}

/// The ranking: places of operators, and why they are no choice.
fn model(all: &[One], then: &Then, turn: u64) -> Vec<(usize, Option<Exclusion>)> {
    let mut ranked: Vec<(usize, Option<Exclusion>, bool)> =
        all.iter().enumerate().map(|(place, one)| (place, why_not(one, then), one.is_last_resort)).collect();
    if ranked.iter().all(|(_, why, _)| why.is_some()) {
        for (place, why, is_last_resort) in &mut ranked {
            if *why == Some(Exclusion::BreakerOpen) && all[*place].breaker != State::Held {
                (*why, *is_last_resort) = (None, true);
            }
        }
    }
    let late = |place: usize| (!all[place].bound, !all[place].score.is_trusted());
    let weight = |place: usize| match then.strategy {
        Strategy::Weighted => u64::from(all[place].weight.filter(|_| !then.operators.is_empty()).unwrap_or(1)),
        Strategy::RoundRobin => 1,
        _ => 0,
    };
    // Everybody whose turn may be, as often as its weight says.
    let mut turns: Vec<usize> = ranked
        .iter()
        .filter(|(_, why, is_last_resort)| why.is_none() && !is_last_resort)
        .flat_map(|(place, ..)| std::iter::repeat_n(*place, usize::try_from(weight(*place)).unwrap()))
        .collect();
    let first = turns.iter().map(|place| late(*place)).min();
    turns.retain(|place| Some(late(*place)) == first);
    let whose = turn.checked_rem(u64::try_from(turns.len()).unwrap()).map(|at| turns[usize::try_from(at).unwrap()]);
    ranked.sort_by_key(|(place, why, is_last_resort)| {
        let one = &all[*place];
        let health = one.health(turn);
        let (cost, is_foreign) = one.rate.unwrap_or((i64::MAX, false));
        let named = then.operators.iter().position(|share| share.operator_id == id(*place));
        let by_strategy = match then.strategy {
            Strategy::Priority => named.unwrap_or(1_000_000 + usize::from(one.priority.abs_diff(i16::MIN))),
            Strategy::Weighted | Strategy::RoundRobin => usize::from(whose != Some(*place)),
            _ => 0,
        };
        let cost = i128::from(cost.max(1)) * 1_000_000;
        let cost = if then.strategy == Strategy::Quality { cost / i128::from(health) } else { cost };
        let cost = cost.min(i128::from(i64::MAX));
        let (is_down, is_untrusted) = late(*place);
        let late = (why.is_some(), is_down, *is_last_resort, is_untrusted);
        (late, by_strategy, is_foreign, cost, one.priority, Reverse(health))
    });
    ranked.into_iter().map(|(place, why, _)| (place, why)).collect()
}

proptest! {
    #[test]
    fn the_ranking_is_that_of_the_plain_model(
        all in prop::collection::vec(one(), 1..9),
        strategy in strategy(),
        names in any::<bool>(),
        turn in any::<u64>(),
    ) {
        let (uzs, chf): (Currency, Currency) = ("UZS".parse().unwrap(), "CHF".parse().unwrap());
        let question = Question { turn, tried: &ids(&all, |one| one.was_tried), ..crate::routing::tests::question() };
        let shares = all.iter().enumerate().filter_map(|(place, one)| {
            Some(Share { operator_id: id(place), weight: one.weight.filter(|_| names)? })
        });
        let then = Then {
            strategy,
            operators: shares.rev().collect(),
            except: ids(&all, |one| one.is_excepted),
            last_resort: ids(&all, |one| one.is_last_resort),
            reroute: None,
        };
        let operators: Vec<Operator> = all.iter().enumerate().map(|(place, one)| {
            let (enabled, priority, bound) = (one.enabled, one.priority, one.bound);
            Operator { id: id(place), name: format!("op{place}").into(), enabled, priority, bound }
        }).collect();
        let rates: Vec<Rate> = all.iter().enumerate().filter_map(|(place, one)| {
            let (price, is_foreign) = one.rate?;
            Some(Rate {
                id: RateId::from_uuid(id(place).uuid()),
                operator: id(place),
                class: None,
                price: Micros::new(price),
                currency: if is_foreign { chf } else { uzs },
                charge_on: crate::tariff::ChargeOn::Submit,
                from: DateTime::UNIX_EPOCH,
                to: None,
            })
        }).collect();
        let known = Known {
            operators: ids(&all, |_| true),
            scores: all.iter().enumerate().map(|(place, one)| (id(place), None, one.score)).collect(),
            bases: all.iter().enumerate()
                .filter_map(|(place, one)| Some((id(place), None, Basis::Kept { regained: one.regained? }))).collect(),
            breakers: all.iter().enumerate().filter(|(_, one)| one.breaker != State::Closed)
                .map(|(place, one)| (id(place), question.network, one.breaker)).collect(),
            ..Known::default()
        };
        let standings = Standings::new(1, known);
        let rule = Rule {
            id: RoutingRuleId::from_uuid(Uuid::from_u128(1)),
            version: 1,
            name: String::new(),
            position: 1,
            body: Body { then: then.clone(), ..Body::default() },
            from: DateTime::UNIX_EPOCH,
            to: None,
        };
        let earned = Earned { price: Micros::new(PRICE), currency: uzs };
        let guards = Guards::default();
        let watch = Some((earned, guards.watch(earned, &[question.account], question.network, question.at)));
        let (operators, exact, rule, fx) = (&operators, &rates, Some(&rule), &Fx::default());
        let offer = Offer { operators, exact, country: &[], rule, watch, reroute: None, currency: uzs, fx };
        let at = standings.at(question.network);

        let decision = decide((1, at), &question, &offer);
        let told: Vec<_> = decision.candidates.iter().map(|one| (one.operator_id, one.excluded)).collect();
        let expected: Vec<_> = model(&all, &then, turn).into_iter().map(|(place, why)| (id(place), why)).collect();
        prop_assert_eq!(told, expected);
        let picked = pick(at, &question, &offer);
        prop_assert_eq!(picked.first, decision.candidates.first().map(|first| first.operator_id));
        prop_assert_eq!(
            picked.taken.map(|taken| (taken.operator.id, Some(taken.rate.id), taken.margin)),
            decision.choice().map(|choice| (choice.operator_id, choice.rate_id, choice.margin)).ok_or(decision.code())
        );
    }
}
