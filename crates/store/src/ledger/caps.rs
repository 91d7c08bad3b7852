//! Spend caps: what messages accepted on one UTC day, and look-ups of numbers on it, may cost a wallet, and what those that are
//! made with a key may cost the wallet of its account.
//!
//! **Invariant:** a cap is held inside the statement that accepts, by a constraint: never one micro more, whatever
//! happens at the same time. What is released later is not given back to the day.

use chrono::NaiveDate;
use domain::lookup::Charge;
use domain::{AccountId, Currency, KeyId, Micros};
use sqlx::{PgConnection, query};

use crate::page::parse;
use crate::{Db, Error};

/// The constraints that say that a wallet has not enough, or that a wallet or key may not spend so much today.
const BOUNDS: [&str; 3] = ["balance_covers_holds", "wallet_spends_within_cap", "key_spends_within_cap"];

/// Whether an error says that somebody may not pay.
pub fn forbid(error: &Error) -> bool {
    error.constraint().is_some_and(|name| BOUNDS.contains(&name))
}

/// A cap, and what was spent on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spending {
    /// Whose wallet it is, or whose key.
    pub account: AccountId,
    /// What may be spent on one day; `None`: anything.
    pub cap: Option<Micros>,
    /// Which account set it; `None`: there is no cap, or it is that of a key.
    pub set_by: Option<AccountId>,
    /// Held for messages accepted on `day`, and paid for look-ups.
    pub spent: Micros,
    /// The UTC day.
    pub day: NaiveDate,
    /// The wallet's currency.
    pub currency: Currency,
}

/// The cap of `account`'s wallet, and what its journal says was held today.
///
/// # Errors
/// When the database fails.
pub async fn of_account(db: &Db, account: AccountId) -> Result<Option<Spending>, Error> {
    let row = query!(
        r#"SELECT b.spend_cap_micros, b.currency AS "currency!", t.day AS "day!", (
               SELECT c.set_by FROM account_spend_caps c JOIN accounts w ON w.id = c.set_by
               WHERE c.account_id = b.account_id AND c.cap_micros = b.spend_cap_micros
               ORDER BY cardinality(w.path) LIMIT 1) AS set_by, (
               SELECT coalesce(sum(CASE l.operation WHEN 'hold' THEN l.held_micros ELSE -l.posted_micros END), 0)::bigint
                   FROM balance_ledger l
               WHERE l.account_id = b.account_id AND l.ledger = 'wallet' AND l.operation IN ('hold', 'lookup')
                   AND l.entry_id >= uuid_at(t.day::timestamp AT TIME ZONE 'UTC' - interval '10 minutes')
                   AND (l.at AT TIME ZONE 'UTC')::date = t.day) AS "spent!"
           FROM account_balances b, (SELECT (now() AT TIME ZONE 'UTC')::date AS day) t WHERE b.account_id = $1"#,
        account.uuid()
    )
    .fetch_optional(&db.pool)
    .await?;
    row.map(|row| {
        let (cap, spent) = (row.spend_cap_micros.map(Micros::new), Micros::new(row.spent));
        let set_by = row.set_by.map(AccountId::from_uuid);
        Ok(Spending { account, cap, set_by, spent, day: row.day, currency: parse(&row.currency, "currency")? })
    })
    .transpose()
}

/// What `account`'s wallet may still spend today; `None`: it has no cap.
///
/// # Errors
/// When the database fails.
pub async fn left(db: &Db, account: AccountId) -> Result<Option<Micros>, Error> {
    let row = query!(
        r#"SELECT spend_cap_micros - CASE WHEN spend_day >= (now() AT TIME ZONE 'UTC')::date
               THEN spent_micros ELSE 0 END AS cap_left
           FROM account_balances WHERE account_id = $1"#,
        account.uuid()
    );
    let row = row.fetch_optional(&db.pool).await?;
    Ok(row.and_then(|row| row.cap_left).map(Micros::new))
}

