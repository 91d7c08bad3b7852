//! The counters of the reports against the CDRs and refunds that they count.

use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::Error;

/// Compares, for each day and sending account, what the sender and the house see with the last CDR of each message:
/// for days that begin behind `from`, and for all days where that is nil.
#[expect(clippy::too_many_lines, reason = "one statement")]
pub(super) async fn check(connection: &mut PgConnection, from: Uuid) -> Result<Vec<String>, Error> {
    let rows = query!(
        r#"
        WITH start AS (
            SELECT greatest(message_id, $1) AS id FROM traffic_start
        ), first AS (
            -- Half a day at the start would not be whole.
            SELECT CASE WHEN id = '00000000-0000-0000-0000-000000000000' THEN '-infinity'::date ELSE
                (to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0)
                    AT TIME ZONE 'UTC')::date + 1 END AS day, id FROM start
        ), counted AS (
            SELECT viewer_id, day, account_id, operator_id, currency, cost_currency, messages, segments,
                accepted_segments, delivered, unconfirmed, cost_micros, exchanged_micros, unconverted
            FROM traffic_counters
            UNION ALL
            SELECT viewer_id, day, account_id, coalesce(operator_id, '00000000-0000-0000-0000-000000000000'),
                currency, cost_currency, messages, segments, accepted_segments, delivered, unconfirmed, cost_micros, 0, 0
            FROM traffic_deltas
            UNION ALL
            SELECT viewer_id, day, account_id, coalesce(operator_id, '00000000-0000-0000-0000-000000000000'),
                currency, cost_currency, 0, 0, 0, 0, 0, 0, exchanged_micros, unconverted
            FROM money_deltas
        ), newest AS (
            SELECT c.* FROM sms_cdr c, first f WHERE c.message_id >= f.id
                AND (c.accepted_at AT TIME ZONE 'UTC')::date >= f.day AND NOT EXISTS (SELECT FROM sms_cdr n
                    WHERE n.message_id = c.message_id AND n.correction = c.correction + 1)
        ), house AS (
            SELECT id FROM accounts WHERE parent_id IS NULL
        ), said AS (
            SELECT c.viewer_id = h.id AS is_house, c.day, c.account_id, c.operator_id, c.cost_currency::text AS currency,
                sum(c.messages) AS messages, sum(c.segments) AS segments, sum(c.accepted_segments) AS accepted,
                sum(c.delivered) AS delivered, sum(c.unconfirmed) AS unconfirmed, sum(c.cost_micros) AS cost,
                sum(c.exchanged_micros) AS exchanged, sum(c.unconverted) AS unconverted
            FROM counted c, house h, first f
            WHERE c.day >= f.day AND (c.viewer_id = h.id OR c.viewer_id = c.account_id) GROUP BY 1, 2, 3, 4, 5
        ), due AS (
            SELECT true AS is_house, (accepted_at AT TIME ZONE 'UTC')::date AS day, account_id,
                coalesce(operator_id, '00000000-0000-0000-0000-000000000000') AS operator_id,
                coalesce(cost_currency, currency)::text AS currency, count(*) AS messages, sum(segments) AS segments,
                sum(accepted_segments) AS accepted, count(*) FILTER (WHERE state = 'delivered') AS delivered,
                count(*) FILTER (WHERE state = 'unconfirmed') AS unconfirmed, sum(cost_micros) AS cost,
                sum(coalesce(k.micros - CASE WHEN coalesce(cost_currency, currency) = currency THEN cost_micros ELSE 0 END, 0))
                    AS exchanged, count(*) FILTER (WHERE k.micros IS NULL) AS unconverted
            FROM newest, LATERAL (SELECT cdr_converted(converted_micros, cost_micros, cost_currency, currency, hops)
                AS micros) AS k GROUP BY 1, 2, 3, 4, 5
            UNION ALL
            SELECT false, (accepted_at AT TIME ZONE 'UTC')::date, account_id, '00000000-0000-0000-0000-000000000000'::uuid,
                currency, count(*), sum(segments), sum(accepted_segments),
                count(*) FILTER (WHERE state = 'delivered'), count(*) FILTER (WHERE state = 'unconfirmed'),
                sum(price_micros), 0, 0
            FROM newest WHERE account_id <> (SELECT id FROM house) GROUP BY 1, 2, 3, 4, 5
        )
        SELECT coalesce(s.day, d.day) AS "day!", coalesce(s.account_id, d.account_id) AS "account!",
            coalesce(s.is_house, d.is_house) AS "is_house!", coalesce(s.messages, 0)::text AS "messages!",
            coalesce(d.messages, 0)::text AS "due_messages!", coalesce(s.cost, 0)::text AS "cost!",
            coalesce(d.cost, 0)::text AS "due_cost!", coalesce(s.exchanged, 0)::text AS "exchanged!",
            coalesce(d.exchanged, 0)::text AS "due_exchanged!"
        FROM said s FULL JOIN due d ON d.is_house = s.is_house AND d.day = s.day AND d.account_id = s.account_id
            AND d.operator_id = s.operator_id AND d.currency = s.currency
        WHERE (coalesce(s.messages, 0), coalesce(s.segments, 0), coalesce(s.accepted, 0), coalesce(s.delivered, 0),
               coalesce(s.unconfirmed, 0), coalesce(s.cost, 0), coalesce(s.exchanged, 0), coalesce(s.unconverted, 0))
            <> (coalesce(d.messages, 0), coalesce(d.segments, 0), coalesce(d.accepted, 0), coalesce(d.delivered, 0),
               coalesce(d.unconfirmed, 0), coalesce(d.cost, 0), coalesce(d.exchanged, 0), coalesce(d.unconverted, 0))
        LIMIT 100
        "#,
        from
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| {
            let (day, account) = (r.day, r.account);
            let who = if r.is_house { "of the house" } else { "of the sender" };
            let counted = format!("{} messages, {} micros, {} exchanged", r.messages, r.cost, r.exchanged);
            let due = (r.due_messages, r.due_cost, r.due_exchanged);
            format!("{day}, {account}, {who}: counted {counted}; CDRs: {due:?}")
        })
        .collect())
}

