//! How far the books were found right: where an incremental check goes on.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, query};
use uuid::Uuid;

use super::Extent;
use super::rules::{due, whole};
use super::seals::Chain;
use crate::dlr::uuid_at;
use crate::ledger::seal::SHARD;
use crate::ledger::suppliers;
use crate::{Db, Error};

/// How long after it was accepted a message can still change: its longest validity, receipts and corrections.
const CHANGES: TimeDelta = TimeDelta::days(21);

/// Where a check begins. By default with everything.
#[derive(Debug, Clone, Default)]
pub(in crate::ledger) struct Since {
    /// There are sums of each wallet.
    pub(in crate::ledger) has_sums: bool,
    /// There are sums of each account with an operator, too.
    pub(in crate::ledger) has_suppliers: bool,
    /// They hold lines up to this entry.
    pub(in crate::ledger) entry: Uuid,
    /// They hold what is due by messages before this one.
    pub(in crate::ledger) message: Uuid,
    /// Entries before `entry` that came behind the sums.
    pub(in crate::ledger) late: Vec<Uuid>,
    sequence: i64,
    hash: Vec<u8>,
}

impl Since {
    /// For sums of accounts with operators: this, or everything where there are none.
    pub(in crate::ledger) fn of_suppliers(&self) -> Self {
        if self.has_suppliers { self.clone() } else { Self::default() }
    }

    /// The chain as far as it was checked.
    pub(super) fn chain(&self) -> Chain {
        Chain { sequence: self.sequence, hash: self.hash.clone(), frontier: self.entry, ..Chain::default() }
    }
}

/// Where the last check ended that found nothing.
pub(super) async fn last(connection: &mut PgConnection) -> Result<Option<Since>, Error> {
    let row = query!("SELECT sequence, hash, entry_id, message_id, suppliers_sequence FROM ledger_checks");
    let row = row.fetch_optional(connection).await?;
    Ok(row.map(|row| Since {
        has_sums: true,
        has_suppliers: row.suppliers_sequence == Some(row.sequence),
        entry: row.entry_id,
        message: row.message_id,
        late: Vec::new(),
        sequence: row.sequence,
        hash: row.hash,
    }))
}

/// Lines under the seals that will be checked.
pub(super) async fn sealed_lines(connection: &mut PgConnection, since: &Since) -> Result<i64, Error> {
    let row = query!(
        r#"SELECT coalesce(sum(lines), 0)::bigint AS "lines!" FROM journal_seals WHERE shard = $1 AND sequence > $2"#,
        SHARD,
        since.sequence
    )
    .fetch_one(connection)
    .await?;
    Ok(row.lines)
}

/// What a clean check leaves behind.
#[derive(Debug, Clone)]
pub(super) struct Sums {
    sequence: i64,
    hash: Vec<u8>,
    entry: Uuid,
    message: Uuid,
    accounts: Vec<Uuid>,
    /// As text: they may go beyond 64 bits.
    posted: Vec<String>,
    held: Vec<String>,
    captured: Vec<String>,
    due: Vec<String>,
    suppliers: suppliers::Sums,
}

