//! Storing which operator carries a message, and why.

use std::collections::HashMap;
use std::hash::BuildHasher;

use chrono::{DateTime, Utc};
use domain::routing::Decision;
use domain::{DecisionId, MessageId, OperatorId, RateId};
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::Error;
use crate::chain::hashed;

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
    /// Why.
    pub decision: DecisionId,
}

/// The id of a decision: a hash of what it says, so that equal decisions are stored once.
pub fn decision_id(decision: &Decision) -> Result<(DecisionId, serde_json::Value), Error> {
    let json = serde_json::to_value(decision)?;
    let hash = Sha256::digest(json.to_string().as_bytes());
    Ok((DecisionId::from_uuid(hashed(&hash)), json))
}

/// Stores decisions that are not stored yet.
pub async fn remember<S: BuildHasher>(
    connection: &mut PgConnection,
    decisions: &HashMap<DecisionId, serde_json::Value, S>,
) -> Result<(), Error> {
    if decisions.is_empty() {
        return Ok(());
    }
    let mut sorted: Vec<_> = decisions.iter().collect();
    sorted.sort_by_key(|(id, _)| **id);
    let ids: Vec<Uuid> = sorted.iter().map(|(id, _)| id.uuid()).collect();
    let bodies: Vec<serde_json::Value> = sorted.iter().map(|(_, json)| (*json).clone()).collect();
    query!(
        "INSERT INTO routing_decisions (id, decision) SELECT * FROM unnest($1::uuid[], $2::jsonb[])
         ON CONFLICT DO NOTHING",
        &ids,
        &bodies
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Gives each message its operator: accepted → queued. Answers those that took it; the others have ended
/// meanwhile (canceled, expired) or are further on.
pub async fn choose(
    connection: &mut PgConnection,
    mut choices: Vec<Choice>,
    now: DateTime<Utc>,
) -> Result<Vec<MessageId>, Error> {
    if choices.is_empty() {
        return Ok(Vec::new());
    }
    choices.sort_by_key(|c| c.message);
    let low = choices[0].message.uuid();
    let ids: Vec<Uuid> = choices.iter().map(|c| c.message.uuid()).collect();
    let hops: Vec<i16> = choices.iter().map(|c| c.hop).collect();
    let operators: Vec<Uuid> = choices.iter().map(|c| c.operator.uuid()).collect();
    let rates: Vec<Uuid> = choices.iter().map(|c| c.rate.uuid()).collect();
    let costs: Vec<i64> = choices.iter().map(|c| c.cost_micros).collect();
    let currencies: Vec<&str> = choices.iter().map(|c| c.cost_currency.as_str()).collect();
    let decisions: Vec<Uuid> = choices.iter().map(|c| c.decision.uuid()).collect();
    let rows = query!(
        r#"
        WITH moved AS (
            UPDATE messages m SET state = 'queued', state_rank = 2, hop = i.hop, operator_id = i.operator,
                rate_id = i.rate, unit_cost_micros = i.cost, cost_currency = i.currency, decision_id = i.decision,
                updated_at = $9
            FROM unnest($1::uuid[], $2::smallint[], $3::uuid[], $4::uuid[], $5::bigint[], $6::text[], $7::uuid[])
                AS i (id, hop, operator, rate, cost, currency, decision)
            WHERE m.id = i.id AND m.id >= $8 AND m.state_rank <= 2 AND m.hop <= i.hop
            RETURNING m.id, m.operator_id
        ), events AS (
            INSERT INTO message_events (message_id, at, state, source, operator_id)
            SELECT id, $9, 'queued', 'route', operator_id FROM moved
        )
        SELECT id FROM moved
        "#,
        &ids,
        &hops,
        &operators,
        &rates,
        &costs,
        &currencies as &[&str],
        &decisions,
        low,
        now
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| MessageId::from_uuid(row.id)).collect())
}

/// Stores why messages got no operator.
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
