//! The invariants, each a statement over the whole journal or over what came since the last check.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, query};
use uuid::Uuid;

use super::checkpoint::Since;
use super::{FOUND_MAX, Watch, counters, earnings, exchange, lookups};
use crate::Error;
use crate::ledger::suppliers;

/// How many rules [`check`] checks.
pub(super) const COUNT: usize = 17;

/// Checks every rule.
pub(super) async fn check(db: &mut PgConnection, since: &Since, watch: &mut Watch<'_>) -> Result<(), Error> {
    watch.next("an entry sums to zero per currency");
    watch.say(unbalanced(db, since).await?);
    watch.next("a wallet is the fold of its journal lines");
    watch.say(folds(db, since).await?);
    watch.next("posted + credit limit - held is not negative");
    watch.say(overdrawn(db).await?);
    watch.next("a wallet holds what its open messages hold");
    watch.say(holds(db, since).await?);
    watch.next("captured money is that of the messages");
    watch.say(captures(db, since).await?);
    watch.next("sellers earned what their buyers paid");
    watch.say(earnings::unpaired(db, since).await?);
    watch.next("look-ups cost what was charged for them");
    watch.say(lookups::unequal(db, since).await?);
    watch.next("operators are owed what they took");
    watch.say(suppliers::unpaid(db, since).await?);
    watch.next("what was exchanged is the cost of the messages");
    watch.say(if since.has_sums { exchange::since(db, since).await? } else { exchange::exchanges(db).await? });
    watch.next("no more is exchanged than a supplier took");
    watch.say(exchange::beyond_cost(db, since).await?);
    watch.next("every ended message has its CDR and no other has one");
    watch.say(records(db, since).await?);
    watch.next("a CDR says what its message cost");
    watch.say(amounts(db, since).await?);
    watch.next("the counters of the reports are the sums of the CDRs");
    watch.say(counters::check(db, since.message).await?);
    watch.next("the counters of the reports give back what was refunded");
    watch.say(counters::refunds(db, since.message).await?);
    watch.next("the counters of the reports say what each seller earned");
    watch.say(earnings::counted(db, since.message).await?);
    watch.next("the counters of the reports say how long receipts took");
    watch.say(earnings::receipts(db, since.message).await?);
    watch.next("the levels of a price chain are its links");
    watch.say(earnings::levels(db).await?);
    Ok(())
}

async fn unbalanced(connection: &mut PgConnection, since: &Since) -> Result<Vec<String>, Error> {
    let rows = query!(
        r#"SELECT entry_id, currency, sum(posted_micros)::text AS "sum!" FROM balance_ledger
           WHERE entry_id > $1 OR entry_id = ANY ($2)
           GROUP BY entry_id, currency HAVING sum(posted_micros) <> 0 LIMIT 100"#,
        since.entry,
        &since.late
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|r| format!("entry {} is off by {} micros {}", r.entry_id, r.sum, r.currency)).collect())
}

async fn folds(connection: &mut PgConnection, since: &Since) -> Result<Vec<String>, Error> {
    let rows = query!(
        r#"SELECT b.account_id, b.posted_micros, b.held_micros,
               (coalesce(c.posted_micros, 0) + coalesce(l.posted, 0))::text AS "posted!",
               (coalesce(c.held_micros, 0) + coalesce(l.held, 0))::text AS "held!"
           FROM account_balances b
           LEFT JOIN ledger_checkpoints c ON $3 AND c.account_id = b.account_id
           LEFT JOIN (
               SELECT account_id, sum(posted_micros) AS posted, sum(held_micros) AS held FROM (
                   SELECT account_id, posted_micros, held_micros FROM balance_ledger
                   WHERE ledger = 'wallet' AND entry_id > $1
                   UNION ALL
                   SELECT account_id, posted_micros, held_micros FROM balance_ledger
                   WHERE ledger = 'wallet' AND entry_id <= $1 AND entry_id = ANY ($2)
               ) lines GROUP BY account_id
           ) l ON l.account_id = b.account_id
           WHERE b.posted_micros <> coalesce(c.posted_micros, 0) + coalesce(l.posted, 0)
              OR b.held_micros <> coalesce(c.held_micros, 0) + coalesce(l.held, 0) LIMIT 100"#,
        since.entry,
        &since.late,
        since.has_sums
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| {
            let (account, posted, held) = (r.account_id, r.posted_micros, r.held_micros);
            format!("wallet of {account}: posted {posted}, held {held}; journal: {}, {}", r.posted, r.held)
        })
        .collect())
}

