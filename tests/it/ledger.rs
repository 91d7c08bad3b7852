//! The books stay right whatever happens in whatever order: accept, route, outcomes, receipts, replays, all at
//! the same time.

mod absurd;
pub(crate) mod counters;
mod earnings;
mod given_up;
mod incremental;
mod midnight;
mod records;
mod refunds;
mod retention;
mod seals;
mod suppliers;

use std::sync::Arc;
use std::time::Duration;

use bill::Bill;
use chrono::Utc;
use contract::{Envelope, Outcome, OutcomeClass, Receipt, ReceiptState, Routed, SegmentOutcome, queues, seal};
use dlr::Dlr;
use domain::{OperatorId, Private};
use host::{Handler, Verdict, process};
use queue::{Out, Settle, Take};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use route::Route;
use store::accept::{self, Acceptance, NewMessage, Single, accept_batch, accept_gathered};
use sweep::Sweep;

use crate::world::{CLIENT_DELIVERED, CLIENT_SUBMIT, RESELLER, World, account, fund};

fn clock() -> Arc<dyn host::Clock> {
    Arc::new(host::clock::System)
}

/// Handles what is ready in `queue` until nothing is; each envelope twice, as a queue may bring it.
pub(crate) async fn pump<H: Handler>(world: &World, handler: &H, queue: &str) -> usize {
    let mut envelopes = 0;
    loop {
        let take = Take { max: 10, wait: Duration::ZERO, lease: Duration::from_secs(30) };
        let received = world.queue.receive(queue, take).await.unwrap();
        if received.is_empty() {
            return envelopes;
        }
        for delivery in received {
            let told = host::Delivery { queue: queue.to_owned(), id: String::new(), received: 1, enqueued_at: None };
            for _ in 0..2 {
                assert_eq!(process(handler, &delivery.body, &told).await, Verdict::Ack);
            }
            world.queue.settle(queue, vec![(delivery.lease, Settle::Ack)]).await;
            envelopes += 1;
        }
    }
}

/// Plays the edge and an operator: answers each routed message at random, with receipts that may be early,
/// repeated, or never come.
async fn play_operator(world: &World, operator: OperatorId, rng: &mut StdRng) {
    let take = Take { max: 10, wait: Duration::ZERO, lease: Duration::from_secs(30) };
    let name = queues::submit(operator);
    for delivery in world.queue.receive(&name, take).await.unwrap() {
        let envelope: Envelope<Routed> = serde_json::from_slice(&delivery.body).unwrap();
        let outcomes: Vec<Outcome> = envelope.items.iter().map(|m| outcome(m, operator, rng)).collect();
        let receipts: Vec<Receipt> = outcomes.iter().flat_map(|o| receipts(o, rng)).collect();
        if rng.random_bool(0.5) {
            publish(world, queues::DLR, &receipts).await;
            publish(world, queues::BILL, &outcomes).await;
        } else {
            publish(world, queues::BILL, &outcomes).await;
            publish(world, queues::DLR, &receipts).await;
        }
        world.queue.settle(&name, vec![(delivery.lease, Settle::Ack)]).await;
    }
}

async fn publish<T: contract::Item>(world: &World, queue: &str, items: &[T]) {
    for sealed in seal(items, Utc::now()).unwrap() {
        for result in world.queue.send(queue, &[Out::now(sealed.body)]).await {
            result.unwrap();
        }
    }
}

fn outcome(message: &Routed, operator_id: OperatorId, rng: &mut StdRng) -> Outcome {
    let class = match rng.random_range(0..10) {
        0 => OutcomeClass::Permanent,
        1 => OutcomeClass::Temporary,
        2 => OutcomeClass::Expired,
        3 => OutcomeClass::Unknown,
        _ => OutcomeClass::Accepted,
    };
    let segments = (1..=message.segments).map(|segment| {
        let status = match class {
            OutcomeClass::Accepted => Some(0),
            OutcomeClass::Permanent | OutcomeClass::Temporary => {
                Some(if segment == 1 { 0x45 } else { rng.random_range(0..2) })
            }
            OutcomeClass::Expired | OutcomeClass::Unknown => None,
        };
        let id = format!("{}-{segment}", message.message_id);
        SegmentOutcome { segment, status, smpp_message_id: status.map(|_| id), part_of: None }
    });
    let segments = if class == OutcomeClass::Expired { Vec::new() } else { segments.collect() };
    let (message_id, account_id, hop) = (message.message_id, message.account_id, message.hop);
    Outcome { message_id, account_id, operator_id, hop, class, at: Utc::now(), segments }
}

