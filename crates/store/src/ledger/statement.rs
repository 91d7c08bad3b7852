//! The statement of a wallet: every movement from the journal, with what was there behind it.
//!
//! Lines stand in the order of their entries' ids. Two entries that were made at the same time may have been posted the
//! other way round; so the balance behind each line is counted back from the wallet, and the lines always chain.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{AccountId, Currency, Micros};
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::page::parse;
use crate::{Db, Error};

/// The operations that a wallet's line can have.
pub const OPERATIONS: [&str; 10] = [
    "hold",
    "capture",
    "release",
    "lookup",
    "refund",
    "top_up",
    "transfer",
    "adjustment",
    "correction",
    "revenue_credit",
];

/// A moment behind every entry, in seconds since 1970: the year 9999. An id of version 7 can still hold it.
const END_OF_TIME_S: i64 = 253_402_300_799;

/// How long before the time of its line an entry's id may have been made, and after.
const SLACK: TimeDelta = TimeDelta::minutes(10);

/// One movement of a wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its journal entry.
    pub entry: Uuid,
    /// Which line of it.
    pub number: i16,
    /// When.
    pub at: DateTime<Utc>,
    /// One of [`OPERATIONS`].
    pub operation: String,
    /// By how much the balance changed.
    pub amount: Micros,
    /// By how much what is held changed.
    pub held: Micros,
    /// The balance behind it.
    pub balance_after: Micros,
    /// What was held behind it.
    pub held_after: Micros,
    /// The wallet's currency.
    pub currency: Currency,
    /// How many messages it covers.
    pub messages: i32,
    /// Why, where somebody said so.
    pub reason: Option<String>,
}

/// Which part of a statement is read; the newest line comes first.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// From this moment on.
    pub since: Option<DateTime<Utc>>,
    /// Before this moment.
    pub until: Option<DateTime<Utc>>,
    /// Of this operation only.
    pub operation: Option<String>,
    /// Behind this line: where the page before ended.
    pub behind: Option<(Uuid, i16)>,
    /// Balance and hold as they were below that line, where the caller has read it: what is newer is not counted again.
    /// Only good for a line to whose age nothing can be added any more.
    pub below: Option<(Micros, Micros)>,
    /// Lines at most.
    pub lines: u16,
}

impl Part {
    fn since(&self) -> DateTime<Utc> {
        self.since.unwrap_or_default().max(DateTime::UNIX_EPOCH + SLACK)
    }

    fn until(&self) -> DateTime<Utc> {
        self.until.or(DateTime::from_timestamp(END_OF_TIME_S, 0)).unwrap_or_default()
    }
}

/// What a wallet had where a time begins and where it ends. What all lines of the time move lies between the two, whatever
/// part of them is read; and where one time ends, the next begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balances {
    /// Before the first line of the time.
    pub opening: Micros,
    /// Behind its last.
    pub closing: Micros,
    /// The wallet's currency.
    pub currency: Currency,
}

/// The lines of `account`'s wallet in `part`, and one more where there is one: it tells whether more follow.
///
/// # Errors
/// When the database fails.
pub async fn lines(db: &Db, account: AccountId, part: &Part) -> Result<Vec<Line>, Error> {
    let mut connection = db.pool.lend().await?;
    let lines = read(&mut connection, account, part).await?;
    connection.done().await?;
    Ok(lines)
}

/// The same, and the balances at both ends of the time, as of one moment. `None`: the account has no wallet, and so no lines.
///
/// # Errors
/// When the database fails.
pub async fn opened(db: &Db, account: AccountId, part: &Part) -> Result<(Vec<Line>, Option<Balances>), Error> {
    let mut tx = db.begin_picture().await?;
    let lines = read(&mut tx, account, part).await?;
    let balances = balances(&mut tx, account, part).await?;
    tx.rollback().await?;
    Ok((lines, balances))
}

/// How many lines `part` has, up to one more than `max`; its page is not looked at.
///
/// # Errors
/// When the database fails.
pub async fn count(db: &Db, account: AccountId, part: &Part, max: u32) -> Result<u32, Error> {
    let row = query!(
        r#"SELECT count(*) AS "lines!" FROM (
            SELECT FROM balance_ledger WHERE account_id = $1 AND ledger = 'wallet'
                AND entry_id >= uuid_at($2::timestamptz - interval '10 minutes')
                AND entry_id <= uuid_at($3::timestamptz + interval '10 minutes') AND at >= $2 AND at < $3
                AND ($4::text IS NULL OR operation = $4) LIMIT $5) AS few"#,
        account.uuid(),
        part.since(),
        part.until(),
        part.operation,
        i64::from(max) + 1
    )
    .fetch_one(&db.pool)
    .await?;
    u32::try_from(row.lines).map_err(|_| Error::Range)
}

