//! Messages that more than one operator had: where they stand with all of them, what sends them on, and what each hop
//! costs whenever it is known.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use contract::{Accepted, Otherwise, Paid, Reroute};
use domain::reroute::{Part, Policy, Standing};
use domain::tariff::ChargeOn;
use domain::{AccountId, ChainId, Currency, MessageId, Micros, Number, OperatorId, State};
use sqlx::{PgConnection, query, query_as};
use uuid::Uuid;

use crate::advance::{Moved, cost_of, count, currency_of, exchange_of};
use crate::again::Row;
use crate::page::outcome;
use crate::{Db, Error};

/// Where messages stand with all their operators. The caller has locked them.
pub async fn standing(
    connection: &mut PgConnection,
    messages: &[(AccountId, MessageId)],
) -> Result<HashMap<MessageId, Standing>, Error> {
    let mut standings = HashMap::with_capacity(messages.len());
    if messages.is_empty() {
        return Ok(standings);
    }
    let (accounts, ids): (Vec<Uuid>, Vec<Uuid>) = messages.iter().map(|(a, m)| (a.uuid(), m.uuid())).unzip();
    let rows = query!(
        r#"SELECT m.id, m.state, m.hop, m.segments, m.hops_max, m.expires_at,
             m.hop > 0 AND m.operator_id IS NULL AS "is_between!",
             CASE WHEN m.hop > 0 THEN EXISTS (SELECT FROM message_events e WHERE e.message_id = m.id
                 AND e.source = 'bill' AND e.code = 'validity_expired') ELSE false END AS "has_lapsed!"
           FROM unnest($1::uuid[], $2::uuid[]) AS i (account, id)
           JOIN messages m ON m.id = i.id AND (m.account_id = i.account) IS TRUE"#,
        &accounts,
        &ids
    )
    .fetch_all(&mut *connection)
    .await?;
    for row in rows {
        let standing = Standing {
            state: state_of(&row.state)?,
            hop: count(row.hop)?,
            segments: count(row.segments)?,
            hops_max: row.hops_max.map(count).transpose()?,
            expires_at: row.expires_at,
            is_between: row.is_between,
            has_lapsed: row.has_lapsed,
            parts: Vec::new(),
        };
        standings.insert(MessageId::from_uuid(row.id), standing);
    }
    let parts = query!("SELECT message_id, hop, state, error FROM message_parts WHERE message_id = ANY ($1)", &ids)
        .fetch_all(connection)
        .await?;
    for part in parts {
        if let Some(standing) = standings.get_mut(&MessageId::from_uuid(part.message_id)) {
            let (hop, state) = (count(part.hop)?, state_of(&part.state)?);
            standing.parts.push(Part { hop, state, error: part.error });
        }
    }
    Ok(standings)
}

fn state_of(name: &str) -> Result<State, Error> {
    name.parse().map_err(|_| Error::Corrupt("state".into()))
}

/// A message that shall go to another operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Again {
    /// Whose.
    pub account: AccountId,
    /// Which.
    pub message: MessageId,
    /// An operator has taken it. Else it is routed as if it were new, but for those that refused it.
    pub is_taken: bool,
    /// How it ends when there is no other; see [`Reroute::otherwise`].
    pub otherwise: Option<Otherwise>,
}

