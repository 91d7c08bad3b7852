//! Storing which operator carries a message, and why.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

use chrono::{DateTime, Utc};
use domain::fx::Exchanged;
use domain::reroute::Policy;
use domain::routing::Decision;
use domain::{DecisionId, MessageId, OperatorId, RateId, State};
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::chain::hashed;
use crate::{Db, Error, hops, receipt_timers};

/// A message and its operator.
#[derive(Debug, Clone)]
pub struct Choice {
    /// Which message.
    pub message: MessageId,
    /// Which try at a route this is.
    pub hop: i16,
    /// Who carries it.
    pub operator: OperatorId,
    /// The rate row that it costs by.
    pub rate: RateId,
    /// Cost of a segment, in micros of `cost_currency`.
    pub cost_micros: i64,
    /// Currency of the cost.
    pub cost_currency: String,
    /// That cost in the message's currency, where that is another one and an exchange rate was in force.
    pub exchange: Option<Exchanged>,
    /// Why.
    pub decision: DecisionId,
    /// When it goes on from there to another operator; `None`: a receipt sends it nowhere.
    pub reroute: Option<Policy>,
}

/// The id of a decision: a hash of what it says, so that equal decisions are stored once.
pub fn decision_id(decision: &Decision) -> Result<(DecisionId, serde_json::Value), Error> {
    let json = serde_json::to_value(decision)?;
    let hash = Sha256::digest(json.to_string().as_bytes());
    Ok((DecisionId::from_uuid(hashed(&hash)), json))
}

/// Decisions that one look of the sweep forgets at most.
const FORGOTTEN_MAX: i64 = 10_000;

/// Stores decisions that are not stored yet, and notes of the others, once a day, that they are used.
pub async fn remember<S: BuildHasher>(
    connection: &mut PgConnection,
    decisions: &HashMap<DecisionId, serde_json::Value, S>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if decisions.is_empty() {
        return Ok(());
    }
    let mut sorted: Vec<_> = decisions.iter().collect();
    sorted.sort_by_key(|(id, _)| **id);
    let ids: Vec<Uuid> = sorted.iter().map(|(id, _)| id.uuid()).collect();
    let bodies: Vec<serde_json::Value> = sorted.iter().map(|(_, json)| (*json).clone()).collect();
    query!(
        "WITH used AS (
           UPDATE routing_decisions SET used_at = $3 WHERE id = ANY ($1) AND used_at < $3::timestamptz - interval '1 day')
         INSERT INTO routing_decisions (id, decision, used_at)
         SELECT i.id, i.decision, $3 FROM unnest($1::uuid[], $2::jsonb[]) AS i (id, decision)
         ON CONFLICT DO NOTHING",
        &ids,
        &bodies,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets decisions that no message has used since `before`: the messages that name them are gone by then. Answers how
/// many; where there are more, the next look takes them. A record of a message outlives its decision.
pub(crate) async fn forget(db: &Db, before: DateTime<Utc>) -> Result<u64, Error> {
    let done = query!(
        "DELETE FROM routing_decisions WHERE id IN (
           SELECT id FROM routing_decisions WHERE used_at < $1 ORDER BY used_at LIMIT $2)",
        before,
        FORGOTTEN_MAX
    );
    Ok(done.execute(&db.pool).await?.rows_affected())
}

