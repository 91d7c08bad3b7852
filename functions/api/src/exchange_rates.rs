//! `/v1/exchange-rates`: by what costs in one currency are compared with prices in another. Never edited; a new rate
//! closes the one before it. The house only.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use domain::fx::{ExchangeRate as Rate, SPREAD_PPM_MAX};
use domain::{Currency, ExchangeRateId};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::exchange_rates::{self, Made};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::{Change, conflict, found};
use crate::check::Check;
use crate::list::{List, Query, page, path_id};
use crate::openapi::Refusals;
use crate::problem::Problem;

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(publish_exchange_rate))
        .routes(routes!(list_exchange_rates))
        .routes(routes!(end_exchange_rate))
}

/// A rate to publish.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PublishExchangeRate {
    /// What is given: the currency of a cost. ISO 4217.
    #[schema(example = "EUR")]
    from: String,
    /// What is got: the currency of a price. ISO 4217.
    #[schema(example = "UZS")]
    to: String,
    /// How much of `to` one unit of `from` is, in the middle between buying and selling; up to nine digits after the
    /// point. The other direction follows from it, unless it has a rate of its own.
    #[schema(example = "13950.25")]
    rate: String,
    /// What an exchange costs on top, in parts per million of the amount: 0 (default) to 500000.
    #[schema(example = 5000)]
    spread_ppm: Option<u32>,
    /// Why, for the trail.
    reason: Option<String>,
    /// From when it holds; now when nothing is said. Not in the past: what was decided stays explained.
    effective_from: Option<String>,
}

/// One dated exchange rate.
#[derive(Serialize, ToSchema)]
struct ExchangeRate {
    /// Its id.
    id: String,
    /// What is given.
    from: String,
    /// What is got.
    to: String,
    /// How much of `to` one unit of `from` is.
    rate: String,
    /// What an exchange costs on top, in parts per million of the amount.
    spread_ppm: u32,
    /// Why it was made.
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

/// Which rates.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filters {
    /// From this currency.
    from: Option<String>,
    /// Into this currency.
    to: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 1000; 50 when nothing is said.
    limit: Option<String>,
}

fn view(made: Made) -> ExchangeRate {
    let Made { rate, pair, reason, made_by } = made;
    ExchangeRate {
        id: rate.id.to_string(),
        from: pair.0.to_string(),
        to: pair.1.to_string(),
        rate: rate.ratio.to_string(),
        spread_ppm: rate.spread_ppm,
        reason,
        made_by,
        effective_from: rate.from,
        effective_to: rate.to,
    }
}

/// What a rate says beside its dates: the two currencies, and the rate as one that always holds. `at` is where it stands in
/// the body.
pub(crate) fn terms(
    check: &mut Check,
    at: &str,
    [from, to, rate]: [&str; 3],
    spread_ppm: Option<u32>,
) -> Option<((Currency, Currency), Rate)> {
    let from: Option<Currency> = check.parse(&format!("{at}/from"), from);
    let to: Option<Currency> = check.parse(&format!("{at}/to"), to);
    check.that(from.is_none() || from != to, &format!("{at}/to"), "expected another currency than that of from");
    let ratio = check.parse(&format!("{at}/rate"), rate);
    let spread_ppm = spread_ppm.unwrap_or(0);
    check.that(spread_ppm <= SPREAD_PPM_MAX, &format!("{at}/spread_ppm"), "expected 0 to 500000");
    let id = ExchangeRateId::generate();
    Some((from.zip(to)?, Rate { id, ratio: ratio?, spread_ppm, from: DateTime::UNIX_EPOCH, to: None }))
}

fn read(caller: &Caller, body: &PublishExchangeRate) -> Result<Made, Problem> {
    let now = crate::time::now();
    let mut check = Check::default();
    let terms = terms(&mut check, "", [&body.from, &body.to, &body.rate], body.spread_ppm);
    let reason = body.reason.as_deref().unwrap_or_default().trim().to_owned();
    check.that(reason.chars().count() <= 1_000, "/reason", "expected at most 1000 characters");
    let begins = check.time("/effective_from", body.effective_from.as_deref()).unwrap_or(now);
    check.that(begins >= now, "/effective_from", "expected a time that is not past");
    let (pair, rate) = check.finish_with(terms)?;
    let rate = Rate { from: begins, ..rate };
    Ok(Made { rate, pair, reason, made_by: caller.actor.to_string() })
}

/// Publish an exchange rate. It closes the one of the same two currencies that holds at its moment.
///
/// Costs of operators in one currency are compared with those in another, and with the price, by the rate in force. A
/// route whose cost nobody can convert comes behind the others, and a margin guard takes it for one that earns too little.
#[utoipa::path(post, path = "/v1/exchange-rates", tag = "prices", request_body = PublishExchangeRate,
    responses((status = 201, body = ExchangeRate), Refusals))]
async fn publish_exchange_rate(
    State(api): State<Arc<Api>>,
    caller: Caller,
    raw: Raw,
) -> Result<(StatusCode, Json<ExchangeRate>), Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let mut made = read(&caller, &raw.parse()?)?;
    let mut tx = api.db.begin().await?;
    let twice = |error| conflict(error, "exchange_rates_do_not_overlap", "a rate of this moment is there already");
    made.rate.to = exchange_rates::publish(&mut tx, &made).await.map_err(twice)?;
    let detail = json!({"from": made.pair.0, "to": made.pair.1, "rate": made.rate.ratio.to_string(),
        "spread_ppm": made.rate.spread_ppm, "reason": made.reason, "effective_from": made.rate.from});
    let subject = made.rate.id.to_string();
    let change = Change { account: caller.account, action: "exchange_rate.publish", subject, detail };
    api.commit(tx, &caller, change).await?;
    Ok((StatusCode::CREATED, Json(view(made))))
}

/// List the exchange rates that hold, held or will hold, newest first.
#[utoipa::path(get, path = "/v1/exchange-rates", tag = "prices", params(Filters),
    responses((status = 200, body = List<ExchangeRate>), Refusals))]
async fn list_exchange_rates(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<Filters>,
) -> Result<Json<List<ExchangeRate>>, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_house()?;
    let mut check = Check::default();
    let page = page(&mut check, query.cursor.as_deref(), query.limit.as_deref());
    let pair = (check.parse_some("/from", query.from.as_deref()), check.parse_some("/to", query.to.as_deref()));
    check.finish()?;
    let rows = exchange_rates::list(&api.db, pair, page).await?;
    Ok(Json(List::new(page, rows, |row| row.rate.id.uuid(), view)))
}

/// End an exchange rate now; one that has not begun is taken back, and the one before it goes on.
#[utoipa::path(delete, path = "/v1/exchange-rates/{id}", tag = "prices", params(("id" = String, Path, description = "`fx_…`")),
    responses((status = 204, description = "It holds no more"), Refusals))]
async fn end_exchange_rate(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let id: ExchangeRateId = path_id(&id)?;
    let mut tx = api.db.begin().await?;
    found(exchange_rates::end(&mut tx, id, crate::time::now()).await?)?;
    let change =
        Change { account: caller.account, action: "exchange_rate.end", subject: id.to_string(), detail: json!({}) };
    api.commit(tx, &caller, change).await?;
    Ok(StatusCode::NO_CONTENT)
}
