//! `/v1/accounts/{id}/reroute`: whether an account's messages go to another operator after one took them and did not
//! deliver them. The house only: it is the house that pays each operator.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use domain::AccountId;
use domain::reroute::{HOPS_MAX, Policy, RECEIPT_TIMEOUT_SECONDS};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::hops;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::{Change, found};
use crate::check::Check;
use crate::list::path_id;
use crate::openapi::Refusals;
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(get_reroute, set_reroute, end_reroute))
}

/// When a message that an operator took goes to another one. It keeps its id and its price, its customer hears of its end
/// only, and the house pays every operator that took it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reroute {
    /// Operators that may have a message in all, 1 to 3; 1: it stays with the first.
    #[schema(example = 2)]
    hops_max: u8,
    /// Seconds from the submit, 10 to 86400, after which a message without its final receipt goes on; not said: it waits.
    /// Its handset may then get it twice.
    #[schema(example = 120)]
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt_timeout_seconds: Option<u32>,
}

impl Reroute {
    /// Reads it; what is wrong is noted at `pointer`.
    pub(crate) fn read(self, check: &mut Check, pointer: &str) -> Policy {
        let Self { hops_max, receipt_timeout_seconds } = self;
        check.that((1..=HOPS_MAX).contains(&hops_max), &format!("{pointer}/hops_max"), "expected 1 to 3");
        let good = receipt_timeout_seconds.is_none_or(|seconds| RECEIPT_TIMEOUT_SECONDS.contains(&seconds));
        check.that(good, &format!("{pointer}/receipt_timeout_seconds"), "expected 10 to 86400");
        Policy { hops_max, receipt_timeout_seconds }
    }

    /// As it is shown.
    pub(crate) fn show(policy: Policy) -> Self {
        Self { hops_max: policy.hops_max, receipt_timeout_seconds: policy.receipt_timeout_seconds }
    }
}

fn authorize(api: &Api, caller: &Caller, scope: Scope, id: &str) -> Result<AccountId, Problem> {
    caller.may(scope)?;
    caller.is_house()?;
    let id: AccountId = path_id(id)?;
    caller.sees(&api.catalogue.get(), id)?;
    Ok(id)
}

/// Read what an account says itself; 404 where it says nothing, and the account above it counts.
#[utoipa::path(get, path = "/v1/accounts/{id}/reroute", tag = "accounts", params(("id" = String, Path, description = "`acc_…`")),
    responses((status = 200, body = Reroute), Refusals))]
async fn get_reroute(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Reroute>, Problem> {
    let id = authorize(&api, &caller, Scope::AdminRead, &id)?;
    let policy = hops::policy(&api.db, caller.account, id).await?.ok_or_else(Problem::not_found)?;
    Ok(Json(Reroute::show(policy)))
}

/// Say when messages of an account, and of all below it, go to another operator. A routing rule's own word goes before.
#[utoipa::path(put, path = "/v1/accounts/{id}/reroute", tag = "accounts", params(("id" = String, Path, description = "`acc_…`")),
    request_body = Reroute, responses((status = 200, body = Reroute), Refusals))]
async fn set_reroute(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    raw: Raw,
) -> Result<Json<Reroute>, Problem> {
    let id = authorize(&api, &caller, Scope::AdminWrite, &id)?;
    let body: Reroute = raw.parse()?;
    let mut check = Check::default();
    let policy = body.read(&mut check, "");
    check.finish()?;
    set(&api, &caller, id, Some(policy)).await?;
    Ok(Json(body))
}

/// Let the account above it say so again.
#[utoipa::path(delete, path = "/v1/accounts/{id}/reroute", tag = "accounts", params(("id" = String, Path, description = "`acc_…`")),
    responses((status = 204), Refusals))]
async fn end_reroute(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id = authorize(&api, &caller, Scope::AdminWrite, &id)?;
    set(&api, &caller, id, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn set(api: &Arc<Api>, caller: &Caller, id: AccountId, policy: Option<Policy>) -> Result<(), Problem> {
    let mut tx = api.db.begin().await?;
    found(hops::set_policy(&mut tx, caller.account, id, policy).await?)?;
    let detail = json!({ "reroute": policy });
    let change = Change { account: id, action: "account.reroute", subject: id.to_string(), detail };
    api.commit(tx, caller, change).await
}
