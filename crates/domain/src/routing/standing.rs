//! How operators stand at this moment, as routing reads it: apart from the catalogue, since it changes every few seconds.

use chrono::NaiveDate;
use foldhash::HashMap;

use super::breaker;
use super::health::{Basis, Score};
use crate::id::OperatorId;
use crate::network::Network;

/// How one operator stands at one network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How it does; that of the operator at all networks where too little is known of this one.
    pub score: Score,
    /// The whole of it, reckoned beforehand.
    pub health_permille: u16,
    /// The same for messages that go by an old judgement.
    pub floor_permille: u16,
    /// How many of a thousand messages do not.
    pub regained_permille: u16,
    /// Whether it is given messages at all.
    pub breaker: breaker::State,
    /// The last day (UTC) on which it was given as much as it may be.
    pub full_on: Option<NaiveDate>,
}

impl Default for Standing {
    fn default() -> Self {
        Self::judged(Score::default(), Basis::Unknown)
    }
}

impl Standing {
    /// How an operator stands by its score alone.
    fn judged(score: Score, basis: Basis) -> Self {
        let believed = |health: u16| Score { success: health, trust: score.trust, ..Score::default() }.permille();
        let (health_permille, floor_permille) = match basis {
            Basis::Unknown | Basis::Measured => (score.permille(), score.permille()),
            Basis::Kept { .. } => (Score::default().trusted(score.trust).permille(), score.permille()),
            Basis::Regaining { floor, .. } => (score.permille(), believed(floor)),
        };
        let (breaker, regained_permille) = (breaker::State::Closed, basis.regained());
        Self { score, health_permille, floor_permille, regained_permille, breaker, full_on: None }
    }

    /// As a message sees it whose `turn` is spread evenly: by an old judgement, or no longer.
    #[inline]
    #[must_use]
    pub fn seen_at(mut self, turn: u64) -> Self {
        if self.regained_permille < 1_000 && turn % 1_000 >= u64::from(self.regained_permille) {
            self.health_permille = self.floor_permille;
        }
        self
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
    /// Somebody is seen by an old judgement.
    remembers: bool,
    anywhere: Vec<Standing>,
    by_network: HashMap<Network, Vec<Standing>>,
    /// Countries where a person opened a breaker, for their networks that are not in the list above.
    by_country: HashMap<Network, Vec<Standing>>,
}

/// What is known of operators, to make [`Standings`] of.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// All operators.
    pub operators: Vec<OperatorId>,
    /// How they do; without a network: at all of them together.
    pub scores: Vec<(OperatorId, Option<Network>, Score)>,
    /// What those scores rest on, where that is not of late.
    pub bases: Vec<(OperatorId, Option<Network>, Basis)>,
    /// Breakers that are not closed. One that a person opened for a country is open at all its networks; one that opened by
    /// itself there is that of numbers whose network is not known.
    pub breakers: Vec<(OperatorId, Network, breaker::State)>,
    /// Those with a daily cap.
    pub capped: Vec<OperatorId>,
    /// Those that were given as much as they may be on that day.
    pub full: Vec<(OperatorId, NaiveDate)>,
}

impl Standings {
    /// Lays out what is `known`, so that a decision looks up one list and then goes by place.
    pub fn new(version: i64, known: Known) -> Self {
        let Known { mut operators, scores, bases, breakers, capped, full } = known;
        operators.sort_unstable();
        let anywhere = vec![Standing::default(); operators.len()];
        let (by_network, by_country) = (HashMap::default(), HashMap::default());
        let remembers = !bases.is_empty();
        let mut standings = Self { version, operators, capped, remembers, anywhere, by_network, by_country };
        for (operator, day) in full {
            standings.change(operator, None, |standing| standing.full_on = Some(day));
        }
        let rests_on: HashMap<_, Basis> =
            bases.into_iter().map(|(operator, network, basis)| ((operator, network), basis)).collect();
        let (over_all, at_one): (Vec<_>, Vec<_>) = scores.into_iter().partition(|(_, network, _)| network.is_none());
        for (operator, network, score) in over_all.into_iter().chain(at_one) {
            let basis = rests_on.get(&(operator, network)).copied().unwrap_or_default();
            standings.change(operator, network, |standing| {
                *standing = Standing { full_on: standing.full_on, ..Standing::judged(score, basis) };
            });
        }
        let is_held_country = |network: &Network, state| network.mnc.is_none() && state == breaker::State::Held;
        let (countries, networks): (Vec<_>, Vec<_>) =
            breakers.into_iter().partition(|(_, network, state)| is_held_country(network, *state));
        for (operator, network, state) in networks {
            standings.change(operator, Some(network), |standing| standing.breaker = state);
        }
        for (operator, country, _) in countries {
            standings.hold(operator, country);
        }
        standings
    }

