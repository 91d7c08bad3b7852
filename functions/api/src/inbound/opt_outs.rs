//! `/v1/opt-outs`: who wants no more messages of an account.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use domain::Number;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::opt_outs;
use store::page::Page;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::Api;
use crate::accounts::named;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::{Change, found};
use crate::check::Check;
use crate::list::{List, Query, page};
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(list_opt_outs)).routes(routes!(add_opt_out)).routes(routes!(remove_opt_out))
}

/// Which opt-outs.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filters {
    /// Of this account; else of your own and all below it.
    account_id: Option<String>,
    /// By this number.
    number: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 1000; 50 when nothing is said.
    limit: Option<String>,
}

/// Whose opt-out is taken back.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Whose {
    /// Of this account; your own when nothing is said.
    account_id: Option<String>,
}

/// A number that wants no more messages.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddOptOut {
    /// With the country code.
    #[schema(example = "+998901234567")]
    number: String,
    /// Of which account; your own when nothing is said.
    account_id: Option<String>,
}

/// An opt-out: the account sends nothing to this number, by any sender ID.
#[derive(Serialize, ToSchema)]
struct OptOut {
    /// Whose messages are not wanted.
    account_id: String,
    /// By whom, in the form of E.164.
    number: String,
    /// `inbound mo_…`: by that message of the handset; else who stored it.
    source: String,
    /// Since when.
    #[serde(serialize_with = "crate::time::millis")]
    at: DateTime<Utc>,
}

fn view(row: opt_outs::OptOut) -> OptOut {
    OptOut { account_id: row.account.to_string(), number: row.number.e164(), source: row.source, at: row.at }
}

/// List opt-outs, newest first.
#[utoipa::path(get, path = "/v1/opt-outs", tag = "account", params(Filters),
    responses((status = 200, body = List<OptOut>), Refusals))]
async fn list_opt_outs(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<Filters>,
) -> Result<Json<List<OptOut>>, Problem> {
    caller.may(Scope::AccountRead)?;
    let mut check = Check::default();
    let page = page(&mut check, query.cursor.as_deref(), query.limit.as_deref());
    let account = check.parse_some("/account_id", query.account_id.as_deref());
    let number = query.number.as_deref();
    let number = number.and_then(|text| check.value("/number", Code::InvalidNumber, Number::parse(text)));
    check.finish()?;
    if let Some(account) = account {
        caller.sees(&api.catalogue.get(), account)?;
    }
    let rows = opt_outs::list(&api.db, caller.account, account, number, page).await?;
    Ok(Json(List::new(page, rows, |row| row.id, view)))
}

/// Store an opt-out: messages of the account to the number are refused with `recipient_opted_out`.
#[utoipa::path(post, path = "/v1/opt-outs", tag = "account", request_body = AddOptOut,
    responses((status = 201, body = OptOut), Refusals))]
async fn add_opt_out(
    State(api): State<Arc<Api>>,
    caller: Caller,
    raw: Raw,
) -> Result<(StatusCode, Json<OptOut>), Problem> {
    caller.may(Scope::AccountWrite)?;
    let body: AddOptOut = raw.parse()?;
    let mut check = Check::default();
    let account = named(&api, &caller, &mut check, body.account_id.as_deref())?;
    let number = check.value("/number", Code::InvalidNumber, Number::parse(&body.number));
    let (account, number) = check.finish_with(account.zip(number))?;
    let (source, at) = (caller.actor.to_string(), crate::time::now());
    let row = opt_outs::OptOut { id: Uuid::now_v7(), account, number, source, at };
    let mut tx = api.db.begin().await?;
    opt_outs::add(&mut tx, &[row]).await?;
    let change = Change { account, action: "opt_out.add", subject: number.e164(), detail: json!({}) };
    api.commit(tx, &caller, change).await?;
    // Where there was one it keeps its source.
    let stored = opt_outs::list(&api.db, caller.account, Some(account), Some(number), Page::new(None, 1)).await?;
    let stored = stored.into_iter().next().ok_or_else(Problem::not_found)?;
    Ok((StatusCode::CREATED, Json(view(stored))))
}

/// Take an opt-out back. Do it only when the recipient has asked for it.
#[utoipa::path(delete, path = "/v1/opt-outs/{number}", tag = "account",
    params(("number" = String, Path, description = "With the country code"), Whose),
    responses((status = 204, description = "Messages to the number are accepted again"), Refusals))]
async fn remove_opt_out(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(number): Path<String>,
    Query(query): Query<Whose>,
) -> Result<StatusCode, Problem> {
    caller.may(Scope::AccountWrite)?;
    let number = Number::parse(&number).map_err(|_| Problem::not_found())?;
    let mut check = Check::default();
    let account = named(&api, &caller, &mut check, query.account_id.as_deref())?;
    let account = check.finish_with(account)?;
    let mut tx = api.db.begin().await?;
    found(opt_outs::remove(&mut tx, account, number).await?)?;
    let change = Change { account, action: "opt_out.remove", subject: number.e164(), detail: json!({}) };
    api.commit(tx, &caller, change).await?;
    Ok(StatusCode::NO_CONTENT)
}
