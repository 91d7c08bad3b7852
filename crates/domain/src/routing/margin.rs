//! The margin guard: no message is carried for less than the house must earn, unless somebody allowed it.

use chrono::{DateTime, Utc};
use foldhash::HashMap;
use serde::{Deserialize, Serialize};

use crate::id::{AccountId, GuardId, OperatorId};
use crate::money::{Currency, Micros};
use crate::network::Network;
use crate::tariff::in_force;

/// What the house earns for a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

/// All guards by account, the most special first.
#[derive(Debug, Clone, Default)]
pub struct Guards {
    by_account: HashMap<Option<AccountId>, Vec<Guard>>,
}

/// The guards that concern one message: those of single operators, and the one of all others.
#[derive(Debug)]
pub struct Watch<'a> {
    earned: Earned,
    /// Sorted by operator, the most special guard of each.
    own: Vec<(OperatorId, Asked<'a>)>,
    others: Asked<'a>,
}

/// What is asked of a route: by a guard that somebody made, or by the one that is always there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    guard: Option<&'a Guard>,
    /// The smallest margin that is enough.
    least: i64,
    on_breach: Breach,
}

impl Guards {
    /// Indexes guards.
    pub fn new(all: Vec<Guard>) -> Self {
        let mut guards = Self::default();
        for guard in all {
            guards.by_account.entry(guard.account).or_default().push(guard);
        }
        for guards in guards.by_account.values_mut() {
            // An operator before a network before a country; of equals the older.
            guards.sort_by_key(|guard| {
                let by_network = guard.network.map_or(2, |network| u8::from(network.mnc.is_none()));
                (guard.operator.is_none(), by_network, guard.id)
            });
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
        let mut watch = Watch { earned, own: Vec::new(), others: Asked::always() };
        for account in above.iter().copied().map(Some).chain([None]) {
            let Some(guards) = self.by_account.get(&account) else { continue };
            for guard in guards.iter().filter(concerns) {
                let asked = Asked::by(guard, earned.price);
                match guard.operator {
                    Some(operator) => watch.own.push((operator, asked)),
                    None if watch.others.guard.is_none() => watch.others = asked,
                    None => {}
                }
            }
            // What is said of all operators goes before whatever the accounts above say.
            if watch.others.guard.is_some() {
                break;
            }
        }
        // The sort is stable: of each operator the guard that was found first stays first, and holds.
        watch.own.sort_by_key(|(operator, _)| *operator);
        watch.own.dedup_by_key(|(operator, _)| *operator);
        watch
    }
}

impl<'a> Asked<'a> {
    /// The guard that is always there: a message may not cost more than it earns.
    fn always() -> Self {
        Self { guard: None, least: 0, on_breach: Breach::Block }
    }

    /// What a guard asks where a segment earns `price`. So many thousandths of it are at least that many whole micros.
    fn by(guard: &'a Guard, price: Micros) -> Self {
        let part = |permille| (i128::from(price.get()) * i128::from(permille) + 999).div_euclid(1000);
        let part = guard.min_permille.map(|permille| i64::try_from(part(permille)).unwrap_or(i64::MAX));
        let least = part.map_or(guard.min.get(), |part| part.max(guard.min.get()));
        Self { guard: Some(guard), least, on_breach: guard.on_breach }
    }
}

impl<'a> Watch<'a> {
    /// What is asked of each operator, for who asks in their order.
    pub(super) fn walk(&self) -> Walk<'_, 'a> {
        Walk { own: &self.own, others: &self.others }
    }

    /// What is asked of an operator.
    pub(super) fn asked(&self, operator: OperatorId) -> &Asked<'a> {
        let own = self.own.binary_search_by_key(&operator, |(own, _)| *own).ok();
        own.and_then(|at| self.own.get(at)).map_or(&self.others, |(_, asked)| asked)
    }

    /// What a segment earns at this cost.
    fn margin(&self, cost: Micros) -> Micros {
        Micros::new(self.earned.price.get().saturating_sub(cost.get()))
    }

    /// What becomes of a route at this cost in the currency of the price, where it earns less than is asked; `None` for a
    /// cost: nobody can convert it. A guard that somebody made takes a margin that nobody knows for one that is too small. The
    /// one that is always there takes `least`, what it costs without those who were paid before, where that alone is too much.
    #[inline]
    pub(super) fn breach(&self, asked: &Asked<'_>, cost: Option<Micros>, least: Option<Micros>) -> Option<Breach> {
        let covers = |cost| self.margin(cost).get() >= asked.least;
        let is_enough = cost.map_or_else(|| asked.guard.is_none() && least.is_none_or(covers), covers);
        (!is_enough).then_some(asked.on_breach)
    }

    /// What the guards say of an operator at this cost; `None` for a cost: nobody can convert it, and `least` is what is known of
    /// it. Without a guard that somebody made, and with a least cost that is covered, there is no verdict on a margin that nobody
    /// knows.
    pub fn verdict(&self, operator: OperatorId, cost: Option<Micros>, least: Option<Micros>) -> Option<Verdict> {
        let asked = self.asked(operator);
        let guard = asked.guard.map(|guard| guard.id);
        let breach = self.breach(asked, cost, least);
        let is_known = cost.is_some() || guard.is_some() || breach.is_some();
        is_known.then(|| Verdict { margin: cost.map(|cost| self.margin(cost)), breach, guard })
    }
}

/// Walks along the guards of single operators: no search for each.
pub(super) struct Walk<'w, 'a> {
    own: &'w [(OperatorId, Asked<'a>)],
    others: &'w Asked<'a>,
}

impl<'w, 'a> Walk<'w, 'a> {
    /// What is asked of an operator. Operators are asked for in their order.
    #[inline]
    pub(super) fn of(&mut self, operator: OperatorId) -> &'w Asked<'a> {
        while let Some(((own, asked), behind)) = self.own.split_first() {
            if *own > operator {
                break;
            }
            self.own = behind;
            if *own == operator {
                return asked;
            }
        }
        self.others
    }
}

#[cfg(test)]
mod tests;
