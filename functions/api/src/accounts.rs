//! `/v1/accounts`: the tree below the caller's account, and the money given to it.

mod credit;
mod credit_limit;
mod reroute;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use domain::{AccountId, Currency, Micros, PlanId, Role};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::accounts::{self, Change as Values, NewAccount, Updated};
use store::tx::Tx;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::auth::{Caller, Scope};
use crate::balance::AccountBalance;
use crate::body::Raw;
use crate::change::{Change, found};
use crate::check::Check;
use crate::list::{List, Paging, Query, account_of, path_id};
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};
pub(crate) use reroute::Reroute;

/// Fastest rate that can be given, in segments per second.
const RATE_MAX: i32 = 1_000_000;

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(create_account))
        .routes(routes!(list_accounts))
        .routes(routes!(get_account))
        .routes(routes!(change_account))
        .merge(credit::routes())
        .merge(credit_limit::routes())
        .merge(reroute::routes())
}

/// An account to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateAccount {
    /// For people.
    #[schema(example = "Bright Shop")]
    name: String,
    /// `reseller` or `client`.
    #[schema(example = "client")]
    role: String,
    /// Who sells to it; your own account when nothing is said.
    parent_id: Option<String>,
    /// The prices that it pays: a plan of its parent's. Without one it cannot send.
    plan_id: Option<String>,
    /// Segments per second.
    segments_per_second: Option<i32>,
    /// How far below zero its balance may go. Only the house can give one here; others by `PUT` of its `credit-limit`.
    #[schema(example = "0.00")]
    credit_limit: Option<String>,
    /// What its wallet is in, ISO 4217; that of its parent when nothing is said. Only right below the house can it be another:
    /// it is that of all accounts below it, too.
    #[schema(example = "EUR")]
    currency: Option<String>,
    /// May send as anybody, without registered sender IDs. Only the house can allow it.
    any_sender: Option<bool>,
}

/// What to change; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeAccount {
    /// For people.
    name: Option<String>,
    /// `active` or `suspended`; a suspended account stops everybody below it. Who is above suspends it with a word of its own:
    /// what an account above you said, you do not take back.
    status: Option<String>,
    /// The prices that it pays: a plan of its parent's.
    plan_id: Option<String>,
    /// Segments per second.
    segments_per_second: Option<i32>,
    /// How far below zero its balance may go. Only the house can give one here; others by `PUT` of its `credit-limit`.
    credit_limit: Option<String>,
    /// May send as anybody. Only the house can allow it.
    any_sender: Option<bool>,
}

/// An account.
#[derive(Serialize, ToSchema)]
struct Account {
    /// Its id.
    id: String,
    /// Who sells to it; null for the house.
    parent_id: Option<String>,
    /// For people.
    name: String,
    /// `admin`, `reseller` or `client`.
    role: &'static str,
    /// `active` or `suspended`.
    status: &'static str,
    /// Suspended: the highest account that says so. Only that one, or one above it, makes it active again.
    suspended_by: Option<String>,
    /// The prices that it pays.
    plan_id: Option<String>,
    /// Segments per second; null: the default of the platform.
    segments_per_second: Option<i32>,
    /// May send as anybody.
    any_sender: bool,
    /// Its wallet.
    balance: AccountBalance,
    /// When it was made.
    #[serde(serialize_with = "crate::time::millis")]
    created_at: DateTime<Utc>,
    /// When it was last changed.
    #[serde(serialize_with = "crate::time::millis")]
    updated_at: DateTime<Utc>,
}

fn view(caller: &Caller, row: accounts::Account) -> Account {
    Account {
        id: row.id.to_string(),
        parent_id: row.parent.map(|id| id.to_string()),
        name: row.name,
        role: row.role.name(),
        status: if row.suspended { "suspended" } else { "active" },
        suspended_by: row.suspended_by.map(|id| id.to_string()),
        plan_id: row.plan.map(|id| id.to_string()),
        segments_per_second: row.segments_per_second,
        any_sender: row.any_sender,
        balance: AccountBalance::of(&row.wallet, caller.knows_prices_between(row.id, row.parent)),
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

/// Make an account below your own.
#[utoipa::path(post, path = "/v1/accounts", tag = "accounts", request_body = CreateAccount,
    responses((status = 201, body = Account), Refusals))]
