//! What `verify` looks at where people moved money: each act has its entry, and none exceeds its original. Acts whose
//! entries the last check found right are left out, unless something new names them.

use sqlx::{PgConnection, query};

use crate::Error;
use crate::ledger::verify::Since;
use crate::ledger::{Violation, payout, supplier};

/// Findings of one rule at most.
const FOUND_MAX: i64 = 100;

/// Checks refunds, corrections, adjustments and transactions against the journal.
pub(super) async fn verify(connection: &mut PgConnection, since: &Since) -> Result<Vec<Violation>, Error> {
    let rules = [
        ("a transaction says what its entry moved", transactions(connection, since).await?),
        ("what a seller was paid out is what its revenue gave", payouts(connection, since).await?),
        ("corrections name their original and do not exceed it", corrections(connection, since).await?),
        ("refunds do not exceed what was captured", refunds(connection, since).await?),
        ("refunds are those of the journal", refund_lines(connection, since).await?),
        ("an account with a supplier is the fold of its journal lines", supplier::verify(connection, since).await?),
        ("an adjustment is posted once it is approved by another person", adjustments(connection, since).await?),
    ];
    let violation = |rule| move |found| Violation { rule, found };
    Ok(rules.into_iter().flat_map(|(rule, found)| found.into_iter().map(violation(rule))).collect())
}

async fn transactions(connection: &mut PgConnection, since: &Since) -> Result<Vec<String>, Error> {
    let rows = query!(
        r#"SELECT t.id FROM transactions t LEFT JOIN (
               SELECT entry_id, account_id, sum(posted_micros) AS posted FROM balance_ledger
               WHERE ledger = 'wallet'
                   AND operation IN ('top_up', 'transfer', 'adjustment', 'refund', 'correction', 'revenue_credit')
                   AND (entry_id > $2 OR entry_id = ANY ($3))
               GROUP BY 1, 2
           ) l ON l.entry_id = t.entry_id AND l.account_id = t.account_id
           WHERE (t.entry_id > $2 OR t.entry_id = ANY ($3))
               AND t.kind NOT IN ('supplier_payment', 'payout') AND l.posted IS DISTINCT FROM t.amount_micros
               -- What was paid outside moved no wallet.
               AND NOT EXISTS (SELECT FROM transactions o WHERE o.id = t.original_id AND o.kind = 'payout') LIMIT $1"#,
        FOUND_MAX,
        since.entry,
        &since.late
    )
    .fetch_all(&mut *connection)
    .await?;
    let lost = query!(
        r#"SELECT DISTINCT l.entry_id FROM balance_ledger l LEFT JOIN transactions t ON t.entry_id = l.entry_id
           WHERE (l.ledger = 'wallet' AND l.operation IN ('top_up', 'transfer', 'adjustment', 'refund', 'correction')
                   OR l.ledger = 'revenue' AND l.operation IN ('revenue_credit', 'payout', 'correction'))
               AND (l.entry_id > $2 OR l.entry_id = ANY ($3)) AND t.id IS NULL LIMIT $1"#,
        FOUND_MAX,
        since.entry,
        &since.late
    )
    .fetch_all(connection)
    .await?;
    let found = rows.into_iter().map(|row| format!("transaction {}", row.id));
    Ok(found.chain(lost.into_iter().map(|row| format!("entry {} has none", row.entry_id))).collect())
}

async fn payouts(connection: &mut PgConnection, since: &Since) -> Result<Vec<String>, Error> {
    let rows = query!(
        r#"SELECT t.id FROM transactions t LEFT JOIN (
               SELECT entry_id, account_id, operation, sum(posted_micros) AS posted FROM balance_ledger
               WHERE ledger = 'revenue' AND operation IN ('revenue_credit', 'payout', 'correction')
                   AND (entry_id > $2 OR entry_id = ANY ($3))
               GROUP BY 1, 2, 3
           ) l ON l.entry_id = t.entry_id AND l.account_id = t.account_id AND l.operation = t.kind
               LEFT JOIN transactions o ON o.id = t.original_id
           WHERE (t.entry_id > $2 OR t.entry_id = ANY ($3)) AND t.kind IN ('revenue_credit', 'payout', 'correction')
               AND (l.posted IS DISTINCT FROM CASE
                       WHEN coalesce(o.kind, t.kind) IN ('revenue_credit', 'payout') THEN -t.amount_micros END
                   OR t.kind <> 'correction' AND t.amount_micros <= 0) LIMIT $1"#,
        FOUND_MAX,
        since.entry,
        &since.late
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut found: Vec<String> = rows.into_iter().map(|row| format!("transaction {}", row.id)).collect();
    if !since.has_sums {
        found.extend(payout::verify(connection).await?);
    }
    Ok(found)
}

