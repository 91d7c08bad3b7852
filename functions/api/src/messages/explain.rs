//! `GET /v1/messages/{id}/explanation`: why a message went where it went, what it cost and earned, and why it ended.
//!
//! The house sees all of it, with credentials that may. A reseller sees its own price and that of who buys from it, a client its
//! own; neither sees operators.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use domain::routing::Decision;
use domain::tariff::{Chain, Link};
use domain::{MessageId, Micros, OperatorId, RateId, ending};
use serde::Serialize;
use serde_json::Value;
use store::explain::{self, Dated};
use store::ledger::refund;
use store::messages::{Part, Story};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::read::{MessageStory, tell};
use crate::Api;
use crate::auth::{Caller, Scope};
use crate::list::path_id;
use crate::numbering::names::Names;
use crate::openapi::Refusals;
use crate::problem::Problem;
use crate::routing::explain::{RuleSaid, said};
use crate::routing::{Candidate, candidates};

/// Codes of messages that got no operator.
const UNROUTED: [&str; 6] =
    ["no_route", "routes_exhausted", "below_margin", "blocked_by_rule", "breaker_open", "daily_cap"];

/// What became of a message at an operator that had no session.
const NEVER_GOT_IT: &str = "taken back before it was submitted";

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(explain_message))
}

/// A message, explained as far as the caller may see.
#[derive(Serialize, ToSchema)]
struct Explanation {
    /// The message with its whole story.
    #[serde(flatten)]
    story: MessageStory,
    #[serde(flatten)]
    names: Names,
    /// How it stands, in a sentence.
    summary: String,
    /// What to do about it; absent: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    to_do: Option<&'static str>,
    /// Who pays how much for a segment: who buys from the caller, then the caller. The house sees all, the sender first.
    payers: Vec<Payer>,
    /// What the caller earns for a segment; absent: nothing, or it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    margin: Option<String>,
    /// How its last operator was chosen; of those before see `hops`. Only the house sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    routing: Option<Routing>,
    /// The operators that had it, in their order.
    hops: Vec<HopTaken>,
    /// Looks for another operator that found none. Only the house sees them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    in_vain: Vec<LookInVain>,
}

/// One who pays.
#[derive(Serialize, ToSchema)]
struct Payer {
    /// Whose wallet.
    account_id: String,
    /// Of a segment.
    price: String,
    /// ISO 4217.
    currency: String,
    /// `submit` or `delivered`.
    charge_on: &'static str,
    /// `release` or `capture`: what becomes of the hold without a receipt, where it is taken on delivery.
    on_unconfirmed: &'static str,
    /// The tariff that said so.
    tariff: DatedPrice,
}

/// A row of a tariff or a rate.
#[derive(Serialize, ToSchema)]
struct DatedPrice {
    /// Which.
    id: String,
    /// Of this network, or of its country; null: of everywhere that the plan has no other price for, or the row is gone.
    mcc_mnc: Option<String>,
    /// Of a segment.
    price: Option<String>,
    /// From when it holds.
    #[serde(serialize_with = "crate::time::millis_some")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    effective_from: Option<DateTime<Utc>>,
    /// Until when; null: open.
    #[serde(serialize_with = "crate::time::millis_some")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    effective_to: Option<DateTime<Utc>>,
}

/// The decision for a hop.
#[derive(Serialize, ToSchema)]
struct Routing {
    /// The version of the settings that were read.
    catalogue_version: i64,
    /// By what the candidates are ranked.
    strategy: &'static str,
    /// What the house earned for a segment, before its cost.
    earned: Option<String>,
    /// The rule that held, and what it said then; null: none fitted, so the cheapest came first.
    rule: Option<RuleSaid>,
    /// Ranked: choices first, then those excluded, each with its reason.
    candidates: Vec<Candidate>,
    /// The rates of the candidates.
    rates: Vec<DatedPrice>,
}

/// One operator that had it.
#[derive(Serialize, ToSchema)]
struct HopTaken {
    /// 0 is the first.
    hop: i16,
    /// Who. Only the house sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    operator_id: Option<String>,
    /// Its name. Only the house sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    operator: Option<String>,
    /// What became of its segments there, in words.
    outcome: String,
    /// When the operator answered first; null: it never got it.
    #[serde(serialize_with = "crate::time::millis_some")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    submitted_at: Option<DateTime<Utc>>,
    /// How it was chosen, where another operator had the message after it. Only the house sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    routing: Option<Routing>,
}

