//! `/v1/lookup-providers`: who is asked; the house only.

mod form;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use domain::LookupProviderId;
use domain::lookup::Provider;
use http::StatusCode;
use serde_json::json;
use store::lookups;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::form::{ChangeLookupProvider, CreateLookupProvider, LookupProvider, changed, read, view};
use crate::Api;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::{Change, found};
use crate::list::{List, path_id};
use crate::openapi::Refusals;
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(create_provider))
        .routes(routes!(list_providers))
        .routes(routes!(change_provider))
        .routes(routes!(delete_provider))
}

/// Add a provider of look-ups.
#[utoipa::path(post, path = "/v1/lookup-providers", tag = "numbering", request_body = CreateLookupProvider,
    responses((status = 201, body = LookupProvider), Refusals))]
async fn create_provider(
    State(api): State<Arc<Api>>,
    caller: Caller,
    raw: Raw,
) -> Result<(StatusCode, Json<LookupProvider>), Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let new = read(&api, raw.parse()?)?;
    let mut tx = api.db.begin().await?;
    lookups::create_provider(&mut tx, &new).await?;
    let detail =
        json!({"name": new.name, "url": new.url, "cost": new.cost.to_string(), "currency": new.currency.to_string()});
    let change =
        Change { account: caller.account, action: "lookup_provider.create", subject: new.id.to_string(), detail };
    api.commit(tx, &caller, change).await?;
    Ok((StatusCode::CREATED, Json(view(new))))
}

/// List the providers of look-ups, in the order in which they are asked.
#[utoipa::path(get, path = "/v1/lookup-providers", tag = "numbering",
    responses((status = 200, body = List<LookupProvider>), Refusals))]
async fn list_providers(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<List<LookupProvider>>, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_house()?;
    let mut tx = api.db.begin().await?;
    let data = lookups::providers(&mut tx).await?.into_iter().map(view).collect();
    Ok(Json(List { data, has_more: false, next_cursor: None }))
}

/// Change a provider. What was looked up before stays as it is.
#[utoipa::path(patch, path = "/v1/lookup-providers/{id}", tag = "numbering", request_body = ChangeLookupProvider,
    params(("id" = String, Path, description = "`lkp_…`")), responses((status = 200, body = LookupProvider), Refusals))]
async fn change_provider(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    raw: Raw,
) -> Result<Json<LookupProvider>, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let id: LookupProviderId = path_id(&id)?;
    let mut tx = api.db.begin().await?;
    let old = lookups::lock_provider(&mut tx, id).await?.ok_or_else(Problem::not_found)?;
    let new = changed(&api, &old, raw.parse()?)?;
    lookups::update_provider(&mut tx, &new).await?;
    let (account, subject) = (caller.account, id.to_string());
    let told = |one: &Provider| json!({"name": one.name, "url": one.url, "cost": one.cost.to_string(), "currency": one.currency.to_string()});
    let secret = new.secret_sealed != old.secret_sealed;
    let detail = json!({"before": told(&old), "after": told(&new), "is_secret_new": secret});
    api.commit(tx, &caller, Change { account, action: "lookup_provider.update", subject, detail }).await?;
    Ok(Json(view(new)))
}

/// Take a provider out of use.
#[utoipa::path(delete, path = "/v1/lookup-providers/{id}", tag = "numbering",
    params(("id" = String, Path, description = "`lkp_…`")), responses((status = 204), Refusals))]
async fn delete_provider(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let id: LookupProviderId = path_id(&id)?;
    let mut tx = api.db.begin().await?;
    found(lookups::delete_provider(&mut tx, id).await?)?;
    let (account, subject) = (caller.account, id.to_string());
    api.commit(tx, &caller, Change { account, action: "lookup_provider.delete", subject, detail: json!({}) }).await?;
    Ok(StatusCode::NO_CONTENT)
}
