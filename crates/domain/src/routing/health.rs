//! How well an operator carries messages to a network: what was counted of it lately becomes one score, by which routing
//! weighs cost.

use serde::{Deserialize, Serialize};

use super::trust::TRUSTED_MIN;
use crate::money::Micros;

mod memory;

pub use memory::{Basis, Judged};

/// The classes of latency end below these, in milliseconds; one more class holds what took longer.
pub const EDGES_MS: [i64; 11] = [500, 1_000, 2_000, 3_000, 5_000, 8_000, 15_000, 30_000, 60_000, 300_000, 600_000];
/// Classes of latency.
pub const CLASSES: usize = EDGES_MS.len() + 1;
/// An operator that was given fewer segments to a network than this is judged by how it does at all networks together,
/// and one that was given fewer altogether is not judged.
pub const SEGMENTS_MIN: u64 = 20;
/// Nineteen of twenty messages that are delivered within this time are quick enough, in milliseconds.
const QUICK_MS: i64 = 30_000;
/// What is slower than everything that is told apart.
const SLOWEST_MS: i64 = 3_600_000;
/// Slowness alone costs at most nine tenths.
const SPEED_MIN: u16 = 100;
/// All.
const ALL: u16 = 1_000;

/// How long messages took from the submit to a receipt that says delivered, counted by class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Latencies(pub [u64; CLASSES]);

impl Latencies {
    /// So many of a thousand took no longer than this, in milliseconds: the end of a class, so rather too much than too
    /// little. `None`: nothing was delivered.
    pub fn percentile_ms(&self, permille: u64) -> Option<i64> {
        let total: u64 = self.0.iter().sum();
        let wanted = total.saturating_mul(permille).div_ceil(1_000).max(1);
        let mut seen = 0;
        let reaches = self.0.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        reaches.filter(|_| total > 0).map(|class| EDGES_MS.get(class).copied().unwrap_or(SLOWEST_MS))
    }
}

/// What was counted of an operator at a network in a window of time, in segments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Answered with success.
    pub accepted: u64,
    /// Refused for a reason of the operator's.
    pub refused: u64,
    /// Refused for one of the message's own, which says nothing of the operator.
    pub rejected: u64,
    /// Never answered.
    pub unanswered: u64,
    /// Receipts that say delivered.
    pub delivered: u64,
    /// Final receipts that say something else.
    pub failed: u64,
    /// Accepted so long ago that there should be a final receipt, and there is none.
    pub missing: u64,
    /// How long the delivered ones took.
    pub latencies: Latencies,
}

impl Counts {
    /// Segments that an operator accepted, refused or did not answer.
    pub fn judged(&self) -> u64 {
        self.accepted + self.refused + self.unanswered
    }

    /// Segments that have a final receipt, or should have one.
    fn receipts(&self) -> u64 {
        self.delivered + self.failed + self.missing
    }

    /// Whether enough receipts are there to say how much is delivered.
    pub fn has_receipts(&self) -> bool {
        self.receipts() >= SEGMENTS_MIN
    }

    /// Adds up.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        for (own, more) in self.latencies.0.iter_mut().zip(other.latencies.0) {
            *own += more;
        }
        Self {
            accepted: self.accepted + other.accepted,
            refused: self.refused + other.refused,
            rejected: self.rejected + other.rejected,
            unanswered: self.unanswered + other.unanswered,
            delivered: self.delivered + other.delivered,
            failed: self.failed + other.failed,
            missing: self.missing + other.missing,
            latencies: self.latencies,
        }
    }
}

/// How an operator does, in thousandths; all are 1,000 where nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Score {
    /// Submits that were accepted, of those that say something of the operator.
    pub success: u16,
    /// Delivered, of all that have a final receipt or should have one.
    pub delivery: u16,
    /// 30 seconds by the time in which 95 % of the delivered messages were there; 1,000 at most, 100 at least.
    pub speed: u16,
    /// How far its receipts are believed: see [`super::trust`].
    pub trust: u16,
}

impl Default for Score {
    fn default() -> Self {
        Self { success: ALL, delivery: ALL, speed: ALL, trust: ALL }
    }
}

impl Score {
    /// What `counts` say; `None`: they are too few.
    pub fn of(counts: &Counts) -> Option<Self> {
        if counts.judged() < SEGMENTS_MIN {
            return None;
        }
        let p95 = counts.latencies.percentile_ms(950).unwrap_or(QUICK_MS);
        let speed = QUICK_MS * i64::from(ALL) / p95.max(QUICK_MS);
        Some(Self {
            success: share(counts.accepted, counts.judged()),
            delivery: if counts.has_receipts() { share(counts.delivered, counts.receipts()) } else { ALL },
            speed: u16::try_from(speed).unwrap_or(ALL).max(SPEED_MIN),
            trust: ALL,
        })
    }

    /// The same, believed so far.
    #[must_use]
    pub const fn trusted(self, trust: u16) -> Self {
        Self { trust, ..self }
    }

    /// All four multiplied, rounded down, at least 1.
    pub fn permille(self) -> u16 {
        let product = [self.success, self.delivery, self.speed, self.trust].map(u64::from).iter().product::<u64>();
        u16::try_from(product / 1_000_000_000).unwrap_or(ALL).clamp(1, ALL)
    }

    /// Whether it is believed enough to come before what is cheaper and is not.
    pub const fn is_trusted(self) -> bool {
        self.trust >= TRUSTED_MIN
    }

    /// The first three multiplied: how it does, if its receipts are believed.
    pub fn health(self) -> u16 {
        self.trusted(ALL).permille()
    }

    /// Whether `other` differs so much that it is worth telling: a part by two hundredths, or in whether it is trusted.
    pub fn differs(self, other: Self) -> bool {
        let parts = |score: Self| [score.success, score.delivery, score.speed, score.trust];
        let differ = |(a, b): (u16, u16)| a.abs_diff(b) >= 20;
        self.is_trusted() != other.is_trusted() || parts(self).into_iter().zip(parts(other)).any(differ)
    }
}

/// `part` of `whole` in thousandths, rounded down. Nothing of nothing is all.
pub(super) fn share(part: u64, whole: u64) -> u16 {
    if whole == 0 {
        return ALL;
    }
    u16::try_from(u128::from(part) * 1_000 / u128::from(whole)).unwrap_or(ALL).min(ALL)
}

/// What a success costs: cost divided by the score, for comparison only, in millionths of the cost's micros; rounded
/// down. A route that costs nothing is taken to cost one micro, so that the better one of two goes first.
pub fn cost_of_success(cost: Micros, score_permille: u16) -> i64 {
    let (cost, score) = (cost.get().max(1), i64::from(score_permille.max(1)));
    // Prices of messages are small, and a division of 64 bits takes a tenth of one of 128.
    let weighed = || i64::try_from(i128::from(cost) * 1_000_000 / i128::from(score)).unwrap_or(i64::MAX);
    cost.checked_mul(1_000_000).map_or_else(weighed, |cost| cost / score)
}

#[cfg(test)]
mod tests;
