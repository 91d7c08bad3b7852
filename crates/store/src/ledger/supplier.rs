//! Accounts with suppliers: what was paid to an operator or a provider of look-ups, what its messages or look-ups cost, and an
//! alarm when a prepaid one runs low. By supplier and currency; the house only.
//!
//! A settled message, and a look-up, posts its cost to the journal alone, so that no row is everybody's. The sweep folds what is old
//! enough into `supplier_accounts`; a balance is that and the lines behind it.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{AccountId, Currency, LookupProviderId, Micros, OperatorId};
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::ledger::entry::Line as JournalLine;
use crate::ledger::post::{blank, post, record};
use crate::ledger::verify::Since;
use crate::page::{Page, parse};
use crate::{Db, Error, Tx};

/// An entry is committed within this time after its id was made, or never.
const SETTLED_AFTER: TimeDelta = TimeDelta::minutes(10);

/// Who is paid by the house. The journal names both in the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Supplier {
    /// For messages.
    Operator(OperatorId),
    /// For look-ups.
    Provider(LookupProviderId),
}

impl Supplier {
    fn uuid(self) -> Uuid {
        match self {
            Self::Operator(id) => id.uuid(),
            Self::Provider(id) => id.uuid(),
        }
    }

    const fn is_provider(self) -> bool {
        matches!(self, Self::Provider(_))
    }
}

impl std::fmt::Display for Supplier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Operator(id) => id.fmt(f),
            Self::Provider(id) => id.fmt(f),
        }
    }
}

/// How the house stands with a supplier in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The supplier.
    pub supplier: Supplier,
    /// The currency.
    pub currency: Currency,
    /// Paid to it by now.
    pub paid: Micros,
    /// What its messages or look-ups cost by now.
    pub cost: Micros,
    /// An alarm is raised below this; `None`: never.
    pub alarm_below: Option<Micros>,
    /// The alarm was raised.
    pub is_low: bool,
}

impl Standing {
    /// What is left of the payments; below zero: what is owed.
    pub fn balance(&self) -> Micros {
        Micros::new(self.paid.get().saturating_sub(self.cost.get()))
    }
}

/// The accounts with `supplier`, by currency; with every supplier where none is named. One for each currency that was
/// ever paid, charged or watched.
///
/// # Errors
/// When the database fails.
pub async fn standings(connection: &mut PgConnection, supplier: Option<Supplier>) -> Result<Vec<Standing>, Error> {
    let rows = query!(
        r#"WITH fold AS (
            SELECT k.is_provider, coalesce((SELECT uuid_at(at) FROM sweep_cursors s WHERE s.name = k.name),
                '00000000-0000-0000-0000-000000000000') AS entry_id
            FROM (VALUES (false, 'suppliers'), (true, 'suppliers.lookups')) AS k (is_provider, name)
        ), suppliers AS (
            SELECT id, false AS is_provider FROM operators
            UNION ALL
            SELECT id, true FROM lookup_providers
        ), recent AS (
            SELECT l.operator_id, l.currency,
                sum(CASE WHEN l.operation IN ('supplier_cost', 'lookup') THEN l.posted_micros ELSE 0 END) AS cost,
                sum(CASE WHEN l.operation IN ('supplier_cost', 'lookup') THEN 0 ELSE -l.posted_micros END) AS paid
            FROM suppliers o JOIN fold f ON f.is_provider = o.is_provider
                JOIN balance_ledger l ON l.operator_id = o.id AND l.ledger = 'supplier' AND l.entry_id >= f.entry_id
            WHERE $1::uuid IS NULL OR o.id = $1 GROUP BY 1, 2
        )
        SELECT coalesce(s.operator_id, r.operator_id) AS "operator!", coalesce(s.currency, r.currency) AS "currency!",
            (coalesce(s.paid_micros, 0) + coalesce(r.paid, 0))::bigint AS "paid!",
            (coalesce(s.cost_micros, 0) + coalesce(r.cost, 0))::bigint AS "cost!",
            s.alarm_below_micros AS "alarm_below?", coalesce(s.is_low, false) AS "is_low!",
            EXISTS (SELECT FROM lookup_providers p WHERE p.id = coalesce(s.operator_id, r.operator_id)) AS "is_provider!"
        FROM (SELECT * FROM supplier_accounts WHERE $1::uuid IS NULL OR operator_id = $1) s
            FULL JOIN recent r ON r.operator_id = s.operator_id AND r.currency = s.currency
        ORDER BY 1, 2"#,
        supplier.map(Supplier::uuid)
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Standing {
                supplier: if row.is_provider {
                    Supplier::Provider(LookupProviderId::from_uuid(row.operator))
                } else {
                    Supplier::Operator(OperatorId::from_uuid(row.operator))
                },
                currency: parse(&row.currency, "currency")?,
                paid: Micros::new(row.paid),
                cost: Micros::new(row.cost),
                alarm_below: row.alarm_below.map(Micros::new),
                is_low: row.is_low,
            })
        })
        .collect()
}

