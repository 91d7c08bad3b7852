//! Gathering the movements of many messages into journal entries: one entry for each sender in a batch.

use std::collections::BTreeMap;
use std::collections::btree_map;

use domain::settlement::{self, Ended, Step};
use domain::tariff::Chain;
use domain::{AccountId, Currency, Micros, OperatorId};
use uuid::Uuid;

use crate::Error;
use crate::advance::Moved;
use crate::ledger::exchange::Exchange;

/// Why money moves after a message had ended: said in the lines. Its messages name the entry that they had ended in.
const LATE: &str = "late receipt";

/// One line of the journal, before it is written. A nil account means the house.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) entry: Uuid,
    pub(super) number: i16,
    pub(super) operation: &'static str,
    pub(super) ledger: &'static str,
    pub(super) account: Uuid,
    pub(super) operator: Option<Uuid>,
    pub(super) currency: Currency,
    pub(super) posted: i64,
    pub(super) held: i64,
    pub(super) after: Option<(i64, i64)>,
    pub(super) messages: i32,
    pub(super) reason: Option<String>,
}

impl Line {
    pub(super) fn is_wallet(&self) -> bool {
        self.ledger == "wallet"
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    captured: i64,
    released: i64,
    corrected: i64,
    messages: i32,
    /// Of which those that are corrected.
    late: i32,
}

/// The movements of one sender's messages.
#[derive(Debug, Clone)]
struct Entry {
    id: Uuid,
    currency: Currency,
    /// Which messages it covers.
    messages: Vec<Uuid>,
    /// By payer and seller.
    wallets: BTreeMap<(AccountId, AccountId), Sum>,
    /// By operator and currency.
    suppliers: BTreeMap<(OperatorId, Currency), (i64, i32)>,
    /// By operator and the currency that it takes: what is exchanged into that of the entry.
    exchanges: BTreeMap<(OperatorId, Currency), Exchange>,
}

/// The ids of the entries of one transaction, one for each sender: made before the messages move, since each
/// message names the entry that settles it.
#[derive(Debug, Clone, Default)]
pub struct EntryIds(BTreeMap<AccountId, Uuid>);

impl EntryIds {
    /// The entry that will hold the movements of `sender`'s messages.
    pub fn of(&mut self, sender: AccountId) -> Uuid {
        *self.0.entry(sender).or_insert_with(Uuid::now_v7)
    }
}

/// The entries of one transaction, by sender.
#[derive(Debug, Clone, Default)]
pub struct Entries {
    entries: BTreeMap<AccountId, Entry>,
}

impl Entries {
    /// Nothing gathered yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gathers what `moved` settles under `chain`.
    pub fn add(&mut self, moved: &Moved, chain: &Chain) -> Result<(), Error> {
        let accepted = u16::from(moved.accepted);
        let mut steps = Vec::with_capacity(2);
        if moved.settles_submit {
            steps.push(Step::Submitted { accepted });
        }
        let ended = Ended { accepted, outcome: moved.outcome };
        if moved.settles_final {
            steps.push(Step::Final(ended));
        }
        if moved.settles_late {
            steps.push(Step::Corrected(ended));
        }
        let entry = match self.entries.entry(moved.account) {
            btree_map::Entry::Occupied(slot) => slot.into_mut(),
            btree_map::Entry::Vacant(slot) => slot.insert(Entry {
                id: moved.entry,
                currency: chain.currency,
                messages: Vec::new(),
                wallets: BTreeMap::new(),
                suppliers: BTreeMap::new(),
                exchanges: BTreeMap::new(),
            }),
        };
        // What an operator before the last is paid for comes beside the step of the message itself.
        if moved.has_moved || !entry.messages.contains(&moved.message.uuid()) {
            entry.messages.push(moved.message.uuid());
        }
        for step in steps {
            for movement in settlement::settle(chain, u16::from(moved.segments), step) {
                let sum = entry.wallets.entry((movement.account, movement.seller)).or_default();
                sum.captured = sum.captured.checked_add(movement.captured.get()).ok_or(Error::Range)?;
                sum.released = sum.released.checked_add(movement.released.get()).ok_or(Error::Range)?;
                sum.corrected = sum.corrected.checked_add(movement.corrected.get()).ok_or(Error::Range)?;
                sum.messages += i32::from(movement.corrected == Micros::ZERO);
                sum.late += i32::from(movement.corrected != Micros::ZERO);
            }
        }
        if let (true, Some((operator, cost, currency))) = (moved.taken > 0, moved.cost) {
            let taken = u16::from(moved.taken);
            let cost = cost.times(taken).ok_or(Error::Range)?.get();
            let supplier = entry.suppliers.entry((operator, currency)).or_default();
            supplier.0 = supplier.0.checked_add(cost).ok_or(Error::Range)?;
            supplier.1 += 1;
            if let Some((amount, spread)) = moved.exchange {
                let exchange = entry.exchanges.entry((operator, currency)).or_default();
                exchange.add(cost, amount.times(taken), spread.times(taken)).ok_or(Error::Range)?;
            }
        }
        Ok(())
    }

