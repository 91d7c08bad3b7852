//! How operators stand at this moment, as routing reads it: apart from the catalogue, since it changes every few seconds.

use chrono::NaiveDate;
use foldhash::HashMap;

use super::breaker;
use super::health::Score;
use crate::id::OperatorId;
use crate::network::Network;

/// How one operator stands at one network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How it does; that of the operator at all networks where too little is known of this one.
    pub score: Score,
    /// The whole of it, reckoned beforehand.
    pub health_permille: u16,
    /// Whether it is given messages at all.
    pub breaker: breaker::State,
    /// The last day (UTC) on which it was given as much as it may be.
    pub full_on: Option<NaiveDate>,
}

impl Default for Standing {
    fn default() -> Self {
        let score = Score::default();
        Self { score, health_permille: score.permille(), breaker: breaker::State::Closed, full_on: None }
    }
}

/// How all operators stand.
#[derive(Debug, Clone, Default)]
pub struct Standings {
    /// Grows with every change.
    pub version: i64,
    /// Sorted; the lists below have their places.
    operators: Vec<OperatorId>,
    /// Those with a daily cap.
    capped: Vec<OperatorId>,
    anywhere: Vec<Standing>,
    by_network: HashMap<Network, Vec<Standing>>,
}

/// What is known of operators, to make [`Standings`] of.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// All operators.
    pub operators: Vec<OperatorId>,
    /// How they do; without a network: at all of them together.
    pub scores: Vec<(OperatorId, Option<Network>, Score)>,
    /// Breakers that are not closed.
    pub breakers: Vec<(OperatorId, Network, breaker::State)>,
    /// Those with a daily cap.
    pub capped: Vec<OperatorId>,
    /// Those that were given as much as they may be on that day.
    pub full: Vec<(OperatorId, NaiveDate)>,
}

impl Standings {
    /// Lays out what is `known`, so that a decision looks up one list and then goes by place.
    pub fn new(version: i64, known: Known) -> Self {
        let Known { mut operators, scores, breakers, capped, full } = known;
        operators.sort_unstable();
        let anywhere = vec![Standing::default(); operators.len()];
        let mut standings = Self { version, operators, capped, anywhere, by_network: HashMap::default() };
        for (operator, day) in full {
            standings.change(operator, None, |standing| standing.full_on = Some(day));
        }
        let (over_all, at_one): (Vec<_>, Vec<_>) = scores.into_iter().partition(|(_, network, _)| network.is_none());
        for (operator, network, score) in over_all.into_iter().chain(at_one) {
            standings.change(operator, network, |standing| {
                standing.score = score;
                standing.health_permille = score.permille();
            });
        }
        for (operator, network, state) in breakers {
            standings.change(operator, Some(network), |standing| standing.breaker = state);
        }
        standings
    }

    fn change(&mut self, operator: OperatorId, network: Option<Network>, change: impl FnOnce(&mut Standing)) {
        let Ok(place) = self.operators.binary_search(&operator) else { return };
        let row = match network {
            None => &mut self.anywhere,
            Some(network) => self.by_network.entry(network).or_insert_with(|| self.anywhere.clone()),
        };
        if let Some(standing) = row.get_mut(place) {
            change(standing);
        }
    }

    /// The same without what belongs to the moment: breakers and caps.
    #[must_use]
    pub fn scores_only(&self) -> Self {
        let calm = |row: &Vec<Standing>| {
            let calm = |one: &Standing| Standing { breaker: breaker::State::Closed, full_on: None, ..*one };
            row.iter().map(calm).collect()
        };
        Self {
            anywhere: calm(&self.anywhere),
            by_network: self.by_network.iter().map(|(network, row)| (*network, calm(row))).collect(),
            ..self.clone()
        }
    }

    /// How all stand at `network`.
    pub fn at(&self, network: Network) -> At<'_> {
        At { operators: &self.operators, standings: self.by_network.get(&network).unwrap_or(&self.anywhere) }
    }

    /// Whether `operator` has a daily cap, so that what it is given must be counted.
    pub fn is_capped(&self, operator: OperatorId) -> bool {
        self.capped.contains(&operator)
    }

    /// Operators whose breaker at `network` is half-open.
    pub fn half_open(&self, network: Network) -> impl Iterator<Item = OperatorId> {
        let row = self.by_network.get(&network).map(Vec::as_slice).unwrap_or_default();
        let pairs = self.operators.iter().zip(row);
        pairs.filter(|(_, standing)| standing.breaker == breaker::State::HalfOpen).map(|(operator, _)| *operator)
    }
}

/// How operators stand at one network.
#[derive(Debug, Clone, Copy, Default)]
pub struct At<'a> {
    operators: &'a [OperatorId],
    standings: &'a [Standing],
}

impl At<'_> {
    /// How `operator` stands, which is the one at `place` of all operators in order of their ids: a hint that saves a
    /// search.
    pub fn of(&self, place: usize, operator: OperatorId) -> Standing {
        let place = match self.operators.get(place) {
            Some(at) if *at == operator => Ok(place),
            _ => self.operators.binary_search(&operator),
        };
        place.ok().and_then(|place| self.standings.get(place)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn id(number: u128) -> OperatorId {
        OperatorId::from_uuid(Uuid::from_u128(number))
    }

    #[test]
    fn a_network_that_is_not_known_falls_back_on_the_operator() {
        let network = |text: &str| text.parse::<Network>().unwrap();
        let score = |success| Score { success, ..Score::default() };
        let day = NaiveDate::from_ymd_opt(2026, 11, 28);
        let standings = Standings::new(
            7,
            Known {
                operators: vec![id(3), id(1), id(2)],
                scores: vec![
                    (id(1), Some(network("43405")), score(100)),
                    (id(1), None, score(900)),
                    (id(2), None, score(800)),
                    (id(9), None, score(1)),
                ],
                breakers: vec![
                    (id(2), network("43405"), breaker::State::HalfOpen),
                    (id(3), network("43404"), breaker::State::Open),
                ],
                capped: vec![id(3)],
                full: vec![(id(3), day.unwrap())],
            },
        );
        let closed = breaker::State::Closed;
        let rows = [
            ("43405", 1, 100, closed, None),
            ("43404", 1, 900, closed, None),
            ("25001", 1, 900, closed, None),
            ("43405", 2, 800, breaker::State::HalfOpen, None),
            ("43404", 2, 800, closed, None),
            ("43405", 3, 1000, closed, day),
            ("43404", 3, 1000, breaker::State::Open, day),
            ("25001", 3, 1000, closed, day),
            ("43405", 9, 1000, closed, None),
        ];
        for (at, operator, success, breaker, full_on) in rows {
            for hint in 0..4 {
                let standing = standings.at(network(at)).of(hint, id(operator));
                let told = (standing.score.success, standing.breaker, standing.full_on);
                assert_eq!(told, (success, breaker, full_on), "{operator} at {at}");
            }
        }
        assert_eq!(standings.half_open(network("43405")).collect::<Vec<_>>(), [id(2)]);
        assert_eq!(standings.half_open(network("25001")).count(), 0);
        assert_eq!((standings.is_capped(id(3)), standings.is_capped(id(1))), (true, false));
    }
}