/// Counts what look-ups cost against the caps of those who pay, whose wallets are locked.
///
/// # Errors
/// The constraint `wallet_spends_within_cap` where one of them may not spend so much; when the database fails.
pub(super) async fn spend(connection: &mut PgConnection, charges: &[Charge], count: u16) -> Result<(), Error> {
    for Charge { payer, price, .. } in charges {
        let total = price.times(count).ok_or(Error::Range)?;
        query!(
            "UPDATE account_balances b SET spend_day = greatest(b.spend_day, t.day),
                 spent_micros = CASE WHEN b.spend_day >= t.day THEN b.spent_micros ELSE 0 END + $2::bigint,
                 excused_micros = CASE WHEN b.spend_day >= t.day THEN b.excused_micros ELSE 0 END
             FROM (SELECT (now() AT TIME ZONE 'UTC')::date AS day) t
             WHERE b.account_id = $1 AND b.spend_cap_micros IS NOT NULL",
            payer.uuid(),
            total.get()
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// What may still be spent with `key` today; `None`: it has no cap.
///
/// # Errors
/// When the database fails.
pub async fn left_of_key(db: &Db, key: KeyId) -> Result<Option<Micros>, Error> {
    let row = query!(
        r#"SELECT cap_micros - CASE WHEN spend_day >= (now() AT TIME ZONE 'UTC')::date
               THEN spent_micros ELSE 0 END AS cap_left
           FROM api_key_caps WHERE key_id = $1"#,
        key.uuid()
    );
    Ok(row.fetch_optional(&db.pool).await?.and_then(|row| row.cap_left).map(Micros::new))
}

/// Counts what look-ups that were asked for with `key` cost its account. Keys are locked before wallets.
///
/// # Errors
/// The constraint `key_spends_within_cap` where it may not spend so much; when the database fails.
pub(super) async fn spend_with_key(connection: &mut PgConnection, key: KeyId, total: Micros) -> Result<(), Error> {
    query!(
        "UPDATE api_key_caps k SET spend_day = greatest(k.spend_day, t.day),
             spent_micros = CASE WHEN k.spend_day >= t.day THEN k.spent_micros ELSE 0 END + $2::bigint,
             excused_micros = CASE WHEN k.spend_day >= t.day THEN k.excused_micros ELSE 0 END
         FROM (SELECT (now() AT TIME ZONE 'UTC')::date AS day) t WHERE k.key_id = $1",
        key.uuid(),
        total.get()
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A cap that an account above the one who asks has set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Above {
    /// Who set it.
    pub account: AccountId,
    /// What it allows.
    pub cap: Micros,
}

/// Sets or takes away the cap of `account`'s wallet, on the word of `by`. What was spent today counts from the first moment
/// on; where that is more than the cap already, nothing more is accepted today. Takes the place of what `by` and accounts
/// below it said. Answers a cap of an account above `by` that allows less: then nothing is changed, roll back.
///
/// # Errors
/// When the database fails.
pub async fn cap_account(
    connection: &mut PgConnection,
    by: AccountId,
    account: AccountId,
    cap: Option<Micros>,
) -> Result<Option<Above>, Error> {
    // First the lock, then the look: what is accepted meanwhile waits, and what was accepted is seen.
    query!("SELECT account_id FROM account_balances WHERE account_id = $1 FOR NO KEY UPDATE", account.uuid())
        .fetch_one(&mut *connection)
        .await?;
    if let Some(above) = lowest_above(connection, by, account).await?
        && cap.is_none_or(|cap| cap > above.cap)
    {
        return Ok(Some(above));
    }
    if let Some(cap) = cap {
        query!(
            "INSERT INTO account_spend_caps (account_id, set_by, cap_micros) VALUES ($2, $1, $3)",
            by.uuid(),
            account.uuid(),
            cap.get()
        )
        .execute(&mut *connection)
        .await?;
    }
    count_today(connection, account, cap).await?;
    Ok(None)
}

/// Forgets what `by` and accounts below it said of `account`, whose wallet is locked; answers the lowest cap that is left.
async fn lowest_above(
    connection: &mut PgConnection,
    by: AccountId,
    account: AccountId,
) -> Result<Option<Above>, Error> {
    query!(
        "DELETE FROM account_spend_caps c USING accounts w
         WHERE c.account_id = $2 AND w.id = c.set_by AND w.path @> ARRAY[$1::uuid]",
        by.uuid(),
        account.uuid()
    )
    .execute(&mut *connection)
    .await?;
    let row = query!(
        "SELECT c.set_by, c.cap_micros FROM account_spend_caps c JOIN accounts w ON w.id = c.set_by
         WHERE c.account_id = $1 ORDER BY c.cap_micros, cardinality(w.path) LIMIT 1",
        account.uuid()
    );
    let row = row.fetch_optional(connection).await?;
    Ok(row.map(|row| Above { account: AccountId::from_uuid(row.set_by), cap: Micros::new(row.cap_micros) }))
}

async fn count_today(connection: &mut PgConnection, account: AccountId, cap: Option<Micros>) -> Result<(), Error> {
    query!(
        r#"UPDATE account_balances b SET spend_cap_micros = $2, spend_day = t.day, spent_micros = t.spent,
               excused_micros = t.spent, updated_at = now()
           FROM (
               SELECT d.day, (
                   SELECT coalesce(sum(CASE l.operation WHEN 'hold' THEN l.held_micros ELSE -l.posted_micros END), 0)::bigint
                   FROM balance_ledger l
                   WHERE l.account_id = $1 AND l.ledger = 'wallet' AND l.operation IN ('hold', 'lookup')
                       AND l.entry_id >= uuid_at(d.day::timestamp AT TIME ZONE 'UTC' - interval '10 minutes')
                       AND (l.at AT TIME ZONE 'UTC')::date = d.day) AS spent
               FROM (SELECT (now() AT TIME ZONE 'UTC')::date AS day) d
           ) t WHERE b.account_id = $1"#,
        account.uuid(),
        cap.map(Micros::get)
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The cap of a key in the tenant's subtree, and what was spent with it today since it had its first cap. `None`: there is
/// no such key.
///
/// # Errors
/// When the database fails.
pub async fn of_key(db: &Db, tenant: AccountId, key: KeyId) -> Result<Option<Spending>, Error> {
    let row = query!(
        r#"SELECT k.account_id AS "account!", c.cap_micros AS cap, a.currency AS "currency!", t.day AS "day!",
               CASE WHEN c.spend_day = t.day THEN c.spent_micros ELSE 0 END AS "spent!"
           FROM (SELECT (now() AT TIME ZONE 'UTC')::date AS day) t, api_keys k JOIN accounts a ON a.id = k.account_id
               LEFT JOIN api_key_caps c ON c.key_id = k.id
           WHERE k.id = $2 AND a.path @> ARRAY[$1::uuid]"#,
        tenant.uuid(),
        key.uuid()
    )
    .fetch_optional(&db.pool)
    .await?;
    row.map(|row| {
        let (account, currency) = (AccountId::from_uuid(row.account), parse(&row.currency, "currency")?);
        let (cap, spent) = (row.cap.map(Micros::new), Micros::new(row.spent));
        Ok(Spending { account, cap, set_by: None, spent, day: row.day, currency })
    })
    .transpose()
}

/// Sets or takes away the cap of a key; answers whose key it is. `None`: there is no such key in the tenant's subtree.
///
/// # Errors
/// When the database fails.
pub async fn cap_key(
    connection: &mut PgConnection,
    tenant: AccountId,
    key: KeyId,
    cap: Option<Micros>,
) -> Result<Option<AccountId>, Error> {
    let row = query!(
        "SELECT k.account_id FROM api_keys k JOIN accounts a ON a.id = k.account_id
         WHERE k.id = $2 AND a.path @> ARRAY[$1::uuid]",
        tenant.uuid(),
        key.uuid()
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    // What a key that had a cap once spends is counted on without one: a cap that is set again knows of it.
    query!(
        "INSERT INTO api_key_caps AS c (key_id, account_id, cap_micros)
         SELECT $1, $2, $3 WHERE $3::bigint IS NOT NULL OR EXISTS (SELECT FROM api_key_caps WHERE key_id = $1)
         ON CONFLICT (key_id) DO UPDATE SET cap_micros = excluded.cap_micros, excused_micros = c.spent_micros,
            updated_at = now()",
        key.uuid(),
        row.account_id,
        cap.map(Micros::get)
    )
    .execute(connection)
    .await?;
    Ok(Some(AccountId::from_uuid(row.account_id)))
}
