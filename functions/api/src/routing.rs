//! `/v1/routing`: rules, guards of the margin, and `POST /v1/routing/decision`: who would carry a message, and why. The
//! house only.

pub(crate) mod explain;
mod form;
mod guards;
mod rules;
mod what_if;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::fx::Exchanged;
use domain::lookup::Policy;
use domain::routing::margin::Breach;
use domain::routing::rule::Strategy;
use domain::routing::{Candidate as Row, Decision, Exclusion, RuleUsed, breaker};
use domain::{AccountId, Encoding, Number, OperatorId, TemplateName, TrafficClass};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::tx::Tx;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::{Change, found};
use crate::check::Check;
use crate::numbering::names::Names;
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(decide)).merge(rules::routes()).merge(what_if::routes()).merge(guards::routes())
}

/// A message to route, as far as it matters; nothing is sent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Question {
    /// The recipient.
    #[schema(example = "+998931234567")]
    to: String,
    /// Whose message it would be; the house's own when nothing is said, which earns nothing.
    account_id: Option<String>,
    /// Its sender.
    from: Option<String>,
    /// Its class of traffic.
    traffic_class: Option<String>,
    /// The template that it is made of.
    template: Option<String>,
    /// `gsm7` when nothing is said.
    encoding: Option<String>,
    /// 1 when nothing is said.
    segments: Option<u8>,
    /// At what time; now when nothing is said.
    at: Option<String>,
    /// Operators that had it before.
    tried: Option<Vec<String>>,
}

/// The ranked candidates.
#[derive(Serialize, ToSchema)]
struct RoutingDecision {
    /// The recipient in the form of E.164.
    to: String,
    /// The network that the number belongs to.
    mcc_mnc: String,
    #[serde(flatten)]
    names: Names,
    /// Who would carry it; null: nobody.
    operator_id: Option<String>,
    /// Why nobody would: `no_route`, `routes_exhausted`, `below_margin`, `blocked_by_rule`, `breaker_open` or
    /// `daily_cap`.
    code: Option<&'static str>,
    /// The version of the settings that were read.
    catalogue_version: i64,
    /// The rule that held; null: none fitted, so the cheapest comes first.
    rule: Option<UsedRule>,
    /// By what they are ranked.
    strategy: &'static str,
    /// What the house earns for a segment; null: it is not known, or is its own message.
    earned: Option<String>,
    /// Ranked: choices first, then those excluded.
    candidates: Vec<Candidate>,
}

/// The rule that held.
#[derive(Serialize, ToSchema)]
struct UsedRule {
    /// Which.
    id: String,
    /// In which version.
    version: u32,
    /// For people.
    name: String,
}

/// One operator that was looked at.
#[derive(Serialize, ToSchema)]
pub(crate) struct Candidate {
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
    /// The cost in the currency of the price, where that is another one; null: no exchange rate is in force, or none is
    /// needed. Costs are compared, and margins reckoned, by it.
    exchange: Option<ExchangedCost>,
    /// What a segment earns less its cost, exchange and all; null: no exchange rate is in force, or nothing is earned.
    margin: Option<String>,
    /// What the margin guard says, where that is too little: `block`, `alert` or `allow`.
    breach: Option<&'static str>,
    /// The guard that says so; null: the one that is always there.
    guard_id: Option<String>,
    /// Tie-breaker: the smaller first.
    priority: i16,
    /// Tie-breaker, and what cost is divided by with `quality`: success, delivery, speed and trust multiplied. Of an operator
    /// that was judged badly and is little used since, a growing share of messages sees it as if that were forgotten.
    health_permille: u16,
    /// Of 1000 recent submits, how many succeeded.
    success_permille: u16,
    /// Of 1000 recent messages, how many were delivered.
    delivery_permille: u16,
    /// 30 seconds by the time in which 95 % were delivered.
    speed_permille: u16,
    /// How far its receipts are believed; below 500 it comes behind all that are trusted.
    trust_permille: u16,
    /// Its circuit breaker at this network: `closed`, `open`, `half_open` or `held`.
    breaker: &'static str,
    /// It has a session that is up.
    bound: bool,
    /// Why it stands where it stands.
    reason: String,
}

/// All candidates of a decision, ranked, each with its reason.
pub(crate) fn candidates(decision: &Decision) -> Vec<Candidate> {
    decision.candidates.iter().enumerate().map(|(at, row)| view(at, decision, row)).collect()
}

