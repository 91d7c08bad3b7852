//! Settings that differ from those in force.

use std::collections::HashSet;

use chrono::DateTime;
use domain::routing::margin::{Breach, Guard};
use domain::routing::rule::Rule;
use domain::tariff::{ChargeOn, Rate, Tariff};
use domain::what_if::Drafts;
use domain::{Catalogue, GuardId, Micros, Network, OperatorId, PlanId, RateId, RoutingRuleId, TariffId};
use serde::Deserialize;
use utoipa::ToSchema;

use super::AskWhatIf;
use crate::Api;
use crate::check::Check;
use crate::exchange_rates;
use crate::problem::Code;
use crate::routing::form::{self, RuleThen, RuleWhen};

/// Drafts of one kind at most.
const DRAFTS_MAX: usize = 1_000;

/// A rule that is not in force.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DraftRule {
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
pub(super) struct DraftGuard {
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
pub(super) struct DraftRate {
    /// Whose.
    operator_id: String,
    /// For this network, or country.
    network: String,
    /// For this class of traffic; for every class without one of its own when nothing is said.
    traffic_class: Option<String>,
    /// Of a segment.
    price: String,
    /// ISO 4217.
    currency: String,
}

/// A sell price that is not in force.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DraftTariff {
    /// Of this plan.
    plan_id: String,
    /// For this network, or country.
    network: String,
    /// For this class of traffic; for every class without one of its own when nothing is said.
    traffic_class: Option<String>,
    /// Of a segment, in the currency of the plan.
    price: String,
}

/// An exchange rate that is not in force.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DraftExchangeRate {
    /// What is given: the currency of a cost. ISO 4217.
    #[schema(example = "EUR")]
    from: String,
    /// What is got: the currency of a price. ISO 4217.
    #[schema(example = "UZS")]
    to: String,
    /// How much of `to` one unit of `from` is.
    #[schema(example = "13950.25")]
    rate: String,
    /// What an exchange costs on top, in parts per million of the amount: 0 (default) to 500000.
    spread_ppm: Option<u32>,
}

pub(super) fn read(api: &Api, catalogue: &Catalogue, check: &mut Check, body: &AskWhatIf) -> Drafts {
    let counts = [body.rules.len(), body.guards.len(), body.rates.len(), body.tariffs.len(), body.exchange_rates.len()];
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
    let drafts_of_exchange = body.exchange_rates.iter().enumerate().take(DRAFTS_MAX);
    Drafts {
        rules: rules.map(|(at, draft)| rule(api, check, &format!("/rules/{at}"), draft)).collect(),
        without_rules,
        guards: guards.map(|(at, draft)| guard(check, &format!("/guards/{at}"), draft)).collect(),
        without_guards,
        rates: rates.filter_map(|(at, draft)| rate(catalogue, check, &format!("/rates/{at}"), draft)).collect(),
        tariffs: tariffs.filter_map(|(at, draft)| tariff(catalogue, check, &format!("/tariffs/{at}"), draft)).collect(),
        exchange_rates: drafts_of_exchange
            .filter_map(|(at, draft)| {
                let texts = [draft.from.as_str(), &draft.to, &draft.rate];
                exchange_rates::terms(check, &format!("/exchange_rates/{at}"), texts, draft.spread_ppm)
            })
            .collect(),
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
    let class = check.parse_some(&format!("{at}/traffic_class"), draft.traffic_class.as_deref());
    let (operator, price, currency) = (operator?, price?, currency?);
    let id = RateId::generate();
    Some((
        network?,
        Rate {
            id,
            operator,
            price,
            currency,
            charge_on: ChargeOn::Submit,
            class,
            from: DateTime::UNIX_EPOCH,
            to: None,
        },
    ))
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
    let class = check.parse_some(&format!("{at}/traffic_class"), draft.traffic_class.as_deref());
    let plan = plan?;
    let known = catalogue.tariffs.iter().find(|((own, _), dated)| *own == plan && !dated.is_empty());
    check.that(known.is_some(), &format!("{at}/plan_id"), "there is no such plan, or it has no price yet");
    let example = known.and_then(|(_, dated)| dated.first())?;
    Some((plan, network?, Tariff { id: TariffId::generate(), price: price?, class, ..example.clone() }))
}
