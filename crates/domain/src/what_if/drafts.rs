//! Settings that are not in force: what somebody thinks of changing.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use crate::catalogue::Catalogue;
use crate::fx::ExchangeRate;
use crate::id::{GuardId, OperatorId, PlanId, RoutingRuleId};
use crate::money::Currency;
use crate::network::Network;
use crate::routing::margin::{Guard, Guards};
use crate::routing::rule::{Rule, Rules};
use crate::tariff::{Rate, Tariff};

/// Changes to a catalogue. A draft holds for the whole of the traffic, whenever it was sent.
#[derive(Debug, Default)]
pub struct Drafts {
    /// New rules, and rules that take the place of those with the same id.
    pub rules: Vec<Rule>,
    /// Rules that are taken away.
    pub without_rules: HashSet<RoutingRuleId>,
    /// Guards that take the place of those of the same account, operator and network.
    pub guards: Vec<Guard>,
    /// Guards that are taken away.
    pub without_guards: HashSet<GuardId>,
    /// Buy rates that take the place of what the same operator asks for the same network or country and class of traffic.
    pub rates: Vec<(Network, Rate)>,
    /// Sell prices that take the place of those of the same plan for the same network or country and class of traffic.
    pub tariffs: Vec<(PlanId, Network, Tariff)>,
    /// Exchange rates that take the place of those from the first of their currencies into the second.
    pub exchange_rates: Vec<((Currency, Currency), ExchangeRate)>,
    /// Operators that are switched off, or on.
    pub enabled: Vec<(OperatorId, bool)>,
}

impl Drafts {
    /// The catalogue with these changes.
    #[must_use]
    pub fn apply(&self, mut catalogue: Catalogue) -> Catalogue {
        catalogue.rules = self.rules(&catalogue);
        catalogue.guards = self.guards(&catalogue);
        for (network, rate) in &self.rates {
            if let Some(rates) = catalogue.rates.get_mut(network) {
                rates.retain(|other| (other.operator, other.class) != (rate.operator, rate.class));
            }
            catalogue.add_rate(*network, Rate { from: DateTime::<Utc>::MIN_UTC, to: None, ..rate.clone() });
        }
        for (plan, network, tariff) in &self.tariffs {
            let tariff = Tariff { from: DateTime::<Utc>::MIN_UTC, to: None, ..tariff.clone() };
            let tariffs = catalogue.tariffs.entry((*plan, Some(*network))).or_default();
            tariffs.retain(|other| other.class != tariff.class);
            tariffs.push(tariff);
        }
        for (pair, rate) in &self.exchange_rates {
            catalogue.fx.replace(*pair, ExchangeRate { from: DateTime::<Utc>::MIN_UTC, to: None, ..rate.clone() });
        }
        for operator in &mut catalogue.operators {
            let wanted = self.enabled.iter().rev().find(|(id, _)| *id == operator.id);
            operator.enabled = wanted.map_or(operator.enabled, |(_, enabled)| *enabled);
        }
        catalogue
    }

    /// As publishing does, a draft closes the guard of its scope; of drafts with one scope the last holds.
    fn guards(&self, catalogue: &Catalogue) -> Guards {
        let scope = |guard: &Guard| (guard.account, guard.operator, guard.network);
        let drafts: HashMap<_, &Guard> = self.guards.iter().map(|guard| (scope(guard), guard)).collect();
        let is_kept = |guard: &&Guard| !self.without_guards.contains(&guard.id) && !drafts.contains_key(&scope(guard));
        let kept = catalogue.guards.all().filter(is_kept).cloned();
        let new = drafts.values().map(|guard| Guard { from: DateTime::<Utc>::MIN_UTC, to: None, ..(*guard).clone() });
        Guards::new(kept.chain(new).collect())
    }

    fn rules(&self, catalogue: &Catalogue) -> Rules {
        let replaced: HashSet<RoutingRuleId> = self.rules.iter().map(|rule| rule.id).collect();
        let is_kept = |rule: &&Rule| !replaced.contains(&rule.id) && !self.without_rules.contains(&rule.id);
        let drafts = self.rules.iter().map(|rule| Rule { from: DateTime::<Utc>::MIN_UTC, to: None, ..rule.clone() });
        Rules::new(catalogue.rules.all().iter().filter(is_kept).cloned().chain(drafts).collect())
    }
}
