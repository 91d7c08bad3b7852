//! Scores of operators at networks from what was counted, and from what is remembered: a pure function.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use domain::routing::health::{Basis, Counts, Judged, Score};
use domain::routing::trust::{Doubts, Record, judge};
use domain::{Network, OperatorId};
use store::standings::{Place, Stored};

/// What is to be stored, since it differs from what is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    pub(super) changed: Vec<Stored>,
    /// Places of which nothing is known any more.
    pub(super) gone: Vec<Place>,
    /// Operators at networks that are not trusted, told now or before.
    pub(super) untrusted: usize,
}

impl News {
    pub(super) fn of(
        measured: &[(OperatorId, Network, Counts)],
        records: &[(OperatorId, Network, Record)],
        stored: &[Stored],
        now: DateTime<Utc>,
    ) -> Self {
        let mut places =
            Sight { stored: stored.iter().map(|one| (one.place, one)).collect(), now }.judge(measured, records);
        let untrusted = |stored: &&Stored| stored.place.1.is_some() && !stored.score.is_trusted();
        let mut news = Self { untrusted: places.values().filter(untrusted).count(), ..Self::default() };
        for before in stored {
            match places.remove(&before.place) {
                None => news.gone.push(before.place),
                Some(now) if differ(before, &now) => news.changed.push(now),
                Some(_) => {}
            }
        }
        news.changed.extend(places.into_values());
        news
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.changed.is_empty() && self.gone.is_empty()
    }
}

fn differ(before: &Stored, now: &Stored) -> bool {
    let kinds = |stored: &Stored| stored.doubts.0.iter().map(|reason| reason.doubt).collect::<Vec<_>>();
    before.score.differs(now.score) || before.basis.differs(now.basis) || kinds(before) != kinds(now)
}

/// What is known from before, and the time.
struct Sight<'a> {
    stored: BTreeMap<Place, &'a Stored>,
    now: DateTime<Utc>,
}

impl Sight<'_> {
    /// The score of every place of which something is known. Where an operator did too little at a network to be judged
    /// there, and never did enough, it is as good and as trusted as at all networks together.
    fn judge(
        &self,
        measured: &[(OperatorId, Network, Counts)],
        records: &[(OperatorId, Network, Record)],
    ) -> BTreeMap<Place, Stored> {
        let mut all_counts: BTreeMap<OperatorId, Counts> = BTreeMap::new();
        for (operator, _, counts) in measured {
            let sum = all_counts.entry(*operator).or_default();
            *sum = sum.plus(counts);
        }
        let mut all_records: BTreeMap<OperatorId, Record> = BTreeMap::new();
        for (operator, _, record) in records {
            let sum = all_records.entry(*operator).or_default();
            *sum = sum.plus(record);
        }
        let mut places = BTreeMap::new();
        let known = self.stored.keys().map(|(operator, _)| operator);
        let operators: BTreeSet<OperatorId> =
            all_counts.keys().chain(all_records.keys()).chain(known).copied().collect();
        for operator in operators {
            let judged = self.next((operator, None), all_counts.get(&operator));
            let doubts = all_records.get(&operator).map(|own| judge(own, &Record::default())).unwrap_or_default();
            self.keep(&mut places, (operator, None), judged, doubts);
        }
        let whole: BTreeMap<OperatorId, (Score, Doubts)> =
            places.values().map(|stored: &Stored| (stored.place.0, (stored.score, stored.doubts.clone()))).collect();
        let counts: BTreeMap<_, &Counts> = measured.iter().map(|(who, at, counts)| ((*who, *at), counts)).collect();
        let known: BTreeMap<_, &Record> = records.iter().map(|(who, at, record)| ((*who, *at), record)).collect();
        let remembered = self.stored.keys().filter_map(|(operator, network)| Some((*operator, (*network)?)));
        let pairs: BTreeSet<(OperatorId, Network)> =
            counts.keys().chain(known.keys()).copied().chain(remembered).collect();
        for (operator, network) in pairs {
            let place = (operator, Some(network));
            let (fallback, usual) = whole.get(&operator).cloned().unwrap_or_default();
            let judged = self.next(place, counts.get(&(operator, network)).copied());
            let own = known.get(&(operator, network)).filter(|own| own.is_enough());
            let doubts = own.map(|own| judge(own, &others(&known, (operator, network))));
            if judged.is_some() || doubts.is_some() {
                let judged = judged.unwrap_or(Judged { score: fallback, basis: Basis::Unknown });
                self.keep(&mut places, place, Some(judged), doubts.unwrap_or(usual));
            }
        }
        places
    }

    /// What holds at a place by what was counted there of late and by what is remembered.
    fn next(&self, place: Place, counts: Option<&Counts>) -> Option<Judged> {
        let measured = counts.and_then(|counts| Some((Score::of(counts)?, counts.has_receipts())));
        let before = self.stored.get(&place);
        let passed = before.map(|before| self.now - before.at).unwrap_or_default();
        before.map(|before| before.judged()).unwrap_or_default().next(measured, passed)
    }

    fn keep(&self, places: &mut BTreeMap<Place, Stored>, place: Place, judged: Option<Judged>, doubts: Doubts) {
        if judged.is_some() || !doubts.0.is_empty() {
            let Judged { score, basis } = judged.unwrap_or_default();
            let score = score.trusted(doubts.trust());
            places.insert(place, Stored { place, score, basis, doubts, at: self.now });
        }
    }
}

