//! What a seller pays.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use domain::tariff::{Rate, in_force};
use domain::{Catalogue, Micros, Network, OperatorId, PlanId, TrafficClass};
use store::price_lists::PriceList;

/// A network or country, and a class of traffic to it; `None`: every class without a price of its own.
pub(super) type Traffic = (Network, Option<TrafficClass>);

/// What a seller pays by.
#[derive(Debug, Clone, Copy)]
enum Own {
    /// The house: what operators ask.
    House,
    /// Its own plan, if it has one.
    Plan(Option<PlanId>),
}

/// What a seller pays for a segment at a moment.
pub(super) struct Costs<'a> {
    catalogue: &'a Catalogue,
    /// What the seller itself pays by.
    own: Own,
    list: &'a PriceList,
    at: DateTime<Utc>,
}

impl<'a> Costs<'a> {
    pub(super) fn new(catalogue: &'a Catalogue, list: &'a PriceList, at: DateTime<Utc>) -> Self {
        let seller = catalogue.accounts.get(&list.owner);
        let own = seller.filter(|seller| seller.parent.is_some()).map_or(Own::House, |seller| Own::Plan(seller.plan));
        Self { catalogue, own, list, at }
    }

    /// All that costs something at that time, in order: each network, and each class of traffic that has a cost or a price of its
    /// own there. What is sold by network and bought by country is in it, too.
    pub(super) fn traffic(&self) -> BTreeSet<Traffic> {
        let mut all = self.costly();
        let sold = self.list.prices.iter().filter(|t| in_force(t.from, t.to, self.at));
        let sold = sold.filter_map(|t| Some((t.network?, t.traffic_class)));
        all.extend(sold.filter(|traffic| self.of(*traffic).is_some()));
        all
    }

    fn costly(&self) -> BTreeSet<Traffic> {
        let holds = |from, to| in_force(from, to, self.at);
        match self.own {
            Own::Plan(plan) => {
                let own = self.catalogue.tariffs.iter().filter(|((own, _), _)| Some(*own) == plan);
                let own = own.filter_map(|((_, network), dated)| Some((*network.as_ref()?, dated)));
                let of = |(network, dated): (Network, &'a Vec<domain::tariff::Tariff>)| {
                    let dated = dated.iter().filter(move |t| holds(t.from, t.to));
                    dated.map(move |t| (network, t.class)).collect::<Vec<_>>()
                };
                own.flat_map(of).collect()
            }
            Own::House => {
                let rates = self.catalogue.rates.iter();
                let of = |(network, rates): (&'a Network, &'a Vec<Rate>)| {
                    let rates = rates.iter().filter(move |rate| holds(rate.from, rate.to));
                    rates.map(move |rate| (*network, rate.class)).collect::<Vec<_>>()
                };
                rates.flat_map(of).collect()
            }
        }
    }

    /// The cheapest cost in the list's currency, exchange and all; the operator, where it is one.
    pub(super) fn of(&self, (network, class): Traffic) -> Option<(Micros, Option<OperatorId>)> {
        if let Own::Plan(plan) = self.own {
            let tariff = self.catalogue.tariff(plan?, network, class, self.at)?;
            return (tariff.currency == self.list.currency).then_some((tariff.price, None));
        }
        let (operator, cost) = crate::reports::cheapest(self.catalogue, (network, class), self.list.currency, self.at)?;
        Some((cost, Some(operator)))
    }
}
