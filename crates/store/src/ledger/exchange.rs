//! What a supplier takes in one currency and a customer pays for in another: the exchange, as lines of the journal.
//!
//! The cost stays where it is booked, in the currency of the supplier. The exchange is a linked set of lines of the same
//! entry that moves it into the currency of the price: out of `supplier_cost` there against the house's position `fx`, into
//! `supplier_cost` here against `fx`, and what the exchange itself costs in `fx_spread`, against `fx`, too. So each
//! currency sums to zero, `fx` shows what must still be bought, and `revenue + supplier_cost + fx_spread` of a currency is
//! what the house earned in it. All three amounts are unit × segments, fixed when the message got its operator: rounding
//! happened once, and its remainder lies in `fx`.

use domain::{Currency, Micros};

/// What is exchanged for the messages of one sender at one operator.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Exchange {
    /// In the currency of the supplier.
    cost: i64,
    /// The same in the currency of the price, by the exchange rate.
    amount: i64,
    /// What the exchange costs, in the currency of the price.
    spread: i64,
    /// How many messages.
    pub(super) messages: i32,
}

impl Exchange {
    /// Adds one message; `None`: an amount leaves the range of the type.
    pub(super) fn add(&mut self, cost: i64, amount: Option<Micros>, spread: Option<Micros>) -> Option<()> {
        self.cost = self.cost.checked_add(cost)?;
        self.amount = self.amount.checked_add(amount?.get())?;
        self.spread = self.spread.checked_add(spread?.get())?;
        self.amount.checked_add(self.spread)?;
        self.messages += 1;
        Some(())
    }

    /// Ledger, currency and amount of each line that is not zero.
    pub(super) fn lines(
        &self,
        supplier: Currency,
        price: Currency,
    ) -> impl Iterator<Item = (&'static str, Currency, i64)> {
        let Self { cost, amount, spread, .. } = *self;
        let lines = [
            ("supplier_cost", supplier, cost),
            ("fx", supplier, -cost),
            ("supplier_cost", price, -amount),
            ("fx_spread", price, -spread),
            ("fx", price, amount + spread),
        ];
        lines.into_iter().filter(|(.., posted)| *posted != 0)
    }
}
