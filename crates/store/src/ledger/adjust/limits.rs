//! Up to what amount one person adjusts a wallet alone.

use chrono::{DateTime, Utc};
use domain::{Currency, Micros};
use sqlx::{PgConnection, query};

use crate::page::parse;
use crate::{Db, Error};

/// Up to what amount one person adjusts a wallet alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Of wallets in this currency.
    pub currency: Currency,
    /// The amount.
    pub amount: Micros,
    /// Who set it.
    pub set_by: String,
    /// When.
    pub updated_at: DateTime<Utc>,
}

/// Sets the limit of a currency.
///
/// # Errors
/// When the database fails.
pub async fn set(connection: &mut PgConnection, currency: Currency, amount: Micros, actor: &str) -> Result<(), Error> {
    query!(
        "INSERT INTO adjustment_limits (currency, limit_micros, set_by) VALUES ($1, $2, $3)
         ON CONFLICT (currency) DO UPDATE SET limit_micros = excluded.limit_micros, set_by = excluded.set_by,
            updated_at = now()",
        currency.code(),
        amount.get(),
        actor
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Every limit that was set: at most one for each currency.
///
/// # Errors
/// When the database fails.
pub async fn limits(db: &Db) -> Result<Vec<Limit>, Error> {
    let rows = query!(
        r#"SELECT currency AS "currency!", limit_micros, set_by, updated_at FROM adjustment_limits ORDER BY currency"#
    )
    .fetch_all(&db.pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let currency = parse(&row.currency, "currency")?;
            Ok(Limit {
                currency,
                amount: Micros::new(row.limit_micros),
                set_by: row.set_by,
                updated_at: row.updated_at,
            })
        })
        .collect()
}
