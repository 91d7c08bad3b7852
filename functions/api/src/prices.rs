//! `/v1/tariff-plans` and `/v1/tariffs`: what customers pay. A price is never edited; a new one closes it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::tariff::OnUnconfirmed;
use domain::{Currency, Network, PlanId, TariffId};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::tariffs::{self, NewTariff};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::accounts::named;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::{Change, conflict, found};
use crate::check::Check;
use crate::list::{List, Paging, Query, page};
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

mod ending;
mod view;

use view::{Tariff, view};

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(create_plan))
        .routes(routes!(list_plans))
        .routes(routes!(publish_tariff))
        .routes(routes!(list_tariffs))
        .merge(ending::routes())
}

/// A price list to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreatePlan {
    /// For people; unique among your plans.
    #[schema(example = "Retail 2026")]
    name: String,
    /// Who sells by it; your own account when nothing is said. Only the house makes lists of others.
    account_id: Option<String>,
    /// Of its prices, ISO 4217; that of its owner when nothing is said. Only the house can sell in another: to accounts right
    /// below it that pay in that.
    #[schema(example = "EUR")]
    currency: Option<String>,
}

/// A price list.
#[derive(Serialize, ToSchema)]
struct TariffPlan {
    /// Its id.
    id: String,
    /// Who sells by it.
    account_id: String,
    /// For people.
    name: String,
    /// The currency of its prices.
    currency: String,
    /// When it was made.
    #[serde(serialize_with = "crate::time::millis")]
    created_at: DateTime<Utc>,
}

/// A price to publish.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PublishTariff {
    /// In which list.
    plan_id: String,
    /// Mobile country code; absent: the default of the plan, wherever it has no other price.
    #[schema(example = "434")]
    mcc: Option<String>,
    /// Mobile network code; absent: the default of the country.
    #[schema(example = "05")]
    mnc: Option<String>,
    /// For this class of traffic; absent: for every class that has no price of its own there.
    #[schema(example = "otp")]
    traffic_class: Option<String>,
    /// For one segment, in the plan's currency.
    #[schema(example = "85.00")]
    price: String,
    /// When the money is taken: `submit` (default) or `delivered`.
    charge_on: Option<String>,
    /// Where it is taken on delivery: what becomes of the hold when no receipt comes in validity and an hour: `release`
    /// (default; charged after all when a receipt says delivered later and the balance suffices) or `capture` (given back
    /// when a receipt says otherwise later).
    on_unconfirmed: Option<String>,
    /// From when it holds; now when nothing is said.
    effective_from: Option<String>,
}

/// Which prices.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filters {
    /// Of this plan.
    plan_id: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 1000; 50 when nothing is said.
    limit: Option<String>,
}

/// Make a price list.
#[utoipa::path(post, path = "/v1/tariff-plans", tag = "prices", request_body = CreatePlan,
    responses((status = 201, body = TariffPlan), Refusals))]
async fn create_plan(
    State(api): State<Arc<Api>>,
    caller: Caller,
    raw: Raw,
) -> Result<(StatusCode, Json<TariffPlan>), Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_seller()?;
    let CreatePlan { name, account_id, currency } = raw.parse()?;
    let mut check = Check::default();
    check.label("/name", &name, 200);
    let owner = named(&api, &caller, &mut check, account_id.as_deref())?;
    let currency: Option<Currency> = check.parse_some("/currency", currency.as_deref());
    let owner = check.finish_with(owner)?;
    if owner != caller.account {
        caller.is_house()?;
    }
    let own = api.catalogue.get().accounts.get(&owner).map(|account| (account.currency, account.parent));
    let (own, seller) = own.ok_or_else(Problem::not_found)?;
    if currency.is_some_and(|currency| currency != own) && seller.is_some() {
        let detail = format!("expected {own}: only the house sells in another currency than it pays in");
        return Err(Problem::field("/currency", Code::InvalidRequest, detail));
    }
    let id = PlanId::generate();
    let mut tx = api.db.begin().await?;
    let made = tariffs::create_plan(&mut tx, caller.account, id, owner, (name.trim(), currency)).await;
    let taken = |error| conflict(error, "tariff_plans_owner_account_id_name_key", "a plan has this name already");
    found(made.map_err(taken)?)?;
    let change =
        Change { account: owner, action: "tariff_plan.create", subject: id.to_string(), detail: json!({"name": name}) };
    api.commit(tx, &caller, change).await?;
    let plan = TariffPlan {
        id: id.to_string(),
        account_id: owner.to_string(),
        name: name.trim().to_owned(),
        currency: currency.unwrap_or(own).to_string(),
        created_at: crate::time::now(),
    };
    Ok((StatusCode::CREATED, Json(plan)))
}

/// List the price lists of your own account and of all below it, newest first.
#[utoipa::path(get, path = "/v1/tariff-plans", tag = "prices", params(Paging),
    responses((status = 200, body = List<TariffPlan>), Refusals))]
