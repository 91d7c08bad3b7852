//! What operators are owed, against what they took.

use std::collections::BTreeMap;

use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::Error;
use crate::ledger::verify::{Since, whole};

/// Findings at most.
const FOUND_MAX: usize = 100;

/// An operator, and a currency that it is paid in.
type Account = (Uuid, String);

/// Operators whose account does not say what the messages that they took cost: of every hop, whatever came of it. What the
/// last check found right is not read again.
pub(super) async fn unpaid(connection: &mut PgConnection, since: &Since) -> Result<Vec<String>, Error> {
    let since = since.of_suppliers();
    let mut due = due(connection, since.message, Uuid::max()).await?;
    let mut found = Vec::new();
    for (account, line) in lines(connection, &since, Uuid::max()).await? {
        let due = line.due + due.remove(&account).unwrap_or_default();
        if line.owed != due {
            found.push(told(&account, line.owed, due));
        }
    }
    // Nothing was ever posted to these.
    found.extend(due.iter().filter(|(_, due)| **due != 0).map(|(account, due)| told(account, 0, *due)));
    found.truncate(FOUND_MAX);
    Ok(found)
}

fn told((operator, currency): &Account, owed: i128, due: i128) -> String {
    format!("operator {operator} is owed {owed} {currency} micros, and took for {due}")
}

/// What the messages with ids from `from` and before `end` cost, by operator and currency.
async fn due(connection: &mut PgConnection, from: Uuid, end: Uuid) -> Result<BTreeMap<Account, i128>, Error> {
    let rows = query!(
        r#"
        WITH oldest AS (
            SELECT coalesce((SELECT id FROM messages ORDER BY id LIMIT 1), 'ffffffff-ffff-ffff-ffff-ffffffffffff') AS id
        ), forgotten AS (
            -- Messages that retention has dropped are known by their last record.
            SELECT * FROM sms_cdr c WHERE c.message_id >= $1 AND c.message_id < $2
                AND c.message_id < (SELECT id FROM oldest) AND NOT EXISTS (
                SELECT FROM sms_cdr n WHERE n.message_id = c.message_id AND n.correction = c.correction + 1)
        )
        SELECT operator_id AS "operator_id!", currency AS "currency!", sum(cost)::text AS "due!" FROM (
            SELECT operator_id, cost_currency::text AS currency, unit_cost_micros
                * coalesce(hop_accepted, CASE WHEN hop = 0 AND cost_charge_on = 'submit' THEN accepted_segments END, 0) AS cost
            FROM messages WHERE operator_id IS NOT NULL AND id >= $1 AND id < $2
            UNION ALL
            SELECT operator_id, cost_currency, unit_cost_micros * coalesce(accepted_segments, 0)
            FROM message_hops WHERE message_id >= (SELECT id FROM oldest) AND message_id >= $1 AND message_id < $2
            UNION ALL
            SELECT operator_id, cost_currency, cost_micros - coalesce((
                SELECT sum((h ->> 'unit_cost_micros')::bigint * (h ->> 'accepted_segments')::int)
                FROM jsonb_array_elements(hops) h WHERE h ->> 'cost_currency' = cost_currency), 0)
            FROM forgotten WHERE operator_id IS NOT NULL
            UNION ALL
            SELECT (h ->> 'operator_id')::uuid, h ->> 'cost_currency',
                (h ->> 'unit_cost_micros')::bigint * (h ->> 'accepted_segments')::int
            FROM forgotten, jsonb_array_elements(hops) h
        ) AS hops WHERE cost <> 0 GROUP BY 1, 2
        "#,
        from,
        end
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| Ok(((row.operator_id, row.currency), whole(&row.due)?))).collect()
}

/// Sums of one account with an operator, in micros.
#[derive(Debug, Clone, Copy)]
struct Sum {
    /// Of all its lines: costs less payments.
    posted: i128,
    /// Of its costs.
    owed: i128,
    /// Due by messages at the checkpoint.
    due: i128,
}

/// The accounts by their journal lines up to the entry `end`: the sums of the checkpoint, and what came since.
async fn lines(connection: &mut PgConnection, since: &Since, end: Uuid) -> Result<BTreeMap<Account, Sum>, Error> {
    let rows = query!(
        r#"
        WITH lines AS (
            SELECT operator_id, currency, posted_micros, operation FROM balance_ledger
            WHERE ledger = 'supplier' AND entry_id > $1 AND entry_id <= $2
            UNION ALL
            SELECT operator_id, currency, posted_micros, operation FROM balance_ledger
            WHERE ledger = 'supplier' AND entry_id <= $1 AND entry_id = ANY ($3)
        ), moved AS (
            SELECT operator_id, currency, sum(posted_micros) AS posted,
                coalesce(sum(posted_micros) FILTER (WHERE operation = 'supplier_cost'), 0) AS owed
            FROM lines GROUP BY 1, 2
        )
        SELECT coalesce(m.operator_id, c.operator_id) AS "operator_id!", coalesce(m.currency, c.currency) AS "currency!",
            (coalesce(c.posted_micros, 0) + coalesce(m.posted, 0))::text AS "posted!",
            (coalesce(c.owed_micros, 0) + coalesce(m.owed, 0))::text AS "owed!",
            coalesce(c.due_micros, 0)::text AS "due!"
        FROM moved m FULL JOIN (SELECT * FROM ledger_supplier_checkpoints WHERE $4) c
            ON c.operator_id = m.operator_id AND c.currency = m.currency
        "#,
        since.entry,
        end,
        &since.late,
        since.has_suppliers
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let sum = Sum { posted: whole(&row.posted)?, owed: whole(&row.owed)?, due: whole(&row.due)? };
            Ok(((row.operator_id, row.currency), sum))
        })
        .collect()
}

/// What a clean check leaves behind of the accounts with operators.
#[derive(Debug, Clone)]
pub(super) struct Sums(BTreeMap<Account, Sum>);

impl Sums {
    /// The sums up to the entry `end`, and due by messages before `message`.
    pub(super) async fn read(
        connection: &mut PgConnection,
        since: &Since,
        (end, message): (Uuid, Uuid),
    ) -> Result<Self, Error> {
        let mut sums = lines(connection, since, end).await?;
        for (account, due) in due(connection, since.message, message).await? {
            sums.entry(account).or_insert(Sum { posted: 0, owed: 0, due: 0 }).due += due;
        }
        Ok(Self(sums))
    }

    /// Stores them in place of those of before.
    pub(super) async fn keep(&self, connection: &mut PgConnection) -> Result<(), Error> {
        let (mut operators, mut currencies) = (Vec::new(), Vec::new());
        let [mut posted, mut owed, mut due] = [(); 3].map(|()| Vec::new());
        for ((operator, currency), sum) in &self.0 {
            operators.push(*operator);
            currencies.push(currency.clone());
            // As text: they may go beyond 64 bits.
            posted.push(sum.posted.to_string());
            owed.push(sum.owed.to_string());
            due.push(sum.due.to_string());
        }
        query!(
            "INSERT INTO ledger_supplier_checkpoints (operator_id, currency, posted_micros, owed_micros, due_micros)
             SELECT s.operator, s.currency, s.posted::numeric, s.owed::numeric, s.due::numeric
             FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[])
                 AS s (operator, currency, posted, owed, due)
             ON CONFLICT (operator_id, currency) DO UPDATE SET posted_micros = excluded.posted_micros,
                owed_micros = excluded.owed_micros, due_micros = excluded.due_micros",
            &operators,
            &currencies,
            &posted,
            &owed,
            &due
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}
