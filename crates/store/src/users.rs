//! People who log in, and their refresh tokens.

use chrono::{DateTime, Utc};
use domain::{AccountId, UserId};
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::page::Page;
use crate::{Db, Error};

/// What a log-in needs to know of a person.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Who.
    pub user: UserId,
    /// For which account.
    pub account: AccountId,
    /// argon2id, PHC string.
    pub password_hash: String,
    /// Wrong passwords since the last right one.
    pub failed_logins: i32,
    /// No log-in before this.
    pub locked_until: Option<DateTime<Utc>>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// A person, without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Who.
    pub id: UserId,
    /// For which account.
    pub account: AccountId,
    /// As written when it was made; compared without case.
    pub email: String,
    /// The log-in that made it; `None`: the platform itself, or nobody knows.
    pub created_by: Option<UserId>,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// A log-in to store.
#[derive(Clone, PartialEq, Eq)]
pub struct NewUser<'a> {
    /// Made by the caller.
    pub id: UserId,
    /// For which account.
    pub account: AccountId,
    /// Unique without case.
    pub email: &'a str,
    /// argon2id, PHC string.
    pub password_hash: &'a str,
    /// The log-in that made it; `None`: the platform itself.
    pub created_by: Option<UserId>,
}

impl std::fmt::Debug for NewUser<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewUser").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Makes a log-in. The constraint `account_credentials_email` refuses an e-mail address that is taken.
/// `false`: the account is not in the tenant's subtree.
pub async fn create(tx: &mut PgConnection, tenant: AccountId, new: &NewUser<'_>) -> Result<bool, Error> {
    let made = query!(
        "INSERT INTO account_credentials (id, account_id, email, password_hash, created_by)
         SELECT $2, a.id, $4, $5, $6 FROM accounts a WHERE a.id = $3 AND a.path @> ARRAY[$1::uuid]",
        tenant.uuid(),
        new.id.uuid(),
        new.account.uuid(),
        new.email,
        new.password_hash,
        new.created_by.map(UserId::uuid),
    )
    .execute(tx)
    .await?;
    Ok(made.rows_affected() == 1)
}

/// Whether `one` and `other` (`usr_…`) are two people, as far as log-ins can tell: who makes a log-in knows its password. So
/// nobody is approved by a log-in that they made; and a log-in that is younger than a day neither asks nor approves
/// together with who made it, nor with others of the same maker, however many log-ins lie between. A day is what others have to
/// notice it in. What is no log-in is nobody.
///
/// # Errors
/// When the database fails.
pub async fn are_two(connection: &mut PgConnection, asks: &str, approves: &str) -> Result<bool, Error> {
    let (Ok(asks), Ok(approves)) = (asks.parse::<UserId>(), approves.parse::<UserId>()) else { return Ok(false) };
    if asks == approves {
        return Ok(false);
    }
    let row = query!(
        r#"WITH RECURSIVE makers (of, id, created_by, depth) AS (
               SELECT id, id, created_by, 0 FROM account_credentials WHERE id IN ($1, $2)
               UNION ALL
               SELECT m.of, u.id, u.created_by, m.depth + 1 FROM makers m JOIN account_credentials u ON u.id = m.created_by
               WHERE m.depth < 100
           )
           SELECT (SELECT count(*) FROM account_credentials WHERE id IN ($1, $2)) = 2
               AND NOT EXISTS (SELECT FROM account_credentials u WHERE u.id = $2 AND u.created_by = $1)
               AND NOT (EXISTS (SELECT FROM account_credentials u
                       WHERE u.id IN ($1, $2) AND u.created_at > now() - interval '1 day')
                   AND EXISTS (SELECT FROM makers a JOIN makers b ON b.id = a.id WHERE a.of = $1 AND b.of = $2))
               AS "two!""#,
        asks.uuid(),
        approves.uuid(),
    )
    .fetch_one(connection)
    .await?;
    Ok(row.two)
}

/// The people of the tenant's subtree, newest first.
pub async fn list(db: &Db, tenant: AccountId, page: Page) -> Result<Vec<User>, Error> {
    let rows = query!(
        "SELECT u.id, u.account_id, u.email, u.created_by, u.created_at
         FROM account_credentials u JOIN accounts a ON a.id = u.account_id
         WHERE a.path @> ARRAY[$1::uuid] AND u.id < $2 ORDER BY u.id DESC LIMIT $3",
        tenant.uuid(),
        page.end(),
        page.limit(),
    )
    .fetch_all(&db.pool)
    .await?;
    let user = rows.into_iter().map(|row| User {
        id: UserId::from_uuid(row.id),
        account: AccountId::from_uuid(row.account_id),
        email: row.email,
        created_by: row.created_by.map(UserId::from_uuid),
        created_at: row.created_at,
    });
    Ok(user.collect())
}

