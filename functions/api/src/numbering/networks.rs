//! `GET /v1/networks` and `GET /v1/countries`: the world's list, for everybody who has a key.

use std::sync::Arc;

use axum::Json;
use domain::Network;
use domain::network::Mcc;
use domain::world::{Country as CountryRow, Named, world};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::auth::{Caller, Scope};
use crate::check::Check;
use crate::list::{List, Query, limit_of};
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

/// Characters of a name that is looked for.
const NAME_MAX: usize = 60;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(list_networks)).routes(routes!(list_countries))
}

/// A network of the world's list.
#[derive(Serialize, ToSchema)]
struct NetworkEntry {
    /// Mobile country code.
    #[schema(example = "434")]
    mcc: String,
    /// Mobile network code.
    #[schema(example = "05")]
    mnc: String,
    /// The brand.
    #[schema(example = "Ucell")]
    name: String,
    /// ISO 3166-1 alpha-2; empty for international networks.
    #[schema(example = "UZ")]
    country: &'static str,
    /// In English.
    #[schema(example = "Uzbekistan")]
    country_name: &'static str,
}

/// A country of the world's list.
#[derive(Serialize, ToSchema)]
struct CountryEntry {
    /// ISO 3166-1 alpha-2; empty for international networks.
    #[schema(example = "UZ")]
    country: &'static str,
    /// In English.
    #[schema(example = "Uzbekistan")]
    name: &'static str,
    /// Mobile country codes; prefixes lead to the first.
    #[schema(example = json!(["434"]))]
    mccs: Vec<String>,
    /// Empty for international networks, which have several.
    #[schema(example = "998")]
    calling_code: &'static str,
}

/// Which networks.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filters {
    /// Of this mobile country code.
    mcc: Option<String>,
    /// Of this country (ISO 3166-1 alpha-2).
    country: Option<String>,
    /// Whose name holds this, whatever the case.
    name: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 1000; 50 when nothing is said.
    limit: Option<String>,
}

fn view(row: Named) -> NetworkEntry {
    let country = world().country(row.network.mcc);
    NetworkEntry {
        mcc: row.network.mcc.to_string(),
        mnc: row.network.mnc.map_or_else(String::new, |mnc| mnc.to_string()),
        name: row.name.to_owned(),
        country: country.map_or("", |country| country.iso),
        country_name: country.map_or("", |country| country.name),
    }
}

/// List the world's mobile networks, in order of MCC and MNC.
#[utoipa::path(get, path = "/v1/networks", tag = "numbering", params(Filters),
    responses((status = 200, body = List<NetworkEntry>), Refusals))]
async fn list_networks(caller: Caller, Query(query): Query<Filters>) -> Result<Json<List<NetworkEntry>>, Problem> {
    caller.may(Scope::AccountRead)?;
    let mut check = Check::default();
    let mcc: Option<Mcc> = check.parse_some("/mcc", query.mcc.as_deref());
    let country = query.country.as_deref().and_then(|iso| country_of(&mut check, iso));
    let name = query.name.unwrap_or_default();
    check.that(name.chars().count() <= NAME_MAX, "/name", "expected at most 60 characters");
    let after = query.cursor.as_deref().and_then(|cursor| {
        let read = cursor.parse::<Network>().map_err(|_| "expected next_cursor of the page before");
        check.value("/cursor", Code::InvalidRequest, read)
    });
    let limit = limit_of(&mut check, query.limit.as_deref());
    check.finish()?;
    let name = name.to_lowercase();
    let fits = |row: &&Named| {
        after.is_none_or(|after| row.network > after)
            && mcc.is_none_or(|mcc| row.network.mcc == mcc)
            && country.is_none_or(|country| country.mccs.contains(&row.network.mcc))
            && (name.is_empty() || row.name.to_lowercase().contains(&name))
    };
    let mut rows: Vec<Named> = world().networks().iter().filter(fits).take(usize::from(limit) + 1).copied().collect();
    let has_more = rows.len() > usize::from(limit);
    rows.truncate(usize::from(limit));
    let next_cursor = rows.last().filter(|_| has_more).map(|row| row.network.to_string());
    Ok(Json(List { data: rows.into_iter().map(view).collect(), has_more, next_cursor }))
}

fn country_of(check: &mut Check, iso: &str) -> Option<&'static CountryRow> {
    let found = world().countries().iter().find(|country| !iso.is_empty() && country.iso.eq_ignore_ascii_case(iso));
    check.value("/country", Code::InvalidRequest, found.ok_or("expected the two letters of a country (ISO 3166-1)"))
}

/// List the world's countries with their codes, in order of their letters.
#[utoipa::path(get, path = "/v1/countries", tag = "numbering",
    responses((status = 200, body = List<CountryEntry>), Refusals))]
async fn list_countries(caller: Caller) -> Result<Json<List<CountryEntry>>, Problem> {
    caller.may(Scope::AccountRead)?;
    let entry = |row: &CountryRow| CountryEntry {
        country: row.iso,
        name: row.name,
        mccs: row.mccs.iter().map(ToString::to_string).collect(),
        calling_code: row.calling_code,
    };
    let data = world().countries().iter().map(entry).collect();
    Ok(Json(List { data, has_more: false, next_cursor: None }))
}