fn receipts(outcome: &Outcome, rng: &mut StdRng) -> Vec<Receipt> {
    let mut receipts = Vec::new();
    for part in outcome.segments.iter().filter(|part| part.status == Some(0)) {
        let last = match rng.random_range(0..10) {
            0 => ReceiptState::Undeliverable,
            1 => ReceiptState::Expired,
            2 => continue,
            _ => ReceiptState::Delivered,
        };
        for state in [ReceiptState::Enroute, last, last] {
            receipts.push(Receipt {
                operator_id: outcome.operator_id,
                smpp_message_id: part.smpp_message_id.clone().unwrap(),
                state,
                error: "000".into(),
                meaning: None,
                done_at: None,
                received_at: Utc::now(),
                raw: Private::new("id:1 stat:DELIVRD"),
                lookups: 0,
            });
        }
    }
    receipts
}

/// Lets everything happen at once, several times, then makes every message overdue and ends it.
pub(crate) async fn live(world: &World, seed: u64) -> usize {
    let mut rng = StdRng::seed_from_u64(seed);
    let (route, bill, dlr) = (
        Route::new(world.db.clone(), world.catalogue.clone(), clock()),
        Bill::new(world.db.clone(), clock()),
        Dlr::new(world.db.clone(), clock()),
    );
    let mut accepted = 0;
    for _ in 0..4 {
        let singles: Vec<Single> = (0..rng.random_range(1..30))
            .map(|_| {
                let network = if rng.random_bool(0.5) { "43405" } else { "43404" };
                let message = world.message(network, rng.random_range(1..4), Utc::now());
                Single { message, idempotency: None }
            })
            .collect();
        let mut operators = (StdRng::seed_from_u64(rng.random()), StdRng::seed_from_u64(rng.random()));
        let (stored, ..) = tokio::join!(
            accept_gathered(&world.db, &singles),
            pump(world, &route, queues::ROUTE),
            pump(world, &bill, queues::BILL),
            pump(world, &bill, queues::BILL),
            pump(world, &dlr, queues::DLR),
            pump(world, &dlr, queues::DLR),
            play_operator(world, world.operators[0], &mut operators.0),
            play_operator(world, world.operators[1], &mut operators.1),
        );
        accepted += stored.unwrap().iter().filter(|a| **a == Acceptance::Stored).count();
        world.assert_books_are_right().await;
    }
    for _ in 0..6 {
        pump(world, &route, queues::ROUTE).await;
        play_operator(world, world.operators[0], &mut rng).await;
        play_operator(world, world.operators[1], &mut rng).await;
        tokio::join!(pump(world, &bill, queues::BILL), pump(world, &dlr, queues::DLR));
        world.assert_books_are_right().await;
    }
    sqlx::query("UPDATE messages SET due_at = now() - interval '1 minute'").execute(world.pool()).await.unwrap();
    let sweep = Sweep::new(world.db.clone(), world.queue.clone(), clock(), store::sweep::Retention::default());
    while sweep.overdue().await.unwrap() > 0 {}
    accepted
}

#[tokio::test(flavor = "multi_thread")]
async fn the_books_are_right_at_every_step_and_nothing_is_held_at_the_end() {
    for seed in 0..12 {
        let world = World::with_balance(1_000_000_000_000).await;
        let accepted = Box::pin(live(&world, seed)).await;
        world.assert_books_are_right().await;
        let open = world.count("SELECT count(*) FROM messages WHERE state_rank < 8").await;
        let stored = world.count("SELECT count(*) FROM messages").await;
        let records = world.count("SELECT count(*) FROM sms_cdr WHERE correction = 0").await;
        let accepted = i64::try_from(accepted).unwrap();
        assert_eq!((open, stored, records), (0, accepted, accepted), "seed {seed}");
        for account in [world.house, world.reseller, world.client] {
            assert_eq!(world.wallet(account).await.1, 0, "seed {seed}: something is still held");
        }
    }
}