/// The record of all others at the same network.
fn others(known: &BTreeMap<(OperatorId, Network), &Record>, (operator, network): (OperatorId, Network)) -> Record {
    let others = known.iter().filter(|((who, at), _)| *who != operator && *at == network);
    others.fold(Record::default(), |sum, (_, record)| sum.plus(record))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::routing::health::Latencies;
    use domain::routing::trust::Doubt;
    use uuid::Uuid;

    fn id(number: u128) -> OperatorId {
        OperatorId::from_uuid(Uuid::from_u128(number))
    }

    fn at(network: &str) -> Network {
        network.parse().unwrap()
    }

    fn at_second(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    fn counts(accepted: u64, refused: u64) -> Counts {
        let mut latencies = Latencies::default();
        latencies.0[4] = accepted;
        Counts { accepted, refused, delivered: accepted, latencies, ..Counts::default() }
    }

    fn fake(delivered: u64) -> Record {
        let mut latencies = Latencies::default();
        latencies.0[0] = delivered;
        Record { delivered, latencies, ..Record::default() }
    }

    /// Operator, network or empty, success, trust.
    fn told(stored: &[Stored]) -> Vec<(u128, String, u16, u16)> {
        let mut told: Vec<_> = stored
            .iter()
            .map(|one| {
                let network = one.place.1.map(|network| network.to_string()).unwrap_or_default();
                (one.place.0.uuid().as_u128(), network, one.score.success, one.score.trust)
            })
            .collect();
        told.sort();
        told
    }

    #[test]
    fn what_is_too_little_at_one_network_is_judged_by_all() {
        let measured = [
            (id(1), at("43405"), counts(80, 20)),
            (id(1), at("43404"), counts(9, 1)),
            (id(2), at("43405"), counts(9, 9)),
        ];
        let news = News::of(&measured, &[], &[], at_second(0));
        assert_eq!(told(&news.changed), [(1, String::new(), 809, 1000), (1, "43405".to_owned(), 800, 1000)]);
        let same = News::of(&measured, &[], &news.changed, at_second(2));
        assert!(same.is_nothing());
        let small = [(id(1), at("43405"), counts(81, 19))];
        let news = News::of(&small, &[], &news.changed, at_second(4));
        assert!(news.is_nothing(), "a hundredth is not worth telling: {news:?}");
    }

    #[test]
    fn what_was_judged_is_kept_for_hours_and_then_goes() {
        let at_start = [(id(1), at("43405"), counts(80, 20))];
        let mut stored = News::of(&at_start, &[], &[], at_second(0)).changed;
        let mut regained = Vec::new();
        for hours in 0..40 {
            let news = News::of(&[], &[], &stored, at_second(hours * 3_600));
            assert!(news.changed.iter().all(|one| one.score.success == 800), "{news:?}");
            for changed in news.changed {
                stored.retain(|one| one.place != changed.place);
                stored.push(changed);
            }
            stored.retain(|one| !news.gone.contains(&one.place));
            regained.push(stored.iter().map(|one| one.basis.regained()).max());
        }
        let some = [0, 4, 8, 24].map(|hours: usize| regained[hours]);
        assert!(regained.is_sorted_by_key(|regained| regained.unwrap_or(1_000)), "{regained:?}");
        assert!(matches!(some, [Some(0), Some(350..=500), Some(600..=750), _]), "{some:?}");
        assert_eq!((regained[39], stored.len()), (None, 0));
    }

    #[test]
    fn who_lies_at_one_network_is_doubted_at_all_until_it_is_known_there() {
        let honest = Record { failed: 60, ..Record::default() };
        let mut honest = honest.plus(&fake(0));
        honest.delivered = 940;
        honest.latencies.0[4] = 940;
        (honest.latency_ms, honest.latency_sq) = (940 * 4_000, 940 * 400 * 400 * 2);
        let records = [
            (id(1), at("43405"), fake(1_000)),
            (id(1), at("43404"), honest),
            (id(1), at("43407"), fake(5)),
            (id(2), at("43405"), honest),
        ];
        let measured = [(id(1), at("43407"), counts(30, 0)), (id(2), at("43405"), counts(30, 0))];
        let news = News::of(&measured, &records, &[], at_second(0));
        let expected = [
            (1, String::new(), 1000, 721),
            (1, "43404".to_owned(), 1000, 1000),
            (1, "43405".to_owned(), 1000, 0),
            (1, "43407".to_owned(), 1000, 721),
            (2, String::new(), 1000, 1000),
            (2, "43405".to_owned(), 1000, 1000),
        ];
        assert_eq!(told(&news.changed), expected);
        assert_eq!(news.untrusted, 1);
        let lies = news.changed.iter().find(|one| one.place == (id(1), Some(at("43405")))).unwrap();
        let lies: Vec<Doubt> = lies.doubts.0.iter().map(|reason| reason.doubt).collect();
        assert_eq!(lies, [Doubt::TooFast, Doubt::AllAlike, Doubt::DeliversEverything]);
    }
}
