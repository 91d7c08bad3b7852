//! A price as it is shown.

use chrono::{DateTime, Utc};
use serde::Serialize;
use store::tariffs;
use utoipa::ToSchema;

use crate::numbering::names::Names;

/// One dated price.
#[derive(Serialize, ToSchema)]
pub(super) struct Tariff {
    /// Its id.
    id: String,
    /// In which list.
    plan_id: String,
    /// Mobile country code; null: the default of the plan.
    mcc: Option<String>,
    /// Mobile network code; null: the default of the country.
    mnc: Option<String>,
    #[serde(flatten)]
    names: Names,
    /// For this class of traffic; null: for every class that has no price of its own there.
    traffic_class: Option<String>,
    /// For one segment.
    price: String,
    /// ISO 4217.
    currency: String,
    /// `submit` or `delivered`.
    charge_on: &'static str,
    /// `release` or `capture`: what becomes of the hold without a receipt, where it is taken on delivery.
    on_unconfirmed: &'static str,
    /// From when it holds.
    #[serde(serialize_with = "crate::time::millis")]
    effective_from: DateTime<Utc>,
    /// Until when; null: open.
    #[serde(serialize_with = "crate::time::millis_some")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    effective_to: Option<DateTime<Utc>>,
}

pub(super) fn view(row: &tariffs::Tariff) -> Tariff {
    Tariff {
        id: row.id.to_string(),
        plan_id: row.plan.to_string(),
        mcc: row.network.map(|network| network.mcc.to_string()),
        mnc: row.network.and_then(|network| network.mnc).map(|mnc| mnc.to_string()),
        names: Names::of(row.network),
        traffic_class: row.traffic_class.map(|class| class.to_string()),
        price: row.price.to_string(),
        currency: row.currency.to_string(),
        charge_on: row.charge_on.name(),
        on_unconfirmed: row.on_unconfirmed.name(),
        effective_from: row.from,
        effective_to: row.to,
    }
}
