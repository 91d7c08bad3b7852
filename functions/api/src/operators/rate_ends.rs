//! `POST /v1/operator-rates/{id}/end` and `DELETE /v1/operator-rates/{id}`: a rate that ends on purpose, and one of later
//! that is taken back.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use domain::RateId;
use http::StatusCode;
use serde_json::json;
use store::rates;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::rates::{OperatorRate, view};
use crate::Api;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::{Change, EndDated, has_begun, is_over};
use crate::list::path_id;
use crate::openapi::Refusals;
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(end_rate)).routes(routes!(withdraw_rate))
}

/// End a rate on purpose: from then on the operator is no choice there, unless another rate of it fits.
///
/// A rate that follows keeps its time. Refused with 409 where the rate does not hold at that time.
#[utoipa::path(post, path = "/v1/operator-rates/{id}/end", tag = "operators", request_body = EndDated,
    params(("id" = String, Path, description = "`rate_…`")), responses((status = 200, body = OperatorRate), Refusals))]
async fn end_rate(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    raw: Raw,
) -> Result<Json<OperatorRate>, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let id: RateId = path_id(&id)?;
    let (at, reason) = raw.parse::<EndDated>()?.read()?;
    let mut tx = api.db.begin().await?;
    let (network, mut rate) = rates::get_for_update(&mut tx, id).await?.ok_or_else(Problem::not_found)?;
    if !rates::end(&mut tx, id, at).await? {
        return Err(is_over());
    }
    let detail = json!({"effective_to": at, "effective_to_before": rate.to, "reason": reason});
    let change = Change { account: caller.account, action: "operator_rate.end", subject: id.to_string(), detail };
    api.commit(tx, &caller, change).await?;
    rate.to = Some(at);
    Ok(Json(view((network, rate))))
}

/// Take back a rate that has not begun: the one before it goes on.
///
/// Refused with 409 once it has begun; then publish another one, or end it.
#[utoipa::path(delete, path = "/v1/operator-rates/{id}", tag = "operators",
    params(("id" = String, Path, description = "`rate_…`")),
    responses((status = 204, description = "It never will hold"), Refusals))]
async fn withdraw_rate(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let id: RateId = path_id(&id)?;
    let mut tx = api.db.begin().await?;
    let (network, rate) = rates::get_for_update(&mut tx, id).await?.ok_or_else(Problem::not_found)?;
    if !rates::withdraw(&mut tx, id, crate::time::now()).await? {
        return Err(has_begun());
    }
    let detail = json!({"operator_id": rate.operator, "mcc_mnc": network, "traffic_class": rate.class,
        "price": rate.price, "currency": rate.currency, "effective_from": rate.from});
    let change = Change { account: caller.account, action: "operator_rate.withdraw", subject: id.to_string(), detail };
    api.commit(tx, &caller, change).await?;
    Ok(StatusCode::NO_CONTENT)
}
