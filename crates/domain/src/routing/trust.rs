//! How far the receipts of an operator are believed. Receipts are words: an operator that reports every message as
//! delivered, at once, all after the same time, or to numbers that nobody can reach, sells what it does not do. What is
//! known from elsewhere (test numbers, conversions, complaints) is held against them, also by comparison with the other
//! operators of the same network.

use serde::{Deserialize, Serialize};

use super::health::{CLASSES, Latencies, share};

/// Below this an operator comes behind all that are trusted and up, whatever it costs.
pub const TRUSTED_MIN: u16 = 500;
/// All.
const ALL: u16 = 1_000;
/// Receipts at least, before their form is judged.
const RECEIPTS_MIN: u64 = 100;
/// And before it is suspicious that all say delivered.
const EVERYTHING_MIN: u64 = 500;
/// Messages at least on either side, before conversions and complaints are compared.
const WATCHED_MIN: u64 = 100;
/// And conversions or complaints at least on the side that has more.
const OPINIONS_MIN: u64 = 20;

/// What was counted of an operator at a network over days.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Record {
    /// Receipts that say delivered.
    pub delivered: u64,
    /// Final receipts that say something else.
    pub failed: u64,
    /// How long the delivered ones took, by class.
    pub latencies: Latencies,
    /// The sum of these times, in milliseconds.
    pub latency_ms: u64,
    /// The sum of their squares, in squares of hundredths of a second.
    pub latency_sq: u64,
    /// Delivered messages of accounts that give feedback.
    pub watched: u64,
    /// Of which converted.
    pub converted: u64,
    /// Of which did not arrive, say their senders.
    pub not_received: u64,
    /// Final receipts of messages to numbers that nobody can reach.
    pub dead: u64,
    /// Of which say delivered.
    pub dead_delivered: u64,
    /// Messages to numbers where somebody told what arrived.
    pub tests: u64,
    /// Of which the receipt said the opposite.
    pub untrue: u64,
}

/// Why receipts are not fully believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// Numbers that nobody can reach were reported as delivered.
    DeliveredToDead,
    /// At test numbers something else arrived than was reported.
    UntrueTests,
    /// Within half a second.
    TooFast,
    /// After ten minutes and more.
    TooLate,
    /// All after the same time.
    AllAlike,
    /// Every message, where other operators of this network do not.
    DeliversEverything,
    /// Fewer messages convert than by other operators of this network.
    ConvertsLess,
    /// More messages do not arrive, say their senders, than by other operators of this network.
    NotReceived,
}

impl Doubt {
    /// The name in API and CLI.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DeliveredToDead => "delivered_to_dead",
            Self::UntrueTests => "untrue_tests",
            Self::TooFast => "too_fast",
            Self::TooLate => "too_late",
            Self::AllAlike => "all_alike",
            Self::DeliversEverything => "delivers_everything",
            Self::ConvertsLess => "converts_less",
            Self::NotReceived => "not_received",
        }
    }
}

/// A doubt and what it takes from 1,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Which.
    pub doubt: Doubt,
    /// How much trust it takes.
    pub takes: u16,
}

/// How far an operator is believed, and why not fully.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Doubts(pub Vec<Reason>);

impl Doubts {
    /// 1,000 less what all doubts take, at least 0.
    pub fn trust(&self) -> u16 {
        self.0.iter().fold(ALL, |trust, reason| trust.saturating_sub(reason.takes))
    }
}

/// Judges `own`; `others` is the record of all other operators at the same network together.
pub fn judge(own: &Record, others: &Record) -> Doubts {
    let judged = [
        (Doubt::DeliveredToDead, dead(own)),
        (Doubt::UntrueTests, tests(own)),
        (Doubt::TooFast, too_fast(own)),
        (Doubt::TooLate, too_late(own)),
        (Doubt::AllAlike, all_alike(own)),
        (Doubt::DeliversEverything, everything(own, others)),
        (Doubt::ConvertsLess, converts_less(own, others)),
        (Doubt::NotReceived, not_received(own, others)),
    ];
    let doubts = judged.into_iter().map(|(doubt, takes)| Reason { doubt, takes });
    Doubts(doubts.filter(|reason| reason.takes > 0).collect())
}

/// One lie is worth 300: a number may have come to life. All lies are worth 900.
fn dead(own: &Record) -> u16 {
    match own.dead_delivered {
        0 => 0,
        lies => 300.max(scaled(share(lies, own.dead), 900)).min(if lies == 1 { 300 } else { 900 }),
    }
}

