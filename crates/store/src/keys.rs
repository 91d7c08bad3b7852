//! API keys: hashed, scoped, revocable.

use chrono::{DateTime, Utc};
use domain::{AccountId, KeyId};
use sqlx::{PgConnection, query, query_as};
use uuid::Uuid;

use crate::page::Page;
use crate::{Db, Error};

/// A key to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// Made by the caller; part of the secret, so that a look-up is by id.
    pub id: KeyId,
    /// For which account it acts.
    pub account: AccountId,
    /// For people.
    pub name: String,
    /// HMAC-SHA-256 of the secret with the platform's key.
    pub secret_hash: [u8; 32],
    /// What it may do.
    pub scopes: Vec<String>,
    /// Not used after this.
    pub expires_at: Option<DateTime<Utc>>,
}

/// What authentication needs to know of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// For which account it acts.
    pub account: AccountId,
    /// HMAC-SHA-256 of the secret with the platform's key.
    pub secret_hash: Vec<u8>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Not used after this.
    pub expires_at: Option<DateTime<Utc>>,
    /// What it spends on a day is counted: it has a cap, or had one.
    pub is_counted: bool,
}

/// A key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its id.
    pub id: Uuid,
    /// For which account it acts.
    pub account_id: Uuid,
    /// For people.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Not used after this.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// To the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// Stores a key. `false`: its account is not in the tenant's subtree.
pub async fn create(tx: &mut PgConnection, tenant: AccountId, key: &NewKey) -> Result<bool, Error> {
    let made = query!(
        "INSERT INTO api_keys (id, account_id, name, secret_hash, scopes, expires_at)
         SELECT $2, a.id, $4, $5, $6, $7 FROM accounts a WHERE a.id = $3 AND a.path @> ARRAY[$1::uuid]",
        tenant.uuid(),
        key.id.uuid(),
        key.account.uuid(),
        key.name,
        key.secret_hash.as_slice(),
        &key.scopes,
        key.expires_at,
    )
    .execute(tx)
    .await?;
    Ok(made.rows_affected() == 1)
}

/// The keys of the tenant's subtree, newest first.
pub async fn list(db: &Db, tenant: AccountId, page: Page) -> Result<Vec<Key>, Error> {
    let rows = query_as!(
        Key,
        "SELECT k.id, k.account_id, k.name, k.scopes, k.expires_at, k.revoked_at, k.last_used_at, k.created_at
         FROM api_keys k JOIN accounts a ON a.id = k.account_id
         WHERE a.path @> ARRAY[$1::uuid] AND k.id < $2 ORDER BY k.id DESC LIMIT $3",
        tenant.uuid(),
        page.end(),
        page.limit(),
    )
    .fetch_all(&db.pool)
    .await?;
    Ok(rows)
}

/// Revokes a key for good; answers whose it was. Revoking one twice is no error. `None`: not in the tenant's
/// subtree.
pub async fn revoke(tx: &mut PgConnection, tenant: AccountId, key: KeyId) -> Result<Option<AccountId>, Error> {
    let row = query!(
        "UPDATE api_keys k SET revoked_at = coalesce(k.revoked_at, now()) FROM accounts a
         WHERE k.id = $2 AND a.id = k.account_id AND a.path @> ARRAY[$1::uuid] RETURNING k.account_id",
        tenant.uuid(),
        key.uuid(),
    )
    .fetch_optional(tx)
    .await?;
    Ok(row.map(|row| AccountId::from_uuid(row.account_id)))
}

/// Before anybody is known: the key of this id, where it is in force. Notes its use, to the minute.
pub async fn find(db: &Db, key: KeyId) -> Result<Option<Known>, Error> {
    let row = query!(
        r#"SELECT account_id, secret_hash, scopes, expires_at,
             coalesce(last_used_at < now() - interval '1 minute', true) AS "note!",
             EXISTS (SELECT FROM api_key_caps c WHERE c.key_id = api_keys.id) AS "is_counted!"
           FROM api_keys
           WHERE id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())"#,
        key.uuid(),
    )
    .fetch_optional(&db.pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    if row.note {
        query!("UPDATE api_keys SET last_used_at = now() WHERE id = $1", key.uuid()).execute(&db.pool).await?;
    }
    Ok(Some(Known {
        account: AccountId::from_uuid(row.account_id),
        secret_hash: row.secret_hash,
        scopes: row.scopes,
        expires_at: row.expires_at,
        is_counted: row.is_counted,
    }))
}
