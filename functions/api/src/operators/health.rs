//! `/v1/operators/{id}/health`: how an operator does at each network, how far its receipts are believed, where its
//! circuit breakers stand; and turning those by hand. The house only.

mod view;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use domain::routing::breaker::{Breaker, State as BreakerState};
use domain::{Network, OperatorId};
use serde::Deserialize;
use serde_json::json;
use store::{breakers, operator_caps, operators, standings};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::Change;
use crate::check::Check;
use crate::list::path_id;
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};
pub(crate) use view::OperatorHealth;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(operator_health)).routes(routes!(turn_breaker))
}

/// How a breaker shall stand.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TurnBreaker {
    /// `open`: no message goes to the operator at this network, or at any of the country, until somebody closes it. `closed`:
    /// messages go, and it opens again by itself when too many fail from now on.
    #[schema(example = "open")]
    state: String,
    /// Why.
    reason: String,
}

/// How one operator does.
pub(crate) async fn of(api: &Api, operator: &operators::Operator) -> Result<OperatorHealth, Problem> {
    let now = crate::time::now();
    let look = standings::look(&api.db, operator.id, now).await?;
    let routed = operator_caps::used(&api.db, operator.id, now.date_naive()).await?;
    Ok(OperatorHealth::of(operator, routed, look))
}

/// See how an operator does at each network: over the last 15 minutes, and its trust over the last 7 days.
#[utoipa::path(get, path = "/v1/operators/{id}/health", tag = "operators",
    params(("id" = String, Path, description = "`op_…`")),
    responses((status = 200, body = OperatorHealth), Refusals))]
async fn operator_health(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<OperatorHealth>, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_house()?;
    let operator = operators::get(&api.db, path_id(&id)?).await?.ok_or_else(Problem::not_found)?;
    Ok(Json(of(&api, &operator).await?))
}

/// Open or close the circuit breaker of an operator at a network by hand, or at all networks of a country.
#[utoipa::path(put, path = "/v1/operators/{id}/breakers/{mcc_mnc}", tag = "operators",
    params(("id" = String, Path, description = "`op_…`"), ("mcc_mnc" = String, Path, description = "Such as `43405`, or `434` for all networks of the country")),
    request_body = TurnBreaker, responses((status = 200, body = OperatorHealth), Refusals))]
async fn turn_breaker(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((id, network)): Path<(String, String)>,
    raw: Raw,
) -> Result<Json<OperatorHealth>, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let id: OperatorId = path_id(&id)?;
    let (network, breaker, reason) = read(&network, &raw.parse()?)?;
    let mut tx = api.db.begin().await?;
    standings::hold_off(&mut tx).await?;
    let operator = operators::get_for_update(&mut tx, id).await?.ok_or_else(Problem::not_found)?;
    let closes_network = breaker.state == BreakerState::Closed && network.mnc.is_some();
    if closes_network && breakers::is_held(&mut tx, id, network.country()).await? {
        return Err(Problem::new(Code::Conflict, "the breaker of its whole country is open: close that one first"));
    }
    let made_by = caller.actor.to_string();
    breakers::put(&mut tx, &breakers::Stored { operator: id, network, breaker, reason: reason.clone(), made_by })
        .await?;
    let detail = json!({"mcc_mnc": network, "state": breaker.state, "reason": reason});
    let change = Change { account: caller.account, action: "operator_breaker.turn", subject: id.to_string(), detail };
    api.commit(tx, &caller, change).await?;
    Ok(Json(of(&api, &operator).await?))
}

fn read(network: &str, body: &TurnBreaker) -> Result<(Network, Breaker, String), Problem> {
    let mut check = Check::default();
    let network = check.parse("/mcc_mnc", network);
    let state = match body.state.as_str() {
        "open" => Ok(BreakerState::Held),
        "closed" => Ok(BreakerState::Closed),
        _ => Err("expected open or closed"),
    };
    let state = check.value("/state", Code::InvalidRequest, state);
    check.label("/reason", &body.reason, 1_000);
    let (network, state) = check.finish_with(network.zip(state))?;
    let breaker = Breaker { state, ..Breaker::new(crate::time::now()) };
    Ok((network, breaker, body.reason.trim().to_owned()))
}