impl Sums {
    /// The sums of each wallet up to the end of `chain`: those of before, and what came since.
    pub(super) async fn read(
        connection: &mut PgConnection,
        since: &Since,
        chain: &Chain,
        now: DateTime<Utc>,
    ) -> Result<Self, Error> {
        let message = settled(connection, since.message, now).await?;
        let rows = query!(
            r#"
            WITH lines AS (
                SELECT account_id, posted_micros, held_micros, operation FROM balance_ledger
                WHERE ledger = 'wallet' AND entry_id > $1 AND entry_id <= $2
                UNION ALL
                SELECT account_id, posted_micros, held_micros, operation FROM balance_ledger
                WHERE ledger = 'wallet' AND entry_id = ANY ($3) AND entry_id <= $1
            ), moved AS (
                SELECT account_id, sum(posted_micros) AS posted, sum(held_micros) AS held,
                    -coalesce(sum(posted_micros) FILTER (WHERE operation = 'capture'), 0) AS captured
                FROM lines GROUP BY 1
            )
            SELECT b.account_id, account_text(b.account_id) AS "payer!", (coalesce(c.posted_micros, 0) + coalesce(m.posted, 0))::text AS "posted!",
                (coalesce(c.held_micros, 0) + coalesce(m.held, 0))::text AS "held!",
                (coalesce(c.captured_micros, 0) + coalesce(m.captured, 0))::text AS "captured!",
                coalesce(c.due_micros, 0)::text AS "due!"
            FROM account_balances b
            LEFT JOIN ledger_checkpoints c ON $4 AND c.account_id = b.account_id
            LEFT JOIN moved m ON m.account_id = b.account_id
            "#,
            since.entry,
            chain.frontier,
            &since.late,
            since.has_sums
        )
        .fetch_all(&mut *connection)
        .await?;
        let due = due(connection, since.message, message).await?;
        let suppliers = suppliers::Sums::read(connection, &since.of_suppliers(), (chain.frontier, message)).await?;
        let mut sums = Self {
            sequence: chain.sequence,
            hash: chain.hash.clone(),
            entry: chain.frontier,
            message,
            accounts: Vec::new(),
            posted: Vec::new(),
            held: Vec::new(),
            captured: Vec::new(),
            due: Vec::new(),
            suppliers,
        };
        for row in rows {
            sums.accounts.push(row.account_id);
            sums.posted.push(row.posted);
            sums.held.push(row.held);
            sums.captured.push(row.captured);
            let due = whole(&row.due)? + due.get(&row.payer).copied().unwrap_or_default();
            sums.due.push(due.to_string());
        }
        Ok(sums)
    }

    /// Stores them in place of those of before.
    pub(super) async fn keep(&self, db: &Db, extent: Extent, now: DateTime<Utc>) -> Result<(), Error> {
        let mut tx = db.begin().await?;
        let full_at = (extent == Extent::Full).then_some(now);
        query!(
            "INSERT INTO ledger_checks AS c (sequence, hash, entry_id, message_id, at, full_at, suppliers_sequence)
             VALUES ($1, $2, $3, $4, $5, $6, $1)
             ON CONFLICT (one) DO UPDATE SET sequence = $1, hash = $2, entry_id = $3, message_id = $4, at = $5,
                full_at = coalesce($6, c.full_at), suppliers_sequence = $1",
            self.sequence,
            &self.hash,
            self.entry,
            self.message,
            now,
            full_at
        )
        .execute(&mut *tx)
        .await?;
        query!(
            "INSERT INTO ledger_checkpoints (account_id, posted_micros, held_micros, captured_micros, due_micros)
             SELECT s.account, s.posted::numeric, s.held::numeric, s.captured::numeric, s.due::numeric
             FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[])
                 AS s (account, posted, held, captured, due)
             ON CONFLICT (account_id) DO UPDATE SET posted_micros = excluded.posted_micros,
                held_micros = excluded.held_micros, captured_micros = excluded.captured_micros,
                due_micros = excluded.due_micros",
            &self.accounts,
            &self.posted,
            &self.held,
            &self.captured,
            &self.due
        )
        .execute(&mut *tx)
        .await?;
        self.suppliers.keep(&mut tx).await?;
        tx.commit().await
    }
}

/// Messages before this one have ended and will not change any more; those before `from` had ended then.
async fn settled(connection: &mut PgConnection, from: Uuid, now: DateTime<Utc>) -> Result<Uuid, Error> {
    let old = uuid_at(now - CHANGES).max(from);
    let open =
        query!("SELECT id FROM messages WHERE id >= $1 AND id < $2 AND state_rank < 8 ORDER BY id LIMIT 1", from, old);
    Ok(open.fetch_optional(connection).await?.map_or(old, |row| row.id))
}
