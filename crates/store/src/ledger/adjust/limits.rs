//! Up to what amount one person adjusts a wallet alone. Lowering it is one person's word; raising it takes two.

use chrono::{DateTime, Utc};
use domain::{Currency, Micros};
use sqlx::{PgConnection, query};

use super::DecideError;
use crate::page::parse;
use crate::{Db, Error, users};

/// Up to what amount a wallet is adjusted within 24 hours without a second person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Of wallets in this currency.
    pub currency: Currency,
    /// The amount.
    pub amount: Micros,
    /// Who set it; who asked for it where two were needed.
    pub set_by: String,
    /// When.
    pub updated_at: DateTime<Utc>,
    /// A higher one that waits for another person.
    pub asked: Option<Asked>,
}

/// A higher limit that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The amount.
    pub amount: Micros,
    /// Who asks.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// The limit of a currency as it holds, locked against a change; nothing where none was set.
///
/// # Errors
/// When the database fails.
pub(in crate::ledger) async fn limit(connection: &mut PgConnection, currency: Currency) -> Result<Micros, Error> {
    let row = query!("SELECT limit_micros FROM adjustment_limits WHERE currency = $1 FOR SHARE", currency.code());
    Ok(row.fetch_optional(connection).await?.map_or(Micros::ZERO, |row| Micros::new(row.limit_micros)))
}

/// Sets the limit of a currency where it is not higher than that which holds; a higher one waits for [`approve`]. Either
/// takes the place of what waited before. `false`: it waits.
///
/// # Errors
/// When the database fails.
pub async fn set(
    connection: &mut PgConnection,
    currency: Currency,
    amount: Micros,
    actor: &str,
) -> Result<bool, Error> {
    query!(
        "INSERT INTO adjustment_limits (currency, limit_micros, set_by) VALUES ($1, 0, $2) ON CONFLICT DO NOTHING",
        currency.code(),
        actor
    )
    .execute(&mut *connection)
    .await?;
    let row = query!(
        r#"UPDATE adjustment_limits SET
               asked_micros = CASE WHEN $2 > limit_micros THEN $2 END,
               asked_by = CASE WHEN $2 > limit_micros THEN $3 END,
               asked_at = CASE WHEN $2 > limit_micros THEN now() END,
               set_by = CASE WHEN $2 < limit_micros THEN $3 ELSE set_by END,
               updated_at = CASE WHEN $2 < limit_micros THEN now() ELSE updated_at END,
               limit_micros = least($2, limit_micros)
           WHERE currency = $1 RETURNING asked_micros IS NULL AS "is_set!""#,
        currency.code(),
        amount.get(),
        actor
    );
    Ok(row.fetch_one(connection).await?.is_set)
}

/// Lets the higher limit hold that somebody else asked for. `amount` is what the approver read: another one that was asked
/// for meanwhile is not approved.
///
/// # Errors
/// [`DecideError::Unknown`] when nothing waits, [`DecideError::Decided`] when another amount does, [`DecideError::Own`] when
/// `actor` asked for it, or is not independent of who did; else when the database fails.
pub async fn approve(
    connection: &mut PgConnection,
    currency: Currency,
    amount: Micros,
    actor: &str,
) -> Result<(), DecideError> {
    let row =
        query!("SELECT asked_micros, asked_by FROM adjustment_limits WHERE currency = $1 FOR UPDATE", currency.code());
    let row = row.fetch_optional(&mut *connection).await.map_err(Error::from)?;
    let (asked, by) = row.and_then(|row| row.asked_micros.zip(row.asked_by)).ok_or(DecideError::Unknown)?;
    if asked != amount.get() {
        return Err(DecideError::Decided);
    }
    if !users::are_two(connection, &by, actor).await? {
        return Err(DecideError::Own);
    }
    query!(
        "UPDATE adjustment_limits SET limit_micros = asked_micros, set_by = asked_by, updated_at = now(),
             asked_micros = NULL, asked_by = NULL, asked_at = NULL
         WHERE currency = $1",
        currency.code()
    )
    .execute(connection)
    .await
    .map_err(Error::from)?;
    Ok(())
}

/// Every limit that was set: at most one for each currency.
///
/// # Errors
/// When the database fails.
pub async fn limits(db: &Db) -> Result<Vec<Limit>, Error> {
    let rows = query!(
        r#"SELECT currency AS "currency!", limit_micros, set_by, updated_at, asked_micros, asked_by, asked_at
           FROM adjustment_limits ORDER BY currency"#
    )
    .fetch_all(&db.pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let asked = row.asked_micros.zip(row.asked_by).zip(row.asked_at);
            Ok(Limit {
                currency: parse(&row.currency, "currency")?,
                amount: Micros::new(row.limit_micros),
                set_by: row.set_by,
                updated_at: row.updated_at,
                asked: asked.map(|((amount, by), at)| Asked { amount: Micros::new(amount), by, at }),
            })
        })
        .collect()
}
