//! Prices made from costs and margins: a proposal to look at, and its publication as a whole.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use domain::price_rule::{PriceRule, rule_for};
use domain::tariff::{ChargeOn, in_force};
use domain::{Catalogue, Currency, Micros, Network, OperatorId, PlanId, TariffId};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use store::price_lists::{self, PriceList};
use store::tariffs::{NewTariff, Tariff};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::{Change, conflict, found};
use crate::check::Check;
use crate::csv::{self, Cell};
use crate::list::path_id;
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

/// Rules of one proposal at most.
const RULES_MAX: usize = 1_000;
/// The largest margin: a hundred times the cost.
const MARGIN_PERMILLE_MAX: u32 = 100_000;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(propose_prices)).routes(routes!(publish_prices))
}

/// How prices come from costs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ProposePrices {
    /// From when they hold; now when nothing is said. Costs of that time count.
    effective_from: Option<String>,
    /// 1 to 1,000 rules. Of several for a network, that of the network goes before that of its country, and that before one
    /// for all. Networks without a rule stay as they are.
    #[schema(inline)]
    rules: Vec<CostRule>,
    /// When the money is taken, for networks without a price before: `submit` (default) or `delivered`.
    charge_on: Option<String>,
    /// To publish: `fingerprint` of the proposal that was looked at.
    fingerprint: Option<String>,
}

/// A price is the cost and a margin on it, rounded up once to a step.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CostRule {
    /// For this country; for all when nothing is said.
    #[schema(example = "434")]
    mcc: Option<String>,
    /// For this network of it.
    mnc: Option<String>,
    /// So many thousandths of the cost on top of it; 0 when nothing is said.
    #[schema(example = 200)]
    margin_permille: Option<u32>,
    /// And this for each segment.
    #[schema(example = "0.0005")]
    add: Option<String>,
    /// Never below this.
    min: Option<String>,
    /// Rounded up to a whole multiple of this.
    #[schema(example = "0.0001")]
    step: Option<String>,
}

/// Prices made from costs.
#[derive(Serialize, ToSchema)]
struct PriceProposal {
    /// In which list.
    plan_id: String,
    /// The currency of its prices.
    currency: String,
    /// From when they would hold.
    #[serde(serialize_with = "crate::time::millis")]
    effective_from: DateTime<Utc>,
    /// Names exactly these prices; give it to publish them.
    fingerprint: String,
    /// Networks whose cost is in another currency only: they have no proposal.
    not_comparable: usize,
    /// One for each network that a rule is for and that has a cost.
    #[schema(inline)]
    prices: Vec<ProposedPrice>,
}

