//! `/v1/revenue-shares`: what a seller earns between what it is paid and what it pays. Each level sees its own only.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use domain::{MessageId, Micros};
use serde::{Deserialize, Serialize};
use store::ledger::revenue;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::auth::{Caller, Scope};
use crate::check::Check;
use crate::list::{Query, path_id};
use crate::openapi::Refusals;
use crate::problem::Problem;

/// The longest time that one answer covers.
const SPAN_MAX: TimeDelta = TimeDelta::days(93);

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(list_revenue_shares)).routes(routes!(get_message_share))
}

/// Which time.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Span {
    /// From this moment on; 31 days before `to` when nothing is said.
    from: Option<String>,
    /// Before this moment; now when nothing is said. At most 93 days behind `from`.
    to: Option<String>,
}

/// What you earned by one child on one day.
#[derive(Serialize, ToSchema)]
struct RevenueShare {
    /// The UTC day.
    #[schema(value_type = String, example = "2026-12-01")]
    day: NaiveDate,
    /// Who bought: directly below you; it may have sold on.
    child_id: String,
    /// Messages that were charged.
    messages: i64,
    /// What it paid you, less refunds.
    #[schema(example = "80.00")]
    earned: String,
    /// What you paid for the same messages, less refunds. The house: to operators, exchanges and all.
    #[schema(example = "60.00")]
    paid: String,
    /// What is left: `earned` - `paid`.
    #[schema(example = "20.00")]
    share: String,
    /// ISO 4217: what the child pays in. The house: what operators cost in a currency that nobody can convert stands by itself.
    currency: String,
}

/// Your own shares.
#[derive(Serialize, ToSchema)]
struct RevenueShares {
    /// By day and child, newest day first.
    data: Vec<RevenueShare>,
}

fn less(earned: Micros, paid: Micros) -> String {
    Micros::new(earned.get().saturating_sub(paid.get())).to_string()
}

/// List what you earned, by UTC day and by child: what it paid you, less what you paid for the same messages.
#[utoipa::path(get, path = "/v1/revenue-shares", tag = "money", params(Span),
    responses((status = 200, body = RevenueShares), Refusals))]
async fn list_revenue_shares(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<Span>,
) -> Result<Json<RevenueShares>, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_seller()?;
    let span = read(&query, crate::time::now())?;
    let rows = revenue::shares(&api.db, caller.account, span).await?;
    let view = |row: revenue::Share| RevenueShare {
        day: row.day,
        child_id: row.child.to_string(),
        messages: row.messages,
        earned: row.earned.to_string(),
        paid: row.paid.to_string(),
        share: less(row.earned, row.paid),
        currency: row.currency.to_string(),
    };
    Ok(Json(RevenueShares { data: rows.into_iter().map(view).collect() }))
}

fn read(query: &Span, now: DateTime<Utc>) -> Result<(DateTime<Utc>, DateTime<Utc>), Problem> {
    let mut check = Check::default();
    let until = check.time("/to", query.to.as_deref()).unwrap_or(now + TimeDelta::seconds(1));
    let since = check.time("/from", query.from.as_deref()).unwrap_or(until - TimeDelta::days(31));
    let good = since < until && until - since <= SPAN_MAX && since.timestamp() > SPAN_MAX.num_seconds();
    check.that(good, "/from", "expected a time before to, at most 93 days");
    check.finish()?;
    Ok((since, until))
}

/// What you earned by one message.
#[derive(Serialize, ToSchema)]
struct MessageShare {
    /// The message.
    message_id: String,
    /// What you were paid for it, less refunds.
    earned: String,
    /// What you paid for it, less refunds.
    paid: String,
    /// What is left: `earned` - `paid`.
    share: String,
    /// ISO 4217.
    currency: String,
}

/// Read what you earned by one message of an account below your own.
#[utoipa::path(get, path = "/v1/messages/{id}/share", tag = "money",
    params(("id" = String, Path, description = "`msg_…`")), responses((status = 200, body = MessageShare), Refusals))]
async fn get_message_share(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<MessageShare>, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_seller()?;
    let id: MessageId = path_id(&id)?;
    let (earned, paid, currency) =
        revenue::of_message(&api.db, caller.account, id).await?.ok_or_else(Problem::not_found)?;
    Ok(Json(MessageShare {
        message_id: id.to_string(),
        earned: earned.to_string(),
        paid: paid.to_string(),
        share: less(earned, paid),
        currency: currency.to_string(),
    }))
}
