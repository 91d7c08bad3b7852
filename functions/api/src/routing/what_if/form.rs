//! What a replay is asked for: the traffic, and the settings that differ.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use domain::routing::margin::{Breach, Guard};
use domain::routing::rule::Rule;
use domain::tariff::{Rate, Tariff};
use domain::what_if::Drafts;
use domain::{
    AccountId, Catalogue, Encoding, GuardId, Micros, Network, Number, OperatorId, PlanId, RateId, RoutingRuleId,
    TariffId, TrafficClass,
};
use serde::Deserialize;
use store::what_if::Period;
use utoipa::ToSchema;

use super::super::form::{self, RuleThen, RuleWhen};
use crate::Api;
use crate::auth::Caller;
use crate::check::Check;
use crate::problem::{Code, Problem};

/// Lines of traffic, and drafts of one kind, at most.
const LINES_MAX: usize = 10_000;
const DRAFTS_MAX: usize = 1_000;
/// The longest period.
const PERIOD_MAX: TimeDelta = TimeDelta::days(31);

/// Traffic to replay, and settings that differ from those in force. All drafts hold for all of the traffic.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AskWhatIf {
    /// Messages that ended, accepted at this time or later; seven days ago when nothing is said.
    since: Option<String>,
    /// And before this time; now when nothing is said.
    until: Option<String>,
    /// Only of this account and those below it.
    account_id: Option<String>,
    /// Only to this network, or this country.
    network: Option<String>,
    /// This traffic instead of that of the past.
    messages: Option<Vec<Line>>,
    /// As if the traffic were sent in the week that begins at this time, each message on its own weekday and hour; now
    /// when nothing is said. Listed messages are sent at this time.
    at: Option<String>,
    /// New rules; one with the id of a rule takes its place.
    #[serde(default)]
    rules: Vec<DraftRule>,
    /// Rules that are taken away.
    #[serde(default)]
    without_rules: Vec<String>,
    /// New guards of the margin.
    #[serde(default)]
    guards: Vec<DraftGuard>,
    /// Guards that are taken away.
    #[serde(default)]
    without_guards: Vec<String>,
    /// Buy rates, each in place of the operator's own for that network or country.
    #[serde(default)]
    rates: Vec<DraftRate>,
    /// Sell prices, each in place of the plan's own for that network or country.
    #[serde(default)]
    tariffs: Vec<DraftTariff>,
    /// Operators that are switched off.
    #[serde(default)]
    disabled: Vec<String>,
    /// Operators that are switched on.
    #[serde(default)]
    enabled: Vec<String>,
}

/// Messages that are alike.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Line {
    /// The recipient.
    to: String,
    /// Whose messages; the house's own when nothing is said.
    account_id: Option<String>,
    /// Their sender.
    from: Option<String>,
    /// Their class of traffic.
    traffic_class: Option<String>,
    /// `gsm7` when nothing is said.
    encoding: Option<String>,
    /// 1 when nothing is said.
    segments: Option<u8>,
    /// How many; 1 when nothing is said, at most a million.
    count: Option<u32>,
}

/// A rule that is not in force.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DraftRule {
    /// The rule whose place it takes; absent: a new one.
    id: Option<String>,
    /// Of several rules that fit, the smallest position holds.
    position: i32,
    /// For which messages.
    #[serde(default)]
    when: RuleWhen,
    /// How their operators are ranked.
    #[serde(default)]
    then: RuleThen,
}

/// A guard that is not in force.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DraftGuard {
    /// For messages of this account and those below it; of all when nothing is said.
    account_id: Option<String>,
    /// For this operator; for all when nothing is said.
    operator_id: Option<String>,
    /// To this network or country; to all when nothing is said.
    network: Option<String>,
    /// What a segment must earn; 0 when nothing is said.
    min: Option<String>,
    /// And so many thousandths of its price.
    min_permille: Option<i32>,
    /// `block` (default), `alert` or `allow`.
    on_breach: Option<String>,
}

/// A buy rate that is not in force.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DraftRate {
    /// Whose.
    operator_id: String,
    /// For this network, or country.
    network: String,
    /// Of a segment.
    price: String,
    /// ISO 4217.
    currency: String,
}

/// A sell price that is not in force.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DraftTariff {
    /// Of this plan.
    plan_id: String,
    /// For this network, or country.
    network: String,
    /// Of a segment, in the currency of the plan.
    price: String,
}

/// A question that was read.
pub(super) struct Asked {
    pub(super) traffic: Traffic,
    pub(super) at: DateTime<Utc>,
    pub(super) drafts: Drafts,
}

