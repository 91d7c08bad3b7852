//! Ranking the operators of an offer. What is found of each is small, so that a choice costs little; the reasons are
//! written out only for who keeps them.

use std::sync::{Arc, LazyLock};

use super::costs::{Compared, Exchanges, Rates, compared};
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

/// By what candidates are ranked: in three whole numbers, since a decision compares all of its operators.
type Order = (u64, i64, u32);

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
    let look = Look::new(question, offer);
    let found = look.at_all(standings);
    let first = found.iter().min_by_key(|one| one.order(look.then));
    let taken = first.filter(|one| one.excluded.is_none()).and_then(|one| look.taken(one));
    let any = |why| found.iter().any(|one| one.excluded == Some(why));
    Picked {
        rule: offer.rule,
        earned: offer.watch.as_ref().map(|(earned, _)| *earned),
        first: first.map(|one| one.operator.id),
        taken: taken.ok_or_else(|| code(look.then.strategy, any)),
    }
}

/// Ranks the operators of an offer for a message, with reasons. `version` is that of the catalogue.
pub fn decide((version, standings): (i64, At<'_>), question: &Question<'_>, offer: &Offer<'_>) -> Decision {
    let look = Look::new(question, offer);
    let mut found = look.at_all(standings);
    // The sort is stable: of equals the older operator comes first.
    found.sort_by_key(|one| one.order(look.then));
    Decision {
        mcc_mnc: question.network,
        catalogue_version: version,
        rule: offer.rule.map(|rule| RuleUsed { id: rule.id, version: rule.version, name: rule.name.clone() }),
        strategy: look.then.strategy,
        earned: offer.watch.as_ref().map(|(earned, _)| earned.price),
        reroute: offer.reroute,
        candidates: found.iter().map(|one| look.explain(one)).collect(),
    }
}

/// What was found of one operator for one message: no more than its place in the ranking asks for.
#[derive(Debug, Clone, Copy)]
struct Found<'a> {
    operator: &'a Operator,
    /// The rate that is in force.
    rate: Option<&'a Rate>,
    cost: Compared,
    /// Its place among those that the rule names, and its weight there.
    named: Option<Named>,
    last_resort: bool,
    standing: Standing,
    excluded: Option<Exclusion>,
    /// Where operators take turns: it is the one whose turn it is.
    has_turn: bool,
}

/// Where a rule names an operator: at this place, with this weight.
type Named = (u32, u32);

/// What a rule says that nobody made.
static NOTHING: LazyLock<Then> = LazyLock::new(Then::default);

/// One message, and what it has to choose from.
struct Look<'q, 'a> {
    question: &'q Question<'q>,
    offer: &'q Offer<'a>,
    then: &'q Then,
    /// Who had it before was paid as well: together they may not cost more than it earns. `None`: nobody can convert it.
    paid: Option<Micros>,
    /// Whether somebody is no choice by what was tried before, or by the rule.
    rules_out: bool,
}

impl<'q, 'a> Look<'q, 'a> {
    fn new(question: &'q Question<'q>, offer: &'q Offer<'a>) -> Self {
        let then = offer.rule.map_or(&*NOTHING, |rule| &rule.body.then);
        let paid = Exchanges::new(offer.fx, offer.currency, question.at).sum(question.paid);
        let is_open_to_all = then.operators.is_empty() && then.except.is_empty() && then.strategy != Strategy::Block;
        Self { question, offer, then, paid, rules_out: !is_open_to_all || !question.tried.is_empty() }
    }