/// Compares, for each viewer, day and sending account, what the counters say was given back with the refunds: for the same
/// days as [`check`].
pub(super) async fn refunds(connection: &mut PgConnection, from: Uuid) -> Result<Vec<String>, Error> {
    let rows = query!(
        r#"
        WITH start AS (
            SELECT greatest(message_id, $1) AS id FROM traffic_start
        ), first AS (
            SELECT CASE WHEN id = '00000000-0000-0000-0000-000000000000' THEN '-infinity'::date ELSE
                (to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0)
                    AT TIME ZONE 'UTC')::date + 1 END AS day, id FROM start
        ), counted AS (
            SELECT viewer_id, day, account_id, operator_id, currency, refunded_segments, revenue_refunded_micros,
                cost_refunded_micros FROM traffic_counters
            UNION ALL
            SELECT viewer_id, day, account_id, coalesce(operator_id, '00000000-0000-0000-0000-000000000000'), currency,
                refunded_segments, revenue_refunded_micros, cost_refunded_micros FROM money_deltas
        ), said AS (
            SELECT c.viewer_id, c.day, c.account_id, c.operator_id, c.currency, sum(c.refunded_segments) AS segments,
                sum(c.revenue_refunded_micros) AS revenue, sum(c.cost_refunded_micros) AS cost
            FROM counted c, first f WHERE c.day >= f.day GROUP BY 1, 2, 3, 4, 5
        ), house AS (
            SELECT id FROM accounts WHERE parent_id IS NULL
        ), sides AS (
            SELECT message_id, seller_id AS viewer_id, currency, segments, amount_micros AS revenue, 0 AS cost
            FROM message_refunds
            UNION ALL
            SELECT r.message_id, r.account_id, r.currency, CASE WHEN r.account_id = c.account_id THEN r.segments ELSE 0 END,
                0, r.amount_micros
            FROM message_refunds r JOIN sms_cdr c ON c.message_id = r.message_id AND c.correction = 0
        ), due AS (
            SELECT s.viewer_id, (c.accepted_at AT TIME ZONE 'UTC')::date AS day, c.account_id,
                coalesce(CASE WHEN s.viewer_id = h.id THEN c.operator_id END,
                    '00000000-0000-0000-0000-000000000000') AS operator_id,
                s.currency, sum(s.segments) AS segments, sum(s.revenue) AS revenue, sum(s.cost) AS cost
            FROM sides s JOIN sms_cdr c ON c.message_id = s.message_id, house h, first f
            WHERE s.message_id >= f.id AND (c.accepted_at AT TIME ZONE 'UTC')::date >= f.day AND NOT EXISTS (
                SELECT FROM sms_cdr n WHERE n.message_id = c.message_id AND n.correction = c.correction + 1)
            GROUP BY 1, 2, 3, 4, 5
        )
        SELECT coalesce(s.day, d.day) AS "day!", coalesce(s.account_id, d.account_id) AS "account!",
            coalesce(s.viewer_id, d.viewer_id) AS "viewer!",
            coalesce(s.revenue, 0)::text AS "revenue!", coalesce(s.cost, 0)::text AS "cost!",
            coalesce(d.revenue, 0)::text AS "due_revenue!", coalesce(d.cost, 0)::text AS "due_cost!"
        FROM said s FULL JOIN due d ON d.viewer_id = s.viewer_id AND d.day = s.day AND d.account_id = s.account_id
            AND d.operator_id = s.operator_id AND d.currency = s.currency
        WHERE (coalesce(s.segments, 0), coalesce(s.revenue, 0), coalesce(s.cost, 0))
            <> (coalesce(d.segments, 0), coalesce(d.revenue, 0), coalesce(d.cost, 0)) LIMIT 100
        "#,
        from
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| {
            let counted = format!("{} given back by it, {} to it", r.revenue, r.cost);
            let (day, account, viewer) = (r.day, r.account, r.viewer);
            format!(
                "{day}, {account}, as {viewer} sees it: counted {counted}; refunds: {}, {}",
                r.due_revenue, r.due_cost
            )
        })
        .collect())
}
