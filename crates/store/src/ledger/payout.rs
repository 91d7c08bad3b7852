//! What sellers earned, and how it goes out: into their own wallets, or paid to them outside.
//!
//! A settled message posts its seller's revenue to the journal alone, so that no row is everybody's. The sweep folds what is
//! old enough into `seller_accounts`; a balance is that and the lines behind it.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{AccountId, Currency, Micros};
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::Error;
use crate::ledger::entry::Line;
use crate::ledger::post::{Transfer, TransferError, blank, post, record, transfer, wallet_currency};
use crate::page::parse;

/// An entry is committed within this time after its id was made, or never.
const SETTLED_AFTER: TimeDelta = TimeDelta::minutes(10);

/// What a seller earned in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revenue {
    /// The currency.
    pub currency: Currency,
    /// Paid by its children by now, less what was refunded to them.
    pub earned: Micros,
    /// What of it went out by now, less what corrections took back.
    pub paid_out: Micros,
    /// What of it its children have not paid yet: how far their balances are below zero. A credit limit must not become money in
    /// their seller's hands.
    pub uncollected: Micros,
}

impl Revenue {
    /// What can still go out; below zero: refunds took back what had gone out.
    pub fn open(&self) -> Micros {
        let Self { earned, paid_out, uncollected, .. } = self;
        Micros::new(earned.get().saturating_sub(paid_out.get()).saturating_sub(uncollected.get()))
    }
}

/// What `seller` earned, by currency. One for each currency that anything was earned in.
///
/// # Errors
/// When the database fails.
pub async fn revenue(connection: &mut PgConnection, seller: AccountId) -> Result<Vec<Revenue>, Error> {
    let rows = query!(
        r#"WITH recent AS (
            SELECT l.currency,
                sum(CASE WHEN l.operation IN ('payout', 'revenue_credit', 'correction') THEN 0 ELSE l.posted_micros END) AS earned,
                sum(CASE WHEN l.operation IN ('payout', 'revenue_credit', 'correction') THEN -l.posted_micros ELSE 0 END) AS paid_out
            FROM balance_ledger l
            WHERE l.account_id = $1 AND l.ledger = 'revenue'
                AND l.entry_id >= uuid_at(coalesce((SELECT at FROM sweep_cursors WHERE name = 'sellers'), 'epoch'))
            GROUP BY 1
        )
        SELECT coalesce(s.currency, r.currency) AS "currency!",
            (coalesce(s.earned_micros, 0) + coalesce(r.earned, 0))::bigint AS "earned!",
            (coalesce(s.paid_out_micros, 0) + coalesce(r.paid_out, 0))::bigint AS "paid_out!",
            -- In the same picture as the lines: what is spent on credit is earned and owed at once.
            (SELECT coalesce(-sum(least(b.posted_micros, 0)), 0)::bigint
                FROM accounts a JOIN account_balances b ON b.account_id = a.id
                WHERE a.parent_id = $1 AND b.currency = coalesce(s.currency, r.currency)) AS "uncollected!"
        FROM (SELECT * FROM seller_accounts WHERE account_id = $1) s FULL JOIN recent r ON r.currency = s.currency
        ORDER BY 1"#,
        seller.uuid()
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Revenue {
                currency: parse(&row.currency, "currency")?,
                earned: Micros::new(row.earned),
                paid_out: Micros::new(row.paid_out),
                uncollected: Micros::new(row.uncollected),
            })
        })
        .collect()
}

/// Where revenue goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// Into the seller's own wallet.
    Wallet,
    /// Through it into the wallet of a customer right below, which paid the seller outside.
    Customer(AccountId),
    /// It was paid outside: out of the house's cash.
    Outside,
}

/// Revenue that goes out, in the currency of the seller's wallet.
#[derive(Debug, Clone)]
pub struct Payout {
    /// Whose.
    pub seller: AccountId,
    /// Where to.
    pub to: To,
    /// How much; more than zero.
    pub amount: Micros,
    /// Why, or how the payment is found again.
    pub reason: String,
    /// Who did it.
    pub actor: String,
}

