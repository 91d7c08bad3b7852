//! `/v1/sender-ids`: what an account may send as, and who decides.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use domain::{AccountId, Sender, SenderIdId};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::senders::{self, Registration, Verdict};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::accounts::named;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::{Change, conflict, found};
use crate::check::Check;
use crate::list::{List, Query, page, path_id};
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(register_sender))
        .routes(routes!(list_senders))
        .routes(routes!(approve_sender))
        .routes(routes!(reject_sender))
}

/// A sender ID to register.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RegisterSender {
    /// A name of up to 11 characters, or up to 15 digits.
    #[schema(example = "TestCompany")]
    sender: String,
    /// For which account; your own when nothing is said.
    account_id: Option<String>,
}

/// Why a sender ID is rejected.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RejectSender {
    /// The customer reads it.
    #[schema(example = "the name belongs to a bank")]
    reason: String,
}

/// A registered sender ID.
#[derive(Serialize, ToSchema)]
struct SenderId {
    /// Its id.
    id: String,
    /// Who may send by it once it is approved.
    account_id: String,
    /// What the handset shows.
    sender: String,
    /// `pending`, `approved` or `rejected`.
    status: String,
    /// Why it was rejected.
    reason: Option<String>,
    /// When it was decided about.
    #[serde(serialize_with = "crate::time::millis_some")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    decided_at: Option<DateTime<Utc>>,
    /// When it was registered.
    #[serde(serialize_with = "crate::time::millis")]
    created_at: DateTime<Utc>,
}

/// Which sender IDs.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filters {
    /// `pending`, `approved` or `rejected`.
    status: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 1000; 50 when nothing is said.
    limit: Option<String>,
}

fn view(row: Registration) -> SenderId {
    SenderId {
        id: SenderIdId::from_uuid(row.id).to_string(),
        account_id: AccountId::from_uuid(row.account_id).to_string(),
        sender: row.sender,
        status: row.status,
        reason: row.reason,
        decided_at: row.decided_at,
        created_at: row.created_at,
    }
}

async fn show(api: &Api, caller: &Caller, id: SenderIdId) -> Result<Json<SenderId>, Problem> {
    let row = senders::get(&api.db, caller.account, id).await?;
    row.map(view).map(Json).ok_or_else(Problem::not_found)
}

/// Register a sender ID. It waits for approval by the house or the reseller above.
#[utoipa::path(post, path = "/v1/sender-ids", tag = "account", request_body = RegisterSender,
    responses((status = 201, body = SenderId), Refusals))]
async fn register_sender(
    State(api): State<Arc<Api>>,
    caller: Caller,
    raw: Raw,
) -> Result<(StatusCode, Json<SenderId>), Problem> {
    caller.may(Scope::AccountWrite)?;
    let body: RegisterSender = raw.parse()?;
    let mut check = Check::default();
    let account = named(&api, &caller, &mut check, body.account_id.as_deref())?;
    let sender = check.value("/sender", Code::InvalidSender, Sender::parse(&body.sender));
    let (account, sender) = check.finish_with(account.zip(sender))?;
    let id = SenderIdId::generate();
    let mut tx = api.db.begin().await?;
    let made = senders::register(&mut tx, caller.account, id, account, &sender).await;
    found(made.map_err(|error| conflict(error, "sender_ids_once", "this sender ID is registered already"))?)?;
    let detail = json!({"sender": sender.as_str()});
    let change = Change { account, action: "sender_id.register", subject: id.to_string(), detail };
    api.commit(tx, &caller, change).await?;
    Ok((StatusCode::CREATED, show(&api, &caller, id).await?))
}

/// List the sender IDs of your own account and of all below it, newest first.
#[utoipa::path(get, path = "/v1/sender-ids", tag = "account", params(Filters),
    responses((status = 200, body = List<SenderId>), Refusals))]
async fn list_senders(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<Filters>,
) -> Result<Json<List<SenderId>>, Problem> {
    caller.may(Scope::AccountRead)?;
    let mut check = Check::default();
    let page = page(&mut check, query.cursor.as_deref(), query.limit.as_deref());
    let known = query.status.as_deref().is_none_or(|status| ["pending", "approved", "rejected"].contains(&status));
    check.that(known, "/status", "expected pending, approved or rejected");
    check.finish()?;
    let rows = senders::list(&api.db, caller.account, query.status.as_deref(), page).await?;
    Ok(Json(List::new(page, rows, |row| row.id, view)))
}

/// Approve a sender ID of an account below your own. Only the house approves its own.
#[utoipa::path(post, path = "/v1/sender-ids/{id}/approve", tag = "account", params(("id" = String, Path, description = "`snd_…`")),
    responses((status = 200, body = SenderId), Refusals))]
async fn approve_sender(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<SenderId>, Problem> {
    decide(&api, &caller, &id, &Verdict::Approved).await
}

/// Reject a sender ID of an account below your own, and say why.
#[utoipa::path(post, path = "/v1/sender-ids/{id}/reject", tag = "account", params(("id" = String, Path, description = "`snd_…`")),
    request_body = RejectSender, responses((status = 200, body = SenderId), Refusals))]
async fn reject_sender(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    raw: Raw,
) -> Result<Json<SenderId>, Problem> {
    let RejectSender { reason } = raw.parse()?;
    let mut check = Check::default();
    check.label("/reason", &reason, 500);
    check.finish()?;
    decide(&api, &caller, &id, &Verdict::Rejected(reason)).await
}

async fn decide(api: &Api, caller: &Caller, id: &str, verdict: &Verdict) -> Result<Json<SenderId>, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_seller()?;
    let id: SenderIdId = path_id(id)?;
    let mut tx = api.db.begin().await?;
    let account = senders::decide(&mut tx, caller.account, id, verdict, &caller.actor.to_string()).await?;
    let account = account.ok_or_else(Problem::not_found)?;
    let (action, detail) = match verdict {
        Verdict::Approved => ("sender_id.approve", json!({})),
        Verdict::Rejected(reason) => ("sender_id.reject", json!({"reason": reason})),
    };
    api.commit(tx, caller, Change { account, action, subject: id.to_string(), detail }).await?;
    show(api, caller, id).await
}
