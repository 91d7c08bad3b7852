//! Adjustments: money put into a wallet or taken out of it by decision of the house, with a reason; above a limit by
//! two people.
//!
//! **Invariant:** what is adjusted in a wallet within 24 hours above the limit of its currency is posted only when somebody else
//! has approved it.

mod limits;

pub(in crate::ledger) use limits::limit;
pub use limits::{Asked, Limit, approve as approve_limit, limits, set as set_limit};

use chrono::{DateTime, Utc};
use domain::{AccountId, AdjustmentId, Currency, Micros};
use sqlx::{PgConnection, query, query_as};
use uuid::Uuid;

use crate::ledger::entry::Line;
use crate::ledger::post::{TransferError, blank, post, record, short, wallet_currency};
use crate::page::{Page, parse};
use crate::{Db, Error, users};

/// An adjustment that somebody asks for.
#[derive(Debug, Clone)]
pub struct NewAdjustment {
    /// Made by the caller.
    pub id: AdjustmentId,
    /// Whose wallet.
    pub account: AccountId,
    /// How much; below zero it is taken from the wallet, never zero.
    pub amount: Micros,
    /// Why, for the statement.
    pub reason: String,
    /// Who asks: `usr_…` or `key_…`.
    pub actor: String,
}

/// Where an adjustment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It waits for another person.
    Pending,
    /// It is in the books.
    Done,
    /// Nothing came of it.
    Rejected,
}

impl Status {
    /// The name in SQL and API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Done => "done",
            Self::Rejected => "rejected",
        }
    }
}

/// A name that no status has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected pending, done or rejected")]
pub struct UnknownStatus;

impl std::str::FromStr for Status {
    type Err = UnknownStatus;
    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        [Self::Pending, Self::Done, Self::Rejected].into_iter().find(|s| s.name() == text).ok_or(UnknownStatus)
    }
}

/// An adjustment as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjustment {
    /// Its id.
    pub id: AdjustmentId,
    /// Whose wallet.
    pub account: AccountId,
    /// How much; below zero: taken from the wallet.
    pub amount: Micros,
    /// The wallet's currency.
    pub currency: Currency,
    /// Why.
    pub reason: String,
    /// Where it stands.
    pub status: Status,
    /// Who asked for it.
    pub requested_by: String,
    /// Who approved or rejected it; `None`: nobody had to.
    pub decided_by: Option<String>,
    /// What they said.
    pub decision: Option<String>,
    /// When.
    pub decided_at: Option<DateTime<Utc>>,
    /// The journal entry that posted it.
    pub entry: Option<Uuid>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
}

struct Row {
    id: Uuid,
    account_id: Uuid,
    amount_micros: i64,
    currency: String,
    reason: String,
    status: String,
    requested_by: String,
    decided_by: Option<String>,
    decision: Option<String>,
    decided_at: Option<DateTime<Utc>>,
    entry_id: Option<Uuid>,
    created_at: DateTime<Utc>,
}

impl Row {
    fn adjustment(self) -> Result<Adjustment, Error> {
        Ok(Adjustment {
            id: AdjustmentId::from_uuid(self.id),
            account: AccountId::from_uuid(self.account_id),
            amount: Micros::new(self.amount_micros),
            currency: parse(&self.currency, "currency")?,
            reason: self.reason,
            status: parse(&self.status, "status")?,
            requested_by: self.requested_by,
            decided_by: self.decided_by,
            decision: self.decision,
            decided_at: self.decided_at,
            entry: self.entry_id,
            created_at: self.created_at,
        })
    }
}

/// Stores `new`, and posts it where its amount is within the limit, together with all that was adjusted in this wallet without a
/// second person in the last 24 hours: in either direction, by whomever.
///
/// # Errors
/// [`TransferError::NoCredit`] when the wallet has not what is to be taken; else when the database fails.
pub async fn request(connection: &mut PgConnection, new: &NewAdjustment) -> Result<Adjustment, TransferError> {
    let currency = wallet_currency(connection, new.account).await?;
    let limit = limit(connection, currency).await?;
    let alone = alone(connection, new.account).await?;
    let at_once = alone.saturating_add(new.amount.get().saturating_abs()) <= limit.get();
    let entry = if at_once { Some(move_money(connection, new, currency).await?) } else { None };
    let row = query_as!(
        Row,
        r#"INSERT INTO adjustments (id, account_id, amount_micros, currency, reason, status, requested_by, entry_id)
           VALUES ($1, $2, $3, $4, $5, CASE WHEN $7::uuid IS NULL THEN 'pending' ELSE 'done' END, $6, $7)
           RETURNING id, account_id, amount_micros, currency AS "currency!", reason, status, requested_by, decided_by,
               decision, decided_at, entry_id, created_at"#,
        new.id.uuid(),
        new.account.uuid(),
        new.amount.get(),
        currency.code(),
        new.reason,
        new.actor,
        entry
    )
    .fetch_one(connection)
    .await
    .map_err(Error::from)?;
    Ok(row.adjustment()?)
}

/// What was adjusted in a wallet by one person in the last 24 hours, without signs. The wallet stays locked.
async fn alone(connection: &mut PgConnection, account: AccountId) -> Result<i64, Error> {
    query!("SELECT FROM account_balances WHERE account_id = $1 FOR NO KEY UPDATE", account.uuid())
        .execute(&mut *connection)
        .await?;
    let row = query!(
        r#"SELECT coalesce(sum(abs(amount_micros)), 0)::bigint AS "alone!" FROM adjustments
           WHERE account_id = $1 AND status = 'done' AND decided_by IS NULL AND created_at > now() - interval '24 hours'"#,
        account.uuid()
    );
    Ok(row.fetch_one(connection).await?.alone)
}

