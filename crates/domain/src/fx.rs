//! Exchange rates: dated, exact, and with a spread. Amounts are converted in integers, rounded once, half to even.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use foldhash::HashMap;
use serde::{Deserialize, Serialize};

use crate::id::ExchangeRateId;
use crate::money::{Currency, Micros};
use crate::tariff::in_force;

/// Parts of a rate in one: it has nine digits after the point.
const SCALE: i64 = 1_000_000_000;
/// Digits after the point of a rate.
const DECIMALS: usize = 9;
/// The largest spread, in parts per million: half of the amount.
pub const SPREAD_PPM_MAX: u32 = 500_000;

/// Why a string is not a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a decimal number above 0 such as \"13950.25\", with at most nine digits after the point")]
pub struct ParseError;

/// How much of one currency one unit of another is, in 10⁻⁹; more than 0. Outside it is a decimal string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ratio(i64);

impl Ratio {
    /// A rate that was read, in 10⁻⁹; `None`: not above 0.
    pub const fn new(nanos: i64) -> Option<Self> {
        if nanos > 0 { Some(Self(nanos)) } else { None }
    }

    /// What the database stores.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl FromStr for Ratio {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > DECIMALS {
            return Err(ParseError);
        }
        let whole: i64 = whole.parse().map_err(|_| ParseError)?;
        let fraction: i64 = format!("{fraction:0<9}").parse().map_err(|_| ParseError)?;
        let nanos = whole.checked_mul(SCALE).and_then(|nanos| nanos.checked_add(fraction));
        nanos.and_then(Self::new).ok_or(ParseError)
    }
}

impl fmt::Display for Ratio {
    /// Without zeros at its end: `13950.25`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:09}", self.0 % SCALE);
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{}", self.0 / SCALE),
            digits => write!(f, "{}.{digits}", self.0 / SCALE),
        }
    }
}

/// One dated exchange rate. Never edited: a new one closes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeRate {
    /// Its id, stored with every message that it converted the cost of.
    pub id: ExchangeRateId,
    /// How much of the second currency one unit of the first is, in the middle between buying and selling.
    pub ratio: Ratio,
    /// What an exchange costs on top, in millionths of the amount that comes out.
    pub spread_ppm: u32,
    /// From when it holds, inclusive.
    pub from: DateTime<Utc>,
    /// Until when, exclusive; `None` means open.
    pub to: Option<DateTime<Utc>>,
}

/// An amount in another currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchanged {
    /// By which exchange rate.
    pub rate_id: ExchangeRateId,
    /// The currency that it was converted into.
    pub currency: Currency,
    /// The amount by the rate, rounded half to even to a micro.
    pub amount: Micros,
    /// What the exchange itself costs, rounded half to even to a micro.
    pub spread: Micros,
}

impl Exchanged {
    /// What is paid in all: the amount and the spread. `None` beyond the range of the type.
    pub fn total(&self) -> Option<Micros> {
        self.amount.get().checked_add(self.spread.get()).map(Micros::new)
    }
}

/// All exchange rates, by what is given and what is got.
#[derive(Debug, Clone, Default)]
pub struct Fx {
    rates: HashMap<(Currency, Currency), Vec<ExchangeRate>>,
}

impl Fx {
    /// Adds a rate from the first currency into the second.
    pub fn add(&mut self, pair: (Currency, Currency), rate: ExchangeRate) {
        self.rates.entry(pair).or_default().push(rate);
    }

    /// Takes a rate from the first currency into the second instead of all that there are.
    pub fn replace(&mut self, pair: (Currency, Currency), rate: ExchangeRate) {
        self.rates.insert(pair, vec![rate]);
    }

    /// When rates begin and end; `None` for an open end.
    pub fn moments(&self) -> impl Iterator<Item = Option<DateTime<Utc>>> {
        self.rates.values().flatten().flat_map(|rate| [Some(rate.from), rate.to])
    }

    /// The rate in force between two currencies: the direct one, else the inverse of the one the other way. No third
    /// currency is taken: a chain of two rates would have no one row to name.
    pub fn quote(&self, from: Currency, into: Currency, at: DateTime<Utc>) -> Option<Quote<'_>> {
        let holds = |pair| self.rates.get(&pair)?.iter().find(|rate| in_force(rate.from, rate.to, at));
        let direct = holds((from, into)).map(|rate| Quote { rate, is_inverse: false, into });
        direct.or_else(|| Some(Quote { rate: holds((into, from))?, is_inverse: true, into }))
    }

    /// An amount in another currency at the rate in force. `None`: no rate is in force, or the amount leaves the range of
    /// the type.
    pub fn convert(&self, amount: Micros, (from, into): (Currency, Currency), at: DateTime<Utc>) -> Option<Exchanged> {
        self.quote(from, into, at)?.convert(amount)
    }

    /// What an amount of the first currency costs in the second, exchange and all; the amount itself where they are one.
    /// `None` as in [`Fx::convert`].
    pub fn total(&self, amount: Micros, (from, into): (Currency, Currency), at: DateTime<Utc>) -> Option<Micros> {
        if from == into { Some(amount) } else { self.convert(amount, (from, into), at)?.total() }
    }
}

/// The rate by which amounts of one currency become amounts of another at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Quote<'a> {
    rate: &'a ExchangeRate,
    is_inverse: bool,
    into: Currency,
}

impl Quote<'_> {
    /// An amount in the other currency. `None`: it leaves the range of the type.
    pub fn convert(&self, amount: Micros) -> Option<Exchanged> {
        let (amount, spread) = self.parts(amount)?;
        Some(Exchanged { rate_id: self.rate.id, currency: self.into, amount, spread })
    }

    /// What an amount costs in the other currency, exchange and all. `None`: it leaves the range of the type.
    pub fn total(&self, amount: Micros) -> Option<Micros> {
        let (amount, spread) = self.parts(amount)?;
        amount.get().checked_add(spread.get()).map(Micros::new)
    }

    /// The amount by the rate, and what the exchange costs.
    fn parts(&self, amount: Micros) -> Option<(Micros, Micros)> {
        let ratio = self.rate.ratio.get();
        let (by, over) = if self.is_inverse { (SCALE, ratio) } else { (ratio, SCALE) };
        let got = times(amount.get(), by, over)?;
        let spread = times(got, i64::from(self.rate.spread_ppm), 1_000_000)?;
        Some((Micros::new(got), Micros::new(spread)))
    }
}

/// `number` × `by` ÷ `over` (above 0), rounded to the nearest; what lies in the middle goes to the even one. `None`: it
/// leaves the range of the type.
fn times(number: i64, by: i64, over: i64) -> Option<i64> {
    // Prices of messages are small, and a division of 64 bits takes a tenth of one of 128.
    if let Some(product) = number.checked_mul(by) {
        let (whole, rest) = (product.div_euclid(over), product.rem_euclid(over));
        return Some(whole + i64::from(goes_up(whole & 1 == 1, rest, over)));
    }
    let (product, divisor) = (i128::from(number) * i128::from(by), i128::from(over));
    let (whole, rest) = (product.div_euclid(divisor), i64::try_from(product.rem_euclid(divisor)).ok()?);
    i64::try_from(whole + i128::from(goes_up(whole & 1 == 1, rest, over))).ok()
}

/// Whether a rest of a division goes up to the next whole number.
fn goes_up(is_odd: bool, rest: i64, over: i64) -> bool {
    match rest.cmp(&(over - rest)) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => is_odd,
    }
}

#[cfg(test)]
mod tests;
