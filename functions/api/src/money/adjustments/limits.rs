//! `/v1/adjustment-limits`: up to what amount a wallet is adjusted within 24 hours without a second person.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use domain::{Currency, Micros};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::ledger::adjust::{self, DecideError};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{ABOVE, undecided};
use crate::Api;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::Change;
use crate::check::Check;
use crate::list::path_id;
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list_adjustment_limits))
        .routes(routes!(set_adjustment_limit))
        .routes(routes!(approve_adjustment_limit))
}

/// A limit to set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetLimit {
    /// The amount; `0` asks for two people always.
    #[schema(example = "100.00")]
    amount: String,
}

/// Up to what amount a wallet is adjusted within 24 hours without a second person.
#[derive(Serialize, ToSchema)]
struct AdjustmentLimit {
    /// Of wallets in this currency (ISO 4217).
    currency: String,
    /// The amount: all adjustments of a wallet together, without their signs.
    amount: String,
    /// A higher one that waits for another person; null: none.
    asked_amount: Option<String>,
    /// Who asked for that.
    asked_by: Option<String>,
    /// Who set it; where two people were needed: who asked for it.
    set_by: String,
    /// When.
    #[serde(serialize_with = "crate::time::millis")]
    updated_at: DateTime<Utc>,
}

/// Every limit that was set.
#[derive(Serialize, ToSchema)]
struct AdjustmentLimits {
    /// By currency. A currency that is not here needs two people for every adjustment.
    data: Vec<AdjustmentLimit>,
}

async fn show(api: &Api) -> Result<Json<AdjustmentLimits>, Problem> {
    let view = |row: adjust::Limit| AdjustmentLimit {
        currency: row.currency.to_string(),
        amount: row.amount.to_string(),
        asked_amount: row.asked.as_ref().map(|asked| asked.amount.to_string()),
        asked_by: row.asked.map(|asked| asked.by),
        set_by: row.set_by,
        updated_at: row.updated_at,
    };
    Ok(Json(AdjustmentLimits { data: adjust::limits(&api.db).await?.into_iter().map(view).collect() }))
}

/// List the limits of adjustments. Only the house may.
#[utoipa::path(get, path = "/v1/adjustment-limits", tag = "money",
    responses((status = 200, body = AdjustmentLimits), Refusals))]
async fn list_adjustment_limits(
    State(api): State<Arc<Api>>,
    caller: Caller,
) -> Result<Json<AdjustmentLimits>, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_house()?;
    show(&api).await
}

/// The currency and the amount that a person of the house asks for.
fn read(caller: &Caller, currency: &str, raw: &Raw) -> Result<(Currency, Micros), Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    caller.is_person(ABOVE)?;
    let currency: Currency = path_id(currency)?;
    let SetLimit { amount } = raw.parse()?;
    let mut check = Check::default();
    let amount = check.limit("/amount", &amount);
    Ok((currency, check.finish_with(amount)?))
}

/// Set the limit of a currency. Only a person of the house may.
///
/// A lower one holds at once. A higher one waits until another person approves it; where none was set, any but zero is higher.
#[utoipa::path(put, path = "/v1/adjustment-limits/{currency}", tag = "money", request_body = SetLimit,
    params(("currency" = String, Path, description = "ISO 4217")),
    responses((status = 200, body = AdjustmentLimits), Refusals))]
async fn set_adjustment_limit(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(currency): Path<String>,
    raw: Raw,
) -> Result<Json<AdjustmentLimits>, Problem> {
    let (currency, amount) = read(&caller, &currency, &raw)?;
    let mut tx = api.db.begin().await?;
    let is_set = adjust::set_limit(&mut tx, currency, amount, &caller.actor.to_string()).await?;
    let detail = json!({"amount": amount, "waits": !is_set});
    let change =
        Change { account: caller.account, action: "adjustment_limit.set", subject: currency.to_string(), detail };
    api.commit(tx, &caller, change).await?;
    show(&api).await
}

/// Approve a higher limit that somebody else asked for: it holds at once. The amount is the one that waits.
#[utoipa::path(post, path = "/v1/adjustment-limits/{currency}/approve", tag = "money", request_body = SetLimit,
    params(("currency" = String, Path, description = "ISO 4217")),
    responses((status = 200, body = AdjustmentLimits), Refusals))]
async fn approve_adjustment_limit(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(currency): Path<String>,
    raw: Raw,
) -> Result<Json<AdjustmentLimits>, Problem> {
    let (currency, amount) = read(&caller, &currency, &raw)?;
    let mut tx = api.db.begin().await?;
    let approved = adjust::approve_limit(&mut tx, currency, amount, &caller.actor.to_string()).await;
    approved.map_err(|error| match error {
        DecideError::Decided => Problem::new(Code::Conflict, "another amount waits for approval; read it again"),
        error => undecided(error),
    })?;
    let change = Change {
        account: caller.account,
        action: "adjustment_limit.approve",
        subject: currency.to_string(),
        detail: json!({"amount": amount}),
    };
    api.commit(tx, &caller, change).await?;
    show(&api).await
}