/// The queue items that send messages to another route, with the operators that had them and what those cost. What has
/// ended meanwhile is left out.
pub async fn again(connection: &mut PgConnection, agains: Vec<Again>) -> Result<Vec<Accepted>, Error> {
    if agains.is_empty() {
        return Ok(Vec::new());
    }
    let accounts: Vec<Uuid> = agains.iter().map(|again| again.account.uuid()).collect();
    let ids: Vec<Uuid> = agains.iter().map(|again| again.message.uuid()).collect();
    let rows = query_as!(
        Row,
        r#"SELECT m.id, m.account_id, m.recipient, m.sender, m.body, m.encoding, m.segments, m.mcc_mnc, m.expires_at,
               m.smpp, m.traffic_class, m.template, (SELECT c.chain FROM charge_chains c WHERE c.id = m.chain_id) AS chain,
               ARRAY(SELECT e.operator_id FROM message_events e
                   WHERE e.message_id = m.id AND e.state = 'queued' AND e.source = 'route' ORDER BY e.at) AS "tried!: Vec<Option<Uuid>>"
           FROM unnest($1::uuid[], $2::uuid[]) AS i (account, id)
           JOIN messages m ON m.id = i.id AND (m.account_id = i.account) IS TRUE WHERE m.state_rank < 8"#,
        &accounts,
        &ids
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut paid = paid(connection, &ids).await?;
    let mut taken: HashMap<MessageId, Option<Otherwise>> =
        agains.into_iter().filter(|again| again.is_taken).map(|again| (again.message, again.otherwise)).collect();
    rows.into_iter()
        .map(|row| {
            let mut item = row.accepted()?;
            item.reroute = taken.remove(&item.message_id).map(|otherwise| {
                Box::new(Reroute { otherwise, paid: paid.remove(&item.message_id).unwrap_or_default() })
            });
            Ok(item)
        })
        .collect()
}

/// What operators were paid for messages by now, and what those are to be paid that bill deliveries and may still deliver.
async fn paid(connection: &mut PgConnection, messages: &[Uuid]) -> Result<HashMap<MessageId, Vec<Paid>>, Error> {
    let rows = query!(
        r#"SELECT h.message_id AS "message_id!", h.currency AS "currency!", sum(h.unit * t.segments)::bigint AS "amount!" FROM (
               SELECT message_id, hop, cost_currency AS currency, unit_cost_micros AS unit, accepted_segments AS taken,
                   cost_charge_on
               FROM message_hops WHERE message_id = ANY ($1)
               UNION ALL
               SELECT id, hop, cost_currency, unit_cost_micros, hop_accepted, cost_charge_on FROM messages
               WHERE id = ANY ($1) AND operator_id IS NOT NULL
           ) AS h CROSS JOIN LATERAL (
               SELECT CASE WHEN h.taken > 0 THEN h.taken WHEN h.cost_charge_on <> 'delivered' THEN 0 ELSE (
                   SELECT CASE WHEN bool_and(p.state IN ('sent', 'buffered', 'delivered')) THEN count(*) ELSE 0 END
                   FROM message_parts p WHERE p.message_id = h.message_id AND p.hop = h.hop) END AS segments
           ) AS t WHERE t.segments > 0 AND h.unit IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2"#,
        messages
    )
    .fetch_all(connection)
    .await?;
    let mut paid: HashMap<MessageId, Vec<Paid>> = HashMap::new();
    for row in rows {
        let one = Paid { currency: currency_of(&row.currency)?, amount: Micros::new(row.amount) };
        paid.entry(MessageId::from_uuid(row.message_id)).or_default().push(one);
    }
    Ok(paid)
}

/// Segments that an operator took, whatever became of the message since.
#[derive(Debug, Clone, Copy)]
pub struct Taken {
    /// Whose.
    pub account: AccountId,
    /// Which message.
    pub message: MessageId,
    /// At which try.
    pub hop: i16,
    /// How many.
    pub accepted: u8,
    /// The journal entry that books it.
    pub entry: Uuid,
}

/// Notes what operators delivered that bill deliveries, of messages that did not move by it: they are with their next
/// operator, or have ended. Each hop counts once. Answers what is to be booked.
///
/// # Errors
/// When the database fails.
pub async fn delivered(
    connection: &mut PgConnection,
    delivered: &[Taken],
    now: DateTime<Utc>,
) -> Result<Vec<Moved>, Error> {
    let (mut moved, mut rest) = (Vec::new(), delivered.to_vec());
    // A statement changes a row once: of a message that several operators delivered, one after the other.
    while !rest.is_empty() {
        let mut seen = HashSet::new();
        let (first, later): (Vec<_>, Vec<_>) = rest.into_iter().partition(|one| seen.insert(one.message));
        let left = delivered_before(connection, &first).await?;
        let mut booked = book(connection, (&first, ChargeOn::Delivered), &left, now).await?;
        for one in &mut booked {
            if let Some(before) = left.get(&one.message) {
                (one.cost, one.exchange, one.taken) = (before.cost, before.exchange, before.taken);
            }
        }
        moved.extend(booked);
        rest = later;
    }
    Ok(moved)
}