/// Gives each message its operator: accepted → queued. One that an operator took before keeps its state, which only goes
/// up; its hop grows, by one at a time, so that of two that want to send it on one does. Answers those that took it; the
/// others have ended meanwhile (canceled, expired, delivered after all) or are further on.
pub async fn choose(
    connection: &mut PgConnection,
    mut choices: Vec<Choice>,
    now: DateTime<Utc>,
) -> Result<Vec<MessageId>, Error> {
    if choices.is_empty() {
        return Ok(Vec::new());
    }
    choices.sort_by_key(|c| c.message);
    if choices.iter().any(|choice| choice.hop > 0) {
        let all: Vec<(MessageId, i16)> = choices.iter().map(|choice| (choice.message, choice.hop)).collect();
        hops::leave(connection, &all, now).await?;
    }
    let low = choices[0].message.uuid();
    let ids: Vec<Uuid> = choices.iter().map(|c| c.message.uuid()).collect();
    let tries: Vec<i16> = choices.iter().map(|c| c.hop).collect();
    let operators: Vec<Uuid> = choices.iter().map(|c| c.operator.uuid()).collect();
    let rates: Vec<Uuid> = choices.iter().map(|c| c.rate.uuid()).collect();
    let costs: Vec<i64> = choices.iter().map(|c| c.cost_micros).collect();
    let currencies: Vec<&str> = choices.iter().map(|c| c.cost_currency.as_str()).collect();
    let decisions: Vec<Uuid> = choices.iter().map(|c| c.decision.uuid()).collect();
    let hops_max: Vec<Option<i16>> = choices.iter().map(|c| c.reroute.map(|policy| policy.hops_max.into())).collect();
    let exchange_rates: Vec<Option<Uuid>> = choices.iter().map(|c| c.exchange.map(|e| e.rate_id.uuid())).collect();
    let exchanged: Vec<Option<i64>> = choices.iter().map(|c| c.exchange.map(|e| e.amount.get())).collect();
    let spreads: Vec<Option<i64>> = choices.iter().map(|c| c.exchange.map(|e| e.spread.get())).collect();
    let rows = query!(
        r#"
        WITH moved AS (
            UPDATE messages m SET state = CASE WHEN m.state_rank <= 2 THEN 'queued' ELSE m.state END,
                state_rank = greatest(m.state_rank, 2::smallint), hop = i.hop, operator_id = i.operator,
                rate_id = i.rate, unit_cost_micros = i.cost, cost_currency = i.currency, decision_id = i.decision,
                updated_at = $9, hops_max = i.hops_max, accepted_before = greatest(m.accepted_before, m.hop_accepted),
                hop_accepted = NULL, hop_entry_id = NULL, exchange_rate_id = i.exchange,
                unit_exchanged_micros = i.exchanged, unit_spread_micros = i.spread,
                cost_charge_on = coalesce((SELECT r.charge_on FROM operator_rates r WHERE r.id = i.rate), 'submit')
            FROM unnest($1::uuid[], $2::smallint[], $3::uuid[], $4::uuid[], $5::bigint[], $6::text[], $7::uuid[],
                $10::smallint[], $11::uuid[], $12::bigint[], $13::bigint[])
                AS i (id, hop, operator, rate, cost, currency, decision, hops_max, exchange, exchanged, spread)
            WHERE m.id = i.id AND m.id >= $8 AND m.state_rank < 8
                AND (m.hop = i.hop AND m.operator_id IS NULL OR m.hop = i.hop - 1)
            RETURNING m.id, m.operator_id
        ), events AS (
            INSERT INTO message_events (message_id, at, state, source, operator_id)
            SELECT id, $9, 'queued', 'route', operator_id FROM moved
        )
        SELECT id FROM moved
        "#,
        &ids,
        &tries,
        &operators,
        &rates,
        &costs,
        &currencies as &[&str],
        &decisions,
        low,
        now,
        &hops_max as &[Option<i16>],
        &exchange_rates as &[Option<Uuid>],
        &exchanged as &[Option<i64>],
        &spreads as &[Option<i64>]
    )
    .fetch_all(&mut *connection)
    .await?;
    let chosen: Vec<MessageId> = rows.into_iter().map(|row| MessageId::from_uuid(row.id)).collect();
    let waits: BTreeMap<MessageId, (i16, i32)> = choices.iter().filter_map(timer).collect();
    let timers = chosen.iter().filter_map(|id| Some((*id, *waits.get(id)?))).collect();
    receipt_timers::start(connection, &timers, now).await?;
    Ok(chosen)
}

/// How long a message waits for its receipt before it goes on, in seconds.
fn timer(choice: &Choice) -> Option<(MessageId, (i16, i32))> {
    let seconds = choice.reroute?.receipt_timeout_seconds?;
    Some((choice.message, (choice.hop, i32::try_from(seconds).ok()?)))
}

/// A look for another operator of a message that one had before, which found none.
#[derive(Debug, Clone)]
pub struct LookInVain {
    /// Of which message.
    pub message: MessageId,
    /// The state that its history shows: how the message ends, or where it stays.
    pub state: State,
    /// Why there is none.
    pub code: String,
    /// The ranking.
    pub decision: DecisionId,
}

/// Appends looks that found nobody to the histories of their messages, each with its decision.
///
/// # Errors
/// When the database fails.
pub async fn note_looks(connection: &mut PgConnection, looks: &[LookInVain], now: DateTime<Utc>) -> Result<(), Error> {
    if looks.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = looks.iter().map(|look| look.message.uuid()).collect();
    let states: Vec<&str> = looks.iter().map(|look| look.state.name()).collect();
    let codes: Vec<&str> = looks.iter().map(|look| look.code.as_str()).collect();
    let decisions: Vec<Uuid> = looks.iter().map(|look| look.decision.uuid()).collect();
    query!(
        "INSERT INTO message_events (message_id, at, state, source, code, decision_id)
         SELECT i.id, $5, i.state, 'route', i.code, i.decision
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[]) AS i (id, state, code, decision)",
        &ids,
        &states as &[&str],
        &codes as &[&str],
        &decisions,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Stores why messages got no operator that none had before.
pub async fn note(connection: &mut PgConnection, mut notes: Vec<(MessageId, DecisionId)>) -> Result<(), Error> {
    notes.sort_unstable();
    let Some((low, _)) = notes.first() else { return Ok(()) };
    let low = low.uuid();
    let (ids, decisions): (Vec<Uuid>, Vec<Uuid>) =
        notes.iter().map(|(message, decision)| (message.uuid(), decision.uuid())).unzip();
    query!(
        "UPDATE messages m SET decision_id = i.decision FROM unnest($1::uuid[], $2::uuid[]) AS i (id, decision)
         WHERE m.id = i.id AND m.id >= $3 AND m.state_rank <= 2",
        &ids,
        &decisions,
        low
    )
    .execute(connection)
    .await?;
    Ok(())
}
