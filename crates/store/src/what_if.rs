//! Replays of traffic against changed settings: their rows, and the traffic.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{AccountId, Encoding, MessageId, Network, Number, TemplateName, TrafficClass, WhatIfId};
use sqlx::{query, query_as};
use uuid::Uuid;

use crate::page::{Page, narrow, parse};
use crate::{Db, Error};

/// Replays that run at one time: each keeps a processor busy.
pub const RUNNING_MAX: i64 = 2;
/// A replay whose process was silent for so long has died.
pub const SILENT: TimeDelta = TimeDelta::minutes(1);
/// Replays are kept for so long.
const KEPT: TimeDelta = TimeDelta::days(90);
/// Records of one page.
const PAGE: i64 = 5_000;

/// A replay as it stands.
#[derive(Debug, Clone)]
pub struct WhatIf {
    /// Its id.
    pub id: Uuid,
    /// `running`, `done` or `failed`.
    pub state: String,
    /// Messages replayed by now.
    pub messages: i64,
    /// When done.
    pub result: Option<serde_json::Value>,
    /// When failed.
    pub error: Option<String>,
    /// The key or user that asked.
    pub made_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When its process last said so.
    pub updated_at: DateTime<Utc>,
}

/// A message of the past.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Its id.
    pub id: MessageId,
    /// Whose it was.
    pub account: AccountId,
    /// Where it went.
    pub to: Number,
    /// From whom.
    pub from: String,
    /// Its network.
    pub network: Network,
    /// How it travelled.
    pub encoding: Encoding,
    /// Its segments.
    pub segments: u8,
    /// Its class of traffic.
    pub traffic_class: Option<TrafficClass>,
    /// Its template.
    pub template: Option<TemplateName>,
    /// When it was accepted; a scheduled one: when it was to be sent.
    pub at: DateTime<Utc>,
}

/// Which messages of the past.
#[derive(Debug, Clone, Copy)]
pub struct Period {
    /// Accepted at this time or later.
    pub since: DateTime<Utc>,
    /// Accepted before this time.
    pub until: DateTime<Utc>,
    /// Of this account and those below it.
    pub account: Option<AccountId>,
    /// To this network, or this country where it has no MNC.
    pub network: Option<Network>,
}

/// Begins a replay, and forgets those of long ago. `false`: so many run that this one has to wait.
///
/// # Errors
/// When the database fails.
pub async fn begin(
    db: &Db,
    id: WhatIfId,
    request: &serde_json::Value,
    made_by: &str,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    query!("DELETE FROM what_ifs WHERE created_at < $1", now - KEPT).execute(&db.pool).await?;
    let made = query!(
        "INSERT INTO what_ifs (id, request, made_by, created_at, updated_at)
         SELECT $1, $2, $3, $4, $4
         WHERE (SELECT count(*) FROM what_ifs WHERE state = 'running' AND updated_at > $5) < $6",
        id.uuid(),
        request,
        made_by,
        now,
        now - SILENT,
        RUNNING_MAX,
    )
    .execute(&db.pool)
    .await?;
    Ok(made.rows_affected() > 0)
}

/// Says how far a replay has come.
///
/// # Errors
/// When the database fails.
pub async fn progress(db: &Db, id: WhatIfId, messages: u64, now: DateTime<Utc>) -> Result<(), Error> {
    query!(
        "UPDATE what_ifs SET messages = $2, updated_at = $3 WHERE id = $1",
        id.uuid(),
        i64::try_from(messages).unwrap_or(i64::MAX),
        now
    )
    .execute(&db.pool)
    .await?;
    Ok(())
}

