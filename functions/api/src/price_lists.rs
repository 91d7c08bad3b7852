//! `/v1/price-lists`: what a plan costs as a file, and new prices made from costs and margins.

mod proposal;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use chrono::{DateTime, Utc};
use domain::PlanId;
use serde::Deserialize;
use store::price_lists::{self, PriceList};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::auth::{Caller, Scope};
use crate::check::Check;
use crate::csv::{self, Cell};
use crate::list::{Query, path_id};
use crate::openapi::Refusals;
use crate::problem::Problem;

/// The name of the list that the caller's own account pays.
const MINE: &str = "mine";

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(export_prices)).merge(proposal::routes())
}

/// Which prices.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct From {
    /// Prices that hold at this time or later; now when nothing is said.
    at: Option<String>,
}

/// Export a price list as CSV: the prices that hold and all that are to come, with their dates. Yours, or `mine`:
/// the one that your own account pays; the house exports all. Text that a spreadsheet would take for a formula is quoted.
#[utoipa::path(get, path = "/v1/price-lists/{plan}", tag = "prices",
    params(From, ("plan" = String, Path, description = "`plan_…`, or `mine`")),
    responses((status = 200, description = "mcc, mnc, network, traffic_class, price, currency, charge_on, effective_from, effective_to",
        body = String, content_type = "text/csv"), Refusals))]
async fn export_prices(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(plan): Path<String>,
    Query(query): Query<From>,
) -> Result<Response, Problem> {
    caller.may(Scope::AccountRead)?;
    let plan: Option<PlanId> = if plan == MINE { None } else { Some(path_id(&plan)?) };
    let mut check = Check::default();
    let at = check.time("/at", query.at.as_deref()).unwrap_or_else(crate::time::now);
    check.finish()?;
    let list = read(&api, &caller, plan, at).await?;
    let names = price_lists::names(&api.db).await?;
    let rows: Vec<Vec<Cell>> = list
        .prices
        .iter()
        .map(|tariff| {
            vec![
                Cell::plain(tariff.network.map(|network| network.mcc)),
                Cell::plain(tariff.network.and_then(|network| network.mnc)),
                Cell::text(tariff.network.and_then(|network| match names.get(&network) {
                    Some(name) => Some(name.as_str()),
                    None => domain::world::world().name(network),
                })),
                Cell::plain(tariff.traffic_class),
                Cell::plain(Some(tariff.price)),
                Cell::plain(Some(tariff.currency)),
                Cell::plain(Some(tariff.charge_on.name())),
                time(Some(tariff.from)),
                time(tariff.to),
            ]
        })
        .collect();
    let headings =
        ["mcc", "mnc", "network", "traffic_class", "price", "currency", "charge_on", "effective_from", "effective_to"];
    Ok(csv::answer(&list.plan.to_string(), &headings, &rows))
}

async fn read(api: &Api, caller: &Caller, plan: Option<PlanId>, at: DateTime<Utc>) -> Result<PriceList, Problem> {
    price_lists::read(&api.db, caller.account, plan, at).await?.ok_or_else(Problem::not_found)
}

fn time(at: Option<DateTime<Utc>>) -> Cell {
    Cell::plain(at.map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)))
}
