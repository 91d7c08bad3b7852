//! `/v1/routing/guards`: how much messages must earn, and what happens otherwise. The house only.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use domain::routing::margin::{Breach, Guard};
use domain::{GuardId, Micros};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::margin_guards::{self, Made};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::ended;
use crate::Api;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::{Change, conflict};
use crate::check::Check;
use crate::list::{List, Paging, Query, path_id};
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(publish_guard)).routes(routes!(list_guards)).routes(routes!(end_guard))
}

/// A guard to publish. Of several that concern a message and an operator, one of its account goes before one of an
/// account above it, then one of the operator before one of any, then one of the network before one of the country.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PublishGuard {
    /// For messages of this account and of all below it; of all when nothing is said.
    account_id: Option<String>,
    /// For this operator; for all when nothing is said.
    operator_id: Option<String>,
    /// To this country; to all when nothing is said.
    #[schema(example = "434")]
    mcc: Option<String>,
    /// To this network of it.
    mnc: Option<String>,
    /// What a segment must earn: its price less its cost, in the currency of the price; 0 when nothing is said. Below zero
    /// it says how much may be lost.
    #[schema(example = "1.50")]
    min: Option<String>,
    /// And so many thousandths of its price.
    #[schema(example = 50)]
    min_permille: Option<i32>,
    /// What happens otherwise: `block` (default): the operator is no choice; `alert`: it is, and is counted; `allow`: it
    /// is, as whoever makes this guard allows.
    on_breach: Option<String>,
    /// Why; must be said to allow.
    reason: Option<String>,
    /// From when it holds; now when nothing is said.
    effective_from: Option<String>,
}

/// How much messages must earn.
#[derive(Serialize, ToSchema)]
struct MarginGuard {
    /// Its id.
    id: String,
    /// For messages of this account and of all below it; null: of all.
    account_id: Option<String>,
    /// For this operator; null: for all.
    operator_id: Option<String>,
    /// To this country; null: to all.
    mcc: Option<String>,
    /// To this network of it.
    mnc: Option<String>,
    /// What a segment must earn.
    min: String,
    /// And so many thousandths of its price.
    min_permille: Option<i32>,
    /// `block`, `alert` or `allow`.
    on_breach: &'static str,
    /// Why.
    reason: String,
    /// The key or user that made it.
    made_by: String,
    /// From when it holds.
    #[serde(serialize_with = "crate::time::millis")]
    effective_from: DateTime<Utc>,
    /// Until when; null: open.
    #[serde(serialize_with = "crate::time::millis_some")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    effective_to: Option<DateTime<Utc>>,
}

fn view(made: Made) -> MarginGuard {
    let Made { guard, reason, made_by } = made;
    MarginGuard {
        id: guard.id.to_string(),
        account_id: guard.account.map(|id| id.to_string()),
        operator_id: guard.operator.map(|id| id.to_string()),
        mcc: guard.network.map(|network| network.mcc.to_string()),
        mnc: guard.network.and_then(|network| network.mnc).map(|mnc| mnc.to_string()),
        min: guard.min.to_string(),
        min_permille: guard.min_permille,
        on_breach: guard.on_breach.name(),
        reason,
        made_by,
        effective_from: guard.from,
        effective_to: guard.to,
    }
}

