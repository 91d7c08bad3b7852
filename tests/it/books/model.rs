//! A slow, plain model of the business: what everybody must have and owe, from what happened and the price lists alone. It
//! shares no line with the product.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use domain::{AccountId, MessageId, OperatorId};
use uuid::Uuid;

use super::acts::Sides;

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
    /// Segments that were given back, one refund after the other; none: all that was left.
    refunds: Vec<Option<i64>>,
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
    /// Paid for look-ups by accounts, earned by sellers with them, and owed to providers for them.
    looked_up: BTreeMap<AccountId, i64>,
    earned: BTreeMap<AccountId, i64>,
    owed: BTreeMap<OperatorId, i64>,
    caps: BTreeMap<AccountId, i64>,
    lives: BTreeMap<MessageId, Life>,
}

impl Model {
    pub(super) fn new(house: AccountId) -> Self {
        let (parents, prices, rates) = (HashMap::new(), HashMap::new(), HashMap::new());
        let (strangers, exchange) = (Vec::new(), Vec::new());
        let (paid, looked_up, earned) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (owed, caps, lives) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { house, parents, prices, rates, strangers, exchange, paid, looked_up, earned, owed, caps, lives }
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
            refunds: Vec::new(),
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

    /// So many segments of what was taken for a message are given back to everybody who paid for them; all that is left.
    pub(super) fn give_back(&mut self, message: MessageId, segments: Option<i64>) {
        if let Some(life) = self.lives.get_mut(&message) {
            life.refunds.push(segments);
        }
    }

    /// A payer paid a seller for look-ups.
    pub(super) fn look_up(&mut self, (payer, seller): Sides, micros: i64) {
        *self.looked_up.entry(payer).or_default() += micros;
        *self.earned.entry(seller).or_default() += micros;
    }

    /// The house owes a provider for look-ups.
    pub(super) fn owe(&mut self, provider: Uuid, micros: i64) {
        *self.owed.entry(OperatorId::from_uuid(provider)).or_default() += micros;
    }

    /// What sellers earned by messages alone.
    pub(super) fn earned_by_messages(&self, mut revenue: BTreeMap<AccountId, i64>) -> BTreeMap<AccountId, i64> {
        for (seller, micros) in &self.earned {
            *revenue.entry(*seller).or_default() -= micros;
        }
        revenue.retain(|_, sum| *sum != 0);
        revenue
    }

    /// What an account spends is bounded, or no more.
    pub(super) fn cap(&mut self, account: AccountId, micros: Option<i64>) {
        self.caps.remove(&account);
        self.caps.extend(micros.map(|micros| (account, micros)));
    }

    /// What an account may still spend, if it is bounded.
    pub(super) fn cap_left(&self, account: AccountId) -> Option<i64> {
        self.caps.get(&account).map(|cap| cap - self.spent(account))
    }

    /// What an account set aside for messages, whatever became of it, and paid for look-ups.
    pub(super) fn spent(&self, account: AccountId) -> i64 {
        let links = self.lives.values().flat_map(|life| self.links(life).into_iter().map(|link| (life.segments, link)));
        let of_messages = links.filter(|(_, (payer, ..))| *payer == account);
        let of_messages: i64 = of_messages.map(|(segments, (.., price))| segments * price.micros).sum();
        of_messages + self.looked_up.get(&account).copied().unwrap_or_default()
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
        for (account, micros) in &self.looked_up {
            books.wallets.entry(*account).or_default().posted -= micros;
        }
        books.revenue.extend(&self.earned);
        books.suppliers.extend(&self.owed);
        for (message, life) in &self.lives {
            let stand = &stands[message];
            let mut own_price = 0;
            let links = self.links(life);
            let taken: Vec<i64> = links.iter().map(|(.., price)| owed(life, stand, *price).0).collect();
            let kept = kept(life, taken.clone());
            for (((payer, seller, price), taken), kept) in links.into_iter().zip(taken).zip(kept) {
                let wallet = books.wallets.entry(payer).or_default();
                wallet.posted -= kept * price.micros;
                wallet.held += owed(life, stand, price).1 * price.micros;
                *books.revenue.entry(seller).or_default() += kept * price.micros;
                if payer == life.account {
                    own_price = taken * price.micros;
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

/// Segments that each payer has paid for and not got back. A refund is of so many for everybody, as far as one has paid.
fn kept(life: &Life, mut segments: Vec<i64>) -> Vec<i64> {
    for refund in &life.refunds {
        let back = refund.unwrap_or(i64::MAX);
        for left in &mut segments {
            *left -= back.min(*left);
        }
    }
    segments
}

/// Segments that are taken from one wallet for a message, and that are held there.
fn owed(life: &Life, stand: &Stand, price: Price) -> (i64, i64) {
    let submitted = life.submitted.or(stand.is_final.then_some(life.best));
    match (submitted, price.charge) {
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
    }
}
