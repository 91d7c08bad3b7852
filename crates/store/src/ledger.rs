//! The journal: double entry, append-only, and the wallets that are its fold.
//!
//! **Invariant:** the lines of an entry sum to zero per currency; a wallet changes only together with its line.

mod acts;
pub mod adjust;
pub mod burn;
pub mod caps;
pub mod correct;
mod entries;
mod entry;
mod exchange;
mod lookup;
mod nightly;
pub mod open;
pub mod payout;
mod post;
pub mod refund;
pub mod revenue;
mod seal;
pub mod statement;
pub mod supplier;
mod suppliers;
pub mod thresholds;
pub mod transactions;
mod verify;

pub use entry::{Entries, EntryIds};
pub use lookup::{Lookups, look_ups};
pub use nightly::{Checked, last_night, nightly};
pub use post::{
    Balance, TopUp, Transfer, TransferError, balance, balance_within, open_wallet, top_up, transfer, transfer_own,
};
pub use seal::{GRACE, Sealed, seal};
pub use verify::{Audit, Extent, Progress, Violation, audit, verify};

use std::collections::BTreeMap;

use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::Error;
use crate::ledger::entry::Line;

/// Captures and releases what `entries` gathered: each wallet once, in one order, then their journal lines.
/// Call it last in a transaction: wallets are the rows that many transactions want.
pub async fn settle(connection: &mut PgConnection, entries: &Entries) -> Result<(), Error> {
    let mut lines = entries.lines()?;
    if lines.is_empty() {
        return Ok(());
    }
    let mut wallets: BTreeMap<Uuid, (i64, i64)> = BTreeMap::new();
    for line in lines.iter().filter(|line| line.is_wallet()) {
        let wallet = wallets.entry(line.account).or_default();
        wallet.0 = wallet.0.checked_add(line.posted).ok_or(Error::Range)?;
        wallet.1 = wallet.1.checked_add(line.held).ok_or(Error::Range)?;
    }
    let mut after = move_wallets(connection, &wallets).await?;
    // Lines of one wallet are written in their order: the last one ends at the balance that was reached.
    for line in lines.iter_mut().rev().filter(|line| line.is_wallet()) {
        if let Some(balance) = after.get_mut(&line.account) {
            line.after = Some(*balance);
            *balance = (balance.0 - line.posted, balance.1 - line.held);
        }
    }
    write(connection, &lines).await?;
    open::note(connection, entries).await
}

/// Adds to each wallet's posted and held sums; answers both as they are then.
async fn move_wallets(
    connection: &mut PgConnection,
    wallets: &BTreeMap<Uuid, (i64, i64)>,
) -> Result<BTreeMap<Uuid, (i64, i64)>, Error> {
    if wallets.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ids: Vec<Uuid> = wallets.keys().copied().collect();
    let posted: Vec<i64> = wallets.values().map(|w| w.0).collect();
    let held: Vec<i64> = wallets.values().map(|w| w.1).collect();
    let rows = query!(
        r#"
        WITH locked AS (
            SELECT account_id FROM account_balances WHERE account_id = ANY ($1) ORDER BY account_id
            FOR NO KEY UPDATE
        )
        UPDATE account_balances b SET posted_micros = b.posted_micros + m.posted,
            held_micros = b.held_micros + m.held, updated_at = now()
        FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS m (account_id, posted, held)
        WHERE b.account_id = m.account_id AND (SELECT count(*) FROM locked) > 0
        RETURNING b.account_id, b.posted_micros, b.held_micros
        "#,
        &ids,
        &posted,
        &held
    )
    .fetch_all(connection)
    .await?;
    if rows.len() != wallets.len() {
        return Err(Error::Corrupt("a payer without a wallet".into()));
    }
    Ok(rows.into_iter().map(|row| (row.account_id, (row.posted_micros, row.held_micros))).collect())
}

/// Writes journal lines; supplier lines belong to the house.
async fn write(connection: &mut PgConnection, lines: &[Line]) -> Result<(), Error> {
    let entries: Vec<Uuid> = lines.iter().map(|l| l.entry).collect();
    let numbers: Vec<i16> = lines.iter().map(|l| l.number).collect();
    let operations: Vec<&str> = lines.iter().map(|l| l.operation).collect();
    let ledgers: Vec<&str> = lines.iter().map(|l| l.ledger).collect();
    let accounts: Vec<Option<Uuid>> = lines.iter().map(|l| (!l.account.is_nil()).then_some(l.account)).collect();
    let operators: Vec<Option<Uuid>> = lines.iter().map(|l| l.operator).collect();
    let currencies: Vec<&str> = lines.iter().map(|l| l.currency.code()).collect();
    let posted: Vec<i64> = lines.iter().map(|l| l.posted).collect();
    let held: Vec<i64> = lines.iter().map(|l| l.held).collect();
    let posted_after: Vec<Option<i64>> = lines.iter().map(|l| l.after.map(|a| a.0)).collect();
    let held_after: Vec<Option<i64>> = lines.iter().map(|l| l.after.map(|a| a.1)).collect();
    let messages: Vec<i32> = lines.iter().map(|l| l.messages).collect();
    let reasons: Vec<Option<&str>> = lines.iter().map(|l| l.reason.as_deref()).collect();
    query!(
        "INSERT INTO balance_ledger (entry_id, line, operation, ledger, account_id, operator_id, currency,
            posted_micros, held_micros, posted_after_micros, held_after_micros, messages, reason)
         SELECT l.entry, l.line, l.operation, l.ledger,
            coalesce(l.account, (SELECT id FROM accounts WHERE parent_id IS NULL)), l.operator, l.currency,
            l.posted, l.held, l.posted_after, l.held_after, l.messages, l.reason
         FROM unnest($1::uuid[], $2::smallint[], $3::text[], $4::text[], $5::uuid[], $6::uuid[], $7::text[],
            $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::int[], $13::text[])
            AS l (entry, line, operation, ledger, account, operator, currency, posted, held, posted_after,
                held_after, messages, reason)",
        &entries,
        &numbers,
        &operations as &[&str],
        &ledgers as &[&str],
        &accounts as &[Option<Uuid>],
        &operators as &[Option<Uuid>],
        &currencies as &[&str],
        &posted,
        &held,
        &posted_after as &[Option<i64>],
        &held_after as &[Option<i64>],
        &messages,
        &reasons as &[Option<&str>]
    )
    .execute(connection)
    .await?;
    Ok(())
}