async fn create_account(
    State(api): State<Arc<Api>>,
    caller: Caller,
    raw: Raw,
) -> Result<(StatusCode, Json<Account>), Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_seller()?;
    let new = read_new(&caller, &raw.parse()?)?;
    caller.sees(&api.catalogue.get(), new.parent)?;
    let currency = check_parent(&api, &new)?;
    let mut tx = api.db.begin().await?;
    check_plan(&mut tx, new.parent, (new.plan, currency)).await?;
    found(accounts::create(&mut tx, caller.account, &new).await?)?;
    let detail = json!({"name": new.name, "role": new.role.name(), "parent_id": new.parent.to_string()});
    let change = Change { account: new.id, action: "account.create", subject: new.id.to_string(), detail };
    api.commit(tx, &caller, change).await?;
    Ok((StatusCode::CREATED, show(&api, &caller, new.id).await?))
}

fn read_new(caller: &Caller, body: &CreateAccount) -> Result<NewAccount, Problem> {
    let mut check = Check::default();
    check.label("/name", &body.name, 200);
    let role: Option<Role> = check.parse("/role", &body.role);
    check.that(role != Some(Role::Admin), "/role", "expected reseller or client");
    let parent = match &body.parent_id {
        Some(text) => check.parse("/parent_id", text),
        None => Some(caller.account),
    };
    let values = read_values(
        caller,
        &mut check,
        (body.plan_id.as_deref(), body.segments_per_second, body.credit_limit.as_deref(), body.any_sender),
    )?;
    let currency = check.parse_some("/currency", body.currency.as_deref());
    let both = check.finish_with(role.zip(parent))?;
    Ok(NewAccount {
        id: AccountId::generate(),
        parent: both.1,
        name: body.name.trim().to_owned(),
        role: both.0,
        plan: values.plan,
        segments_per_second: values.segments_per_second,
        any_sender: values.any_sender.unwrap_or(false),
        credit_limit: values.credit_limit.unwrap_or(Micros::ZERO),
        currency,
    })
}

type Shared<'a> = (Option<&'a str>, Option<i32>, Option<&'a str>, Option<bool>);

/// Reads what making and changing have in common. Open senders are a risk of the house: only it gives them. Credit has a door
/// of its own for who sells to the account.
fn read_values(
    caller: &Caller,
    check: &mut Check,
    (plan, rate, credit, any_sender): Shared<'_>,
) -> Result<Values, Problem> {
    if caller.role != Role::Admin && (credit.is_some() || any_sender.is_some()) {
        return Err(Problem::new(
            Code::Forbidden,
            "only the house can give credit_limit or any_sender here; give credit by PUT /v1/accounts/{id}/credit-limit",
        ));
    }
    check.that(rate.is_none_or(|rate| (1..=RATE_MAX).contains(&rate)), "/segments_per_second", "expected 1 to 1000000");
    Ok(Values {
        plan: check.parse_some("/plan_id", plan),
        segments_per_second: rate,
        any_sender,
        credit_limit: credit.and_then(|credit| check.limit("/credit_limit", credit)),
        ..Values::default()
    })
}

/// A client has nobody below it, the tree has a bottom, and a chain of payers has one currency. Answers that of the account.
fn check_parent(api: &Api, new: &NewAccount) -> Result<Currency, Problem> {
    let catalogue = api.catalogue.get();
    let parent = catalogue.accounts.get(&new.parent).ok_or_else(Problem::not_found)?;
    if parent.role == Role::Client {
        return Err(Problem::field("/parent_id", Code::InvalidRequest, "a client has no accounts below it"));
    }
    let above = std::iter::successors(Some(parent), |a| a.parent.and_then(|id| catalogue.accounts.get(&id)));
    if above.take(domain::catalogue::DEPTH_MAX).count() >= domain::catalogue::DEPTH_MAX - 1 {
        return Err(Problem::field("/parent_id", Code::InvalidRequest, "the tree of accounts is too deep"));
    }
    let currency = new.currency.unwrap_or(parent.currency);
    if currency != parent.currency && parent.parent.is_some() {
        let detail =
            format!("expected {}: only right below the house can it be another than the parent's", parent.currency);
        return Err(Problem::field("/currency", Code::InvalidRequest, detail));
    }
    Ok(currency)
}

async fn check_plan(
    tx: &mut Tx,
    seller: AccountId,
    (plan, currency): (Option<PlanId>, Currency),
) -> Result<(), Problem> {
    let Some(plan) = plan else { return Ok(()) };
    if accounts::plan_fits(tx, seller, (plan, currency)).await? {
        return Ok(());
    }
    let detail = format!("expected a plan that the account's parent owns, in {currency}");
    Err(Problem::field("/plan_id", Code::InvalidRequest, detail))
}

