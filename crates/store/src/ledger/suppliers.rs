//! What operators are owed, against what they took.

use sqlx::{PgConnection, query};

use crate::Error;

/// Operators whose account does not say what the messages that they took cost: of every hop, whatever came of it.
pub(super) async fn unpaid(connection: &mut PgConnection) -> Result<Vec<String>, Error> {
    let rows = query!(
        r#"
        WITH oldest AS (
            SELECT coalesce((SELECT id FROM messages ORDER BY id LIMIT 1), 'ffffffff-ffff-ffff-ffff-ffffffffffff') AS id
        ), forgotten AS (
            -- Messages that retention has dropped are known by their last record.
            SELECT * FROM sms_cdr c WHERE c.message_id < (SELECT id FROM oldest) AND NOT EXISTS (
                SELECT FROM sms_cdr n WHERE n.message_id = c.message_id AND n.correction = c.correction + 1)
        ), due AS (
            SELECT operator_id, currency, sum(cost) AS due FROM (
                SELECT operator_id, cost_currency AS currency, unit_cost_micros
                    * coalesce(hop_accepted, CASE WHEN hop = 0 THEN accepted_segments END, 0) AS cost
                FROM messages WHERE operator_id IS NOT NULL
                UNION ALL
                SELECT operator_id, cost_currency, unit_cost_micros * coalesce(accepted_segments, 0)
                FROM message_hops WHERE message_id >= (SELECT id FROM oldest)
                UNION ALL
                SELECT operator_id, cost_currency, cost_micros - coalesce((
                    SELECT sum((h ->> 'unit_cost_micros')::bigint * (h ->> 'accepted_segments')::int)
                    FROM jsonb_array_elements(hops) h WHERE h ->> 'cost_currency' = cost_currency), 0)
                FROM forgotten WHERE operator_id IS NOT NULL
                UNION ALL
                SELECT (h ->> 'operator_id')::uuid, h ->> 'cost_currency',
                    (h ->> 'unit_cost_micros')::bigint * (h ->> 'accepted_segments')::int
                FROM forgotten, jsonb_array_elements(hops) h
            ) AS hops GROUP BY 1, 2
        ), owed AS (
            SELECT operator_id, currency, sum(posted_micros) AS owed FROM balance_ledger
            WHERE ledger = 'supplier' AND operation = 'supplier_cost' GROUP BY 1, 2
        )
        SELECT operator_id AS "operator_id!", currency AS "currency!", coalesce(o.owed, 0)::text AS "owed!",
            coalesce(d.due, 0)::text AS "due!"
        FROM owed o FULL JOIN due d USING (operator_id, currency)
        WHERE coalesce(o.owed, 0) <> coalesce(d.due, 0) LIMIT 100
        "#
    )
    .fetch_all(connection)
    .await?;
    let one = |row: (uuid::Uuid, String, String, String)| {
        let (operator, currency, owed, due) = row;
        format!("operator {operator} is owed {owed} {currency} micros, and took for {due}")
    };
    Ok(rows.into_iter().map(|row| (row.operator_id, row.currency, row.owed, row.due)).map(one).collect())
}