async fn list_plans(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<Paging>,
) -> Result<Json<List<TariffPlan>>, Problem> {
    caller.may(Scope::AccountRead)?;
    let page = query.page()?;
    let rows = tariffs::list_plans(&api.db, caller.account, page).await?;
    let view = |row: tariffs::Plan| TariffPlan {
        id: row.id.to_string(),
        account_id: row.owner.to_string(),
        name: row.name,
        currency: row.currency.to_string(),
        created_at: row.created_at,
    };
    Ok(Json(List::new(page, rows, |row| row.id.uuid(), view)))
}

/// Publish a price in a plan of your own; the house in any. It closes the one that holds at its moment.
#[utoipa::path(post, path = "/v1/tariffs", tag = "prices", request_body = PublishTariff,
    responses((status = 201, body = Tariff), Refusals))]
async fn publish_tariff(
    State(api): State<Arc<Api>>,
    caller: Caller,
    raw: Raw,
) -> Result<(StatusCode, Json<Tariff>), Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_seller()?;
    let new = read_tariff(&raw.parse()?)?;
    let mut tx = api.db.begin().await?;
    let owner = tariffs::plan_owner(&mut tx, caller.account, new.plan).await?.ok_or_else(Problem::not_found)?;
    if tariffs::changes_the_past(&mut tx, &new).await? {
        return Err(past("price"));
    }
    let made = tariffs::publish(&mut tx, caller.account, &new).await;
    let twice = |error| conflict(error, "tariffs_do_not_overlap", "a price of this moment is there already");
    found(made.map_err(twice)?)?;
    let (_, made) = tariffs::get_for_update(&mut tx, caller.account, new.id).await?.ok_or_else(Problem::not_found)?;
    let detail = json!({"plan_id": new.plan, "mcc_mnc": new.network, "traffic_class": new.traffic_class,
        "price": new.price, "charge_on": new.charge_on.name(), "on_unconfirmed": new.on_unconfirmed.name(),
        "effective_from": new.from});
    let change = Change { account: owner, action: "tariff.publish", subject: new.id.to_string(), detail };
    api.commit(tx, &caller, change).await?;
    Ok((StatusCode::CREATED, Json(view(&made))))
}

/// What is to hold before now must not replace what held: messages were priced by it.
pub(crate) fn past(what: &str) -> Problem {
    let detail = format!("another {what} held at this moment, and what was is not changed: say a moment from now on");
    Problem::field("/effective_from", Code::InvalidRequest, detail)
}

fn read_tariff(body: &PublishTariff) -> Result<NewTariff, Problem> {
    let mut check = Check::default();
    let plan: Option<PlanId> = check.parse("/plan_id", &body.plan_id);
    let network = place(&mut check, body.mcc.as_deref(), body.mnc.as_deref());
    let traffic_class = check.parse_some("/traffic_class", body.traffic_class.as_deref());
    let price = check.price("/price", &body.price);
    let charge_on = check.charge_on(body.charge_on.as_deref());
    let on_unconfirmed = body.on_unconfirmed.as_deref().map_or(Some(OnUnconfirmed::default()), OnUnconfirmed::parse);
    check.that(on_unconfirmed.is_some(), "/on_unconfirmed", "expected release or capture");
    let from = check.time("/effective_from", body.effective_from.as_deref()).unwrap_or_else(crate::time::now);
    let all = plan.zip(price).zip(charge_on).zip(on_unconfirmed);
    let (((plan, price), charge_on), on_unconfirmed) = check.finish_with(all)?;
    Ok(NewTariff { id: TariffId::generate(), plan, network, traffic_class, price, charge_on, on_unconfirmed, from })
}

/// A network, a country, or neither; `None` also where it was refused.
fn place(check: &mut Check, mcc: Option<&str>, mnc: Option<&str>) -> Option<Network> {
    let Some(mcc) = mcc else {
        check.that(mnc.is_none(), "/mnc", "a network has a country: say mcc, too");
        return None;
    };
    check.network("", mcc, mnc)
}

/// List prices, newest first: those of your plans, and those that you pay yourself. The house sees all.
#[utoipa::path(get, path = "/v1/tariffs", tag = "prices", params(Filters),
    responses((status = 200, body = List<Tariff>), Refusals))]
async fn list_tariffs(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<Filters>,
) -> Result<Json<List<Tariff>>, Problem> {
    caller.may(Scope::AccountRead)?;
    let mut check = Check::default();
    let page = page(&mut check, query.cursor.as_deref(), query.limit.as_deref());
    let plan = check.parse_some("/plan_id", query.plan_id.as_deref());
    check.finish()?;
    let rows = tariffs::list(&api.db, caller.account, plan, page).await?;
    Ok(Json(List::new(page, rows, |row| row.id.uuid(), |row| view(&row))))
}