/// A cost in another currency.
#[derive(Serialize, ToSchema)]
struct ExchangedCost {
    /// By which exchange rate.
    exchange_rate_id: String,
    /// ISO 4217.
    currency: String,
    /// The cost of one segment by the rate.
    cost: String,
    /// What the exchange costs on top.
    spread: String,
}

impl ExchangedCost {
    fn of(exchanged: Exchanged) -> Self {
        Self {
            exchange_rate_id: exchanged.rate_id.to_string(),
            currency: exchanged.currency.to_string(),
            cost: exchanged.amount.to_string(),
            spread: exchanged.spread.to_string(),
        }
    }
}

fn view(at: usize, decision: &Decision, row: &Row) -> Candidate {
    Candidate {
        rank: row.excluded.is_none().then_some(at + 1),
        operator_id: row.operator_id.to_string(),
        operator: row.operator.to_string(),
        rate_id: row.rate_id.map(|id| id.to_string()),
        cost: row.cost.map(|cost| cost.to_string()),
        currency: row.currency.map(|currency| currency.to_string()),
        exchange: row.exchange.map(ExchangedCost::of),
        margin: row.margin.map(|margin| margin.to_string()),
        breach: row.breach.map(Breach::name),
        guard_id: row.guard_id.map(|id| id.to_string()),
        priority: row.priority,
        health_permille: row.health_permille,
        success_permille: row.score.success,
        delivery_permille: row.score.delivery,
        speed_permille: row.score.speed,
        trust_permille: row.score.trust,
        breaker: row.breaker.name(),
        bound: row.bound,
        reason: reason(at, decision, row),
    }
}

/// Compares a candidate with the first, in the order in which routing does.
fn reason(at: usize, decision: &Decision, row: &Row) -> String {
    let Some(why) = row.excluded else { return place(at, decision, row) };
    match why {
        Exclusion::Disabled => "switched off",
        Exclusion::NoRate => "no rate is in force for the network or its country",
        Exclusion::AlreadyTried => "was tried before",
        Exclusion::Blocked => "the rule rejects such messages",
        Exclusion::NotInRule => "the rule names others",
        Exclusion::ExceptInRule => "the rule excepts it",
        Exclusion::Margin if row.margin.is_none() => {
            "nobody knows what a segment would earn: no exchange rate is in force"
        }
        Exclusion::Margin => "a segment would earn too little",
        Exclusion::BreakerOpen if row.breaker == breaker::State::HalfOpen => {
            "its circuit breaker is half-open, and others probe"
        }
        Exclusion::BreakerOpen => "its circuit breaker is open",
        Exclusion::DailyCap => "was given as much today as it may be",
    }
    .to_owned()
}

fn place(at: usize, decision: &Decision, row: &Row) -> String {
    let by = match decision.strategy {
        Strategy::LeastCost | Strategy::Block => "by cost, priority and health",
        Strategy::Priority => "in the order of the rule",
        Strategy::Weighted => "whose turn it is by the weights of the rule",
        Strategy::RoundRobin => "whose turn it is",
        Strategy::Quality => "by the cost of a success",
    };
    let Some(first) = decision.choice().filter(|_| at > 0) else {
        let of = if row.probe {
            "a probe, whether it is well again: its circuit breaker is half-open; the first"
        } else if row.breaker != breaker::State::Closed {
            "its circuit breaker is open and nobody else is left; the first"
        } else if !row.bound {
            "no operator is up; the first"
        } else if row.last_resort {
            "nobody but a last resort of the rule is up; the first"
        } else if row.untrusted {
            "nobody who is trusted is up; the first"
        } else {
            "the first of those that are up"
        };
        return format!("{of}, {by}");
    };
    if first.bound && !row.bound {
        "no session is up"
    } else if row.last_resort && !first.last_resort {
        "the last resort of the rule"
    } else if row.untrusted && !first.untrusted {
        "untrusted: its receipts are not believed"
    } else if decision.strategy != Strategy::LeastCost {
        return format!("comes later, {by}");
    } else if row.exchange.is_none() && row.currency != first.exchange.map_or(first.currency, |e| Some(e.currency)) {
        "nobody knows what it costs: no exchange rate is in force"
    } else if in_one_currency(first) < in_one_currency(row) {
        "costs more"
    } else if first.priority < row.priority {
        "costs the same; its priority comes later"
    } else if first.health_permille > row.health_permille {
        "same cost and priority; it does worse of late"
    } else {
        "equal in everything; the older operator comes first"
    }
    .to_owned()
}

/// The cost as it is compared with others.
fn in_one_currency(row: &Row) -> Option<domain::Micros> {
    row.exchange.map_or(row.cost, |exchange| exchange.total())
}

