//! Who wants no more messages of an account. An opt-out is of a handset for an account, with all of its senders.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use domain::{AccountId, Number};
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::page::Page;
use crate::{Db, Error};

/// Those of `pairs` that have opted out. [`accept`](crate::accept) asks by itself, within its own statement; this
/// is for whoever must name them.
///
/// # Errors
/// When the database fails.
pub async fn opted_out(
    connection: &mut PgConnection,
    pairs: &[(AccountId, Number)],
) -> Result<HashSet<(AccountId, Number)>, Error> {
    let accounts: Vec<Uuid> = pairs.iter().map(|(account, _)| account.uuid()).collect();
    let numbers: Vec<i64> = pairs.iter().map(|(_, number)| number.stored()).collect();
    let rows = query!(
        "SELECT o.account_id, o.recipient FROM unnest($1::uuid[], $2::bigint[]) AS p (account_id, recipient)
         JOIN opt_outs o ON o.account_id = p.account_id AND o.recipient = p.recipient",
        &accounts,
        &numbers
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let number = Number::from_stored(row.recipient).ok_or_else(|| Error::Corrupt("opt-out".into()))?;
            Ok((AccountId::from_uuid(row.account_id), number))
        })
        .collect()
}

/// An opt-out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptOut {
    /// Where it stands in lists.
    pub id: Uuid,
    /// Whose messages are not wanted.
    pub account: AccountId,
    /// By whom.
    pub number: Number,
    /// `inbound mo_…`, or who stored it by the API.
    pub source: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// Stores opt-outs; one that is there keeps the later time.
pub async fn add(connection: &mut PgConnection, opt_outs: &[OptOut]) -> Result<(), Error> {
    if opt_outs.is_empty() {
        return Ok(());
    }
    let mut ordered: Vec<&OptOut> = opt_outs.iter().collect();
    // Always locked in one order, and each once.
    ordered.sort_by_key(|o| (o.account, o.number));
    ordered.dedup_by_key(|o| (o.account, o.number));
    let ids: Vec<Uuid> = ordered.iter().map(|o| o.id).collect();
    let accounts: Vec<Uuid> = ordered.iter().map(|o| o.account.uuid()).collect();
    let numbers: Vec<i64> = ordered.iter().map(|o| o.number.stored()).collect();
    let sources: Vec<&str> = ordered.iter().map(|o| o.source.as_str()).collect();
    let times: Vec<DateTime<Utc>> = ordered.iter().map(|o| o.at).collect();
    query!(
        "INSERT INTO opt_outs AS o (id, account_id, recipient, source, at)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::timestamptz[])
         ON CONFLICT (account_id, recipient, sender) DO UPDATE SET at = greatest(o.at, excluded.at)",
        &ids,
        &accounts,
        &numbers,
        &sources as &[&str],
        &times
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes opt-outs back that are not younger than the word of the handset.
pub async fn take_back(
    connection: &mut PgConnection,
    words: &[(AccountId, Number, DateTime<Utc>)],
) -> Result<u64, Error> {
    if words.is_empty() {
        return Ok(0);
    }
    let accounts: Vec<Uuid> = words.iter().map(|(account, ..)| account.uuid()).collect();
    let numbers: Vec<i64> = words.iter().map(|(_, number, _)| number.stored()).collect();
    let times: Vec<DateTime<Utc>> = words.iter().map(|(.., at)| *at).collect();
    let done = query!(
        "DELETE FROM opt_outs o USING unnest($1::uuid[], $2::bigint[], $3::timestamptz[]) AS w (account, number, at)
         WHERE o.account_id = w.account AND o.recipient = w.number AND o.at <= w.at",
        &accounts,
        &numbers,
        &times
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// The opt-outs of the tenant's subtree, newest first; of one account and one number where they are named.
pub async fn list(
    db: &Db,
    tenant: AccountId,
    account: Option<AccountId>,
    number: Option<Number>,
    page: Page,
) -> Result<Vec<OptOut>, Error> {
    let rows = query!(
        "SELECT o.id, o.account_id, o.recipient, o.source, o.at FROM opt_outs o JOIN accounts a ON a.id = o.account_id
         WHERE a.path @> ARRAY[$1::uuid] AND ($2::uuid IS NULL OR o.account_id = $2)
            AND ($3::bigint IS NULL OR o.recipient = $3) AND o.id < $4
         ORDER BY o.id DESC LIMIT $5",
        tenant.uuid(),
        account.map(AccountId::uuid),
        number.map(Number::stored),
        page.end(),
        page.limit()
    )
    .fetch_all(&db.pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let number = Number::from_stored(row.recipient).ok_or_else(|| Error::Corrupt("opt-out".into()))?;
            let account = AccountId::from_uuid(row.account_id);
            Ok(OptOut { id: row.id, account, number, source: row.source, at: row.at })
        })
        .collect()
}

/// Takes one opt-out back, whenever it was. `false`: there is none.
pub async fn remove(connection: &mut PgConnection, account: AccountId, number: Number) -> Result<bool, Error> {
    let done = query!("DELETE FROM opt_outs WHERE account_id = $1 AND recipient = $2", account.uuid(), number.stored())
        .execute(connection)
        .await?;
    Ok(done.rows_affected() > 0)
}
