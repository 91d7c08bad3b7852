//! Operators: how to bind to them, and what edges report of their sessions. They are the house's; no tenant.

use chrono::{DateTime, Utc};
use contract::{BindStatus, BindType, OperatorStatus, Profile};
use domain::OperatorId;
use sqlx::{PgConnection, query, query_as};
use uuid::Uuid;

use crate::page::{Page, narrow};
use crate::{Db, Error, catalogue};

/// An edge that was silent for so long is gone, and its sessions with it; in seconds.
pub const EDGE_SILENT_SECONDS: i64 = 30;

/// An operator's settings. The password is sealed: this crate cannot read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// Its id; its queue is `submit.<id>`.
    pub id: OperatorId,
    /// For people.
    pub name: String,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Our name there.
    pub system_id: String,
    /// Our password there, sealed for this operator's id.
    pub password_sealed: Vec<u8>,
    /// Mostly empty.
    pub system_type: String,
    /// What kind of sessions.
    pub bind_type: BindType,
    /// How many sessions.
    pub binds: u16,
    /// Unanswered submits per session.
    pub window: u16,
    /// Segments per second over all sessions; 0: no limit.
    pub tps: u32,
    /// Segments that it may be given on one day (UTC); 0: no limit.
    pub daily_cap: u64,
    /// Among equal costs the smaller is chosen.
    pub priority: i16,
    /// Off: its sessions are closed and its queue waits.
    pub enabled: bool,
    /// In what it differs from others.
    pub profile: Box<Profile>,
    /// The key of our certificate there, sealed for this operator's id and `:tls`.
    pub tls_key_sealed: Option<Vec<u8>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// The place that an operator's TLS key is sealed for, so that it opens nowhere else.
pub fn tls_place(id: OperatorId) -> String {
    format!("{id}:tls")
}

struct Row {
    id: Uuid,
    name: String,
    host: String,
    port: i32,
    system_id: String,
    password_sealed: Vec<u8>,
    system_type: String,
    bind_type: String,
    binds: i32,
    window_size: i32,
    tps: i32,
    daily_cap: Option<i64>,
    priority: i16,
    enabled: bool,
    profile: serde_json::Value,
    tls_key_sealed: Option<Vec<u8>>,
    created_at: DateTime<Utc>,
}

impl Row {
    fn operator(self) -> Result<Operator, Error> {
        let bind_type = BindType::parse(&self.bind_type);
        Ok(Operator {
            id: OperatorId::from_uuid(self.id),
            name: self.name,
            host: self.host,
            port: narrow(self.port, "port")?,
            system_id: self.system_id,
            password_sealed: self.password_sealed,
            system_type: self.system_type,
            bind_type: bind_type.ok_or(Error::Corrupt(self.bind_type))?,
            binds: narrow(self.binds, "binds")?,
            window: narrow(self.window_size, "window")?,
            tps: narrow(self.tps, "tps")?,
            daily_cap: narrow(self.daily_cap.unwrap_or(0), "daily_cap")?,
            priority: self.priority,
            enabled: self.enabled,
            profile: serde_json::from_value(self.profile)?,
            tls_key_sealed: self.tls_key_sealed,
            created_at: self.created_at,
        })
    }
}

/// Stores an operator, new or changed. The constraint `operators_name_key` refuses a name that is taken.
pub async fn put(tx: &mut PgConnection, operator: &Operator) -> Result<(), Error> {
    query!(
        "INSERT INTO operators (id, name, host, port, system_id, password_sealed, system_type, bind_type, binds,
           window_size, tps, priority, enabled, profile, tls_key_sealed, daily_cap)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, nullif($16::bigint, 0))
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, host = excluded.host, port = excluded.port,
           system_id = excluded.system_id, password_sealed = excluded.password_sealed,
           system_type = excluded.system_type, bind_type = excluded.bind_type, binds = excluded.binds,
           window_size = excluded.window_size, tps = excluded.tps, priority = excluded.priority,
           enabled = excluded.enabled, profile = excluded.profile, tls_key_sealed = excluded.tls_key_sealed,
           daily_cap = excluded.daily_cap, updated_at = now()",
        operator.id.uuid(),
        operator.name,
        operator.host,
        i32::from(operator.port),
        operator.system_id,
        operator.password_sealed,
        operator.system_type,
        operator.bind_type.name(),
        i32::from(operator.binds),
        i32::from(operator.window),
        i32::try_from(operator.tps).unwrap_or(i32::MAX),
        operator.priority,
        operator.enabled,
        serde_json::to_value(&operator.profile)?,
        operator.tls_key_sealed,
        i64::try_from(operator.daily_cap).unwrap_or(i64::MAX),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Marks an operator as deleted: its history stays. Its name is free again. `false`: there is none.
pub async fn delete(tx: &mut PgConnection, id: OperatorId) -> Result<bool, Error> {
    let gone = query!(
        "UPDATE operators SET deleted_at = now(), enabled = false, name = name || ' (deleted ' || id || ')',
           updated_at = now() WHERE id = $1 AND deleted_at IS NULL",
        id.uuid(),
    )
    .execute(tx)
    .await?;
    Ok(gone.rows_affected() == 1)
}