/// Before anybody is known: who logs in with this address?
pub async fn by_email(db: &Db, email: &str) -> Result<Option<Credentials>, Error> {
    let row = query!(
        "SELECT id, account_id, password_hash, failed_logins, locked_until
         FROM account_credentials WHERE lower(email) = lower($1)",
        email,
    )
    .fetch_optional(&db.pool)
    .await?;
    Ok(row.map(|row| Credentials {
        user: UserId::from_uuid(row.id),
        account: AccountId::from_uuid(row.account_id),
        password_hash: row.password_hash,
        failed_logins: row.failed_logins,
        locked_until: row.locked_until,
    }))
}

/// Counts a wrong password; at `failures_max` the log-in is locked for `lock_seconds` and the count starts anew.
pub async fn count_failure(db: &Db, user: UserId, failures_max: i32, lock_minutes: i32) -> Result<(), Error> {
    query!(
        "UPDATE account_credentials SET
           locked_until = CASE WHEN failed_logins + 1 >= $2 THEN now() + make_interval(mins => $3) ELSE locked_until END,
           failed_logins = CASE WHEN failed_logins + 1 >= $2 THEN 0 ELSE failed_logins + 1 END
         WHERE id = $1",
        user.uuid(),
        failures_max,
        lock_minutes,
    )
    .execute(&db.pool)
    .await?;
    Ok(())
}

/// A right password: the count of wrong ones starts anew.
pub async fn clear_failures(db: &Db, user: UserId) -> Result<(), Error> {
    query!(
        "UPDATE account_credentials SET failed_logins = 0, locked_until = NULL
         WHERE id = $1 AND (failed_logins > 0 OR locked_until IS NOT NULL)",
        user.uuid(),
    )
    .execute(&db.pool)
    .await?;
    Ok(())
}

/// A refresh token to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// HMAC-SHA-256 with the platform's key.
    pub hash: [u8; 32],
    /// All tokens of one log-in.
    pub family: Uuid,
    /// Whose.
    pub user: UserId,
    /// Not used after this.
    pub expires_at: DateTime<Utc>,
}

/// Stores a refresh token.
pub async fn issue_token(tx: &mut PgConnection, token: &NewToken) -> Result<(), Error> {
    query!(
        "INSERT INTO refresh_tokens (token_hash, family_id, user_id, expires_at) VALUES ($1, $2, $3, $4)",
        token.hash.as_slice(),
        token.family,
        token.user.uuid(),
        token.expires_at,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// What came of the use of a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenUse {
    /// It was good, and is used up now.
    Fresh {
        /// Whose.
        user: UserId,
        /// For which account.
        account: AccountId,
        /// The log-in that it belongs to.
        family: Uuid,
    },
    /// It was used before: somebody has a copy. Its whole family has ended now.
    Reused,
    /// Never issued, expired or revoked.
    Refused,
}

/// Uses a refresh token up. The row is locked, so of two uses at the same time one is a reuse.
pub async fn use_token(tx: &mut PgConnection, hash: &[u8; 32]) -> Result<TokenUse, Error> {
    let row = query!(
        r#"SELECT t.family_id, t.user_id, u.account_id, t.used_at, t.revoked_at, t.expires_at > now() AS "live!"
           FROM refresh_tokens t JOIN account_credentials u ON u.id = t.user_id
           WHERE t.token_hash = $1 FOR UPDATE OF t"#,
        hash.as_slice(),
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = row else { return Ok(TokenUse::Refused) };
    if row.used_at.is_some() {
        end_family(tx, row.family_id).await?;
        return Ok(TokenUse::Reused);
    }
    if row.revoked_at.is_some() || !row.live {
        return Ok(TokenUse::Refused);
    }
    query!("UPDATE refresh_tokens SET used_at = now() WHERE token_hash = $1", hash.as_slice()).execute(tx).await?;
    Ok(TokenUse::Fresh {
        user: UserId::from_uuid(row.user_id),
        account: AccountId::from_uuid(row.account_id),
        family: row.family_id,
    })
}

/// Ends the log-in that a token belongs to. No error when there is no such token.
pub async fn end_session(tx: &mut PgConnection, hash: &[u8; 32]) -> Result<(), Error> {
    let row = query!("SELECT family_id FROM refresh_tokens WHERE token_hash = $1", hash.as_slice())
        .fetch_optional(&mut *tx)
        .await?;
    match row {
        Some(row) => end_family(tx, row.family_id).await,
        None => Ok(()),
    }
}

async fn end_family(tx: &mut PgConnection, family: Uuid) -> Result<(), Error> {
    query!("UPDATE refresh_tokens SET revoked_at = now() WHERE family_id = $1 AND revoked_at IS NULL", family)
        .execute(tx)
        .await?;
    Ok(())
}
