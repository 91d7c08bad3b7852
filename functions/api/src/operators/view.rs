//! What the house sees of an operator and its sessions. Never the password.

use chrono::{DateTime, Utc};
use contract::{BindState, Profile};
use serde::Serialize;
use store::operators::{EdgeBinds, Operator as Row};
use utoipa::ToSchema;

/// An operator.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Operator {
    /// Its id.
    id: String,
    /// For people.
    name: String,
    /// Host name or address.
    host: String,
    /// TCP port.
    port: u16,
    /// Our name there.
    system_id: String,
    /// Mostly empty.
    system_type: String,
    /// `transceiver`, `transmitter` or `receiver`.
    bind_type: &'static str,
    /// How many sessions are wanted.
    binds: u16,
    /// Unanswered submits per session.
    window: u16,
    /// Segments per second over all sessions; 0: no limit.
    tps: u32,
    /// Segments that it is given on one day (UTC); 0: no limit.
    daily_cap: u64,
    /// Among equal costs the smaller is chosen.
    priority: i16,
    /// Connect and use it.
    enabled: bool,
    /// In what it differs from others; what is not shown has its default.
    #[schema(value_type = Object)]
    profile: Box<Profile>,
    /// Whether a key for our certificate there is stored. The key itself is never shown.
    has_tls_key: bool,
    /// How many sessions are up.
    bound: usize,
    /// The sessions, as the edges reported them last.
    sessions: Vec<Session>,
    /// When it was made.
    #[serde(serialize_with = "crate::time::millis")]
    created_at: DateTime<Utc>,
}

/// One session with an operator.
#[derive(Debug, Serialize, ToSchema)]
struct Session {
    /// Which edge holds it.
    edge: String,
    /// From 0.
    bind: u16,
    /// `transceiver`, `transmitter` or `receiver`; the last two under one number are a pair.
    bind_type: &'static str,
    /// `connecting`, `bound`, `backing_off`, `refused` or `closed`.
    #[schema(value_type = String, example = "bound")]
    state: BindState,
    /// Since when.
    #[serde(serialize_with = "crate::time::millis")]
    since: DateTime<Utc>,
    /// Unanswered submits.
    in_flight: u32,
    /// How many there may be.
    window: u16,
    /// Segments submitted since the edge began to keep this session.
    submits: u64,
    /// Of these, per second of late.
    submits_per_second: u32,
    /// What went wrong last.
    last_error: Option<String>,
}

impl Operator {
    /// `binds` may hold those of other operators, too.
    pub(super) fn of(row: Row, binds: &[EdgeBinds]) -> Self {
        let own = binds.iter().filter(|edge| edge.operator == row.id);
        let sessions: Vec<Session> = own.flat_map(sessions).collect();
        Self {
            id: row.id.to_string(),
            name: row.name,
            host: row.host,
            port: row.port,
            system_id: row.system_id,
            system_type: row.system_type,
            bind_type: row.bind_type.name(),
            binds: row.binds,
            window: row.window,
            tps: row.tps,
            daily_cap: row.daily_cap,
            priority: row.priority,
            enabled: row.enabled,
            profile: row.profile,
            has_tls_key: row.tls_key_sealed.is_some(),
            bound: sessions.iter().filter(|session| session.state == BindState::Bound).count(),
            sessions,
            created_at: row.created_at,
        }
    }
}

fn sessions(edge: &EdgeBinds) -> impl Iterator<Item = Session> {
    edge.binds.iter().map(|bind| Session {
        edge: edge.edge.clone(),
        bind: bind.bind,
        state: bind.state,
        since: bind.since,
        in_flight: bind.in_flight,
        bind_type: bind.bind_type.name(),
        window: bind.window,
        submits: bind.submits,
        submits_per_second: bind.submits_per_second,
        last_error: bind.last_error.clone(),
    })
}
