//! `/v1/exports`: files that are made in the background, of one's own account and all below it.

mod download;
mod form;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use domain::{ExportId, Role};
use http::StatusCode;
use serde::Serialize;
use serde_json::json;
use store::exports;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::{Change, found};
use crate::list::{List, Paging, Query, path_id};
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};
use form::{CreateExport, read};

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(create_export))
        .routes(routes!(list_exports))
        .routes(routes!(get_export))
        .routes(routes!(cancel_export))
        .merge(download::routes())
}

/// A file that is made, or was.
#[derive(Serialize, ToSchema)]
struct Export {
    /// Its id.
    id: String,
    /// What it holds.
    kind: &'static str,
    /// `queued`, `running`, `done`, `failed` or `canceled`.
    state: String,
    /// `csv` or `ndjson`.
    format: String,
    /// Packed with gzip.
    gzip: bool,
    /// Of messages accepted at this time or later …
    #[serde(serialize_with = "crate::time::millis")]
    from: DateTime<Utc>,
    /// … and before this. What ended after `created_at` is not in it.
    #[serde(serialize_with = "crate::time::millis")]
    to: DateTime<Utc>,
    /// Rows in it by now.
    rows_done: i64,
    /// Rows of the whole: an estimate until it is done.
    rows_total: i64,
    /// Bytes by now.
    bytes: i64,
    /// Why it failed.
    error: Option<String>,
    /// When it was asked for.
    #[serde(serialize_with = "crate::time::millis")]
    created_at: DateTime<Utc>,
    /// When it ended.
    #[serde(serialize_with = "crate::time::millis_some")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    ended_at: Option<DateTime<Utc>>,
    /// When it is dropped.
    #[serde(serialize_with = "crate::time::millis")]
    expires_at: DateTime<Utc>,
}

fn view(row: exports::Export) -> Export {
    Export {
        id: ExportId::from_uuid(row.id).to_string(),
        kind: "cdr",
        rows_total: if row.state == "done" { row.rows_done } else { row.rows_estimated },
        state: row.state,
        format: row.format,
        gzip: row.gzip,
        from: row.accepted_from,
        to: row.accepted_to,
        rows_done: row.rows_done,
        bytes: row.bytes,
        error: row.error,
        created_at: row.created_at,
        ended_at: row.ended_at,
        expires_at: row.expires_at,
    }
}

/// Ask for a file of CDRs.
///
/// It is made in the background and kept for seven days. A CDR names what a dispute needs: times, ids of both sides, the
/// receipts as they came, how its segments were numbered, prices and the rows that they come from, refunds, and the journal.
/// You see your own price, what you charged the account right below you, and no other margin. A record with a `correction`
/// corrects the one of the number before; its amounts are what it adds, so that a column adds up to the statement.
#[utoipa::path(post, path = "/v1/exports", tag = "messages", request_body = CreateExport,
    responses((status = 202, body = Export), Refusals))]
async fn create_export(
    State(api): State<Arc<Api>>,
    caller: Caller,
    raw: Raw,
) -> Result<(StatusCode, Json<Export>), Problem> {
    caller.may(Scope::MessagesRead)?;
    may_see_costs(&caller)?;
    let new = read(&api, &caller, &raw.parse()?)?;
    let mut tx = api.db.begin().await?;
    if !exports::create(&mut tx, &new).await? {
        let detail = "ten exports of this account are open: wait for one to end, or cancel one";
        return Err(Problem::new(Code::Conflict, detail));
    }
    let detail = json!({"kind": "cdr", "from": new.from, "to": new.to});
    let change = Change { account: caller.account, action: "export.create", subject: new.id.to_string(), detail };
    api.commit(tx, &caller, change).await?;
    Ok((StatusCode::ACCEPTED, show(&api, &caller, new.id).await?))
}

/// A file of a seller says what it earns, and that of the house what operators cost.
fn may_see_costs(caller: &Caller) -> Result<(), Problem> {
    match caller.role {
        Role::Admin | Role::Reseller => caller.may(Scope::AdminRead),
        Role::Client => Ok(()),
    }
}

async fn show(api: &Api, caller: &Caller, id: ExportId) -> Result<Json<Export>, Problem> {
    let row = exports::get(&api.db, caller.account, id).await?;
    row.map(view).map(Json).ok_or_else(Problem::not_found)
}

/// List your exports, newest first.
#[utoipa::path(get, path = "/v1/exports", tag = "messages", params(Paging),
    responses((status = 200, body = List<Export>), Refusals))]
async fn list_exports(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<Paging>,
) -> Result<Json<List<Export>>, Problem> {
    caller.may(Scope::MessagesRead)?;
    let page = query.page()?;
    let rows = exports::list(&api.db, caller.account, page).await?;
    Ok(Json(List::new(page, rows, |row| row.id, view)))
}

/// Read how far an export is.
#[utoipa::path(get, path = "/v1/exports/{id}", tag = "messages", params(("id" = String, Path, description = "`exp_…`")),
    responses((status = 200, body = Export), Refusals))]
async fn get_export(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Export>, Problem> {
    caller.may(Scope::MessagesRead)?;
    show(&api, &caller, path_id(&id)?).await
}

/// Cancel an export that is not done; what was made of it is dropped.
#[utoipa::path(delete, path = "/v1/exports/{id}", tag = "messages", params(("id" = String, Path, description = "`exp_…`")),
    responses((status = 204), Refusals))]
async fn cancel_export(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.may(Scope::MessagesRead)?;
    let id: ExportId = path_id(&id)?;
    found(exports::get(&api.db, caller.account, id).await?.is_some())?;
    let mut tx = api.db.begin().await?;
    if !exports::cancel(&mut tx, caller.account, id, crate::time::now()).await? {
        return Err(Problem::new(Code::Conflict, "the export has ended"));
    }
    let (account, subject) = (caller.account, id.to_string());
    api.commit(tx, &caller, Change { account, action: "export.cancel", subject, detail: json!({}) }).await?;
    Ok(StatusCode::NO_CONTENT)
}