pub(super) enum Traffic {
    Past(Period),
    Listed(Vec<Listed>),
}

/// Messages that are alike.
pub(super) struct Listed {
    pub(super) to: Number,
    pub(super) network: Network,
    pub(super) account: AccountId,
    pub(super) from: String,
    pub(super) traffic_class: Option<TrafficClass>,
    pub(super) encoding: Encoding,
    pub(super) segments: u8,
    pub(super) count: u32,
}

pub(super) fn read(api: &Api, caller: &Caller, body: &AskWhatIf) -> Result<Asked, Problem> {
    let now = crate::time::now();
    let catalogue = api.catalogue.get();
    let mut check = Check::default();
    let at = check.time("/at", body.at.as_deref()).unwrap_or(now);
    let drafts = drafts(api, &catalogue, &mut check, body);
    let traffic = match &body.messages {
        Some(lines) => Traffic::Listed(listed(&catalogue, &mut check, lines, caller.account)),
        None => Traffic::Past(period(&mut check, body, now)),
    };
    check.finish()?;
    Ok(Asked { traffic, at, drafts })
}

fn period(check: &mut Check, body: &AskWhatIf, now: DateTime<Utc>) -> Period {
    let until = check.time("/until", body.until.as_deref()).unwrap_or(now);
    let since = check.time("/since", body.since.as_deref()).unwrap_or(until - TimeDelta::days(7));
    check.that(since < until, "/since", "expected a time before until");
    check.that(until - since <= PERIOD_MAX, "/since", "expected a period of 31 days at most");
    let account = check.parse_some("/account_id", body.account_id.as_deref());
    let network = check.parse_some("/network", body.network.as_deref());
    Period { since, until, account, network }
}

fn listed(catalogue: &Catalogue, check: &mut Check, lines: &[Line], house: AccountId) -> Vec<Listed> {
    check.that(lines.len() <= LINES_MAX, "/messages", "expected at most 10000");
    let lines = lines.iter().take(LINES_MAX).enumerate();
    lines.filter_map(|(at, line)| line_of(catalogue, check, line, (&format!("/messages/{at}"), house))).collect()
}

fn line_of(catalogue: &Catalogue, check: &mut Check, line: &Line, (at, house): (&str, AccountId)) -> Option<Listed> {
    let to = check.value(&format!("{at}/to"), Code::InvalidNumber, Number::parse(&line.to));
    let unpriced = "no prefix leads to the network of this number";
    let network = to.and_then(|to| {
        check.value(&format!("{at}/to"), Code::UnpricedDestination, catalogue.network(to).ok_or(unpriced))
    });
    let account = check.parse_some(&format!("{at}/account_id"), line.account_id.as_deref()).unwrap_or(house);
    let is_account = catalogue.accounts.contains_key(&account);
    check.that(is_account, &format!("{at}/account_id"), "there is no such account");
    let traffic_class = check.parse_some(&format!("{at}/traffic_class"), line.traffic_class.as_deref());
    let encoding = line.encoding.as_deref().unwrap_or("gsm7");
    let encoding = Encoding::parse(encoding).ok_or("expected gsm7, ucs2, latin1 or binary");
    let encoding = check.value(&format!("{at}/encoding"), Code::InvalidRequest, encoding);
    let count = line.count.unwrap_or(1);
    check.that((1..=1_000_000).contains(&count), &format!("{at}/count"), "expected 1 to 1000000");
    Some(Listed {
        to: to?,
        network: network?,
        account,
        from: line.from.clone().unwrap_or_default(),
        traffic_class,
        encoding: encoding?,
        segments: line.segments.unwrap_or(1),
        count,
    })
}

