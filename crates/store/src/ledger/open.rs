//! Which messages an entry covers, so that every line of a statement opens down to single messages.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::settlement::{self, Ended, Outcome, Step};
use domain::tariff::Chain;
use domain::{AccountId, ChainId, MessageId, Micros, Network, Number, State};
use sqlx::{PgConnection, query, query_as};
use uuid::Uuid;

use crate::ledger::Entries;
use crate::page::{Page, narrow, outcome, parse};
use crate::{Db, Error, chain};

/// Notes which messages the entries of one transaction cover.
pub(super) async fn note(connection: &mut PgConnection, entries: &Entries) -> Result<(), Error> {
    let covered: Vec<(Uuid, AccountId, &[Uuid])> = entries.covered().collect();
    let mut of: Vec<Uuid> = Vec::new();
    let mut senders: Vec<Uuid> = Vec::new();
    let mut messages: Vec<Uuid> = Vec::new();
    for (entry, sender, ids) in covered {
        of.extend(std::iter::repeat_n(entry, ids.len()));
        senders.extend(std::iter::repeat_n(sender.uuid(), ids.len()));
        messages.extend(ids);
    }
    query!(
        "INSERT INTO entry_messages (entry_id, account_id, message_ids)
         SELECT m.entry, m.sender, array_agg(m.id) FROM unnest($1::uuid[], $2::uuid[], $3::uuid[])
            AS m (entry, sender, id) GROUP BY m.entry, m.sender",
        &of,
        &senders,
        &messages
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A message as far as one entry concerns one wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Which message.
    pub id: MessageId,
    /// Whose.
    pub sender: AccountId,
    /// Where it went.
    pub to: Number,
    /// Where it stands now.
    pub state: State,
    /// Short messages that it takes.
    pub segments: u8,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// Set aside by the entry.
    pub held: Micros,
    /// Taken by the entry.
    pub captured: Micros,
    /// Set free by the entry.
    pub released: Micros,
    /// Given back by the entry.
    pub refunded: Micros,
}

#[expect(clippy::struct_excessive_bools, reason = "a row of a query: what an entry settled of a message")]
struct Row {
    id: Uuid,
    account_id: Uuid,
    recipient: i64,
    state: String,
    segments: i16,
    accepted_segments: Option<i16>,
    outcome: Option<String>,
    corrections: i16,
    chain_id: Uuid,
    settles_submit: bool,
    settles_final: bool,
    settles_late: bool,
    holds: bool,
    refunded: i64,
    created_at: DateTime<Utc>,
}

/// The messages behind the lines of `entry` on `account`'s wallet, newest first: their amounts sum to the lines'.
///
/// # Errors
/// When the database fails.
pub async fn messages(db: &Db, account: AccountId, entry: Uuid, page: Page) -> Result<Vec<Opened>, Error> {
    let mut connection = db.pool.lend().await?;
    let rows = query_as!(
        Row,
        r#"SELECT m.id AS "id!", m.account_id AS "account_id!", m.recipient AS "recipient!", m.state AS "state!",
               m.segments AS "segments!", m.accepted_segments, m.outcome, m.corrections AS "corrections!",
               m.chain_id AS "chain_id!",
               coalesce(m.submit_entry_id = $2, false) AS "settles_submit!",
               coalesce(m.final_entry_id = $2, false) AS "settles_final!",
               coalesce(m.late_entry_id = $2, false) AS "settles_late!",
               EXISTS (SELECT FROM balance_ledger l WHERE l.entry_id = $2 AND l.operation = 'hold') AS "holds!",
               coalesce((SELECT sum(r.amount_micros) FROM message_refunds r
                   WHERE r.entry_id = $2 AND r.message_id = m.id AND r.account_id = $1), 0)::bigint AS "refunded!",
               m.created_at AS "created_at!"
           FROM entry_messages e CROSS JOIN LATERAL unnest(e.message_ids) AS i (id)
               CROSS JOIN LATERAL (
                   SELECT id, account_id, recipient, state, segments, accepted_segments, outcome, corrections, chain_id,
                       submit_entry_id, final_entry_id, late_entry_id, created_at
                   FROM messages WHERE id = i.id
                   UNION ALL
                   -- Retention drops messages, and keeps their records: the last one says how it ended.
                   (SELECT message_id, account_id, recipient, state, segments, accepted_segments, outcome,
                       CASE WHEN late_entry_id IS NULL THEN 0 ELSE 1 END::smallint, chain_id,
                       submit_entry_id, final_entry_id, late_entry_id, accepted_at
                   FROM sms_cdr WHERE message_id = i.id AND NOT EXISTS (SELECT FROM messages g WHERE g.id = i.id)
                   ORDER BY correction DESC LIMIT 1)
               ) m JOIN charge_chains c ON c.id = m.chain_id
           WHERE e.entry_id = $2 AND m.id < $3
               AND c.chain @> jsonb_build_object('links', jsonb_build_array(jsonb_build_object('account', account_text($1))))
           ORDER BY m.id DESC LIMIT $4"#,
        account.uuid(),
        entry,
        page.end(),
        page.limit()
    )
    .fetch_all(&mut *connection)
    .await?;
    let chains = chain::load(&mut connection, db, rows.iter().map(|row| ChainId::from_uuid(row.chain_id))).await?;
    connection.done().await?;
    rows.into_iter().map(|row| open(&row, account, &chains)).collect()
}

fn open(row: &Row, account: AccountId, chains: &HashMap<ChainId, std::sync::Arc<Chain>>) -> Result<Opened, Error> {
    let chain = chains.get(&ChainId::from_uuid(row.chain_id));
    let chain = chain.ok_or_else(|| Error::Corrupt("a message without its chain".into()))?;
    let state: State = parse(&row.state, "state")?;
    let segments: u8 = narrow(row.segments, "segments")?;
    let accepted: u16 = narrow(row.accepted_segments.unwrap_or_default(), "segments")?;
    let outcome = outcome(row.outcome.as_deref())?;
    let mut steps = Vec::with_capacity(2);
    if row.settles_submit {
        steps.push(Step::Submitted { accepted });
    }
    if row.settles_final {
        // What a late receipt corrected had ended without one.
        let first = if row.corrections > 0 { Outcome::Unconfirmed } else { outcome };
        steps.push(Step::Final(Ended { accepted, outcome: first }));
    }
    if row.settles_late {
        steps.push(Step::Corrected(Ended { accepted, outcome }));
    }
    let (mut captured, mut released) = (0, 0);
    for step in steps {
        for movement in settlement::settle(chain, u16::from(segments), step) {
            if movement.account == account {
                captured += movement.captured.get() + movement.corrected.get();
                released += movement.released.get();
            }
        }
    }
    let held = settlement::hold(chain, u16::from(segments)).ok_or(Error::Range)?;
    let held = held.into_iter().find(|(payer, _)| *payer == account && row.holds).map(|(_, amount)| amount);
    Ok(Opened {
        id: MessageId::from_uuid(row.id),
        sender: AccountId::from_uuid(row.account_id),
        to: Number::from_stored(row.recipient).ok_or_else(|| Error::Corrupt("recipient".to_owned()))?,
        state,
        segments,
        created_at: row.created_at,
        held: held.unwrap_or_default(),
        captured: Micros::new(captured),
        released: Micros::new(released),
        refunded: Micros::new(row.refunded),
    })
}

/// A look-up as far as one entry concerns one wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookedUp {
    /// Which number.
    pub number: Number,
    /// Where it is.
    pub network: Network,
    /// For whom it was asked.
    pub account: AccountId,
    /// When.
    pub at: DateTime<Utc>,
    /// Taken by the entry.
    pub price: Micros,
}

/// The look-ups behind the line of `entry` on `account`'s wallet: their prices sum to the line's. At most as many as one
/// request asks for; none where the entry is not of look-ups, or older than such rows.
///
/// # Errors
/// When the database fails.
pub async fn look_ups(db: &Db, account: AccountId, entry: Uuid) -> Result<Vec<LookedUp>, Error> {
    let rows = query!(
        r#"SELECT e.account_id, e.at, n.number AS "number!", n.network AS "network!", p.price AS "price!"
           FROM entry_lookups e CROSS JOIN LATERAL unnest(e.payers, e.prices_micros) AS p (payer, price)
               CROSS JOIN LATERAL unnest(e.numbers, e.networks) AS n (number, network)
           WHERE e.entry_id = $2 AND p.payer = $1 ORDER BY n.number"#,
        account.uuid(),
        entry
    )
    .fetch_all(&db.pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(LookedUp {
                number: Number::from_stored(row.number).ok_or_else(|| Error::Corrupt("number".to_owned()))?,
                network: parse(&row.network, "network")?,
                account: AccountId::from_uuid(row.account_id),
                at: row.at,
                price: Micros::new(row.price),
            })
        })
        .collect()
}
