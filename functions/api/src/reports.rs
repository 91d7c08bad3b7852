//! `/v1/reports`: what was sent, what came of it, and what it earned; and what would lose money, before it happens.

mod ask;
mod losses;
mod show;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use domain::tariff::{Rate, in_force};
use domain::{Catalogue, Currency, Micros, Network, OperatorId, Role, TrafficClass};
use http::HeaderMap;
use serde::Deserialize;
use store::traffic::{self, ReportError};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::auth::{Caller, Scope};
use crate::list::Query;
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(report_traffic)).merge(losses::routes())
}

/// Which traffic, and divided by what.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filters {
    /// The first day, UTC: `2026-11-01`; the last of 400 at most.
    #[param(example = "2026-11-01")]
    from: Option<String>,
    /// The last day; today when nothing is said.
    #[param(example = "2026-11-30")]
    to: Option<String>,
    /// `day`, `account`, `country`, `network`, `operator` and `sender`, apart by commas. Operators are the house's business: a message that went over
    /// several stands at the last of them, with what all of them cost; what each is owed says `/v1/operators/{id}/account`.
    #[param(example = "day,network")]
    by: Option<String>,
    /// Of this account and those below it.
    account_id: Option<String>,
    /// Of this country, by its MCC.
    #[param(example = "434")]
    country: Option<String>,
    /// Of this network, by MCC and MNC.
    #[param(example = "43405")]
    network: Option<String>,
    /// That this operator had last; the house only.
    operator_id: Option<String>,
    /// By this sender.
    sender: Option<String>,
    /// `json` or `csv`; what `Accept` says when nothing is said.
    format: Option<String>,
}

/// Read a report of traffic.
///
/// Messages count on the day (UTC) of their acceptance, as soon as they end; a correction moves what it corrects, and a
/// refund counts where its message does, whenever it comes: `revenue_net` of a day is what the books hold of its messages.
/// The house sees what it is paid, what operators cost, and the margin; a reseller what it is paid by those below it, what
/// it pays, and its own margin; a client what it pays. What is earned, and what operators cost, is seen with the scope
/// `admin:read` only. The margin is that after refunds. Amounts of different currencies are in different rows, and have
/// no margin. A report has 10000 rows at most.
#[utoipa::path(get, path = "/v1/reports/traffic", tag = "reports", params(Filters), responses(
    (status = 200, content((show::Report = "application/json"), (String = "text/csv"))), Refusals))]
async fn report_traffic(
    State(api): State<Arc<Api>>,
    caller: Caller,
    headers: HeaderMap,
    Query(filters): Query<Filters>,
) -> Result<Response, Problem> {
    caller.may(Scope::BalanceRead)?;
    let role = eyes(&caller)?;
    let asked = ask::read(&filters, &headers, crate::time::now().date_naive(), role)?;
    if let Some(account) = asked.question.account {
        caller.sees(&api.catalogue.get(), account)?;
    }
    let rows = traffic::report(&api.db, caller.account, &asked.question).await.map_err(|error| match error {
        ReportError::TooLong => Problem::field(
            "/by",
            Code::InvalidRequest,
            "the report has more than 10000 rows: divide by less, or ask for fewer days",
        ),
        ReportError::Store(error) => error.into(),
    })?;
    let report = show::Report::of(&asked.question, &rows, role);
    Ok(if asked.csv { report.into_csv(&asked.question) } else { Json(report).into_response() })
}

/// In whose eyes a report is: what a seller earns, and what operators cost, is for credentials with `admin:read`. Without it a
/// reseller sees what it pays, as a client does; the house pays operators.
fn eyes(caller: &Caller) -> Result<Role, Problem> {
    match caller.role {
        Role::Admin => caller.may(Scope::AdminRead).map(|()| Role::Admin),
        Role::Reseller if caller.scopes.has(Scope::AdminRead) => Ok(Role::Reseller),
        Role::Reseller | Role::Client => Ok(Role::Client),
    }
}

/// The rate of an operator for traffic of a class to a network at a moment: its own for the network, else that for its
/// country; at each place that of the class before that of every class. As routing takes it.
pub(crate) fn rate(
    catalogue: &Catalogue,
    operator: OperatorId,
    (network, class): (Network, Option<TrafficClass>),
    at: DateTime<Utc>,
) -> Option<&Rate> {
    [network, network.country()].iter().find_map(|place| {
        let rates = catalogue.rates.get(place)?;
        let holds = |own| {
            let mut rates = rates.iter().filter(|rate| rate.operator == operator && rate.class == own);
            rates.find(|rate| in_force(rate.from, rate.to, at))
        };
        class.and_then(|class| holds(Some(class))).or_else(|| holds(None))
    })
}

/// The cheapest operator that is switched on, for traffic of a class to a network, and what a segment costs there in a
/// currency, exchange and all.
pub(crate) fn cheapest(
    catalogue: &Catalogue,
    traffic: (Network, Option<TrafficClass>),
    currency: Currency,
    at: DateTime<Utc>,
) -> Option<(OperatorId, Micros)> {
    let on = catalogue.operators.iter().filter(|operator| operator.enabled);
    let rates = on.filter_map(|operator| rate(catalogue, operator.id, traffic, at));
    let cost = |rate: &Rate| Some((rate.operator, catalogue.fx.total(rate.price, (rate.currency, currency), at)?));
    rates.filter_map(cost).min_by_key(|(operator, cost)| (*cost, *operator))
}
