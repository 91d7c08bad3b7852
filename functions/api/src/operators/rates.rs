//! `/v1/operator-rates`: what operators charge us. Never edited; a new rate closes the one before it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::tariff::Rate as Row;
use domain::{Currency, Network, OperatorId, RateId};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::rates::{self, NewRate};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::{Change, conflict};
use crate::check::Check;
use crate::list::{List, Query, page};
use crate::numbering::names::Names;
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(publish_rate)).routes(routes!(list_rates))
}

/// A rate to publish.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PublishRate {
    /// Who charges it.
    operator_id: String,
    /// Mobile country code.
    #[schema(example = "434")]
    mcc: String,
    /// Mobile network code; absent: the default of the country.
    #[schema(example = "05")]
    mnc: Option<String>,
    /// For this class of traffic; absent: for every class that has no rate of its own there.
    #[schema(example = "otp")]
    traffic_class: Option<String>,
    /// For one segment.
    #[schema(example = "50.00")]
    price: String,
    /// ISO 4217.
    #[schema(example = "UZS")]
    currency: String,
    /// When the operator takes its money: `submit` (default: for what it accepts) or `delivered` (for what it delivers, and
    /// errors that its profile says are billable).
    charge_on: Option<String>,
    /// From when it holds; now when nothing is said.
    effective_from: Option<String>,
}

/// One dated rate.
#[derive(Serialize, ToSchema)]
pub(super) struct OperatorRate {
    /// Its id.
    id: String,
    /// Who charges it.
    operator_id: String,
    /// Mobile country code.
    mcc: String,
    /// Mobile network code; null: the default of the country.
    mnc: Option<String>,
    #[serde(flatten)]
    names: Names,
    /// For this class of traffic; null: for every class that has no rate of its own there.
    traffic_class: Option<String>,
    /// For one segment.
    price: String,
    /// ISO 4217.
    currency: String,
    /// `submit` or `delivered`: when the operator takes its money.
    charge_on: &'static str,
    /// From when it holds.
    #[serde(serialize_with = "crate::time::millis")]
    effective_from: DateTime<Utc>,
    /// Until when; null: open.
    #[serde(serialize_with = "crate::time::millis_some")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    effective_to: Option<DateTime<Utc>>,
}

/// Which rates.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filters {
    /// Of this operator.
    operator_id: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 1000; 50 when nothing is said.
    limit: Option<String>,
}

pub(super) fn view((network, row): (Network, Row)) -> OperatorRate {
    OperatorRate {
        id: row.id.to_string(),
        operator_id: row.operator.to_string(),
        mcc: network.mcc.to_string(),
        mnc: network.mnc.map(|mnc| mnc.to_string()),
        names: Names::of(Some(network)),
        traffic_class: row.class.map(|class| class.to_string()),
        price: row.price.to_string(),
        currency: row.currency.to_string(),
        charge_on: row.charge_on.name(),
        effective_from: row.from,
        effective_to: row.to,
    }
}

/// Publish a rate. It closes the one that holds at its moment.
#[utoipa::path(post, path = "/v1/operator-rates", tag = "operators", request_body = PublishRate,
    responses((status = 201, body = OperatorRate), Refusals))]
async fn publish_rate(
    State(api): State<Arc<Api>>,
    caller: Caller,
    raw: Raw,
) -> Result<(StatusCode, Json<OperatorRate>), Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let new = read(&raw.parse()?)?;
    let mut tx = api.db.begin().await?;
    let twice = |error| conflict(error, "operator_rates_do_not_overlap", "a rate of this moment is there already");
    if rates::changes_the_past(&mut tx, &new).await? {
        return Err(crate::prices::past("rate"));
    }
    if !rates::publish(&mut tx, &new).await.map_err(twice)? {
        return Err(Problem::field("/operator_id", Code::InvalidRequest, "there is no such operator"));
    }
    let made = rates::get_for_update(&mut tx, new.id).await?.ok_or_else(Problem::not_found)?;
    let NewRate { id, operator, network, traffic_class, price, currency, charge_on, from } = new;
    let detail = json!({"operator_id": operator, "mcc_mnc": network, "traffic_class": traffic_class, "price": price,
        "currency": currency, "charge_on": charge_on.name(), "effective_from": from});
    let change = Change { account: caller.account, action: "operator_rate.publish", subject: id.to_string(), detail };
    api.commit(tx, &caller, change).await?;
    Ok((StatusCode::CREATED, Json(view(made))))
}

fn read(body: &PublishRate) -> Result<NewRate, Problem> {
    let mut check = Check::default();
    let operator: Option<OperatorId> = check.parse("/operator_id", &body.operator_id);
    let network = check.network("", &body.mcc, body.mnc.as_deref());
    let traffic_class = check.parse_some("/traffic_class", body.traffic_class.as_deref());
    let price = check.price("/price", &body.price);
    let currency: Option<Currency> = check.parse("/currency", &body.currency);
    let from = check.time("/effective_from", body.effective_from.as_deref()).unwrap_or_else(crate::time::now);
    let charge_on = check.charge_on(body.charge_on.as_deref());
    let all = operator.zip(network).zip(price).zip(currency).zip(charge_on);
    let ((((operator, network), price), currency), charge_on) = check.finish_with(all)?;
    Ok(NewRate { id: RateId::generate(), operator, network, traffic_class, price, currency, charge_on, from })
}

/// List rates, newest first.
#[utoipa::path(get, path = "/v1/operator-rates", tag = "operators", params(Filters),
    responses((status = 200, body = List<OperatorRate>), Refusals))]
async fn list_rates(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<Filters>,
) -> Result<Json<List<OperatorRate>>, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_house()?;
    let mut check = Check::default();
    let page = page(&mut check, query.cursor.as_deref(), query.limit.as_deref());
    let operator = check.parse_some("/operator_id", query.operator_id.as_deref());
    check.finish()?;
    let rows = rates::list(&api.db, operator, page).await?;
    Ok(Json(List::new(page, rows, |row| row.1.id.uuid(), view)))
}
