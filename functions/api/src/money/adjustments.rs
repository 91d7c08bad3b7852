//! `/v1/adjustments`: money that the house puts into a wallet or takes out of it, above a limit by two people.

mod limits;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use chrono::{DateTime, Utc};
use domain::{AccountId, AdjustmentId, Micros};
use http::{HeaderMap, Uri};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::ledger::adjust::{self, Adjustment as Row, DecideError, Decision, NewAdjustment, Status};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::once::{Begun, Once};
use super::transfers::refused;
use crate::Api;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::Change;
use crate::check::Check;
use crate::list::{List, Query, page, path_id};
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(adjust_balance))
        .routes(routes!(list_adjustments))
        .routes(routes!(approve_adjustment))
        .routes(routes!(reject_adjustment))
        .merge(limits::routes())
}

/// An adjustment to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewBody {
    /// Whose wallet.
    account_id: String,
    /// How much, in the wallet's currency; below zero it is taken from the wallet.
    #[schema(example = "-12.50")]
    amount: String,
    /// Why; it stands on the statement.
    #[schema(example = "goodwill for the outage of 3 November")]
    reason: String,
}

/// What somebody says to a decision.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DecisionBody {
    /// Why.
    #[schema(example = "agreed with the customer")]
    reason: String,
}

/// An adjustment.
#[derive(Serialize, ToSchema)]
struct Adjustment {
    /// Its id.
    id: String,
    /// Whose wallet.
    account_id: String,
    /// How much; below zero: taken from the wallet.
    amount: String,
    /// ISO 4217.
    currency: String,
    /// Why.
    reason: String,
    /// `pending`, `done` or `rejected`.
    status: &'static str,
    /// Who asked for it.
    requested_by: String,
    /// Who approved or rejected it; null: nobody has, or nobody had to.
    decided_by: Option<String>,
    /// What they said.
    decision: Option<String>,
    /// When.
    #[serde(serialize_with = "crate::time::millis_some")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    decided_at: Option<DateTime<Utc>>,
    /// Names the entry of the journal, once it is done.
    entry_id: Option<String>,
    /// When it was asked for.
    #[serde(serialize_with = "crate::time::millis")]
    created_at: DateTime<Utc>,
}

fn view(row: Row) -> Adjustment {
    Adjustment {
        id: row.id.to_string(),
        account_id: row.account.to_string(),
        amount: row.amount.to_string(),
        currency: row.currency.to_string(),
        reason: row.reason,
        status: row.status.name(),
        requested_by: row.requested_by,
        decided_by: row.decided_by,
        decision: row.decision,
        decided_at: row.decided_at,
        entry_id: row.entry.map(|entry| entry.to_string()),
        created_at: row.created_at,
    }
}

/// Adjust a balance. Only the house may.
///
/// Up to the limit of the currency it is done at once. Above it the adjustment is `pending` until another person
/// approves it; then only a person who is logged in can ask for it, so that both have a name.
#[utoipa::path(post, path = "/v1/adjustments", tag = "money", request_body = NewBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "Up to 255 characters; the same key and body get the same answer for 48 hours")),
    responses((status = 201, body = Adjustment), Refusals))]
async fn adjust_balance(
    State(api): State<Arc<Api>>,
    caller: Caller,
    (uri, headers): (Uri, HeaderMap),
    raw: Raw,
) -> Result<Response, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let mut once = match Once::begin(&api, &caller, (&headers, &uri), &raw).await? {
        Begun::New(once) => once,
        Begun::Answered(answer) => return Ok(*answer),
    };
    let (account, amount, reason) = read(&raw.parse()?)?;
    caller.sees(&api.catalogue.get(), account)?;
    let actor = caller.actor.to_string();
    let new = NewAdjustment { id: AdjustmentId::generate(), account, amount, reason, actor };
    let made = adjust::request(&mut once.tx, &new).await.map_err(refused)?;
    if made.status == Status::Pending {
        caller.is_person(ABOVE)?;
    }
    let detail = json!({"account_id": account, "amount": amount, "reason": made.reason, "status": made.status.name(),
        "entry_id": made.entry});
    let change = Change { account, action: "adjustment.request", subject: made.id.to_string(), detail };
    once.finish((&api, &caller), change, &view(made)).await
}

/// Where two people are needed.
const ABOVE: &str = "above the limit";