async fn corrections(connection: &mut PgConnection, since: &Since) -> Result<Vec<String>, Error> {
    let rows = query!(
        r#"SELECT o.id FROM transactions o LEFT JOIN (
               SELECT original_id, sum(amount_micros) AS back FROM transactions WHERE original_id IS NOT NULL GROUP BY 1
           ) c ON c.original_id = o.id
           WHERE o.id IN (
                   SELECT unnest(ARRAY[n.id, n.original_id]) FROM transactions n WHERE (n.entry_id > $2 OR n.entry_id = ANY ($3)))
               AND (coalesce(c.back, 0) <> -sign(o.amount_micros) * o.corrected_micros
                   OR o.corrected_micros > abs(o.amount_micros)
                   OR (o.kind = 'correction') <> (o.original_id IS NOT NULL)) LIMIT $1"#,
        FOUND_MAX,
        since.entry,
        &since.late
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| format!("transaction {}", row.id)).collect())
}

async fn refunds(connection: &mut PgConnection, since: &Since) -> Result<Vec<String>, Error> {
    let rows = query!(
        r#"SELECT r.message_id, r.account_id FROM (
               SELECT message_id, account_id, sum(amount_micros) AS amount FROM message_refunds
               WHERE message_id IN (SELECT message_id FROM message_refunds n WHERE (n.entry_id > $2 OR n.entry_id = ANY ($3)))
               GROUP BY 1, 2
           ) r JOIN messages m ON m.id = r.message_id JOIN charge_chains c ON c.id = m.chain_id,
               jsonb_array_elements(c.chain -> 'links') l
           WHERE l ->> 'account' = account_text(r.account_id)
               AND r.amount > (l ->> 'price_micros')::bigint * CASE
                   WHEN l ->> 'charge_on' = 'submit' THEN coalesce(m.accepted_segments, 0)
                   WHEN charges(l, m.outcome) THEN m.accepted_segments ELSE 0 END LIMIT $1"#,
        FOUND_MAX,
        since.entry,
        &since.late
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| format!("message {} for account {}", row.message_id, row.account_id)).collect())
}

async fn refund_lines(connection: &mut PgConnection, since: &Since) -> Result<Vec<String>, Error> {
    let rows = query!(
        r#"SELECT coalesce(r.entry_id, l.entry_id) AS "entry!" FROM (
               SELECT entry_id, account_id, seller_id, sum(amount_micros) AS amount FROM message_refunds
               WHERE (entry_id > $2 OR entry_id = ANY ($3)) GROUP BY 1, 2, 3
           ) r FULL JOIN (
               SELECT w.entry_id, w.account_id, w.posted_micros AS amount FROM balance_ledger w
               WHERE w.operation = 'refund' AND w.ledger = 'wallet'
                   AND (w.entry_id > $2 OR w.entry_id = ANY ($3))
           ) l ON l.entry_id = r.entry_id AND l.account_id = r.account_id
           WHERE l.amount IS DISTINCT FROM r.amount LIMIT $1"#,
        FOUND_MAX,
        since.entry,
        &since.late
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| format!("entry {}", row.entry)).collect())
}

async fn adjustments(connection: &mut PgConnection, since: &Since) -> Result<Vec<String>, Error> {
    let rows = query!(
        r#"SELECT j.id AS "id!" FROM adjustments j LEFT JOIN balance_ledger l
               ON l.entry_id = j.entry_id AND l.account_id = j.account_id AND l.ledger = 'wallet'
           WHERE (j.entry_id IS NULL OR (j.entry_id > $2 OR j.entry_id = ANY ($3)))
               AND ((j.status = 'done') <> (l.entry_id IS NOT NULL) OR l.posted_micros <> j.amount_micros
                   OR j.status = 'done' AND j.decided_by = j.requested_by) LIMIT $1"#,
        FOUND_MAX,
        since.entry,
        &since.late
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| format!("adjustment {}", row.id)).collect())
}
