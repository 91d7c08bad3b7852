//! What people and timers do to the firm: transfers, refunds, corrections, caps, look-ups, and messages that are given up.

use std::time::Duration;

use chrono::{NaiveDate, TimeDelta};
use domain::lookup::{Charge, Provider};
use domain::{AccountId, MessageId, Micros, Network, Number, TransactionId};
use rand::RngExt as _;
use store::ledger::correct::{self, CorrectError, Correction};
use store::ledger::refund::{NewRefund, RefundError, refund};
use store::ledger::{Lookups, Transfer, TransferError, caps, look_ups};
use uuid::Uuid;

use super::company::{Firm, NETWORKS};
use super::life::Life;

/// Numbers of one look-up, at most.
const NUMBERS_MAX: i64 = 3;

impl Life {
    pub(super) async fn transfer(&mut self) {
        let account = self.firm.accounts[self.rng.random_range(1..self.firm.accounts.len())];
        let Some(parent) = self.firm.model.parent(account) else { return };
        let (from, to) = if self.rng.random_bool(0.5) { (account, parent) } else { (parent, account) };
        let amount = self.rng.random_range(1..3_000_000_000);
        let mut tx = self.firm.road.world.db.begin().await.unwrap();
        let reason = "between parent and child".to_owned();
        let transfer = Transfer { from, to, amount: Micros::new(amount), reason, actor: "test".to_owned() };
        match store::ledger::transfer(&mut tx, &transfer).await {
            // Who dies before the commit moved nothing.
            Ok(_) if self.rng.random_bool(0.2) => tx.rollback().await.unwrap(),
            Ok(_) => {
                tx.commit().await.unwrap();
                self.firm.model.pay_in(from, -amount);
                self.firm.model.pay_in(to, amount);
                self.seen.transfers += 1;
            }
            Err(TransferError::NoCredit) => tx.rollback().await.unwrap(),
            Err(other) => panic!("seed {}: {other}", self.seed),
        }
    }

    /// The house gives back what was taken for a message that has ended: all of it, or some segments.
    pub(super) async fn refund(&mut self) {
        let Firm { road, model, accounts, .. } = &mut self.firm;
        let ended: Vec<Uuid> =
            sqlx::query_scalar("SELECT id FROM messages WHERE state_rank >= 8 AND accepted_segments > 0 ORDER BY id")
                .fetch_all(road.world.pool())
                .await
                .unwrap();
        if ended.is_empty() {
            return;
        }
        let message = MessageId::from_uuid(ended[self.rng.random_range(0..ended.len())]);
        let (reason, actor) = ("it did not help".to_owned(), "test".to_owned());
        let segments = self.rng.random_bool(0.6).then(|| self.rng.random_range(1..3_u8));
        let new = NewRefund { message, segments, reason, actor };
        let mut tx = road.world.db.begin().await.unwrap();
        match refund(&mut tx, &road.world.db, accounts[0], &new).await {
            Ok(_) if self.rng.random_bool(0.2) => tx.rollback().await.unwrap(),
            Ok(_) => {
                tx.commit().await.unwrap();
                model.give_back(message, segments.map(i64::from));
                self.seen.refunds += 1;
                self.seen.partial_refunds += usize::from(segments.is_some());
            }
            Err(RefundError::TooMuch { .. }) => tx.rollback().await.unwrap(),
            Err(other) => panic!("seed {}: {other}", self.seed),
        }
    }

    /// The house moves back, in part or all that is left, what somebody paid in or moved.
    pub(super) async fn correct(&mut self) {
        let Firm { road, model, accounts, .. } = &mut self.firm;
        let moved: Vec<Uuid> =
            sqlx::query_scalar("SELECT id FROM transactions WHERE kind IN ('top_up', 'transfer') ORDER BY id")
                .fetch_all(road.world.pool())
                .await
                .unwrap();
        let original = TransactionId::from_uuid(moved[self.rng.random_range(0..moved.len())]);
        let amount = self.rng.random_bool(0.7).then(|| Micros::new(self.rng.random_range(1..500_000_000)));
        let (reason, actor) = ("it was a mistake".to_owned(), "test".to_owned());
        let correction = Correction { original, amount, reason, actor };
        let mut tx = road.world.db.begin().await.unwrap();
        let sides = correct::lock(&mut tx, accounts[0], original).await.unwrap();
        match correct::correct(&mut tx, &sides, &correction).await {
            Ok(_) if self.rng.random_bool(0.2) => tx.rollback().await.unwrap(),
            Ok((_, back)) => {
                tx.commit().await.unwrap();
                assert!(amount.is_none_or(|asked| asked == back), "seed {}: {back}", self.seed);
                for side in &sides {
                    model.pay_in(side.account, -side.amount.get().signum() * back.get());
                }
                self.seen.corrections += 1;
            }
            Err(CorrectError::NoCredit | CorrectError::TooMuch { .. }) => tx.rollback().await.unwrap(),
            Err(other) => panic!("seed {}: {other}", self.seed),
        }
    }

