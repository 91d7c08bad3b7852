//! Look-ups: what was charged and owed for them, against what was looked up.

use sqlx::{PgConnection, query};

use super::checkpoint::Since;
use crate::Error;

/// Entries whose lines are not what their look-ups cost: each payer its price for each, and the house the provider's cost.
/// The release before did not note what it looked up; its entries are left out.
pub(super) async fn unequal(connection: &mut PgConnection, since: &Since) -> Result<Vec<String>, Error> {
    let rows = query!(
        r#"
        WITH lines AS (
            SELECT entry_id, ledger, CASE WHEN ledger = 'wallet' THEN account_id ELSE operator_id END AS who,
                currency::text AS currency, sum(CASE WHEN ledger = 'wallet' THEN -posted_micros ELSE posted_micros END) AS micros
            FROM balance_ledger WHERE operation = 'lookup' AND ledger IN ('wallet', 'supplier')
                AND (entry_id > $1 OR entry_id = ANY ($2)) AND entry_id >= (SELECT entry_id FROM lookups_start)
            GROUP BY 1, 2, 3, 4
        ), made AS (
            SELECT * FROM entry_lookups WHERE (entry_id > $1 OR entry_id = ANY ($2))
                AND entry_id >= (SELECT entry_id FROM lookups_start)
        ), due AS (
            SELECT e.entry_id, 'wallet' AS ledger, p.payer AS who, e.currency::text AS currency,
                p.price * cardinality(e.numbers) AS micros
            FROM made e, unnest(e.payers, e.prices_micros) AS p (payer, price)
            UNION ALL
            SELECT entry_id, 'supplier', provider_id, cost_currency::text, cost_micros * cardinality(numbers)
            FROM made WHERE cost_micros <> 0
        )
        SELECT coalesce(l.entry_id, d.entry_id) AS "entry!", coalesce(l.who, d.who) AS who,
            coalesce(l.micros, 0)::text AS "posted!", coalesce(d.micros, 0)::text AS "due!"
        FROM lines l FULL JOIN due d ON d.entry_id = l.entry_id AND d.ledger = l.ledger AND d.who = l.who
            AND d.currency = l.currency
        WHERE l.micros IS DISTINCT FROM d.micros LIMIT 100
        "#,
        since.entry,
        &since.late
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let who = row.who.unwrap_or_default();
            format!("entry {}: {} for {who}, its look-ups cost {}", row.entry, row.posted, row.due)
        })
        .collect())
}
