//! What explains a message beside its story: the prices that it was accepted at, the rates and the rule of its decision.

use chrono::{DateTime, Utc};
use domain::tariff::Chain;
use domain::{ChainId, MessageId, Micros, RateId, RoutingRuleId, TariffId};
use sqlx::{query, query_as};
use uuid::Uuid;

use crate::routing_rules::{self, Version};
use crate::{Db, Error};

/// A dated price: a tariff or a rate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dated {
    /// Which row.
    pub id: Uuid,
    /// MCC and MNC, or the MCC where it is the price of a country; `None`: of everywhere that a plan names no other price for.
    pub mcc_mnc: Option<String>,
    /// Price of a segment.
    pub price: Micros,
    /// From when it holds.
    pub from: DateTime<Utc>,
    /// Until when; `None`: open.
    pub to: Option<DateTime<Utc>>,
}

struct Row {
    id: Uuid,
    mcc_mnc: Option<String>,
    price_micros: i64,
    effective_from: DateTime<Utc>,
    effective_to: Option<DateTime<Utc>>,
}

impl From<Row> for Dated {
    fn from(row: Row) -> Self {
        let Row { id, mcc_mnc, price_micros, effective_from, effective_to } = row;
        Self { id, mcc_mnc, price: Micros::new(price_micros), from: effective_from, to: effective_to }
    }
}

/// Who pays for a message, and how much. The caller has seen to it that the message is the tenant's.
///
/// # Errors
/// When the database fails, or the chain cannot be read.
pub async fn chain(db: &Db, message: MessageId) -> Result<Option<Chain>, Error> {
    let row = query!("SELECT chain_id FROM messages WHERE id = $1", message.uuid()).fetch_optional(&db.pool).await?;
    let Some(row) = row else { return Ok(None) };
    let id = ChainId::from_uuid(row.chain_id);
    let row = query!("SELECT chain FROM charge_chains WHERE id = $1", id.uuid()).fetch_optional(&db.pool).await?;
    row.map(|row| Ok(serde_json::from_value(row.chain)?)).transpose()
}

/// The rows of these tariffs.
///
/// # Errors
/// When the database fails.
pub async fn tariffs(db: &Db, ids: &[TariffId]) -> Result<Vec<Dated>, Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let rows = query_as!(
        Row,
        r#"SELECT id, nullif(concat(mcc, mnc), '') AS "mcc_mnc?", price_micros, effective_from, effective_to
           FROM tariffs WHERE id = ANY ($1)"#,
        &ids
    );
    Ok(rows.fetch_all(&db.pool).await?.into_iter().map(Dated::from).collect())
}

/// The rows of these rates.
///
/// # Errors
/// When the database fails.
pub async fn rates(db: &Db, ids: &[RateId]) -> Result<Vec<Dated>, Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let rows = query_as!(
        Row,
        r#"SELECT id, nullif(concat(mcc, mnc), '') AS "mcc_mnc?", price_micros, effective_from, effective_to
           FROM operator_rates WHERE id = ANY ($1)"#,
        &ids
    );
    Ok(rows.fetch_all(&db.pool).await?.into_iter().map(Dated::from).collect())
}

/// An operator that had a message, and has it no more.
#[derive(Debug, Clone, PartialEq)]
pub struct Left {
    /// Which try at a route it was.
    pub hop: i16,
    /// Who.
    pub operator: Uuid,
    /// How it was chosen; `None`: that is not kept any more.
    pub decision: Option<serde_json::Value>,
}

/// The operators that had a message before the one in its own row, by hop, also those that never got it. The caller has
/// seen to it that the message is the tenant's.
///
/// # Errors
/// When the database fails.
pub async fn left(db: &Db, message: MessageId) -> Result<Vec<Left>, Error> {
    let rows = query_as!(
        Left,
        r#"SELECT h.hop, h.operator_id AS operator, d.decision AS "decision?"
           FROM message_hops h LEFT JOIN routing_decisions d ON d.id = h.decision_id
           WHERE h.message_id = $1 ORDER BY h.hop"#,
        message.uuid()
    );
    Ok(rows.fetch_all(&db.pool).await?)
}

/// A look for another operator that found none.
#[derive(Debug, Clone, PartialEq)]
pub struct InVain {
    /// When.
    pub at: DateTime<Utc>,
    /// Why.
    pub code: Option<String>,
    /// The ranking; `None`: it is not kept any more.
    pub decision: Option<serde_json::Value>,
}

/// The looks for another operator of a message that found none, in their order. The caller has seen to it that the message
/// is the tenant's.
///
/// # Errors
/// When the database fails.
pub async fn in_vain(db: &Db, message: MessageId) -> Result<Vec<InVain>, Error> {
    let rows = query_as!(
        InVain,
        r#"SELECT e.at, e.code, d.decision AS "decision?"
           FROM message_events e LEFT JOIN routing_decisions d ON d.id = e.decision_id
           WHERE e.message_id = $1 AND e.decision_id IS NOT NULL ORDER BY e.at"#,
        message.uuid()
    );
    Ok(rows.fetch_all(&db.pool).await?)
}

/// What a rule said in one of its versions.
///
/// # Errors
/// When the database fails.
pub async fn rule(db: &Db, id: RoutingRuleId, version: u32) -> Result<Option<Version>, Error> {
    Ok(routing_rules::versions(db, id).await?.into_iter().find(|one| one.rule.version == version))
}

/// The names of these operators, also of those that were taken away.
///
/// # Errors
/// When the database fails.
pub async fn operator_names(db: &Db, ids: &[Uuid]) -> Result<Vec<(Uuid, String)>, Error> {
    let rows = query!("SELECT id, name FROM operators WHERE id = ANY ($1)", ids).fetch_all(&db.pool).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.name)).collect())
}
