//! What sellers earned: in the journal, beside what was taken from their buyers, and in the counters of the reports, level by
//! level of each price chain.

use sqlx::{PgConnection, query};
use uuid::Uuid;

use super::checkpoint::Since;
use crate::Error;

/// Entries in which what a seller earned, or gave back, is not what its buyers' wallets lost. A buyer's seller is the
/// account above it; the house sells to itself.
pub(super) async fn unpaired(connection: &mut PgConnection, since: &Since) -> Result<Vec<String>, Error> {
    let rows = query!(
        r#"
        WITH lines AS (
            SELECT entry_id, ledger, operation, account_id, currency, posted_micros FROM balance_ledger
            WHERE entry_id > $1 OR entry_id = ANY ($2)
        ), sides AS (
            SELECT l.entry_id, l.operation, coalesce(a.parent_id, a.id) AS seller, l.currency, -l.posted_micros AS paid,
                0 AS earned
            FROM lines l JOIN accounts a ON a.id = l.account_id
            WHERE l.ledger = 'wallet' AND l.operation IN ('capture', 'refund', 'lookup')
            UNION ALL
            SELECT entry_id, operation, account_id, currency, 0, posted_micros FROM lines
            -- What goes out, and what comes back of that, is another rule's.
            WHERE ledger = 'revenue' AND operation NOT IN ('revenue_credit', 'payout', 'correction')
        )
        SELECT entry_id AS "entry!", seller AS "seller!", sum(earned)::text AS "earned!", sum(paid)::text AS "paid!"
        FROM sides GROUP BY entry_id, operation, seller, currency HAVING sum(earned) <> sum(paid) LIMIT 100
        "#,
        since.entry,
        &since.late
    )
    .fetch_all(connection)
    .await?;
    let told = |entry, seller, earned, paid| format!("entry {entry}: {seller} earned {earned}, its buyers paid {paid}");
    Ok(rows.into_iter().map(|row| told(row.entry, row.seller, row.earned, row.paid)).collect())
}

/// Compares, for each viewer, day and sending account, what the counters say was paid to the viewer, and by it to the account
/// above, with the last CDR of each message at the prices of its chain: for days that begin behind `from`, and for all days
/// where that is nil. What operators cost the house is another rule's.
pub(super) async fn counted(connection: &mut PgConnection, from: Uuid) -> Result<Vec<String>, Error> {
    let rows = query!(
        r#"
        WITH start AS (
            SELECT greatest(message_id, $1) AS id FROM traffic_start
        ), first AS (
            -- Half a day at the start would not be whole.
            SELECT CASE WHEN id = '00000000-0000-0000-0000-000000000000' THEN '-infinity'::date ELSE
                (to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0)
                    AT TIME ZONE 'UTC')::date + 1 END AS day, id FROM start
        ), house AS (
            SELECT id FROM accounts WHERE parent_id IS NULL
        ), said AS (
            SELECT c.viewer_id, c.day, c.account_id, c.mcc_mnc, c.currency::text AS currency, sum(c.messages) AS messages,
                sum(c.revenue_micros) AS earned, sum(CASE WHEN c.viewer_id = h.id THEN 0 ELSE c.cost_micros END) AS paid
            FROM (
                SELECT viewer_id, day, account_id, mcc_mnc, currency, messages, revenue_micros, cost_micros
                FROM traffic_counters
                UNION ALL
                SELECT viewer_id, day, account_id, mcc_mnc, currency, messages, revenue_micros, cost_micros
                FROM traffic_deltas
            ) c, house h, first f WHERE c.day >= f.day GROUP BY 1, 2, 3, 4, 5
        ), newest AS (
            SELECT c.chain_id, (c.accepted_at AT TIME ZONE 'UTC')::date AS day, c.account_id, c.mcc_mnc,
                c.accepted_segments AS accepted,
                CASE WHEN c.outcome = 'billable' THEN c.accepted_segments ELSE 0 END AS billable,
                CASE WHEN c.outcome = 'unconfirmed' THEN c.accepted_segments ELSE 0 END AS unsure
            FROM sms_cdr c, first f WHERE c.message_id >= f.id
                AND (c.accepted_at AT TIME ZONE 'UTC')::date >= f.day AND NOT EXISTS (SELECT FROM sms_cdr n
                    WHERE n.message_id = c.message_id AND n.correction = c.correction + 1)
        ), alike AS (
            SELECT chain_id, day, account_id, mcc_mnc, count(*) AS messages, sum(accepted) AS accepted,
                sum(billable) AS billable, sum(unsure) AS unsure FROM newest GROUP BY 1, 2, 3, 4
        ), due AS (
            SELECT v.viewer_id, c.day, c.account_id, c.mcc_mnc, v.currency::text AS currency, sum(c.messages) AS messages,
                sum(CASE WHEN v.level = 0 THEN 0 ELSE v.paid_micros
                    * CASE WHEN v.paid_on = 'submit' THEN c.accepted
                        ELSE c.billable + CASE WHEN v.paid_unconfirmed THEN c.unsure ELSE 0 END END END) AS earned,
                sum(CASE WHEN v.is_house THEN 0 ELSE v.pays_micros
                    * CASE WHEN v.pays_on = 'submit' THEN c.accepted
                        ELSE c.billable + CASE WHEN v.pays_unconfirmed THEN c.unsure ELSE 0 END END END) AS paid
            FROM alike c JOIN charge_levels v ON v.chain_id = c.chain_id GROUP BY 1, 2, 3, 4, 5
        )
        SELECT coalesce(s.viewer_id, d.viewer_id) AS "viewer!", coalesce(s.day, d.day) AS "day!",
            coalesce(s.account_id, d.account_id) AS "account!", coalesce(s.earned, 0)::text AS "earned!",
            coalesce(s.paid, 0)::text AS "paid!", coalesce(d.earned, 0)::text AS "due_earned!",
            coalesce(d.paid, 0)::text AS "due_paid!"
        FROM said s FULL JOIN due d ON d.viewer_id = s.viewer_id AND d.day = s.day AND d.account_id = s.account_id
            AND d.mcc_mnc = s.mcc_mnc AND d.currency = s.currency
        WHERE (coalesce(s.messages, 0), coalesce(s.earned, 0), coalesce(s.paid, 0))
            <> (coalesce(d.messages, 0), coalesce(d.earned, 0), coalesce(d.paid, 0)) LIMIT 100
        "#,
        from
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| {
            let (day, account, viewer) = (r.day, r.account, r.viewer);
            let counted = format!("counted {} paid to it, {} by it", r.earned, r.paid);
            format!("{day}, {account}, as {viewer} sees it: {counted}; CDRs: {}, {}", r.due_earned, r.due_paid)
        })
        .collect())
}