    /// Opens the breaker of `operator` at all networks of `country`.
    fn hold(&mut self, operator: OperatorId, country: Network) {
        let Ok(place) = self.operators.binary_search(&operator) else { return };
        let row = self.by_country.entry(country).or_insert_with(|| self.anywhere.clone());
        let rows = self.by_network.iter_mut().filter(|(network, _)| network.country() == country);
        for standing in rows.map(|(_, row)| row).chain([row]).filter_map(|row| row.get_mut(place)) {
            standing.breaker = breaker::State::Held;
        }
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
            by_country: HashMap::default(),
            ..self.clone()
        }
    }

    /// How many operators a message to `network` still sees by an old judgement whose turn this is. Messages with the same number
    /// see all operators alike: who is seen so by one turn is seen so by every later one.
    pub fn seen_of_old(&self, network: Network, turn: u64) -> usize {
        if !self.remembers {
            return 0;
        }
        self.at(network).standings.iter().filter(|standing| standing.seen_at(turn) != **standing).count()
    }

    /// How all stand at `network`.
    pub fn at(&self, network: Network) -> At<'_> {
        let of_country = || self.by_country.get(&network.country()).filter(|_| !self.by_country.is_empty());
        let standings = self.by_network.get(&network).or_else(of_country).unwrap_or(&self.anywhere);
        At { operators: &self.operators, standings }
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
    fn a_breaker_that_a_person_opened_for_a_country_is_open_at_all_its_networks() {
        use breaker::State::{Closed, HalfOpen, Held, Open};
        let network = |text: &str| text.parse::<Network>().unwrap();
        let known = Known {
            operators: vec![id(1), id(2)],
            scores: vec![(id(1), Some(network("43405")), Score { success: 100, ..Score::default() })],
            breakers: vec![
                (id(1), network("434"), Held),
                (id(1), network("43404"), HalfOpen),
                // Opened by itself, by messages whose network nobody knows.
                (id(2), network("434"), Open),
            ],
            ..Known::default()
        };
        let standings = Standings::new(1, known);
        let rows = [
            ("43405", [Held, Closed]),
            ("43404", [Held, Closed]),
            ("43407", [Held, Closed]),
            ("434", [Held, Open]),
            ("25001", [Closed, Closed]),
        ];
        for (at, expected) in rows {
            let found = [1, 2].map(|number| standings.at(network(at)).of(0, id(number)).breaker);
            assert_eq!(found, expected, "{at}");
        }
        assert_eq!(standings.half_open(network("43404")).count(), 0);
        assert_eq!(standings.scores_only().at(network("43407")).of(0, id(1)).breaker, Closed);
    }

    #[test]
    fn a_share_of_messages_no_longer_goes_by_an_old_judgement() {
        let network = |text: &str| text.parse::<Network>().unwrap();
        let score = |success, trust| Score { success, trust, ..Score::default() };
        let at = Some(network("43405"));
        let known = Known {
            operators: vec![id(1), id(2), id(3)],
            scores: vec![(id(1), at, score(300, 900)), (id(2), at, score(800, 500)), (id(3), at, score(700, 1000))],
            bases: vec![
                (id(1), at, Basis::Kept { regained: 100 }),
                (id(2), at, Basis::Regaining { floor: 200, regained: 250 }),
                (id(3), at, Basis::Measured),
            ],
            ..Known::default()
        };
        let standings = Standings::new(1, known);
        // The turn, and the health of each operator as that message sees it.
        let rows = [(0, [900, 400, 700]), (100, [270, 400, 700]), (249, [270, 400, 700]), (7_250, [270, 100, 700])];
        for (turn, expected) in rows {
            let seen = [1, 2, 3].map(|number| standings.at(network("43405")).of(0, id(number)).seen_at(turn));
            assert_eq!(seen.map(|standing| standing.health_permille), expected, "{turn}");
        }
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
                bases: Vec::new(),
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
