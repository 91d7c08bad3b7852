//! `/v1/lookup-providers/{id}/account`: how the house stands with those whom it asks about numbers.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::LookupProviderId;
use http::{HeaderMap, Uri};
use store::ledger::supplier::{self, Supplier};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Filters, NewPayment, PaidSupplier, SetAlarm, SupplierAccount, SupplierEntry, account, entries, pay, watch,
};
use crate::Api;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::found;
use crate::list::{List, Query, path_id};
use crate::openapi::Refusals;
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(get_provider_account, set_provider_alarm))
        .routes(routes!(list_provider_entries))
        .routes(routes!(pay_provider))
}

/// The provider that a path names.
fn provider(id: &str) -> Result<Supplier, Problem> {
    let id: LookupProviderId = path_id(id)?;
    Ok(Supplier::Provider(id))
}

/// Read how the house stands with a provider of look-ups: paid, used up, left. Only the house may.
#[utoipa::path(get, path = "/v1/lookup-providers/{id}/account", tag = "numbering",
    params(("id" = String, Path, description = "`lkp_…`")), responses((status = 200, body = SupplierAccount), Refusals))]
async fn get_provider_account(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<SupplierAccount>, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_house()?;
    let provider = provider(&id)?;
    let mut tx = api.db.begin().await?;
    found(supplier::is_known(&mut tx, provider).await?)?;
    Ok(Json(account(&mut tx, provider).await?))
}

/// Set from where on the balance with a provider of look-ups raises an alarm. Only the house may.
#[utoipa::path(put, path = "/v1/lookup-providers/{id}/account", tag = "numbering", request_body = SetAlarm,
    params(("id" = String, Path, description = "`lkp_…`")), responses((status = 200, body = SupplierAccount), Refusals))]
async fn set_provider_alarm(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    raw: Raw,
) -> Result<Json<SupplierAccount>, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    watch(&api, &caller, provider(&id)?, &raw).await
}

/// Post a payment to a provider of look-ups. Only the house may.
#[utoipa::path(post, path = "/v1/lookup-providers/{id}/payments", tag = "numbering", request_body = NewPayment,
    params(("id" = String, Path, description = "`lkp_…`"),
        ("Idempotency-Key" = Option<String>, Header, description = "Up to 255 characters; the same key and body get the same answer for 48 hours")),
    responses((status = 201, body = PaidSupplier), Refusals))]
async fn pay_provider(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    (uri, headers): (Uri, HeaderMap),
    raw: Raw,
) -> Result<Response, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    pay(&api, &caller, provider(&id)?, (&headers, &uri), &raw).await
}

/// List the movements on the account with a provider of look-ups in one currency, newest first. Only the house may.
#[utoipa::path(get, path = "/v1/lookup-providers/{id}/entries", tag = "numbering",
    params(("id" = String, Path, description = "`lkp_…`"), Filters),
    responses((status = 200, body = List<SupplierEntry>), Refusals))]
async fn list_provider_entries(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<Filters>,
) -> Result<Json<List<SupplierEntry>>, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_house()?;
    entries(&api, provider(&id)?, &query).await
}
