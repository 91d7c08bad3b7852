//! Money that people move: top-ups and transfers.

use domain::{AccountId, Currency, Micros, TransactionId};
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::advance::currency_of;
use crate::ledger::entry::Line;
use crate::ledger::{move_wallets, write};
use crate::{Db, Error};

/// A wallet as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// Its currency.
    pub currency: Currency,
    /// Paid in and not yet spent; negative within the credit limit.
    pub posted: Micros,
    /// Set aside for messages under way.
    pub held: Micros,
    /// How far below zero it may go.
    pub credit_limit: Micros,
}

impl Balance {
    /// What new messages can be held against.
    pub fn available(&self) -> Micros {
        Micros::new(self.posted.get() + self.credit_limit.get() - self.held.get())
    }
}

/// Reads the wallet of `account`.
pub async fn balance(db: &Db, account: AccountId) -> Result<Option<Balance>, Error> {
    balance_within(&db.pool, account).await
}

/// The same as a transaction sees it.
pub async fn balance_within(executor: impl sqlx::PgExecutor<'_>, account: AccountId) -> Result<Option<Balance>, Error> {
    let row = query!(
        "SELECT currency, posted_micros, held_micros, credit_limit_micros FROM account_balances WHERE account_id = $1",
        account.uuid()
    )
    .fetch_optional(executor)
    .await?;
    row.map(|row| {
        Ok(Balance {
            currency: currency_of(&row.currency)?,
            posted: Micros::new(row.posted_micros),
            held: Micros::new(row.held_micros),
            credit_limit: Micros::new(row.credit_limit_micros),
        })
    })
    .transpose()
}

/// Opens the wallet of a new account, empty.
pub async fn open_wallet(
    connection: &mut PgConnection,
    account: AccountId,
    currency: Currency,
    credit_limit: Micros,
) -> Result<(), Error> {
    query!(
        "INSERT INTO account_balances (account_id, currency, credit_limit_micros) VALUES ($1, $2, $3)",
        account.uuid(),
        currency.code(),
        credit_limit.get()
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Money that came from outside into a wallet.
#[derive(Debug, Clone)]
pub struct TopUp {
    /// Whose wallet.
    pub account: AccountId,
    /// How much; more than zero.
    pub amount: Micros,
    /// Why, for the statement.
    pub reason: String,
    /// Who did it: `usr_…`, `key_…` or `system`.
    pub actor: String,
}

/// Posts `top_up`: wallet against cash. Answers the journal entry.
pub async fn top_up(connection: &mut PgConnection, top_up: &TopUp) -> Result<Uuid, Error> {
    let TopUp { account, amount, reason, actor } = top_up;
    let currency = wallet_currency(connection, *account).await?;
    let entry = Uuid::now_v7();
    let line = |number, ledger, posted| Line {
        number,
        ledger,
        posted,
        ..blank(entry, "top_up", account.uuid(), (currency, reason))
    };
    let mut lines = [line(1, "wallet", amount.get()), line(2, "cash", -amount.get())];
    post(connection, &mut lines).await?;
    record(connection, ("top_up", *account, *amount, currency), (entry, reason, actor)).await?;
    Ok(entry)
}

/// Money that one wallet gives to another.
#[derive(Debug, Clone)]
pub struct Transfer {
    /// Who gives.
    pub from: AccountId,
    /// Who gets.
    pub to: AccountId,
    /// How much; more than zero.
    pub amount: Micros,
    /// Why, for both statements.
    pub reason: String,
    /// Who did it.
    pub actor: String,
}

/// Why a transfer was not made.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The giving wallet has not enough.
    #[error("the giving wallet has not enough")]
    NoCredit,
    /// The wallets are in different currencies.
    #[error("the wallets are in different currencies")]
    Currency,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] Error),
}

/// Posts `transfer`: one wallet against the other. The giver's credit limit may be used. Answers the journal entry.
pub async fn transfer(connection: &mut PgConnection, transfer: &Transfer) -> Result<Uuid, TransferError> {
    let (entry, _) = between(connection, transfer).await?;
    Ok(entry)
}

