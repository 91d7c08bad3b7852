//! Accounts: the tree, and what each pays and may. Every function takes the tenant on whose behalf it runs and
//! touches only rows in that tenant's subtree.

use chrono::{DateTime, Utc};
use domain::{AccountId, Currency, Micros, PlanId, Role};
use sqlx::{PgConnection, query, query_as, query_scalar};
use uuid::Uuid;

use crate::ledger::{Balance, open_wallet};
use crate::page::{Page, parse};
use crate::{Db, Error};

/// An account with its wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Who sells to it; `None` for the house.
    pub parent: Option<AccountId>,
    /// For people.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The prices that it pays.
    pub plan: Option<PlanId>,
    /// The currency of its wallet.
    pub currency: Currency,
    /// Switched off, with everybody below it.
    pub suspended: bool,
    /// The highest account that says so; `None`: nobody does.
    pub suspended_by: Option<AccountId>,
    /// Segments per second; `None`: the default of the platform.
    pub segments_per_second: Option<i32>,
    /// May send as anybody.
    pub any_sender: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Its wallet.
    pub wallet: Balance,
}

/// An account to make below `parent`; its currency is the parent's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccount {
    /// Made by the caller.
    pub id: AccountId,
    /// Who sells to it.
    pub parent: AccountId,
    /// For people.
    pub name: String,
    /// Reseller or client.
    pub role: Role,
    /// The prices that it pays.
    pub plan: Option<PlanId>,
    /// Segments per second.
    pub segments_per_second: Option<i32>,
    /// May send as anybody.
    pub any_sender: bool,
    /// How far below zero its wallet may go.
    pub credit_limit: Micros,
    /// What its wallet, and those of all below it, are in; `None`: as its parent's. Another than that only right below the
    /// house, which has no wallet in the chain: the caller sees to it.
    pub currency: Option<Currency>,
}

/// What of an account is changed; `None` leaves a value as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// For people.
    pub name: Option<String>,
    /// Switched off or on.
    pub suspended: Option<bool>,
    /// The prices that it pays.
    pub plan: Option<PlanId>,
    /// Segments per second.
    pub segments_per_second: Option<i32>,
    /// May send as anybody.
    pub any_sender: Option<bool>,
    /// How far below zero its wallet may go.
    pub credit_limit: Option<Micros>,
}

struct Row {
    id: Uuid,
    parent_id: Option<Uuid>,
    name: String,
    role: String,
    plan_id: Option<Uuid>,
    currency: String,
    status: String,
    suspended_by: Option<Uuid>,
    segments_per_second: Option<i32>,
    any_sender: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    posted_micros: i64,
    held_micros: i64,
    credit_limit_micros: i64,
}

impl Row {
    fn account(self) -> Result<Account, Error> {
        Ok(Account {
            id: AccountId::from_uuid(self.id),
            parent: self.parent_id.map(AccountId::from_uuid),
            name: self.name,
            role: parse(&self.role, "role")?,
            plan: self.plan_id.map(PlanId::from_uuid),
            currency: parse(&self.currency, "currency")?,
            suspended: self.status == "suspended",
            suspended_by: self.suspended_by.map(AccountId::from_uuid),
            segments_per_second: self.segments_per_second,
            any_sender: self.any_sender,
            created_at: self.created_at,
            updated_at: self.updated_at,
            wallet: Balance {
                currency: parse(&self.currency, "currency")?,
                posted: Micros::new(self.posted_micros),
                held: Micros::new(self.held_micros),
                credit_limit: Micros::new(self.credit_limit_micros),
            },
        })
    }
}

/// Makes the house: the root of the tree, with an empty wallet. `plan` may be made later in the transaction.
pub async fn create_house(tx: &mut PgConnection, id: AccountId, name: &str, currency: Currency) -> Result<(), Error> {
    query!(
        "INSERT INTO accounts (id, path, name, role, currency, any_sender) VALUES ($1::uuid, ARRAY[$1::uuid], $2, 'admin', $3, true)",
        id.uuid(),
        name,
        currency.code(),
    )
    .execute(&mut *tx)
    .await?;
    open_wallet(tx, id, currency, Micros::ZERO).await
}

