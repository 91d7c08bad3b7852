//! How customers bind over SMPP, and who is bound.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use contract::system::{InboundStyle, ReceiptStyle};
use contract::{Alphabet, BindCounts, Octets, SessionStatus, SystemSettings};
use domain::{AccountId, SessionId, SmppSystemId};
use sqlx::{PgConnection, query, query_as};
use uuid::Uuid;

use crate::page::{Page, narrow};
use crate::{Db, Error, Publish};

/// An edge that is silent for so long is gone, with its sessions.
const EDGE_SILENT_SECONDS: i64 = 30;

/// A system, and when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System {
    /// What an edge is told.
    pub settings: SystemSettings,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

struct Row {
    id: Uuid,
    account_id: Uuid,
    system_id: String,
    password_hash: Vec<u8>,
    transmitters: i32,
    receivers: i32,
    transceivers: i32,
    addresses: Vec<String>,
    segments_per_second: i32,
    burst: i32,
    window_size: i32,
    senders: Vec<String>,
    default_sender: Option<String>,
    default_alphabet: String,
    receipts: serde_json::Value,
    inbound: String,
    service_types: serde_json::Value,
    enabled: bool,
    created_at: DateTime<Utc>,
}

impl Row {
    fn system(self) -> Result<System, Error> {
        let receipts: ReceiptStyle = serde_json::from_value(self.receipts)?;
        let service_types: BTreeMap<String, String> = serde_json::from_value(self.service_types)?;
        let settings = SystemSettings {
            id: SmppSystemId::from_uuid(self.id),
            account_id: AccountId::from_uuid(self.account_id),
            system_id: self.system_id,
            password_hash: Octets(self.password_hash),
            binds: BindCounts {
                transmitters: narrow(self.transmitters, "transmitters")?,
                receivers: narrow(self.receivers, "receivers")?,
                transceivers: narrow(self.transceivers, "transceivers")?,
            },
            addresses: self.addresses,
            segments_per_second: narrow(self.segments_per_second, "segments_per_second")?,
            burst: narrow(self.burst, "burst")?,
            window: narrow(self.window_size, "window")?,
            senders: self.senders,
            default_sender: self.default_sender,
            default_alphabet: Alphabet::parse(&self.default_alphabet)
                .ok_or_else(|| Error::Corrupt("default_alphabet".into()))?,
            receipts,
            inbound: if self.inbound == "payload" { InboundStyle::Payload } else { InboundStyle::Parts },
            service_types,
            enabled: self.enabled,
        };
        Ok(System { settings, created_at: self.created_at })
    }
}

/// Stores a system of an account of the tenant's subtree, new or changed, and makes the queue of its deliveries. The
/// constraint `smpp_systems_system_id_key` refuses a name that is taken. `false`: the account is not in the subtree.
pub async fn put(tx: &mut PgConnection, db: &Db, tenant: AccountId, system: &SystemSettings) -> Result<bool, Error> {
    let number = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    let done = query!(
        "INSERT INTO smpp_systems (id, account_id, system_id, password_hash, transmitters, receivers, transceivers,
             addresses, segments_per_second, burst, window_size, senders, default_sender, default_alphabet, receipts,
             inbound, service_types, enabled)
         SELECT $2, a.id, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19
         FROM accounts a WHERE a.id = $3 AND a.path @> ARRAY[$1::uuid]
         ON CONFLICT (id) DO UPDATE SET system_id = excluded.system_id, password_hash = excluded.password_hash,
             transmitters = excluded.transmitters, receivers = excluded.receivers,
             transceivers = excluded.transceivers, addresses = excluded.addresses,
             segments_per_second = excluded.segments_per_second, burst = excluded.burst,
             window_size = excluded.window_size, senders = excluded.senders,
             default_sender = excluded.default_sender, default_alphabet = excluded.default_alphabet,
             receipts = excluded.receipts, inbound = excluded.inbound, service_types = excluded.service_types,
             enabled = excluded.enabled, updated_at = now()",
        tenant.uuid(),
        system.id.uuid(),
        system.account_id.uuid(),
        system.system_id,
        system.password_hash.0,
        i32::from(system.binds.transmitters),
        i32::from(system.binds.receivers),
        i32::from(system.binds.transceivers),
        &system.addresses,
        number(system.segments_per_second),
        number(system.burst),
        i32::from(system.window),
        &system.senders,
        system.default_sender,
        system.default_alphabet.name(),
        serde_json::to_value(&system.receipts)?,
        match system.inbound {
            InboundStyle::Parts => "parts",
            InboundStyle::Payload => "payload",
        },
        serde_json::to_value(&system.service_types)?,
        system.enabled,
    )
    .execute(&mut *tx)
    .await?;
    if db.publish == Publish::InTransaction {
        query!("SELECT queue.create($1)", contract::queues::deliver(system.id)).execute(tx).await?;
    }
    Ok(done.rows_affected() == 1)
}