    /// Each entry with its sender and the messages that it covers.
    pub(super) fn covered(&self) -> impl Iterator<Item = (Uuid, AccountId, &[Uuid])> {
        self.entries.iter().map(|(sender, entry)| (entry.id, *sender, entry.messages.as_slice()))
    }

    /// The journal lines of everything gathered.
    pub(super) fn lines(&self) -> Result<Vec<Line>, Error> {
        let mut lines = Vec::new();
        for entry in self.entries.values() {
            let first = lines.len();
            entry.lines(&mut lines);
            for (number, line) in lines[first..].iter_mut().enumerate() {
                line.number = i16::try_from(number + 1).map_err(|_| Error::Range)?;
            }
        }
        Ok(lines)
    }
}

impl Entry {
    fn lines(&self, lines: &mut Vec<Line>) {
        for ((payer, seller), sum) in &self.wallets {
            if sum.captured != 0 {
                let wallet = self.line("capture", "wallet", payer.uuid(), -sum.captured, sum.messages);
                lines.push(Line { held: -sum.captured, ..wallet });
                lines.push(self.line("capture", "revenue", seller.uuid(), sum.captured, sum.messages));
            }
            if sum.released != 0 {
                let wallet = self.line("release", "wallet", payer.uuid(), 0, sum.messages);
                lines.push(Line { held: -sum.released, ..wallet });
            }
            if sum.late > 0 {
                let late = |ledger, account: AccountId, posted| Line {
                    reason: Some(LATE.to_owned()),
                    ..self.line("capture", ledger, account.uuid(), posted, sum.late)
                };
                lines.push(late("wallet", *payer, -sum.corrected));
                lines.push(late("revenue", *seller, sum.corrected));
            }
        }
        for ((operator, currency), (cost, messages)) in &self.suppliers {
            for (ledger, posted) in [("supplier_cost", -cost), ("supplier", *cost)] {
                let line = self.line("supplier_cost", ledger, Uuid::nil(), posted, *messages);
                lines.push(Line { operator: Some(operator.uuid()), currency: *currency, ..line });
            }
        }
        for ((operator, currency), exchange) in &self.exchanges {
            for (ledger, of, posted) in exchange.lines(*currency, self.currency) {
                let line = self.line("exchange", ledger, Uuid::nil(), posted, exchange.messages);
                lines.push(Line { operator: Some(operator.uuid()), currency: of, ..line });
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a line of the journal has so many columns")]
    fn line(&self, operation: &'static str, ledger: &'static str, account: Uuid, posted: i64, messages: i32) -> Line {
        Line {
            entry: self.id,
            number: 0,
            operation,
            ledger,
            account,
            operator: None,
            currency: self.currency,
            posted,
            held: 0,
            after: None,
            messages,
            reason: None,
        }
    }
}
