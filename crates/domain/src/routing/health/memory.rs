//! What is remembered of operators. Who did badly gets no traffic, so that soon nothing is known of it any more: its score stays
//! as it was judged last. A share of messages that grows over hours no longer goes by that score; what those come to is measured,
//! and either gives it the rest within an hour, or takes everything away at once.

use chrono::TimeDelta;

use super::{ALL, Score};

/// Of those that still go by an old score, half do not after so long.
const FORGETS: TimeDelta = TimeDelta::hours(4);
/// The same where what is measured meanwhile is better.
const REGAINS: TimeDelta = TimeDelta::minutes(15);
/// A score as good as this, and a share as large as this, are as good as all.
const ENOUGH: u16 = 980;

/// What a score rests on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Basis {
    /// On nothing that happened at this place.
    #[default]
    Unknown,
    /// On what was counted of late.
    Measured,
    /// It is the last one that was judged; too little was counted since.
    Kept {
        /// So many of a thousand messages go as if nothing were known.
        regained: u16,
    },
    /// On what was counted of late, and it was worse before.
    Regaining {
        /// How it did then, in thousandths.
        floor: u16,
        /// So many of a thousand messages go by what was counted of late, the others as it did then.
        regained: u16,
    },
}

/// A score and what it rests on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Judged {
    /// How the operator does.
    pub score: Score,
    /// On what that rests.
    pub basis: Basis,
}

impl Basis {
    /// Whether `other` differs so much that it is worth telling: in its kind, or in two hundredths of messages.
    pub fn differs(self, other: Self) -> bool {
        let kind = std::mem::discriminant(&self) != std::mem::discriminant(&other);
        kind || self.floor() != other.floor() || self.regained().abs_diff(other.regained()) >= 20
    }

    /// The name in SQL and API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Measured => "measured",
            Self::Kept { .. } => "kept",
            Self::Regaining { .. } => "regaining",
        }
    }

    /// How many of a thousand messages do not go by an old judgement.
    pub const fn regained(self) -> u16 {
        match self {
            Self::Unknown | Self::Measured => ALL,
            Self::Kept { regained } | Self::Regaining { regained, .. } => regained,
        }
    }

    /// How it did when it was judged worse, where that still counts for some.
    pub const fn floor(self) -> Option<u16> {
        match self {
            Self::Regaining { floor, .. } => Some(floor),
            _ => None,
        }
    }
}

impl Judged {
    /// A score that was counted.
    pub const fn measured(score: Score) -> Self {
        Self { score, basis: Basis::Measured }
    }

    /// What holds after `passed`, where `measured` was counted of late and says as much of receipts where `is_whole`; `None`:
    /// nothing is known any more.
    ///
    /// After a score for what was delivered, what is better counts with its receipts only: a route that takes everything and
    /// delivers nothing looks well until they are missing.
    #[must_use]
    pub fn next(self, measured: Option<(Score, bool)>, passed: TimeDelta) -> Option<Self> {
        let delivers = self.score.delivery == ALL;
        let counts = |(score, is_whole): &(Score, bool)| delivers || *is_whole || score.health() <= self.floor();
        match (self.basis, measured.filter(counts).map(|(score, _)| score)) {
            (Basis::Unknown, _) => measured.map(|(score, _)| Self::measured(score)),
            (Basis::Measured, Some(score)) => Some(Self::measured(score)),
            (Basis::Measured, None) => self.keep(0),
            (Basis::Kept { .. } | Basis::Regaining { .. }, Some(score)) if score.health() <= self.floor() => {
                Some(Self::measured(score))
            }
            (Basis::Kept { regained }, Some(score)) => {
                let basis = Basis::Regaining { floor: self.score.health(), regained };
                Some(Self { score, basis })
            }
            (Basis::Kept { regained }, None) => self.keep(later(regained, passed, FORGETS)),
            (Basis::Regaining { floor, regained }, Some(score)) => {
                Some(Self { score, ..self }.regain(floor, later(regained, passed, REGAINS)))
            }
            (Basis::Regaining { floor, regained }, None) => Some(self.regain(floor, later(regained, passed, FORGETS))),
        }
    }

    /// What is as bad as this, or worse, takes everything away at once.
    fn floor(self) -> u16 {
        self.basis.floor().unwrap_or_else(|| self.score.health())
    }

    fn keep(self, regained: u16) -> Option<Self> {
        let is_over = self.score.health() >= ENOUGH || regained >= ENOUGH;
        (!is_over).then_some(Self { basis: Basis::Kept { regained }, ..self })
    }

