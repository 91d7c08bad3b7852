//! Ranking the operators of an offer. What is found of each is small, so that a choice costs little; the reasons are
//! written out only for who keeps them.

use std::cmp::Reverse;
use std::sync::Arc;

use super::costs::{Compared, Cost, Exchanges, Rates};
use super::health::cost_of_success;
use super::margin::{Breach, Earned, Verdict, Watch};
use super::rule::{Rule, Strategy, Then};
use super::standing::{At, Standing};
use super::{Candidate, Decision, Exclusion, Operator, Question, RuleUsed, breaker, code};
use crate::fx::{Exchanged, Fx};
use crate::id::OperatorId;
use crate::money::{Currency, Micros};
use crate::reroute::Policy;
use crate::tariff::Rate;

/// By what candidates are ranked.
type Order = (u64, Compared, i16, Reverse<u16>, OperatorId);

/// What there is to choose from.
#[derive(Debug)]
pub struct Offer<'a> {
    /// All operators. **Invariant:** sorted by id.
    pub operators: &'a [Operator],
    /// Their rates for the network, sorted by operator.
    pub exact: &'a [Rate],
    /// Their rates for its country, sorted by operator: where there is none for the network.
    pub country: &'a [Rate],
    /// The rule that holds.
    pub rule: Option<&'a Rule>,
    /// What the house earns, and the guards of it.
    pub watch: Option<(Earned, Watch<'a>)>,
    /// When the message goes on to another operator.
    pub reroute: Option<Policy>,
    /// Costs are compared, and guarded, in this currency: that of the price.
    pub currency: Currency,
    /// The rates of exchange into it.
    pub fx: &'a Fx,
}

/// A choice without its reasons.
#[derive(Debug, Clone, Copy)]
pub struct Picked<'a> {
    /// The rule that held.
    pub rule: Option<&'a Rule>,
    /// What the house earns for a segment; `None`: nobody pays it, or it is not known.
    pub earned: Option<Earned>,
    /// The first of the ranking, be it a choice or not.
    pub first: Option<OperatorId>,
    /// Who carries the message, or why nobody does: the code of a message that ends for it.
    pub taken: Result<Taken<'a>, &'static str>,
}

/// The operator that carries a message, and by which rate.
#[derive(Debug, Clone, Copy)]
pub struct Taken<'a> {
    /// Who.
    pub operator: &'a Operator,
    /// At what cost.
    pub rate: &'a Rate,
    /// That cost in the currency of the price, where that is another one; `None`: no exchange rate is in force, either.
    pub exchange: Option<Exchanged>,
    /// What a segment earns; `None` where nobody knows.
    pub margin: Option<Micros>,
    /// What the guard says, where that is too little.
    pub breach: Option<Breach>,
}

/// Who carries a message: the first that [`decide`] would give, without the ranking.
pub fn pick<'a>(standings: At<'_>, question: &Question<'_>, offer: &Offer<'a>) -> Picked<'a> {
    let nothing = Then::default();
    let then = offer.rule.map_or(&nothing, |rule| &rule.body.then);
    let found = look(standings, question, offer, then);
    let turn = turn(&found, then.strategy, question.turn);
    let first = found.iter().min_by_key(|one| one.order(then, turn));
    let taken = first.filter(|one| one.excluded.is_none()).and_then(Found::taken);
    Picked {
        rule: offer.rule,
        earned: offer.watch.as_ref().map(|(earned, _)| *earned),
        first: first.map(|one| one.operator.id),
        taken: taken.ok_or_else(|| code(then.strategy, |why| found.iter().any(|one| one.excluded == Some(why)))),
    }
}

/// Ranks the operators of an offer for a message, with reasons. `version` is that of the catalogue.
pub fn decide((version, standings): (i64, At<'_>), question: &Question<'_>, offer: &Offer<'_>) -> Decision {
    let nothing = Then::default();
    let then = offer.rule.map_or(&nothing, |rule| &rule.body.then);
    let mut found = look(standings, question, offer, then);
    let turn = turn(&found, then.strategy, question.turn);
    found.sort_unstable_by_key(|one| one.order(then, turn));
    Decision {
        mcc_mnc: question.network,
        catalogue_version: version,
        rule: offer.rule.map(|rule| RuleUsed { id: rule.id, version: rule.version, name: rule.name.clone() }),
        strategy: then.strategy,
        earned: offer.watch.as_ref().map(|(earned, _)| earned.price),
        reroute: offer.reroute,
        candidates: found.iter().map(Found::explain).collect(),
    }
}

/// What was found of one operator for one message.
#[derive(Debug, Clone, Copy)]
struct Found<'a> {
    operator: &'a Operator,
    cost: Cost<'a>,
    verdict: Option<Verdict>,
    /// Its place among those that the rule names, and its weight there.
    named: Option<(usize, u32)>,
    last_resort: bool,
    standing: Standing,
    excluded: Option<Exclusion>,
}

