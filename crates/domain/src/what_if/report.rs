//! What differs between two ways to route the same traffic, in sums.

use std::collections::BTreeMap;

use crate::id::OperatorId;
use crate::money::Currency;
use crate::network::Network;
use crate::routing::{Picked, Question};

/// The sums of one way. Money is in micros, by currency: amounts of different currencies are not added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Side {
    /// Messages that had an operator.
    pub messages: u64,
    /// Their segments.
    pub segments: u64,
    /// What the house would earn for them before cost.
    pub revenue: BTreeMap<Currency, i128>,
    /// What they would cost it, in the currencies of the operators.
    pub cost: BTreeMap<Currency, i128>,
    /// The same in the currencies of what is earned, exchanges and all; what nobody can convert stays in its own.
    pub converted: BTreeMap<Currency, i128>,
    /// Messages that nobody would carry, by the code that they would end with.
    pub unrouted: BTreeMap<&'static str, u64>,
}

impl Side {
    /// Revenue less converted cost, by currency.
    pub fn margin(&self) -> BTreeMap<Currency, i128> {
        let mut margin = self.revenue.clone();
        for (currency, cost) in &self.converted {
            *margin.entry(*currency).or_default() -= cost;
        }
        margin
    }

    fn add(&mut self, picked: &Picked<'_>, count: u64, segments: u64) {
        match picked.taken {
            Ok(taken) => {
                self.messages += count;
                self.segments += segments;
                let cost = i128::from(taken.rate.price.get()) * i128::from(segments);
                *self.cost.entry(taken.rate.currency).or_default() += cost;
                let exchanged = taken.exchange.and_then(|exchange| Some((exchange.currency, exchange.total()?)));
                let (currency, unit) = exchanged.unwrap_or((taken.rate.currency, taken.rate.price));
                *self.converted.entry(currency).or_default() += i128::from(unit.get()) * i128::from(segments);
                if let Some(earned) = picked.earned {
                    let revenue = i128::from(earned.price.get()) * i128::from(segments);
                    *self.revenue.entry(earned.currency).or_default() += revenue;
                }
            }
            Err(code) => *self.unrouted.entry(code).or_default() += count,
        }
    }
}

/// The same traffic by the settings as they are, and with drafts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pair {
    /// As they are.
    pub before: Side,
    /// With drafts.
    pub after: Side,
}

/// What differs, in all, by network and by operator.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Messages that were replayed.
    pub messages: u64,
    /// Of these, how many go another way: another operator, one instead of none, or none instead of one.
    pub moved: u64,
    /// All.
    pub total: Pair,
    /// By network.
    pub networks: BTreeMap<Network, Pair>,
    /// By operator; messages that nobody carries stand with none.
    pub operators: BTreeMap<OperatorId, Pair>,
}

impl Report {
    pub(super) fn add(&mut self, question: &Question<'_>, count: u64, (before, after): (&Picked<'_>, &Picked<'_>)) {
        let segments = count.saturating_mul(u64::from(question.segments));
        let carrier = |picked: &Picked<'_>| picked.taken.ok().map(|taken| taken.operator.id);
        self.messages += count;
        if carrier(before) != carrier(after) {
            self.moved += count;
        }
        for pair in [&mut self.total, self.networks.entry(question.network).or_default()] {
            pair.before.add(before, count, segments);
            pair.after.add(after, count, segments);
        }
        if let Some(operator) = carrier(before) {
            self.operators.entry(operator).or_default().before.add(before, count, segments);
        }
        if let Some(operator) = carrier(after) {
            self.operators.entry(operator).or_default().after.add(after, count, segments);
        }
    }
}