    fn regain(self, floor: u16, regained: u16) -> Self {
        let basis = if regained >= ENOUGH { Basis::Measured } else { Basis::Regaining { floor, regained } };
        Self { basis, ..self }
    }
}

/// What a share has grown to: what is left of it to grow halves every `half`, along a line in between.
fn later(regained: u16, passed: TimeDelta, half: TimeDelta) -> u16 {
    let (passed, half) = (passed.num_seconds().max(0), half.num_seconds());
    let halvings = u32::try_from(passed / half).unwrap_or(u32::MAX);
    let left = i64::from(ALL.saturating_sub(regained)).checked_shr(halvings).unwrap_or(0);
    let left = left * (2 * half - passed % half) / (2 * half);
    ALL - u16::try_from(left).unwrap_or(ALL).min(ALL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(delivery: u16) -> Score {
        Score { delivery, ..Score::default() }
    }

    fn judged(delivery: u16, basis: Basis) -> Judged {
        Judged { score: score(delivery), basis }
    }

    #[test]
    fn a_judgement_lasts_and_is_forgotten_little_by_little() {
        let bad = judged(300, Basis::Measured);
        let kept = bad.next(None, TimeDelta::zero()).unwrap();
        assert_eq!(kept, judged(300, Basis::Kept { regained: 0 }));
        for (minutes, expected) in [(15, 32), (60, 125), (120, 250), (240, 500), (480, 750), (720, 875), (1_320, 977)] {
            let later = kept.next(None, TimeDelta::minutes(minutes));
            assert_eq!(later, Some(judged(300, Basis::Kept { regained: expected })), "after {minutes} minutes");
        }
        assert_eq!(kept.next(None, TimeDelta::hours(24)), None);
        assert_eq!(judged(985, Basis::Measured).next(None, TimeDelta::zero()), None, "what was well is not remembered");
    }

    #[test]
    fn what_is_measured_gives_the_rest_soon_or_takes_everything_at_once() {
        let (kept, regaining) = (Basis::Kept { regained: 100 }, Basis::Regaining { floor: 300, regained: 100 });
        let quarter = TimeDelta::minutes(15);
        let rows = [
            // As judged, delivery of what is measured and whether its receipts are known, and what holds then.
            (judged(300, kept), Some((900, true)), Some(judged(900, regaining))),
            (judged(300, kept), Some((300, true)), Some(judged(300, Basis::Measured))),
            (judged(300, kept), Some((200, false)), Some(judged(200, Basis::Measured))),
            (judged(300, kept), Some((1000, false)), Some(judged(300, Basis::Kept { regained: 129 }))),
            (
                judged(900, regaining),
                Some((950, true)),
                Some(judged(950, Basis::Regaining { floor: 300, regained: 550 })),
            ),
            (judged(900, regaining), Some((250, true)), Some(judged(250, Basis::Measured))),
            (judged(900, regaining), None, Some(judged(900, Basis::Regaining { floor: 300, regained: 129 }))),
            (
                judged(900, Basis::Regaining { floor: 300, regained: 970 }),
                Some((900, true)),
                Some(judged(900, Basis::Measured)),
            ),
            // While it carries traffic, it is as it is measured.
            (judged(300, Basis::Measured), Some((900, true)), Some(judged(900, Basis::Measured))),
            (judged(300, Basis::Measured), Some((900, false)), Some(judged(300, Basis::Kept { regained: 0 }))),
            (judged(1000, Basis::Measured), Some((900, false)), Some(judged(900, Basis::Measured))),
            (judged(1000, Basis::Unknown), Some((900, false)), Some(judged(900, Basis::Measured))),
            (judged(1000, Basis::Unknown), None, None),
        ];
        for (before, measured, expected) in rows {
            let measured = measured.map(|(delivery, is_whole)| (score(delivery), is_whole));
            assert_eq!(before.next(measured, quarter), expected, "{before:?} {measured:?}");
        }
    }

    #[test]
    fn small_steps_are_not_told() {
        let rows = [
            (Basis::Kept { regained: 100 }, Basis::Kept { regained: 119 }, false),
            (Basis::Kept { regained: 100 }, Basis::Kept { regained: 120 }, true),
            (Basis::Kept { regained: 100 }, Basis::Regaining { floor: 300, regained: 100 }, true),
            (Basis::Measured, Basis::Measured, false),
        ];
        for (one, other, expected) in rows {
            assert_eq!(one.differs(other), expected, "{one:?} {other:?}");
        }
    }
}
