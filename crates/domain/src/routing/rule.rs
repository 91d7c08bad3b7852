//! Routing rules: for which messages, and how their operators are ranked. The first that fits holds.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use super::rules::Rules;

use super::Question;
use crate::encoding::Encoding;
use crate::hours::{OpenHours, is_open};
use crate::id::{AccountId, OperatorId, PlanId, RoutingRuleId};
use crate::network::Network;
use crate::reroute::Policy;
use crate::traffic::{TemplateName, TrafficClass};

/// A rule in one of its versions. A version is never edited: a new one closes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The same in all versions.
    pub id: RoutingRuleId,
    /// From 1.
    pub version: u32,
    /// For people.
    pub name: String,
    /// Of several rules that fit, the one with the smallest position holds.
    pub position: i32,
    /// What it says.
    pub body: Body,
    /// From when this version holds, inclusive.
    pub from: DateTime<Utc>,
    /// Until when, exclusive; `None` means open.
    pub to: Option<DateTime<Utc>>,
}

/// What a rule says, as it is stored and shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Body {
    /// For which messages. Whatever is not said fits all.
    pub when: When,
    /// How their operators are chosen.
    pub then: Then,
}

/// The conditions of a rule: all must hold; of a list, one must.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct When {
    /// Messages of these accounts, and of all below them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<AccountId>,
    /// Messages of accounts that pay by these plans.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<PlanId>,
    /// To these networks (`43405`), or all of a country (`434`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Network>,
    /// To numbers that begin with these digits.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prefixes: Vec<String>,
    /// From these senders, in any case; `BANK*` fits all that begin so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub senders: Vec<String>,
    /// Of these classes of traffic; a message without a class fits none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub traffic_classes: Vec<TrafficClass>,
    /// Made of these templates; a message without a template fits none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub templates: Vec<TemplateName>,
    /// In these encodings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub encodings: Vec<Encoding>,
    /// Of at least so many segments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segments_min: Option<u8>,
    /// Of at most so many segments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segments_max: Option<u8>,
    /// Within these hours.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hours: Vec<OpenHours>,
}

/// How operators are ranked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Then {
    /// By what.
    pub strategy: Strategy,
    /// Only these; empty: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub operators: Vec<Share>,
    /// Not these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<OperatorId>,
    /// These only when no other can.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub last_resort: Vec<OperatorId>,
    /// Whether they go to another operator after a receipt or for want of one; not said: as their account says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reroute: Option<Policy>,
}

/// An operator that a rule names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// Who.
    pub operator_id: OperatorId,
    /// Its part of the messages, against that of the others; 1 when nothing is said. Counts with `weighted` only.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub weight: u32,
}

/// By what operators are ranked. Those without a session always come behind those with one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// The cheapest first; then by the operator's priority, then by health.
    #[default]
    LeastCost,
    /// In the order in which the rule names them; those it does not name by their own priority, behind.
    Priority,
    /// The one whose turn it is by its weight first, then the cheapest.
    Weighted,
    /// The one whose turn it is first, all alike, then the cheapest.
    RoundRobin,
    /// The smallest cost of a success first: cost divided by what health says of success, delivery, speed and trust.
    Quality,
    /// None: such messages are rejected.
    Block,
}

impl Strategy {
    /// The name in SQL and API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LeastCost => "least_cost",
            Self::Priority => "priority",
            Self::Weighted => "weighted",
            Self::RoundRobin => "round_robin",
            Self::Quality => "quality",
            Self::Block => "block",
        }
    }
}

const fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's `skip_serializing_if` passes references")]
const fn is_one(weight: &u32) -> bool {
    *weight == 1
}

impl When {
    /// Whether a message fits. `above` are its account and those above it.
    pub fn fits(&self, question: &Question<'_>, above: &[AccountId], plan: Option<PlanId>) -> bool {
        any(&self.accounts, |account| above.contains(account))
            && any(&self.plans, |one| plan == Some(*one))
            && any(&self.networks, |one| *one == question.network || *one == question.network.country())
            && any(&self.prefixes, |prefix| question.to.digits().starts_with(prefix.as_str()))
            && any(&self.senders, |sender| sender_fits(sender, question.sender))
            && any(&self.traffic_classes, |one| question.traffic_class == Some(*one))
            && any(&self.templates, |one| question.template == Some(one))
            && any(&self.encodings, |one| *one == question.encoding)
            && self.segments().contains(&question.segments)
            && is_open(&self.hours, question.at)
    }

    fn segments(&self) -> RangeInclusive<u8> {
        self.segments_min.unwrap_or(0)..=self.segments_max.unwrap_or(u8::MAX)
    }
}

fn any<T>(wanted: &[T], fits: impl Fn(&T) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(fits)
}

fn sender_fits(pattern: &str, sender: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => sender.get(..start.len()).is_some_and(|own| own.eq_ignore_ascii_case(start)),
        None => sender.eq_ignore_ascii_case(pattern),
    }
}

#[cfg(test)]
mod tests;