/// Makes an account and its empty wallet. `false`: the parent is not in the tenant's subtree.
pub async fn create(tx: &mut PgConnection, tenant: AccountId, new: &NewAccount) -> Result<bool, Error> {
    let made = query!(
        r#"INSERT INTO accounts (id, parent_id, path, name, role, plan_id, currency, segments_per_second, any_sender)
         SELECT $1, p.id, p.path || $1::uuid, $3, $4, $5, coalesce($9, p.currency), $6, $7
         FROM accounts p WHERE p.id = $2 AND p.path @> ARRAY[$8::uuid]
         RETURNING currency AS "currency!""#,
        new.id.uuid(),
        new.parent.uuid(),
        new.name,
        new.role.name(),
        new.plan.map(PlanId::uuid),
        new.segments_per_second,
        new.any_sender,
        tenant.uuid(),
        new.currency.as_ref().map(Currency::code),
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(made) = made else { return Ok(false) };
    open_wallet(tx, new.id, parse(&made.currency, "currency")?, new.credit_limit).await?;
    Ok(true)
}

/// What came of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Updated {
    /// It is made.
    Done,
    /// The account is not in the tenant's subtree.
    Unknown,
    /// It stays suspended: this account above the tenant says so. Roll back.
    HeldBy(AccountId),
}

/// Changes an account, on the word of the tenant. Whoever is above an account suspends it with a word of its own, and takes
/// back that word and those of accounts below itself.
pub async fn update(
    tx: &mut PgConnection,
    tenant: AccountId,
    id: AccountId,
    change: &Change,
) -> Result<Updated, Error> {
    let changed = query!(
        "UPDATE accounts SET name = coalesce($3, name), status = coalesce($4, status), plan_id = coalesce($5, plan_id),
           segments_per_second = coalesce($6, segments_per_second), any_sender = coalesce($7, any_sender),
           updated_at = now()
         WHERE id = $2 AND path @> ARRAY[$1::uuid]",
        tenant.uuid(),
        id.uuid(),
        change.name,
        change.suspended.map(|off| if off { "suspended" } else { "active" }),
        change.plan.map(PlanId::uuid),
        change.segments_per_second,
        change.any_sender,
    )
    .execute(&mut *tx)
    .await?;
    if changed.rows_affected() == 0 {
        return Ok(Updated::Unknown);
    }
    if let Some(limit) = change.credit_limit {
        set_credit_limit(tx, id, limit).await?;
    }
    match change.suspended {
        None => {}
        Some(true) => suspend(tx, tenant, id).await?,
        Some(false) => {
            if let Some(above) = lift(tx, tenant, id).await? {
                return Ok(Updated::HeldBy(above));
            }
        }
    }
    Ok(Updated::Done)
}

