//! What a customer can still do about a message that it sent: look, cancel it, or give it another text.

use chrono::{DateTime, TimeDelta, Utc};
use contract::{Encoding, SmppFields};
use domain::settlement::Outcome;
use domain::{AccountId, MessageId, Private, SmppSystemId, State};
use sqlx::{PgConnection, query, query_as};
use uuid::Uuid;

use crate::advance::{Advance, Event, advance, append_events, count};
use crate::conclude::conclude;
use crate::page::parse;
use crate::{Db, Error, Tx};

/// How long after its validity a message is final at the latest.
const GRACE: TimeDelta = TimeDelta::hours(1);

/// Where a message stands, as far as a change of it is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Which message.
    pub message: MessageId,
    /// Whose.
    pub account: AccountId,
    /// By which system of the account it was submitted.
    pub system: Option<SmppSystemId>,
    /// Its sender.
    pub sender: String,
    /// Where it stands.
    pub state: State,
    /// Why.
    pub code: Option<String>,
    /// When it came there.
    pub updated_at: DateTime<Utc>,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// Not submitted before this.
    pub scheduled_at: Option<DateTime<Utc>>,
    /// Not submitted after this.
    pub expires_at: DateTime<Utc>,
    /// It was scheduled and is on its way now.
    pub is_released: bool,
    /// Short messages that it takes, which were paid for.
    pub segments: u8,
    /// What its SMPP customer said.
    pub fields: SmppFields,
}

impl Standing {
    /// Can it be withdrawn? As long as no operator was chosen.
    pub fn is_withdrawable(&self) -> bool {
        self.state.rank() < State::Queued.rank()
    }

    /// Can it get another text? As long as it waits for its time.
    pub fn is_replaceable(&self) -> bool {
        self.state == State::Scheduled && !self.is_released
    }
}

struct Row {
    id: Uuid,
    account_id: Uuid,
    smpp_system_id: Option<Uuid>,
    sender: String,
    state: String,
    code: Option<String>,
    updated_at: DateTime<Utc>,
    created_at: DateTime<Utc>,
    scheduled_at: Option<DateTime<Utc>>,
    expires_at: DateTime<Utc>,
    released_at: Option<DateTime<Utc>>,
    segments: i16,
    smpp: Option<serde_json::Value>,
}

impl Row {
    fn standing(self) -> Result<Standing, Error> {
        Ok(Standing {
            message: MessageId::from_uuid(self.id),
            account: AccountId::from_uuid(self.account_id),
            system: self.smpp_system_id.map(SmppSystemId::from_uuid),
            sender: self.sender,
            state: parse(&self.state, "state")?,
            code: self.code,
            updated_at: self.updated_at,
            created_at: self.created_at,
            scheduled_at: self.scheduled_at,
            expires_at: self.expires_at,
            is_released: self.released_at.is_some(),
            segments: count(self.segments)?,
            fields: self.smpp.map(serde_json::from_value).transpose()?.unwrap_or_default(),
        })
    }
}

/// Where a message of the tenant's subtree stands.
pub async fn find(db: &Db, tenant: AccountId, message: MessageId) -> Result<Option<Standing>, Error> {
    let row = query_as!(
        Row,
        "SELECT m.id, m.account_id, m.smpp_system_id, m.sender, m.state, m.code, m.updated_at, m.created_at,
             m.scheduled_at, m.expires_at, m.released_at, m.segments, m.smpp
         FROM messages m JOIN accounts a ON a.id = m.account_id WHERE m.id = $2 AND a.path @> ARRAY[$1::uuid]",
        tenant.uuid(),
        message.uuid()
    )
    .fetch_optional(&db.pool)
    .await?;
    row.map(Row::standing).transpose()
}

/// The same, locked until the transaction ends: no step of another function comes between the look and the change.
pub async fn lock(
    connection: &mut PgConnection,
    tenant: AccountId,
    message: MessageId,
) -> Result<Option<Standing>, Error> {
    let row = query_as!(
        Row,
        "SELECT m.id, m.account_id, m.smpp_system_id, m.sender, m.state, m.code, m.updated_at, m.created_at,
             m.scheduled_at, m.expires_at, m.released_at, m.segments, m.smpp
         FROM messages m JOIN accounts a ON a.id = m.account_id WHERE m.id = $2 AND a.path @> ARRAY[$1::uuid]
         FOR NO KEY UPDATE OF m",
        tenant.uuid(),
        message.uuid()
    )
    .fetch_optional(connection)
    .await?;
    row.map(Row::standing).transpose()
}

/// Withdraws a message that the caller has locked and that is withdrawable: what is held for it is free again, its
/// customer is told. Call it last before the commit.
pub async fn cancel(tx: &mut Tx, db: &Db, standing: &Standing, now: DateTime<Utc>) -> Result<(), Error> {
    let (message, code) = (standing.message, Some("canceled".to_owned()));
    let step = Advance {
        account: standing.account,
        message,
        hop: None,
        to: State::Canceled,
        outcome: Outcome::Free,
        earns: false,
        code: code.clone(),
        accepted: 0,
        entry: Uuid::now_v7(),
    };
    let moved = advance(tx, vec![step], now).await?;
    let event = Event { message, at: now, state: State::Canceled, code, segment: None, operator: None };
    append_events(tx, "api", &[event]).await?;
    conclude(tx, db, &moved, now).await
}

/// What replaces text and times of a message.
#[derive(Debug, Clone)]
pub struct Replacement {
    /// What it says from now on.
    pub text: Private,
    /// How it travels.
    pub encoding: Encoding,
    /// Not submitted before this.
    pub scheduled_at: Option<DateTime<Utc>>,
    /// Not submitted after this.
    pub expires_at: DateTime<Utc>,
}

/// Gives a message that the caller has locked and that is replaceable another text of as many segments.
pub async fn replace(
    connection: &mut PgConnection,
    standing: &Standing,
    with: &Replacement,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    query!(
        "UPDATE messages SET body = $3, encoding = $4, scheduled_at = coalesce($5, scheduled_at), expires_at = $6,
             due_at = $7, updated_at = $8
         WHERE id = $2 AND account_id = $1",
        standing.account.uuid(),
        standing.message.uuid(),
        with.text.expose(),
        with.encoding.name(),
        with.scheduled_at,
        with.expires_at,
        with.expires_at + GRACE,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}
