//! A slow, plain model of the business: what everybody must have and owe, from what happened and the price lists alone. It
//! shares no line with the product.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use domain::{AccountId, MessageId, OperatorId};

/// When a price is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charge {
    Submit,
    Delivered,
}

/// A price from a moment on.
#[derive(Debug, Clone, Copy)]
struct Price {
    from: DateTime<Utc>,
    micros: i64,
    charge: Charge,
}

impl Price {
    /// Whether it is taken on delivery though nobody said anything: here, where the price is odd.
    fn is_captured_unconfirmed(self) -> bool {
        is_odd(self.micros)
    }
}

/// Whether an amount is an odd number of its currency's major unit: what random prices and rates say besides.
pub(super) const fn is_odd(micros: i64) -> bool {
    micros / 1_000_000 % 2 == 1
}

/// What happened to one message, as its operators said it.
#[derive(Debug, Clone)]
pub(super) struct Life {
    account: AccountId,
    network: &'static str,
    segments: i64,
    accepted_at: DateTime<Utc>,
    /// Segments that each try's operator took, and who it was.
    hops: BTreeMap<u8, (OperatorId, i64)>,
    /// Segments that the customer owes a submit price for, once that is known.
    submitted: Option<i64>,
    /// The most segments that one operator took.
    best: i64,
    /// The platform gave up on it before it had an end.
    is_given_up: bool,
    /// Everybody got back what was taken.
    is_refunded: bool,
}

/// How the platform says that a message stands, and when each try got its operator.
#[derive(Debug, Clone)]
pub(super) struct Stand {
    pub(super) is_final: bool,
    pub(super) is_delivered: bool,
    /// What became of it for those who pay on delivery; of interest where it was given up, since a wallet may have had too
    /// little when a receipt came late.
    pub(super) outcome: Option<String>,
    /// Tries at which every segment was delivered.
    pub(super) delivered_hops: Vec<u8>,
    pub(super) routed_at: Vec<(OperatorId, DateTime<Utc>)>,
}

/// What somebody has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Wallet {
    pub(super) posted: i64,
    pub(super) held: i64,
}

/// Everything that must be in the books.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Books {
    pub(super) wallets: BTreeMap<AccountId, Wallet>,
    /// By seller.
    pub(super) revenue: BTreeMap<AccountId, i64>,
    /// By operator: what it is owed.
    pub(super) suppliers: BTreeMap<OperatorId, i64>,
    /// By operator that takes another currency: what its costs came to in the currency of the price, and what the exchanges
    /// cost on top.
    pub(super) exchanges: BTreeMap<OperatorId, (i64, i64)>,
    /// By message: what its sender paid, and what its operators cost in the same currency, exchanges and all.
    pub(super) records: BTreeMap<MessageId, (i64, i64)>,
}

/// The model.
#[derive(Debug)]
pub(super) struct Model {
    house: AccountId,
    parents: HashMap<AccountId, AccountId>,
    prices: HashMap<(AccountId, &'static str), Vec<Price>>,
    /// From when, how much, and whether it is taken for what was delivered only.
    rates: HashMap<OperatorId, Vec<(DateTime<Utc>, i64, bool)>>,
    /// Operators that take another currency, and by which ratio (in 10⁻⁹) and spread (in 10⁻⁶) it is exchanged from when.
    strangers: Vec<OperatorId>,
    exchange: Vec<(DateTime<Utc>, i128, i128)>,
    /// Paid in, and moved between wallets.
    paid: BTreeMap<AccountId, i64>,
    lives: BTreeMap<MessageId, Life>,
}

impl Model {
    pub(super) fn new(house: AccountId) -> Self {
        let (parents, prices, rates) = (HashMap::new(), HashMap::new(), HashMap::new());
        let (strangers, exchange) = (Vec::new(), Vec::new());
        Self { house, parents, prices, rates, strangers, exchange, paid: BTreeMap::new(), lives: BTreeMap::new() }
    }

    pub(super) fn adopt(&mut self, account: AccountId, parent: AccountId) {
        self.parents.insert(account, parent);
    }

    pub(super) fn parent(&self, account: AccountId) -> Option<AccountId> {
        self.parents.get(&account).copied()
    }

    pub(super) fn pay_in(&mut self, account: AccountId, micros: i64) {
        *self.paid.entry(account).or_default() += micros;
    }

    pub(super) fn set_price(
        &mut self,
        payer: AccountId,
        network: &'static str,
        from: DateTime<Utc>,
        (micros, charge): (i64, Charge),
    ) {
        self.prices.entry((payer, network)).or_default().push(Price { from, micros, charge });
    }

    pub(super) fn set_rate(&mut self, operator: OperatorId, from: DateTime<Utc>, (micros, on_delivery): (i64, bool)) {
        self.rates.entry(operator).or_default().push((from, micros, on_delivery));
    }

    /// An operator takes another currency than customers pay in.
    pub(super) fn is_stranger(&mut self, operator: OperatorId) {
        self.strangers.push(operator);
    }

    pub(super) fn set_exchange(&mut self, from: DateTime<Utc>, (nanos, spread_ppm): (i64, u32)) {
        self.exchange.push((from, i128::from(nanos), i128::from(spread_ppm)));
    }

    /// A unit of another currency in that of prices at a moment, and what its exchange costs.
    fn exchanged(&self, unit: i64, at: DateTime<Utc>) -> (i64, i64) {
        let (_, nanos, spread) =
            *self.exchange.iter().filter(|(from, ..)| *from <= at).max_by_key(|row| row.0).unwrap();
        let amount = rounded(i128::from(unit) * nanos, 1_000_000_000);
        (amount, rounded(i128::from(amount) * spread, 1_000_000))
    }

