//! `/v1/smpp/sessions`: who is bound at this moment, and the end of a session.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use domain::SessionId;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::smpp_systems::{self, Session as Row};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::auth::{Caller, Scope};
use crate::change::Change;
use crate::check::Check;
use crate::list::{List, Query, page, path_id};
use crate::openapi::Refusals;
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(list_sessions)).routes(routes!(cut_session))
}

/// Which sessions.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filters {
    /// Of this system; else of all of your own account and below it.
    system_id: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 1000; 50 when nothing is said.
    limit: Option<String>,
}

/// A live session of a customer, as its edge reported it last.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SmppSession)]
struct Session {
    /// Its id.
    id: String,
    /// Of which system.
    system_id: String,
    /// Whose.
    account_id: String,
    /// Which edge holds it.
    edge: String,
    /// `transmitter`, `receiver` or `transceiver`.
    bind_type: &'static str,
    /// Address and port of the peer.
    peer: String,
    /// Over TLS.
    tls: bool,
    /// The peer's `interface_version`.
    interface_version: u8,
    /// Requests of the customer without an answer.
    in_flight: u32,
    /// Our deliveries without an answer.
    delivering: u32,
    /// Submits so far.
    submits: u64,
    /// Of which were accepted.
    accepted: u64,
    /// Of which were too fast.
    throttled: u64,
    /// Deliveries that the customer took.
    delivered: u64,
    /// What went wrong last.
    last_error: Option<String>,
    /// Somebody wants it closed; it is about to be.
    closing: bool,
    /// Since when.
    #[serde(serialize_with = "crate::time::millis")]
    since: DateTime<Utc>,
}

fn view(Row { edge, status, is_cut }: Row) -> Session {
    Session {
        id: status.id.to_string(),
        system_id: status.system_id.to_string(),
        account_id: status.account_id.to_string(),
        edge,
        bind_type: status.bind_type.name(),
        peer: status.peer,
        tls: status.tls,
        interface_version: status.interface_version,
        in_flight: status.in_flight,
        delivering: status.delivering,
        submits: status.submits,
        accepted: status.accepted,
        throttled: status.throttled,
        delivered: status.delivered,
        last_error: status.last_error,
        closing: is_cut,
        since: status.since,
    }
}

/// List the live sessions of your own systems and of all below, newest first.
#[utoipa::path(get, path = "/v1/smpp/sessions", tag = "smpp", params(Filters),
    responses((status = 200, body = List<Session>), Refusals))]
async fn list_sessions(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<Filters>,
) -> Result<Json<List<Session>>, Problem> {
    caller.may(Scope::AccountRead)?;
    let mut check = Check::default();
    let page = page(&mut check, query.cursor.as_deref(), query.limit.as_deref());
    let system = check.parse_some("/system_id", query.system_id.as_deref());
    check.finish()?;
    let rows = smpp_systems::sessions(&api.db, caller.account, system, page).await?;
    Ok(Json(List::new(page, rows, |row| row.status.id.uuid(), view)))
}

/// Close a session. The customer can bind again; switch its system off to prevent that.
#[utoipa::path(delete, path = "/v1/smpp/sessions/{id}", tag = "smpp", params(("id" = String, Path, description = "`ses_…`")),
    responses((status = 202, description = "Its edge closes it within seconds"), Refusals))]
async fn cut_session(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.may(Scope::AccountWrite)?;
    let id: SessionId = path_id(&id)?;
    let mut tx = api.db.begin().await?;
    let account = smpp_systems::cut(&mut tx, caller.account, id).await?.ok_or_else(Problem::not_found)?;
    let change = Change { account, action: "smpp_session.cut", subject: id.to_string(), detail: json!({}) };
    api.commit(tx, &caller, change).await?;
    Ok(StatusCode::ACCEPTED)
}