/// What an operator before the last is paid for one message.
struct Before {
    cost: Option<(OperatorId, Micros, Currency)>,
    exchange: Option<(Micros, Micros)>,
    taken: u8,
}

async fn delivered_before(
    connection: &mut PgConnection,
    delivered: &[Taken],
) -> Result<HashMap<MessageId, Before>, Error> {
    let ids: Vec<Uuid> = delivered.iter().map(|one| one.message.uuid()).collect();
    let hops: Vec<i16> = delivered.iter().map(|one| one.hop).collect();
    let accepted: Vec<i16> = delivered.iter().map(|one| i16::from(one.accepted)).collect();
    let entries: Vec<Uuid> = delivered.iter().map(|one| one.entry).collect();
    let rows = query!(
        r#"UPDATE message_hops h SET accepted_segments = i.accepted, entry_id = i.entry
           FROM unnest($1::uuid[], $2::smallint[], $3::smallint[], $4::uuid[]) AS i (id, hop, accepted, entry)
           WHERE h.message_id = i.id AND h.hop = i.hop AND h.cost_charge_on = 'delivered' AND h.entry_id IS NULL
           RETURNING h.message_id, h.operator_id, h.unit_cost_micros, h.cost_currency, h.unit_exchanged_micros,
               h.unit_spread_micros, i.accepted AS "taken!""#,
        &ids,
        &hops,
        &accepted,
        &entries
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let cost = cost_of(Some(row.operator_id), row.unit_cost_micros, row.cost_currency.as_deref())?;
            let exchange = exchange_of(row.unit_exchanged_micros, row.unit_spread_micros);
            Ok((MessageId::from_uuid(row.message_id), Before { cost, exchange, taken: count(row.taken)? }))
        })
        .collect()
}

/// Notes what operators took of messages whose state no longer changed by it: they are with their second operator, or have
/// ended. Each hop counts once. What comes after the end is a further record of the message. Answers what is to be booked.
pub async fn taken(connection: &mut PgConnection, taken: &[Taken], now: DateTime<Utc>) -> Result<Vec<Moved>, Error> {
    if taken.is_empty() {
        return Ok(Vec::new());
    }
    accepted_unpaid(connection, taken).await?;
    book(connection, (taken, ChargeOn::Submit), &HashMap::new(), now).await
}

