//! What exports say is what the books say, whatever happened: each account's file adds up to its wallet and its revenue, the
//! house's to what its suppliers are owed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::TimeDelta;
use domain::{AccountId, ExportId, Micros, OperatorId};
use serde_json::Value;
use store::exports::{self, Filter, NewExport};
use testkit::until_some;
use uuid::Uuid;

use super::lived;
use crate::ledger::counters::receipt_the_unconfirmed;
use crate::road::Road;

/// Lives whose exports are added up.
const SEEDS: std::ops::Range<u64> = 100..102;

/// What the records of one account add up to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sums {
    /// Taken from its wallet, and given back to it.
    paid: (i64, i64),
    /// What it earned, less what it gave back.
    revenue: i64,
    /// What operators are owed; the house's own.
    suppliers: BTreeMap<OperatorId, i64>,
}

/// Hard cases that were met, so that a proof without them is no proof.
#[derive(Debug, Default)]
struct Met {
    refunds: usize,
    hops: usize,
    corrections: usize,
}

impl Road {
    /// Exports what `account` may see and fails unless it is what the journal says. Answers the records.
    pub(crate) async fn assert_export_adds_up(&self, account: AccountId) -> Vec<Value> {
        let records = self.records(account).await;
        let key = |record: &Value| (record["message_id"].to_string(), record["correction"].to_string());
        assert_eq!(records.iter().map(key).collect::<BTreeSet<_>>().len(), records.len(), "each record once");
        assert_eq!(add_up(account, &records), self.journal(account).await, "{account}");
        records
    }

    /// The records that `account` gets, page by page.
    async fn records(&self, account: AccountId) -> Vec<Value> {
        let (id, day) = (ExportId::generate(), TimeDelta::days(1));
        let new = NewExport {
            id,
            account,
            format: "ndjson".to_owned(),
            gzip: false,
            from: self.now() - day,
            to: self.now() + day,
            filter: Filter::default(),
            actor: "test".to_owned(),
            at: self.now(),
        };
        let mut tx = self.world.db.begin().await.unwrap();
        assert!(exports::create(&mut tx, &new).await.unwrap());
        tx.commit().await.unwrap();
        self.clock.advance(exports::SETTLING.to_std().unwrap());
        // It waits for whatever transaction is still being rolled back.
        let done = async || {
            while self.sweep.exports().await.unwrap() > 0 {}
            let export = exports::get(&self.world.db, account, id).await.unwrap().unwrap();
            (export.state != "queued").then_some(export)
        };
        let export = until_some(Duration::from_secs(30), done).await;
        assert_eq!(export.state, "done");
        let mut text = Vec::new();
        for number in 0..export.chunks {
            text.extend(exports::chunk(&self.world.db, account, id, number).await.unwrap().unwrap());
        }
        String::from_utf8(text).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What the journal says of `account`, of messages: look-ups have no records.
    async fn journal(&self, account: AccountId) -> Sums {
        let pool = self.world.pool();
        let (captured, refunded, revenue): (i64, i64, i64) = sqlx::query_as(
            "SELECT coalesce(-sum(posted_micros) FILTER (WHERE ledger = 'wallet' AND operation = 'capture'), 0)::bigint,
                 coalesce(sum(posted_micros) FILTER (WHERE ledger = 'wallet' AND operation = 'refund'), 0)::bigint,
                 coalesce(sum(posted_micros) FILTER (WHERE ledger = 'revenue' AND operation <> 'lookup'), 0)::bigint
             FROM balance_ledger WHERE account_id = $1",
        )
        .bind(account.uuid())
        .fetch_one(pool)
        .await
        .unwrap();
        let mut suppliers = BTreeMap::new();
        if account == self.world.house {
            let owed: Vec<(Uuid, i64)> = sqlx::query_as(
                "SELECT operator_id, sum(posted_micros)::bigint FROM balance_ledger
                 WHERE ledger = 'supplier' AND operation <> 'lookup' GROUP BY 1",
            )
            .fetch_all(pool)
            .await
            .unwrap();
            suppliers.extend(owed.into_iter().map(|(id, owed)| (OperatorId::from_uuid(id), owed)));
        }
        Sums { paid: (captured, refunded), revenue, suppliers }
    }
}

fn micros(value: &Value) -> i64 {
    value.as_str().map_or(0, |amount| amount.parse::<Micros>().unwrap().get())
}

fn add_up(account: AccountId, records: &[Value]) -> Sums {
    let mut sums = Sums::default();
    for record in records {
        let (price, refunded) = (micros(&record["price"]), micros(&record["refunded"]));
        if record["account_id"] == account.to_string() {
            sums.paid.0 += price;
            sums.paid.1 += refunded;
        } else {
            sums.paid.0 += micros(&record["cost"]);
            sums.paid.1 += micros(&record["cost_refunded"]);
            sums.revenue += price - refunded;
        }
        let hops = record["hops"].as_array().map(Vec::as_slice).unwrap_or_default();
        for hop in hops.iter().chain([record]) {
            let cost = micros(&hop["supplier_cost"]);
            if cost != 0 {
                *sums.suppliers.entry(hop["operator_id"].as_str().unwrap().parse().unwrap()).or_default() += cost;
            }
        }
    }
    sums
}

fn meet(met: &mut Met, records: &[Value]) {
    for record in records {
        met.refunds += record["refunds"].as_array().unwrap().len();
        met.corrections += usize::from(record["correction"] != 0);
        for hop in record["hops"].as_array().unwrap().iter().filter(|hop| micros(&hop["supplier_cost"]) > 0) {
            assert!(hop["rate_id"].is_string() && hop["supplier_entry_id"].is_string(), "{hop}");
            met.hops += 1;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_add_up_to_the_books_to_the_micro() {
    let mut met = Met::default();
    for seed in SEEDS {
        let life = Box::pin(lived(seed)).await;
        let road = &life.firm.road;
        // Some receipts come when nobody waits for them any more.
        receipt_the_unconfirmed(&road.world).await;
        for account in life.firm.accounts.clone() {
            let records = road.assert_export_adds_up(account).await;
            if account == road.world.house {
                meet(&mut met, &records);
            }
        }
    }
    assert!(met.refunds > 5 && met.hops > 5 && met.corrections > 0, "{met:?}");
}
