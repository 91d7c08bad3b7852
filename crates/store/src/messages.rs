//! Reading messages back: one with its whole story, or a page of them. The tenant sees its own subtree.

use chrono::{DateTime, Utc};
use domain::{AccountId, Currency, MessageId, Micros, Number, OperatorId, Private, State};
use sqlx::{query, query_as};
use uuid::Uuid;

use crate::long::{self, LongPart};
use crate::page::{Page, narrow, parse};
use crate::{Db, Error};

/// A moment behind every message, in seconds since 1970: the year 9999. An id of version 7 can still hold it.
const END_OF_TIME_S: i64 = 253_402_300_799;

/// A message as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// Whose it is.
    pub account: AccountId,
    /// Where it goes.
    pub to: Number,
    /// What the handset shows as its origin.
    pub from: String,
    /// What it says.
    pub text: Private,
    /// Where it stands.
    pub state: State,
    /// Why it ended so.
    pub code: Option<String>,
    /// How it travels.
    pub encoding: String,
    /// How many short messages it takes.
    pub segments: u8,
    /// Where it was priced for.
    pub mcc_mnc: String,
    /// What kind of traffic it is, where its customer said so.
    pub traffic_class: Option<String>,
    /// The template that it was made of, where its customer said so.
    pub template: Option<String>,
    /// The sender's own price of a segment.
    pub unit_price: Micros,
    /// Taken from the sender's wallet by now.
    pub captured: Micros,
    /// The currency of both.
    pub currency: Currency,
    /// The customer's own reference.
    pub client_reference: Option<String>,
    /// Where its events go.
    pub status_url: Option<String>,
    /// The customer's own data.
    pub metadata: Option<serde_json::Value>,
    /// Not submitted after this.
    pub expires_at: DateTime<Utc>,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// When its state changed last.
    pub updated_at: DateTime<Utc>,
    /// Who carries it.
    pub operator: Option<OperatorId>,
    /// Which try at a route it is on.
    pub hop: i16,
    /// The part that stands for the whole, where its customer cut a message.
    pub long_head: Option<MessageId>,
    /// All parts of that message, in their order.
    pub long: Vec<LongPart>,
}

/// Something that happened to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: DateTime<Utc>,
    /// The state that it brought.
    pub state: String,
    /// Who says so.
    pub source: String,
    /// Why.
    pub code: Option<String>,
    /// Of which segment; `None`: of the whole.
    pub segment: Option<i16>,
    /// At which operator.
    pub operator_id: Option<Uuid>,
}

/// One segment at one operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Which try at a route.
    pub hop: i16,
    /// From 1.
    pub segment: i16,
    /// At whom.
    pub operator_id: Uuid,
    /// The operator's id.
    pub smpp_message_id: Option<String>,
    /// SMPP `command_status`; `None`: never answered.
    pub submit_status: Option<i64>,
    /// When the answer came.
    pub submitted_at: DateTime<Utc>,
    /// Where it stands.
    pub state: String,
    /// The operator's error code.
    pub error: Option<String>,
    /// When its receipt came.
    pub receipt_at: Option<DateTime<Utc>>,
}

/// A message with its whole story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// The message.
    pub message: Message,
    /// What happened, in order of time. The first event, `accepted`, is the message's own row.
    pub events: Vec<Event>,
    /// Its segments at operators, in order of hop and segment.
    pub parts: Vec<Part>,
    /// How the operator was chosen, as stored by the route function.
    pub decision: Option<serde_json::Value>,
}

/// Which messages are listed; `None` asks for any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this account; else of the whole subtree.
    pub account: Option<AccountId>,
    /// In this state.
    pub state: Option<State>,
    /// To this number.
    pub to: Option<Number>,
    /// From this sender.
    pub from: Option<String>,
    /// With this reference.
    pub client_reference: Option<String>,
    /// Accepted at this time or later.
    pub since: Option<DateTime<Utc>>,
    /// Accepted before this time.
    pub until: Option<DateTime<Utc>>,
}

struct Row {
    id: Uuid,
    account_id: Uuid,
    recipient: i64,
    sender: String,
    body: String,
    state: String,
    code: Option<String>,
    encoding: String,
    segments: i16,
    mcc_mnc: String,
    traffic_class: Option<String>,
    template: Option<String>,
    unit_price_micros: i64,
    captured_micros: i64,
    currency: String,
    client_reference: Option<String>,
    status_url: Option<String>,
    metadata: Option<serde_json::Value>,
    expires_at: DateTime<Utc>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    operator_id: Option<Uuid>,
    hop: i16,
    long_head: Option<Uuid>,
}

