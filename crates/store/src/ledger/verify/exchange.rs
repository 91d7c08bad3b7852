//! Exchanges of the journal against the messages that they were made for, and against the costs that they move.

use sqlx::{PgConnection, query};

use super::checkpoint::Since;
use crate::Error;

/// Operators and currencies for which something else was booked than what the messages say that they took: of every hop.
pub(super) async fn exchanges(connection: &mut PgConnection) -> Result<Vec<String>, Error> {
    let rows = query!(
        r#"
        WITH oldest AS (
            SELECT coalesce((SELECT id FROM messages ORDER BY id LIMIT 1), 'ffffffff-ffff-ffff-ffff-ffffffffffff') AS id
        ), forgotten AS (
            -- Messages that retention has dropped are known by their last record.
            SELECT * FROM sms_cdr c WHERE c.message_id < (SELECT id FROM oldest) AND NOT EXISTS (
                SELECT FROM sms_cdr n WHERE n.message_id = c.message_id AND n.correction = c.correction + 1)
        ), before AS (
            SELECT f.message_id, f.currency, (h ->> 'operator_id')::uuid AS operator_id,
                (h ->> 'unit_exchanged_micros')::bigint * (h ->> 'accepted_segments')::int AS amount,
                (h ->> 'unit_spread_micros')::bigint * (h ->> 'accepted_segments')::int AS spread
            FROM forgotten f, jsonb_array_elements(f.hops) h
        ), due AS (
            SELECT operator_id, currency, sum(amount) AS amount, sum(spread) AS spread FROM (
                SELECT operator_id, currency, unit_exchanged_micros * taken AS amount, unit_spread_micros * taken AS spread
                FROM messages, coalesce(hop_accepted, CASE WHEN hop = 0 AND cost_charge_on = 'submit' THEN accepted_segments END, 0) AS taken
                WHERE exchange_rate_id IS NOT NULL
                UNION ALL
                SELECT h.operator_id, m.currency, h.unit_exchanged_micros * h.accepted_segments,
                    h.unit_spread_micros * h.accepted_segments
                FROM message_hops h JOIN messages m ON m.id = h.message_id WHERE h.exchange_rate_id IS NOT NULL
                UNION ALL
                SELECT f.operator_id, f.currency, f.exchanged_micros - coalesce(b.amount, 0),
                    f.spread_micros - coalesce(b.spread, 0)
                FROM forgotten f LEFT JOIN (SELECT message_id, sum(amount) AS amount, sum(spread) AS spread FROM before
                    GROUP BY 1) b USING (message_id) WHERE f.exchange_rate_id IS NOT NULL
                UNION ALL
                SELECT operator_id, currency, amount, spread FROM before
            ) hops GROUP BY 1, 2
        ), booked AS (
            SELECT operator_id, currency, -sum(posted_micros) FILTER (WHERE ledger = 'supplier_cost') AS amount,
                -sum(posted_micros) FILTER (WHERE ledger = 'fx_spread') AS spread
            FROM balance_ledger WHERE operation = 'exchange' AND posted_micros <> 0
                AND (ledger = 'supplier_cost' AND posted_micros < 0 OR ledger = 'fx_spread') GROUP BY 1, 2
        )
        SELECT operator_id AS "operator_id!", currency AS "currency!", coalesce(d.amount, 0)::text AS "amount!",
            coalesce(d.spread, 0)::text AS "spread!", coalesce(b.amount, 0)::text AS "booked!",
            coalesce(b.spread, 0)::text AS "booked_spread!"
        FROM due d FULL JOIN booked b USING (operator_id, currency)
        WHERE (coalesce(d.amount, 0), coalesce(d.spread, 0)) <> (coalesce(b.amount, 0), coalesce(b.spread, 0)) LIMIT 100
        "#
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| {
            let (operator, currency) = (r.operator_id, r.currency);
            let (booked, due) = ((r.booked, r.booked_spread), (r.amount, r.spread));
            format!("operator {operator}: {booked:?} {currency} and its spread are booked, {due:?} due by its messages")
        })
        .collect())
}

/// Entries that exchange more of a currency than the supplier took in it.
pub(super) async fn beyond_cost(connection: &mut PgConnection, since: &Since) -> Result<Vec<String>, Error> {
    let rows = query!(
        r#"SELECT entry_id, currency FROM balance_ledger
           WHERE ledger = 'supplier_cost' AND (entry_id > $1 OR entry_id = ANY ($2))
           GROUP BY entry_id, operator_id, currency HAVING sum(posted_micros) > 0 LIMIT 100"#,
        since.entry,
        &since.late
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|r| format!("entry {} exchanges more {} than was taken", r.entry_id, r.currency)).collect())
}

/// Entries since the last check whose exchanges are not those of the messages that they cover: what a nightly check reads
/// in place of [`exchanges`].
pub(super) async fn since(connection: &mut PgConnection, since: &Since) -> Result<Vec<String>, Error> {
    let rows = query!(
        r#"
        WITH covered AS (
            SELECT DISTINCT e.entry_id, m.id FROM entry_messages e, unnest(e.message_ids) AS m (id)
            WHERE e.entry_id > $1 OR e.entry_id = ANY ($2)
        ), due AS (
            SELECT entry_id, operator_id, sum(amount) AS amount, sum(spread) AS spread FROM (
                SELECT c.entry_id, m.operator_id, m.unit_exchanged_micros * m.hop_accepted AS amount,
                    m.unit_spread_micros * m.hop_accepted AS spread
                FROM covered c JOIN messages m ON m.id = c.id AND (m.hop_entry_id = c.entry_id) IS TRUE
                WHERE m.exchange_rate_id IS NOT NULL
                UNION ALL
                SELECT c.entry_id, h.operator_id, h.unit_exchanged_micros * h.accepted_segments,
                    h.unit_spread_micros * h.accepted_segments
                FROM covered c JOIN message_hops h ON h.message_id = c.id AND (h.entry_id = c.entry_id) IS TRUE
                WHERE h.exchange_rate_id IS NOT NULL
            ) hops GROUP BY 1, 2
        ), booked AS (
            SELECT entry_id, operator_id, -sum(posted_micros) FILTER (WHERE ledger = 'supplier_cost') AS amount,
                -sum(posted_micros) FILTER (WHERE ledger = 'fx_spread') AS spread
            FROM balance_ledger WHERE operation = 'exchange' AND (entry_id > $1 OR entry_id = ANY ($2))
                AND (ledger = 'supplier_cost' AND posted_micros < 0 OR ledger = 'fx_spread') GROUP BY 1, 2
        )
        SELECT entry_id AS "entry!", operator_id AS "operator_id!", coalesce(d.amount, 0)::text AS "amount!",
            coalesce(d.spread, 0)::text AS "spread!", coalesce(b.amount, 0)::text AS "booked!",
            coalesce(b.spread, 0)::text AS "booked_spread!"
        FROM due d FULL JOIN booked b USING (entry_id, operator_id)
        WHERE (coalesce(d.amount, 0), coalesce(d.spread, 0)) <> (coalesce(b.amount, 0), coalesce(b.spread, 0)) LIMIT 100
        "#,
        since.entry,
        &since.late
    )
    .fetch_all(connection)
    .await?;
    let one = |entry, operator, booked: (String, String), due: (String, String)| {
        format!("entry {entry}, operator {operator}: {booked:?} and its spread are booked, {due:?} due by its messages")
    };
    Ok(rows
        .into_iter()
        .map(|r| one(r.entry, r.operator_id, (r.booked, r.booked_spread), (r.amount, r.spread)))
        .collect())
}
