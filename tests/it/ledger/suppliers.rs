//! The folds of accounts with operators: whoever alters one is found, whichever way it still adds up.

use chrono::{TimeDelta, Utc};
use domain::Micros;
use store::ledger::Extent;
use store::ledger::supplier::{Payment, Supplier, look, pay, set_alarm};

use super::live;
use super::seals::{RICH, audit, seal};
use crate::world::World;

const RULE: &str = "an account with a supplier is the fold of its journal lines";

/// Gone, altered on both sides, invented, and altered on one.
const DAMAGES: [&str; 4] = [
    "DELETE FROM supplier_accounts",
    "UPDATE supplier_accounts SET cost_micros = cost_micros + 1, paid_micros = paid_micros + 1",
    "INSERT INTO supplier_accounts (operator_id, currency, cost_micros, paid_micros)
     SELECT id, 'USD', 1, 1 FROM operators",
    "UPDATE supplier_accounts SET cost_micros = cost_micros - 1",
];

/// Pays an operator, folds what is there, and watches an account that nothing moved on.
async fn pay_and_fold(world: &World) {
    let supplier = Supplier::Operator(world.operators[0]);
    let mut tx = world.db.begin().await.unwrap();
    let payment = Payment {
        supplier,
        amount: Micros::new(5_000_000),
        currency: "UZS".parse().unwrap(),
        reason: "in advance".into(),
        actor: "test".into(),
    };
    pay(&mut tx, world.house, &payment).await.unwrap().unwrap();
    assert!(set_alarm(&mut tx, (supplier, "EUR".parse().unwrap()), Some(Micros::new(1))).await.unwrap());
    tx.commit().await.unwrap();
    let mut tx = world.db.begin().await.unwrap();
    look(&mut tx, Utc::now() + TimeDelta::minutes(10)).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_alters_the_fold_of_an_account_with_an_operator_is_found() {
    let world = World::with_balance(RICH).await;
    Box::pin(live(&world, 41)).await;
    pay_and_fold(&world).await;
    // These are summed and not folded.
    Box::pin(live(&world, 42)).await;
    seal(&world).await;
    assert_eq!(audit(&world, Extent::Full).await.violations, []);
    // And these are neither.
    Box::pin(live(&world, 43)).await;
    let run = async |sql: &'static str| sqlx::query(sql).execute(world.pool()).await.unwrap().rows_affected();
    run("CREATE TABLE honest_accounts AS TABLE supplier_accounts").await;
    for extent in [Extent::Incremental, Extent::Full] {
        for damage in DAMAGES {
            assert!(run(damage).await > 0, "{damage}");
            let found = audit(&world, extent).await;
            assert_eq!(found.extent, extent);
            assert!(found.violations.iter().any(|one| one.rule == RULE), "{damage}: {:?}", found.violations);
            run("DELETE FROM supplier_accounts").await;
            run("INSERT INTO supplier_accounts TABLE honest_accounts").await;
        }
    }
    for extent in [Extent::Incremental, Extent::Full] {
        assert_eq!(audit(&world, extent).await.violations, [], "{extent:?}");
    }
}
