//! Look-ups of numbers: `GET /v1/lookups/{number}`, before messages are priced, and their settings.
//!
//! An override of a number goes before every look-up, and a look-up before every prefix. What a provider is asked is
//! bounded in time and number; where it does not answer, the prefix decides.

mod ask;
mod provider;
mod settings;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use domain::lookup::Policy;
use domain::world::world;
use domain::{AccountId, Network, Number};
use serde::Serialize;
use store::lookups::Answer;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::auth::{Caller, Scope, keys};
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

pub use ask::LookedUp;
pub(crate) use ask::Lookups;

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(look_up)).merge(settings::routes())
}

/// What a look-up cost.
#[derive(Serialize, ToSchema)]
struct LookupPrice {
    /// Zero unless a provider was asked.
    #[schema(example = "0.01")]
    total: String,
    /// ISO 4217.
    #[schema(example = "UZS")]
    currency: String,
}

/// What is known of a number.
#[derive(Serialize, ToSchema)]
struct Lookup {
    /// In the form of E.164.
    #[schema(example = "+998931234567")]
    number: String,
    /// Mobile country code; null: no country has its calling code.
    #[schema(example = "434")]
    mcc: Option<String>,
    /// Mobile network code; null: only the country is known.
    #[schema(example = "04")]
    mnc: Option<String>,
    /// How the network is called.
    #[schema(example = "Beeline")]
    network: Option<&'static str>,
    /// ISO 3166-1 alpha-2.
    #[schema(example = "UZ")]
    country: Option<&'static str>,
    /// In English.
    #[schema(example = "Uzbekistan")]
    country_name: Option<&'static str>,
    /// It moved from the network that its prefix belongs to; null: nobody knows.
    ported: Option<bool>,
    /// Its handset can be reached; null: nobody was asked.
    reachable: Option<bool>,
    /// Who says so: `override`, `provider`, `cache` (a provider, before) or `prefix`.
    #[schema(example = "provider")]
    source: &'static str,
    /// When a provider was asked.
    #[serde(serialize_with = "crate::time::millis_some")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    looked_up_at: Option<DateTime<Utc>>,
    /// How long its answer is believed.
    #[serde(serialize_with = "crate::time::millis_some")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    expires_at: Option<DateTime<Utc>>,
    /// What this look-up cost your account.
    price: LookupPrice,
}

/// Look a number up.
///
/// As the policy of your account says: an override first; then what a provider answered before (`cached`, `always`); then a
/// provider (`always`), which costs what was agreed; then the prefix. Where the provider does not answer in time, the
/// prefix decides and nothing is charged.
#[utoipa::path(get, path = "/v1/lookups/{number}", tag = "numbering",
    params(("number" = String, Path, description = "With the country code")),
    responses((status = 200, body = Lookup), Refusals))]
async fn look_up(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(number): Path<String>,
) -> Result<Json<Lookup>, Problem> {
    caller.may(Scope::MessagesWrite)?;
    let number =
        Number::parse(&number).map_err(|error| Problem::field("/number", Code::InvalidNumber, error.to_string()))?;
    let known = Known::of(&api, caller.account, number)?;
    if let Some(network) = known.moved {
        return Ok(Json(known.view(number, Some(network), ("override", None), domain::Micros::ZERO)));
    }
    let found = api.lookups.one(&api, (caller.account, keys::capped(&api, caller.actor)), number).await?;
    Ok(Json(match found {
        Some((answer, source, price)) => known.view(number, Some(answer.network), (source, Some(answer)), price),
        None => known.view(number, known.by_prefix, ("prefix", None), domain::Micros::ZERO),
    }))
}

/// What this process knows of a number without asking anybody.
struct Known {
    moved: Option<Network>,
    by_prefix: Option<Network>,
    currency: domain::Currency,
}

impl Known {
    fn of(api: &Api, account: AccountId, number: Number) -> Result<Self, Problem> {
        let catalogue = api.catalogue.get();
        let own = catalogue.accounts.get(&account).ok_or_else(Problem::not_found)?;
        if catalogue.above(account).iter().any(|id| catalogue.accounts.get(id).is_none_or(|one| one.suspended)) {
            return Err(Problem::new(Code::AccountSuspended, "the account, or one above it, is suspended"));
        }
        Ok(Self {
            moved: catalogue.overrides.get(number.value()),
            by_prefix: catalogue.network_by_prefix(number),
            currency: own.currency,
        })
    }

    fn view(
        &self,
        number: Number,
        network: Option<Network>,
        (source, answer): (&'static str, Option<Answer>),
        price: domain::Micros,
    ) -> Lookup {
        let country = network.and_then(|network| world().country(network.mcc));
        let moved = network.zip(self.by_prefix).map(|(is, was)| is != was && was.mnc.is_some());
        let ported = if source == "prefix" { None } else { answer.and_then(|answer| answer.ported).or(moved) };
        Lookup {
            number: number.e164(),
            mcc: network.map(|network| network.mcc.to_string()),
            mnc: network.and_then(|network| network.mnc).map(|mnc| mnc.to_string()),
            network: network.and_then(|network| world().name(network)),
            country: country.map(|country| country.iso),
            country_name: country.map(|country| country.name),
            ported,
            reachable: answer.and_then(|answer| answer.reachable),
            source,
            looked_up_at: answer.map(|answer| answer.looked_up_at),
            expires_at: answer.map(|answer| answer.expires_at),
            price: LookupPrice { total: price.to_string(), currency: self.currency.to_string() },
        }
    }
}

/// Is anything looked up for `account` at all?
fn policy(api: &Api, account: AccountId) -> Policy {
    api.catalogue.get().lookup_policy(account)
}
