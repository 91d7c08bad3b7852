//! What the lines of a sheet do to the margin, had last week's traffic been sent at the new rates.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::fx::Fx;
use crate::money::{Currency, Micros};
use crate::network::Network;
use crate::rate_sheet::{Held, Line};
use crate::tariff::in_force;
use crate::traffic::TrafficClass;

/// What an operator carried of one class of traffic to one network in a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Where to.
    pub network: Network,
    /// Of which class; `None`: of none.
    pub class: Option<TrafficClass>,
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

/// Where a rate stands: for a network or a country, and for a class of traffic or for every class.
type Slot = (Network, Option<TrafficClass>);

/// What each line does; `None` where it does nothing or nothing was sent. A line is about the traffic that finds its rate
/// before any other: the rates of the network come before those of its country, and at each place that of the class before
/// that of every class.
pub fn impacts(lines: &[Line], held: &[Held], volumes: &[Volume]) -> Vec<Option<Impact>> {
    let rates = Rates::new(lines, held);
    let mut by_country: BTreeMap<Network, Vec<&Volume>> = BTreeMap::new();
    for volume in volumes {
        by_country.entry(volume.network.country()).or_default().push(volume);
    }
    let impact = |line: &Line| {
        // What ends where it would begin never cost anything.
        let never_held = |rate: &Held| rate.from >= line.from && line.old.is_some_and(|(id, ..)| id == Some(rate.id));
        if !line.publishes() && !line.closes() || line.closes() && held.iter().any(never_held) {
            return None;
        }
        let there = by_country.get(&line.network.country()).map(Vec::as_slice).unwrap_or_default();
        let mut concerned: Vec<(&Volume, Option<Price>)> = Vec::new();
        for volume in there {
            if let Some(behind) = rates.behind(line, volume) {
                concerned.push((volume, rates.first(&behind, line.from)));
            }
        }
        let segments: i64 = concerned.iter().map(|(volume, _)| volume.segments).sum();
        if segments == 0 {
            return None;
        }
        let mut earned = BTreeMap::new();
        for (currency, amount) in concerned.iter().flat_map(|(volume, _)| &volume.earned) {
            *earned.entry(*currency).or_insert(0) += amount;
        }
        // Without a rate of its own traffic costs what the next place says.
        let cost = |own: Option<Price>, closes: bool| {
            let price = |behind: Option<Price>| if closes { behind } else { own.or(behind) };
            sum(concerned.iter().map(|(volume, behind)| (volume.segments, price(*behind))))
        };
        let old = line.old.map(|(_, price, currency)| (price, currency));
        Some(Impact { segments, earned, old_cost: cost(old, false), new_cost: cost(line.new, line.closes()) })
    };
    lines.iter().map(impact).collect()
}

/// The price of a segment.
type Price = (Micros, Currency);

/// What all of it costs; `None`: some has no rate, or the rates are in several currencies.
fn sum(mut parts: impl Iterator<Item = (i64, Option<Price>)>) -> Option<(Currency, i128)> {
    let (segments, first) = parts.next()?;
    let cost = |segments: i64, price: Micros| i128::from(price.get()) * i128::from(segments);
    let (price, currency) = first?;
    parts.try_fold((currency, cost(segments, price)), |(currency, sum), (segments, price)| {
        let (price, other) = price?;
        (other == currency).then(|| (currency, sum + cost(segments, price)))
    })
}

/// The rates that are stored, and those that a sheet publishes.
struct Rates<'a> {
    held: BTreeMap<Slot, Vec<&'a Held>>,
    published: BTreeSet<Slot>,
}

impl<'a> Rates<'a> {
    fn new(lines: &[Line], held: &'a [Held]) -> Self {
        let published = lines.iter().filter(|line| line.publishes());
        let published = published.map(|line| (line.network, line.traffic_class)).collect();
        let mut rates = Self { held: BTreeMap::new(), published };
        for rate in held {
            rates.held.entry((rate.network, rate.traffic_class)).or_default().push(rate);
        }
        rates
    }

    fn at(&self, slot: Slot, at: DateTime<Utc>) -> Option<Price> {
        let rates = self.held.get(&slot)?;
        rates.iter().find(|rate| in_force(rate.from, rate.to, at)).map(|rate| (rate.price, rate.currency))
    }

    /// The rate that is found first at a moment.
    fn first(&self, slots: &[Slot], at: DateTime<Utc>) -> Option<Price> {
        slots.iter().find_map(|slot| self.at(*slot, at))
    }

    /// Where traffic that a line is about looks next, were there no rate; `None`: the line is not about it.
    fn behind(&self, line: &Line, volume: &Volume) -> Option<Vec<Slot>> {
        let mut slots = slots(volume);
        let own = slots.iter().position(|slot| *slot == (line.network, line.traffic_class))?;
        let is_taken = |slot: &Slot| self.published.contains(slot) || self.at(*slot, line.from).is_some();
        let is_about = !slots[..own].iter().any(is_taken);
        is_about.then(|| slots.split_off(own + 1))
    }
}

/// Where the rate of some traffic is looked for, one after the other.
fn slots(volume: &Volume) -> Vec<Slot> {
    let country = volume.network.mnc.is_some().then(|| volume.network.country());
    let places = [Some(volume.network), country].into_iter().flatten();
    let of_class = volume.class.map(Some);
    places.flat_map(|place| [of_class, Some(None)].into_iter().flatten().map(move |class| (place, class))).collect()
}
