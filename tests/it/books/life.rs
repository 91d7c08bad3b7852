//! One life of the firm: random steps through the real handlers, and what must be true after each.

use std::ops::AddAssign;
use std::time::Duration;

use chrono::NaiveDate;
use contract::{Envelope, Item, Outcome, OutcomeClass, Receipt, ReceiptState, Routed, queues};
use domain::OperatorId;
use futures_util::future::poll_fn;
use host::{Handler, Verdict, process};
use queue::{Delivery, Settle, Take};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use store::accept::{Acceptance, NewMessage, Single, accept_gathered};

use super::acts::today;
use super::company::{Firm, NETWORKS, PARITY};
use super::model::Charge;
use crate::road::smpp_id;

/// Messages of one batch, at most.
const BATCH_MAX: usize = 4;
/// How often a crash lets the handler go on first, at most: each time it waits for the database.
const POLLS_MAX: usize = 30;
/// Rounds in which what is left comes to its end.
const ROUNDS_MAX: usize = 60;
/// SMPP `ESME_RSUBMITFAIL`.
const REFUSED: u32 = 0x45;

/// What a life has met, so that a proof without its hard cases is no proof.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    accepted: usize,
    without_credit: usize,
    crashes: usize,
    replays: usize,
    second_hops: usize,
    late_receipts: usize,
    pub(super) transfers: usize,
    new_prices: usize,
    pub(super) refunds: usize,
    pub(super) partial_refunds: usize,
    pub(super) corrections: usize,
    pub(super) lookups: usize,
    pub(super) given_up: usize,
    capped: usize,
    exchanges: usize,
}

impl AddAssign for Seen {
    fn add_assign(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.without_credit += other.without_credit;
        self.crashes += other.crashes;
        self.replays += other.replays;
        self.second_hops += other.second_hops;
        self.late_receipts += other.late_receipts;
        self.transfers += other.transfers;
        self.new_prices += other.new_prices;
        self.refunds += other.refunds;
        self.partial_refunds += other.partial_refunds;
        self.corrections += other.corrections;
        self.lookups += other.lookups;
        self.given_up += other.given_up;
        self.capped += other.capped;
        self.exchanges += other.exchanges;
    }
}

impl Seen {
    pub(super) fn assert_rich(self) {
        let all = [
            self.accepted,
            self.without_credit,
            self.crashes,
            self.replays,
            self.second_hops,
            self.late_receipts,
            self.transfers,
            self.new_prices,
            self.refunds,
            self.partial_refunds,
            self.corrections,
            self.lookups,
            self.given_up,
            self.capped,
            self.exchanges,
        ];
        assert!(all.iter().all(|count| *count > 20), "{self:?}");
    }
}

/// The firm at work.
pub(super) struct Life {
    pub(super) firm: Firm,
    pub(super) rng: StdRng,
    pub(super) seed: u64,
    /// The day of the database: caps are of one day.
    pub(super) began_on: NaiveDate,
    /// Every receipt that was sent: each may come again.
    receipts: Vec<Receipt>,
    pub(super) seen: Seen,
}

impl Life {
    pub(super) async fn of(firm: Firm, seed: u64) -> Self {
        let began_on = today(&firm.road.world).await;
        Self { firm, began_on, rng: StdRng::seed_from_u64(seed), seed, receipts: Vec::new(), seen: Seen::default() }
    }

    /// One thing happens.
    pub(super) async fn step(&mut self) {
        self.firm.road.clock.advance(Duration::from_millis(self.rng.random_range(1..2_000)));
        match self.rng.random_range(0..26) {
            0..4 => self.accept().await,
            4..7 => self.handle(queues::ROUTE).await,
            7..10 => self.play_operator().await,
            10..13 => self.handle(queues::BILL).await,
            13..16 => self.handle(queues::DLR).await,
            16 => self.transfer().await,
            17 => self.new_price().await,
            18 => self.repeat_receipt().await,
            19..21 => self.refund().await,
            21 => self.correct().await,
            22 => self.cap().await,
            23 => self.look_up().await,
            24 => self.give_up().await,
            _ => self.miss_receipts().await,
        }
    }