#[tokio::test]
async fn a_hot_wallet_takes_exactly_what_it_can_pay() {
    let world = Arc::new(World::with_balance(100 * CLIENT_SUBMIT).await);
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let world = world.clone();
            tokio::spawn(async move {
                let mut stored = 0;
                for _ in 0..4 {
                    let singles: Vec<Single> = (0..5)
                        .map(|_| Single { message: world.message("43405", 1, Utc::now()), idempotency: None })
                        .collect();
                    let verdicts = accept_gathered(&world.db, &singles).await.unwrap();
                    stored += verdicts.iter().filter(|v| **v == Acceptance::Stored).count();
                }
                stored
            })
        })
        .collect();
    let mut stored = 0;
    for task in tasks {
        stored += task.await.unwrap();
    }
    assert_eq!(stored, 100);
    assert_eq!(world.wallet(world.client).await, (100 * CLIENT_SUBMIT, 100 * CLIENT_SUBMIT));
    assert_eq!(world.wallet(world.reseller).await, (100 * CLIENT_SUBMIT, 100 * RESELLER));
    world.assert_books_are_right().await;
}

#[tokio::test]
async fn nothing_is_stored_whatever_number_of_payers_has_no_wallet() {
    // Two clients of one reseller: one of the three wallets is missing, two, and all of them.
    for gone in [&["reseller"][..], &["client"], &["client", "reseller"]] {
        let world = World::with_balance(1_000_000_000_000).await;
        let other = account(world.pool(), Some(&[world.house, world.reseller]), "client").await;
        fund(&world.db, other, 1_000_000_000_000, "other client").await;
        let first = world.message("43405", 1, Utc::now());
        let mut chain = (*first.chain).clone();
        chain.links[0].account = other;
        let second = NewMessage { account_id: other, ..world.message_like("43405", 1, Utc::now(), chain) };
        let singles = [first, second].map(|message| Single { message, idempotency: None });
        sqlx::query("DELETE FROM account_balances b USING accounts a WHERE a.id = b.account_id AND a.role = ANY ($1)")
            .bind(gone)
            .execute(world.pool())
            .await
            .unwrap();
        let error = format!("{:?}", accept_gathered(&world.db, &singles).await.unwrap_err());
        assert!(error.contains("22012"), "{gone:?}: {error}");
        assert_eq!(world.count("SELECT count(*) FROM messages").await, 0, "{gone:?}");
    }
}

#[tokio::test]
async fn a_batch_is_accepted_in_its_order_as_far_as_the_wallet_reaches() {
    let world = World::with_balance(CLIENT_DELIVERED + CLIENT_SUBMIT + 1).await;
    let now = Utc::now();
    let messages =
        [("43404", 1), ("43405", 2), ("43405", 1), ("43404", 1)].map(|(network, n)| world.message(network, n, now));
    let render = |verdicts: &[accept::Verdict]| (202, format!("{verdicts:?}").into_bytes());
    let key = Some(("key".to_owned(), [7; 32]));
    let first = accept_batch(&world.db, world.client, &messages, key.clone(), &render).await.unwrap();
    let expected = [accept::Verdict::Stored, accept::Verdict::NoCredit].repeat(2);
    let told = format!("{expected:?}").into_bytes();
    assert_eq!(first, store::accept::BatchAcceptance::Stored(expected));
    let again = accept_batch(&world.db, world.client, &messages, key, &render).await.unwrap();
    let store::accept::BatchAcceptance::Replayed(record) = again else { panic!("stored twice") };
    assert_eq!((record.status, record.response), (202, told));
    assert_eq!(world.count("SELECT count(*) FROM messages").await, 2);
    world.assert_books_are_right().await;
}

#[tokio::test]
async fn the_checks_catch_what_they_are_for() {
    let rows = [
        ("UPDATE account_balances SET posted_micros = posted_micros + 1", "a wallet is the fold"),
        ("UPDATE balance_ledger SET posted_micros = posted_micros + 1 WHERE ledger = 'cash'", "an entry sums to zero"),
        ("UPDATE messages SET accepted_segments = 1 WHERE accepted_segments IS NULL", "a wallet holds what"),
        ("UPDATE messages SET state_rank = 9, state = 'failed'", "every ended message has its CDR"),
    ];
    for (damage, rule) in rows {
        let world = World::with_balance(1_000_000_000).await;
        let single = Single { message: world.message("43405", 2, Utc::now()), idempotency: None };
        assert_eq!(accept_gathered(&world.db, &[single]).await.unwrap(), [Acceptance::Stored]);
        world.assert_books_are_right().await;
        sqlx::query(damage).execute(world.pool()).await.unwrap();
        let violations = store::ledger::verify(&world.db).await.unwrap();
        assert!(violations.iter().any(|v| v.rule.starts_with(rule)), "{damage}: {violations:?}");
    }
}
