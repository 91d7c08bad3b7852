//! Who is bound, and what waits for them: receipts belong to the account and not to a session, so any bind of the
//! account that can receive takes them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use smpp::Status;
use smpp::receipt::State;
use tokio::sync::Notify;

use crate::Config;
use crate::timetable::Timetable;

/// Accounts made by binding where the configuration names none; further names are refused.
const OPEN_ACCOUNTS_MAX: usize = 10_000;

/// An address, kept beyond its PDU.
#[derive(Clone, Debug)]
pub(crate) struct Party {
    pub(crate) ton: u8,
    pub(crate) npi: u8,
    pub(crate) addr: Box<[u8]>,
}

impl Party {
    pub(crate) fn of(address: smpp::pdu::Address<'_>) -> Self {
        Self { ton: address.ton, npi: address.npi, addr: address.addr.into() }
    }

    pub(crate) const fn address(&self) -> smpp::pdu::Address<'_> {
        smpp::pdu::Address::new(self.ton, self.npi, &self.addr)
    }
}

/// Which of the account's binds may carry a delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Through {
    /// Any that receives.
    #[default]
    Any,
    /// Any but the one with this number.
    NotBind(u64),
    /// The one in this place.
    Slot(usize),
}

/// Which bind of its account a session is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat {
    /// Never given twice.
    pub(crate) bind: u64,
    /// The lowest that was free.
    slot: usize,
}

impl Seat {
    fn carries(self, through: Through) -> bool {
        match through {
            Through::Any => true,
            Through::NotBind(bind) => bind != self.bind,
            Through::Slot(slot) => slot == self.slot,
        }
    }
}

/// A `deliver_sm` or `data_sm` to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) source: Party,
    pub(crate) destination: Party,
    pub(crate) attempts: u32,
    pub(crate) through: Through,
    pub(crate) what: What,
}

/// What a delivery says.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// What became of the message with this number.
    Receipt { number: u64, state: State, error: &'static str, submitted_ms: u64, done_ms: u64 },
    /// A message from a handset.
    Mobile { esm_class: u8, data_coding: u8, octets: Box<[u8]>, tlvs: Box<[u8]>, data_sm: bool },
}

/// One customer of the operator.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) system_id: Arc<str>,
    /// Wakes the sessions that can receive when the outbox has something earlier than they know of.
    pub(crate) wake: Notify,
    outbox: Mutex<Outbox>,
}

/// Deliveries of one account. **Invariant:** `len() <= max`.
#[derive(Debug)]
struct Outbox {
    later: Timetable<Delivery>,
    ready: VecDeque<Delivery>,
    /// Due, but not for every bind; mostly empty.
    routed: VecDeque<Delivery>,
    /// Which places are taken.
    slots: Vec<bool>,
    binds: usize,
    binds_ever: u64,
    max: usize,
}

impl Outbox {
    fn len(&self) -> usize {
        self.later.len() + self.ready.len() + self.routed.len()
    }

    /// Gives the lowest free place.
    fn sit(&mut self) -> Seat {
        let slot = self.slots.iter().position(|taken| !taken).unwrap_or(self.slots.len());
        if slot == self.slots.len() {
            self.slots.push(true);
        } else if let Some(taken) = self.slots.get_mut(slot) {
            *taken = true;
        }
        self.binds += 1;
        self.binds_ever += 1;
        Seat { bind: self.binds_ever, slot }
    }

    fn stand_up(&mut self, seat: Seat) {
        self.binds -= 1;
        if let Some(taken) = self.slots.get_mut(seat.slot) {
            *taken = false;
        }
    }

    /// Makes deliveries ready that are due, until `count` are; returns whether some are for other binds.
    fn ripen(&mut self, seat: Seat, now_ms: u64, count: usize) -> bool {
        let mut for_others = false;
        while self.ready.len() < count {
            let Some(bucket) = self.later.pop(now_ms) else { break };
            for delivery in bucket {
                if delivery.through == Through::Any {
                    self.ready.push_back(delivery);
                } else {
                    for_others |= !seat.carries(delivery.through);
                    self.routed.push_back(delivery);
                }
            }
        }
        for_others
    }

    /// At most `count` of the deliveries that not every bind may carry.
    fn take_routed(&mut self, seat: Seat, count: usize, taken: &mut Vec<Delivery>) {
        let mut at = 0;
        while let Some(delivery) = self.routed.get(at).filter(|_| taken.len() < count) {
            if seat.carries(delivery.through) {
                taken.extend(self.routed.remove(at));
            } else {
                at += 1;
            }
        }
    }

    fn next_ms(&self) -> Option<u64> {
        if self.ready.is_empty() { self.later.next_ms() } else { Some(0) }
    }
}

impl Account {
    fn new(system_id: &str, pending_max: usize) -> Self {
        let outbox = Outbox {
            later: Timetable::default(),
            ready: VecDeque::new(),
            routed: VecDeque::new(),
            slots: Vec::new(),
            binds: 0,
            binds_ever: 0,
            max: pending_max,
        };
        Self { system_id: system_id.into(), wake: Notify::new(), outbox: Mutex::new(outbox) }
    }

