//! What people moved: top-ups, transfers, adjustments, refunds, corrections and payouts, each with its journal entry.

use chrono::{DateTime, Utc};
use domain::{AccountId, Currency, LookupProviderId, MessageId, Micros, OperatorId, TransactionId};
use sqlx::{PgConnection, query_as};
use uuid::Uuid;

use crate::page::{Page, parse};
use crate::{Db, Error};

/// The kinds, as they are stored and shown.
pub const KINDS: [&str; 8] =
    ["top_up", "transfer", "adjustment", "refund", "correction", "supplier_payment", "revenue_credit", "payout"];

/// One side of a movement of money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Its id.
    pub id: TransactionId,
    /// Whose wallet.
    pub account: AccountId,
    /// One of [`KINDS`].
    pub kind: String,
    /// How much; below zero: out of the wallet.
    pub amount: Micros,
    /// The wallet's currency.
    pub currency: Currency,
    /// Why.
    pub reason: String,
    /// The journal entry.
    pub entry: Uuid,
    /// A refund: of which message.
    pub message: Option<MessageId>,
    /// A correction: of which transaction.
    pub original: Option<TransactionId>,
    /// A payment to an operator: to whom.
    pub operator: Option<OperatorId>,
    /// A payment to a provider of look-ups: to whom.
    pub provider: Option<LookupProviderId>,
    /// How much of it was taken back by corrections; never below zero.
    pub corrected: Micros,
    /// Who did it.
    pub actor: String,
    /// When.
    pub at: DateTime<Utc>,
}

pub(super) struct Row {
    pub(super) id: Uuid,
    pub(super) account_id: Uuid,
    pub(super) kind: String,
    pub(super) amount_micros: i64,
    pub(super) currency: String,
    pub(super) reason: String,
    pub(super) entry_id: Uuid,
    pub(super) message_id: Option<Uuid>,
    pub(super) original_id: Option<Uuid>,
    pub(super) operator_id: Option<Uuid>,
    pub(super) provider_id: Option<Uuid>,
    pub(super) corrected_micros: i64,
    pub(super) actor: String,
    pub(super) at: DateTime<Utc>,
}

impl Row {
    pub(super) fn transaction(self) -> Result<Transaction, Error> {
        Ok(Transaction {
            id: TransactionId::from_uuid(self.id),
            account: AccountId::from_uuid(self.account_id),
            kind: self.kind,
            amount: Micros::new(self.amount_micros),
            currency: parse(&self.currency, "currency")?,
            reason: self.reason,
            entry: self.entry_id,
            message: self.message_id.map(MessageId::from_uuid),
            original: self.original_id.map(TransactionId::from_uuid),
            operator: self.operator_id.map(OperatorId::from_uuid),
            provider: self.provider_id.map(LookupProviderId::from_uuid),
            corrected: Micros::new(self.corrected_micros),
            actor: self.actor,
            at: self.at,
        })
    }
}

/// The sides of journal entry `entry` that the tenant sees, in their order.
///
/// # Errors
/// When the database fails.
pub async fn of_entry(
    connection: &mut PgConnection,
    tenant: AccountId,
    entry: Uuid,
) -> Result<Vec<Transaction>, Error> {
    let rows = query_as!(
        Row,
        r#"SELECT t.id, t.account_id, t.kind, t.amount_micros, t.currency AS "currency!", t.reason, t.entry_id,
               t.message_id, t.original_id, t.operator_id, t.provider_id, t.corrected_micros, t.actor, t.at
           FROM transactions t JOIN accounts a ON a.id = t.account_id
           WHERE t.entry_id = $2 AND a.path @> ARRAY[$1::uuid] ORDER BY t.id"#,
        tenant.uuid(),
        entry
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Row::transaction).collect()
}

/// Which transactions; `None` asks for any.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this account; else of the whole subtree.
    pub account: Option<AccountId>,
    /// Of this kind.
    pub kind: Option<String>,
    /// This one.
    pub id: Option<TransactionId>,
}

/// The transactions of the tenant's subtree, newest first. A refund tells what a message cost: those of accounts further down
/// than those that buy from the tenant are left out; the house sees all.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &Db, tenant: AccountId, filter: &Filter, page: Page) -> Result<Vec<Transaction>, Error> {
    let rows = query_as!(
        Row,
        r#"SELECT t.id, t.account_id, t.kind, t.amount_micros, t.currency AS "currency!", t.reason, t.entry_id,
               t.message_id, t.original_id, t.operator_id, t.provider_id, t.corrected_micros, t.actor, t.at
           FROM transactions t JOIN accounts a ON a.id = t.account_id JOIN accounts o ON o.id = $1
           WHERE a.path @> ARRAY[$1::uuid]
               AND (t.kind <> 'refund' OR a.id = o.id OR a.parent_id = o.id OR o.parent_id IS NULL)
               AND ($2::uuid IS NULL OR t.account_id = $2)
               AND ($3::text IS NULL OR t.kind = $3) AND ($4::uuid IS NULL OR t.id = $4) AND t.id < $5
           ORDER BY t.id DESC LIMIT $6"#,
        tenant.uuid(),
        filter.account.map(AccountId::uuid),
        filter.kind,
        filter.id.map(TransactionId::uuid),
        page.end(),
        page.limit()
    )
    .fetch_all(&db.pool)
    .await?;
    rows.into_iter().map(Row::transaction).collect()
}