/// Marks a system as deleted: its history stays, its name is free again. Answers whose it was; `None`: there is none
/// in the tenant's subtree.
pub async fn delete(tx: &mut PgConnection, tenant: AccountId, id: SmppSystemId) -> Result<Option<AccountId>, Error> {
    let row = query!(
        "UPDATE smpp_systems s SET deleted_at = now(), enabled = false, updated_at = now(),
             system_id = '~' || right(replace(s.id::text, '-', ''), 14)
         FROM accounts a WHERE s.id = $2 AND s.deleted_at IS NULL AND a.id = s.account_id
             AND a.path @> ARRAY[$1::uuid]
         RETURNING s.account_id",
        tenant.uuid(),
        id.uuid()
    )
    .fetch_optional(tx)
    .await?;
    Ok(row.map(|row| AccountId::from_uuid(row.account_id)))
}

/// One system of the tenant's subtree, locked until the transaction ends.
pub async fn get_for_update(
    tx: &mut PgConnection,
    tenant: AccountId,
    id: SmppSystemId,
) -> Result<Option<System>, Error> {
    let row = query_as!(
        Row,
        "SELECT s.id, s.account_id, s.system_id, s.password_hash, s.transmitters, s.receivers, s.transceivers,
             s.addresses, s.segments_per_second, s.burst, s.window_size, s.senders, s.default_sender,
             s.default_alphabet, s.receipts, s.inbound, s.service_types, s.enabled, s.created_at
         FROM smpp_systems s JOIN accounts a ON a.id = s.account_id
         WHERE s.id = $2 AND s.deleted_at IS NULL AND a.path @> ARRAY[$1::uuid] FOR UPDATE OF s",
        tenant.uuid(),
        id.uuid()
    )
    .fetch_optional(tx)
    .await?;
    row.map(Row::system).transpose()
}

/// One system of the tenant's subtree.
pub async fn get(db: &Db, tenant: AccountId, id: SmppSystemId) -> Result<Option<System>, Error> {
    let mut connection = db.pool.lend().await?;
    get_for_update(&mut connection, tenant, id).await
}

/// The system that binds by this name, whoever's it is.
pub async fn by_name(db: &Db, system_id: &str) -> Result<Option<System>, Error> {
    let row = query_as!(
        Row,
        "SELECT id, account_id, system_id, password_hash, transmitters, receivers, transceivers, addresses,
             segments_per_second, burst, window_size, senders, default_sender, default_alphabet, receipts, inbound,
             service_types, enabled, created_at
         FROM smpp_systems WHERE system_id = $1 AND deleted_at IS NULL",
        system_id
    )
    .fetch_optional(&db.pool)
    .await?;
    row.map(Row::system).transpose()
}

/// The systems of the tenant's subtree, newest first; of one account where one is named.
pub async fn list(db: &Db, tenant: AccountId, account: Option<AccountId>, page: Page) -> Result<Vec<System>, Error> {
    let rows = query_as!(
        Row,
        "SELECT s.id, s.account_id, s.system_id, s.password_hash, s.transmitters, s.receivers, s.transceivers,
             s.addresses, s.segments_per_second, s.burst, s.window_size, s.senders, s.default_sender,
             s.default_alphabet, s.receipts, s.inbound, s.service_types, s.enabled, s.created_at
         FROM smpp_systems s JOIN accounts a ON a.id = s.account_id
         WHERE a.path @> ARRAY[$1::uuid] AND ($2::uuid IS NULL OR a.id = $2) AND s.deleted_at IS NULL AND s.id < $3
         ORDER BY s.id DESC LIMIT $4",
        tenant.uuid(),
        account.map(AccountId::uuid),
        page.end(),
        page.limit()
    )
    .fetch_all(&db.pool)
    .await?;
    rows.into_iter().map(Row::system).collect()
}

