//! `POST /v1/routing/decision`: who would carry a message, and why. Nothing is sent. The house only.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use domain::Number;
use domain::routing::Candidate as Row;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(decide))
}

/// A number to route to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Question {
    /// The recipient.
    #[schema(example = "+998931234567")]
    to: String,
}

/// The ranked candidates.
#[derive(Serialize, ToSchema)]
struct RoutingDecision {
    /// The recipient in the form of E.164.
    to: String,
    /// The network that the number belongs to.
    mcc_mnc: String,
    /// Who would carry it; null: nobody.
    operator_id: Option<String>,
    /// The version of the settings that were read.
    catalogue_version: i64,
    /// Ranked: choices first, then those excluded.
    candidates: Vec<Candidate>,
}

/// One operator that was looked at.
#[derive(Serialize, ToSchema)]
struct Candidate {
    /// From 1; null: it is no choice.
    rank: Option<usize>,
    /// Who.
    operator_id: String,
    /// Its name.
    operator: String,
    /// The rate that gives the cost.
    rate_id: Option<String>,
    /// Cost of one segment.
    cost: Option<String>,
    /// ISO 4217.
    currency: Option<String>,
    /// Tie-breaker: the smaller first.
    priority: i16,
    /// Tie-breaker: of 1000 recent submits, how many succeeded.
    health_permille: u16,
    /// It has a session that is up.
    bound: bool,
    /// Why it stands where it stands.
    reason: String,
}

fn view(at: usize, first: Option<&Row>, row: &Row) -> Candidate {
    Candidate {
        rank: row.excluded.is_none().then_some(at + 1),
        operator_id: row.operator_id.to_string(),
        operator: row.operator.clone(),
        rate_id: row.rate_id.map(|id| id.to_string()),
        cost: row.cost.map(|cost| cost.to_string()),
        currency: row.currency.map(|currency| currency.to_string()),
        priority: row.priority,
        health_permille: row.health_permille,
        bound: row.bound,
        reason: reason(at, first, row),
    }
}

/// Compares a candidate with the first, in the order in which routing does.
fn reason(at: usize, first: Option<&Row>, row: &Row) -> String {
    use domain::routing::Exclusion;
    match (row.excluded, first) {
        (Some(Exclusion::Disabled), _) => "switched off".to_owned(),
        (Some(Exclusion::NoRate), _) => "no rate is in force for the network or its country".to_owned(),
        (Some(Exclusion::AlreadyTried), _) => "was tried before".to_owned(),
        (None, _) if at == 0 && row.bound => "the first of those that are up, by cost, priority and health".to_owned(),
        (None, _) if at == 0 => "no operator is up; the first by cost, priority and health".to_owned(),
        (None, Some(first)) if first.bound && !row.bound => "no session is up".to_owned(),
        (None, Some(first)) if first.cost < row.cost => "costs more".to_owned(),
        (None, Some(first)) if first.priority < row.priority => "costs the same; its priority comes later".to_owned(),
        (None, Some(first)) if first.health_permille > row.health_permille => {
            "same cost and priority; fewer of its submits succeed".to_owned()
        }
        (None, _) => "equal in everything; the older operator comes first".to_owned(),
    }
}

/// Ask who would carry a message.
#[utoipa::path(post, path = "/v1/routing/decision", tag = "operators", request_body = Question,
    responses((status = 200, body = RoutingDecision), Refusals))]
async fn decide(State(api): State<Arc<Api>>, caller: Caller, raw: Raw) -> Result<Json<RoutingDecision>, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_house()?;
    let Question { to } = raw.parse()?;
    let to = Number::parse(&to).map_err(|error| Problem::field("/to", Code::InvalidNumber, error.to_string()))?;
    let catalogue = api.catalogue.get();
    let unknown = || Problem::field("/to", Code::UnpricedDestination, "no prefix leads to the network of this number");
    let network = catalogue.network(to).ok_or_else(unknown)?;
    let decision = catalogue.decide(network, &[], crate::time::now());
    let first = decision.choice();
    let candidates = decision.candidates.iter().enumerate().map(|(at, row)| view(at, first, row)).collect();
    Ok(Json(RoutingDecision {
        to: to.e164(),
        mcc_mnc: network.to_string(),
        operator_id: first.map(|row| row.operator_id.to_string()),
        catalogue_version: decision.catalogue_version,
        candidates,
    }))
}