fn look<'a>(standings: At<'_>, question: &Question<'_>, offer: &Offer<'a>, then: &Then) -> Vec<Found<'a>> {
    debug_assert!(offer.operators.is_sorted_by_key(|operator| operator.id), "operators are sorted by id");
    let (mut exact, mut country) = (Rates(offer.exact), Rates(offer.country));
    let mut exchanges = Exchanges::new(offer.fx, offer.currency, question.at);
    // Who had it before was paid as well: together they may not cost more than it earns.
    let paid = exchanges.sum(question.paid);
    let find = |(place, operator): (usize, &'a Operator)| {
        let (class, at) = (question.traffic_class, question.at);
        let rate = exact.of(operator.id, class, at).or_else(|| country.of(operator.id, class, at));
        let cost = Cost::of(rate, &mut exchanges);
        find(operator, (cost, paid), standings.of(place, operator.id), (question, offer, then))
    };
    let mut found: Vec<Found<'a>> = offer.operators.iter().enumerate().map(find).collect();
    use_open_breakers(&mut found);
    found
}

/// Where nobody else is left, an open breaker is better than a message that certainly fails: those that no person
/// opened are choices again, as a last resort.
fn use_open_breakers(found: &mut [Found<'_>]) {
    if found.iter().any(|one| one.excluded.is_none()) {
        return;
    }
    let is_usable = |one: &&mut Found<'_>| {
        one.excluded == Some(Exclusion::BreakerOpen) && one.standing.breaker != breaker::State::Held
    };
    for one in found.iter_mut().filter(is_usable) {
        one.excluded = None;
        one.last_resort = true;
    }
}

fn find<'a>(
    operator: &'a Operator,
    (cost, paid): (Cost<'a>, Option<Micros>),
    standing: Standing,
    (question, offer, then): (&Question<'_>, &Offer<'a>, &Then),
) -> Found<'a> {
    let all = cost.total.zip(paid).map(|(cost, paid)| Micros::new(cost.get().saturating_add(paid.get())));
    let watched = offer.watch.as_ref().filter(|_| cost.rate.is_some());
    let verdict = watched.and_then(|(_, watch)| watch.verdict(operator.id, all));
    let named = then.operators.iter().position(|share| share.operator_id == operator.id);
    let mut found = Found {
        operator,
        cost,
        verdict,
        named: named.map(|place| (place, then.operators[place].weight)),
        last_resort: then.last_resort.contains(&operator.id),
        standing,
        excluded: None,
    };
    found.excluded = found.why_not(question, then);
    found
}

impl<'a> Found<'a> {
    fn why_not(&self, question: &Question<'_>, then: &Then) -> Option<Exclusion> {
        if !self.operator.enabled {
            Some(Exclusion::Disabled)
        } else if self.cost.rate.is_none() {
            Some(Exclusion::NoRate)
        } else if question.tried.contains(&self.operator.id) {
            Some(Exclusion::AlreadyTried)
        } else if then.strategy == Strategy::Block {
            Some(Exclusion::Blocked)
        } else if !then.operators.is_empty() && self.named.is_none() && !self.last_resort {
            Some(Exclusion::NotInRule)
        } else if then.except.contains(&self.operator.id) {
            Some(Exclusion::ExceptInRule)
        } else if self.breach() == Some(Breach::Block) {
            Some(Exclusion::Margin)
        } else if self.standing.full_on.is_some_and(|day| day == question.at.date_naive()) {
            Some(Exclusion::DailyCap)
        } else {
            let is_open = match self.standing.breaker {
                breaker::State::Closed => false,
                breaker::State::HalfOpen => !question.probes.contains(&self.operator.id),
                breaker::State::Open | breaker::State::Held => true,
            };
            is_open.then_some(Exclusion::BreakerOpen)
        }
    }

