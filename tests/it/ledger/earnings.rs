//! What the checks find of what sellers earned: in the journal, and in the counters of the reports at every level.

use store::ledger::Extent;

use super::live;
use super::seals::{RICH, audit, seal};
use crate::world::World;

/// What is spoilt and put right again.
const TABLES: [&str; 4] = ["balance_ledger", "traffic_counters", "traffic_deltas", "charge_levels"];

/// What is done to one row, and the rule that must name it.
const DAMAGES: [(&str, &str); 8] = [
    (
        // The entry still sums to zero: another seller has what this one earned.
        "UPDATE balance_ledger SET account_id = (SELECT id FROM accounts WHERE role = 'admin') WHERE (entry_id, line) =
            (SELECT l.entry_id, l.line FROM balance_ledger l JOIN accounts a ON a.id = l.account_id
             WHERE l.ledger = 'revenue' AND a.role = 'reseller' ORDER BY l.entry_id DESC, l.line DESC LIMIT 1)",
        "sellers earned what their buyers paid",
    ),
    (
        "UPDATE balance_ledger SET posted_micros = posted_micros - 1 WHERE (entry_id, line) =
            (SELECT entry_id, line FROM balance_ledger WHERE ledger = 'revenue' ORDER BY entry_id DESC, line DESC LIMIT 1)",
        "sellers earned what their buyers paid",
    ),
    (
        "UPDATE traffic_counters SET revenue_micros = revenue_micros + 1 WHERE ctid =
            (SELECT c.ctid FROM traffic_counters c JOIN accounts a ON a.id = c.viewer_id WHERE a.role = 'reseller' LIMIT 1)",
        "the counters of the reports say what each seller earned",
    ),
    (
        "UPDATE traffic_counters SET cost_micros = cost_micros - 1 WHERE ctid =
            (SELECT c.ctid FROM traffic_counters c JOIN accounts a ON a.id = c.viewer_id WHERE a.role = 'reseller' LIMIT 1)",
        "the counters of the reports say what each seller earned",
    ),
    (
        "UPDATE traffic_deltas SET revenue_micros = revenue_micros + 1 WHERE id =
            (SELECT c.id FROM traffic_deltas c JOIN accounts a ON a.id = c.viewer_id WHERE a.role = 'admin' LIMIT 1)",
        "the counters of the reports say what each seller earned",
    ),
    (
        "DELETE FROM traffic_deltas WHERE id =
            (SELECT c.id FROM traffic_deltas c JOIN accounts a ON a.id = c.viewer_id WHERE a.role = 'reseller' LIMIT 1)",
        "the counters of the reports say what each seller earned",
    ),
    (
        "UPDATE traffic_counters SET receipt_bucket = 31 WHERE ctid = (SELECT ctid FROM traffic_counters
            WHERE receipt_bucket >= 0 ORDER BY delivered DESC LIMIT 1)",
        "the counters of the reports say how long receipts took",
    ),
    (
        "UPDATE charge_levels SET pays_micros = pays_micros + 1 WHERE ctid =
            (SELECT ctid FROM charge_levels WHERE NOT is_house AND level = 1 LIMIT 1)",
        "the levels of a price chain are its links",
    ),
];

async fn each(world: &World, sql: &str) {
    let mut tx = world.pool().begin().await.unwrap();
    for table in TABLES {
        sqlx::query(sqlx::AssertSqlSafe(sql.replace("{}", table))).execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_alters_what_a_seller_earned_is_found() {
    let world = World::with_balance(RICH).await;
    Box::pin(live(&world, 21)).await;
    seal(&world).await;
    assert_eq!(audit(&world, Extent::Full).await.violations, []);
    store::traffic::fold(&world.db).await.unwrap();
    // Some of it is folded, some is not.
    Box::pin(live(&world, 22)).await;
    each(&world, "CREATE TABLE honest_{} AS SELECT * FROM {}").await;
    for extent in [Extent::Incremental, Extent::Full] {
        for (damage, rule) in DAMAGES {
            let done = sqlx::query(damage).execute(world.pool()).await.unwrap();
            assert_eq!(done.rows_affected(), 1, "{damage}");
            let found = audit(&world, extent).await;
            assert_eq!(found.extent, extent);
            assert!(found.violations.iter().any(|one| one.rule == rule), "{damage}: {:?}", found.violations);
            each(&world, "DELETE FROM {}").await;
            each(&world, "INSERT INTO {} OVERRIDING SYSTEM VALUE SELECT * FROM honest_{}").await;
        }
    }
    assert_eq!(audit(&world, Extent::Full).await.violations, []);
}
