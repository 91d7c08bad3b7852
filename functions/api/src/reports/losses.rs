//! `GET /v1/reports/losses`: what would lose money tomorrow, from the rates and prices that are to come and the traffic of
//! last week.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};
use domain::routing::margin::Earned;
use domain::{AccountId, Catalogue, Network, OperatorId, TrafficClass};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use store::rate_sheets::volumes::{self, Carried};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{cheapest, rate};
use crate::Api;
use crate::auth::{Caller, Scope};
use crate::check::Check;
use crate::csv::{self, Cell};
use crate::list::Query;
use crate::openapi::Refusals;
use crate::problem::Problem;
use crate::rate_sheets::money;

/// Whose traffic counts, and how far ahead is looked.
const WEEK: TimeDelta = TimeDelta::days(7);
/// Moments of one network that are looked at, at most.
const MOMENTS_MAX: usize = 100;
/// Lines at most; the largest losses come first.
const LINES_MAX: usize = 10_000;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(list_losses))
}

/// From when.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct When {
    /// The first moment that is looked at, and the seven days after it; the next midnight (UTC) when nothing is said.
    at: Option<String>,
}

/// What would lose money.
#[derive(Serialize, ToSchema)]
struct Losses {
    /// The first moment that was looked at.
    #[serde(serialize_with = "crate::time::millis")]
    at: DateTime<Utc>,
    /// The end of what was looked at.
    #[serde(serialize_with = "crate::time::millis")]
    until: DateTime<Utc>,
    /// Routes of last week that cost in another currency than they earn, so that nobody can say.
    not_comparable: usize,
    /// The largest loss of a week first.
    #[schema(inline)]
    data: Vec<LosingRoute>,
}

/// A route of last week that would cost more than it earns.
#[derive(Debug, Serialize, ToSchema)]
struct LosingRoute {
    /// When it begins.
    #[serde(serialize_with = "crate::time::millis")]
    from: DateTime<Utc>,
    /// Who pays the house: the account right below it, for all below it.
    account_id: String,
    /// Mobile country code.
    mcc: String,
    /// Mobile network code; null: not known.
    mnc: Option<String>,
    /// The class of its traffic; null: of none.
    traffic_class: Option<String>,
    /// Who carried it last week.
    operator_id: String,
    /// Its name.
    operator: String,
    /// Segments that it carried last week.
    segments: i64,
    /// ISO 4217.
    currency: String,
    /// What the house earns for a segment then.
    earned: String,
    /// What a segment costs then.
    cost: String,
    /// The cheapest operator then; absent: nobody has a rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    cheapest_operator: Option<String>,
    /// What a segment costs there.
    #[serde(skip_serializing_if = "Option::is_none")]
    cheapest_cost: Option<String>,
    /// Another operator carries it without a loss: routing by cost goes there.
    is_avoidable: bool,
    /// Cost less earned, of a segment.
    loss_per_segment: String,
    /// The same for the segments of last week.
    loss: String,
    #[serde(skip)]
    loss_micros: i128,
}

/// What would lose money tomorrow and in the days after: for every account right below the house, every network and every class
/// of traffic, the routes of last week at the rates and prices that are to come for that class. `Accept: text/csv` gives a file.
#[utoipa::path(get, path = "/v1/reports/losses", tag = "prices", params(When),
    responses((status = 200, content((Losses = "application/json"), (String = "text/csv"))), Refusals))]
async fn list_losses(
    State(api): State<Arc<Api>>,
    caller: Caller,
    headers: HeaderMap,
    Query(query): Query<When>,
) -> Result<Response, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_house()?;
    let mut check = Check::default();
    let now = crate::time::now();
    let midnight = now.date_naive().and_time(NaiveTime::MIN).and_utc() + Days::new(1);
    let at = check.time("/at", query.at.as_deref()).unwrap_or(midnight);
    check.that(at >= now - TimeDelta::hours(1), "/at", "expected a time that is not over");
    check.finish()?;
    let carried = volumes::carried(&api.db, None, (now - WEEK, now)).await?;
    api.catalogue.refresh().await?;
    let losses = find(&api.catalogue.get(), &carried, at);
    if csv::is_wanted(&headers) { Ok(as_csv(&losses)) } else { Ok(Json(losses).into_response()) }
}

/// Who pays the house, where to, over whom, for which class of traffic.
type Key = (AccountId, Network, OperatorId, Option<TrafficClass>);

fn find(catalogue: &Catalogue, carried: &[Carried], at: DateTime<Utc>) -> Losses {
    let until = at + WEEK;
    let mut routes: BTreeMap<Key, i64> = BTreeMap::new();
    for one in carried {
        // The house earns nothing for its own messages.
        if let [.., top, _] = catalogue.above(one.account).as_slice() {
            *routes.entry((*top, one.network, one.operator, one.class)).or_insert(0) += one.segments;
        }
    }
    let (mut data, mut not_comparable) = (Vec::new(), 0);
    for (key, segments) in routes {
        let moments = moments(catalogue, key, (at, until));
        let seen: Vec<Seen> = moments.iter().map(|at| look(catalogue, key, *at)).collect();
        let first = moments.iter().zip(&seen).find_map(|(at, seen)| match seen {
            Seen::Loses(earned, cost) => Some((*at, *earned, *cost)),
            _ => None,
        });
        match first {
            Some(first) => data.push(loss(catalogue, key, segments, first)),
            None => not_comparable += usize::from(seen.contains(&Seen::NotComparable)),
        }
    }
    data.sort_by(|one, other| {
        other.loss_micros.cmp(&one.loss_micros).then_with(|| one.account_id.cmp(&other.account_id))
    });
    data.truncate(LINES_MAX);
    Losses { at, until, not_comparable, data }
}

