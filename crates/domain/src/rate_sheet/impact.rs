//! What the lines of a sheet do to the margin, had last week's traffic been sent at the new rates.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::fx::Fx;
use crate::money::{Currency, Micros};
use crate::network::Network;
use crate::rate_sheet::{Held, Line};
use crate::tariff::in_force;

/// What an operator carried to one network in a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Where to.
    pub network: Network,
    /// Segments that the operator took.
    pub segments: i64,
    /// What the house earned for them, in micros, by currency.
    pub earned: BTreeMap<Currency, i128>,
}

/// What one line does to one week.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Impact {
    /// Segments that the line is about.
    pub segments: i64,
    /// What the house earned for them, in micros.
    pub earned: BTreeMap<Currency, i128>,
    /// What they cost at the rate that holds otherwise; `None`: there is none.
    pub old_cost: Option<(Currency, i128)>,
    /// What they cost at the new rate; `None`: the operator has none any more.
    pub new_cost: Option<(Currency, i128)>,
}

impl Impact {
    /// What is earned less what it costs, in the currency of what is earned, by the exchange rates of a moment. `None`:
    /// nobody can convert the cost, or the traffic is paid in several currencies.
    pub fn margin(&self, cost: Option<(Currency, i128)>, fx: &Fx, at: DateTime<Utc>) -> Option<i128> {
        let (currency, cost) = cost?;
        let mut earned = self.earned.iter().filter(|(_, amount)| **amount != 0);
        let (into, earned) = match (earned.next(), earned.next()) {
            (None, _) => (currency, 0),
            (Some((own, amount)), None) => (*own, *amount),
            (Some(_), Some(_)) => return None,
        };
        if into == currency {
            return Some(earned - cost);
        }
        let cost = fx.total(Micros::new(i64::try_from(cost).ok()?), (currency, into), at)?;
        Some(earned - i128::from(cost.get()))
    }
}

/// What each line does; `None` where it does nothing or nothing was sent. A line for a country is about the networks of it
/// that have no rate of their own then.
pub fn impacts(lines: &[Line], held: &[Held], volumes: &[Volume]) -> Vec<Option<Impact>> {
    let by_network: BTreeMap<Network, &Volume> = volumes.iter().map(|volume| (volume.network, volume)).collect();
    let published: BTreeSet<Network> = lines.iter().filter(|line| line.publishes()).map(|line| line.network).collect();
    let mut own: BTreeMap<Network, Vec<&Held>> = BTreeMap::new();
    for rate in held.iter().filter(|rate| rate.traffic_class.is_none()) {
        own.entry(rate.network).or_default().push(rate);
    }
    let rate = |network, at| {
        let rates = own.get(&network).map(Vec::as_slice).unwrap_or_default();
        rates.iter().find(|rate| in_force(rate.from, rate.to, at)).map(|rate| (rate.price, rate.currency))
    };
    let about = |line: &Line| -> Vec<&Volume> {
        if line.network.mnc.is_some() {
            return by_network.get(&line.network).copied().into_iter().collect();
        }
        let country = volumes.iter().filter(|volume| volume.network.country() == line.network);
        let has_own = |network: Network| {
            network.mnc.is_some() && (published.contains(&network) || rate(network, line.from).is_some())
        };
        country.filter(|volume| !has_own(volume.network)).collect()
    };
    let impact = |line: &Line| {
        if !line.publishes() && !line.closes() {
            return None;
        }
        let concerned = about(line);
        let segments: i64 = concerned.iter().map(|volume| volume.segments).sum();
        if segments == 0 {
            return None;
        }
        let mut earned = BTreeMap::new();
        for (currency, amount) in concerned.iter().flat_map(|volume| &volume.earned) {
            *earned.entry(*currency).or_insert(0) += amount;
        }
        // Without a rate of its own a network costs what its country does.
        let country = || rate(line.network.country(), line.from).filter(|_| line.network.mnc.is_some());
        let old = line.old.map(|(_, price, currency)| (price, currency)).or_else(country);
        let new = if line.closes() { country() } else { line.new };
        let cost = |(price, currency): (Micros, Currency)| (currency, i128::from(price.get()) * i128::from(segments));
        Some(Impact { segments, earned, old_cost: old.map(cost), new_cost: new.map(cost) })
    };
    lines.iter().map(impact).collect()
}
