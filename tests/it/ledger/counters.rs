//! The counters of the reports are the sums of the CDRs, to the micro.

use std::collections::BTreeMap;

use chrono::{NaiveDate, TimeDelta, Utc};
use contract::{Receipt, ReceiptState, queues};
use dlr::Dlr;
use domain::report::RECEIPT_BUCKETS_MS;
use domain::{AccountId, OperatorId, Private};
use sqlx::Row as _;
use store::traffic::{Dimension, Question, Row, report};
use uuid::Uuid;

use super::{clock, live, publish, pump};
use crate::world::{RESELLER, World};

pub(super) const RICH: i64 = 1_000_000_000_000;

pub(crate) fn everything(by: &[Dimension]) -> Question {
    let today = Utc::now().date_naive();
    Question {
        since: today - TimeDelta::days(1),
        until: today + TimeDelta::days(1),
        by: by.to_vec(),
        account: None,
        country: None,
        network: None,
        operator: None,
        sender: None,
    }
}

/// Receipts that come when the messages were given up: each corrects its message.
pub(crate) async fn receipt_the_unconfirmed(world: &World) -> usize {
    let rows = sqlx::query(
        "SELECT p.operator_id, p.smpp_message_id FROM messages m JOIN message_parts p ON p.message_id = m.id AND p.hop = m.hop
         WHERE m.state = 'unconfirmed' AND p.smpp_message_id IS NOT NULL AND p.state = 'sent'",
    )
    .fetch_all(world.pool())
    .await
    .unwrap();
    let receipt = |row: &sqlx::postgres::PgRow| Receipt {
        operator_id: OperatorId::from_uuid(row.get(0)),
        smpp_message_id: row.get(1),
        state: ReceiptState::Delivered,
        error: "000".into(),
        meaning: None,
        done_at: None,
        received_at: Utc::now(),
        raw: Private::new("id:1 stat:DELIVRD"),
        lookups: 0,
    };
    publish(world, queues::DLR, &rows.iter().map(receipt).collect::<Vec<_>>()).await;
    pump(world, &Dlr::new(world.db.clone(), clock()), queues::DLR).await;
    rows.len()
}

type Key = (NaiveDate, Uuid, String, Uuid, String);
/// Messages, segments, accepted, delivered, unconfirmed, revenue, cost.
type Sums = [i128; 7];

/// The plain way: every last CDR, one after the other.
async fn by_cdrs(world: &World, viewer: AccountId) -> BTreeMap<Key, Sums> {
    let rows = sqlx::query(
        "SELECT DISTINCT ON (message_id) accepted_at, account_id, mcc_mnc, operator_id, sender, segments,
             accepted_segments, state, price_micros, cost_micros
         FROM sms_cdr ORDER BY message_id, correction DESC",
    )
    .fetch_all(world.pool())
    .await
    .unwrap();
    let mut sums: BTreeMap<Key, Sums> = BTreeMap::new();
    for row in rows {
        let (at, operator): (chrono::DateTime<Utc>, Option<Uuid>) = (row.get(0), row.get(3));
        let operator = if viewer == world.house { operator.unwrap_or_default() } else { Uuid::nil() };
        let key = (at.date_naive(), row.get(1), row.get(2), operator, row.get(4));
        let (segments, accepted): (i16, i16) = (row.get(5), row.get(6));
        let (state, price, cost): (String, i64, i64) = (row.get(7), row.get(8), row.get(9));
        let wholesale = i128::from(accepted) * i128::from(RESELLER);
        let (revenue, cost) = if viewer == world.house {
            (wholesale, i128::from(cost))
        } else if viewer == world.reseller {
            (i128::from(price), wholesale)
        } else {
            (0, i128::from(price))
        };
        let one = [
            1,
            i128::from(segments),
            i128::from(accepted),
            i128::from(state == "delivered"),
            i128::from(state == "unconfirmed"),
            revenue,
            cost,
        ];
        let sum = sums.entry(key).or_default();
        sum.iter_mut().zip(one).for_each(|(sum, one)| *sum += one);
    }
    sums
}

