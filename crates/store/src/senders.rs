//! Sender IDs that accounts register, and what is decided about them.

use chrono::{DateTime, Utc};
use domain::{AccountId, Sender, SenderIdId};
use sqlx::{PgConnection, query, query_as};
use uuid::Uuid;

use crate::page::Page;
use crate::{Db, Error};

/// A registered sender ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Its id.
    pub id: Uuid,
    /// Who may send by it once it is approved.
    pub account_id: Uuid,
    /// As it was written.
    pub sender: String,
    /// `pending`, `approved` or `rejected`.
    pub status: String,
    /// Why it was rejected.
    pub reason: Option<String>,
    /// When it was decided about.
    pub decided_at: Option<DateTime<Utc>>,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
}

/// What a decision says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// May be used.
    Approved,
    /// May not, and why.
    Rejected(String),
}

/// Registers a sender ID as pending. The constraint `sender_ids_once` refuses one that is registered.
/// `false`: the account is not in the tenant's subtree.
pub async fn register(
    tx: &mut PgConnection,
    tenant: AccountId,
    id: SenderIdId,
    account: AccountId,
    sender: &Sender,
) -> Result<bool, Error> {
    let made = query!(
        "INSERT INTO sender_ids (id, account_id, sender)
         SELECT $2, a.id, $4 FROM accounts a WHERE a.id = $3 AND a.path @> ARRAY[$1::uuid]",
        tenant.uuid(),
        id.uuid(),
        account.uuid(),
        sender.as_str(),
    )
    .execute(tx)
    .await?;
    Ok(made.rows_affected() == 1)
}

/// Decides about a sender ID of an account **below** the tenant: nobody approves their own, but the house.
/// Answers whose it is; `None`: there is no such sender ID below the tenant.
pub async fn decide(
    tx: &mut PgConnection,
    tenant: AccountId,
    id: SenderIdId,
    verdict: &Verdict,
    by: &str,
) -> Result<Option<AccountId>, Error> {
    let (status, reason) = match verdict {
        Verdict::Approved => ("approved", None),
        Verdict::Rejected(reason) => ("rejected", Some(reason.as_str())),
    };
    let row = query!(
        "UPDATE sender_ids s SET status = $3, reason = $4, decided_by = $5, decided_at = now() FROM accounts a
         WHERE s.id = $2 AND a.id = s.account_id AND a.path @> ARRAY[$1::uuid] AND (a.id <> $1 OR a.parent_id IS NULL)
         RETURNING s.account_id",
        tenant.uuid(),
        id.uuid(),
        status,
        reason,
        by,
    )
    .fetch_optional(tx)
    .await?;
    Ok(row.map(|row| AccountId::from_uuid(row.account_id)))
}

/// One sender ID of the tenant's subtree.
pub async fn get(db: &Db, tenant: AccountId, id: SenderIdId) -> Result<Option<Registration>, Error> {
    let row = query_as!(
        Registration,
        "SELECT s.id, s.account_id, s.sender, s.status, s.reason, s.decided_at, s.created_at
         FROM sender_ids s JOIN accounts a ON a.id = s.account_id WHERE s.id = $2 AND a.path @> ARRAY[$1::uuid]",
        tenant.uuid(),
        id.uuid(),
    )
    .fetch_optional(&db.pool)
    .await?;
    Ok(row)
}

/// The sender IDs of the tenant's subtree, newest first; of one status where one is named.
pub async fn list(db: &Db, tenant: AccountId, status: Option<&str>, page: Page) -> Result<Vec<Registration>, Error> {
    let rows = query_as!(
        Registration,
        "SELECT s.id, s.account_id, s.sender, s.status, s.reason, s.decided_at, s.created_at
         FROM sender_ids s JOIN accounts a ON a.id = s.account_id
         WHERE a.path @> ARRAY[$1::uuid] AND ($2::text IS NULL OR s.status = $2) AND s.id < $3
         ORDER BY s.id DESC LIMIT $4",
        tenant.uuid(),
        status,
        page.end(),
        page.limit(),
    )
    .fetch_all(&db.pool)
    .await?;
    Ok(rows)
}
