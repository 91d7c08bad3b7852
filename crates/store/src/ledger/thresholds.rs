//! Thresholds of balances: who falls below one is told once, until it has clearly risen above it again: by a tenth of it, or by
//! money that came in. Nobody is told of one threshold twice within an hour.

use chrono::{DateTime, Utc};
use contract::{BalanceEvent, CustomerEvent};
use domain::{AccountId, Currency, Micros, ThresholdId};
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::conclude::tell;
use crate::page::{Page, parse};
use crate::{Db, Error, Tx};

/// Thresholds of one account at most.
pub const THRESHOLDS_MAX: i64 = 20;

/// A threshold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Threshold {
    /// Its id.
    pub id: ThresholdId,
    /// Of whose wallet.
    pub account: AccountId,
    /// What can be spent shall not fall below this.
    pub amount: Micros,
    /// The wallet's currency.
    pub currency: Currency,
    /// Where the event goes; `None`: only to who listens.
    pub url: Option<String>,
    /// It was crossed downwards, and that was told; until it has clearly risen above it.
    pub is_low: bool,
    /// When it was crossed last, in either direction.
    pub crossed_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// A threshold to store.
#[derive(Debug, Clone)]
pub struct NewThreshold {
    /// Made by the caller.
    pub id: ThresholdId,
    /// Of whose wallet.
    pub account: AccountId,
    /// The amount.
    pub amount: Micros,
    /// Where the event goes.
    pub url: Option<String>,
}

/// Stores a threshold. `false`: the account is not in the tenant's subtree, or has [`THRESHOLDS_MAX`]. The constraint
/// `balance_thresholds_once` refuses an amount that is there.
///
/// # Errors
/// When the database fails.
pub async fn create(connection: &mut PgConnection, tenant: AccountId, new: &NewThreshold) -> Result<bool, Error> {
    let made = query!(
        "INSERT INTO balance_thresholds (id, account_id, amount_micros, url)
         SELECT $2, a.id, $4, $5 FROM accounts a WHERE a.id = $3 AND a.path @> ARRAY[$1::uuid]
            AND (SELECT count(*) FROM balance_thresholds t WHERE t.account_id = $3) < $6",
        tenant.uuid(),
        new.id.uuid(),
        new.account.uuid(),
        new.amount.get(),
        new.url,
        THRESHOLDS_MAX
    )
    .execute(connection)
    .await?;
    Ok(made.rows_affected() == 1)
}

/// Deletes a threshold; answers whose it was. `None`: there is none in the tenant's subtree.
///
/// # Errors
/// When the database fails.
pub async fn delete(
    connection: &mut PgConnection,
    tenant: AccountId,
    id: ThresholdId,
) -> Result<Option<AccountId>, Error> {
    let row = query!(
        "DELETE FROM balance_thresholds t USING accounts a
         WHERE t.id = $2 AND a.id = t.account_id AND a.path @> ARRAY[$1::uuid] RETURNING t.account_id",
        tenant.uuid(),
        id.uuid()
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| AccountId::from_uuid(row.account_id)))
}

/// The thresholds in the tenant's subtree, newest first; of one account where it is named.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &Db, tenant: AccountId, account: Option<AccountId>, page: Page) -> Result<Vec<Threshold>, Error> {
    let rows = query!(
        r#"SELECT t.id, t.account_id, t.amount_micros, a.currency AS "currency!", t.url, t.is_low, t.crossed_at,
               t.created_at
           FROM balance_thresholds t JOIN accounts a ON a.id = t.account_id
           WHERE a.path @> ARRAY[$1::uuid] AND ($2::uuid IS NULL OR t.account_id = $2) AND t.id < $3
           ORDER BY t.id DESC LIMIT $4"#,
        tenant.uuid(),
        account.map(AccountId::uuid),
        page.end(),
        page.limit()
    )
    .fetch_all(&db.pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Threshold {
                id: ThresholdId::from_uuid(row.id),
                account: AccountId::from_uuid(row.account_id),
                amount: Micros::new(row.amount_micros),
                currency: parse(&row.currency, "currency")?,
                url: row.url,
                is_low: row.is_low,
                crossed_at: row.crossed_at,
                created_at: row.created_at,
            })
        })
        .collect()
}

/// Notes which thresholds were crossed since the last look, and tells of those crossed downwards. Two looks at once
/// tell once: each takes what it changes. Answers how many were told.
///
/// # Errors
/// When the database fails.
pub async fn cross(tx: &mut Tx, db: &Db, now: DateTime<Utc>) -> Result<usize, Error> {
    let rows = query!(
        r#"UPDATE balance_thresholds t SET is_low = NOT t.is_low, crossed_at = $1,
               told_at = CASE WHEN t.is_low THEN t.told_at ELSE $1 END
           FROM account_balances b CROSS JOIN LATERAL
               (SELECT b.posted_micros + b.credit_limit_micros - b.held_micros AS micros) AS left_over
           WHERE b.account_id = t.account_id AND CASE WHEN t.is_low
               THEN left_over.micros >= t.amount_micros + greatest(abs(t.amount_micros::numeric) / 10, 1)
                   OR left_over.micros >= t.amount_micros AND EXISTS (SELECT FROM transactions x
                       WHERE x.account_id = t.account_id AND x.id >= uuid_at(t.crossed_at - interval '10 minutes')
                           AND x.at >= t.crossed_at AND x.amount_micros > 0
                           AND x.kind IN ('top_up', 'transfer', 'adjustment'))
               ELSE left_over.micros < t.amount_micros AND coalesce(t.told_at <= $1::timestamptz - interval '1 hour', true) END
           RETURNING t.id, t.account_id, t.amount_micros, t.url, t.is_low, b.currency AS "currency!",
               b.posted_micros + b.credit_limit_micros - b.held_micros AS "available!""#,
        now
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut events = Vec::new();
    for row in rows.into_iter().filter(|row| row.is_low) {
        events.push(CustomerEvent::Balance(BalanceEvent {
            id: Uuid::now_v7(),
            account_id: AccountId::from_uuid(row.account_id),
            threshold_id: ThresholdId::from_uuid(row.id),
            url: row.url.unwrap_or_default(),
            threshold: Micros::new(row.amount_micros),
            available: Micros::new(row.available),
            currency: parse(&row.currency, "currency")?,
            at: now,
        }));
    }
    let told = events.len();
    tell(tx, db, events, now).await?;
    Ok(told)
}

/// How many wallets are below one of their thresholds.
///
/// # Errors
/// When the database fails.
pub async fn low(db: &Db) -> Result<i64, Error> {
    let row = query!(r#"SELECT count(DISTINCT account_id) AS "low!" FROM balance_thresholds WHERE is_low"#);
    Ok(row.fetch_one(&db.pool).await?.low)
}
