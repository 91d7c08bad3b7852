//! What operators cost, in the currency of the price.

use chrono::{DateTime, Utc};

use crate::fx::{Exchanged, Fx, Quote};
use crate::id::OperatorId;
use crate::money::{Currency, Micros};
use crate::tariff::{Rate, in_force};
use crate::traffic::TrafficClass;

/// A cost as it is compared with others: of those that nobody can convert the currency, 0 of all others; and the amount.
/// Those that nobody can convert come behind, each currency by itself.
pub(super) type Compared = (u32, i64);

/// A cost by a rate, as it is compared. `total` is [`Exchanges::total`] of it.
pub(super) fn compared(rate: Option<&Rate>, total: Option<Micros>) -> Compared {
    match (total, rate) {
        (Some(total), _) => (0, total.get()),
        (None, Some(rate)) => (rate.currency.number(), rate.price.get()),
        (None, None) => (0, i64::MAX),
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

    /// An amount in the currency of the price, and how it came to that; `None`: it is in that currency, or no exchange
    /// rate is in force.
    pub(super) fn convert(&mut self, currency: Currency, amount: Micros) -> Option<Exchanged> {
        if currency == self.into {
            return None;
        }
        self.quote(currency)?.convert(amount)
    }

    /// What an amount costs in the currency of the price, exchange and all; `None`: nobody can convert it.
    #[inline]
    pub(super) fn total(&mut self, currency: Currency, amount: Micros) -> Option<Micros> {
        if currency == self.into { Some(amount) } else { self.quote(currency)?.total(amount) }
    }

    fn quote(&mut self, currency: Currency) -> Option<Quote<'a>> {
        match self.last {
            Some((last, quote)) if last == currency => quote,
            _ => {
                let quote = self.fx.quote(currency, self.into, self.at);
                self.last = Some((currency, quote));
                quote
            }
        }
    }

    /// The sum of amounts in the currency of the price; `None`: nobody can convert one of them.
    pub(super) fn sum(&mut self, amounts: &[(Currency, Micros)]) -> Option<Micros> {
        let sum = amounts
            .iter()
            .try_fold(0_i64, |sum, (currency, amount)| Some(sum.saturating_add(self.total(*currency, *amount)?.get())));
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
        class: Option<&TrafficClass>,
        at: DateTime<Utc>,
    ) -> Option<&'a Rate> {
        let mut of_every_class = None;
        while let Some((first, behind)) = self.0.split_first() {
            if first.operator > operator {
                break;
            }
            if first.operator == operator && in_force(first.from, first.to, at) {
                if first.class.as_ref() == class {
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
