//! Numbers of which the truth is known, and what really arrived there. They are the house's; no tenant.

use chrono::{DateTime, Utc};
use domain::{MessageId, Number};
use sqlx::{PgConnection, query};

use crate::{Db, Error};

/// What is known of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nobody can reach it: a receipt that says delivered is a lie.
    Dead,
    /// Somebody tells what arrived there.
    Truthful,
}

impl Kind {
    /// The name in SQL and API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Truthful => "truthful",
        }
    }

    /// Reads the name; `None` when it is neither.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Dead, Self::Truthful].into_iter().find(|kind| kind.name() == name)
    }
}

/// A number to test operators with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestNumber {
    /// Which.
    pub number: Number,
    /// What is known of it.
    pub kind: Kind,
    /// For people.
    pub note: String,
    /// The key or user that added it.
    pub made_by: String,
}

/// Adds a number, or changes what is known of it.
///
/// # Errors
/// When the database fails.
pub async fn put(tx: &mut PgConnection, new: &TestNumber) -> Result<(), Error> {
    query!(
        "INSERT INTO test_numbers (number, kind, note, made_by) VALUES ($1, $2, $3, $4)
         ON CONFLICT (number) DO UPDATE SET kind = excluded.kind, note = excluded.note, made_by = excluded.made_by",
        new.number.stored(),
        new.kind.name(),
        new.note,
        new.made_by
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Test numbers behind `after`, in their order; one more than `limit` where more follow.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &Db, after: Option<Number>, limit: u16) -> Result<Vec<TestNumber>, Error> {
    let rows = query!(
        "SELECT number, kind, note, made_by FROM test_numbers WHERE number > $1 ORDER BY number LIMIT $2",
        after.map_or(0, Number::stored),
        i64::from(limit) + 1
    )
    .fetch_all(&db.pool)
    .await?;
    let numbers = rows.into_iter().map(|row| {
        Ok(TestNumber {
            number: Number::from_stored(row.number).ok_or_else(|| Error::Corrupt("number".into()))?,
            kind: Kind::parse(&row.kind).ok_or_else(|| Error::Corrupt("kind".into()))?,
            note: row.note,
            made_by: row.made_by,
        })
    });
    numbers.collect()
}

/// Forgets a number; what was reported of it stays. `false`: there is none.
///
/// # Errors
/// When the database fails.
pub async fn delete(tx: &mut PgConnection, number: Number) -> Result<bool, Error> {
    let gone = query!("DELETE FROM test_numbers WHERE number = $1", number.stored()).execute(tx).await?;
    Ok(gone.rows_affected() == 1)
}

/// Whether a message arrived at a truthful number, told by somebody who holds the handset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestResult {
    /// Where.
    pub number: Number,
    /// Which message.
    pub message: MessageId,
    /// It did.
    pub arrived: bool,
    /// The key or user that says so.
    pub made_by: String,
}

/// Stores what arrived; what was reported of the message before is replaced. `false`: the number is no truthful test
/// number, or the message did not go there.
///
/// # Errors
/// When the database fails.
pub async fn report(tx: &mut PgConnection, result: &TestResult, now: DateTime<Utc>) -> Result<bool, Error> {
    let stored = query!(
        "INSERT INTO test_results (message_id, number, arrived, made_by, reported_at)
         SELECT m.id, t.number, $3, $4, $5 FROM messages m JOIN test_numbers t ON t.number = m.recipient
         WHERE m.id = $1 AND t.number = $2 AND t.kind = 'truthful'
         ON CONFLICT (message_id) DO UPDATE SET arrived = excluded.arrived, made_by = excluded.made_by,
            reported_at = excluded.reported_at",
        result.message.uuid(),
        result.number.stored(),
        result.arrived,
        result.made_by,
        now
    )
    .execute(tx)
    .await?;
    Ok(stored.rows_affected() == 1)
}