/// The same of what the giver has of its own: a credit limit is the risk of who gives it, and must not become money in
/// somebody else's wallet. After [`TransferError::NoCredit`] roll back.
pub async fn transfer_own(connection: &mut PgConnection, transfer: &Transfer) -> Result<Uuid, TransferError> {
    let (entry, giver) = between(connection, transfer).await?;
    if is_own(&giver) { Ok(entry) } else { Err(TransferError::NoCredit) }
}

/// Whether a wallet covers its holds behind this line without its credit limit.
pub(super) fn is_own(line: &Line) -> bool {
    line.after.is_some_and(|(posted, held)| posted >= held)
}

/// Answers the entry, and the giver's line.
async fn between(connection: &mut PgConnection, transfer: &Transfer) -> Result<(Uuid, Line), TransferError> {
    let Transfer { from, to, amount, reason, actor } = transfer;
    let currency = wallet_currency(connection, *from).await?;
    if wallet_currency(connection, *to).await? != currency {
        return Err(TransferError::Currency);
    }
    let entry = Uuid::now_v7();
    let line = |number, account: &AccountId, posted| Line {
        number,
        posted,
        ..blank(entry, "transfer", account.uuid(), (currency, reason))
    };
    let mut lines = [line(1, from, -amount.get()), line(2, to, amount.get())];
    post(connection, &mut lines).await.map_err(short)?;
    record(connection, ("transfer", *from, -*amount, currency), (entry, reason, actor)).await?;
    record(connection, ("transfer", *to, *amount, currency), (entry, reason, actor)).await?;
    let [giver, _] = lines;
    Ok((entry, giver))
}

/// The constraint on the wallet says no when there is not enough, whatever happens at the same time.
pub(super) fn short(error: Error) -> TransferError {
    match error.constraint() {
        Some("balance_covers_holds") => TransferError::NoCredit,
        _ => TransferError::Store(error),
    }
}

/// A line of `entry` on a wallet, without an amount.
pub(super) fn blank(entry: Uuid, operation: &'static str, account: Uuid, (currency, reason): (Currency, &str)) -> Line {
    Line {
        entry,
        number: 0,
        operation,
        ledger: "wallet",
        account,
        operator: None,
        currency,
        posted: 0,
        held: 0,
        after: None,
        messages: 0,
        reason: Some(reason.to_owned()),
    }
}

/// The currency of a wallet, which every account has.
pub(super) async fn wallet_currency(connection: &mut PgConnection, account: AccountId) -> Result<Currency, Error> {
    let row = query!("SELECT currency FROM account_balances WHERE account_id = $1", account.uuid())
        .fetch_one(connection)
        .await?;
    currency_of(&row.currency)
}

/// The door of every movement that people make: each wallet once, then the lines. An entry has one line for each wallet.
pub(super) async fn post(connection: &mut PgConnection, lines: &mut [Line]) -> Result<(), Error> {
    let wallets = lines.iter().filter(|l| l.is_wallet()).map(|l| (l.account, (l.posted, l.held))).collect();
    let after = move_wallets(connection, &wallets).await?;
    for line in lines.iter_mut().filter(|l| l.is_wallet()) {
        line.after = after.get(&line.account).copied();
    }
    write(connection, lines).await
}

/// Notes what people moved, beside its journal entry.
pub(super) async fn record(
    connection: &mut PgConnection,
    (kind, account, amount, currency): (&str, AccountId, Micros, Currency),
    (entry, reason, actor): (Uuid, &str, &str),
) -> Result<TransactionId, Error> {
    let id = TransactionId::generate();
    query!(
        "INSERT INTO transactions (id, account_id, kind, amount_micros, currency, reason, entry_id, actor)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        id.uuid(),
        account.uuid(),
        kind,
        amount.get(),
        currency.code(),
        reason,
        entry,
        actor
    )
    .execute(connection)
    .await?;
    Ok(id)
}
