//! What an incremental check finds of the accounts with operators and of what people did, since the one before.

use chrono::{TimeDelta, Utc};
use domain::{MessageId, Micros, TransactionId};
use store::ledger::Extent;
use store::ledger::correct::{self, Correction};
use store::ledger::refund::NewRefund;
use store::ledger::supplier::{Payment, Supplier};
use uuid::Uuid;

use super::live;
use super::seals::{RICH, audit, seal, top_up};
use crate::world::World;

/// A payment to an operator, a refund and a correction: what people do.
async fn act(world: &World) {
    let mut tx = world.db.begin().await.unwrap();
    let payment = Payment {
        supplier: Supplier::Operator(world.operators[0]),
        amount: Micros::new(5_000_000),
        currency: "UZS".parse().unwrap(),
        reason: "in advance".into(),
        actor: "test".into(),
    };
    store::ledger::supplier::pay(&mut tx, world.house, &payment).await.unwrap().unwrap();
    let delivered = "SELECT id FROM messages WHERE state = 'delivered' AND corrections = 0 ORDER BY id DESC LIMIT 1";
    let message: Uuid = sqlx::query_scalar(delivered).fetch_one(world.pool()).await.unwrap();
    let message = MessageId::from_uuid(message);
    let refund = NewRefund { message, segments: Some(1), reason: "a forged receipt".into(), actor: "test".into() };
    store::ledger::refund::refund(&mut tx, &world.db, world.house, &refund).await.unwrap();
    let top_up: Uuid = sqlx::query_scalar("SELECT id FROM transactions WHERE kind = 'top_up' ORDER BY id DESC LIMIT 1")
        .fetch_one(world.pool())
        .await
        .unwrap();
    let sides = correct::lock(&mut tx, world.house, TransactionId::from_uuid(top_up)).await.unwrap();
    let correction = Correction {
        original: TransactionId::from_uuid(top_up),
        amount: Some(Micros::new(1)),
        reason: "too much".into(),
        actor: "test".into(),
    };
    correct::correct(&mut tx, &sides, &correction).await.unwrap();
    tx.commit().await.unwrap();
}

/// Does the same to each table that is spoilt and put right again, without the triggers that would count what is put back.
async fn each(world: &World, sql: &str) {
    let mut tx = world.pool().begin().await.unwrap();
    sqlx::query("SET LOCAL session_replication_role = replica").execute(&mut *tx).await.unwrap();
    for table in ["balance_ledger", "messages", "supplier_accounts", "transactions", "message_refunds"] {
        sqlx::query(sqlx::AssertSqlSafe(sql.replace("{}", table))).execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incremental_check_finds_what_was_done_to_operators_accounts_and_acts_since_the_last() {
    const LAST: &str = "(SELECT max(entry_id::text)::uuid FROM balance_ledger WHERE operation = 'supplier_cost')";
    let rows = [
        (format!("DELETE FROM balance_ledger WHERE entry_id = {LAST} AND operation = 'supplier_cost'"), "operators are owed"),
        (
            format!(
                "UPDATE balance_ledger SET posted_micros = posted_micros + CASE ledger WHEN 'supplier' THEN 1 ELSE -1 END
                 WHERE entry_id = {LAST} AND operation = 'supplier_cost'"
            ),
            "operators are owed",
        ),
        (
            "UPDATE messages SET unit_cost_micros = unit_cost_micros + 1 WHERE id =
             (SELECT max(id::text)::uuid FROM messages WHERE operator_id IS NOT NULL AND state = 'delivered')".to_owned(),
            "operators are owed",
        ),
        ("UPDATE supplier_accounts SET paid_micros = paid_micros + 1".to_owned(), "an account with a supplier is the fold"),
        (
            "UPDATE transactions SET amount_micros = amount_micros + 1 WHERE id =
             (SELECT max(id::text)::uuid FROM transactions WHERE kind = 'refund')".to_owned(),
            "a transaction says what its entry moved",
        ),
        (
            "DELETE FROM transactions WHERE id = (SELECT max(id::text)::uuid FROM transactions WHERE kind = 'correction')".to_owned(),
            "a transaction says what its entry moved",
        ),
        (
            "UPDATE transactions SET corrected_micros = 3 WHERE corrected_micros = 2".to_owned(),
            "corrections name their original",
        ),
        ("DELETE FROM message_refunds".to_owned(), "refunds are those of the journal"),
        (
            "UPDATE message_refunds SET captured_segments = 9, segments = 9, amount_micros = 9 * unit_price_micros".to_owned(),
            "refunds do not exceed what was captured",
        ),
    ];
    let world = World::with_balance(RICH).await;
    Box::pin(live(&world, 13)).await;
    top_up(&world, world.client).await;
    seal(&world).await;
    assert_eq!(audit(&world, Extent::Full).await.violations, []);
    Box::pin(live(&world, 14)).await;
    act(&world).await;
    // Half of the accounts is folded, half is not.
    let mut tx = world.db.begin().await.unwrap();
    store::ledger::supplier::look(&mut tx, Utc::now() + TimeDelta::minutes(10)).await.unwrap();
    tx.commit().await.unwrap();
    Box::pin(live(&world, 15)).await;
    // An honest check moves on; what is spoilt then lies behind it.
    seal(&world).await;
    let honest = audit(&world, Extent::Incremental).await;
    assert_eq!((honest.extent, honest.violations), (Extent::Incremental, vec![]));
    Box::pin(live(&world, 16)).await;
    act(&world).await;
    assert_eq!(audit(&world, Extent::Incremental).await.violations, []);
    for (damage, rule) in rows {
        each(&world, "CREATE TABLE honest_{} AS SELECT * FROM {}").await;
        sqlx::query(sqlx::AssertSqlSafe(damage.clone())).execute(world.pool()).await.unwrap();
        let found = audit(&world, Extent::Incremental).await;
        assert_eq!(found.extent, Extent::Incremental);
        assert!(found.violations.iter().any(|one| one.rule.starts_with(rule)), "{damage}: {:?}", found.violations);
        each(&world, "DELETE FROM {}").await;
        each(&world, "INSERT INTO {} SELECT * FROM honest_{}").await;
        each(&world, "DROP TABLE honest_{}").await;
    }
    assert_eq!(audit(&world, Extent::Incremental).await.violations, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_of_the_release_before_leaves_no_sums_of_operators_and_the_next_makes_them() {
    let world = World::with_balance(RICH).await;
    Box::pin(live(&world, 17)).await;
    seal(&world).await;
    audit(&world, Extent::Full).await;
    sqlx::query("UPDATE ledger_checks SET suppliers_sequence = NULL").execute(world.pool()).await.unwrap();
    sqlx::query("UPDATE ledger_supplier_checkpoints SET owed_micros = 1, due_micros = 2, posted_micros = 3")
        .execute(world.pool())
        .await
        .unwrap();
    let next = audit(&world, Extent::Incremental).await;
    assert_eq!((next.extent, next.violations), (Extent::Incremental, vec![]));
    assert_eq!(world.count("SELECT count(*) FROM ledger_supplier_checkpoints WHERE owed_micros = 1").await, 0);
    assert_eq!(audit(&world, Extent::Incremental).await.violations, []);
}
