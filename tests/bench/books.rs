//! What the database says: which messages came how far, and what was left behind.

use anyhow::{Context, Result, ensure};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::setup::SENDER;

/// The rank from which a state is final.
const FINAL_RANK: i16 = 8;

/// How far the messages of a run came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) stored: u64,
    pub(crate) ended: u64,
    pub(crate) delivered: u64,
    /// When the last change was made, in microseconds of Unix time.
    pub(crate) last_us: i64,
}

/// A connection to the database of the measured system.
#[derive(Debug)]
pub(crate) struct Books {
    db: PgConnection,
}

impl Books {
    pub(crate) async fn open(url: &str) -> Result<Self> {
        Ok(Self { db: PgConnection::connect(url).await.context("cannot connect to the database")? })
    }

    /// The last message there is; those of a run come behind it.
    pub(crate) async fn last_message(&mut self) -> Result<Uuid> {
        let last = sqlx::query_scalar("SELECT id FROM messages ORDER BY id DESC LIMIT 1");
        Ok(last.fetch_optional(&mut self.db).await?.unwrap_or_default())
    }

    /// How far our messages behind `after` came; the demo sends some of its own.
    pub(crate) async fn progress(&mut self, after: Uuid) -> Result<Progress> {
        let query = "SELECT count(*), count(*) FILTER (WHERE state_rank >= $2),
                count(*) FILTER (WHERE state = 'delivered'),
                COALESCE((EXTRACT(EPOCH FROM max(updated_at)) * 1000000)::bigint, 0)
            FROM messages WHERE id > $1 AND sender = $3";
        let row: (i64, i64, i64, i64) =
            sqlx::query_as(query).bind(after).bind(FINAL_RANK).bind(SENDER).fetch_one(&mut self.db).await?;
        let [stored, ended, delivered] = [row.0, row.1, row.2].map(|count| u64::try_from(count).unwrap_or_default());
        Ok(Progress { stored, ended, delivered, last_us: row.3 })
    }

    /// States and their numbers, for an error message.
    pub(crate) async fn states(&mut self, after: Uuid) -> Result<String> {
        let query =
            "SELECT state || coalesce(' (' || code || ')', ''), count(*) FROM messages WHERE id > $1 GROUP BY 1";
        let rows: Vec<(String, i64)> = sqlx::query_as(query).bind(after).fetch_all(&mut self.db).await?;
        let mut told: Vec<String> = rows.iter().map(|(state, count)| format!("{count} {state}")).collect();
        let query = "SELECT q.name, count(*) FROM queue.messages m JOIN queue.queues q ON q.id = m.queue GROUP BY 1";
        let rows: Vec<(String, i64)> = sqlx::query_as(query).fetch_all(&mut self.db).await?;
        told.extend(rows.iter().map(|(queue, count)| format!("{count} in queue {queue}")));
        Ok(told.join(", "))
    }

    /// Envelopes that are in a queue or shall be.
    pub(crate) async fn envelopes(&mut self) -> Result<u64> {
        let query = "SELECT (SELECT count(*) FROM queue.messages) + (SELECT count(*) FROM outbox)";
        let count: i64 = sqlx::query_scalar(query).fetch_one(&mut self.db).await?;
        Ok(u64::try_from(count)?)
    }

    /// What is held of all wallets together, in micros.
    pub(crate) async fn held(&mut self) -> Result<i64> {
        let query = "SELECT COALESCE(sum(held_micros), 0)::bigint FROM account_balances";
        Ok(sqlx::query_scalar(query).fetch_one(&mut self.db).await?)
    }

    /// Nothing may be parked, and no money held, once every message has ended.
    pub(crate) async fn nothing_left(&mut self) -> Result<()> {
        let query = "SELECT (SELECT count(*) FROM queue.parked), (SELECT count(*) FROM messages WHERE state_rank < $1),
            (SELECT COALESCE(sum(held_micros), 0)::bigint FROM account_balances)";
        let left: (i64, i64, i64) = sqlx::query_as(query).bind(FINAL_RANK).fetch_one(&mut self.db).await?;
        let (parked, open, held) = left;
        ensure!(left == (0, 0, 0), "left behind: {parked} parked envelopes, {open} open messages, {held} micros held");
        Ok(())
    }
}
