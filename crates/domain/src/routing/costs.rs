//! What operators cost, in the currency of the price.

use chrono::{DateTime, Utc};

use crate::fx::{Exchanged, Fx, Quote};
use crate::id::OperatorId;
use crate::money::{Currency, Micros};
use crate::tariff::{Rate, in_force};
use crate::traffic::TrafficClass;

/// A cost as it is compared with others. Those that nobody can convert come behind, each currency by itself.
pub(super) type Compared = (Option<Currency>, i64);

/// What a segment costs with an operator.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost<'a> {
    /// Its rate that is in force.
    pub(super) rate: Option<&'a Rate>,
    /// The cost in the currency of the price, where the rate is in another one.
    pub(super) exchange: Option<Exchanged>,
    /// The cost in the currency of the price, exchange and all; `None`: nobody can convert it.
    pub(super) total: Option<Micros>,
}

impl<'a> Cost<'a> {
    /// The cost by `rate`.
    pub(super) fn of(rate: Option<&'a Rate>, exchanges: &mut Exchanges<'_>) -> Self {
        let exchange = rate.and_then(|rate| exchanges.convert(rate.currency, rate.price));
        let own = rate.filter(|rate| rate.currency == exchanges.into).map(|rate| rate.price);
        Self { rate, exchange, total: own.or_else(|| exchange?.total()) }
    }

    /// As it is compared with others.
    pub(super) fn compared(&self) -> Compared {
        match (self.total, self.rate) {
            (Some(total), _) => (None, total.get()),
            (None, Some(rate)) => (Some(rate.currency), rate.price.get()),
            (None, None) => (None, i64::MAX),
        }
    }
}

/// Costs in the currency of the price. Operators that take the same currency come one after the other more often than
/// not: the rate that was found last is kept.
pub(super) struct Exchanges<'a> {
    fx: &'a Fx,
    into: Currency,
    at: DateTime<Utc>,
    last: Option<(Currency, Option<Quote<'a>>)>,
}

impl<'a> Exchanges<'a> {
    /// By the rates that are in force at a moment.
    pub(super) fn new(fx: &'a Fx, into: Currency, at: DateTime<Utc>) -> Self {
        Self { fx, into, at, last: None }
    }

    /// An amount in the currency of the price; `None`: it is in that currency, or no exchange rate is in force.
    fn convert(&mut self, currency: Currency, amount: Micros) -> Option<Exchanged> {
        if currency == self.into {
            return None;
        }
        let quote = match self.last {
            Some((last, quote)) if last == currency => quote,
            _ => self.fx.quote(currency, self.into, self.at),
        };
        self.last = Some((currency, quote));
        quote?.convert(amount)
    }

    /// The sum of amounts in the currency of the price; `None`: nobody can convert one of them.
    pub(super) fn sum(&mut self, amounts: &[(Currency, Micros)]) -> Option<Micros> {
        let sum = amounts.iter().try_fold(0_i64, |sum, (currency, amount)| {
            let own = if *currency == self.into { Some(*amount) } else { self.convert(*currency, *amount)?.total() };
            Some(sum.saturating_add(own?.get()))
        });
        sum.map(Micros::new)
    }
}

/// Rates that are sorted by operator, walked along with operators that are, too: no search for each.
pub(super) struct Rates<'a>(pub(super) &'a [Rate]);

impl<'a> Rates<'a> {
    /// The rate of an operator that is in force: that of the class before that of every class. Operators are asked for in
    /// their order.
    #[inline]
    pub(super) fn of(
        &mut self,
        operator: OperatorId,
        class: Option<TrafficClass>,
        at: DateTime<Utc>,
    ) -> Option<&'a Rate> {
        let mut of_every_class = None;
        while let Some((first, behind)) = self.0.split_first() {
            if first.operator > operator {
                break;
            }
            if first.operator == operator && in_force(first.from, first.to, at) {
                if first.class == class {
                    return Some(first);
                } else if first.class.is_none() {
                    of_every_class = Some(first);
                }
            }
            self.0 = behind;
        }
        of_every_class
    }
}