    async fn accept(&mut self) {
        let count = self.rng.random_range(1..=BATCH_MAX);
        let singles: Vec<(Single, &'static str)> = (0..count).map(|_| self.message()).collect();
        let (singles, networks): (Vec<Single>, Vec<&'static str>) = singles.into_iter().unzip();
        let world = &self.firm.road.world;
        let verdicts = accept_gathered(&world.db, &singles).await.unwrap();
        // A caller whose answer was lost asks again.
        let stored = |verdict: &Acceptance| *verdict == Acceptance::Stored;
        let again: Vec<Single> =
            singles.iter().zip(&verdicts).filter(|(_, verdict)| stored(verdict)).map(|(one, _)| one.clone()).collect();
        if !again.is_empty() && self.rng.random_bool(0.2) {
            assert!(accept_gathered(&world.db, &again).await.unwrap().iter().all(stored), "seed {}", self.seed);
            self.seen.replays += 1;
        }
        for ((single, network), verdict) in singles.iter().zip(networks).zip(verdicts) {
            let NewMessage { id, account_id, segments, created_at, .. } = single.message;
            if stored(&verdict) {
                self.firm.model.accept(id, (account_id, network, segments), created_at);
                self.seen.accepted += 1;
            } else if verdict == Acceptance::SpendCap {
                self.seen.capped += 1;
            } else {
                assert_eq!(verdict, Acceptance::NoCredit, "seed {}", self.seed);
                self.seen.without_credit += 1;
            }
        }
    }

    fn message(&mut self) -> (Single, &'static str) {
        let sender = self.firm.senders[self.rng.random_range(0..self.firm.senders.len())];
        let network = NETWORKS[self.rng.random_range(0..NETWORKS.len())];
        let segments = if self.rng.random_bool(0.6) { 1 } else { self.rng.random_range(2..4) };
        let road = &self.firm.road;
        let chain = road.world.catalogue.get().chain(sender, network.parse().unwrap(), None, road.now()).unwrap();
        let message = road.world.message_like(network, segments, road.now(), chain);
        (Single { message: NewMessage { account_id: sender, ..message }, idempotency: None }, network)
    }

    /// A function handles an envelope; or dies on the way, and gets it again; or gets it once more though it is done.
    async fn handle(&mut self, queue: &'static str) {
        let Some(delivery) = self.receive(queue).await else { return };
        let crash = self.rng.random_bool(0.35).then(|| self.rng.random_range(1..POLLS_MAX));
        let times = if self.rng.random_bool(0.2) { 2 } else { 1 };
        let road = &self.firm.road;
        let is_done = match queue {
            queues::ROUTE => handled(&road.route, &delivery, crash, times).await,
            queues::BILL => handled(&road.bill, &delivery, crash, times).await,
            _ => handled(&road.dlr, &delivery, crash, times).await,
        };
        if times == 2 {
            self.seen.replays += 1;
        }
        // Who dies at the very end may have done it, and nobody knows: it comes again either way.
        let settle = if is_done { Settle::Ack } else { Settle::Retry(Duration::ZERO) };
        if !is_done {
            self.seen.crashes += 1;
            bury(road.world.pool()).await;
        }
        road.world.queue.settle(queue, vec![(delivery.lease, settle)]).await;
        if is_done && queue == queues::BILL {
            let envelope: Envelope<Outcome> = serde_json::from_slice(&delivery.body).unwrap();
            for outcome in &envelope.items {
                self.learn(outcome);
            }
        } else if queue == queues::BILL {
            // What of it is known shows when it comes again; the model must not be behind by then.
            self.finish_bill().await;
        }
    }

    /// The envelope that a dying function left is handled at once, so that the model knows what the books know.
    async fn finish_bill(&mut self) {
        while let Some(delivery) = self.receive(queues::BILL).await {
            let road = &self.firm.road;
            assert!(handled(&road.bill, &delivery, None, 1).await);
            road.world.queue.settle(queues::BILL, vec![(delivery.lease, Settle::Ack)]).await;
            let envelope: Envelope<Outcome> = serde_json::from_slice(&delivery.body).unwrap();
            for outcome in &envelope.items {
                self.learn(outcome);
            }
        }
    }

    fn learn(&mut self, outcome: &Outcome) {
        let took = outcome.segments.iter().filter(|segment| segment.status == Some(0)).count();
        let took = i64::try_from(took).unwrap();
        let settles = outcome.class == OutcomeClass::Accepted;
        self.firm.model.outcome(outcome.message_id, outcome.hop, outcome.operator_id, (took, settles));
    }

    async fn receive(&self, queue: &str) -> Option<Delivery> {
        let take = Take { max: 1, wait: Duration::ZERO, lease: Duration::from_mins(10) };
        self.firm.road.world.queue.receive(queue, take).await.unwrap().pop()
    }

    /// An operator answers what it got, and says how it ended: before, behind, twice, or never.
    async fn play_operator(&mut self) {
        let operator = self.firm.operators[self.rng.random_range(0..self.firm.operators.len())];
        self.operate(operator).await;
    }

    /// Answers how many messages it got.
    async fn operate(&mut self, operator: OperatorId) -> usize {
        let submits = self.firm.road.taken(operator).await;
        let count = submits.len();
        let mut outcomes = Vec::new();
        let mut receipts = Vec::new();
        for submit in submits {
            self.seen.second_hops += usize::from(submit.hop > 0);
            self.seen.exchanges += usize::from(operator == self.firm.operators[2]);
            let outcome = self.answer(operator, &submit);
            receipts.extend(self.words(operator, &submit, &outcome));
            outcomes.push(outcome);
        }
        let road = &self.firm.road;
        if self.rng.random_bool(0.5) {
            publish(road, queues::DLR, &receipts).await;
            publish(road, queues::BILL, &outcomes).await;
        } else {
            publish(road, queues::BILL, &outcomes).await;
            publish(road, queues::DLR, &receipts).await;
        }
        self.receipts.extend(receipts);
        count
    }

    fn answer(&mut self, operator: OperatorId, submit: &Routed) -> Outcome {
        let segments = usize::from(submit.segments);
        let (class, statuses): (_, Vec<u32>) = match self.rng.random_range(0..12) {
            0 => (OutcomeClass::Permanent, vec![REFUSED; segments]),
            1 => (OutcomeClass::Temporary, vec![REFUSED; segments]),
            2 => {
                let mut statuses = vec![0; segments];
                statuses[segments - 1] = REFUSED;
                let class = if self.rng.random_bool(0.5) { OutcomeClass::Temporary } else { OutcomeClass::Permanent };
                (class, statuses)
            }
            3 => (OutcomeClass::Expired, Vec::new()),
            _ => (OutcomeClass::Accepted, vec![0; segments]),
        };
        self.firm.road.outcome(operator, submit, class, &statuses)
    }

    fn words(&mut self, operator: OperatorId, submit: &Routed, outcome: &Outcome) -> Vec<Receipt> {
        let mut words = Vec::new();
        let mood = self.rng.random_range(0..10);
        for segment in outcome.segments.iter().filter(|segment| segment.status == Some(0)) {
            let state = match mood {
                0..4 => ReceiptState::Undeliverable,
                4 => ReceiptState::Expired,
                5 if self.rng.random_bool(0.5) => ReceiptState::Undeliverable,
                6 => continue,
                _ => ReceiptState::Delivered,
            };
            let receipt = self.firm.road.receipt(operator, smpp_id(submit, segment.segment), state);
            if self.rng.random_bool(0.2) {
                words.push(Receipt { state: ReceiptState::Enroute, ..receipt.clone() });
            }
            words.extend(vec![receipt; if self.rng.random_bool(0.2) { 2 } else { 1 }]);
        }
        words
    }

    async fn new_price(&mut self) {
        let now = self.firm.road.now();
        self.seen.new_prices += 1;
        if self.rng.random_bool(0.3) {
            let parity = self.rng.random_range(PARITY * 800_000_000..PARITY * 1_200_000_000);
            self.firm.set_exchange((parity, self.rng.random_range(0..50_000)), now).await;
        } else if self.rng.random_bool(0.5) {
            let operator = self.firm.operators[self.rng.random_range(0..self.firm.operators.len())];
            let cost = self.rng.random_range(1_000_000..18_000_000);
            self.firm.set_rate(operator, cost, now).await;
        } else {
            let payer = self.firm.accounts[self.rng.random_range(1..self.firm.accounts.len())];
            let network = NETWORKS[self.rng.random_range(0..NETWORKS.len())];
            let price = self.rng.random_range(56_000_000..90_000_001);
            let charge = if self.rng.random_bool(0.5) { Charge::Submit } else { Charge::Delivered };
            self.firm.set_price(payer, network, (price, charge), now).await;
        }
        self.firm.road.world.catalogue.refresh().await.unwrap();
    }

    async fn repeat_receipt(&mut self) {
        if self.receipts.is_empty() {
            return;
        }
        let receipt = self.receipts[self.rng.random_range(0..self.receipts.len())].clone();
        self.seen.late_receipts += 1;
        publish(&self.firm.road, queues::DLR, &[receipt]).await;
    }

    async fn miss_receipts(&mut self) {
        self.firm.road.clock.advance(Duration::from_secs(61));
        self.firm.road.sweep.receipts().await.unwrap();
    }

    /// Everything that is under way comes to its end, or is given up; then the last words come, too late.
    pub(super) async fn come_to_an_end(&mut self) {
        for _ in 0..ROUNDS_MAX {
            let mut is_quiet = true;
            for queue in [queues::ROUTE, queues::BILL, queues::DLR] {
                while let Some(delivery) = self.receive(queue).await {
                    is_quiet = false;
                    self.finish(queue, delivery).await;
                }
            }
            for operator in self.firm.operators.clone() {
                is_quiet &= self.operate(operator).await == 0;
            }
            if is_quiet {
                break;
            }
        }
        let open = self.open().await;
        self.end(&open).await;
        let late: Vec<Receipt> = self.receipts.clone();
        publish(&self.firm.road, queues::DLR, &late).await;
        while let Some(delivery) = self.receive(queues::DLR).await {
            self.finish(queues::DLR, delivery).await;
        }
    }

    async fn finish(&mut self, queue: &'static str, delivery: Delivery) {
        // No two things happen at one moment, so that their order is known.
        self.firm.road.clock.advance(Duration::from_millis(5));
        let road = &self.firm.road;
        let is_done = match queue {
            queues::ROUTE => handled(&road.route, &delivery, None, 1).await,
            queues::BILL => handled(&road.bill, &delivery, None, 1).await,
            _ => handled(&road.dlr, &delivery, None, 1).await,
        };
        assert!(is_done, "seed {}", self.seed);
        road.world.queue.settle(queue, vec![(delivery.lease, Settle::Ack)]).await;
        if queue == queues::BILL {
            let envelope: Envelope<Outcome> = serde_json::from_slice(&delivery.body).unwrap();
            for outcome in &envelope.items {
                self.learn(outcome);
            }
        }
    }
}

/// What a dying function had begun is rolled back: nobody else is in a transaction at that moment.
async fn bury(pool: &sqlx::PgPool) {
    testkit::eventually(Duration::from_secs(20), async || {
        let begun: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
                 AND backend_type = 'client backend' AND xact_start IS NOT NULL",
        )
        .fetch_one(pool)
        .await
        .unwrap();
        begun == 0
    })
    .await;
}

async fn publish<T: Item>(road: &crate::road::Road, queue: &str, items: &[T]) {
    if !items.is_empty() {
        road.publish(queue, items).await;
    }
}

/// Whether the handler is through with an envelope, which it gets so many times. One that crashes is dropped while it waits
/// for the database, and with it its transaction.
async fn handled<H: Handler>(handler: &H, delivery: &Delivery, crash: Option<usize>, times: usize) -> bool {
    let told = host::Delivery { queue: H::NAME.to_owned(), id: String::new(), received: 1, enqueued_at: None };
    for _ in 0..times {
        let mut work = Box::pin(process(handler, &delivery.body, &told));
        let mut polls = 0;
        let verdict = poll_fn(|context| {
            polls += 1;
            if crash.is_some_and(|after| polls > after) {
                return std::task::Poll::Ready(None);
            }
            work.as_mut().poll(context).map(Some)
        })
        .await;
        match verdict {
            Some(verdict) => assert_eq!(verdict, Verdict::Ack),
            None => return false,
        }
    }
    true
}