/// Records and commits that something ended, if it was there.
async fn ended(
    api: &Api,
    caller: &Caller,
    tx: Tx,
    was_there: bool,
    (action, subject): (&'static str, String),
) -> Result<StatusCode, Problem> {
    found(was_there)?;
    let change = Change { account: caller.account, action, subject, detail: json!({}) };
    api.commit(tx, caller, change).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A question that was read.
struct Asked {
    to: Number,
    account: AccountId,
    from: String,
    traffic_class: Option<TrafficClass>,
    template: Option<TemplateName>,
    encoding: Encoding,
    segments: u8,
    at: DateTime<Utc>,
    tried: Vec<OperatorId>,
}

fn read(caller: &Caller, body: Question) -> Result<Asked, Problem> {
    let mut check = Check::default();
    let to = check.value("/to", Code::InvalidNumber, Number::parse(&body.to));
    let account = check.parse_some("/account_id", body.account_id.as_deref()).unwrap_or(caller.account);
    let encoding = body
        .encoding
        .as_deref()
        .map_or(Ok(Encoding::Gsm7), |name| Encoding::parse(name).ok_or("expected gsm7, ucs2, latin1 or binary"));
    let encoding = check.value("/encoding", Code::InvalidRequest, encoding).unwrap_or(Encoding::Gsm7);
    let traffic_class = check.parse_some("/traffic_class", body.traffic_class.as_deref());
    let template = check.parse_some("/template", body.template.as_deref());
    let at = check.time("/at", body.at.as_deref()).unwrap_or_else(crate::time::now);
    let tried = body.tried.unwrap_or_default();
    let tried =
        tried.iter().enumerate().filter_map(|(place, id)| check.parse(&format!("/tried/{place}"), id)).collect();
    let to = check.finish_with(to)?;
    let (from, segments) = (body.from.unwrap_or_default(), body.segments.unwrap_or(1));
    Ok(Asked { to, account, from, traffic_class, template, encoding, segments, at, tried })
}

/// Ask who would carry a message.
#[utoipa::path(post, path = "/v1/routing/decision", tag = "operators", request_body = Question,
    responses((status = 200, body = RoutingDecision), Refusals))]
async fn decide(State(api): State<Arc<Api>>, caller: Caller, raw: Raw) -> Result<Json<RoutingDecision>, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_house()?;
    let asked = read(&caller, raw.parse()?)?;
    // As for a message what is known counts where the account agreed to look-ups; nobody is asked, and nothing is charged.
    let policy = api.catalogue.get().lookup_policy(asked.account);
    let known = match policy {
        Policy::Never => None,
        Policy::Cached | Policy::Always => {
            store::lookups::cached(&api.db, &[asked.to], crate::time::now()).await?.remove(&asked.to)
        }
    };
    let catalogue = api.catalogue.get();
    let unknown = || Problem::field("/to", Code::UnpricedDestination, "no prefix leads to the network of this number");
    let network = catalogue.network_of(asked.to, known.map(|answer| answer.network)).ok_or_else(unknown)?;
    if !catalogue.accounts.contains_key(&asked.account) {
        return Err(Problem::field("/account_id", Code::InvalidRequest, "there is no such account"));
    }
    let decision = catalogue.decide(&domain::routing::Question {
        account: asked.account,
        to: asked.to,
        network,
        sender: &asked.from,
        traffic_class: asked.traffic_class,
        template: asked.template.as_ref(),
        encoding: asked.encoding,
        segments: asked.segments,
        // Whoever asks again has the next turn.
        turn: uuid::Uuid::now_v7().as_u64_pair().1,
        tried: &asked.tried,
        paid: &[],
        probes: &[],
        earned: None,
        priced_at: asked.at,
        at: asked.at,
    });
    Ok(Json(answer(asked.to, &decision)))
}

fn answer(to: Number, decision: &Decision) -> RoutingDecision {
    let first = decision.choice();
    let used = |rule: &RuleUsed| UsedRule { id: rule.id.to_string(), version: rule.version, name: rule.name.clone() };
    RoutingDecision {
        to: to.e164(),
        mcc_mnc: decision.mcc_mnc.to_string(),
        names: Names::of(Some(decision.mcc_mnc)),
        operator_id: first.map(|row| row.operator_id.to_string()),
        code: first.is_none().then(|| decision.code()),
        catalogue_version: decision.catalogue_version,
        rule: decision.rule.as_ref().map(used),
        strategy: decision.strategy.name(),
        earned: decision.earned.map(|earned| earned.to_string()),
        candidates: candidates(decision),
    }
}
