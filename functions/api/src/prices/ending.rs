//! `POST /v1/tariffs/{id}/end` and `DELETE /v1/tariffs/{id}`: a price that ends on purpose, and one of later that is taken
//! back.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use domain::TariffId;
use http::StatusCode;
use serde_json::json;
use store::tariffs;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::view::{Tariff, view};
use crate::Api;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::{Change, EndDated, has_begun, is_over};
use crate::list::path_id;
use crate::openapi::Refusals;
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(end_tariff)).routes(routes!(withdraw_tariff))
}

/// End a price on purpose. From then on the plan has no such price until one is published, and messages are priced by
/// the next that fits: that of the country, or the default of the plan.
///
/// A price that follows keeps its time. Refused with 409 where the price does not hold at that time.
#[utoipa::path(post, path = "/v1/tariffs/{id}/end", tag = "prices", request_body = EndDated,
    params(("id" = String, Path, description = "`tar_…`")), responses((status = 200, body = Tariff), Refusals))]
async fn end_tariff(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    raw: Raw,
) -> Result<Json<Tariff>, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_seller()?;
    let id: TariffId = path_id(&id)?;
    let (at, reason) = raw.parse::<EndDated>()?.read()?;
    let mut tx = api.db.begin().await?;
    let found = tariffs::get_for_update(&mut tx, caller.account, id).await?;
    let (owner, mut tariff) = found.ok_or_else(Problem::not_found)?;
    if !tariffs::end(&mut tx, caller.account, id, at).await? {
        return Err(is_over());
    }
    let detail = json!({"effective_to": at, "effective_to_before": tariff.to, "reason": reason});
    let change = Change { account: owner, action: "tariff.end", subject: id.to_string(), detail };
    api.commit(tx, &caller, change).await?;
    tariff.to = Some(at);
    Ok(Json(view(&tariff)))
}

/// Take back a price that has not begun: the one before it goes on.
///
/// Refused with 409 once it has begun; then publish another one, or end it.
#[utoipa::path(delete, path = "/v1/tariffs/{id}", tag = "prices",
    params(("id" = String, Path, description = "`tar_…`")),
    responses((status = 204, description = "It never will hold"), Refusals))]
async fn withdraw_tariff(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_seller()?;
    let id: TariffId = path_id(&id)?;
    let mut tx = api.db.begin().await?;
    let found = tariffs::get_for_update(&mut tx, caller.account, id).await?;
    let (owner, tariff) = found.ok_or_else(Problem::not_found)?;
    if !tariffs::withdraw(&mut tx, caller.account, id, crate::time::now()).await? {
        return Err(has_begun());
    }
    let detail = json!({"plan_id": tariff.plan, "mcc_mnc": tariff.network, "traffic_class": tariff.traffic_class,
        "price": tariff.price, "effective_from": tariff.from});
    let change = Change { account: owner, action: "tariff.withdraw", subject: id.to_string(), detail };
    api.commit(tx, &caller, change).await?;
    Ok(StatusCode::NO_CONTENT)
}