/// A payment to a supplier.
#[derive(Debug, Clone)]
pub struct Payment {
    /// To whom.
    pub supplier: Supplier,
    /// How much; below zero: it came back.
    pub amount: Micros,
    /// In which currency.
    pub currency: Currency,
    /// Why.
    pub reason: String,
    /// Who says so.
    pub actor: String,
}

/// Posts `payment` of `house`: cash against the supplier. Answers the journal entry; `None`: there is no such supplier.
///
/// # Errors
/// When the database fails.
pub async fn pay(connection: &mut PgConnection, house: AccountId, payment: &Payment) -> Result<Option<Uuid>, Error> {
    let Payment { supplier, amount, currency, reason, actor } = payment;
    if !is_known(connection, *supplier).await? {
        return Ok(None);
    }
    let entry = Uuid::now_v7();
    let line = |number, ledger, posted, supplier| JournalLine {
        number,
        ledger,
        operator: supplier,
        posted,
        ..blank(entry, "supplier_payment", house.uuid(), (*currency, reason))
    };
    let mut lines = [line(1, "supplier", -amount.get(), Some(supplier.uuid())), line(2, "cash", amount.get(), None)];
    post(connection, &mut lines).await?;
    let id = record(connection, ("supplier_payment", house, *amount, *currency), (entry, reason, actor)).await?;
    query!(
        "UPDATE transactions SET operator_id = CASE WHEN $3 THEN NULL ELSE $2::uuid END,
            provider_id = CASE WHEN $3 THEN $2::uuid END WHERE id = $1",
        id.uuid(),
        supplier.uuid(),
        supplier.is_provider()
    )
    .execute(connection)
    .await?;
    Ok(Some(entry))
}

/// Whether there is such a supplier. A provider stays one when it is asked no more: it may have to be paid.
///
/// # Errors
/// When the database fails.
pub async fn is_known(connection: &mut PgConnection, supplier: Supplier) -> Result<bool, Error> {
    let row = query!(
        r#"SELECT CASE WHEN $2 THEN EXISTS (SELECT FROM lookup_providers WHERE id = $1)
            ELSE EXISTS (SELECT FROM operators WHERE id = $1) END AS "is_known!""#,
        supplier.uuid(),
        supplier.is_provider()
    );
    Ok(row.fetch_one(connection).await?.is_known)
}