/// Counters whose times to the final receipt are not those of the parts: for each viewer, day and sending account no bucket
/// has fewer messages than there are by the parts. A message of several parts that failed with the first of them may stand
/// in any bucket: its others are heard of later; so may one that went on to another operator, since any of them may end it. Days whose messages retention has dropped have no parts to compare with.
pub(super) async fn receipts(connection: &mut PgConnection, from: Uuid) -> Result<Vec<String>, Error> {
    let rows = query!(
        r#"
        WITH start AS (
            SELECT greatest(message_id, $1) AS id FROM traffic_start
        ), kept AS (
            SELECT id, (to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0)
                AT TIME ZONE 'UTC')::date AS day FROM messages ORDER BY id LIMIT 1
        ), first AS (
            SELECT greatest(k.day, CASE WHEN s.id = '00000000-0000-0000-0000-000000000000' THEN k.day ELSE
                (to_timestamp(('x' || left(replace(s.id::text, '-', ''), 12))::bit(48)::bigint / 1000.0)
                    AT TIME ZONE 'UTC')::date + 1 END) AS day, greatest(k.id, s.id) AS id FROM start s, kept k
        ), said AS (
            SELECT c.viewer_id, c.day, c.account_id, c.receipt_bucket, sum(c.messages) AS messages FROM (
                SELECT viewer_id, day, account_id, receipt_bucket, messages FROM traffic_counters
                UNION ALL
                SELECT viewer_id, day, account_id, receipt_bucket, messages FROM traffic_deltas
            ) c, first f WHERE c.day >= f.day GROUP BY 1, 2, 3, 4
        ), newest AS (
            SELECT c.chain_id, (c.accepted_at AT TIME ZONE 'UTC')::date AS day, c.account_id,
                CASE WHEN c.state NOT IN ('delivered', 'undelivered') THEN -1 ELSE coalesce((
                    SELECT width_bucket((extract(epoch FROM max(p.receipt_at) - min(p.submitted_at)) * 1000)::integer,
                        receipt_buckets()) FROM message_parts p WHERE p.message_id = c.message_id AND p.hop = c.hop), -1)
                END AS bucket
            FROM sms_cdr c, first f WHERE c.message_id >= f.id
                AND (c.accepted_at AT TIME ZONE 'UTC')::date >= f.day
                AND c.hop = 0
                AND NOT (c.state = 'undelivered' AND c.segments > 1) AND NOT EXISTS (SELECT FROM sms_cdr n
                    WHERE n.message_id = c.message_id AND n.correction = c.correction + 1)
        ), due AS (
            SELECT v.viewer_id, c.day, c.account_id, c.bucket, sum(c.messages) AS messages FROM (
                SELECT chain_id, day, account_id, bucket, count(*) AS messages FROM newest GROUP BY 1, 2, 3, 4
            ) c JOIN charge_levels v ON v.chain_id = c.chain_id GROUP BY 1, 2, 3, 4
        )
        SELECT d.viewer_id, d.day AS "day!", d.account_id, d.bucket AS "bucket!",
            coalesce(s.messages, 0)::text AS "said!", d.messages::text AS "due!"
        FROM due d LEFT JOIN said s ON s.viewer_id = d.viewer_id AND s.day = d.day AND s.account_id = d.account_id
            AND s.receipt_bucket = d.bucket
        WHERE coalesce(s.messages, 0) < d.messages LIMIT 100
        "#,
        from
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| {
            let (day, account, viewer, bucket) = (r.day, r.account_id, r.viewer_id, r.bucket);
            format!("{day}, {account}, as {viewer} sees it: {} messages in bucket {bucket}, {} by parts", r.said, r.due)
        })
        .collect())
}

/// Price chains whose levels, from which the counters take what each seller earns, are not those of their links.
pub(super) async fn levels(connection: &mut PgConnection) -> Result<Vec<String>, Error> {
    let rows = query!(
        r#"
        SELECT DISTINCT chain_id AS "chain!" FROM (
            (SELECT v.* FROM charge_chains c, charge_levels_of(c.id, c.chain) v EXCEPT SELECT * FROM charge_levels)
            UNION ALL
            (SELECT * FROM charge_levels EXCEPT SELECT v.* FROM charge_chains c, charge_levels_of(c.id, c.chain) v)
        ) AS differing LIMIT 100
        "#
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| format!("chain {}", row.chain)).collect())
}