fn read(body: &NewBody) -> Result<(AccountId, Micros, String), Problem> {
    let mut check = Check::default();
    let account: Option<AccountId> = check.parse("/account_id", &body.account_id);
    let amount: Option<Micros> = check.parse("/amount", &body.amount);
    let good = amount
        .is_none_or(|amount| amount != Micros::ZERO && amount <= Micros::AMOUNT_MAX && -amount <= Micros::AMOUNT_MAX);
    check.that(good, "/amount", "expected an amount other than zero, up to 1000000000 in either direction");
    super::reason(&mut check, &body.reason);
    let (account, amount) = check.finish_with(account.zip(amount))?;
    Ok((account, amount, body.reason.trim().to_owned()))
}

/// Which adjustments.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filters {
    /// Of this account.
    account_id: Option<String>,
    /// `pending`, `done` or `rejected`.
    status: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 1000; 50 when nothing is said.
    limit: Option<String>,
}

/// List adjustments, newest first. Only the house may.
#[utoipa::path(get, path = "/v1/adjustments", tag = "money", params(Filters),
    responses((status = 200, body = List<Adjustment>), Refusals))]
async fn list_adjustments(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<Filters>,
) -> Result<Json<List<Adjustment>>, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_house()?;
    let mut check = Check::default();
    let page = page(&mut check, query.cursor.as_deref(), query.limit.as_deref());
    let account = check.parse_some("/account_id", query.account_id.as_deref());
    let status = check.parse_some("/status", query.status.as_deref());
    check.finish()?;
    let rows = adjust::list(&api.db, caller.account, (account, status), page).await?;
    Ok(Json(List::new(page, rows, |row| row.id.uuid(), view)))
}

/// Approve an adjustment that somebody else asked for: it is in the books at once.
///
/// A log-in approves nothing of who made it. One that is younger than a day neither asks for nor approves what its maker, or
/// another log-in of that maker, approves or asks for.
#[utoipa::path(post, path = "/v1/adjustments/{id}/approve", tag = "money", request_body = DecisionBody,
    params(("id" = String, Path, description = "`adj_…`")), responses((status = 200, body = Adjustment), Refusals))]
async fn approve_adjustment(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    raw: Raw,
) -> Result<Json<Adjustment>, Problem> {
    decide(&api, &caller, (&id, Decision::Approve), &raw).await
}

/// Reject an adjustment: nothing comes of it. Who asked for it may do so, too.
#[utoipa::path(post, path = "/v1/adjustments/{id}/reject", tag = "money", request_body = DecisionBody,
    params(("id" = String, Path, description = "`adj_…`")), responses((status = 200, body = Adjustment), Refusals))]
async fn reject_adjustment(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    raw: Raw,
) -> Result<Json<Adjustment>, Problem> {
    decide(&api, &caller, (&id, Decision::Reject), &raw).await
}

async fn decide(
    api: &Api,
    caller: &Caller,
    (id, decision): (&str, Decision),
    raw: &Raw,
) -> Result<Json<Adjustment>, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    caller.is_person(ABOVE)?;
    let id: AdjustmentId = path_id(id)?;
    let DecisionBody { reason } = raw.parse()?;
    let mut check = Check::default();
    super::reason(&mut check, &reason);
    check.finish()?;
    let mut tx = api.db.begin().await?;
    let actor = caller.actor.to_string();
    let made = adjust::decide(&mut tx, caller.account, (id, decision), (&actor, reason.trim())).await;
    let made = made.map_err(undecided)?;
    let action = if decision == Decision::Approve { "adjustment.approve" } else { "adjustment.reject" };
    let detail = json!({"reason": reason.trim(), "amount": made.amount, "entry_id": made.entry});
    let change = Change { account: made.account, action, subject: id.to_string(), detail };
    api.commit(tx, caller, change).await?;
    Ok(Json(view(made)))
}

fn undecided(error: DecideError) -> Problem {
    match error {
        DecideError::Unknown => Problem::not_found(),
        DecideError::Decided => Problem::new(Code::Conflict, "it was decided before"),
        DecideError::Own => Problem::new(
            Code::Forbidden,
            "somebody else approves it: neither who asked for it nor a log-in that they made, nor one that was made less than a \
             day ago by the same person",
        ),
        DecideError::NoCredit => {
            Problem::new(Code::InsufficientCredit, "the wallet does not cover what is to be taken")
        }
        DecideError::Store(error) => error.into(),
    }
}