/// One price.
#[derive(Serialize, ToSchema)]
struct ProposedPrice {
    /// Mobile country code.
    mcc: String,
    /// Mobile network code; null: the default of the country.
    mnc: Option<String>,
    /// What a segment costs the seller: the cheapest operator, or what a reseller pays itself.
    cost: String,
    /// The cheapest operator; for the house only.
    #[serde(skip_serializing_if = "Option::is_none")]
    operator_id: Option<String>,
    /// What it is sold for at that time otherwise; null: not at all.
    old_price: Option<String>,
    /// What it is sold for then.
    price: String,
    /// Price less cost.
    margin: String,
    /// `new`, `up`, `down` or `unchanged`; what is unchanged is not published.
    change: &'static str,
    #[serde(skip)]
    network: Network,
    #[serde(skip)]
    amount: Micros,
    #[serde(skip)]
    charge_on: ChargeOn,
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

/// A request that was read.
struct Ask {
    at: DateTime<Utc>,
    rules: Vec<PriceRule>,
    charge_on: ChargeOn,
    fingerprint: Option<String>,
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
    let ask = read(&raw.parse()?)?;
    let (_, proposal) = propose(&api, &caller, plan, &ask).await?;
    if !csv::is_wanted(&headers) {
        return Ok(Json(proposal).into_response());
    }
    let currency = &proposal.currency;
    let row = |one: &ProposedPrice| {
        vec![
            Cell::plain(Some(&one.mcc)),
            Cell::plain(one.mnc.as_ref()),
            Cell::plain(Some(&one.cost)),
            Cell::plain(one.operator_id.as_ref()),
            Cell::plain(one.old_price.as_ref()),
            Cell::plain(Some(&one.price)),
            Cell::plain(Some(&one.margin)),
            Cell::plain(Some(currency)),
            Cell::plain(Some(one.change)),
        ]
    };
    let headings = ["mcc", "mnc", "cost", "operator_id", "old_price", "price", "margin", "currency", "change"];
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
    let ask = read(&raw.parse()?)?;
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
        traffic_class: None,
        price: one.amount,
        charge_on: one.charge_on,
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

fn read(body: &ProposePrices) -> Result<Ask, Problem> {
    let mut check = Check::default();
    let now = crate::time::now();
    let at = check.time("/effective_from", body.effective_from.as_deref()).unwrap_or(now);
    check.that(at >= now - chrono::TimeDelta::minutes(5), "/effective_from", "expected a time that is not over");
    let count = (1..=RULES_MAX).contains(&body.rules.len());
    check.that(count, "/rules", "expected 1 to 1000 rules");
    let charge_on = body.charge_on.as_deref().map_or(Some(ChargeOn::default()), ChargeOn::parse);
    check.that(charge_on.is_some(), "/charge_on", "expected submit or delivered");
    let mut rules: Vec<PriceRule> = Vec::new();
    for (nth, rule) in body.rules.iter().take(RULES_MAX).enumerate() {
        let pointer = format!("/rules/{nth}");
        let Some(rule) = read_rule(&mut check, &pointer, rule) else { continue };
        let is_first = rules.iter().all(|other| other.network != rule.network);
        check.that(is_first, &pointer, "another rule is for the same network");
        rules.push(rule);
    }
    check.finish()?;
    let charge_on = charge_on.unwrap_or_default();
    Ok(Ask { at, rules, charge_on, fingerprint: body.fingerprint.clone() })
}

fn read_rule(check: &mut Check, at: &str, rule: &CostRule) -> Option<PriceRule> {
    let network = match (&rule.mcc, &rule.mnc) {
        (Some(mcc), mnc) => Some(Some(check.network(at, mcc, mnc.as_deref())?)),
        (None, None) => Some(None),
        (None, Some(_)) => {
            check.refuse(&format!("{at}/mcc"), Code::InvalidRequest, "an MNC needs its MCC");
            None
        }
    };
    let mut amount = |name: &str, text: Option<&str>, default: i64| {
        text.map_or(Some(Micros::new(default)), |text| check.price(&format!("{at}/{name}"), text))
    };
    let add = amount("add", rule.add.as_deref(), 0);
    let min = amount("min", rule.min.as_deref(), 0);
    let step = amount("step", rule.step.as_deref(), 1);
    check.that(step != Some(Micros::ZERO), &format!("{at}/step"), "expected more than nothing");
    let margin_permille = rule.margin_permille.unwrap_or(0);
    let good = margin_permille <= MARGIN_PERMILLE_MAX;
    check.that(good, &format!("{at}/margin_permille"), "expected at most 100000");
    Some(PriceRule { network: network?, margin_permille, add: add?, min: min?, step: step? })
}

async fn propose(api: &Api, caller: &Caller, plan: PlanId, ask: &Ask) -> Result<(PriceList, PriceProposal), Problem> {
    let list = super::read(api, caller, Some(plan), ask.at).await?;
    // A list that one pays is not one that one sells by.
    caller.sees(&api.catalogue.get(), list.owner)?;
    let catalogue = api.catalogue.get();
    let costs = Costs::new(&catalogue, &list, ask.at);
    let (mut prices, mut not_comparable) = (Vec::new(), 0);
    for network in costs.networks() {
        let Some(rule) = rule_for(&ask.rules, network) else { continue };
        match costs.of(network) {
            Some((cost, operator)) => {
                let operator = operator.filter(|_| caller.is_house().is_ok());
                prices.extend(proposed(&list, ask, (network, rule), (cost, operator)));
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

fn proposed(
    list: &PriceList,
    ask: &Ask,
    (network, rule): (Network, &PriceRule),
    (cost, operator): (Micros, Option<OperatorId>),
) -> Option<ProposedPrice> {
    let price = rule.price(cost)?;
    // Prices of one class of traffic are made by hand.
    let holds = |t: &&Tariff| t.traffic_class.is_none() && in_force(t.from, t.to, ask.at);
    let at = |place: Network| list.prices.iter().filter(holds).find(|t| t.network == Some(place));
    let own = at(network);
    let old = own.or_else(|| at(network.country()));
    let change = match own.map(|own| own.price.cmp(&price)) {
        None => "new",
        Some(std::cmp::Ordering::Less) => "up",
        Some(std::cmp::Ordering::Greater) => "down",
        Some(std::cmp::Ordering::Equal) => "unchanged",
    };
    Some(ProposedPrice {
        mcc: network.mcc.to_string(),
        mnc: network.mnc.map(|mnc| mnc.to_string()),
        cost: cost.to_string(),
        operator_id: operator.map(|id| id.to_string()),
        old_price: old.map(|old| old.price.to_string()),
        price: price.to_string(),
        margin: Micros::new(price.get().saturating_sub(cost.get())).to_string(),
        change,
        network,
        amount: price,
        charge_on: old.map_or(ask.charge_on, |old| old.charge_on),
    })
}

/// Names prices and what they come from. When they begin belongs to it where the caller said so: `now` moves on.
fn fingerprint(at: DateTime<Utc>, prices: &[ProposedPrice]) -> String {
    let mut hash = Sha256::new();
    hash.update(at.date_naive().to_string());
    for one in prices {
        let old = one.old_price.as_deref().unwrap_or("-");
        hash.update(format!("{} {} {old} {} {};", one.network, one.cost, one.price, one.charge_on.name()));
    }
    crate::hex(&hash.finalize()[..16])
}

/// What a seller pays by.
#[derive(Debug, Clone, Copy)]
enum Own {
    /// The house: what operators ask.
    House,
    /// Its own plan, if it has one.
    Plan(Option<PlanId>),
}

/// What a seller pays for a segment at a moment.
struct Costs<'a> {
    catalogue: &'a Catalogue,
    /// What the seller itself pays by.
    own: Own,
    currency: Currency,
    at: DateTime<Utc>,
}

impl<'a> Costs<'a> {
    fn new(catalogue: &'a Catalogue, list: &PriceList, at: DateTime<Utc>) -> Self {
        let seller = catalogue.accounts.get(&list.owner);
        let own = seller.filter(|seller| seller.parent.is_some()).map_or(Own::House, |seller| Own::Plan(seller.plan));
        Self { catalogue, own, currency: list.currency, at }
    }

    /// Every network that costs something, in order.
    fn networks(&self) -> BTreeSet<Network> {
        match self.own {
            Own::Plan(plan) => {
                let own = self.catalogue.tariffs.keys().filter(|(own, _)| Some(*own) == plan);
                own.filter_map(|(_, network)| *network).collect()
            }
            Own::House => self.catalogue.rates.keys().copied().collect(),
        }
    }

    /// The cheapest cost in the list's currency; the operator, where it is one.
    fn of(&self, network: Network) -> Option<(Micros, Option<OperatorId>)> {
        if let Own::Plan(plan) = self.own {
            let tariff = self.catalogue.tariff(plan?, network, None, self.at)?;
            return (tariff.currency == self.currency).then_some((tariff.price, None));
        }
        let cheapest = crate::reports::cheapest(self.catalogue, network, self.currency, self.at)?;
        Some((cheapest.price, Some(cheapest.operator)))
    }
}
