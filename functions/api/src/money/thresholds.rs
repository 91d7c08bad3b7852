//! `/v1/balance-thresholds`: who wants to hear when a balance runs low.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use domain::ThresholdId;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::ledger::thresholds::{self, NewThreshold, Threshold as Row};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::accounts::named;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::{Change, conflict};
use crate::check::Check;
use crate::list::{List, Query, page, path_id};
use crate::messages::url_guard;
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(create_threshold))
        .routes(routes!(list_thresholds))
        .routes(routes!(delete_threshold))
}

/// A threshold to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateThreshold {
    /// Of whose balance: of an account right below you; your own when nothing is said. The house asks for all.
    account_id: Option<String>,
    /// You hear of it when what can be spent falls below this.
    #[schema(example = "500.00")]
    amount: String,
    /// Where the event `balance.low` is posted; without one only who listens hears of it.
    #[schema(example = "https://example.com/money")]
    url: Option<String>,
}

/// A threshold of a balance.
#[derive(Serialize, ToSchema)]
struct BalanceThreshold {
    /// Its id.
    id: String,
    /// Of whose balance.
    account_id: String,
    /// The amount.
    amount: String,
    /// ISO 4217.
    currency: String,
    /// Where the event is posted.
    url: Option<String>,
    /// It was crossed downwards, and the balance has not clearly risen above it: the next event comes after that.
    is_low: bool,
    /// When it was crossed last, in either direction.
    #[serde(serialize_with = "crate::time::millis_some")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    crossed_at: Option<DateTime<Utc>>,
    /// When it was made.
    #[serde(serialize_with = "crate::time::millis")]
    created_at: DateTime<Utc>,
}

fn view(row: Row) -> BalanceThreshold {
    BalanceThreshold {
        id: row.id.to_string(),
        account_id: row.account.to_string(),
        amount: row.amount.to_string(),
        currency: row.currency.to_string(),
        url: row.url,
        is_low: row.is_low,
        crossed_at: row.crossed_at,
        created_at: row.created_at,
    }
}

/// Ask to hear when a balance runs low.
///
/// The event `balance.low` comes once when what can be spent falls below the amount (or is below it already), and
/// again only after it has clearly risen above it, by a tenth of the amount or because money came in; at most once an hour.
/// An account has at most 20 thresholds.
#[utoipa::path(post, path = "/v1/balance-thresholds", tag = "money", request_body = CreateThreshold,
    responses((status = 201, body = BalanceThreshold), Refusals))]
async fn create_threshold(
    State(api): State<Arc<Api>>,
    caller: Caller,
    raw: Raw,
) -> Result<(StatusCode, Json<BalanceThreshold>), Problem> {
    caller.may(Scope::AccountWrite)?;
    let body: CreateThreshold = raw.parse()?;
    let mut check = Check::default();
    let account = named(&api, &caller, &mut check, body.account_id.as_deref())?;
    let amount = check.level("/amount", &body.amount);
    let private = api.settings.private_webhooks;
    let read = |url: &str| url_guard::check(url, private);
    let url = body.url.as_deref().and_then(|url| check.value("/url", Code::InvalidRequest, read(url)));
    let (account, amount) = check.finish_with(account.zip(amount))?;
    // The event tells what can be spent, and so what messages cost.
    caller.knows_prices(&api.catalogue.get(), account)?;
    let new = NewThreshold { id: ThresholdId::generate(), account, amount, url };
    let mut tx = api.db.begin().await?;
    let made = thresholds::create(&mut tx, caller.account, &new).await;
    let made =
        made.map_err(|error| conflict(error, "balance_thresholds_once", "there is a threshold of this amount"))?;
    if !made {
        let detail = format!("an account has at most {} thresholds", thresholds::THRESHOLDS_MAX);
        return Err(Problem::new(Code::Conflict, detail));
    }
    let detail = json!({"amount": amount, "url": new.url});
    let change = Change { account, action: "balance_threshold.create", subject: new.id.to_string(), detail };
    api.commit(tx, &caller, change).await?;
    let page = store::page::Page::new(None, 1000);
    let rows = thresholds::list(&api.db, caller.account, Some(account), page).await?;
    let row = rows.into_iter().find(|row| row.id == new.id).ok_or_else(Problem::not_found)?;
    Ok((StatusCode::CREATED, Json(view(row))))
}

/// Which thresholds.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filters {
    /// Of this account; of your own and all below it when nothing is said.
    account_id: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 1000; 50 when nothing is said.
    limit: Option<String>,
}

/// List thresholds of balances, newest first.
#[utoipa::path(get, path = "/v1/balance-thresholds", tag = "money", params(Filters),
    responses((status = 200, body = List<BalanceThreshold>), Refusals))]
async fn list_thresholds(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<Filters>,
) -> Result<Json<List<BalanceThreshold>>, Problem> {
    caller.may(Scope::BalanceRead)?;
    let mut check = Check::default();
    let page = page(&mut check, query.cursor.as_deref(), query.limit.as_deref());
    let account = check.parse_some("/account_id", query.account_id.as_deref());
    check.finish()?;
    if let Some(account) = account {
        caller.sees(&api.catalogue.get(), account)?;
    }
    let rows = thresholds::list(&api.db, caller.account, account, page).await?;
    Ok(Json(List::new(page, rows, |row| row.id.uuid(), view)))
}

/// Delete a threshold.
#[utoipa::path(delete, path = "/v1/balance-thresholds/{id}", tag = "money",
    params(("id" = String, Path, description = "`low_…`")), responses((status = 204), Refusals))]
async fn delete_threshold(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.may(Scope::AccountWrite)?;
    let id: ThresholdId = path_id(&id)?;
    let mut tx = api.db.begin().await?;
    let account = thresholds::delete(&mut tx, caller.account, id).await?.ok_or_else(Problem::not_found)?;
    let change = Change { account, action: "balance_threshold.delete", subject: id.to_string(), detail: json!({}) };
    api.commit(tx, &caller, change).await?;
    Ok(StatusCode::NO_CONTENT)
}