/// Sets how far below zero a wallet may go. The constraint `balance_covers_holds` refuses less than is used.
pub async fn set_credit_limit(tx: &mut PgConnection, id: AccountId, limit: Micros) -> Result<(), Error> {
    query!(
        "UPDATE account_balances SET credit_limit_micros = $2, updated_at = now() WHERE account_id = $1",
        id.uuid(),
        limit.get(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The row of the account is locked.
async fn suspend(tx: &mut PgConnection, by: AccountId, id: AccountId) -> Result<(), Error> {
    query!(
        "INSERT INTO account_suspensions (account_id, set_by) VALUES ($2, $1) ON CONFLICT DO NOTHING",
        by.uuid(),
        id.uuid(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Takes back what `by` said, and who is below it; answers the highest account that still says so.
async fn lift(tx: &mut PgConnection, by: AccountId, id: AccountId) -> Result<Option<AccountId>, Error> {
    query!(
        "DELETE FROM account_suspensions s USING accounts w
         WHERE s.account_id = $2 AND w.id = s.set_by AND w.path @> ARRAY[$1::uuid]",
        by.uuid(),
        id.uuid(),
    )
    .execute(&mut *tx)
    .await?;
    let left = query_scalar!(
        "SELECT s.set_by FROM account_suspensions s JOIN accounts w ON w.id = s.set_by
         WHERE s.account_id = $1 ORDER BY cardinality(w.path) LIMIT 1",
        id.uuid(),
    );
    Ok(left.fetch_optional(tx).await?.map(AccountId::from_uuid))
}

/// The house: the root of the tree. `None` before it is founded.
pub async fn house(connection: &mut PgConnection) -> Result<Option<AccountId>, Error> {
    let id = query_scalar!("SELECT id FROM accounts WHERE parent_id IS NULL").fetch_optional(connection).await?;
    Ok(id.map(AccountId::from_uuid))
}

/// One account of the tenant's subtree.
pub async fn get(db: &Db, tenant: AccountId, id: AccountId) -> Result<Option<Account>, Error> {
    let row = query_as!(
        Row,
        r#"SELECT a.id, a.parent_id, a.name, a.role, a.plan_id, a.currency AS "currency!", a.status,
             (SELECT s.set_by FROM account_suspensions s JOIN accounts w ON w.id = s.set_by
                WHERE s.account_id = a.id AND a.status = 'suspended' ORDER BY cardinality(w.path) LIMIT 1) AS suspended_by,
             a.segments_per_second, a.any_sender, a.created_at, a.updated_at,
             b.posted_micros, b.held_micros, b.credit_limit_micros
           FROM accounts a JOIN account_balances b ON b.account_id = a.id
           WHERE a.id = $2 AND a.path @> ARRAY[$1::uuid]"#,
        tenant.uuid(),
        id.uuid(),
    )
    .fetch_optional(&db.pool)
    .await?;
    row.map(Row::account).transpose()
}

/// The accounts of the tenant's subtree, itself included, newest first.
pub async fn list(db: &Db, tenant: AccountId, page: Page) -> Result<Vec<Account>, Error> {
    let rows = query_as!(
        Row,
        r#"SELECT a.id, a.parent_id, a.name, a.role, a.plan_id, a.currency AS "currency!", a.status,
             (SELECT s.set_by FROM account_suspensions s JOIN accounts w ON w.id = s.set_by
                WHERE s.account_id = a.id AND a.status = 'suspended' ORDER BY cardinality(w.path) LIMIT 1) AS suspended_by,
             a.segments_per_second, a.any_sender, a.created_at, a.updated_at,
             b.posted_micros, b.held_micros, b.credit_limit_micros
           FROM accounts a JOIN account_balances b ON b.account_id = a.id
           WHERE a.path @> ARRAY[$1::uuid] AND a.id < $2 ORDER BY a.id DESC LIMIT $3"#,
        tenant.uuid(),
        page.end(),
        page.limit(),
    )
    .fetch_all(&db.pool)
    .await?;
    rows.into_iter().map(Row::account).collect()
}

/// Can an account that buys from `seller` pay by `plan`? The plan is the seller's, in the account's currency.
pub async fn plan_fits(
    tx: &mut PgConnection,
    seller: AccountId,
    (plan, currency): (PlanId, Currency),
) -> Result<bool, Error> {
    let fits = query_scalar!(
        r#"SELECT EXISTS (SELECT FROM tariff_plans p JOIN accounts a ON a.id = p.owner_account_id
             WHERE p.id = $2 AND a.id = $1 AND p.currency = $3) AS "fits!""#,
        seller.uuid(),
        plan.uuid(),
        currency.code(),
    )
    .fetch_one(tx)
    .await?;
    Ok(fits)
}