/// Sets or takes away the alarm of an account with a supplier. `false`: there is no such supplier.
///
/// # Errors
/// When the database fails.
pub async fn set_alarm(
    connection: &mut PgConnection,
    (supplier, currency): (Supplier, Currency),
    below: Option<Micros>,
) -> Result<bool, Error> {
    if !is_known(connection, supplier).await? {
        return Ok(false);
    }
    let done = query!(
        "INSERT INTO supplier_accounts AS s (operator_id, currency, alarm_below_micros)
         VALUES ($1, $2, $3)
         ON CONFLICT (operator_id, currency) DO UPDATE SET alarm_below_micros = excluded.alarm_below_micros",
        supplier.uuid(),
        currency.code(),
        below.map(Micros::get)
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A movement on the account with a supplier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its journal entry.
    pub entry: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// `supplier_cost`, `lookup` or `supplier_payment`.
    pub operation: String,
    /// Above zero: paid; below zero: a cost.
    pub amount: Micros,
    /// The currency.
    pub currency: Currency,
    /// How many messages or look-ups it covers.
    pub messages: i32,
    /// Why, where somebody said so.
    pub reason: Option<String>,
}

/// The movements on the account with `supplier` in `currency`, newest first: one for each entry.
///
/// # Errors
/// When the database fails.
pub async fn lines(db: &Db, supplier: Supplier, currency: Currency, page: Page) -> Result<Vec<Line>, Error> {
    let rows = query!(
        r#"SELECT entry_id, max(at) AS "at!", max(operation) AS "operation!", (-sum(posted_micros))::bigint AS "amount!",
               sum(messages)::int AS "messages!", max(reason) AS reason
           FROM balance_ledger WHERE operator_id = $1 AND ledger = 'supplier' AND currency = $2 AND entry_id < $3
           GROUP BY entry_id ORDER BY entry_id DESC LIMIT $4"#,
        supplier.uuid(),
        currency.code(),
        page.end(),
        page.limit()
    )
    .fetch_all(&db.pool)
    .await?;
    let line = |entry, at, operation, amount, messages, reason| Line {
        entry,
        at,
        operation,
        amount: Micros::new(amount),
        currency,
        messages,
        reason,
    };
    Ok(rows
        .into_iter()
        .map(|row| line(row.entry_id, row.at, row.operation, row.amount, row.messages, row.reason))
        .collect())
}

/// Folds what cannot change any more, and notes which accounts crossed their alarm. Answers every account as it stands
/// now, and which of them have just fallen below.
///
/// # Errors
/// When the database fails.
pub async fn look(tx: &mut Tx, now: DateTime<Utc>) -> Result<(Vec<Standing>, Vec<Standing>), Error> {
    for (cursor, is_provider) in [("suppliers", false), ("suppliers.lookups", true)] {
        fold(tx, (cursor, is_provider), now - SETTLED_AFTER).await?;
    }
    let mut standings = standings(tx, None).await?;
    let mut fallen = Vec::new();
    for standing in &mut standings {
        let is_low = standing.alarm_below.is_some_and(|below| standing.balance() < below);
        if is_low == standing.is_low {
            continue;
        }
        standing.is_low = is_low;
        query!(
            "UPDATE supplier_accounts SET is_low = $3 WHERE operator_id = $1 AND currency = $2",
            standing.supplier.uuid(),
            standing.currency.code(),
            is_low
        )
        .execute(&mut **tx)
        .await?;
        if is_low {
            fallen.push(standing.clone());
        }
    }
    Ok((standings, fallen))
}

/// Moves the fold of operators, or of providers, on to `until`. Whoever folds at the same time waits for the cursor.
async fn fold(
    connection: &mut PgConnection,
    (cursor, is_provider): (&str, bool),
    until: DateTime<Utc>,
) -> Result<(), Error> {
    query!("INSERT INTO sweep_cursors (name, at) VALUES ($1, 'epoch') ON CONFLICT DO NOTHING", cursor)
        .execute(&mut *connection)
        .await?;
    let from = query!("SELECT at FROM sweep_cursors WHERE name = $1 FOR UPDATE", cursor);
    let from = from.fetch_one(&mut *connection).await?.at;
    if from >= until {
        return Ok(());
    }
    query!(
        "INSERT INTO supplier_accounts AS s (operator_id, currency, cost_micros, paid_micros)
         SELECT l.operator_id, l.currency,
            sum(CASE WHEN l.operation IN ('supplier_cost', 'lookup') THEN l.posted_micros ELSE 0 END),
            sum(CASE WHEN l.operation IN ('supplier_cost', 'lookup') THEN 0 ELSE -l.posted_micros END)
         FROM (
            SELECT id FROM operators WHERE NOT $3::bool
            UNION ALL
            SELECT id FROM lookup_providers WHERE $3
         ) o JOIN balance_ledger l ON l.operator_id = o.id AND l.ledger = 'supplier'
            AND l.entry_id >= uuid_at($1) AND l.entry_id < uuid_at($2)
         GROUP BY 1, 2
         ON CONFLICT (operator_id, currency) DO UPDATE SET cost_micros = s.cost_micros + excluded.cost_micros,
            paid_micros = s.paid_micros + excluded.paid_micros",
        from,
        until,
        is_provider
    )
    .execute(&mut *connection)
    .await?;
    query!("UPDATE sweep_cursors SET at = $1 WHERE name = $2", until, cursor).execute(connection).await?;
    Ok(())
}

/// Accounts whose fold is not that of the journal, for `verify`: the sums of its checkpoint, what came since and is folded,
/// less what they hold and is not folded yet. A fold that has gone is found, too. Costs and payments are compared apart;
/// of a provider of look-ups a check that goes on from a checkpoint compares their difference alone, since checkpoints
/// keep what messages cost.
pub(super) async fn verify(connection: &mut PgConnection, since: &Since) -> Result<Vec<String>, Error> {
    let since = since.of_suppliers();
    let rows = query!(
        r#"WITH fold AS (
               SELECT uuid_at(coalesce((SELECT at FROM sweep_cursors WHERE name = 'suppliers'), 'epoch')) AS of_operators,
                   uuid_at(coalesce((SELECT at FROM sweep_cursors WHERE name = 'suppliers.lookups'), 'epoch')) AS of_providers
           ), lines AS (
               SELECT l.operator_id, l.currency, l.posted_micros, l.operation IN ('supplier_cost', 'lookup') AS is_cost,
                   l.entry_id < CASE WHEN EXISTS (
                       SELECT FROM lookup_providers p WHERE p.id = l.operator_id) THEN f.of_providers
                       ELSE f.of_operators END AS is_folded,
                   l.entry_id <= $1 AND l.entry_id <> ALL ($2) AS is_summed
               FROM balance_ledger l, fold f WHERE l.ledger = 'supplier'
                   AND (l.entry_id >= least(f.of_operators, f.of_providers, $1) OR l.entry_id = ANY ($2))
           ), moved AS (
               SELECT operator_id, currency, sum(posted_micros * (is_folded::int - is_summed::int)) AS posted,
                   sum(CASE WHEN is_cost THEN posted_micros * (is_folded::int - is_summed::int) ELSE 0 END) AS cost
               FROM lines WHERE is_folded <> is_summed GROUP BY 1, 2
           ), due AS (
               SELECT coalesce(m.operator_id, c.operator_id) AS operator_id,
                   coalesce(m.currency, c.currency) AS currency,
                   coalesce(c.posted_micros, 0) + coalesce(m.posted, 0) AS posted,
                   coalesce(c.owed_micros, 0) + coalesce(m.cost, 0) AS cost
               FROM moved m FULL JOIN (SELECT * FROM ledger_supplier_checkpoints WHERE $3) c
                   ON c.operator_id = m.operator_id AND c.currency = m.currency
           )
           SELECT coalesce(s.operator_id, d.operator_id) AS "supplier!"
           FROM supplier_accounts s FULL JOIN due d ON d.operator_id = s.operator_id AND d.currency = s.currency
           WHERE coalesce(s.cost_micros, 0) - coalesce(s.paid_micros, 0) <> coalesce(d.posted, 0)
               OR coalesce(s.cost_micros, 0) <> coalesce(d.cost, 0) AND NOT ($3 AND EXISTS (
                   SELECT FROM lookup_providers p WHERE p.id = coalesce(s.operator_id, d.operator_id))) LIMIT 100"#,
        since.entry,
        &since.late,
        since.has_suppliers
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| format!("supplier {}", row.supplier)).collect())
}