async fn balances(connection: &mut PgConnection, account: AccountId, part: &Part) -> Result<Option<Balances>, Error> {
    // A wallet begins with nothing; what came before all times need not be counted back.
    let from = part.since.map_or(part.until(), |_| part.since().min(part.until()));
    let row = query!(
        r#"SELECT w.currency AS "currency!",
            (w.posted_micros - coalesce(sum(l.posted_micros) FILTER (WHERE l.at >= $3), 0))::bigint AS "closing!",
            (w.posted_micros - coalesce(sum(l.posted_micros) FILTER (WHERE l.at >= $2), 0))::bigint AS "opening!"
        FROM account_balances w LEFT JOIN balance_ledger l ON l.account_id = w.account_id AND l.ledger = 'wallet'
            AND l.entry_id >= uuid_at($4::timestamptz - interval '10 minutes') AND l.at >= $4
        WHERE w.account_id = $1 GROUP BY w.account_id"#,
        account.uuid(),
        part.since(),
        part.until(),
        from
    )
    .fetch_optional(connection)
    .await?;
    row.map(|row| {
        let opening = Micros::new(if part.since.is_some() { row.opening } else { 0 });
        Ok(Balances { opening, closing: Micros::new(row.closing), currency: parse(&row.currency, "currency")? })
    })
    .transpose()
}

async fn read(connection: &mut PgConnection, account: AccountId, part: &Part) -> Result<Vec<Line>, Error> {
    let (since, until) = (part.since(), part.until());
    let (entry, number) = part.behind.unwrap_or((Uuid::max(), i16::MAX));
    let rows = query!(
        r#"WITH page AS (
            SELECT entry_id, line FROM balance_ledger
            WHERE account_id = $1 AND ledger = 'wallet' AND (entry_id, line) < ($4, $5)
                AND entry_id >= uuid_at($2::timestamptz - interval '10 minutes')
                AND entry_id <= uuid_at($3::timestamptz + interval '10 minutes') AND at >= $2 AND at < $3
                AND ($6::text IS NULL OR operation = $6)
            ORDER BY entry_id DESC, line DESC LIMIT $7
        ), bottom AS (
            SELECT entry_id, line FROM page ORDER BY entry_id, line LIMIT 1
        ), counted AS (
            -- What lies between each line and the wallet as it is now.
            SELECT l.entry_id, l.line, l.at, l.operation, l.posted_micros, l.held_micros, l.currency, l.messages,
                l.reason,
                sum(l.posted_micros) OVER newer - l.posted_micros AS posted_since,
                sum(l.held_micros) OVER newer - l.held_micros AS held_since
            FROM balance_ledger l, bottom b
            WHERE l.account_id = $1 AND l.ledger = 'wallet' AND l.entry_id >= b.entry_id
                AND ($8::bigint IS NULL OR (l.entry_id, l.line) < ($4, $5))
            WINDOW newer AS (ORDER BY l.entry_id DESC, l.line DESC)
        )
        SELECT c.entry_id, c.line, c.at, c.operation, c.posted_micros, c.held_micros, c.currency AS "currency!",
            c.messages, c.reason, (coalesce($8, w.posted_micros) - c.posted_since)::bigint AS "balance_after!",
            (coalesce($9, w.held_micros) - c.held_since)::bigint AS "held_after!"
        FROM counted c JOIN page p ON p.entry_id = c.entry_id AND p.line = c.line, account_balances w
        WHERE w.account_id = $1 ORDER BY c.entry_id DESC, c.line DESC"#,
        account.uuid(),
        since,
        until,
        entry,
        number,
        part.operation,
        i64::from(part.lines) + 1,
        part.below.map(|(balance, _)| balance.get()),
        part.below.map(|(_, held)| held.get())
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Line {
                entry: row.entry_id,
                number: row.line,
                at: row.at,
                operation: row.operation,
                amount: Micros::new(row.posted_micros),
                held: Micros::new(row.held_micros),
                balance_after: Micros::new(row.balance_after),
                held_after: Micros::new(row.held_after),
                currency: parse(&row.currency, "currency")?,
                messages: row.messages,
                reason: row.reason,
            })
        })
        .collect()
}

/// Has `entry` a line on `account`'s wallet?
///
/// # Errors
/// When the database fails.
pub async fn has(db: &Db, account: AccountId, entry: Uuid) -> Result<bool, Error> {
    let row = query!(
        r#"SELECT EXISTS (SELECT FROM balance_ledger WHERE account_id = $1 AND entry_id = $2 AND ledger = 'wallet')
           AS "has!""#,
        account.uuid(),
        entry
    );
    Ok(row.fetch_one(&db.pool).await?.has)
}
