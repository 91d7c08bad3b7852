//! `/v1/prefixes` and `/v1/number-overrides`: which network a number belongs to, the house only; `/v1/networks` and
//! `/v1/countries`: how they are called, for everybody.

mod import;
pub(crate) mod names;
mod networks;
mod overrides;
pub(crate) mod sheet;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use domain::PrefixId;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::prefixes::{self, NewPrefix, Prefix as Row};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::{Change, found};
use crate::check::Check;
use crate::list::{List, Query, page, path_id};
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

/// Prefixes of one request at most.
const PREFIXES_MAX: usize = 1_000;

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(put_prefix))
        .routes(routes!(put_prefixes))
        .routes(routes!(list_prefixes))
        .routes(routes!(delete_prefix))
        .merge(overrides::routes())
        .merge(networks::routes())
        .merge(import::routes())
}

/// A prefix and where it leads.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PutPrefix {
    /// 1 to 15 digits with the country code.
    #[schema(example = "99893")]
    prefix: String,
    /// Mobile country code.
    #[schema(example = "434")]
    mcc: String,
    /// Mobile network code; absent: only the country is known.
    #[schema(example = "05")]
    mnc: Option<String>,
    /// Who runs the network.
    #[schema(example = "Ucell")]
    operator_name: Option<String>,
}

/// Many prefixes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PutPrefixes {
    /// 1 to 1,000 prefixes.
    #[schema(inline, min_items = 1, max_items = 1000)]
    prefixes: Vec<PutPrefix>,
}

/// How many were stored.
#[derive(Serialize, ToSchema)]
struct PrefixesStored {
    /// How many.
    stored: usize,
}

/// A prefix.
#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the names of the published answer")]
struct Prefix {
    /// Its id.
    id: String,
    /// Digits with the country code.
    prefix: String,
    /// Mobile country code.
    mcc: String,
    /// Mobile network code; null: only the country is known.
    mnc: Option<String>,
    /// Who runs the network.
    operator_name: String,
    /// When it was made.
    #[serde(serialize_with = "crate::time::millis")]
    created_at: DateTime<Utc>,
}

/// Which prefixes.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filters {
    /// Those that begin with these digits.
    starts_with: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 1000; 50 when nothing is said.
    limit: Option<String>,
}

fn view(row: Row) -> Prefix {
    Prefix {
        id: PrefixId::from_uuid(row.id).to_string(),
        prefix: row.prefix,
        mcc: row.mcc,
        mnc: row.mnc,
        operator_name: row.operator_name,
        created_at: row.created_at,
    }
}

fn read(check: &mut Check, at: &str, body: &PutPrefix) -> Option<NewPrefix> {
    let network = check.network(at, &body.mcc, body.mnc.as_deref());
    let good = (1..=15).contains(&body.prefix.len())
        && body.prefix.bytes().all(|byte| byte.is_ascii_digit())
        && !body.prefix.starts_with('0');
    check.that(good, &format!("{at}/prefix"), "expected 1 to 15 digits that do not begin with 0");
    if let Some(name) = &body.operator_name {
        check.label(&format!("{at}/operator_name"), name, 100);
    }
    Some(NewPrefix {
        id: PrefixId::generate(),
        prefix: body.prefix.clone(),
        network: network?,
        operator_name: body.operator_name.clone().unwrap_or_default(),
    })
}

/// Lead a prefix to a network. One that exists is led anew.
#[utoipa::path(post, path = "/v1/prefixes", tag = "numbering", request_body = PutPrefix,
    responses((status = 201, body = Prefix), Refusals))]
async fn put_prefix(
    State(api): State<Arc<Api>>,
    caller: Caller,
    raw: Raw,
) -> Result<(StatusCode, Json<Prefix>), Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let mut check = Check::default();
    let new = read(&mut check, "", &raw.parse()?);
    let new = check.finish_with(new)?;
    store_all(&api, &caller, std::slice::from_ref(&new)).await?;
    let stored = prefixes::by_digits(&api.db, &[new.prefix]).await?.pop();
    Ok((StatusCode::CREATED, Json(view(stored.ok_or_else(Problem::not_found)?))))
}

/// Lead many prefixes to their networks, all or none.
#[utoipa::path(post, path = "/v1/prefixes/bulk", tag = "numbering", request_body = PutPrefixes,
    responses((status = 200, body = PrefixesStored), Refusals))]
async fn put_prefixes(State(api): State<Arc<Api>>, caller: Caller, raw: Raw) -> Result<Json<PrefixesStored>, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let body: PutPrefixes = raw.parse()?;
    let mut check = Check::default();
    check.that((1..=PREFIXES_MAX).contains(&body.prefixes.len()), "/prefixes", "expected 1 to 1000 prefixes");
    let mut new = Vec::with_capacity(body.prefixes.len());
    let mut seen = std::collections::HashSet::new();
    for (at, prefix) in body.prefixes.iter().enumerate().take(PREFIXES_MAX) {
        if !seen.insert(&prefix.prefix) {
            check.refuse(
                &format!("/prefixes/{at}/prefix"),
                Code::InvalidRequest,
                "this prefix stands in the list twice",
            );
        }
        new.extend(read(&mut check, &format!("/prefixes/{at}"), prefix));
    }
    check.finish()?;
    store_all(&api, &caller, &new).await?;
    Ok(Json(PrefixesStored { stored: new.len() }))
}

async fn store_all(api: &Api, caller: &Caller, new: &[NewPrefix]) -> Result<(), Problem> {
    let mut tx = api.db.begin().await?;
    prefixes::put(&mut tx, new).await?;
    let stored: Vec<_> = new.iter().map(|p| json!({"prefix": p.prefix, "mcc_mnc": p.network})).collect();
    let subject = new.first().map(|p| p.prefix.clone()).unwrap_or_default();
    let change = Change { account: caller.account, action: "prefix.put", subject, detail: json!({"prefixes": stored}) };
    api.commit(tx, caller, change).await
}

/// List prefixes, newest first.
#[utoipa::path(get, path = "/v1/prefixes", tag = "numbering", params(Filters),
    responses((status = 200, body = List<Prefix>), Refusals))]
async fn list_prefixes(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<Filters>,
) -> Result<Json<List<Prefix>>, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_house()?;
    let mut check = Check::default();
    let page = page(&mut check, query.cursor.as_deref(), query.limit.as_deref());
    let digits = query.starts_with.as_deref();
    let good = digits.is_none_or(|digits| digits.len() <= 15 && digits.bytes().all(|b| b.is_ascii_digit()));
    check.that(good, "/starts_with", "expected up to 15 digits");
    check.finish()?;
    let rows = prefixes::list(&api.db, digits, page).await?;
    Ok(Json(List::new(page, rows, |row| row.id, view)))
}

/// Remove a prefix.
#[utoipa::path(delete, path = "/v1/prefixes/{id}", tag = "numbering", params(("id" = String, Path, description = "`pfx_…`")),
    responses((status = 204), Refusals))]
async fn delete_prefix(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let id: PrefixId = path_id(&id)?;
    let mut tx = api.db.begin().await?;
    found(prefixes::delete(&mut tx, id).await?)?;
    let change =
        Change { account: caller.account, action: "prefix.delete", subject: id.to_string(), detail: json!({}) };
    api.commit(tx, &caller, change).await?;
    Ok(StatusCode::NO_CONTENT)
}