    fn breach(&self) -> Option<Breach> {
        self.verdict.and_then(|verdict| verdict.breach)
    }

    /// The smallest comes first: choices, those that are no last resort, the trusted, those that are up; then by the strategy, by
    /// priority and by health; of equals the older operator.
    fn order(&self, then: &Then, turn: Option<OperatorId>) -> Order {
        let (named, cost) = self.rank(then, turn);
        let is_untrusted = !self.standing.score.is_trusted();
        let late = [self.excluded.is_some(), self.last_resort, is_untrusted, !self.operator.bound];
        let late = late.into_iter().fold(0, |word, is_late| word << 1 | u32::from(is_late));
        let named = u32::try_from(named).map_or(u32::MAX, |named| named);
        (
            u64::from(late) << 32 | u64::from(named),
            cost,
            self.operator.priority,
            Reverse(self.standing.health_permille),
            self.operator.id,
        )
    }

    /// Where the strategy puts it: by whether it is named or has its turn, then by cost.
    fn rank(&self, then: &Then, turn: Option<OperatorId>) -> (usize, Compared) {
        let cost = self.cost.compared();
        match then.strategy {
            Strategy::LeastCost | Strategy::Block => (0, cost),
            Strategy::Priority => {
                // Those that are not named follow by their own priority.
                let own = usize::from(self.operator.priority.abs_diff(i16::MIN));
                (self.named.map_or(then.operators.len() + own, |(place, _)| place), cost)
            }
            Strategy::Weighted | Strategy::RoundRobin => (usize::from(turn != Some(self.operator.id)), cost),
            Strategy::Quality => (0, (cost.0, cost_of_success(Micros::new(cost.1), self.standing.health_permille))),
        }
    }

    fn taken(&self) -> Option<Taken<'a>> {
        Some(Taken {
            operator: self.operator,
            rate: self.cost.rate?,
            exchange: self.cost.exchange,
            margin: self.verdict.and_then(|verdict| verdict.margin),
            breach: self.breach(),
        })
    }

    fn explain(&self) -> Candidate {
        Candidate {
            operator_id: self.operator.id,
            operator: Arc::clone(&self.operator.name),
            rate_id: self.cost.rate.map(|rate| rate.id),
            cost: self.cost.rate.map(|rate| rate.price),
            currency: self.cost.rate.map(|rate| rate.currency),
            exchange: self.cost.exchange,
            margin: self.verdict.and_then(|verdict| verdict.margin),
            breach: self.breach(),
            guard_id: self.verdict.filter(|verdict| verdict.breach.is_some()).and_then(|verdict| verdict.guard),
            priority: self.operator.priority,
            health_permille: self.standing.health_permille,
            score: self.standing.score,
            untrusted: !self.standing.score.is_trusted(),
            breaker: self.standing.breaker,
            bound: self.operator.bound,
            last_resort: self.last_resort,
            excluded: self.excluded,
        }
    }
}

/// Whose turn it is, where operators take turns: of those that can carry the message at once, by their weights.
fn turn(found: &[Found<'_>], strategy: Strategy, turn: u64) -> Option<OperatorId> {
    let weight = |one: &Found<'_>| match strategy {
        Strategy::Weighted => one.named.map_or(1, |(_, weight)| u64::from(weight)),
        _ => 1,
    };
    if !matches!(strategy, Strategy::Weighted | Strategy::RoundRobin) {
        return None;
    }
    let can = |(trusted, bound): (bool, bool)| {
        move |one: &&Found<'_>| {
            let is_such = one.standing.score.is_trusted() == trusted && one.operator.bound == bound;
            is_such && one.excluded.is_none() && !one.last_resort
        }
    };
    [(true, true), (true, false), (false, true), (false, false)].into_iter().find_map(|bound| {
        let total: u64 = found.iter().filter(can(bound)).map(weight).sum();
        let mut left = turn.checked_rem(total)?;
        let own = found.iter().filter(can(bound)).find(|one| {
            let weight = weight(one);
            let is_here = left < weight;
            left = left.saturating_sub(weight);
            is_here
        });
        own.map(|one| one.operator.id)
    })
}