/// Ends a replay with its result, or with why it failed.
///
/// # Errors
/// When the database fails.
pub async fn end(
    db: &Db,
    id: WhatIfId,
    result: Result<serde_json::Value, String>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let state = if result.is_ok() { "done" } else { "failed" };
    let (result, error) = match result {
        Ok(result) => (Some(result), None),
        Err(error) => (None, Some(error)),
    };
    query!(
        "UPDATE what_ifs SET state = $2, result = $3, error = $4, updated_at = $5 WHERE id = $1",
        id.uuid(),
        state,
        result,
        error,
        now
    )
    .execute(&db.pool)
    .await?;
    Ok(())
}

/// A replay as it stands.
///
/// # Errors
/// When the database fails.
pub async fn get(db: &Db, id: WhatIfId) -> Result<Option<WhatIf>, Error> {
    let row = query_as!(
        WhatIf,
        "SELECT id, state, messages, result, error, made_by, created_at, updated_at FROM what_ifs WHERE id = $1",
        id.uuid(),
    );
    Ok(row.fetch_optional(&db.pool).await?)
}

/// Replays, newest first, without what they found.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &Db, page: Page) -> Result<Vec<WhatIf>, Error> {
    let rows = query_as!(
        WhatIf,
        r#"SELECT id, state, messages, NULL::jsonb AS "result?", error, made_by, created_at, updated_at FROM what_ifs
           WHERE id < $1 ORDER BY id DESC LIMIT $2"#,
        page.end(),
        page.limit()
    );
    Ok(rows.fetch_all(&db.pool).await?)
}

/// The page of messages behind `after`, in the order of their ids. Empty: there are no more.
///
/// # Errors
/// When the database fails, or a record cannot be read.
pub async fn sent(db: &Db, period: &Period, after: Uuid) -> Result<Vec<Sent>, Error> {
    let (country, network) = match period.network {
        Some(network) if network.mnc.is_some() => (None, Some(network.to_string())),
        country => (country.map(|country| country.to_string()), None),
    };
    let rows = query_as!(
        Record,
        r#"SELECT c.message_id AS id, c.account_id AS account, c.recipient AS to_number, c.sender, c.mcc_mnc, c.encoding,
           c.segments, c.traffic_class, c.template, coalesce(m.scheduled_at, c.accepted_at) AS "at!"
         FROM sms_cdr c LEFT JOIN messages m ON m.id = c.message_id
         WHERE c.message_id > greatest($1, uuid_at($2)) AND c.message_id < uuid_at($3) AND c.correction = 0
           AND ($4::uuid IS NULL OR EXISTS (
             SELECT FROM accounts a WHERE a.id = c.account_id AND a.path @> ARRAY[$4::uuid]))
           AND ($5::text IS NULL OR c.mcc_mnc = $5) AND ($6::text IS NULL OR left(c.mcc_mnc, 3) = $6)
         ORDER BY c.message_id LIMIT $7"#,
        after,
        period.since,
        period.until,
        period.account.map(AccountId::uuid),
        network,
        country,
        PAGE,
    );
    rows.fetch_all(&db.pool).await?.into_iter().map(Record::sent).collect()
}

struct Record {
    id: Uuid,
    account: Uuid,
    to_number: i64,
    sender: String,
    mcc_mnc: String,
    encoding: String,
    segments: i16,
    traffic_class: Option<String>,
    template: Option<String>,
    at: DateTime<Utc>,
}

impl Record {
    fn sent(self) -> Result<Sent, Error> {
        Ok(Sent {
            id: MessageId::from_uuid(self.id),
            account: AccountId::from_uuid(self.account),
            to: Number::from_stored(self.to_number).ok_or_else(|| Error::Corrupt("recipient".to_owned()))?,
            from: self.sender,
            network: parse(&self.mcc_mnc, "mcc_mnc")?,
            encoding: Encoding::parse(&self.encoding).ok_or_else(|| Error::Corrupt("encoding".to_owned()))?,
            segments: narrow(self.segments, "segments")?,
            traffic_class: self.traffic_class.map(|class| parse(&class, "traffic_class")).transpose()?,
            template: self.template.map(|template| parse(&template, "template")).transpose()?,
            at: self.at,
        })
    }
}
