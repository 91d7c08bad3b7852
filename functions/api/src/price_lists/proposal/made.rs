//! Prices that were made: one for a network, or for a class of traffic to it.

use chrono::{DateTime, Utc};
use domain::price_rule::PriceRule;
use domain::tariff::{ChargeOn, OnUnconfirmed, in_force};
use domain::{Micros, Network, OperatorId, TrafficClass};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use store::price_lists::PriceList;
use store::tariffs::Tariff;
use utoipa::ToSchema;

use super::ask::Ask;
use super::costs::Traffic;

/// Prices made from costs.
#[derive(Serialize, ToSchema)]
pub(super) struct PriceProposal {
    /// In which list.
    pub(super) plan_id: String,
    /// The currency of its prices.
    pub(super) currency: String,
    /// From when they would hold.
    #[serde(serialize_with = "crate::time::millis")]
    pub(super) effective_from: DateTime<Utc>,
    /// Names exactly these prices; give it to publish them.
    pub(super) fingerprint: String,
    /// Networks and classes whose cost is in another currency only: they have no proposal.
    pub(super) not_comparable: usize,
    /// One for each network that a rule is for and that has a cost, and one for each class of traffic that has a cost or a
    /// price of its own there.
    #[schema(inline)]
    pub(super) prices: Vec<ProposedPrice>,
}

/// One price.
#[derive(Serialize, ToSchema)]
pub(super) struct ProposedPrice {
    /// Mobile country code.
    pub(super) mcc: String,
    /// Mobile network code; null: the default of the country.
    pub(super) mnc: Option<String>,
    /// For this class of traffic; null: for every class without a price of its own.
    pub(super) traffic_class: Option<String>,
    /// What a segment costs the seller: the cheapest operator, or what a reseller pays itself.
    pub(super) cost: String,
    /// The cheapest operator; for the house only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) operator_id: Option<String>,
    /// What it is sold for at that time otherwise; null: not at all.
    pub(super) old_price: Option<String>,
    /// What it is sold for then.
    pub(super) price: String,
    /// Price less cost.
    pub(super) margin: String,
    /// `new`, `up`, `down` or `unchanged`; what is unchanged is not published.
    pub(super) change: &'static str,
    #[serde(skip)]
    pub(super) network: Network,
    #[serde(skip)]
    pub(super) class: Option<TrafficClass>,
    #[serde(skip)]
    pub(super) amount: Micros,
    #[serde(skip)]
    pub(super) charge_on: ChargeOn,
    #[serde(skip)]
    pub(super) on_unconfirmed: OnUnconfirmed,
}

/// The price of one place by its rule. `None`: beyond the range of an amount.
pub(super) fn proposed(
    list: &PriceList,
    ask: &Ask,
    (traffic, rule): (Traffic, &PriceRule),
    (cost, operator): (Micros, Option<OperatorId>),
) -> Option<ProposedPrice> {
    let price = rule.price(cost)?;
    let (network, class) = traffic;
    let own = own(list, Some(network), class, ask.at);
    let change = match own.map(|own| own.price.cmp(&price)) {
        None => "new",
        Some(std::cmp::Ordering::Less) => "up",
        Some(std::cmp::Ordering::Greater) => "down",
        Some(std::cmp::Ordering::Equal) => "unchanged",
    };
    let old = own.or_else(|| otherwise(list, traffic, ask.at));
    Some(ProposedPrice {
        mcc: network.mcc.to_string(),
        mnc: network.mnc.map(|mnc| mnc.to_string()),
        traffic_class: class.map(|class| class.to_string()),
        cost: cost.to_string(),
        operator_id: operator.map(|id| id.to_string()),
        old_price: old.map(|old| old.price.to_string()),
        price: price.to_string(),
        margin: Micros::new(price.get().saturating_sub(cost.get())).to_string(),
        change,
        network,
        class,
        amount: price,
        charge_on: old.map_or(ask.charge_on, |old| old.charge_on),
        on_unconfirmed: old.map_or_else(OnUnconfirmed::default, |old| old.on_unconfirmed),
    })
}

/// The price of exactly this place and class.
fn own(list: &PriceList, place: Option<Network>, class: Option<TrafficClass>, at: DateTime<Utc>) -> Option<&Tariff> {
    let mut own = list.prices.iter().filter(|t| t.network == place && t.traffic_class == class);
    own.find(|t| in_force(t.from, t.to, at))
}

/// The price that holds where there is none of its own: for the network, its country, or anywhere; at each place that of the
/// class first.
fn otherwise(list: &PriceList, (network, class): Traffic, at: DateTime<Utc>) -> Option<&Tariff> {
    let places = [Some(network), Some(network.country()), None];
    places.into_iter().find_map(|place| {
        let of_class = class.and_then(|class| own(list, place, Some(class), at));
        of_class.or_else(|| own(list, place, None, at))
    })
}

/// Names prices and what they come from. When they begin belongs to it where the caller said so: `now` moves on.
pub(super) fn fingerprint(at: DateTime<Utc>, prices: &[ProposedPrice]) -> String {
    let mut hash = Sha256::new();
    hash.update(at.date_naive().to_string());
    for one in prices {
        let old = one.old_price.as_deref().unwrap_or("-");
        let class = one.traffic_class.as_deref().unwrap_or("-");
        hash.update(format!("{} {class} {} {old} {} {};", one.network, one.cost, one.price, one.charge_on.name()));
    }
    crate::hex(&hash.finalize()[..16])
}