    /// Somebody's spending is bounded, near what it has spent already; or is free again.
    pub(super) async fn cap(&mut self) {
        let Firm { road, model, accounts, .. } = &mut self.firm;
        let account = accounts[self.rng.random_range(1..accounts.len())];
        let cap = self.rng.random_bool(0.2).then(|| model.spent(account) + self.rng.random_range(0..600_000_000));
        let mut tx = road.world.db.begin().await.unwrap();
        let above = caps::cap_account(&mut tx, accounts[0], account, cap.map(Micros::new)).await.unwrap();
        assert!(above.is_none(), "the house is the highest");
        tx.commit().await.unwrap();
        model.cap(account, cap);
    }

    /// What may still be spent is what the model says, unless the day has changed since this life began.
    pub(super) async fn assert_caps(&self, step: usize) {
        let world = &self.firm.road.world;
        for account in &self.firm.accounts {
            let left = caps::left(&world.db, *account).await.unwrap().map(Micros::get);
            let due = self.firm.model.cap_left(*account);
            let is_so = left == due || today(world).await != self.began_on;
            assert!(is_so, "seed {}, step {step}: {account} may spend {left:?}, by the model {due:?}", self.seed);
        }
    }

    /// A sender has numbers looked up, and its resellers pay with it.
    pub(super) async fn look_up(&mut self) {
        let Firm { road, model, senders, provider, .. } = &mut self.firm;
        let account = senders[self.rng.random_range(0..senders.len())];
        let count = self.rng.random_range(1..=NUMBERS_MAX);
        let number = |n: i64| Number::from_stored(998_930_000_000 + n).unwrap();
        let network: Network = NETWORKS[0].parse().unwrap();
        let answered: Vec<(Number, Network)> = (0..count).map(|n| (number(n), network)).collect();
        let mut charges = Vec::new();
        let mut payer = account;
        while let Some(seller) = model.parent(payer) {
            charges.push(Charge { payer, seller, price: Micros::new(self.rng.random_range(1..5_000_000)) });
            payer = seller;
        }
        let currency = provider.currency;
        let lookups = Lookups { provider, charges: &charges, currency, account, answered: &answered, key: None };
        let mut tx = road.world.db.begin().await.unwrap();
        match look_ups(&mut tx, &lookups).await {
            Ok(_) if self.rng.random_bool(0.2) => tx.rollback().await.unwrap(),
            Ok(_) => {
                tx.commit().await.unwrap();
                for charge in &charges {
                    model.look_up((charge.payer, charge.seller), count * charge.price.get());
                }
                model.owe(provider.id.uuid(), count * provider.cost.get());
                self.seen.lookups += 1;
            }
            Err(error) if caps::forbid(&error) => tx.rollback().await.unwrap(),
            Err(other) => panic!("seed {}: {other}", self.seed),
        }
    }

    /// The time of some messages is over, wherever they are.
    pub(super) async fn give_up(&mut self) {
        let mut open = self.open().await;
        open.sort();
        let given_up: Vec<MessageId> = open.into_iter().filter(|_| self.rng.random_bool(0.1)).collect();
        self.end(&given_up).await;
        self.seen.given_up += given_up.len();
    }

    /// Ends these for want of time.
    pub(super) async fn end(&mut self, messages: &[MessageId]) {
        let ids: Vec<Uuid> = messages.iter().map(|id| id.uuid()).collect();
        // Behind the cursor of the sweep, which looks at what came due since it last found nothing.
        sqlx::query("UPDATE messages SET due_at = $2 WHERE id = ANY ($1)")
            .bind(ids)
            .bind(self.firm.road.now() - TimeDelta::seconds(1))
            .execute(self.firm.road.world.pool())
            .await
            .unwrap();
        self.firm.model.give_up(messages.iter().copied());
        while self.firm.road.sweep.overdue().await.unwrap() > 0 {}
        self.firm.road.clock.advance(Duration::from_millis(5));
    }
}

/// The day of the database, which counts what is spent.
pub(super) async fn today(world: &crate::world::World) -> NaiveDate {
    sqlx::query_scalar("SELECT (now() AT TIME ZONE 'UTC')::date").fetch_one(world.pool()).await.unwrap()
}

/// Who is asked about numbers.
pub(super) async fn provider(world: &crate::world::World) -> Provider {
    let provider = Provider {
        id: domain::LookupProviderId::generate(),
        name: "Portability".to_owned(),
        position: 1,
        url: "https://example.com/{number}".to_owned(),
        header: None,
        secret_sealed: None,
        fields: domain::lookup::Fields::default(),
        timeout_ms: 1_000,
        lifetime_seconds: 3_600,
        cost: Micros::new(700_000),
        currency: "UZS".parse().unwrap(),
    };
    let mut tx = world.db.begin().await.unwrap();
    store::lookups::create_provider(&mut tx, &provider).await.unwrap();
    tx.commit().await.unwrap();
    provider
}

/// Accounts that the model knows by their parents.
pub(super) type Sides = (AccountId, AccountId);