fn drafts(api: &Api, catalogue: &Catalogue, check: &mut Check, body: &AskWhatIf) -> Drafts {
    let counts = [body.rules.len(), body.guards.len(), body.rates.len(), body.tariffs.len()];
    check.that(counts.iter().all(|count| *count <= DRAFTS_MAX), "", "expected at most 1000 drafts of a kind");
    let without_rules: HashSet<RoutingRuleId> = ids(check, "/without_rules", &body.without_rules).collect();
    let without_guards: HashSet<GuardId> = ids(check, "/without_guards", &body.without_guards).collect();
    let off: Vec<OperatorId> = ids(check, "/disabled", &body.disabled).collect();
    let on: Vec<OperatorId> = ids(check, "/enabled", &body.enabled).collect();
    let operators = off.into_iter().map(|id| (id, false)).chain(on.into_iter().map(|id| (id, true)));
    let rules = body.rules.iter().enumerate().take(DRAFTS_MAX);
    let guards = body.guards.iter().enumerate().take(DRAFTS_MAX);
    let rates = body.rates.iter().enumerate().take(DRAFTS_MAX);
    let tariffs = body.tariffs.iter().enumerate().take(DRAFTS_MAX);
    Drafts {
        rules: rules.map(|(at, draft)| rule(api, check, &format!("/rules/{at}"), draft)).collect(),
        without_rules,
        guards: guards.map(|(at, draft)| guard(check, &format!("/guards/{at}"), draft)).collect(),
        without_guards,
        rates: rates.filter_map(|(at, draft)| rate(catalogue, check, &format!("/rates/{at}"), draft)).collect(),
        tariffs: tariffs.filter_map(|(at, draft)| tariff(catalogue, check, &format!("/tariffs/{at}"), draft)).collect(),
        enabled: operators.collect(),
    }
}

fn ids<T: std::str::FromStr<Err: std::fmt::Display>>(
    check: &mut Check,
    pointer: &str,
    ids: &[String],
) -> impl Iterator<Item = T> + use<T> {
    let read = ids.iter().take(DRAFTS_MAX).enumerate();
    let read: Vec<T> = read.filter_map(|(at, id)| check.parse(&format!("{pointer}/{at}"), id)).collect();
    read.into_iter()
}

fn rule(api: &Api, check: &mut Check, at: &str, draft: &DraftRule) -> Rule {
    let id = check.parse_some(&format!("{at}/id"), draft.id.as_deref());
    let body = check.within(at, |check| form::read(api, check, &draft.when, &draft.then));
    Rule {
        id: id.unwrap_or_else(RoutingRuleId::generate),
        version: 0,
        name: "a draft".to_owned(),
        position: draft.position,
        body,
        from: DateTime::UNIX_EPOCH,
        to: None,
    }
}

fn guard(check: &mut Check, at: &str, draft: &DraftGuard) -> Guard {
    let on_breach = draft.on_breach.as_deref().unwrap_or("block");
    let on_breach = Breach::parse(on_breach).ok_or("expected block, alert or allow");
    Guard {
        id: GuardId::generate(),
        account: check.parse_some(&format!("{at}/account_id"), draft.account_id.as_deref()),
        operator: check.parse_some(&format!("{at}/operator_id"), draft.operator_id.as_deref()),
        network: check.parse_some(&format!("{at}/network"), draft.network.as_deref()),
        min: check.parse_some(&format!("{at}/min"), draft.min.as_deref()).unwrap_or(Micros::ZERO),
        min_permille: draft.min_permille,
        on_breach: check.value(&format!("{at}/on_breach"), Code::InvalidRequest, on_breach).unwrap_or_default(),
        from: DateTime::UNIX_EPOCH,
        to: None,
    }
}

fn rate(catalogue: &Catalogue, check: &mut Check, at: &str, draft: &DraftRate) -> Option<(Network, Rate)> {
    let operator: Option<OperatorId> = check.parse(&format!("{at}/operator_id"), &draft.operator_id);
    let is_there = operator.is_none_or(|id| catalogue.operators.iter().any(|operator| operator.id == id));
    check.that(is_there, &format!("{at}/operator_id"), "there is no such operator");
    let network = check.parse(&format!("{at}/network"), &draft.network);
    let price = check.price(&format!("{at}/price"), &draft.price);
    let currency = check.parse(&format!("{at}/currency"), &draft.currency);
    let (operator, price, currency) = (operator?, price?, currency?);
    let id = RateId::generate();
    Some((network?, Rate { id, operator, price, currency, class: None, from: DateTime::UNIX_EPOCH, to: None }))
}

fn tariff(
    catalogue: &Catalogue,
    check: &mut Check,
    at: &str,
    draft: &DraftTariff,
) -> Option<(PlanId, Network, Tariff)> {
    let plan: Option<PlanId> = check.parse(&format!("{at}/plan_id"), &draft.plan_id);
    let network = check.parse(&format!("{at}/network"), &draft.network);
    let price = check.price(&format!("{at}/price"), &draft.price);
    let plan = plan?;
    let known = catalogue.tariffs.iter().find(|((own, _), dated)| *own == plan && !dated.is_empty());
    check.that(known.is_some(), &format!("{at}/plan_id"), "there is no such plan, or it has no price yet");
    let example = known.and_then(|(_, dated)| dated.first())?;
    Some((plan, network?, Tariff { id: TariffId::generate(), price: price?, class: None, ..example.clone() }))
}