/// Notes what operators accepted that bill deliveries only: their customers may pay for it.
async fn accepted_unpaid(connection: &mut PgConnection, taken: &[Taken]) -> Result<(), Error> {
    let ids: Vec<Uuid> = taken.iter().map(|one| one.message.uuid()).collect();
    let accounts: Vec<Uuid> = taken.iter().map(|one| one.account.uuid()).collect();
    let hops: Vec<i16> = taken.iter().map(|one| one.hop).collect();
    let accepted: Vec<i16> = taken.iter().map(|one| i16::from(one.accepted)).collect();
    query!(
        "UPDATE messages m SET accepted_before = greatest(m.accepted_before, i.accepted)
         FROM unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::smallint[]) AS i (account, id, hop, accepted)
         WHERE m.id = i.id AND (m.account_id = i.account) IS TRUE AND m.hop = i.hop AND m.state_rank < 8
             AND m.cost_charge_on = 'delivered'",
        &accounts,
        &ids,
        &hops,
        &accepted
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Books `taken` for those operators that take their money so; of the messages in `left` an operator before the last has
/// been noted already.
#[expect(clippy::too_many_lines, reason = "one statement: its text and its parameters")]
async fn book(
    connection: &mut PgConnection,
    (taken, charge_on): (&[Taken], ChargeOn),
    left: &HashMap<MessageId, Before>,
    now: DateTime<Utc>,
) -> Result<Vec<Moved>, Error> {
    let accounts: Vec<Uuid> = taken.iter().map(|one| one.account.uuid()).collect();
    let ids: Vec<Uuid> = taken.iter().map(|one| one.message.uuid()).collect();
    let hops: Vec<i16> = taken.iter().map(|one| one.hop).collect();
    let accepted: Vec<i16> = taken.iter().map(|one| i16::from(one.accepted)).collect();
    let entries: Vec<Uuid> = taken.iter().map(|one| one.entry).collect();
    let before: Vec<bool> = taken.iter().map(|one| left.contains_key(&one.message)).collect();
    let rows = query!(
        r#"
        WITH current AS (
            UPDATE messages m SET hop_accepted = CASE WHEN i.before THEN m.hop_accepted ELSE i.accepted END,
                hop_entry_id = CASE WHEN i.before THEN m.hop_entry_id ELSE i.entry END,
                late_costs = m.late_costs + CASE WHEN m.state_rank >= 8 THEN 1 ELSE 0 END
            FROM unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::smallint[], $5::uuid[], $7::bool[])
                AS i (account, id, hop, accepted, entry, before)
            WHERE m.id = i.id AND (m.account_id = i.account) IS TRUE AND (i.before OR m.hop = i.hop
                AND m.operator_id IS NOT NULL AND m.hop_accepted IS NULL AND m.cost_charge_on = $8
                AND ($8 = 'delivered' OR m.hop > 0 OR coalesce(m.accepted_segments, 0) = 0))
            RETURNING m.*, i.entry, i.accepted AS taken,
                coalesce(m.hop_accepted, CASE WHEN m.hop = 0 AND m.cost_charge_on = 'submit' THEN m.accepted_segments END, 0)
                    AS hop_taken
        ), cdr AS (
            INSERT INTO sms_cdr (message_id, correction, account_id, recipient, sender, mcc_mnc, encoding, segments,
                accepted_segments, state, code, operator_id, hop, chain_id, rate_id, decision_id, unit_price_micros,
                price_micros, currency, cost_micros, cost_currency, hops, capture_entry_id, client_reference,
                accepted_at, ended_at, traffic_class, template, exchange_rate_id, exchanged_micros, spread_micros,
                converted_micros,
                outcome, submit_entry_id, final_entry_id, late_entry_id)
            SELECT id, corrections + late_costs, account_id, recipient, sender, mcc_mnc, encoding, segments,
                coalesce(accepted_segments, 0), state, code, operator_id, hop, chain_id, rate_id, decision_id,
                unit_price_micros, captured_micros, currency, coalesce(unit_cost_micros, 0) * hop_taken
                    + CASE WHEN hop > 0 THEN hops_cost(id, hop, cost_currency) ELSE 0 END,
                cost_currency, CASE WHEN hop > 0 THEN hops_record(id, hop) END,
                CASE WHEN captured_micros = 0 THEN NULL WHEN charge_on = 'submit' THEN submit_entry_id
                    WHEN late_entry_id IS NOT NULL AND NOT sender_charges(chain_id, 'unconfirmed') THEN late_entry_id
                    ELSE final_entry_id END,
                client_reference, created_at, $6, traffic_class, template, exchange_rate_id,
                coalesce(unit_exchanged_micros * hop_taken, 0) + CASE WHEN hop > 0 THEN hops_exchanged(id, hop) ELSE 0 END,
                coalesce(unit_spread_micros * hop_taken, 0) + CASE WHEN hop > 0 THEN hops_spread(id, hop) ELSE 0 END,
                converted(unit_cost_micros, cost_currency, currency, unit_exchanged_micros, unit_spread_micros, hop_taken)
                    + CASE WHEN hop > 0 THEN hops_converted(id, hop, currency) ELSE 0 END,
                outcome, submit_entry_id, final_entry_id, late_entry_id
            FROM current WHERE state_rank >= 8
        )
        SELECT id, account_id, state, code, chain_id, segments, operator_id, unit_cost_micros, cost_currency,
            unit_exchanged_micros, unit_spread_micros, entry AS "entry!", taken AS "taken!", captured_micros, currency, recipient, outcome, hop
        FROM current
        "#,
        &accounts,
        &ids,
        &hops,
        &accepted,
        &entries,
        now,
        &before,
        charge_on.name()
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let cost = cost_of(row.operator_id, row.unit_cost_micros, row.cost_currency.as_deref())?;
            Ok(Moved {
                message: MessageId::from_uuid(row.id),
                account: AccountId::from_uuid(row.account_id),
                state: state_of(&row.state)?,
                code: row.code,
                chain: ChainId::from_uuid(row.chain_id),
                segments: count(row.segments)?,
                accepted: 0,
                settles_submit: false,
                settles_final: false,
                settles_late: false,
                outcome: outcome(row.outcome.as_deref())?,
                hop: row.hop,
                has_moved: false,
                taken: count(row.taken)?,
                cost,
                exchange: exchange_of(row.unit_exchanged_micros, row.unit_spread_micros),
                entry: row.entry,
                captured: Micros::new(row.captured_micros),
                currency: currency_of(&row.currency)?,
                status_url: None,
                to: Number::from_stored(row.recipient).ok_or_else(|| Error::Corrupt("recipient".into()))?,
                client_reference: None,
                submitter: None,
            })
        })
        .collect()
}