async fn move_money(
    connection: &mut PgConnection,
    new: &NewAdjustment,
    currency: Currency,
) -> Result<Uuid, TransferError> {
    let entry = Uuid::now_v7();
    let line = |number, ledger, posted| Line {
        number,
        ledger,
        posted,
        ..blank(entry, "adjustment", new.account.uuid(), (currency, &new.reason))
    };
    let amount = new.amount.get();
    let mut lines = [line(1, "wallet", amount), line(2, "adjustment", -amount)];
    post(connection, &mut lines).await.map_err(short)?;
    record(connection, ("adjustment", new.account, new.amount, currency), (entry, &new.reason, &new.actor)).await?;
    Ok(entry)
}

/// What somebody decides about an adjustment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Post it.
    Approve,
    /// Let nothing come of it.
    Reject,
}

/// Why an adjustment was not decided.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// There is none of this id.
    #[error("there is no such adjustment")]
    Unknown,
    /// It was decided before.
    #[error("it was decided before")]
    Decided,
    /// Who asked for it cannot approve it, nor a log-in that may be the same person's: see [`users::are_two`].
    #[error("who asked for it cannot approve it")]
    Own,
    /// The wallet has not what is to be taken.
    #[error("the wallet has not enough")]
    NoCredit,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<TransferError> for DecideError {
    fn from(error: TransferError) -> Self {
        match error {
            TransferError::NoCredit => Self::NoCredit,
            // An adjustment has one wallet.
            TransferError::Currency => Self::Store(Error::Corrupt("currency of an adjustment".into())),
            TransferError::Store(error) => Self::Store(error),
        }
    }
}

/// Approves or rejects a pending adjustment in the tenant's subtree, by `actor`, who says `why`.
///
/// # Errors
/// See [`DecideError`].
pub async fn decide(
    connection: &mut PgConnection,
    tenant: AccountId,
    (id, decision): (AdjustmentId, Decision),
    (actor, why): (&str, &str),
) -> Result<Adjustment, DecideError> {
    let waiting = lock(connection, tenant, id).await?.ok_or(DecideError::Unknown)?;
    if waiting.status != Status::Pending {
        return Err(DecideError::Decided);
    }
    let entry = match decision {
        Decision::Reject => None,
        Decision::Approve => {
            if !users::are_two(connection, &waiting.requested_by, actor).await? {
                return Err(DecideError::Own);
            }
            let new = NewAdjustment {
                id,
                account: waiting.account,
                amount: waiting.amount,
                reason: waiting.reason.clone(),
                actor: waiting.requested_by.clone(),
            };
            Some(move_money(connection, &new, waiting.currency).await?)
        }
    };
    let row = query_as!(
        Row,
        r#"UPDATE adjustments SET status = CASE WHEN $2::uuid IS NULL THEN 'rejected' ELSE 'done' END, entry_id = $2,
               decided_by = $3, decision = $4, decided_at = now()
           WHERE id = $1
           RETURNING id, account_id, amount_micros, currency AS "currency!", reason, status, requested_by, decided_by,
               decision, decided_at, entry_id, created_at"#,
        id.uuid(),
        entry,
        actor,
        why
    )
    .fetch_one(connection)
    .await
    .map_err(Error::from)?;
    Ok(row.adjustment()?)
}

async fn lock(connection: &mut PgConnection, tenant: AccountId, id: AdjustmentId) -> Result<Option<Adjustment>, Error> {
    let row = query_as!(
        Row,
        r#"SELECT j.id, j.account_id, j.amount_micros, j.currency AS "currency!", j.reason, j.status, j.requested_by,
               j.decided_by, j.decision, j.decided_at, j.entry_id, j.created_at
           FROM adjustments j JOIN accounts a ON a.id = j.account_id
           WHERE j.id = $2 AND a.path @> ARRAY[$1::uuid] FOR UPDATE OF j"#,
        tenant.uuid(),
        id.uuid()
    )
    .fetch_optional(connection)
    .await?;
    row.map(Row::adjustment).transpose()
}

/// The adjustments in the tenant's subtree, newest first; those of `account` or in `status` where they are named.
///
/// # Errors
/// When the database fails.
pub async fn list(
    db: &Db,
    tenant: AccountId,
    (account, status): (Option<AccountId>, Option<Status>),
    page: Page,
) -> Result<Vec<Adjustment>, Error> {
    let rows = query_as!(
        Row,
        r#"SELECT j.id, j.account_id, j.amount_micros, j.currency AS "currency!", j.reason, j.status, j.requested_by,
               j.decided_by, j.decision, j.decided_at, j.entry_id, j.created_at
           FROM adjustments j JOIN accounts a ON a.id = j.account_id
           WHERE a.path @> ARRAY[$1::uuid] AND ($2::uuid IS NULL OR j.account_id = $2)
               AND ($3::text IS NULL OR j.status = $3) AND j.id < $4
           ORDER BY j.id DESC LIMIT $5"#,
        tenant.uuid(),
        account.map(AccountId::uuid),
        status.map(Status::name),
        page.end(),
        page.limit()
    )
    .fetch_all(&db.pool)
    .await?;
    rows.into_iter().map(Row::adjustment).collect()
}
