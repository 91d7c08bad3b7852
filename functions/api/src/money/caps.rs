//! Spend caps of accounts and keys: what messages accepted on one UTC day may cost.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use chrono::NaiveDate;
use domain::{AccountId, KeyId, Micros, Role};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::ledger::caps;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::auth::{Actor, Caller, Scope};
use crate::body::Raw;
use crate::change::Change;
use crate::check::Check;
use crate::list::path_id;
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(get_account_cap))
        .routes(routes!(set_account_cap))
        .routes(routes!(get_key_cap))
        .routes(routes!(set_key_cap))
}

/// A cap to set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetCap {
    /// What may be spent on one UTC day; null: anything.
    #[schema(example = "1000.00")]
    daily: Option<String>,
}

/// What may be spent on a day, and what was.
#[derive(Serialize, ToSchema)]
struct SpendCap {
    /// What messages accepted on one UTC day may cost; null: anything.
    #[schema(example = "1000.00")]
    daily: Option<String>,
    /// An account's cap: who set it. Only that account, or one above it, raises it or takes it away.
    set_by: Option<String>,
    /// What messages accepted today cost, whatever became of them. Of a key: since it had its first cap. Null of
    /// accounts further down than right below you: what they pay is their business, and that of who sells to them.
    #[schema(example = "12.50")]
    spent: Option<String>,
    /// What can still be spent today; null: there is no cap, or `spent` is not told.
    left: Option<String>,
    /// The UTC day.
    #[schema(value_type = String, example = "2026-12-01")]
    day: NaiveDate,
    /// ISO 4217.
    currency: String,
}

fn view(api: &Api, caller: &Caller, spending: &caps::Spending) -> Json<SpendCap> {
    let spent = caller.knows_prices_of(&api.catalogue.get(), spending.account).then_some(spending.spent);
    let left = |(cap, spent): (Micros, Micros)| Micros::new(cap.get().saturating_sub(spent.get()).max(0)).to_string();
    Json(SpendCap {
        daily: spending.cap.map(|cap| cap.to_string()),
        set_by: spending.set_by.map(|account| account.to_string()),
        spent: spent.map(|spent| spent.to_string()),
        left: spending.cap.zip(spent).map(left),
        day: spending.day,
        currency: spending.currency.to_string(),
    })
}

fn read(raw: &Raw) -> Result<Option<Micros>, Problem> {
    let SetCap { daily } = raw.parse()?;
    let mut check = Check::default();
    let cap = daily.as_deref().and_then(|daily| check.limit("/daily", daily));
    check.finish()?;
    Ok(cap)
}

/// The caller must not be a key with a cap: what it would make or change could spend beyond it.
pub(crate) async fn is_uncapped(api: &Api, caller: &Caller) -> Result<(), Problem> {
    let Actor::Key(key) = caller.actor else { return Ok(()) };
    match caps::left_of_key(&api.db, key).await? {
        None => Ok(()),
        Some(_) => Err(Problem::new(
            Code::Forbidden,
            "a key with a spend cap neither changes caps nor makes what could spend beyond it: use another key, or log in",
        )),
    }
}

/// Read what an account may spend on a day, and what it has spent today.
#[utoipa::path(get, path = "/v1/accounts/{id}/spend-cap", tag = "money",
    params(("id" = String, Path, description = "`acc_…`")), responses((status = 200, body = SpendCap), Refusals))]
async fn get_account_cap(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<SpendCap>, Problem> {
    caller.may(Scope::BalanceRead)?;
    let account: AccountId = path_id(&id)?;
    caller.sees(&api.catalogue.get(), account)?;
    let spending = caps::of_account(&api.db, account).await?.ok_or_else(Problem::not_found)?;
    Ok(view(&api, &caller, &spending))
}

/// Set what an account below your own may spend on a day; with everybody below it, for their messages cost it, too.
///
/// In force with the next message. What was spent today counts; only the house caps itself. What an account above you set is
/// tightened, not raised.
#[utoipa::path(put, path = "/v1/accounts/{id}/spend-cap", tag = "money", request_body = SetCap,
    params(("id" = String, Path, description = "`acc_…`")), responses((status = 200, body = SpendCap), Refusals))]
async fn set_account_cap(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    raw: Raw,
) -> Result<Json<SpendCap>, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_seller()?;
    let account: AccountId = path_id(&id)?;
    caller.sees(&api.catalogue.get(), account)?;
    if account == caller.account && caller.role != Role::Admin {
        return Err(Problem::new(Code::Forbidden, "nobody but a seller above caps an account; cap your keys instead"));
    }
    let cap = read(&raw)?;
    let mut tx = api.db.begin().await?;
    if let Some(above) = caps::cap_account(&mut tx, caller.account, account, cap).await? {
        let detail = format!(
            "{} capped it at {}: that account, or one above it, allows more; set at most that",
            above.account, above.cap
        );
        return Err(Problem::field("/daily", Code::SetFromAbove, detail));
    }
    let change = Change { account, action: "account.cap", subject: account.to_string(), detail: json!({"daily": cap}) };
    api.commit(tx, &caller, change).await?;
    let spending = caps::of_account(&api.db, account).await?.ok_or_else(Problem::not_found)?;
    Ok(view(&api, &caller, &spending))
}

/// Read what may be spent with a key on a day, and what was spent today.
#[utoipa::path(get, path = "/v1/api-keys/{id}/spend-cap", tag = "money",
    params(("id" = String, Path, description = "`key_…`")), responses((status = 200, body = SpendCap), Refusals))]
async fn get_key_cap(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<SpendCap>, Problem> {
    caller.may(Scope::BalanceRead)?;
    let spending = caps::of_key(&api.db, caller.account, path_id(&id)?).await?.ok_or_else(Problem::not_found)?;
    Ok(view(&api, &caller, &spending))
}

/// Set what may be spent with a key on a day. In force everywhere within five seconds. What was spent before its first cap is
/// not counted; what was spent since is, also when the cap was taken away meanwhile. A key that has a cap changes no caps.
#[utoipa::path(put, path = "/v1/api-keys/{id}/spend-cap", tag = "money", request_body = SetCap,
    params(("id" = String, Path, description = "`key_…`")), responses((status = 200, body = SpendCap), Refusals))]
async fn set_key_cap(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    raw: Raw,
) -> Result<Json<SpendCap>, Problem> {
    caller.may(Scope::AccountWrite)?;
    is_uncapped(&api, &caller).await?;
    let key: KeyId = path_id(&id)?;
    let cap = read(&raw)?;
    let mut tx = api.db.begin().await?;
    let account = caps::cap_key(&mut tx, caller.account, key, cap).await?.ok_or_else(Problem::not_found)?;
    let change = Change { account, action: "api_key.cap", subject: key.to_string(), detail: json!({"daily": cap}) };
    api.commit(tx, &caller, change).await?;
    api.key_cache.forget(key);
    let spending = caps::of_key(&api.db, caller.account, key).await?.ok_or_else(Problem::not_found)?;
    Ok(view(&api, &caller, &spending))
}