async fn overdrawn(connection: &mut PgConnection) -> Result<Vec<String>, Error> {
    let rows = query!(
        "SELECT account_id FROM account_balances WHERE posted_micros + credit_limit_micros - held_micros < 0 LIMIT 100"
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|r| format!("wallet of {}", r.account_id)).collect())
}

/// Nothing that was due before is open: the sweep has looked. For a full check the sweep is not trusted.
async fn open_since(connection: &mut PgConnection, since: &Since) -> Result<DateTime<Utc>, Error> {
    if !since.has_sums {
        return Ok(DateTime::UNIX_EPOCH);
    }
    let row = query!("SELECT at FROM sweep_cursors WHERE name = 'overdue'").fetch_optional(connection).await?;
    Ok(row.map_or(DateTime::UNIX_EPOCH, |row| row.at))
}

async fn holds(connection: &mut PgConnection, since: &Since) -> Result<Vec<String>, Error> {
    let from = open_since(connection, since).await?;
    let rows = query!(
        r#"
        WITH open AS (
            SELECT (l ->> 'account') AS payer, sum((l ->> 'price_micros')::bigint * CASE
                WHEN m.accepted_segments IS NULL THEN m.segments
                WHEN l ->> 'charge_on' = 'delivered' THEN m.accepted_segments ELSE 0 END) AS held
            FROM messages m JOIN charge_chains c ON c.id = m.chain_id, jsonb_array_elements(c.chain -> 'links') l
            WHERE m.state_rank < 8 AND m.due_at >= $1 GROUP BY 1
        )
        SELECT b.account_id, b.held_micros, coalesce(o.held, 0)::text AS "open!"
        FROM account_balances b LEFT JOIN open o ON o.payer = account_text(b.account_id)
        WHERE b.held_micros <> coalesce(o.held, 0) LIMIT 100
        "#,
        from
    )
    .fetch_all(&mut *connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| format!("wallet of {} holds {}, its open messages {}", r.account_id, r.held_micros, r.open))
        .collect())
}

/// What the messages with ids from `from` and before `end` have cost each payer, by its outside id. Messages that
/// retention has dropped are known by their CDRs.
pub(super) async fn due(connection: &mut PgConnection, from: Uuid, end: Uuid) -> Result<BTreeMap<String, i128>, Error> {
    let rows = query!(
        r#"
        WITH charged AS (
            SELECT chain_id, coalesce(accepted_segments, 0)::int AS accepted,
                coalesce(outcome, 'free') AS outcome
            FROM messages WHERE id >= $1 AND id < $2
            UNION ALL
            SELECT chain_id, accepted_segments, outcome FROM (
                SELECT DISTINCT ON (message_id) chain_id, accepted_segments, outcome FROM sms_cdr
                WHERE message_id >= $1 AND message_id < $2 AND message_id < coalesce(
                    (SELECT id FROM messages ORDER BY id LIMIT 1), 'ffffffff-ffff-ffff-ffff-ffffffffffff')
                ORDER BY message_id, correction DESC
            ) gone
        ), counted AS (
            SELECT chain_id, outcome, sum(accepted) AS accepted FROM charged GROUP BY 1, 2
        )
        SELECT l ->> 'account' AS "payer!", sum((l ->> 'price_micros')::numeric * CASE
            WHEN l ->> 'charge_on' = 'submit' OR charges(l, c.outcome) THEN c.accepted ELSE 0 END)::text AS "due!"
        FROM counted c JOIN charge_chains h ON h.id = c.chain_id, jsonb_array_elements(h.chain -> 'links') l
        GROUP BY 1
        "#,
        from,
        end
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| Ok((row.payer, whole(&row.due)?))).collect()
}

/// A whole number that may go beyond 64 bits.
pub(in crate::ledger) fn whole(text: &str) -> Result<i128, Error> {
    text.parse().map_err(|_| Error::Corrupt("a sum that is no whole number".into()))
}

