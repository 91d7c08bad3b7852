//! Which operator carries a message, and why: the rule that holds ranks the operators, the margin guard and other
//! reasons exclude some, and the first that is left is the choice.

pub mod margin;
pub mod rule;

use std::cmp::Reverse;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::encoding::Encoding;
use crate::id::{AccountId, GuardId, OperatorId, RateId, RoutingRuleId};
use crate::money::{Currency, Micros};
use crate::network::Network;
use crate::number::Number;
use crate::tariff::{Rate, in_force};
use crate::traffic::{TemplateName, TrafficClass};
use margin::{Breach, Earned, Watch};
use rule::{Rule, Strategy, Then};

/// What routing needs to know of an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// Its id; its queue is `submit.<id>`.
    pub id: OperatorId,
    /// Its name, for people.
    pub name: Arc<str>,
    /// Switched off by a person: never chosen.
    pub enabled: bool,
    /// Among equal costs the smaller number is chosen.
    pub priority: i16,
    /// Parts per thousand of recent submits that succeeded; 1,000 when nothing is known.
    pub health_permille: u16,
    /// At least one bind that can transmit is up. A down operator is chosen only when no other is up.
    pub bound: bool,
}

/// What routing needs to know of a message.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Whose it is.
    pub account: AccountId,
    /// Where it goes.
    pub to: Number,
    /// The network of that number.
    pub network: Network,
    /// What the handset shows as its origin.
    pub sender: &'a str,
    /// What kind of traffic it is, where its customer said so.
    pub traffic_class: Option<TrafficClass>,
    /// The template that it was made of, where its customer said so.
    pub template: Option<&'a TemplateName>,
    /// How its text travels.
    pub encoding: Encoding,
    /// How many short messages it takes.
    pub segments: u8,
    /// What takes turns where a rule shares messages out: any number that is spread evenly, such as the end of its id.
    pub turn: u64,
    /// Operators that had it before.
    pub tried: &'a [OperatorId],
    /// When its price was fixed.
    pub priced_at: DateTime<Utc>,
    /// Now.
    pub at: DateTime<Utc>,
}

/// Why an operator was not chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exclusion {
    /// Switched off.
    Disabled,
    /// No buy rate for the network or its country is in force.
    NoRate,
    /// It was tried for this message before.
    AlreadyTried,
    /// The rule rejects such messages.
    Blocked,
    /// The rule names others only.
    NotInRule,
    /// The rule excepts it.
    ExceptInRule,
    /// The house would earn too little.
    Margin,
}

/// One operator that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Who.
    pub operator_id: OperatorId,
    /// Its name at that time.
    pub operator: Arc<str>,
    /// The rate row that gave the cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_id: Option<RateId>,
    /// Cost of one segment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Micros>,
    /// Currency of the cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// What the house earns for a segment less its cost; `None` where the currencies differ or nothing is earned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<Micros>,
    /// What the margin guard says, where that is too little.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breach: Option<Breach>,
    /// The guard that says so; `None` with a breach: the one that is always there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard_id: Option<GuardId>,
    /// Tie-breaker: the smaller first.
    pub priority: i16,
    /// Tie-breaker: the larger first.
    pub health_permille: u16,
    /// It had a bind at that time.
    pub bound: bool,
    /// The rule takes it only when no other can.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub last_resort: bool,
    /// Why it was not a choice at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded: Option<Exclusion>,
}

/// The rule that ranked the candidates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleUsed {
    /// Which.
    pub id: RoutingRuleId,
    /// Which version of it.
    pub version: u32,
    /// Its name in that version.
    pub name: String,
}

/// The ranked candidates of one decision: the first that is not excluded is the choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The network that was routed to.
    pub mcc_mnc: Network,
    /// The version of the catalogue that was read.
    pub catalogue_version: i64,
    /// The rule that held; `None`: no rule fitted, so the cheapest comes first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleUsed>,
    /// By what the candidates were ranked.
    #[serde(default)]
    pub strategy: Strategy,
    /// What the house earns for a segment; `None`: nobody pays it, or the price is not known any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earned: Option<Micros>,
    /// Ranked: choices first, then those excluded.
    pub candidates: Vec<Candidate>,
}

impl Decision {
    /// The operator that carries the message, or `None`: no route.
    pub fn choice(&self) -> Option<&Candidate> {
        self.candidates.first().filter(|c| c.excluded.is_none())
    }

    /// Why there is no choice, as the code of a message that ends for it.
    pub fn code(&self) -> &'static str {
        let any = |why| self.candidates.iter().any(|candidate| candidate.excluded == Some(why));
        if self.strategy == Strategy::Block {
            "blocked_by_rule"
        } else if any(Exclusion::AlreadyTried) {
            "routes_exhausted"
        } else if any(Exclusion::Margin) {
            "below_margin"
        } else {
            "no_route"
        }
    }
}

/// What there is to choose from.
#[derive(Debug)]
pub struct Offer<'a> {
    /// All operators.
    pub operators: &'a [Operator],
    /// Their rates for the network, sorted by operator.
    pub exact: &'a [Rate],
    /// Their rates for its country, sorted by operator: where there is none for the network.
    pub country: &'a [Rate],
    /// The rule that holds.
    pub rule: Option<&'a Rule>,
    /// What the house earns, and the guards of it.
    pub watch: Option<(Earned, Watch<'a>)>,
}