fn read(api: &Api, caller: &Caller, body: &PublishGuard) -> Result<Made, Problem> {
    let now = crate::time::now();
    let mut check = Check::default();
    let network = match (body.mcc.as_deref(), body.mnc.as_deref()) {
        (Some(mcc), mnc) => check.network("", mcc, mnc),
        (None, mnc) => {
            check.that(mnc.is_none(), "/mnc", "a network has a country: say mcc, too");
            None
        }
    };
    let account = check.parse_some("/account_id", body.account_id.as_deref());
    let operator = check.parse_some("/operator_id", body.operator_id.as_deref());
    let catalogue = api.catalogue.get();
    let is_account = account.is_none_or(|id| catalogue.accounts.contains_key(&id));
    check.that(is_account, "/account_id", "there is no such account");
    let is_operator = operator.is_none_or(|id| catalogue.operators.iter().any(|operator| operator.id == id));
    check.that(is_operator, "/operator_id", "there is no such operator");
    let min = check.parse_some("/min", body.min.as_deref()).unwrap_or(Micros::ZERO);
    let is_part = body.min_permille.is_none_or(|part| (-1_000_000..=1_000).contains(&part));
    check.that(is_part, "/min_permille", "expected -1000000 to 1000");
    let on_breach = body
        .on_breach
        .as_deref()
        .map_or(Ok(Breach::Block), |name| Breach::parse(name).ok_or("expected block, alert or allow"));
    let on_breach = check.value("/on_breach", Code::InvalidRequest, on_breach).unwrap_or_default();
    let reason = body.reason.as_deref().unwrap_or_default().trim().to_owned();
    check.that(reason.chars().count() <= 1_000, "/reason", "expected at most 1000 characters");
    let is_reasoned = on_breach != Breach::Allow || !reason.is_empty();
    check.that(is_reasoned, "/reason", "say why routes that earn too little are allowed");
    let from = check.time("/effective_from", body.effective_from.as_deref()).unwrap_or(now);
    check.that(from >= now, "/effective_from", "expected a time that is not past");
    check.finish()?;
    let guard = Guard {
        id: GuardId::generate(),
        account,
        operator,
        network,
        min,
        min_permille: body.min_permille,
        on_breach,
        from,
        to: None,
    };
    Ok(Made { guard, reason, made_by: caller.actor.to_string() })
}

/// Publish a guard of the margin. It closes the one of the same account, operator and network that holds at its moment.
/// Without any guard, a route that costs more than it earns is no choice.
#[utoipa::path(post, path = "/v1/routing/guards", tag = "operators", request_body = PublishGuard,
    responses((status = 201, body = MarginGuard), Refusals))]
async fn publish_guard(
    State(api): State<Arc<Api>>,
    caller: Caller,
    raw: Raw,
) -> Result<(StatusCode, Json<MarginGuard>), Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let made = read(&api, &caller, &raw.parse()?)?;
    let mut tx = api.db.begin().await?;
    let twice = |error| conflict(error, "margin_guards_do_not_overlap", "a guard of this moment is there already");
    margin_guards::publish(&mut tx, &made).await.map_err(twice)?;
    let Guard { account, operator, network, min, min_permille, on_breach, from, .. } = &made.guard;
    let detail = json!({"account_id": account, "operator_id": operator, "mcc_mnc": network, "min": min,
        "min_permille": min_permille, "on_breach": on_breach, "reason": made.reason, "effective_from": from});
    let subject = made.guard.id.to_string();
    let change = Change { account: caller.account, action: "margin_guard.publish", subject, detail };
    api.commit(tx, &caller, change).await?;
    Ok((StatusCode::CREATED, Json(view(made))))
}

/// List the guards that hold, held or will hold, newest first.
#[utoipa::path(get, path = "/v1/routing/guards", tag = "operators", params(Paging),
    responses((status = 200, body = List<MarginGuard>), Refusals))]
async fn list_guards(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<Paging>,
) -> Result<Json<List<MarginGuard>>, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_house()?;
    let page = query.page()?;
    let rows = margin_guards::list(&api.db, page).await?;
    Ok(Json(List::new(page, rows, |row| row.guard.id.uuid(), view)))
}

/// End a guard now. One of later is taken back: the guard that it would have closed goes on.
#[utoipa::path(delete, path = "/v1/routing/guards/{id}", tag = "operators", params(("id" = String, Path, description = "`guard_…`")),
    responses((status = 204, description = "It holds no more"), Refusals))]
async fn end_guard(State(api): State<Arc<Api>>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let id: GuardId = path_id(&id)?;
    let mut tx = api.db.begin().await?;
    let was_there = margin_guards::end(&mut tx, id, crate::time::now()).await?;
    ended(&api, &caller, tx, was_there, ("margin_guard.end", id.to_string())).await
}
