//! Which operator carries a message, and why: the rule that holds ranks the operators, the margin guard and other
//! reasons exclude some, and the first that is left is the choice.

mod book;
pub mod breaker;
mod costs;
pub mod health;
pub mod margin;
mod rank;
pub mod rule;
mod rules;
pub mod standing;
pub mod trust;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::encoding::Encoding;
use crate::fx::Exchanged;
use crate::id::{AccountId, GuardId, OperatorId, RateId, RoutingRuleId};
use crate::money::{Currency, Micros};
use crate::network::Network;
use crate::number::Number;
use crate::reroute::Policy;
use crate::traffic::{TemplateName, TrafficClass};
use health::Score;
use margin::{Breach, Earned};
use rule::Strategy;

pub use book::Book;
pub use rank::{Offer, Picked, Taken, decide, pick};

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
    /// What those of them that took it were paid for a segment.
    pub paid: &'a [(Currency, Micros)],
    /// Operators with a half-open breaker that it may go to: somebody claimed a probe for it.
    pub probes: &'a [OperatorId],
    /// What the house earns for a segment by the prices that it was accepted at; `None`: by those of `priced_at`.
    pub earned: Option<Earned>,
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
    /// Too many submits to it failed of late, or a person set it aside.
    BreakerOpen,
    /// It was given as many segments today as it may be.
    DailyCap,
}

/// One operator that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each says something by itself")]
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
    /// The cost in the currency of the price, where that is another one and a rate of exchange is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<Exchanged>,
    /// What the house earns for a segment less its cost, exchange and all; `None` where no rate of exchange is in force
    /// or nothing is earned.
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
    /// Tie-breaker: the larger first. The four parts of `score` multiplied, or what this message sees instead: see
    /// [`health::Basis`].
    pub health_permille: u16,
    /// How it did at this network of late, where that is not perfect.
    #[serde(default, skip_serializing_if = "is_perfect")]
    pub score: Score,
    /// Its receipts are not believed: it comes behind all that are up and whose are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub untrusted: bool,
    /// Where its breaker at this network stands.
    #[serde(default, skip_serializing_if = "is_closed")]
    pub breaker: breaker::State,
    /// It had a bind at that time.
    pub bound: bool,
    /// The rule takes it only when no other can.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub last_resort: bool,
    /// It is a choice although its breaker is half-open: the message sees whether it is well again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub probe: bool,
    /// Why it was not a choice at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded: Option<Exclusion>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's `skip_serializing_if` passes references")]
fn is_closed(breaker: &breaker::State) -> bool {
    *breaker == breaker::State::Closed
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's `skip_serializing_if` passes references")]
fn is_perfect(score: &Score) -> bool {
    *score == Score::default()
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
    /// When the message goes on to another operator after one took it; `None`: it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reroute: Option<Policy>,
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
        code(self.strategy, |why| self.candidates.iter().any(|candidate| candidate.excluded == Some(why)))
    }
}

/// The code of a message that no operator can carry. `any` says whether some operator is excluded for a reason.
fn code(strategy: Strategy, any: impl Fn(Exclusion) -> bool) -> &'static str {
    if strategy == Strategy::Block {
        "blocked_by_rule"
    } else if any(Exclusion::Margin) {
        "below_margin"
    } else if any(Exclusion::AlreadyTried) {
        "routes_exhausted"
    } else if any(Exclusion::BreakerOpen) {
        "breaker_open"
    } else if any(Exclusion::DailyCap) {
        "daily_cap"
    } else {
        "no_route"
    }
}

#[cfg(test)]
mod tests;