/// Why revenue did not go out.
#[derive(Debug, thiserror::Error)]
pub enum PayoutError {
    /// So much is not open.
    #[error("so much revenue is not open")]
    Short,
    /// The customer pays in another currency.
    #[error("the customer pays in another currency")]
    Currency,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<TransferError> for PayoutError {
    fn from(error: TransferError) -> Self {
        match error {
            TransferError::NoCredit => Self::Short,
            TransferError::Currency => Self::Currency,
            TransferError::Store(error) => Self::Store(error),
        }
    }
}

impl From<sqlx::Error> for PayoutError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Posts `payout`: revenue against the wallet, or against cash. Never more than is open, whatever happens at the same time;
/// what goes on to a customer that is below zero is not more open than before, nor less. Answers the journal entries.
///
/// # Errors
/// When so much is not open, or the database fails; then roll back.
pub async fn pay_out(connection: &mut PgConnection, payout: &Payout) -> Result<Vec<Uuid>, PayoutError> {
    let Payout { seller, to, amount, reason, actor } = payout;
    let currency = wallet_currency(connection, *seller).await?;
    lock(connection, *seller, currency).await?;
    let To::Customer(customer) = *to else {
        if open_now(connection, (*seller, currency)).await? < *amount {
            return Err(PayoutError::Short);
        }
        return Ok(vec![take(connection, payout, currency).await?]);
    };
    let before = open_now(connection, (*seller, currency)).await?;
    let credit = take(connection, payout, currency).await?;
    let (reason, actor) = (reason.clone(), actor.clone());
    let on = Transfer { from: *seller, to: customer, amount: *amount, reason, actor };
    let entries = vec![credit, transfer(connection, &on).await?];
    let after = open_now(connection, (*seller, currency)).await?;
    if after < before.min(Micros::ZERO) { Err(PayoutError::Short) } else { Ok(entries) }
}

async fn open_now(connection: &mut PgConnection, (seller, currency): (AccountId, Currency)) -> Result<Micros, Error> {
    let all = revenue(connection, seller).await?;
    Ok(all.iter().find(|one| one.currency == currency).map_or(Micros::ZERO, Revenue::open))
}

/// Takes it out of the revenue, whether it is open or not.
async fn take(connection: &mut PgConnection, payout: &Payout, currency: Currency) -> Result<Uuid, PayoutError> {
    let Payout { seller, to, amount, reason, actor } = payout;
    let entry = Uuid::now_v7();
    let (operation, ledger) = match to {
        To::Wallet | To::Customer(_) => ("revenue_credit", "wallet"),
        To::Outside => ("payout", "cash"),
    };
    let line = |number, ledger, posted| Line {
        number,
        ledger,
        posted,
        ..blank(entry, operation, seller.uuid(), (currency, reason))
    };
    let mut lines = [line(1, "revenue", -amount.get()), line(2, ledger, amount.get())];
    post(connection, &mut lines).await?;
    record(connection, (operation, *seller, *amount, currency), (entry, reason, actor)).await?;
    Ok(entry)
}

/// What a seller has open in `currency`, while nothing of it goes out until the transaction ends. `None`: nothing went out.
///
/// # Errors
/// When the database fails.
pub(super) async fn open_of(
    connection: &mut PgConnection,
    seller: AccountId,
    currency: Currency,
) -> Result<Option<Micros>, Error> {
    lock(connection, seller, currency).await?;
    let all = revenue(connection, seller).await?;
    let own = all.iter().find(|one| one.currency == currency);
    Ok(own.filter(|one| one.paid_out > Micros::ZERO).map(Revenue::open))
}

/// Payouts of one seller go one after the other.
async fn lock(connection: &mut PgConnection, seller: AccountId, currency: Currency) -> Result<(), Error> {
    query!(
        "INSERT INTO seller_accounts (account_id, currency) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        seller.uuid(),
        currency.code()
    )
    .execute(&mut *connection)
    .await?;
    query!(
        "SELECT FROM seller_accounts WHERE account_id = $1 AND currency = $2 FOR UPDATE",
        seller.uuid(),
        currency.code()
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Folds what cannot change any more. Whoever folds at the same time waits for the cursor.
///
/// # Errors
/// When the database fails.
pub async fn fold(connection: &mut PgConnection, now: DateTime<Utc>) -> Result<(), Error> {
    let until = now - SETTLED_AFTER;
    query!("INSERT INTO sweep_cursors (name, at) VALUES ('sellers', 'epoch') ON CONFLICT DO NOTHING")
        .execute(&mut *connection)
        .await?;
    let from = query!("SELECT at FROM sweep_cursors WHERE name = 'sellers' FOR UPDATE");
    let from = from.fetch_one(&mut *connection).await?.at;
    if from >= until {
        return Ok(());
    }
    query!(
        "INSERT INTO seller_accounts AS s (account_id, currency, earned_micros, paid_out_micros)
         SELECT l.account_id, l.currency,
            sum(CASE WHEN l.operation IN ('payout', 'revenue_credit', 'correction') THEN 0 ELSE l.posted_micros END),
            sum(CASE WHEN l.operation IN ('payout', 'revenue_credit', 'correction') THEN -l.posted_micros ELSE 0 END)
         FROM accounts a JOIN balance_ledger l ON l.account_id = a.id AND l.ledger = 'revenue'
            AND l.entry_id >= uuid_at($1) AND l.entry_id < uuid_at($2)
         WHERE a.role <> 'client'
         GROUP BY 1, 2 ORDER BY 1, 2
         ON CONFLICT (account_id, currency) DO UPDATE SET earned_micros = s.earned_micros + excluded.earned_micros,
            paid_out_micros = s.paid_out_micros + excluded.paid_out_micros",
        from,
        until
    )
    .execute(&mut *connection)
    .await?;
    query!("UPDATE sweep_cursors SET at = $1 WHERE name = 'sellers'", until).execute(connection).await?;
    Ok(())
}

/// Sellers whose fold is not that of the journal, for a full `verify`.
pub(super) async fn verify(connection: &mut PgConnection) -> Result<Vec<String>, Error> {
    let rows = query!(
        r#"WITH lines AS (
               SELECT account_id, currency,
                   sum(CASE WHEN operation IN ('payout', 'revenue_credit', 'correction') THEN 0 ELSE posted_micros END) AS earned,
                   sum(CASE WHEN operation IN ('payout', 'revenue_credit', 'correction') THEN -posted_micros ELSE 0 END) AS paid_out
               FROM balance_ledger WHERE ledger = 'revenue'
                   AND entry_id < uuid_at(coalesce((SELECT at FROM sweep_cursors WHERE name = 'sellers'), 'epoch'))
               GROUP BY 1, 2
           )
           SELECT coalesce(s.account_id, l.account_id) AS "account!"
           FROM seller_accounts s FULL JOIN lines l ON l.account_id = s.account_id AND l.currency = s.currency
           WHERE coalesce(s.earned_micros, 0) <> coalesce(l.earned, 0)
               OR coalesce(s.paid_out_micros, 0) <> coalesce(l.paid_out, 0) LIMIT 100"#
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| format!("revenue of {}", row.account)).collect())
}
