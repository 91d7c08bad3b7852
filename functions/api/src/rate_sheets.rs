//! `/v1/rate-sheets`: what suppliers send, as a dry run first; approved, applied and undone as a whole. The house only.

mod dry_run;
mod rules;
mod steps;
mod upload;
mod view;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use domain::{OperatorId, SheetId};
use serde::Deserialize;
use serde_json::Value;
use store::rate_sheets;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::auth::{Caller, Scope};
use crate::check::Check;
use crate::list::{List, Query, limit_of, page, path_id};
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};
pub(crate) use dry_run::money;
use view::{KINDS, RateSheet, RateSheetLine};

/// The states of a sheet.
const STATES: [&str; 5] = ["draft", "approved", "applied", "undone", "rejected"];

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list_sheets))
        .routes(routes!(get_sheet))
        .routes(routes!(list_lines))
        .merge(upload::routes())
        .merge(steps::routes())
        .merge(rules::routes())
}

/// Which sheets.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filters {
    /// Of this operator.
    operator_id: Option<String>,
    /// `draft`, `approved`, `applied`, `undone` or `rejected`.
    state: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 1000; 50 when nothing is said.
    limit: Option<String>,
}

/// Which lines.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct LineFilters {
    /// `new`, `up`, `down`, `currency`, `unchanged`, `closed`, `refused`, `broken` or `skipped`.
    kind: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 1000; 50 when nothing is said.
    limit: Option<String>,
}

/// List rate sheets, newest first.
#[utoipa::path(get, path = "/v1/rate-sheets", tag = "operators", params(Filters),
    responses((status = 200, body = List<RateSheet>), Refusals))]
async fn list_sheets(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<Filters>,
) -> Result<Json<List<RateSheet>>, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_house()?;
    let mut check = Check::default();
    let page = page(&mut check, query.cursor.as_deref(), query.limit.as_deref());
    let operator: Option<OperatorId> = check.parse_some("/operator_id", query.operator_id.as_deref());
    one_of(&mut check, "/state", query.state.as_deref(), &STATES);
    check.finish()?;
    let rows = rate_sheets::list(&api.db, operator, query.state.as_deref(), page).await?;
    Ok(Json(List::new(page, rows, |row| row.id, RateSheet::of)))
}

/// Show a rate sheet.
#[utoipa::path(get, path = "/v1/rate-sheets/{id}", tag = "operators", params(("id" = String, Path, description = "`sheet_…`")),
    responses((status = 200, body = RateSheet), Refusals))]
async fn get_sheet(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<RateSheet>, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_house()?;
    show(&api, path_id(&id)?).await
}

/// A sheet as it stands now.
async fn show(api: &Api, id: SheetId) -> Result<Json<RateSheet>, Problem> {
    let sheet = rate_sheets::get(&api.db, id).await?.ok_or_else(Problem::not_found)?;
    Ok(Json(RateSheet::of(sheet)))
}

/// List what each row of a sheet changes or what is wrong with it, in the order of the rows; closings of what the sheet does
/// not list follow.
#[utoipa::path(get, path = "/v1/rate-sheets/{id}/lines", tag = "operators",
    params(LineFilters, ("id" = String, Path, description = "`sheet_…`")),
    responses((status = 200, body = List<RateSheetLine>), Refusals))]
async fn list_lines(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<LineFilters>,
) -> Result<Json<List<Value>>, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_house()?;
    let id: SheetId = path_id(&id)?;
    let mut check = Check::default();
    let limit = usize::from(limit_of(&mut check, query.limit.as_deref()));
    let after = match query.cursor.as_deref().map(str::parse::<i32>) {
        None => 0,
        Some(Ok(position)) => position,
        Some(Err(_)) => {
            check.refuse("/cursor", Code::InvalidRequest, "expected next_cursor of the page before");
            0
        }
    };
    one_of(&mut check, "/kind", query.kind.as_deref(), &KINDS);
    check.finish()?;
    rate_sheets::get(&api.db, id).await?.ok_or_else(Problem::not_found)?;
    let rows = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let mut lines = rate_sheets::lines(&api.db, id, query.kind.as_deref(), after, rows).await?;
    let has_more = lines.len() > limit;
    lines.truncate(limit);
    let next_cursor = lines.last().filter(|_| has_more).map(|line| line.position.to_string());
    Ok(Json(List { data: lines.into_iter().map(|line| line.body).collect(), has_more, next_cursor }))
}

fn one_of(check: &mut Check, pointer: &str, given: Option<&str>, known: &[&str]) {
    if given.is_some_and(|given| !known.contains(&given)) {
        check.refuse(pointer, Code::InvalidRequest, format!("expected one of {}", known.join(", ")));
    }
}
