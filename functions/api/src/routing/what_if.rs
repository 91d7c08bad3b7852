//! `/v1/routing/what-if`: traffic of the past, or what somebody lists, by changed settings. The house only.
//!
//! A replay goes on behind its answer; it is asked for by its id. Its result is kept for 90 days.

mod csv;
mod form;
mod run;
mod view;

use std::sync::Arc;

use axum::Json;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use domain::WhatIfId;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde_json::Value;
use store::what_if;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::list::{List, Paging, Query, path_id};
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};
use form::AskWhatIf;

/// Bytes of a question at most: a million lines of CSV with every column.
const BODY_BYTES_MAX: usize = 96 * 1024 * 1024;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    let asking = OpenApiRouter::new().routes(routes!(ask)).layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
    asking.merge(OpenApiRouter::new().routes(routes!(list_what_ifs)).routes(routes!(get_what_if)))
}

/// A replay as it stands.
#[derive(Serialize, ToSchema)]
struct WhatIf {
    /// Its id.
    id: String,
    /// `running`, `done` or `failed`.
    state: String,
    /// Messages replayed by now.
    messages: i64,
    /// What differs, when done: `messages`, `moved` (those that go another way), `before` and `after` with messages,
    /// segments, revenue, cost, margin (by currency) and messages unrouted (by code), and the same by `networks` and
    /// `operators`.
    #[schema(value_type = Option<Object>)]
    result: Option<Value>,
    /// Why it failed.
    error: Option<String>,
    /// The key or user that asked.
    made_by: String,
    /// When it was asked for.
    #[serde(serialize_with = "crate::time::millis")]
    created_at: DateTime<Utc>,
    /// When it last went on.
    #[serde(serialize_with = "crate::time::millis")]
    updated_at: DateTime<Utc>,
}

fn shown(row: what_if::WhatIf) -> WhatIf {
    let is_dead = row.state == "running" && crate::time::now() - row.updated_at > what_if::SILENT;
    WhatIf {
        id: WhatIfId::from_uuid(row.id).to_string(),
        state: if is_dead { "failed".to_owned() } else { row.state },
        messages: row.messages,
        result: row.result,
        error: if is_dead { Some("its process ended; ask again".to_owned()) } else { row.error },
        made_by: row.made_by,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

/// A replay in a list.
#[derive(Serialize, ToSchema)]
struct WhatIfEntry {
    /// Its id.
    id: String,
    /// `running`, `done` or `failed`.
    state: String,
    /// Messages replayed by now.
    messages: i64,
    /// Why it failed.
    error: Option<String>,
    /// The key or user that asked.
    made_by: String,
    /// When it was asked for.
    #[serde(serialize_with = "crate::time::millis")]
    created_at: DateTime<Utc>,
    /// When it last went on.
    #[serde(serialize_with = "crate::time::millis")]
    updated_at: DateTime<Utc>,
}

fn entry(row: what_if::WhatIf) -> WhatIfEntry {
    let WhatIf { id, state, messages, error, made_by, created_at, updated_at, .. } = shown(row);
    WhatIfEntry { id, state, messages, error, made_by, created_at, updated_at }
}

/// Ask what would become of traffic by changed settings. Nothing is sent and nothing is changed.
#[utoipa::path(post, path = "/v1/routing/what-if", tag = "operators", request_body = AskWhatIf,
    responses((status = 202, body = WhatIf), Refusals))]
async fn ask(State(api): State<Arc<Api>>, caller: Caller, raw: Raw) -> Result<(StatusCode, Json<WhatIf>), Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_house()?;
    let (reader, house) = (Arc::clone(&api), caller.account);
    // A million lines keep a processor busy for seconds.
    let reading = tokio::task::spawn_blocking(move || {
        let asked = form::read(&reader, house, &raw.parse()?)?;
        Ok::<_, Problem>((asked, form::kept(&raw.0)))
    });
    let (asked, request) = reading.await.map_err(Problem::internal)??;
    let id = WhatIfId::generate();
    if !what_if::begin(&api.db, id, &request, &caller.actor.to_string(), crate::time::now()).await? {
        return Err(Problem::new(Code::Conflict, "two replays are running; ask again when one of them is done"));
    }
    let going = run::run(Arc::clone(&api), id, asked);
    if api.settings.on_demand {
        // What is not awaited here is frozen.
        going.await;
    } else {
        tokio::spawn(going);
    }
    let row = what_if::get(&api.db, id).await?.ok_or_else(Problem::not_found)?;
    Ok((StatusCode::ACCEPTED, Json(shown(row))))
}

/// List replays, newest first. What they found is read one by one.
#[utoipa::path(get, path = "/v1/routing/what-ifs", tag = "operators", params(Paging),
    responses((status = 200, body = List<WhatIfEntry>), Refusals))]
async fn list_what_ifs(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(paging): Query<Paging>,
) -> Result<Json<List<WhatIfEntry>>, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_house()?;
    let page = paging.page()?;
    let rows = what_if::list(&api.db, page).await?;
    Ok(Json(List::new(page, rows, |row| row.id, entry)))
}

/// Read how far a replay is, and what it found. `Accept: text/csv` gives what a replay found that is done as a file: a row
/// for each side and currency of the whole, of each network and of each operator.
#[utoipa::path(get, path = "/v1/routing/what-if/{id}", tag = "operators",
    params(("id" = String, Path, description = "`wif_…`")),
    responses((status = 200, content((WhatIf = "application/json"), (String = "text/csv"))), Refusals))]
async fn get_what_if(
    State(api): State<Arc<Api>>,
    caller: Caller,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_house()?;
    let row = what_if::get(&api.db, path_id(&id)?).await?.ok_or_else(Problem::not_found)?;
    if !crate::csv::is_wanted(&headers) {
        return Ok(Json(shown(row)).into_response());
    }
    let not_done = || Problem::new(Code::Conflict, "the replay is not done, so there is nothing to put into a file");
    Ok(csv::answer(&id, &row.result.ok_or_else(not_done)?))
}