/// The first moment, and all after it at which a rate or a price of the route, or an exchange rate, begins or ends.
fn moments(
    catalogue: &Catalogue,
    (top, network, operator, _): Key,
    (at, until): (DateTime<Utc>, DateTime<Utc>),
) -> Vec<DateTime<Utc>> {
    let places = [network, network.country()];
    let of_plan = [Some(network), Some(network.country()), None];
    let rates = places.iter().filter_map(|place| catalogue.rates.get(place)).flatten();
    let rates = rates.filter(|rate| rate.operator == operator).flat_map(|rate| [Some(rate.from), rate.to]);
    let plan = catalogue.accounts.get(&top).and_then(|account| account.plan);
    let prices = plan.into_iter().flat_map(|plan| of_plan.map(|place| catalogue.tariffs.get(&(plan, place))));
    let prices = prices.flatten().flatten().flat_map(|tariff| [Some(tariff.from), tariff.to]);
    let rates = rates.chain(catalogue.fx.moments());
    let later = rates.chain(prices).flatten().filter(|moment| at < *moment && *moment < until);
    let later: BTreeSet<DateTime<Utc>> = later.collect();
    std::iter::once(at).chain(later).take(MOMENTS_MAX).collect()
}

/// How a route does at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// It earns, or is not priced or not offered then.
    Fine,
    /// It earns in one currency and costs in another, and no exchange rate is in force.
    NotComparable,
    /// It costs more than it earns.
    Loses(Earned, domain::Micros),
}

fn look(catalogue: &Catalogue, (top, network, operator, class): Key, at: DateTime<Utc>) -> Seen {
    let Some(earned) = catalogue.earned(top, network, class, at) else { return Seen::Fine };
    let Some(rate) = rate(catalogue, operator, (network, class), at) else { return Seen::Fine };
    match catalogue.fx.total(rate.price, (rate.currency, earned.currency), at) {
        None => Seen::NotComparable,
        Some(cost) if cost > earned.price => Seen::Loses(earned, cost),
        Some(_) => Seen::Fine,
    }
}

fn loss(
    catalogue: &Catalogue,
    (top, network, operator, class): Key,
    segments: i64,
    (from, earned, cost): (DateTime<Utc>, Earned, domain::Micros),
) -> LosingRoute {
    let name =
        |id| catalogue.operators.iter().find(|operator| operator.id == id).map(|operator| operator.name.to_string());
    let cheapest = cheapest(catalogue, (network, class), earned.currency, from);
    let each = i128::from(cost.get()) - i128::from(earned.price.get());
    let loss_micros = each * i128::from(segments);
    LosingRoute {
        from,
        account_id: top.to_string(),
        mcc: network.mcc.to_string(),
        mnc: network.mnc.map(|mnc| mnc.to_string()),
        traffic_class: class.map(|class| class.to_string()),
        operator_id: operator.to_string(),
        operator: name(operator).unwrap_or_default(),
        segments,
        currency: earned.currency.to_string(),
        earned: earned.price.to_string(),
        cost: cost.to_string(),
        cheapest_operator: cheapest.and_then(|(operator, _)| name(operator)),
        cheapest_cost: cheapest.map(|(_, cost)| cost.to_string()),
        is_avoidable: cheapest.is_some_and(|(_, cost)| cost <= earned.price),
        loss_per_segment: money(each),
        loss: money(loss_micros),
        loss_micros,
    }
}

fn as_csv(losses: &Losses) -> Response {
    let headings = [
        "from",
        "account_id",
        "mcc",
        "mnc",
        "traffic_class",
        "operator",
        "segments",
        "currency",
        "earned",
        "cost",
        "cheapest_operator",
        "cheapest_cost",
        "loss_per_segment",
        "loss",
    ];
    let row = |one: &LosingRoute| {
        vec![
            Cell::plain(Some(one.from.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))),
            Cell::plain(Some(&one.account_id)),
            Cell::plain(Some(&one.mcc)),
            Cell::plain(one.mnc.as_ref()),
            Cell::plain(one.traffic_class.as_ref()),
            Cell::text(Some(&one.operator)),
            Cell::plain(Some(one.segments)),
            Cell::plain(Some(&one.currency)),
            Cell::plain(Some(&one.earned)),
            Cell::plain(Some(&one.cost)),
            Cell::text(one.cheapest_operator.as_deref()),
            Cell::plain(one.cheapest_cost.as_ref()),
            Cell::plain(Some(&one.loss_per_segment)),
            Cell::plain(Some(&one.loss)),
        ]
    };
    csv::answer("losses", &headings, &losses.data.iter().map(row).collect::<Vec<_>>())
}