    pub(super) fn accept(
        &mut self,
        message: MessageId,
        (account, network, segments): (AccountId, &'static str, u8),
        accepted_at: DateTime<Utc>,
    ) {
        let life = Life {
            account,
            network,
            segments: i64::from(segments),
            accepted_at,
            hops: BTreeMap::new(),
            submitted: None,
            best: 0,
            is_given_up: false,
            is_refunded: false,
        };
        self.lives.insert(message, life);
    }

    /// An operator answered: it took so many segments, and that is the end of the submit where `settles`.
    pub(super) fn outcome(&mut self, message: MessageId, hop: u8, operator: OperatorId, (took, settles): (i64, bool)) {
        let Some(life) = self.lives.get_mut(&message) else { return };
        if took > 0 {
            life.hops.entry(hop).or_insert((operator, took));
        }
        life.best = life.best.max(took);
        if settles && !life.is_given_up {
            life.submitted.get_or_insert(life.best);
        }
    }

    /// The platform gave up on these.
    pub(super) fn give_up(&mut self, messages: impl IntoIterator<Item = MessageId>) {
        for message in messages {
            if let Some(life) = self.lives.get_mut(&message) {
                life.submitted.get_or_insert(life.best);
                life.is_given_up = true;
            }
        }
    }

    /// Everything that was taken for a message is given back.
    pub(super) fn give_back(&mut self, message: MessageId) {
        if let Some(life) = self.lives.get_mut(&message) {
            life.is_refunded = true;
        }
    }

    /// From the sender up to whoever buys from the house: payer, seller, price and when it is taken.
    fn links(&self, life: &Life) -> Vec<(AccountId, AccountId, Price)> {
        let mut links = Vec::new();
        let mut payer = life.account;
        while payer != self.house {
            let seller = self.parents[&payer];
            let dated = &self.prices[&(payer, life.network)];
            let price = dated.iter().filter(|price| price.from <= life.accepted_at).max_by_key(|price| price.from);
            links.push((payer, seller, *price.unwrap()));
            payer = seller;
        }
        links
    }

    /// What an operator takes for a segment of a message that it got at a moment.
    fn rate(&self, operator: OperatorId, at: DateTime<Utc>) -> (i64, bool) {
        let rates = self.rates[&operator].iter().filter(|(from, ..)| *from <= at);
        let (_, micros, on_delivery) = *rates.max_by_key(|(from, ..)| *from).unwrap();
        (micros, on_delivery)
    }

    /// What must be in the books, when messages stand so.
    pub(super) fn books(&self, stands: &HashMap<MessageId, Stand>) -> Books {
        let mut books = Books::default();
        for (account, paid) in &self.paid {
            books.wallets.insert(*account, Wallet { posted: *paid, held: 0 });
        }
        for (message, life) in &self.lives {
            let stand = &stands[message];
            let mut own_price = 0;
            for (payer, seller, price) in self.links(life) {
                let (taken, held) = owed(life, stand, price);
                let wallet = books.wallets.entry(payer).or_default();
                let kept = if life.is_refunded { 0 } else { taken };
                wallet.posted -= kept;
                wallet.held += held;
                *books.revenue.entry(seller).or_default() += kept;
                if payer == life.account {
                    own_price = taken;
                }
            }
            let mut cost = 0;
            for (hop, (operator, took)) in &life.hops {
                let (routed_to, at) = stand.routed_at[usize::from(*hop)];
                assert_eq!(routed_to, *operator, "hop {hop} of {message} was answered by somebody else");
                let (unit, on_delivery) = self.rate(*operator, at);
                if on_delivery && !stand.delivered_hops.contains(hop) {
                    continue;
                }
                *books.suppliers.entry(*operator).or_default() += took * unit;
                if self.strangers.contains(operator) {
                    let (amount, spread) = self.exchanged(unit, at);
                    let sum = books.exchanges.entry(*operator).or_default();
                    *sum = (sum.0 + took * amount, sum.1 + took * spread);
                    cost += took * (amount + spread);
                } else {
                    cost += took * unit;
                }
            }
            if stand.is_final {
                books.records.insert(*message, (own_price, cost));
            }
        }
        books.revenue.retain(|_, sum| *sum != 0);
        books
    }
}

/// A quotient of numbers above 0; what lies in the middle goes to the even neighbour.
fn rounded(number: i128, by: i128) -> i64 {
    let below = number / by;
    let is_above = match (number - below * by) * 2 - by {
        0 => below % 2 == 1,
        over => over > 0,
    };
    i64::try_from(if is_above { below + 1 } else { below }).unwrap()
}

/// What is taken from one wallet for a message, and what is held there.
fn owed(life: &Life, stand: &Stand, price: Price) -> (i64, i64) {
    let submitted = life.submitted.or(stand.is_final.then_some(life.best));
    let (taken, held) = match (submitted, price.charge) {
        (None, _) => (0, life.segments),
        (Some(submitted), Charge::Submit) => (submitted, 0),
        (Some(submitted), Charge::Delivered) if life.is_given_up => {
            let takes = match stand.outcome.as_deref() {
                Some("billable") => stand.is_delivered,
                Some("unconfirmed") => price.is_captured_unconfirmed(),
                _ => false,
            };
            (if takes { submitted } else { 0 }, 0)
        }
        (Some(submitted), Charge::Delivered) if stand.is_delivered => (submitted, 0),
        (Some(_), Charge::Delivered) if stand.is_final => (0, 0),
        (Some(submitted), Charge::Delivered) => (0, submitted),
    };
    (taken * price.micros, held * price.micros)
}