async fn show(api: &Api, caller: &Caller, id: AccountId) -> Result<Json<Account>, Problem> {
    let account = accounts::get(&api.db, caller.account, id).await?;
    account.map(|row| view(caller, row)).map(Json).ok_or_else(Problem::not_found)
}

/// List your own account and all below it, newest first.
#[utoipa::path(get, path = "/v1/accounts", tag = "accounts", params(Paging),
    responses((status = 200, body = List<Account>), Refusals))]
async fn list_accounts(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<Paging>,
) -> Result<Json<List<Account>>, Problem> {
    caller.may(Scope::AccountRead)?;
    let page = query.page()?;
    let rows = accounts::list(&api.db, caller.account, page).await?;
    Ok(Json(List::new(page, rows, |row| row.id.uuid(), |row| view(&caller, row))))
}

/// Read an account.
#[utoipa::path(get, path = "/v1/accounts/{id}", tag = "accounts", params(("id" = String, Path, description = "`acc_…`")),
    responses((status = 200, body = Account), Refusals))]
async fn get_account(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Account>, Problem> {
    caller.may(Scope::AccountRead)?;
    show(&api, &caller, path_id(&id)?).await
}

/// Change an account below your own. The house may change its own, too.
#[utoipa::path(patch, path = "/v1/accounts/{id}", tag = "accounts", params(("id" = String, Path, description = "`acc_…`")),
    request_body = ChangeAccount, responses((status = 200, body = Account), Refusals))]
async fn change_account(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    raw: Raw,
) -> Result<Json<Account>, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_seller()?;
    let id: AccountId = path_id(&id)?;
    caller.sees(&api.catalogue.get(), id)?;
    if id == caller.account && caller.role != Role::Admin {
        return Err(Problem::new(Code::Forbidden, "nobody but a seller above changes an account"));
    }
    let body: ChangeAccount = raw.parse()?;
    let values = read_change(&caller, &body)?;
    let before = accounts::get(&api.db, caller.account, id).await?.ok_or_else(Problem::not_found)?;
    if values.suspended == Some(true) && before.parent.is_none() {
        return Err(Problem::field("/status", Code::InvalidRequest, "the house cannot suspend itself"));
    }
    let mut tx = api.db.begin().await?;
    check_plan(&mut tx, before.parent.unwrap_or(id), (values.plan, before.currency)).await?;
    let short = "the balance and its holds need the credit limit that is there";
    let changed = accounts::update(&mut tx, caller.account, id, &values).await;
    match changed.map_err(|error| crate::change::conflict(error, "balance_covers_holds", short))? {
        Updated::Done => {}
        Updated::Unknown => return Err(Problem::not_found()),
        Updated::HeldBy(above) => {
            let detail = format!("{above} suspended it: that account, or one above it, makes it active again");
            return Err(Problem::field("/status", Code::SetFromAbove, detail));
        }
    }
    let detail = json!({"name": body.name, "status": body.status, "plan_id": body.plan_id, "any_sender": body.any_sender,
        "segments_per_second": body.segments_per_second, "credit_limit": body.credit_limit});
    let change = Change { account: id, action: "account.update", subject: id.to_string(), detail };
    api.commit(tx, &caller, change).await?;
    show(&api, &caller, id).await
}

fn read_change(caller: &Caller, body: &ChangeAccount) -> Result<Values, Problem> {
    let mut check = Check::default();
    if let Some(name) = &body.name {
        check.label("/name", name, 200);
    }
    let suspended = match body.status.as_deref() {
        None => None,
        Some("active") => Some(false),
        Some("suspended") => Some(true),
        Some(_) => {
            check.refuse("/status", Code::InvalidRequest, "expected active or suspended");
            None
        }
    };
    let values = read_values(
        caller,
        &mut check,
        (body.plan_id.as_deref(), body.segments_per_second, body.credit_limit.as_deref(), body.any_sender),
    )?;
    check.finish()?;
    Ok(Values { name: body.name.as_deref().map(|name| name.trim().to_owned()), suspended, ..values })
}

/// The account that a body names, where the caller sees it; the caller's own when it names none.
pub(crate) fn named(
    api: &Api,
    caller: &Caller,
    check: &mut Check,
    id: Option<&str>,
) -> Result<Option<AccountId>, Problem> {
    let account = account_of(check, id, caller.account);
    if let Some(account) = account {
        caller.sees(&api.catalogue.get(), account)?;
    }
    Ok(account)
}