/// All systems, for an edge. One of a suspended account, or below one, counts as switched off.
pub async fn snapshot(db: &Db) -> Result<Vec<SystemSettings>, Error> {
    let rows = query_as!(
        Row,
        r#"SELECT s.id, s.account_id, s.system_id, s.password_hash, s.transmitters, s.receivers, s.transceivers,
             s.addresses, s.segments_per_second, s.burst, s.window_size, s.senders, s.default_sender,
             s.default_alphabet, s.receipts, s.inbound, s.service_types, s.enabled, s.created_at
           FROM smpp_systems s WHERE s.deleted_at IS NULL ORDER BY s.id"#,
    )
    .fetch_all(&db.pool)
    .await?;
    rows.into_iter().map(|row| row.system().map(|system| system.settings)).collect()
}

/// Replaces what an edge said of its sessions before. Answers those that somebody wants closed.
pub async fn report_sessions(
    tx: &mut PgConnection,
    edge: &str,
    sessions: &[SessionStatus],
    at: DateTime<Utc>,
) -> Result<Vec<SessionId>, Error> {
    let ids: Vec<Uuid> = sessions.iter().map(|s| s.id.uuid()).collect();
    let accounts: Vec<Uuid> = sessions.iter().map(|s| s.account_id.uuid()).collect();
    let systems: Vec<Uuid> = sessions.iter().map(|s| s.system_id.uuid()).collect();
    let statuses = sessions.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>()?;
    query!("DELETE FROM smpp_sessions WHERE edge_id = $1 AND NOT id = ANY ($2)", edge, &ids).execute(&mut *tx).await?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = query!(
        "INSERT INTO smpp_sessions AS s (id, account_id, smpp_system_id, edge_id, status, at)
         SELECT i.id, i.account, i.system, $5, i.status, $6
         FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::jsonb[]) AS i (id, account, system, status)
         ON CONFLICT (id) DO UPDATE SET status = excluded.status, at = excluded.at, edge_id = excluded.edge_id
         RETURNING s.id, s.cut_at",
        &ids,
        &accounts,
        &systems,
        &statuses,
        edge,
        at
    )
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().filter(|row| row.cut_at.is_some()).map(|row| SessionId::from_uuid(row.id)).collect())
}

/// A live session and its edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Which edge holds it.
    pub edge: String,
    /// As the edge reported it last.
    pub status: SessionStatus,
    /// Somebody wants it closed.
    pub is_cut: bool,
}

/// The live sessions of the tenant's subtree, newest first; of one system where one is named. Those of an edge that
/// is silent are gone.
pub async fn sessions(
    db: &Db,
    tenant: AccountId,
    system: Option<SmppSystemId>,
    page: Page,
) -> Result<Vec<Session>, Error> {
    let rows = query!(
        r#"SELECT s.edge_id, s.status, s.cut_at IS NOT NULL AS "is_cut!"
           FROM smpp_sessions s JOIN accounts a ON a.id = s.account_id
           WHERE a.path @> ARRAY[$1::uuid] AND ($2::uuid IS NULL OR s.smpp_system_id = $2) AND s.id < $3
               AND s.at > now() - $5::bigint * interval '1 second'
           ORDER BY s.id DESC LIMIT $4"#,
        tenant.uuid(),
        system.map(SmppSystemId::uuid),
        page.end(),
        page.limit(),
        EDGE_SILENT_SECONDS
    )
    .fetch_all(&db.pool)
    .await?;
    rows.into_iter()
        .map(|row| Ok(Session { edge: row.edge_id, status: serde_json::from_value(row.status)?, is_cut: row.is_cut }))
        .collect()
}

/// Asks for the end of a session; its edge hears it with its next report. Answers whose it is; `None`: there is no
/// such session in the tenant's subtree.
pub async fn cut(tx: &mut PgConnection, tenant: AccountId, id: SessionId) -> Result<Option<AccountId>, Error> {
    let row = query!(
        "UPDATE smpp_sessions s SET cut_at = coalesce(s.cut_at, now()) FROM accounts a
         WHERE s.id = $2 AND a.id = s.account_id AND a.path @> ARRAY[$1::uuid] RETURNING s.account_id",
        tenant.uuid(),
        id.uuid()
    )
    .fetch_optional(tx)
    .await?;
    Ok(row.map(|row| AccountId::from_uuid(row.account_id)))
}