fn by_counters(rows: &[Row]) -> BTreeMap<Key, Sums> {
    let one = |row: &Row| {
        let key = (
            row.day.unwrap(),
            row.account.unwrap().uuid(),
            row.network.clone().unwrap(),
            row.operator.map(OperatorId::uuid).unwrap_or_default(),
            row.sender.clone().unwrap(),
        );
        let counts = [row.messages, row.segments, row.accepted_segments, row.delivered, row.unconfirmed];
        let [messages, segments, accepted, delivered, unconfirmed] = counts.map(i128::from);
        (key, [messages, segments, accepted, delivered, unconfirmed, row.revenue, row.cost])
    };
    rows.iter().map(one).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_are_the_cdrs_to_the_micro_through_corrections_and_replays() {
    for seed in [21, 22] {
        let world = World::with_balance(RICH).await;
        Box::pin(live(&world, seed)).await;
        store::traffic::fold(&world.db).await.unwrap();
        let unconfirmed = world.count("SELECT count(*) FROM messages WHERE state = 'unconfirmed'").await;
        assert!(unconfirmed > 0, "seed {seed} has nothing to correct");
        assert!(receipt_the_unconfirmed(&world).await > 0);
        assert!(world.count("SELECT count(*) FROM sms_cdr WHERE correction > 0").await > 0);
        world.assert_books_are_right().await;
        store::traffic::fold(&world.db).await.unwrap();
        assert_eq!(world.count("SELECT count(*) FROM traffic_deltas").await, 0);
        world.assert_books_are_right().await;
        for viewer in [world.house, world.reseller, world.client] {
            let rows = report(&world.db, viewer, &everything(&Dimension::ALL)).await.unwrap();
            assert_eq!(by_counters(&rows), by_cdrs(&world, viewer).await, "seed {seed}");
            let whole = report(&world.db, viewer, &everything(&[])).await.unwrap();
            assert_eq!(whole.len(), 1);
            assert_eq!(whole[0].cost, rows.iter().map(|row| row.cost).sum::<i128>());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_or_doubled_count_is_found() {
    let damages = [
        "UPDATE traffic_counters SET cost_micros = cost_micros + 1 WHERE messages > 0",
        "UPDATE traffic_counters SET delivered = delivered - 1 WHERE delivered > 0",
        "DELETE FROM traffic_counters",
        "UPDATE sms_cdr SET price_micros = price_micros + 1 WHERE message_id = (SELECT message_id FROM sms_cdr LIMIT 1)",
    ];
    for damage in damages {
        let world = World::with_balance(RICH).await;
        Box::pin(live(&world, 23)).await;
        store::traffic::fold(&world.db).await.unwrap();
        world.assert_books_are_right().await;
        sqlx::query(damage).execute(world.pool()).await.unwrap();
        let found = store::ledger::verify(&world.db).await.unwrap();
        assert!(found.iter().any(|one| one.rule.starts_with("the counters")), "{damage}: {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn senders_beyond_the_bound_of_a_day_are_counted_together() {
    let world = World::with_balance(RICH).await;
    let insert = "INSERT INTO traffic_deltas (viewer_id, day, account_id, mcc_mnc, sender, currency, cost_currency,
            receipt_bucket, messages, segments, accepted_segments, delivered, unconfirmed, revenue_micros, cost_micros)
        SELECT $1, current_date, $1, '43405', 'S' || lpad(n::text, 4, '0'), 'UZS', 'UZS', -1, 1, 1, 1, 0, 1, 0, 5
        FROM generate_series(1, $2::int) n";
    // What is taken back later is taken back where it was counted.
    for (senders, named) in [(150, 150), (250, 200), (250, 200)] {
        sqlx::query(insert).bind(world.client.uuid()).bind(senders).execute(world.pool()).await.unwrap();
        store::traffic::fold(&world.db).await.unwrap();
        let rows = report(&world.db, world.client, &everything(&[Dimension::Sender])).await.unwrap();
        assert_eq!(rows.iter().filter(|row| row.sender.as_deref() != Some("")).count(), named);
    }
    let rows = report(&world.db, world.client, &everything(&[Dimension::Sender])).await.unwrap();
    let others: Vec<_> = rows.iter().filter(|row| row.sender.as_deref() == Some("")).collect();
    assert_eq!((others.len(), others[0].messages, others[0].cost), (1, 100, 500));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_counts_in_the_buckets_that_reports_read() {
    let world = World::with_balance(RICH).await;
    let bounds: Vec<i32> = sqlx::query_scalar("SELECT receipt_buckets()").fetch_one(world.pool()).await.unwrap();
    assert_eq!(bounds, RECEIPT_BUCKETS_MS.map(|ms| i32::try_from(ms).unwrap()));
}