    /// All operators, in their order.
    fn at_all(&self, standings: At<'_>) -> Vec<Found<'a>> {
        let Self { question, offer, .. } = self;
        debug_assert!(offer.operators.is_sorted_by_key(|operator| operator.id), "operators are sorted by id");
        let (mut exact, mut country) = (Rates(offer.exact), Rates(offer.country));
        let mut exchanges = Exchanges::new(offer.fx, offer.currency, question.at);
        let mut guards = offer.watch.as_ref().map(|(_, watch)| (watch, watch.walk()));
        let named = self.named();
        let (class, at) = (question.traffic_class.as_ref(), question.at);
        let look = |(place, operator): (usize, &'a Operator)| {
            let id = operator.id;
            let rate = exact.of(id, class, at).or_else(|| country.of(id, class, at));
            let total = rate.and_then(|rate| exchanges.total(rate.currency, rate.price));
            let breach = guards.as_mut().and_then(|(watch, walk)| watch.breach(walk.of(id), self.all(total), total));
            let mut one = Found {
                operator,
                rate,
                cost: compared(rate, total),
                named: named.get(place).copied().flatten(),
                last_resort: self.then.last_resort.contains(&id),
                standing: standings.of(place, id).seen_at(question.turn),
                excluded: None,
                has_turn: false,
            };
            one.excluded = self.why_not(&one, breach == Some(Breach::Block));
            one
        };
        let mut found: Vec<Found<'a>> = offer.operators.iter().enumerate().map(look).collect();
        use_open_breakers(&mut found);
        give_turn(&mut found, self.then.strategy, question.turn);
        found
    }

    /// Where the rule names operators, by their place among all; empty: it names none.
    fn named(&self) -> Vec<Option<Named>> {
        if self.then.operators.is_empty() {
            return Vec::new();
        }
        let mut named = vec![None; self.offer.operators.len()];
        for (share, place) in self.then.operators.iter().zip(0..) {
            let at = self.offer.operators.binary_search_by_key(&share.operator_id, |operator| operator.id);
            // Named twice, the first place counts.
            if let Some(named) = at.ok().and_then(|at| named.get_mut(at)) {
                named.get_or_insert((place, share.weight));
            }
        }
        named
    }

    /// What a segment costs in all, with what was paid before.
    fn all(&self, total: Option<Micros>) -> Option<Micros> {
        let (total, paid) = total.zip(self.paid)?;
        Some(Micros::new(total.get().saturating_add(paid.get())))
    }

    #[inline]
    fn why_not(&self, one: &Found<'_>, earns_too_little: bool) -> Option<Exclusion> {
        if !one.operator.enabled {
            return Some(Exclusion::Disabled);
        } else if one.rate.is_none() {
            return Some(Exclusion::NoRate);
        }
        let ruled_out = if self.rules_out { self.ruled_out(one) } else { None };
        ruled_out.or(earns_too_little.then_some(Exclusion::Margin)).or_else(|| self.not_now(one))
    }

    /// Why it is no choice by what was tried before, and by what the rule says.
    fn ruled_out(&self, one: &Found<'_>) -> Option<Exclusion> {
        let Self { question, then, .. } = self;
        let id = &one.operator.id;
        if question.tried.contains(id) {
            Some(Exclusion::AlreadyTried)
        } else if then.strategy == Strategy::Block {
            Some(Exclusion::Blocked)
        } else if !then.operators.is_empty() && one.named.is_none() && !one.last_resort {
            Some(Exclusion::NotInRule)
        } else {
            then.except.contains(id).then_some(Exclusion::ExceptInRule)
        }
    }

    /// Why it is no choice at this moment.
    #[inline]
    fn not_now(&self, one: &Found<'_>) -> Option<Exclusion> {
        if one.standing.full_on.is_some_and(|day| day == self.question.at.date_naive()) {
            return Some(Exclusion::DailyCap);
        }
        let is_open = match one.standing.breaker {
            breaker::State::Closed => false,
            breaker::State::HalfOpen => !self.is_probe(one),
            breaker::State::Open | breaker::State::Held => true,
        };
        is_open.then_some(Exclusion::BreakerOpen)
    }

    /// The message may see whether an operator is well again.
    fn is_probe(&self, one: &Found<'_>) -> bool {
        one.standing.breaker == breaker::State::HalfOpen && self.question.probes.contains(&one.operator.id)
    }

    /// The cost of an operator in the currency of the price, where its rate is in another one, and what the guards say.
    fn money(&self, one: &Found<'a>) -> (Option<Exchanged>, Option<Verdict>) {
        let Self { question, offer, .. } = self;
        let Some(rate) = one.rate else { return (None, None) };
        let mut exchanges = Exchanges::new(offer.fx, offer.currency, question.at);
        let total = exchanges.total(rate.currency, rate.price);
        let watch = offer.watch.as_ref().map(|(_, watch)| watch);
        (
            exchanges.convert(rate.currency, rate.price),
            watch.and_then(|watch| watch.verdict(one.operator.id, self.all(total), total)),
        )
    }

    fn taken(&self, one: &Found<'a>) -> Option<Taken<'a>> {
        let (exchange, verdict) = self.money(one);
        Some(Taken {
            operator: one.operator,
            rate: one.rate?,
            exchange,
            margin: verdict.and_then(|verdict| verdict.margin),
            breach: verdict.and_then(|verdict| verdict.breach),
        })
    }

    fn explain(&self, one: &Found<'a>) -> Candidate {
        let (exchange, verdict) = self.money(one);
        Candidate {
            operator_id: one.operator.id,
            operator: Arc::clone(&one.operator.name),
            rate_id: one.rate.map(|rate| rate.id),
            cost: one.rate.map(|rate| rate.price),
            currency: one.rate.map(|rate| rate.currency),
            exchange,
            margin: verdict.and_then(|verdict| verdict.margin),
            breach: verdict.and_then(|verdict| verdict.breach),
            guard_id: verdict.filter(|verdict| verdict.breach.is_some()).and_then(|verdict| verdict.guard),
            priority: one.operator.priority,
            health_permille: one.standing.health_permille,
            score: one.standing.score,
            untrusted: !one.standing.score.is_trusted(),
            breaker: one.standing.breaker,
            bound: one.operator.bound,
            last_resort: one.last_resort,
            probe: one.excluded.is_none() && self.is_probe(one),
            excluded: one.excluded,
        }
    }
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

impl Found<'_> {
    /// 0 to 3, of those that can carry a message and are no last resort: those that are up, of them the trusted, come first.
    fn group(&self) -> u8 {
        u8::from(!self.operator.bound) << 1 | u8::from(!self.standing.score.is_trusted())
    }

    /// The smallest comes first: choices, those that are up, those that are no last resort, the trusted; then by the strategy,
    /// by priority and by health. A last resort that is up delivers now what would wait for one without a session.
    #[inline]
    fn order(&self, then: &Then) -> Order {
        let down = u8::from(!self.operator.bound) << 2;
        let behind = u8::from(self.last_resort) << 1 | u8::from(!self.standing.score.is_trusted());
        let late = u8::from(self.excluded.is_some()) << 3 | down | behind;
        let (named, (currency, cost)) = self.rank(then);
        // A currency takes 24 bits.
        let first = u64::from(late) << 56 | u64::from(named) << 24 | u64::from(currency);
        let priority = u32::from(self.operator.priority.abs_diff(i16::MIN));
        (first, cost, priority << 16 | u32::from(!self.standing.health_permille))
    }

    /// Where the strategy puts it: by whether it is named or has its turn, then by cost.
    #[inline]
    fn rank(&self, then: &Then) -> (u32, Compared) {
        let (currency, cost) = self.cost;
        match then.strategy {
            Strategy::LeastCost | Strategy::Block => (0, self.cost),
            Strategy::Priority => {
                // Those that are not named follow by their own priority.
                let behind = || {
                    let named = u32::try_from(then.operators.len()).unwrap_or(u32::MAX);
                    named.saturating_add(u32::from(self.operator.priority.abs_diff(i16::MIN)))
                };
                (self.named.map_or_else(behind, |(place, _)| place), self.cost)
            }
            Strategy::Weighted | Strategy::RoundRobin => (u32::from(!self.has_turn), self.cost),
            Strategy::Quality => (0, (currency, cost_of_success(Micros::new(cost), self.standing.health_permille))),
        }
    }
}

/// Says whose turn it is, where operators take turns: of those that can carry the message at once, by their weights.
fn give_turn(found: &mut [Found<'_>], strategy: Strategy, turn: u64) {
    let weight = |one: &Found<'_>| match strategy {
        Strategy::Weighted => one.named.map_or(1, |(_, weight)| u64::from(weight)),
        _ => 1,
    };
    if !matches!(strategy, Strategy::Weighted | Strategy::RoundRobin) {
        return;
    }
    let can = |one: &Found<'_>| one.excluded.is_none() && !one.last_resort;
    let mut totals = [0_u64; 4];
    for one in found.iter().filter(|one| can(one)) {
        totals[usize::from(one.group())] += weight(one);
    }
    let Some((group, total)) = (0..).zip(totals).find(|(_, total)| *total > 0) else { return };
    let mut left = turn % total;
    for one in found.iter_mut().filter(|one| can(one) && one.group() == group) {
        let weight = weight(one);
        if left < weight {
            one.has_turn = true;
            return;
        }
        left -= weight;
    }
}

#[cfg(test)]
mod tests;
