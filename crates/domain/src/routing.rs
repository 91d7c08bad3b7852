//! Which operator carries a message: least cost first, then priority, then health, and why.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::id::{OperatorId, RateId};
use crate::money::{Currency, Micros};
use crate::network::Network;
use crate::tariff::{Rate, in_force};

/// What routing needs to know of an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// Its id; its queue is `submit.<id>`.
    pub id: OperatorId,
    /// Its name, for people.
    pub name: String,
    /// Switched off by a person: never chosen.
    pub enabled: bool,
    /// Among equal costs the smaller number is chosen.
    pub priority: i16,
    /// Parts per thousand of recent submits that succeeded; 1,000 when nothing is known.
    pub health_permille: u16,
    /// At least one bind that can transmit is up. A down operator is chosen only when no other is up.
    pub bound: bool,
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
}

/// One operator that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Who.
    pub operator_id: OperatorId,
    /// Its name at that time.
    pub operator: String,
    /// The rate row that gave the cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_id: Option<RateId>,
    /// Cost of one segment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Micros>,
    /// Currency of the cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// Tie-breaker: the smaller first.
    pub priority: i16,
    /// Tie-breaker: the larger first.
    pub health_permille: u16,
    /// It had a bind at that time.
    pub bound: bool,
    /// Why it was not a choice at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excluded: Option<Exclusion>,
}

/// The ranked candidates of one decision: the first that is not excluded is the choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The network that was routed to.
    pub mcc_mnc: Network,
    /// The version of the catalogue that was read.
    pub catalogue_version: i64,
    /// Ranked: choices first, then those excluded.
    pub candidates: Vec<Candidate>,
}

impl Decision {
    /// The operator that carries the message, or `None`: no route.
    pub fn choice(&self) -> Option<&Candidate> {
        self.candidates.first().filter(|c| c.excluded.is_none())
    }
}

/// Ranks `operators` for `network` at `at`; `tried` are those that had this message before.
pub fn decide(
    version: i64,
    network: Network,
    operators: &[Operator],
    rates: &[&Rate],
    (tried, at): (&[OperatorId], DateTime<Utc>),
) -> Decision {
    let mut candidates: Vec<Candidate> =
        operators.iter().map(|operator| candidate(operator, rates, tried, at)).collect();
    // Down operators after those that are up: their queue would only wait. Then least cost.
    candidates.sort_by_key(|c| {
        let cost = c.cost.map_or(i64::MAX, Micros::get);
        (c.excluded.is_some(), !c.bound, cost, c.priority, u16::MAX - c.health_permille, c.operator_id)
    });
    Decision { mcc_mnc: network, catalogue_version: version, candidates }
}

fn candidate(operator: &Operator, rates: &[&Rate], tried: &[OperatorId], at: DateTime<Utc>) -> Candidate {
    let rate = rates.iter().find(|r| r.operator == operator.id && in_force(r.from, r.to, at));
    let excluded = if !operator.enabled {
        Some(Exclusion::Disabled)
    } else if rate.is_none() {
        Some(Exclusion::NoRate)
    } else if tried.contains(&operator.id) {
        Some(Exclusion::AlreadyTried)
    } else {
        None
    };
    Candidate {
        operator_id: operator.id,
        operator: operator.name.clone(),
        rate_id: rate.map(|r| r.id),
        cost: rate.map(|r| r.price),
        currency: rate.map(|r| r.currency),
        priority: operator.priority,
        health_permille: operator.health_permille,
        bound: operator.bound,
        excluded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn operator(id: u128, priority: i16, health: u16, bound: bool) -> Operator {
        Operator {
            id: OperatorId::from_uuid(Uuid::from_u128(id)),
            name: format!("op{id}"),
            enabled: id != 9,
            priority,
            health_permille: health,
            bound,
        }
    }

    fn rate(id: u128, price: i64) -> Rate {
        Rate {
            id: RateId::from_uuid(Uuid::from_u128(id)),
            operator: OperatorId::from_uuid(Uuid::from_u128(id)),
            price: Micros::new(price),
            currency: "UZS".parse().unwrap(),
            from: DateTime::UNIX_EPOCH,
            to: None,
        }
    }

    fn ranked(operators: &[Operator], rates: &[(u128, i64)], tried: &[u128]) -> Vec<String> {
        let rates: Vec<Rate> = rates.iter().map(|(id, price)| rate(*id, *price)).collect();
        let rates: Vec<&Rate> = rates.iter().collect();
        let tried: Vec<OperatorId> = tried.iter().map(|id| OperatorId::from_uuid(Uuid::from_u128(*id))).collect();
        decide(1, "43405".parse().unwrap(), operators, &rates, (&tried, DateTime::UNIX_EPOCH))
            .candidates
            .iter()
            .map(|c| match c.excluded {
                Some(why) => format!("{}:{why:?}", c.operator),
                None => c.operator.clone(),
            })
            .collect()
    }

    /// Operators, their rates as (operator, price), those tried before, and the ranking.
    type Case<'a> = (&'a [Operator], &'a [(u128, i64)], &'a [u128], &'a [&'a str]);

    #[test]
    fn least_cost_then_priority_then_health() {
        let up = |id| operator(id, 10, 1000, true);
        let cases: [Case<'_>; 6] = [
            (&[up(1), up(2)], &[(1, 50), (2, 45)], &[], &["op2", "op1"]),
            (&[up(1), operator(2, 5, 1000, true)], &[(1, 50), (2, 50)], &[], &["op2", "op1"]),
            (&[operator(1, 10, 900, true), up(2)], &[(1, 50), (2, 50)], &[], &["op2", "op1"]),
            (&[operator(1, 10, 1000, false), up(2)], &[(1, 1), (2, 50)], &[], &["op2", "op1"]),
            (&[up(1), up(2)], &[(1, 50), (2, 45)], &[2], &["op1", "op2:AlreadyTried"]),
            (&[up(1), up(9), up(3)], &[(9, 1), (3, 5)], &[], &["op3", "op9:Disabled", "op1:NoRate"]),
        ];
        for (operators, rates, tried, expected) in cases {
            assert_eq!(ranked(operators, rates, tried), expected);
        }
    }

    #[test]
    fn no_route_is_a_decision_without_a_choice() {
        let decision = decide(1, "434".parse().unwrap(), &[operator(1, 1, 1, true)], &[], (&[], DateTime::UNIX_EPOCH));
        assert_eq!(decision.choice(), None);
    }
}
