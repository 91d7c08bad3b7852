//! Prices made from costs and margins: a proposal to look at, and its publication as a whole.

mod ask;
mod costs;
mod made;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use domain::price_rule::rule_for;
use domain::{PlanId, TariffId};
use http::HeaderMap;
use serde::Serialize;
use serde_json::json;
use store::price_lists::{self, PriceList};
use store::tariffs::NewTariff;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::ask::{Ask, ProposePrices};
use self::costs::Costs;
use self::made::{PriceProposal, ProposedPrice, fingerprint, proposed};
use crate::Api;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::{Change, conflict, found};
use crate::csv::{self, Cell};
use crate::list::path_id;
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(propose_prices)).routes(routes!(publish_prices))
}

/// What was published.
#[derive(Serialize, ToSchema)]
struct PublishedPrices {
    /// In which list.
    plan_id: String,
    /// How many prices.
    published: usize,
    /// From when they hold.
    #[serde(serialize_with = "crate::time::millis")]
    effective_from: DateTime<Utc>,
}

/// Propose prices of a plan from costs and margins. Nothing is changed. `Accept: text/csv` gives a file.
#[utoipa::path(post, path = "/v1/price-lists/{plan}/proposal", tag = "prices", request_body = ProposePrices,
    params(("plan" = String, Path, description = "`plan_…`")),
    responses((status = 200, content((PriceProposal = "application/json"), (String = "text/csv"))), Refusals))]
async fn propose_prices(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(plan): Path<String>,
    headers: HeaderMap,
    raw: Raw,
) -> Result<Response, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_seller()?;
    let plan: PlanId = path_id(&plan)?;
    let ask = ask::read(&raw.parse()?)?;
    let (_, proposal) = propose(&api, &caller, plan, &ask).await?;
    if !csv::is_wanted(&headers) {
        return Ok(Json(proposal).into_response());
    }
    let currency = &proposal.currency;
    let row = |one: &ProposedPrice| {
        vec![
            Cell::plain(Some(&one.mcc)),
            Cell::plain(one.mnc.as_ref()),
            Cell::plain(one.traffic_class.as_ref()),
            Cell::plain(Some(&one.cost)),
            Cell::plain(one.operator_id.as_ref()),
            Cell::plain(one.old_price.as_ref()),
            Cell::plain(Some(&one.price)),
            Cell::plain(Some(&one.margin)),
            Cell::plain(Some(currency)),
            Cell::plain(Some(one.change)),
        ]
    };
    let headings =
        ["mcc", "mnc", "traffic_class", "cost", "operator_id", "old_price", "price", "margin", "currency", "change"];
    let rows: Vec<Vec<Cell>> = proposal.prices.iter().map(row).collect();
    Ok(csv::answer(&format!("{plan}-proposal"), &headings, &rows))
}

/// Publish proposed prices, all at once. `fingerprint` must name them: what costs or prices changed since the proposal is
/// refused.
#[utoipa::path(post, path = "/v1/price-lists/{plan}/publish", tag = "prices", request_body = ProposePrices,
    params(("plan" = String, Path, description = "`plan_…`")),
    responses((status = 200, body = PublishedPrices), Refusals))]
async fn publish_prices(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(plan): Path<String>,
    raw: Raw,
) -> Result<Json<PublishedPrices>, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_seller()?;
    let plan: PlanId = path_id(&plan)?;
    let ask = ask::read(&raw.parse()?)?;
    api.catalogue.refresh().await?;
    let (list, proposal) = propose(&api, &caller, plan, &ask).await?;
    if ask.fingerprint.as_ref() != Some(&proposal.fingerprint) {
        let detail = "costs or prices are others than in the proposal of this fingerprint: look at a new one";
        return Err(Problem::new(Code::Conflict, detail));
    }
    let new = |one: &ProposedPrice| NewTariff {
        id: TariffId::generate(),
        plan,
        network: Some(one.network),
        traffic_class: one.class,
        price: one.amount,
        charge_on: one.charge_on,
        on_unconfirmed: one.on_unconfirmed,
        from: ask.at,
    };
    let prices: Vec<NewTariff> = proposal.prices.iter().filter(|one| one.change != "unchanged").map(new).collect();
    let mut tx = api.db.begin().await?;
    let twice = |error| conflict(error, "tariffs_do_not_overlap", "a price of this moment is there already");
    found(price_lists::publish(&mut tx, caller.account, plan, &prices).await.map_err(twice)?)?;
    let detail = json!({"published": prices.len(), "effective_from": ask.at, "fingerprint": proposal.fingerprint});
    let change = Change { account: list.owner, action: "price_list.publish", subject: plan.to_string(), detail };
    api.commit(tx, &caller, change).await?;
    Ok(Json(PublishedPrices { plan_id: plan.to_string(), published: prices.len(), effective_from: ask.at }))
}

async fn propose(api: &Api, caller: &Caller, plan: PlanId, ask: &Ask) -> Result<(PriceList, PriceProposal), Problem> {
    let list = super::read(api, caller, Some(plan), ask.at).await?;
    // A list that one pays is not one that one sells by.
    caller.sees(&api.catalogue.get(), list.owner)?;
    let catalogue = api.catalogue.get();
    let costs = Costs::new(&catalogue, &list, ask.at);
    let (mut prices, mut not_comparable) = (Vec::new(), 0);
    for traffic in costs.traffic() {
        let Some(rule) = rule_for(&ask.rules, traffic.0, traffic.1) else { continue };
        match costs.of(traffic) {
            Some((cost, operator)) => {
                let operator = operator.filter(|_| caller.is_house().is_ok());
                prices.extend(proposed(&list, ask, (traffic, rule), (cost, operator)));
            }
            None => not_comparable += 1,
        }
    }
    let fingerprint = fingerprint(ask.at, &prices);
    let proposal = PriceProposal {
        plan_id: plan.to_string(),
        currency: list.currency.to_string(),
        effective_from: ask.at,
        fingerprint,
        not_comparable,
        prices,
    };
    Ok((list, proposal))
}
