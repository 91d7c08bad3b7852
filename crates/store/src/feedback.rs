//! What accounts say became of their messages: one opinion for each message, which is final.

use chrono::{DateTime, Utc};
use domain::{AccountId, MessageId};
use sqlx::{PgConnection, query};

use crate::Error;

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its recipient did what it asked for.
    Converted,
    /// It did not arrive.
    NotReceived,
}

impl Outcome {
    /// The name in SQL and API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Converted => "converted",
            Self::NotReceived => "not_received",
        }
    }

    /// Reads the name; `None` when it is neither.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Converted, Self::NotReceived].into_iter().find(|outcome| outcome.name() == name)
    }
}

/// What came of giving feedback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// It is stored, now or before: when it was given first.
    Stored(DateTime<Utc>),
    /// Another opinion of the message is stored.
    Otherwise(Outcome),
    /// The message was never given to an operator.
    NotSent,
    /// There is no such message in the tenant's subtree.
    NoMessage,
}

/// Stores what became of a message of the tenant's subtree, and counts it for its operator: of accounts that gave
/// feedback before they sent it, since what others do not say means nothing.
///
/// # Errors
/// When the database fails.
pub async fn give(
    tx: &mut PgConnection,
    tenant: AccountId,
    (message, outcome): (MessageId, Outcome),
    now: DateTime<Utc>,
) -> Result<Given, Error> {
    let found = query!(
        r#"SELECT m.account_id, EXISTS (SELECT FROM message_parts p WHERE p.message_id = m.id) AS "is_sent!"
           FROM messages m JOIN accounts a ON a.id = m.account_id WHERE m.id = $2 AND a.path @> ARRAY[$1::uuid]"#,
        tenant.uuid(),
        message.uuid()
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(found) = found else { return Ok(Given::NoMessage) };
    if !found.is_sent {
        return Ok(Given::NotSent);
    }
    let stored = query!(
        "INSERT INTO message_feedback (message_id, account_id, outcome, at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (message_id) DO NOTHING",
        message.uuid(),
        found.account_id,
        outcome.name(),
        now
    )
    .execute(&mut *tx)
    .await?;
    if stored.rows_affected() == 0 {
        let row = query!("SELECT outcome, at FROM message_feedback WHERE message_id = $1", message.uuid());
        let row = row.fetch_one(tx).await?;
        let before = Outcome::parse(&row.outcome).ok_or_else(|| Error::Corrupt("feedback".into()))?;
        return Ok(if before == outcome { Given::Stored(row.at) } else { Given::Otherwise(before) });
    }
    query!(
        "INSERT INTO feedback_accounts (account_id, since) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        found.account_id,
        now
    )
    .execute(&mut *tx)
    .await?;
    count(tx, message, outcome).await?;
    Ok(Given::Stored(now))
}

/// Counts it in the ten seconds in which the message was submitted, where its receipt counts, too: for the operator that
/// reported it delivered, the first of several; else for the last one that took it. That a message did not arrive which the
/// operator reports so is no news.
async fn count(tx: &mut PgConnection, message: MessageId, outcome: Outcome) -> Result<(), Error> {
    query!(
        "INSERT INTO operator_count_deltas (operator_id, mcc_mnc, bucket, converted, not_received)
         SELECT p.operator_id, m.mcc_mnc, date_bin('10 seconds', p.submitted_at, 'epoch'),
            ($2 = 'converted')::integer, ($2 = 'not_received')::integer
         FROM messages m JOIN feedback_accounts f ON f.account_id = m.account_id
         CROSS JOIN LATERAL (
            SELECT * FROM message_parts p WHERE p.message_id = m.id AND p.segment = 1
            ORDER BY p.state = 'delivered' DESC, CASE WHEN p.state = 'delivered' THEN p.receipt_at END,
                p.state <> 'failed' DESC, p.hop DESC LIMIT 1
         ) p
         WHERE m.id = $1 AND f.since <= m.created_at
            AND ($2 = 'converted' OR m.state NOT IN ('undelivered', 'expired', 'rejected', 'failed'))",
        message.uuid(),
        outcome.name()
    )
    .execute(tx)
    .await?;
    Ok(())
}
