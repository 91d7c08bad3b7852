//! Refunds in the counters of the reports: with their messages, at every level, to the micro.

use domain::{AccountId, MessageId};
use sqlx::Row as _;
use store::ledger::refund::{NewRefund, refund};
use store::traffic::{Dimension, report};

use super::counters::{RICH, everything, receipt_the_unconfirmed};
use super::live;
use crate::world::World;

/// Gives back what `share` of 100 ended messages cost, at random: `segments` of it, or all that is left.
async fn refund_some(world: &World, tenant: AccountId, segments: Option<u8>, share: i32) -> usize {
    let rows = sqlx::query("SELECT id FROM messages WHERE accepted_segments > 0 AND hashtext(id::text) & 127 < $1")
        .bind(share)
        .fetch_all(world.pool())
        .await
        .unwrap();
    let mut refunded = 0;
    for row in rows {
        let new = NewRefund {
            message: MessageId::from_uuid(row.get(0)),
            segments,
            reason: "a forged receipt".into(),
            actor: "test".into(),
        };
        let mut tx = world.db.begin().await.unwrap();
        // What was not charged is not given back.
        if refund(&mut tx, &world.db, tenant, &new).await.is_ok() {
            tx.commit().await.unwrap();
            refunded += 1;
        }
    }
    refunded
}

/// What the journal says that `account` earned and paid for messages, after refunds.
async fn by_journal(world: &World, account: AccountId) -> (i128, i128) {
    let sum = async |ledger: &str, sign: i128| {
        let sql = "SELECT coalesce(sum(posted_micros), 0)::bigint FROM balance_ledger
             WHERE account_id = $1 AND ledger = $2 AND operation IN ('capture', 'refund', 'supplier_cost')";
        let sum: i64 = sqlx::query_scalar(sql).bind(account.uuid()).bind(ledger).fetch_one(world.pool()).await.unwrap();
        sign * i128::from(sum)
    };
    (sum("revenue", 1).await, sum("wallet", -1).await + sum("supplier_cost", -1).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_each_level_earns_less_refunds_is_its_revenue_in_the_journal() {
    let world = World::with_balance(RICH).await;
    Box::pin(live(&world, 24)).await;
    assert!(refund_some(&world, world.reseller, Some(1), 40).await > 0);
    store::traffic::fold(&world.db).await.unwrap();
    assert!(refund_some(&world, world.house, None, 80).await > 0);
    world.assert_books_are_right().await;
    // Corrections move what was given back to where the message counts then.
    assert!(receipt_the_unconfirmed(&world).await > 0);
    store::traffic::fold(&world.db).await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM money_deltas").await, 0);
    world.assert_books_are_right().await;
    for viewer in [world.house, world.reseller, world.client] {
        let whole = report(&world.db, viewer, &everything(&[])).await.unwrap().remove(0);
        let net = (whole.revenue - whole.revenue_refunded, whole.cost - whole.cost_refunded);
        assert_eq!(net, by_journal(&world, viewer).await);
        assert!(whole.refunded_segments > 0);
        let parts = report(&world.db, viewer, &everything(&Dimension::ALL)).await.unwrap();
        assert_eq!(whole.revenue_refunded, parts.iter().map(|row| row.revenue_refunded).sum::<i128>());
        assert!(parts.iter().all(|row| row.revenue_refunded <= row.revenue && row.cost_refunded <= row.cost));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_takes_the_refund_along() {
    let world = World::with_balance(RICH).await;
    Box::pin(live(&world, 25)).await;
    assert!(refund_some(&world, world.house, None, 128).await > 0);
    let [one, other] = world.operators;
    let moved = "INSERT INTO sms_cdr SELECT (jsonb_populate_record(c, jsonb_build_object('correction', 1, 'operator_id', $2))).*
        FROM sms_cdr c WHERE c.operator_id = $1 AND c.correction = 0 AND c.message_id IN (SELECT message_id FROM message_refunds)";
    sqlx::query(moved).bind(one.uuid()).bind(other.uuid()).execute(world.pool()).await.unwrap();
    store::traffic::fold(&world.db).await.unwrap();
    let rows = report(&world.db, world.house, &everything(&[Dimension::Operator])).await.unwrap();
    let back = |operator| {
        let of = rows.iter().filter(move |row| row.operator == Some(operator));
        of.map(|row| row.revenue_refunded).sum::<i128>()
    };
    let given = world
        .count(
            "SELECT sum(amount_micros)::bigint FROM message_refunds r JOIN accounts a ON a.id = r.seller_id
        WHERE a.parent_id IS NULL",
        )
        .await;
    assert_eq!(back(one), 0);
    assert_eq!(back(other), i128::from(given));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_is_not_counted_is_found() {
    let damages = [
        "UPDATE traffic_counters SET revenue_refunded_micros = revenue_refunded_micros - 1 WHERE revenue_refunded_micros > 0",
        "UPDATE traffic_counters SET cost_refunded_micros = cost_refunded_micros + 1 WHERE cost_refunded_micros > 0",
        "UPDATE traffic_counters SET refunded_segments = 0 WHERE refunded_segments > 0",
        "UPDATE message_refunds SET segments = segments + 1, captured_segments = captured_segments + 1,
            amount_micros = amount_micros + unit_price_micros",
    ];
    let world = World::with_balance(RICH).await;
    Box::pin(live(&world, 26)).await;
    assert!(refund_some(&world, world.house, None, 60).await > 0);
    store::traffic::fold(&world.db).await.unwrap();
    world.assert_books_are_right().await;
    for damage in damages {
        let mut tx = world.pool().begin().await.unwrap();
        for table in ["traffic_counters", "message_refunds"] {
            let copy = format!("CREATE TABLE honest_{table} AS SELECT * FROM {table}");
            sqlx::query(sqlx::AssertSqlSafe(copy)).execute(&mut *tx).await.unwrap();
        }
        sqlx::query(damage).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        let found = store::ledger::verify(&world.db).await.unwrap();
        let is_named = found.iter().any(|one| one.rule == "the counters of the reports give back what was refunded");
        assert!(is_named, "{damage}: {found:?}");
        // What was spoilt is put right again; refunds first, which are counted as they are written.
        for table in ["message_refunds", "traffic_counters"] {
            for sql in [
                format!("DELETE FROM {table}"),
                format!("INSERT INTO {table} SELECT * FROM honest_{table}"),
                format!("DROP TABLE honest_{table}"),
                "DELETE FROM money_deltas".to_owned(),
            ] {
                sqlx::query(sqlx::AssertSqlSafe(sql)).execute(world.pool()).await.unwrap();
            }
        }
        world.assert_books_are_right().await;
    }
}