/// A look for another operator that found none.
#[derive(Serialize, ToSchema)]
struct LookInVain {
    /// When.
    #[serde(serialize_with = "crate::time::millis")]
    at: DateTime<Utc>,
    /// Why there was none.
    code: Option<String>,
    /// The ranking.
    #[serde(skip_serializing_if = "Option::is_none")]
    routing: Option<Routing>,
}

/// Explain a message: prices, candidates, hops, and why it ended.
#[utoipa::path(get, path = "/v1/messages/{id}/explanation", tag = "messages",
    params(("id" = String, Path, description = "`msg_…`")), responses((status = 200, body = Explanation), Refusals))]
async fn explain_message(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Explanation>, Problem> {
    caller.may(Scope::MessagesRead)?;
    let id: MessageId = path_id(&id)?;
    let story = store::messages::get(&api.db, caller.account, id).await?.ok_or_else(Problem::not_found)?;
    let is_house = caller.sees_costs();
    let chain = explain::chain(&api.db, id).await?;
    let decision: Option<Decision> =
        story.decision.as_ref().filter(|_| is_house).and_then(|json| serde_json::from_value(json.clone()).ok());
    let (summary, to_do) = summary(&story, is_house);
    let hops = hops(&api, &story, is_house).await?;
    let in_vain = if is_house { in_vain(&api, id).await? } else { Vec::new() };
    let cost = decision.as_ref().and_then(Decision::choice).and_then(|first| first.margin);
    let may_earn = caller.scopes.has(Scope::AdminRead);
    let margin =
        if is_house { cost } else { chain.as_ref().filter(|_| may_earn).and_then(|chain| resold(chain, &caller)) };
    let routing = match &decision {
        Some(decision) => Some(routing(&api, decision).await?),
        None => None,
    };
    let payers = match &chain {
        Some(chain) => payers(&api, &caller, chain).await?,
        None => Vec::new(),
    };
    let margin = margin.map(|margin| margin.to_string());
    let refunded = refund::given_back(&api.db, story.message.account, id).await?;
    let names = Names::of(story.message.mcc_mnc.parse().ok());
    let mut story = tell(story, refunded, is_house);
    story.hide_prices(&api, &caller);
    Ok(Json(Explanation { story, names, summary, to_do, payers, margin, routing, hops, in_vain }))
}

/// How a message stands and what to do, in the words that the caller may hear: what is the house's to do is not the
/// customer's.
fn summary(story: &Story, is_house: bool) -> (String, Option<&'static str>) {
    let message = &story.message;
    let state = message.state.name();
    match &message.code {
        // Why nobody would carry it is the house's own business.
        Some(code) if !is_house && UNROUTED.contains(&code.as_str()) => {
            (format!("{state}: nobody could carry it to that network at that moment"), None)
        }
        Some(code) => {
            let told = ending::meaning(code);
            (format!("{state}: {}", told.meaning), is_house.then_some(told.to_do))
        }
        None if message.state.is_final() => (state.to_owned(), None),
        None => (format!("{state}: it is still under way"), None),
    }
}

/// What a reseller earns: the price right below it less its own.
fn resold(chain: &Chain, caller: &Caller) -> Option<Micros> {
    let own = chain.links.iter().position(|link| link.account == caller.account)?;
    let below = chain.links.get(own.checked_sub(1)?)?;
    below.price.get().checked_sub(chain.links[own].price.get()).map(Micros::new)
}

async fn payers(api: &Api, caller: &Caller, chain: &Chain) -> Result<Vec<Payer>, Problem> {
    let catalogue = api.catalogue.get();
    let is_seen = |link: &&Link| {
        catalogue.is_within(link.account, caller.account) && caller.knows_prices_of(&catalogue, link.account)
    };
    let seen: Vec<&Link> = chain.links.iter().filter(is_seen).collect();
    let ids: Vec<_> = seen.iter().map(|link| link.tariff).collect();
    let rows = explain::tariffs(&api.db, &ids).await?;
    let payer = |link: &&Link| Payer {
        account_id: link.account.to_string(),
        price: link.price.to_string(),
        currency: chain.currency.to_string(),
        charge_on: link.charge_on.name(),
        on_unconfirmed: link.on_unconfirmed.name(),
        tariff: dated(link.tariff.to_string(), rows.iter().find(|row| row.id == link.tariff.uuid())),
    };
    Ok(seen.iter().map(payer).collect())
}

fn dated(id: String, row: Option<&Dated>) -> DatedPrice {
    DatedPrice {
        id,
        mcc_mnc: row.and_then(|row| row.mcc_mnc.clone()),
        price: row.map(|row| row.price.to_string()),
        effective_from: row.map(|row| row.from),
        effective_to: row.and_then(|row| row.to),
    }
}

async fn routing(api: &Api, decision: &Decision) -> Result<Routing, Problem> {
    let ids: Vec<RateId> = decision.candidates.iter().filter_map(|candidate| candidate.rate_id).collect();
    let rows = explain::rates(&api.db, &ids).await?;
    let rule = match &decision.rule {
        Some(used) => Some(said(used, explain::rule(&api.db, used.id, used.version).await?)),
        None => None,
    };
    Ok(Routing {
        catalogue_version: decision.catalogue_version,
        strategy: decision.strategy.name(),
        earned: decision.earned.map(|earned| earned.to_string()),
        rule,
        candidates: candidates(decision),
        rates: rows.iter().map(|row| dated(RateId::from_uuid(row.id).to_string(), Some(row))).collect(),
    })
}

async fn hops(api: &Api, story: &Story, is_house: bool) -> Result<Vec<HopTaken>, Problem> {
    let left = explain::left(&api.db, story.message.id).await?;
    let by_hop: Vec<&[Part]> = story.parts.chunk_by(|one, other| one.hop == other.hop).collect();
    let mut hops: BTreeMap<i16, (Uuid, &[Part])> =
        left.iter().map(|left| (left.hop, (left.operator, &[][..]))).collect();
    hops.extend(by_hop.into_iter().filter_map(|parts| Some((parts.first()?.hop, (parts.first()?.operator_id, parts)))));
    let ids: Vec<Uuid> = hops.values().map(|(operator, _)| *operator).collect();
    let names = if is_house { explain::operator_names(&api.db, &ids).await? } else { Vec::new() };
    let mut told = Vec::with_capacity(hops.len());
    for (hop, (operator, parts)) in hops {
        let decision = left.iter().find(|left| left.hop == hop && is_house).and_then(|left| left.decision.as_ref());
        told.push(HopTaken {
            hop,
            operator_id: is_house.then(|| OperatorId::from_uuid(operator).to_string()),
            operator: names.iter().find(|(id, _)| *id == operator).map(|(_, name)| name.clone()),
            outcome: if parts.is_empty() { NEVER_GOT_IT.to_owned() } else { outcome(parts, is_house) },
            submitted_at: parts.iter().map(|part| part.submitted_at).min(),
            routing: kept(api, decision).await?,
        });
    }
    Ok(told)
}

/// A decision, where it is kept and can be read.
async fn kept(api: &Api, decision: Option<&Value>) -> Result<Option<Routing>, Problem> {
    match decision.and_then(|decision| serde_json::from_value::<Decision>(decision.clone()).ok()) {
        Some(decision) => Ok(Some(routing(api, &decision).await?)),
        None => Ok(None),
    }
}

async fn in_vain(api: &Api, id: MessageId) -> Result<Vec<LookInVain>, Problem> {
    let mut told = Vec::new();
    for look in explain::in_vain(&api.db, id).await? {
        let routing = kept(api, look.decision.as_ref()).await?;
        told.push(LookInVain { at: look.at, code: look.code, routing });
    }
    Ok(told)
}

/// What became of the segments of a hop: all alike in one sentence, else each.
fn outcome(parts: &[Part], is_house: bool) -> String {
    let one = |part: &Part| {
        let error = part.error.as_ref().map(|error| format!(", error {error}")).unwrap_or_default();
        match part.submit_status {
            None => "the submit was never answered".to_owned(),
            Some(0) => format!("taken, {}{error}", part.state),
            Some(_) if !is_house => "refused".to_owned(),
            Some(status) => format!("refused with SMPP status 0x{status:08x}"),
        }
    };
    let told: Vec<String> = parts.iter().map(one).collect();
    match told.as_slice() {
        [first, rest @ ..] if rest.iter().all(|other| other == first) => first.clone(),
        _ => {
            let of = |(part, told): (&Part, &String)| format!("segment {}: {told}", part.segment);
            parts.iter().zip(&told).map(of).collect::<Vec<_>>().join("; ")
        }
    }
}
