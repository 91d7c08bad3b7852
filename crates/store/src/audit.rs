//! Who changed what. Append-only; written in the transaction of the change.

use chrono::{DateTime, Utc};
use domain::AccountId;
use sqlx::{PgConnection, query, query_as};
use uuid::Uuid;

use crate::page::Page;
use crate::{Db, Error};

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Whose thing was changed.
    pub account: AccountId,
    /// For which account the actor acts.
    pub actor_account: AccountId,
    /// `usr_…`, `key_…` or `system`.
    pub actor: String,
    /// For example `operator.update`.
    pub action: &'static str,
    /// Id of what was changed.
    pub subject: String,
    /// The new values, without secrets.
    pub detail: serde_json::Value,
}

/// A change that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Sorts by time.
    pub id: Uuid,
    /// Whose thing was changed.
    pub account_id: Uuid,
    /// `usr_…`, `key_…` or `system`.
    pub actor: String,
    /// For example `operator.update`.
    pub action: String,
    /// Id of what was changed.
    pub subject: String,
    /// The new values, without secrets.
    pub detail: serde_json::Value,
    /// When.
    pub at: DateTime<Utc>,
}

/// Writes one change.
pub async fn record(tx: &mut PgConnection, entry: &Entry) -> Result<(), Error> {
    query!(
        "INSERT INTO audit_logs (id, account_id, actor_account_id, actor, action, subject, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        Uuid::now_v7(),
        entry.account.uuid(),
        entry.actor_account.uuid(),
        entry.actor,
        entry.action,
        entry.subject,
        entry.detail,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The changes to things of one account, newest first.
pub async fn list(db: &Db, account: AccountId, page: Page) -> Result<Vec<Row>, Error> {
    let rows = query_as!(
        Row,
        "SELECT id, account_id, actor, action, subject, detail, at FROM audit_logs
         WHERE account_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        account.uuid(),
        page.end(),
        page.limit(),
    )
    .fetch_all(&db.pool)
    .await?;
    Ok(rows)
}
