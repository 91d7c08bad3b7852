//! `chappe ledger verify`: the invariants of money, checked against everything that is stored.

use sqlx::query;

use crate::ledger::acts;
use crate::{Db, Error};

/// One broken invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which rule.
    pub rule: &'static str,
    /// What was found.
    pub found: String,
}

/// Checks every invariant on one snapshot of the database. An empty answer means that the books are right.
pub async fn verify(db: &Db) -> Result<Vec<Violation>, Error> {
    let mut tx = db.begin_picture().await?;
    // These statements read whole tables: let the planner join as it likes.
    for setting in ["SET LOCAL enable_hashjoin = on", "SET LOCAL enable_seqscan = on"] {
        sqlx::query(setting).execute(&mut *tx).await?;
    }
    let mut violations = Vec::new();
    let mut say = |rule, rows: Vec<String>| {
        violations.extend(rows.into_iter().map(|found| Violation { rule, found }));
    };
    say("an entry sums to zero per currency", unbalanced(&mut tx).await?);
    say("a wallet is the fold of its journal lines", folds(&mut tx).await?);
    say("posted + credit limit - held is not negative", overdrawn(&mut tx).await?);
    say("a wallet holds what its open messages hold", holds(&mut tx).await?);
    say("captured money is that of the messages", captures(&mut tx).await?);
    say("every ended message has its CDR and no other has one", records(&mut tx).await?);
    say("a CDR says what its message cost", amounts(&mut tx).await?);
    violations.extend(acts::verify(&mut tx).await?);
    tx.rollback().await?;
    Ok(violations)
}

async fn unbalanced(connection: &mut sqlx::PgConnection) -> Result<Vec<String>, Error> {
    let rows = query!(
        r#"SELECT entry_id, currency, sum(posted_micros)::text AS "sum!" FROM balance_ledger
           GROUP BY entry_id, currency HAVING sum(posted_micros) <> 0 LIMIT 100"#
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|r| format!("entry {} is off by {} micros {}", r.entry_id, r.sum, r.currency)).collect())
}

async fn folds(connection: &mut sqlx::PgConnection) -> Result<Vec<String>, Error> {
    let rows = query!(
        r#"SELECT b.account_id, b.posted_micros, b.held_micros, coalesce(l.posted, 0)::text AS "posted!",
               coalesce(l.held, 0)::text AS "held!"
           FROM account_balances b LEFT JOIN (
               SELECT account_id, sum(posted_micros) AS posted, sum(held_micros) AS held
               FROM balance_ledger WHERE ledger = 'wallet' GROUP BY account_id
           ) l ON l.account_id = b.account_id
           WHERE b.posted_micros <> coalesce(l.posted, 0) OR b.held_micros <> coalesce(l.held, 0) LIMIT 100"#
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

async fn overdrawn(connection: &mut sqlx::PgConnection) -> Result<Vec<String>, Error> {
    let rows = query!(
        "SELECT account_id FROM account_balances WHERE posted_micros + credit_limit_micros - held_micros < 0 LIMIT 100"
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|r| format!("wallet of {}", r.account_id)).collect())
}

async fn holds(connection: &mut sqlx::PgConnection) -> Result<Vec<String>, Error> {
    let rows = query!(
        r#"
        WITH open AS (
            SELECT (l ->> 'account') AS payer, sum((l ->> 'price_micros')::bigint * CASE
                WHEN m.accepted_segments IS NULL THEN m.segments
                WHEN l ->> 'charge_on' = 'delivered' THEN m.accepted_segments ELSE 0 END) AS held
            FROM messages m JOIN charge_chains c ON c.id = m.chain_id, jsonb_array_elements(c.chain -> 'links') l
            WHERE m.state_rank < 8 GROUP BY 1
        )
        SELECT b.account_id, b.held_micros, coalesce(o.held, 0)::text AS "open!"
        FROM account_balances b LEFT JOIN open o ON o.payer = account_text(b.account_id)
        WHERE b.held_micros <> coalesce(o.held, 0) LIMIT 100
        "#
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| format!("wallet of {} holds {}, its open messages {}", r.account_id, r.held_micros, r.open))
        .collect())
}

async fn captures(connection: &mut sqlx::PgConnection) -> Result<Vec<String>, Error> {
    let rows = query!(
        r#"
        WITH due AS (
            SELECT (l ->> 'account') AS payer, sum((l ->> 'price_micros')::bigint * CASE
                WHEN l ->> 'charge_on' = 'submit' THEN coalesce(m.accepted_segments, 0)
                WHEN m.state = 'delivered' AND m.corrections = 0 THEN m.accepted_segments ELSE 0 END) AS captured
            FROM messages m JOIN charge_chains c ON c.id = m.chain_id, jsonb_array_elements(c.chain -> 'links') l
            GROUP BY 1
        ), taken AS (
            SELECT account_id, -sum(posted_micros) AS captured FROM balance_ledger
            WHERE ledger = 'wallet' AND operation = 'capture' GROUP BY 1
        )
        SELECT b.account_id, coalesce(t.captured, 0)::text AS "taken!", coalesce(d.captured, 0)::text AS "due!"
        FROM account_balances b LEFT JOIN due d ON d.payer = account_text(b.account_id)
            LEFT JOIN taken t ON t.account_id = b.account_id
        WHERE coalesce(t.captured, 0) <> coalesce(d.captured, 0) LIMIT 100
        "#
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| format!("wallet of {}: {} taken, {} due by its messages", r.account_id, r.taken, r.due))
        .collect())
}

async fn records(connection: &mut sqlx::PgConnection) -> Result<Vec<String>, Error> {
    let rows = query!(
        r#"SELECT coalesce(m.id, c.message_id) AS "id!", m.id IS NULL AS "strange!"
           FROM (SELECT id, corrections FROM messages WHERE state_rank >= 8) m
           FULL JOIN sms_cdr c ON c.message_id = m.id AND c.correction = m.corrections
           WHERE m.id IS NULL AND c.correction = 0 AND NOT EXISTS
               (SELECT FROM messages x WHERE x.id = c.message_id AND x.corrections > 0)
             OR c.message_id IS NULL LIMIT 100"#
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| format!("message {} {}", r.id, if r.strange { "has a CDR and has not ended" } else { "has no CDR" }))
        .collect())
}

async fn amounts(connection: &mut sqlx::PgConnection) -> Result<Vec<String>, Error> {
    let rows = query!(
        r#"SELECT m.id FROM messages m JOIN sms_cdr c ON c.message_id = m.id AND c.correction = m.corrections
           WHERE c.price_micros <> m.captured_micros OR c.state <> m.state LIMIT 100"#
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|r| format!("message {} and its CDR differ", r.id)).collect())
}
