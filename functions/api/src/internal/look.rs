//! What people of the house see of all sessions and operators at once: `chappe smpp sessions`, `chappe smpp operators` and
//! `chappe operators health`.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use contract::{BindStatus, SessionStatus, queues};
use domain::{OperatorId, SmppSystemId};
use serde::Serialize;
use store::page::{Page, ROWS_MAX};
use store::{operators, smpp_systems};

use crate::Api;
use crate::operators::health::{self, OperatorHealth};
use crate::problem::Problem;

/// Every session of every customer.
#[derive(Serialize)]
pub(super) struct Sessions {
    sessions: Vec<Session>,
}

#[derive(Serialize)]
struct Session {
    edge: String,
    /// The name it binds by.
    system: String,
    #[serde(flatten)]
    status: SessionStatus,
}

/// Every operator with its sessions.
#[derive(Serialize)]
pub(super) struct Operators {
    operators: Vec<Operator>,
}

#[derive(Serialize)]
struct Operator {
    id: OperatorId,
    name: String,
    enabled: bool,
    window: u16,
    tps: u32,
    queue: Waiting,
    sessions: Vec<Bind>,
}

/// What waits for an operator.
#[derive(Default, Serialize)]
struct Waiting {
    /// Of many messages each.
    envelopes: u64,
    /// For how long the oldest has waited.
    oldest_ms: Option<u64>,
}

#[derive(Serialize)]
struct Bind {
    edge: String,
    #[serde(flatten)]
    status: BindStatus,
}

pub(super) async fn sessions(State(api): State<Arc<Api>>) -> Result<Json<Sessions>, Problem> {
    let names: HashMap<SmppSystemId, String> =
        smpp_systems::snapshot(&api.db).await?.into_iter().map(|system| (system.id, system.system_id)).collect();
    let catalogue = api.catalogue.get();
    let house = catalogue.accounts.values().find(|account| account.parent.is_none()).map(|account| account.id);
    let Some(house) = house else { return Ok(Json(Sessions { sessions: Vec::new() })) };
    let rows = smpp_systems::sessions(&api.db, house, None, Page::new(None, ROWS_MAX)).await?;
    let session = |row: smpp_systems::Session| Session {
        edge: row.edge,
        system: names.get(&row.status.system_id).cloned().unwrap_or_default(),
        status: row.status,
    };
    Ok(Json(Sessions { sessions: rows.into_iter().map(session).collect() }))
}

pub(super) async fn operators(State(api): State<Arc<Api>>) -> Result<Json<Operators>, Problem> {
    let rows = operators::list(&api.db, Page::new(None, ROWS_MAX)).await?;
    let ids: Vec<OperatorId> = rows.iter().map(|row| row.id).collect();
    let edges = operators::binds(&api.db, &ids).await?;
    let mut operators = Vec::with_capacity(rows.len());
    for row in rows {
        let own = edges.iter().filter(|edge| edge.operator == row.id);
        let bind = |edge: &operators::EdgeBinds| {
            let name = edge.edge.clone();
            edge.binds.clone().into_iter().map(move |status| Bind { edge: name.clone(), status })
        };
        let sessions = own.flat_map(bind).collect();
        let queue = waiting(&api, row.id).await;
        let (name, enabled, window, tps) = (row.name, row.enabled, row.window, row.tps);
        operators.push(Operator { id: row.id, name, enabled, window, tps, queue, sessions });
    }
    operators.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Json(Operators { operators }))
}

/// How every operator does.
#[derive(Serialize)]
pub(super) struct Healths {
    operators: Vec<OperatorHealth>,
}

pub(super) async fn health(State(api): State<Arc<Api>>) -> Result<Json<Healths>, Problem> {
    let mut rows = operators::list(&api.db, Page::new(None, ROWS_MAX)).await?;
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    let mut operators = Vec::with_capacity(rows.len());
    for row in &rows {
        operators.push(health::of(&api, row).await?);
    }
    Ok(Json(Healths { operators }))
}

/// A queue that cannot be looked into shows as empty: the sessions are worth seeing all the same.
async fn waiting(api: &Api, operator: OperatorId) -> Waiting {
    let Ok(depth) = api.queue.depth(&queues::submit(operator)).await else { return Waiting::default() };
    let oldest = depth.oldest_age.max(depth.oldest_waiting_age);
    Waiting {
        envelopes: depth.ready.saturating_add(depth.waiting),
        oldest_ms: oldest.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
    }
}