    /// Keeps deliveries until they are due, drains `deliveries`; returns how many found no room.
    pub(crate) fn push(&self, deliveries: &mut Vec<(u64, Delivery)>) -> u64 {
        let mut dropped = 0;
        let mut outbox = self.outbox();
        let next_before = outbox.next_ms();
        for (due_ms, delivery) in deliveries.drain(..) {
            if outbox.len() < outbox.max {
                outbox.later.push(due_ms, delivery);
            } else {
                dropped += 1;
            }
        }
        let next = outbox.next_ms();
        drop(outbox);
        let earlier = match (next, next_before) {
            (Some(next), Some(before)) => next < before,
            (next, None) => next.is_some(),
            (None, Some(_)) => false,
        };
        if earlier {
            self.wake.notify_waiters();
        }
        dropped
    }

    /// At most `count` deliveries that are due, put into the empty `taken`.
    pub(crate) fn take(&self, seat: Seat, now_ms: u64, count: usize, taken: &mut Vec<Delivery>) {
        let mut outbox = self.outbox();
        let for_others = outbox.ripen(seat, now_ms, count);
        outbox.take_routed(seat, count, taken);
        let count = (count - taken.len()).min(outbox.ready.len());
        taken.extend(outbox.ready.drain(..count));
        drop(outbox);
        if for_others {
            self.wake.notify_waiters();
        }
    }

    /// When the next delivery for this bind is due; a time in the past means now.
    pub(crate) fn next_ms(&self, seat: Seat) -> Option<u64> {
        let outbox = self.outbox();
        if outbox.routed.iter().any(|delivery| seat.carries(delivery.through)) { Some(0) } else { outbox.next_ms() }
    }

    /// Deliveries that wait for their time or for a receiver.
    pub(crate) fn pending(&self) -> usize {
        self.outbox().len()
    }

    /// Sessions bound.
    pub(crate) fn binds(&self) -> usize {
        self.outbox().binds
    }

    fn outbox(&self) -> std::sync::MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All accounts.
#[derive(Debug)]
pub(crate) struct Directory {
    configured: Vec<crate::Account>,
    pending_max: usize,
    accounts: Mutex<HashMap<Box<str>, Arc<Account>>>,
}

/// A bind that counts against its account until dropped.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) account: Arc<Account>,
    pub(crate) seat: Seat,
}

impl Drop for Bound {
    fn drop(&mut self) {
        self.account.outbox().stand_up(self.seat);
    }
}

impl Directory {
    pub(crate) fn new(config: &Config) -> Self {
        let pending_max = config.pending_max;
        let account = |system_id: &str| (Box::from(system_id), Arc::new(Account::new(system_id, pending_max)));
        let accounts = config.accounts.iter().map(|configured| account(&configured.system_id)).collect();
        Self { configured: config.accounts.clone(), pending_max, accounts: Mutex::new(accounts) }
    }

    /// Takes a bind, or says with which status it is refused.
    pub(crate) fn bind(&self, system_id: &[u8], password: &[u8]) -> Result<Bound, Status> {
        let system_id = str::from_utf8(system_id).map_err(|_| Status::RINVSYSID)?;
        let binds_max = self.admit(system_id, password)?;
        let account = self.get_or_make(system_id)?;
        let mut outbox = account.outbox();
        if outbox.binds >= binds_max {
            return Err(Status::RBINDFAIL);
        }
        let seat = outbox.sit();
        drop(outbox);
        Ok(Bound { account, seat })
    }

    /// The number of binds that this name may have.
    fn admit(&self, system_id: &str, password: &[u8]) -> Result<usize, Status> {
        if self.configured.is_empty() {
            return Ok(usize::MAX);
        }
        let known = self.configured.iter().find(|account| account.system_id == system_id);
        let account = known.ok_or(Status::RINVSYSID)?;
        if account.password.as_bytes() != password {
            return Err(Status::RINVPASWD);
        }
        Ok(account.binds_max)
    }

    /// As [`Directory::get`]; where everybody may bind, also one who did not so far.
    pub(crate) fn get_or_open(&self, system_id: &str) -> Option<Arc<Account>> {
        if self.configured.is_empty() { self.get_or_make(system_id).ok() } else { self.get(system_id) }
    }

    pub(crate) fn get(&self, system_id: &str) -> Option<Arc<Account>> {
        self.accounts().get(system_id).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Account>> {
        self.accounts().values().cloned().collect()
    }

    fn get_or_make(&self, system_id: &str) -> Result<Arc<Account>, Status> {
        let mut accounts = self.accounts();
        if let Some(account) = accounts.get(system_id) {
            return Ok(Arc::clone(account));
        }
        if accounts.len() >= OPEN_ACCOUNTS_MAX {
            return Err(Status::RBINDFAIL);
        }
        let account = Arc::new(Account::new(system_id, self.pending_max));
        accounts.insert(system_id.into(), Arc::clone(&account));
        Ok(account)
    }

    fn accounts(&self) -> std::sync::MutexGuard<'_, HashMap<Box<str>, Arc<Account>>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