/// One operator, locked until the transaction ends.
pub async fn get_for_update(tx: &mut PgConnection, id: OperatorId) -> Result<Option<Operator>, Error> {
    let row = query_as!(
        Row,
        "SELECT id, name, host, port, system_id, password_sealed, system_type, bind_type, binds, window_size, tps,
           daily_cap, priority, enabled, profile, tls_key_sealed, created_at FROM operators WHERE id = $1 AND deleted_at IS NULL FOR UPDATE",
        id.uuid(),
    )
    .fetch_optional(tx)
    .await?;
    row.map(Row::operator).transpose()
}

/// One operator.
pub async fn get(db: &Db, id: OperatorId) -> Result<Option<Operator>, Error> {
    let mut connection = db.pool.lend().await?;
    get_for_update(&mut connection, id).await
}

/// The operators that are not deleted, newest first.
pub async fn list(db: &Db, page: Page) -> Result<Vec<Operator>, Error> {
    let rows = query_as!(
        Row,
        "SELECT id, name, host, port, system_id, password_sealed, system_type, bind_type, binds, window_size, tps,
           daily_cap, priority, enabled, profile, tls_key_sealed, created_at
         FROM operators WHERE deleted_at IS NULL AND id < $1 ORDER BY id DESC LIMIT $2",
        page.end(),
        page.limit(),
    )
    .fetch_all(&db.pool)
    .await?;
    rows.into_iter().map(Row::operator).collect()
}

/// All operators for an edge, and the version of the catalogue read before them: an edge that is told an older
/// version than it has the settings of reads once more, never once too few.
pub async fn snapshot(db: &Db) -> Result<(i64, Vec<Operator>), Error> {
    let version = query!("SELECT version FROM catalogue_version").fetch_one(&db.pool).await?.version;
    let rows = query_as!(
        Row,
        "SELECT id, name, host, port, system_id, password_sealed, system_type, bind_type, binds, window_size, tps,
           daily_cap, priority, enabled, profile, tls_key_sealed, created_at FROM operators WHERE deleted_at IS NULL ORDER BY id",
    )
    .fetch_all(&db.pool)
    .await?;
    Ok((version, rows.into_iter().map(Row::operator).collect::<Result<_, _>>()?))
}

/// What one edge says of its sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeBinds {
    /// With whom.
    pub operator: OperatorId,
    /// Which edge.
    pub edge: String,
    /// Its sessions.
    pub binds: Vec<BindStatus>,
    /// When it said so.
    pub at: DateTime<Utc>,
}

/// The sessions with these operators, over all edges that are not silent.
pub async fn binds(db: &Db, operators: &[OperatorId]) -> Result<Vec<EdgeBinds>, Error> {
    let ids: Vec<Uuid> = operators.iter().map(|o| o.uuid()).collect();
    let rows = query!(
        "SELECT operator_id, edge_id, binds, at FROM operator_binds
         WHERE operator_id = ANY ($1) AND at > now() - $2::bigint * interval '1 second' ORDER BY operator_id, edge_id",
        &ids,
        EDGE_SILENT_SECONDS,
    )
    .fetch_all(&db.pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(EdgeBinds {
                operator: OperatorId::from_uuid(row.operator_id),
                edge: row.edge_id,
                binds: serde_json::from_value(row.binds)?,
                at: row.at,
            })
        })
        .collect()
}

/// Stores what an edge reports. The catalogue gets a new version when an operator came up or went down.
pub async fn report_binds(
    tx: &mut PgConnection,
    edge: &str,
    statuses: &[OperatorStatus],
    at: DateTime<Utc>,
) -> Result<(), Error> {
    let ids: Vec<Uuid> = statuses.iter().map(|s| s.operator_id.uuid()).collect();
    let bound: Vec<i32> = statuses.iter().map(bound).collect();
    let binds = statuses.iter().map(|s| serde_json::to_value(&s.binds)).collect::<Result<Vec<_>, _>>()?;
    let changed = query!(
        r#"WITH report AS (
             SELECT r.operator_id, r.binds, CASE WHEN o.bind_type = 'receiver' THEN 0 ELSE r.bound END AS bound
             FROM unnest($1::uuid[], $2::int[], $3::jsonb[]) AS r (operator_id, bound, binds)
             JOIN operators o ON o.id = r.operator_id
           ), before AS (
             SELECT r.operator_id, r.bound > 0 AS up,
               (SELECT b.bound > 0 FROM operator_binds b WHERE b.operator_id = r.operator_id AND b.edge_id = $4) AS was_up
             FROM report r
           ), stored AS (
             INSERT INTO operator_binds (operator_id, edge_id, bound, binds, at)
             SELECT operator_id, $4, bound, binds, $5 FROM report
             ON CONFLICT (operator_id, edge_id) DO UPDATE
             SET bound = excluded.bound, binds = excluded.binds, at = excluded.at
           )
           SELECT count(*) AS "count!" FROM before WHERE up IS DISTINCT FROM was_up"#,
        &ids,
        &bound,
        &binds,
        edge,
        at,
    )
    .fetch_one(&mut *tx)
    .await?
    .count;
    if changed > 0 {
        catalogue::changed_now(tx).await?;
    }
    Ok(())
}

/// Sessions that can submit: of a pair, the receiver alone is of no use to a route.
fn bound(status: &OperatorStatus) -> i32 {
    let submits = |b: &&BindStatus| b.state == contract::BindState::Bound && b.bind_type != BindType::Receiver;
    i32::try_from(status.binds.iter().filter(submits).count()).unwrap_or(i32::MAX)
}
