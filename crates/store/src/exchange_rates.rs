//! Exchange rates. Dated, never edited. They are the house's; no tenant sees them.

use chrono::{DateTime, Utc};
use domain::fx::{ExchangeRate, Fx, Ratio};
use domain::{Currency, ExchangeRateId};
use sqlx::{PgConnection, query, query_as};
use uuid::Uuid;

use crate::page::{Page, narrow, parse};
use crate::{Db, Error};

/// An exchange rate, and who made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The rate.
    pub rate: ExchangeRate,
    /// What is given, and what is got.
    pub pair: (Currency, Currency),
    /// Why.
    pub reason: String,
    /// The key or user that made it.
    pub made_by: String,
}

struct Row {
    id: Uuid,
    from_currency: String,
    to_currency: String,
    rate_nanos: i64,
    spread_ppm: i32,
    reason: String,
    made_by: String,
    effective_from: DateTime<Utc>,
    effective_to: Option<DateTime<Utc>>,
}

impl Row {
    fn made(self) -> Result<Made, Error> {
        let rate = ExchangeRate {
            id: ExchangeRateId::from_uuid(self.id),
            ratio: Ratio::new(self.rate_nanos).ok_or_else(|| Error::Corrupt("rate_nanos".into()))?,
            spread_ppm: narrow(self.spread_ppm, "spread_ppm")?,
            from: self.effective_from,
            to: self.effective_to,
        };
        let pair = (parse(&self.from_currency, "currency")?, parse(&self.to_currency, "currency")?);
        Ok(Made { rate, pair, reason: self.reason, made_by: self.made_by })
    }
}

/// Changes of exchange rates go one after the other.
async fn lock(tx: &mut PgConnection) -> Result<(), Error> {
    query!("SELECT version FROM catalogue_version FOR NO KEY UPDATE").fetch_one(tx).await?;
    Ok(())
}

/// Publishes a rate: closes the one of the same pair that holds at its moment, and ends where a later one begins; answers
/// where. The constraint `exchange_rates_do_not_overlap` refuses a second rate of the same moment.
///
/// # Errors
/// When the database refuses or fails.
pub async fn publish(tx: &mut PgConnection, new: &Made) -> Result<Option<DateTime<Utc>>, Error> {
    lock(tx).await?;
    let (from, to) = (new.pair.0.code(), new.pair.1.code());
    query!(
        "UPDATE exchange_rates SET effective_to = $3
         WHERE from_currency = $1::text AND to_currency = $2::text
           AND effective_from < $3 AND (effective_to IS NULL OR effective_to > $3)",
        from,
        to,
        new.rate.from,
    )
    .execute(&mut *tx)
    .await?;
    let made = query!(
        "INSERT INTO exchange_rates (id, from_currency, to_currency, rate_nanos, spread_ppm, reason, made_by,
           effective_from, effective_to)
         SELECT $1, $2::text, $3::text, $4, $5, $6, $7, $8, min(r.effective_from) FROM exchange_rates r
         WHERE r.from_currency = $2::text AND r.to_currency = $3::text AND r.effective_from > $8
         RETURNING effective_to",
        new.rate.id.uuid(),
        from,
        to,
        new.rate.ratio.get(),
        i32::try_from(new.rate.spread_ppm).map_err(|_| Error::Range)?,
        new.reason,
        new.made_by,
        new.rate.from,
    )
    .fetch_one(tx)
    .await?;
    Ok(made.effective_to)
}

/// Takes back a rate that begins after `now`: the one that it would have closed goes on, up to where that was ended on
/// purpose or the next one begins. One that holds ends at `now`.
/// `false`: there is nothing to end.
///
/// # Errors
/// When the database fails.
pub async fn end(tx: &mut PgConnection, id: ExchangeRateId, now: DateTime<Utc>) -> Result<bool, Error> {
    lock(tx).await?;
    let gone = query!(
        "DELETE FROM exchange_rates WHERE id = $1 AND effective_from >= $2
         RETURNING from_currency, to_currency, effective_from",
        id.uuid(),
        now,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(gone) = gone else {
        let closed = query!(
            "UPDATE exchange_rates SET effective_to = $2, ended_at = $2
             WHERE id = $1 AND effective_from < $2 AND (effective_to IS NULL OR effective_to > $2)",
            id.uuid(),
            now,
        );
        return Ok(closed.execute(tx).await?.rows_affected() == 1);
    };
    query!(
        "UPDATE exchange_rates r SET effective_to = least(r.ended_at, (SELECT min(n.effective_from) FROM exchange_rates n
           WHERE n.from_currency = $1::text AND n.to_currency = $2::text AND n.effective_from > $3))
         WHERE from_currency = $1::text AND to_currency = $2::text AND effective_to = $3",
        gone.from_currency,
        gone.to_currency,
        gone.effective_from,
    )
    .execute(tx)
    .await?;
    Ok(true)
}

/// The rates that hold, held or will hold, newest first; of one pair, or a half of it, where that is named.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &Db, pair: (Option<Currency>, Option<Currency>), page: Page) -> Result<Vec<Made>, Error> {
    let code = |currency: Option<Currency>| currency.map(|currency| currency.to_string());
    let rows = query_as!(
        Row,
        r#"SELECT id, from_currency AS "from_currency!", to_currency AS "to_currency!", rate_nanos, spread_ppm, reason,
             made_by, effective_from, effective_to
           FROM exchange_rates
           WHERE ($1::text IS NULL OR from_currency = $1) AND ($2::text IS NULL OR to_currency = $2) AND id < $3
           ORDER BY id DESC LIMIT $4"#,
        code(pair.0),
        code(pair.1),
        page.end(),
        page.limit(),
    )
    .fetch_all(&db.pool)
    .await?;
    rows.into_iter().map(Row::made).collect()
}

/// Those that hold now or later, for the catalogue.
pub(crate) async fn current(connection: &mut PgConnection) -> Result<Fx, Error> {
    let rows = query_as!(
        Row,
        r#"SELECT id, from_currency AS "from_currency!", to_currency AS "to_currency!", rate_nanos, spread_ppm, reason,
             made_by, effective_from, effective_to
           FROM exchange_rates WHERE effective_to IS NULL OR effective_to > now() - interval '1 hour'"#,
    )
    .fetch_all(connection)
    .await?;
    let mut fx = Fx::default();
    for row in rows {
        let made = row.made()?;
        fx.add(made.pair, made.rate);
    }
    Ok(fx)
}
