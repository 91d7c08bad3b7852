//! The margin guard: no message is carried for less than the house must earn, unless somebody allowed it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::id::{AccountId, GuardId, OperatorId};
use crate::money::{Currency, Micros};
use crate::network::Network;
use crate::tariff::in_force;

/// What the house earns for a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Earned {
    /// What the account right below the house pays for it.
    pub price: Micros,
    /// In this currency.
    pub currency: Currency,
}

/// What becomes of a route that earns too little.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Breach {
    /// It is no choice.
    #[default]
    Block,
    /// It is a choice, and is counted and shown.
    Alert,
    /// It is a choice: who made the guard allowed it, with a reason.
    Allow,
}

impl Breach {
    /// The name in SQL and API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Alert => "alert",
            Self::Allow => "allow",
        }
    }

    /// Reads the name; `None` when it is none of them.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Block, Self::Alert, Self::Allow].into_iter().find(|breach| breach.name() == name)
    }
}

/// How much a message must earn. Dated; the most special guard of a message and an operator holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// Its id, stored with the decisions that it changed.
    pub id: GuardId,
    /// For messages of this account and of all below it; `None`: of all.
    pub account: Option<AccountId>,
    /// For this operator; `None`: for all.
    pub operator: Option<OperatorId>,
    /// To this network, or all of its country where it has no MNC; `None`: to all.
    pub network: Option<Network>,
    /// A segment must earn at least this, in the currency of its price.
    pub min: Micros,
    /// And at least so many thousandths of its price, where that is said.
    pub min_permille: Option<i32>,
    /// What happens otherwise.
    pub on_breach: Breach,
    /// From when it holds, inclusive.
    pub from: DateTime<Utc>,
    /// Until when, exclusive; `None` means open.
    pub to: Option<DateTime<Utc>>,
}

/// The verdict on one route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Price less cost, of a segment; `None`: nobody can convert the cost.
    pub margin: Option<Micros>,
    /// What the guard says, where the margin is too small for it, or nobody knows it.
    pub breach: Option<Breach>,
    /// Which guard; `None`: the one that is always there, which blocks what costs more than it earns.
    pub guard: Option<GuardId>,
}

/// All guards, by account.
#[derive(Debug, Clone, Default)]
pub struct Guards {
    by_account: HashMap<Option<AccountId>, Vec<Guard>>,
}

/// The guards that concern one message: those of single operators, the most special first, and the one of all others.
#[derive(Debug)]
pub struct Watch<'a> {
    earned: Earned,
    own: Vec<(OperatorId, &'a Guard)>,
    others: Option<&'a Guard>,
}

impl Guards {
    /// Indexes guards.
    pub fn new(all: Vec<Guard>) -> Self {
        let mut guards = Self::default();
        for guard in all {
            guards.by_account.entry(guard.account).or_default().push(guard);
        }
        guards
    }

    /// All guards, in no order.
    pub fn all(&self) -> impl Iterator<Item = &Guard> {
        self.by_account.values().flatten()
    }

    /// The guards for a message that earns so much. `above` are its account and those above it, from below.
    pub fn watch(&self, earned: Earned, above: &[AccountId], network: Network, at: DateTime<Utc>) -> Watch<'_> {
        let concerns = |guard: &&Guard| {
            in_force(guard.from, guard.to, at)
                && guard.network.is_none_or(|own| own == network || own == network.country())
        };
        let mut watch = Watch { earned, own: Vec::new(), others: None };
        for account in above.iter().copied().map(Some).chain([None]) {
            let Some(guards) = self.by_account.get(&account) else { continue };
            let mut guards: Vec<&Guard> = guards.iter().filter(concerns).collect();
            // An account before an operator before a network before a country.
            guards.sort_by_key(|guard| {
                let by_network = guard.network.map_or(2, |network| u8::from(network.mnc.is_none()));
                (guard.operator.is_none(), by_network, guard.id)
            });
            watch.own.extend(guards.iter().filter_map(|guard| Some((guard.operator?, *guard))));
            watch.others = guards.into_iter().find(|guard| guard.operator.is_none());
            // What is said of all operators goes before whatever the accounts above say.
            if watch.others.is_some() {
                break;
            }
        }
        watch
    }
}

impl Watch<'_> {
    /// What the guards say of an operator at this cost in the currency of the price; `None`: nobody can convert it. A guard
    /// that somebody made takes a margin that nobody knows for one that is too small; without one there is no verdict.
    pub fn verdict(&self, operator: OperatorId, cost: Option<Micros>) -> Option<Verdict> {
        let own = self.own.iter().find(|(own, _)| *own == operator).map(|(_, guard)| *guard);
        let guard = own.or(self.others);
        let Some(cost) = cost else {
            let guard = guard?;
            return Some(Verdict { margin: None, breach: Some(guard.on_breach), guard: Some(guard.id) });
        };
        let price = self.earned.price.get();
        let margin = Micros::new(price.saturating_sub(cost.get()));
        let (min, permille, on_breach) =
            guard.map_or((0, None, Breach::Block), |guard| (guard.min.get(), guard.min_permille, guard.on_breach));
        let is_part = |permille| i128::from(margin.get()) * 1000 >= i128::from(price) * i128::from(permille);
        let is_enough = margin.get() >= min && permille.is_none_or(is_part);
        let breach = (!is_enough).then_some(on_breach);
        Some(Verdict { margin: Some(margin), breach, guard: guard.map(|guard| guard.id) })
    }
}

#[cfg(test)]
mod tests;
