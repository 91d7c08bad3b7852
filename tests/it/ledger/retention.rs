//! The books after retention: messages, parts and events have gone, CDRs and the journal stay.

use chrono::{DateTime, TimeDelta, Utc};
use store::ledger::{Audit, Extent};
use store::sweep::Retention;

use super::live;
use super::seals::{RICH, seal};
use crate::world::World;

/// When every partition of today is old.
fn later() -> DateTime<Utc> {
    Utc::now() + TimeDelta::days(500)
}

async fn forget(world: &World) {
    store::sweep::retention(&world.db, Retention::default(), later()).await.unwrap();
    for (table, sql) in [
        ("messages", "SELECT count(*) FROM messages"),
        ("parts", "SELECT count(*) FROM message_parts"),
        ("events", "SELECT count(*) FROM message_events"),
        ("hops", "SELECT count(*) FROM message_hops"),
    ] {
        assert_eq!(world.count(sql).await, 0, "{table}");
    }
    assert!(world.count("SELECT count(*) FROM sms_cdr").await > 0);
}

async fn audit(world: &World, extent: Extent, now: DateTime<Utc>) -> Audit {
    let audit = store::ledger::audit(&world.db, extent, now, &mut |_| ()).await.unwrap();
    assert_eq!(audit.extent, extent);
    audit
}

/// Alters one row, looks, and puts it back.
async fn assert_found(world: &World, extent: Extent, (damage, back): (&'static str, &'static str), rule: &str) {
    let run = async |sql: &'static str| {
        let done = sqlx::query(sql).execute(world.pool()).await.unwrap();
        assert_eq!(done.rows_affected(), 1, "{sql}");
    };
    run(damage).await;
    let found = audit(world, extent, Utc::now()).await.violations;
    assert!(found.iter().any(|one| one.rule == rule), "{damage}: {found:?}");
    run(back).await;
}

/// A record whose money was taken, the same for damage and repair.
const RECORDS: [(&str, &str); 2] = [
    (
        "UPDATE sms_cdr SET accepted_segments = accepted_segments + 1
         WHERE message_id = (SELECT max(message_id::text)::uuid FROM sms_cdr WHERE state = 'delivered') AND correction = 0",
        "UPDATE sms_cdr SET accepted_segments = accepted_segments - 1
         WHERE message_id = (SELECT max(message_id::text)::uuid FROM sms_cdr WHERE state = 'delivered') AND correction = 0",
    ),
    (
        "UPDATE sms_cdr SET price_micros = price_micros + 1
         WHERE message_id = (SELECT max(message_id::text)::uuid FROM sms_cdr WHERE state = 'delivered') AND correction = 0",
        "UPDATE sms_cdr SET price_micros = price_micros - 1
         WHERE message_id = (SELECT max(message_id::text)::uuid FROM sms_cdr WHERE state = 'delivered') AND correction = 0",
    ),
];
const WALLET: (&str, &str) = (
    "UPDATE balance_ledger SET posted_micros = posted_micros + 1 WHERE (entry_id, line) = (SELECT entry_id, line
     FROM balance_ledger WHERE ledger = 'wallet' AND operation = 'capture' ORDER BY entry_id DESC, line DESC LIMIT 1)",
    "UPDATE balance_ledger SET posted_micros = posted_micros - 1 WHERE (entry_id, line) = (SELECT entry_id, line
     FROM balance_ledger WHERE ledger = 'wallet' AND operation = 'capture' ORDER BY entry_id DESC, line DESC LIMIT 1)",
);

#[tokio::test(flavor = "multi_thread")]
async fn books_whose_messages_have_gone_are_right_and_an_altered_row_is_found() {
    let world = World::with_balance(RICH).await;
    Box::pin(live(&world, 31)).await;
    seal(&world).await;
    assert_eq!(audit(&world, Extent::Full, Utc::now()).await.violations, []);
    Box::pin(live(&world, 32)).await;
    forget(&world).await;
    for extent in [Extent::Incremental, Extent::Full] {
        assert_found(&world, extent, RECORDS[0], "captured money is that of the messages").await;
        assert_found(&world, extent, RECORDS[1], "the counters of the reports are the sums of the CDRs").await;
        assert_found(&world, extent, WALLET, "captured money is that of the messages").await;
    }
    seal(&world).await;
    for extent in [Extent::Incremental, Extent::Full, Extent::Incremental] {
        assert_eq!(audit(&world, extent, Utc::now()).await.violations, [], "{extent:?}");
    }
    // Some weeks on nothing of it can change any more, and it is summed.
    for extent in [Extent::Full, Extent::Incremental] {
        assert_eq!(audit(&world, extent, later()).await.violations, [], "{extent:?}");
    }
    assert_found(&world, Extent::Full, RECORDS[0], "captured money is that of the messages").await;
    // Life goes on beside what has gone. Its partitions were dropped, too.
    store::sweep::partitions(&world.db, Utc::now()).await.unwrap();
    Box::pin(live(&world, 33)).await;
    seal(&world).await;
    for extent in [Extent::Incremental, Extent::Full] {
        assert_eq!(audit(&world, extent, Utc::now()).await.violations, [], "{extent:?}");
    }
    assert_found(&world, Extent::Full, RECORDS[0], "the counters of the reports are the sums of the CDRs").await;
}