fn tests(own: &Record) -> u16 {
    match own.untrue {
        0 => 0,
        lies => scaled(share(lies, own.tests), 900).min(if lies == 1 { 200 } else { 900 }),
    }
}

/// A message needs a look-up, a page and an answer over the air: hardly ever done in half a second. Up to a twentieth
/// is forgiven.
fn too_fast(own: &Record) -> u16 {
    if own.delivered < RECEIPTS_MIN {
        return 0;
    }
    scaled(share(own.latencies.0[0], own.delivered).saturating_sub(50), 600)
}

/// Handsets are switched off at times: a tenth is forgiven.
fn too_late(own: &Record) -> u16 {
    if own.delivered < RECEIPTS_MIN {
        return 0;
    }
    scaled(share(own.latencies.0[CLASSES - 1], own.delivered).saturating_sub(100), 400)
}

/// The standard deviation is less than a twentieth of the mean, or than 50 ms: `n·Σx² − (Σx)²` is the square of it,
/// times `n²`.
fn all_alike(own: &Record) -> u16 {
    if own.delivered < RECEIPTS_MIN {
        return 0;
    }
    let (count, sum) = (i128::from(own.delivered), i128::from(own.latency_ms / 10));
    let spread = count * i128::from(own.latency_sq) - sum * sum;
    if spread * 400 < sum * sum || spread < 25 * count * count { 300 } else { 0 }
}

/// Everything arrives (995 of 1,000), and by the others less than 97 %, or nobody knows.
fn everything(own: &Record, others: &Record) -> u16 {
    let all = own.delivered + own.failed;
    if all < EVERYTHING_MIN || share(own.delivered, all) < 995 {
        return 0;
    }
    let of_others = others.delivered + others.failed;
    match share(others.delivered, of_others) {
        _ if of_others < EVERYTHING_MIN => 100,
        ..970 => 250,
        _ => 0,
    }
}

/// Less than half as many convert. Nothing at all, where the others convert, is worth 700.
fn converts_less(own: &Record, others: &Record) -> u16 {
    if own.watched < WATCHED_MIN || others.watched < WATCHED_MIN || others.converted < OPINIONS_MIN {
        return 0;
    }
    // own.converted / own.watched over others.converted / others.watched
    let own_part = u128::from(own.converted) * u128::from(others.watched);
    let their_part = u128::from(others.converted) * u128::from(own.watched);
    let ratio = u16::try_from(own_part * 1_000 / their_part.max(1)).unwrap_or(u16::MAX);
    if ratio >= 500 { 0 } else { scaled(ALL - ratio, 700) }
}

/// More than three times as many complaints, and at least 20: as many in a hundred as do not arrive are worth ten each.
fn not_received(own: &Record, others: &Record) -> u16 {
    if own.watched < WATCHED_MIN || own.not_received < OPINIONS_MIN || others.watched < WATCHED_MIN {
        return 0;
    }
    let own_part = u128::from(own.not_received) * u128::from(others.watched);
    let their_part = u128::from(others.not_received) * u128::from(own.watched);
    if own_part <= 3 * their_part { 0 } else { share(own.not_received, own.watched).min(600) }
}

/// So many thousandths of `most`.
fn scaled(permille: u16, most: u16) -> u16 {
    u16::try_from(u32::from(permille) * u32::from(most) / 1_000).unwrap_or(most)
}

impl Record {
    /// Whether it is enough to judge by; otherwise the operator is judged by all networks together.
    pub fn is_enough(&self) -> bool {
        self.delivered >= RECEIPTS_MIN || self.dead_delivered > 0 || self.untrue > 0
    }

    /// Adds up.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        for (own, more) in self.latencies.0.iter_mut().zip(other.latencies.0) {
            *own += more;
        }
        Self {
            delivered: self.delivered + other.delivered,
            failed: self.failed + other.failed,
            latencies: self.latencies,
            latency_ms: self.latency_ms.saturating_add(other.latency_ms),
            latency_sq: self.latency_sq.saturating_add(other.latency_sq),
            watched: self.watched + other.watched,
            converted: self.converted + other.converted,
            not_received: self.not_received + other.not_received,
            dead: self.dead + other.dead,
            dead_delivered: self.dead_delivered + other.dead_delivered,
            tests: self.tests + other.tests,
            untrue: self.untrue + other.untrue,
        }
    }
}

#[cfg(test)]
mod tests;