impl Offer<'_> {
    fn rate(&self, operator: OperatorId, at: DateTime<Utc>) -> Option<&Rate> {
        [self.exact, self.country].into_iter().find_map(|rates| {
            let start = rates.partition_point(|rate| rate.operator < operator);
            let own = rates[start..].iter().take_while(|rate| rate.operator == operator);
            own.into_iter().find(|rate| in_force(rate.from, rate.to, at))
        })
    }
}

/// Ranks the operators of an offer for a message.
pub fn decide(version: i64, question: &Question<'_>, offer: &Offer<'_>) -> Decision {
    let nothing = Then::default();
    let then = offer.rule.map_or(&nothing, |rule| &rule.body.then);
    let mut candidates: Vec<Candidate> =
        offer.operators.iter().map(|operator| candidate(operator, question, offer, then)).collect();
    let turn = turn(&candidates, then, question.turn);
    candidates.sort_by_cached_key(|c| {
        let (named, cost) = rank(c, then, turn);
        let late = (c.excluded.is_some(), c.last_resort, !c.bound);
        (late, named, cost, c.priority, Reverse(c.health_permille), c.operator_id)
    });
    Decision {
        mcc_mnc: question.network,
        catalogue_version: version,
        rule: offer.rule.map(|rule| RuleUsed { id: rule.id, version: rule.version, name: rule.name.clone() }),
        strategy: then.strategy,
        earned: offer.watch.as_ref().map(|(earned, _)| earned.price),
        candidates,
    }
}

fn candidate(operator: &Operator, question: &Question<'_>, offer: &Offer<'_>, then: &Then) -> Candidate {
    let rate = offer.rate(operator.id, question.at);
    let watched = rate.zip(offer.watch.as_ref());
    let verdict = watched.and_then(|(rate, (_, watch))| watch.verdict(operator.id, rate.price, rate.currency));
    let breach = verdict.and_then(|verdict| verdict.breach);
    let excluded = if !operator.enabled {
        Some(Exclusion::Disabled)
    } else if rate.is_none() {
        Some(Exclusion::NoRate)
    } else if question.tried.contains(&operator.id) {
        Some(Exclusion::AlreadyTried)
    } else {
        by_rule(operator.id, then).or_else(|| (breach == Some(Breach::Block)).then_some(Exclusion::Margin))
    };
    Candidate {
        operator_id: operator.id,
        operator: Arc::clone(&operator.name),
        rate_id: rate.map(|r| r.id),
        cost: rate.map(|r| r.price),
        currency: rate.map(|r| r.currency),
        margin: verdict.map(|verdict| verdict.margin),
        breach,
        guard_id: verdict.filter(|_| breach.is_some()).and_then(|verdict| verdict.guard),
        priority: operator.priority,
        health_permille: operator.health_permille,
        bound: operator.bound,
        last_resort: then.last_resort.contains(&operator.id),
        excluded,
    }
}

fn by_rule(operator: OperatorId, then: &Then) -> Option<Exclusion> {
    let is_named = then.operators.iter().any(|share| share.operator_id == operator);
    if then.strategy == Strategy::Block {
        Some(Exclusion::Blocked)
    } else if !then.operators.is_empty() && !is_named && !then.last_resort.contains(&operator) {
        Some(Exclusion::NotInRule)
    } else if then.except.contains(&operator) {
        Some(Exclusion::ExceptInRule)
    } else {
        None
    }
}

/// Whose turn it is, where operators take turns: of those that can carry the message at once, by their weights.
fn turn(candidates: &[Candidate], then: &Then, turn: u64) -> Option<OperatorId> {
    if !matches!(then.strategy, Strategy::Weighted | Strategy::RoundRobin) {
        return None;
    }
    let weight = |candidate: &Candidate| match then.strategy {
        Strategy::Weighted => {
            let share = then.operators.iter().find(|share| share.operator_id == candidate.operator_id);
            share.map_or(1, |share| u64::from(share.weight))
        }
        _ => 1,
    };
    let can = |bound: bool| move |c: &&Candidate| c.excluded.is_none() && !c.last_resort && c.bound == bound;
    [true, false].into_iter().find_map(|bound| {
        let total: u64 = candidates.iter().filter(can(bound)).map(weight).sum();
        let mut left = turn.checked_rem(total)?;
        let own = candidates.iter().filter(can(bound)).find(|candidate| {
            let weight = weight(candidate);
            let is_here = left < weight;
            left = left.saturating_sub(weight);
            is_here
        });
        own.map(|candidate| candidate.operator_id)
    })
}

/// Where the strategy puts a candidate: by whether it is named or has its turn, then by cost.
fn rank(candidate: &Candidate, then: &Then, turn: Option<OperatorId>) -> (usize, i64) {
    let cost = candidate.cost.map_or(i64::MAX, Micros::get);
    match then.strategy {
        Strategy::LeastCost | Strategy::Block => (0, cost),
        Strategy::Priority => {
            let named = then.operators.iter().position(|share| share.operator_id == candidate.operator_id);
            // Those that are not named follow by their own priority.
            let own = usize::from(candidate.priority.abs_diff(i16::MIN));
            (named.unwrap_or(then.operators.len() + own), cost)
        }
        Strategy::Weighted | Strategy::RoundRobin => (usize::from(turn != Some(candidate.operator_id)), cost),
        Strategy::Quality => {
            let of_success = i128::from(cost) * 1000 / i128::from(candidate.health_permille.max(1));
            (0, i64::try_from(of_success).unwrap_or(i64::MAX))
        }
    }
}

#[cfg(test)]
mod tests;