/// Keeps what the operators before cost and took, of messages that get their next one at try `hop`. Locks all of `messages`,
/// in one order; call it before they get it.
pub(crate) async fn leave(
    connection: &mut PgConnection,
    messages: &[(MessageId, i16)],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let (ids, hops): (Vec<Uuid>, Vec<i16>) = messages.iter().map(|(id, hop)| (id.uuid(), *hop)).unzip();
    let all: Vec<MessageId> = messages.iter().map(|(id, _)| *id).collect();
    crate::dlr::lock(connection, &all).await?;
    query!(
        "INSERT INTO message_hops (message_id, hop, operator_id, rate_id, decision_id, unit_cost_micros, cost_currency,
             accepted_segments, entry_id, left_at, exchange_rate_id, unit_exchanged_micros, unit_spread_micros, cost_charge_on)
         SELECT m.id, m.hop, m.operator_id, m.rate_id, m.decision_id, m.unit_cost_micros, m.cost_currency,
             m.hop_accepted, m.hop_entry_id, $3, m.exchange_rate_id, m.unit_exchanged_micros, m.unit_spread_micros,
             m.cost_charge_on
         FROM unnest($1::uuid[], $2::smallint[]) AS i (id, hop) JOIN messages m ON m.id = i.id AND m.hop = i.hop - 1
         WHERE m.operator_id IS NOT NULL AND m.state_rank < 8
         ON CONFLICT DO NOTHING",
        &ids,
        &hops,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What a segment cost with operators before, rounded up: a margin is not found by rounding.
pub fn paid_per_segment(paid: &[Paid], segments: u8) -> Vec<(Currency, Micros)> {
    let segments = i64::from(segments.max(1));
    let one = |paid: &Paid| {
        let amount = paid.amount.get();
        let whole = amount / segments + i64::from(amount % segments > 0);
        (paid.currency, Micros::new(whole))
    };
    paid.iter().map(one).collect()
}

/// What an account of the tenant's subtree says itself about messages that an operator took and did not deliver.
pub async fn policy(db: &Db, tenant: AccountId, account: AccountId) -> Result<Option<Policy>, Error> {
    let row =
        query!("SELECT reroute FROM accounts WHERE id = $2 AND path @> ARRAY[$1::uuid]", tenant.uuid(), account.uuid())
            .fetch_optional(&db.pool)
            .await?;
    Ok(row.and_then(|row| row.reroute).map(serde_json::from_value).transpose()?)
}

/// Sets it, for the account and all below it that say nothing themselves. `false`: there is no such account.
pub async fn set_policy(
    connection: &mut PgConnection,
    tenant: AccountId,
    account: AccountId,
    policy: Option<Policy>,
) -> Result<bool, Error> {
    let done = query!(
        "UPDATE accounts SET reroute = $3, updated_at = now() WHERE id = $2 AND path @> ARRAY[$1::uuid]",
        tenant.uuid(),
        account.uuid(),
        policy.map(serde_json::to_value).transpose()?
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}