/// What the journal took from each wallet, by its outside id, and what was due by messages at the checkpoint.
async fn taken(connection: &mut PgConnection, since: &Since) -> Result<Vec<(Uuid, String, i128, i128)>, Error> {
    let rows = query!(
        r#"
        WITH lines AS (
            SELECT account_id, posted_micros FROM balance_ledger
            WHERE ledger = 'wallet' AND operation = 'capture' AND entry_id > $1
            UNION ALL
            SELECT account_id, posted_micros FROM balance_ledger
            WHERE ledger = 'wallet' AND operation = 'capture' AND entry_id <= $1 AND entry_id = ANY ($2)
        ), taken AS (
            SELECT account_id, -sum(posted_micros) AS captured FROM lines GROUP BY 1
        )
        SELECT b.account_id, account_text(b.account_id) AS "payer!",
            (coalesce(c.captured_micros, 0) + coalesce(t.captured, 0))::text AS "taken!",
            coalesce(c.due_micros, 0)::text AS "due!"
        FROM account_balances b
        LEFT JOIN ledger_checkpoints c ON $3 AND c.account_id = b.account_id
        LEFT JOIN taken t ON t.account_id = b.account_id
        "#,
        since.entry,
        &since.late,
        since.has_sums
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|r| Ok((r.account_id, r.payer, whole(&r.taken)?, whole(&r.due)?))).collect()
}

async fn captures(connection: &mut PgConnection, since: &Since) -> Result<Vec<String>, Error> {
    let due = due(connection, since.message, Uuid::max()).await?;
    let mut found = Vec::new();
    for (account, payer, taken, before) in taken(connection, since).await? {
        let due = before + due.get(&payer).copied().unwrap_or_default();
        if taken != due && found.len() < FOUND_MAX {
            found.push(format!("wallet of {account}: {taken} taken, {due} due by its messages"));
        }
    }
    Ok(found)
}

async fn records(connection: &mut PgConnection, since: &Since) -> Result<Vec<String>, Error> {
    let rows = query!(
        r#"SELECT coalesce(m.id, c.message_id) AS "id!", m.id IS NULL AS "strange!"
           FROM (SELECT id, corrections, late_costs FROM messages WHERE state_rank >= 8 AND id >= $1) m
           FULL JOIN (SELECT message_id, correction FROM sms_cdr WHERE message_id >= $1
               AND message_id >= (SELECT id FROM messages ORDER BY id LIMIT 1)) c ON c.message_id = m.id AND c.correction = m.corrections + m.late_costs
           WHERE m.id IS NULL AND c.correction = 0 AND NOT EXISTS
               (SELECT FROM messages x WHERE x.id = c.message_id AND x.corrections + x.late_costs > 0)
             OR c.message_id IS NULL LIMIT 100"#,
        since.message
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| format!("message {} {}", r.id, if r.strange { "has a CDR and has not ended" } else { "has no CDR" }))
        .collect())
}

/// Messages whose last CDR says another price, state or cost than they do. The cost is that of the hops of one currency;
/// what each hop before the last took stands beside it. What operators are owed is checked against messages and their
/// hops, and once those have gone against these CDRs.
async fn amounts(connection: &mut PgConnection, since: &Since) -> Result<Vec<String>, Error> {
    let rows = query!(
        r#"SELECT m.id FROM messages m JOIN sms_cdr c ON c.message_id = m.id AND c.correction = m.corrections + m.late_costs
           WHERE m.id >= $1 AND c.message_id >= $1 AND (c.price_micros <> m.captured_micros OR c.state <> m.state
               OR c.cost_currency IS DISTINCT FROM m.cost_currency OR c.operator_id IS DISTINCT FROM m.operator_id
               OR c.cost_micros <> coalesce(m.unit_cost_micros, 0) * coalesce(m.hop_accepted,
                       CASE WHEN m.hop = 0 AND m.cost_charge_on = 'submit' THEN m.accepted_segments END, 0)
                   + CASE WHEN m.hop > 0 THEN hops_cost(m.id, m.hop, m.cost_currency) ELSE 0 END
               OR CASE WHEN m.hop = 0 THEN c.hops IS NOT NULL ELSE (
                       SELECT jsonb_agg(jsonb_build_array(h -> 'hop', h -> 'operator_id', h -> 'cost_currency',
                           h -> 'unit_cost_micros', h -> 'accepted_segments') ORDER BY h -> 'hop')
                       FROM jsonb_array_elements(c.hops) h
                   ) IS DISTINCT FROM (
                       SELECT jsonb_agg(jsonb_build_array(b.hop, b.operator_id, b.cost_currency, b.unit_cost_micros,
                           coalesce(b.accepted_segments, 0)) ORDER BY b.hop)
                       FROM message_hops b WHERE b.message_id = m.id AND b.hop < m.hop
                   ) END) LIMIT 100"#,
        since.message
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|r| format!("message {} and its CDR differ", r.id)).collect())
}