impl Row {
    fn message(self) -> Result<Message, Error> {
        Ok(Message {
            id: MessageId::from_uuid(self.id),
            account: AccountId::from_uuid(self.account_id),
            to: Number::from_stored(self.recipient).ok_or_else(|| Error::Corrupt("recipient".to_owned()))?,
            from: self.sender,
            text: Private::new(self.body),
            state: parse(&self.state, "state")?,
            code: self.code,
            encoding: self.encoding,
            segments: narrow(self.segments, "segments")?,
            mcc_mnc: self.mcc_mnc,
            traffic_class: self.traffic_class,
            template: self.template,
            unit_price: Micros::new(self.unit_price_micros),
            captured: Micros::new(self.captured_micros),
            currency: parse(&self.currency, "currency")?,
            client_reference: self.client_reference,
            status_url: self.status_url,
            metadata: self.metadata,
            expires_at: self.expires_at,
            created_at: self.created_at,
            updated_at: self.updated_at,
            operator: self.operator_id.map(OperatorId::from_uuid),
            hop: self.hop,
            long_head: self.long_head.map(MessageId::from_uuid),
            long: Vec::new(),
        })
    }
}

/// One message of the tenant's subtree, with its whole story.
pub async fn get(db: &Db, tenant: AccountId, id: MessageId) -> Result<Option<Story>, Error> {
    let row = query_as!(
        Row,
        r#"SELECT m.id, m.account_id, m.recipient, m.sender, m.body, m.state, m.code, m.encoding, m.segments, m.mcc_mnc,
             m.unit_price_micros, m.captured_micros, m.currency AS "currency!", m.client_reference, m.status_url,
             m.metadata, m.expires_at, m.created_at, m.updated_at, m.operator_id, m.hop, m.long_head, m.traffic_class, m.template
           FROM messages m JOIN accounts a ON a.id = m.account_id
           WHERE m.id = $2 AND a.path @> ARRAY[$1::uuid]"#,
        tenant.uuid(),
        id.uuid(),
    )
    .fetch_optional(&db.pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let mut message = row.message()?;
    long::complete(db, std::slice::from_mut(&mut message)).await?;
    let events = query_as!(
        Event,
        "SELECT at, state, source, code, segment, operator_id FROM message_events WHERE message_id = $1 ORDER BY at",
        id.uuid(),
    );
    let parts = query_as!(
        Part,
        "SELECT hop, segment, operator_id, smpp_message_id, submit_status, submitted_at, state, error, receipt_at
         FROM message_parts WHERE message_id = $1 ORDER BY hop, segment",
        id.uuid(),
    );
    let decision = query!(
        "SELECT d.decision FROM messages m JOIN routing_decisions d ON d.id = m.decision_id WHERE m.id = $1",
        id.uuid(),
    );
    Ok(Some(Story {
        message,
        events: events.fetch_all(&db.pool).await?,
        parts: parts.fetch_all(&db.pool).await?,
        decision: decision.fetch_optional(&db.pool).await?.map(|row| row.decision),
    }))
}

/// A page of messages, newest first; of those that their customer cut, the first part stands for the whole. Reads at most a page per account of the subtree through its index, so the
/// cost grows with the accounts looked at and not with their messages, unless `state` or `from` is rare.
pub async fn list(db: &Db, tenant: AccountId, filter: &Filter, page: Page) -> Result<Vec<Message>, Error> {
    let since = filter.since.unwrap_or(DateTime::UNIX_EPOCH);
    let until = filter.until.or(DateTime::from_timestamp(END_OF_TIME_S, 0));
    let rows = query_as!(
        Row,
        r#"SELECT m.id AS "id!", m.account_id AS "account_id!", m.recipient AS "recipient!", m.sender AS "sender!",
             m.body AS "body!", m.state AS "state!", m.code, m.encoding AS "encoding!", m.segments AS "segments!",
             m.mcc_mnc AS "mcc_mnc!", m.unit_price_micros AS "unit_price_micros!",
             m.captured_micros AS "captured_micros!", m.currency AS "currency!", m.client_reference, m.status_url,
             m.metadata, m.expires_at AS "expires_at!", m.created_at AS "created_at!", m.updated_at AS "updated_at!",
             m.operator_id, m.hop AS "hop!", m.long_head, m.traffic_class, m.template
           FROM accounts a CROSS JOIN LATERAL (
             SELECT * FROM messages m
             WHERE m.account_id = a.id AND m.id < least($3, uuid_at($4))
               AND m.id >= uuid_at($5) AND (m.long_head IS NULL OR m.long_head = m.id)
               AND ($6::text IS NULL OR m.state = $6) AND ($7::bigint IS NULL OR m.recipient = $7)
               AND ($8::text IS NULL OR m.sender = $8) AND ($9::text IS NULL OR m.client_reference = $9)
             ORDER BY m.id DESC LIMIT $10) m
           WHERE a.path @> ARRAY[$1::uuid] AND ($2::uuid IS NULL OR a.id = $2)
           ORDER BY m.id DESC LIMIT $10"#,
        tenant.uuid(),
        filter.account.map(AccountId::uuid),
        page.end(),
        until,
        since,
        filter.state.map(State::name),
        filter.to.map(Number::stored),
        filter.from,
        filter.client_reference,
        page.limit(),
    )
    .fetch_all(&db.pool)
    .await?;
    let mut messages = rows.into_iter().map(Row::message).collect::<Result<Vec<_>, _>>()?;
    long::complete(db, &mut messages).await?;
    Ok(messages)
}
