//! `/v1/lookup-providers`: who is asked, the house only; `/v1/accounts/{id}/lookups`: for whom, and at what price.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use domain::lookup::{Fields, Policy, Provider, Terms};
use domain::{AccountId, Currency, LookupProviderId, Micros};
use http::StatusCode;
use reqwest::header::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::lookups;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::{Change, found};
use crate::check::Check;
use crate::list::{List, path_id};
use crate::messages::url_guard;
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

/// How long an answer is believed when nothing is said: 30 days.
const LIFETIME_SECONDS: u32 = 30 * 86_400;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(create_provider))
        .routes(routes!(list_providers))
        .routes(routes!(delete_provider))
        .routes(routes!(get_terms))
        .routes(routes!(put_terms))
}

/// Where the facts of an answer stand: JSON pointers (RFC 6901).
#[derive(Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LookupFields {
    /// MCC and MNC in one.
    #[schema(example = "/data/0/mccmnc")]
    network: Option<String>,
    /// The MCC, where it stands alone.
    mcc: Option<String>,
    /// The MNC, where it stands alone.
    mnc: Option<String>,
    /// Whether the number moved.
    #[schema(example = "/data/0/ported")]
    ported: Option<String>,
    /// Whether its handset can be reached.
    reachable: Option<String>,
}

/// A provider to ask.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateLookupProvider {
    /// For people.
    #[schema(example = "Central portability database")]
    name: String,
    /// The digits of the number take the place of `{number}`.
    #[schema(example = "https://mnp.example.com/v1/{number}")]
    url: String,
    /// The header that carries the secret.
    #[schema(example = "Authorization")]
    header: Option<String>,
    /// Its value; never shown again.
    #[schema(example = "Bearer 4f1c")]
    secret: Option<String>,
    /// Where the facts of an answer stand.
    #[schema(inline)]
    fields: LookupFields,
    /// Of several the smallest is asked; 100 when nothing is said.
    position: Option<i32>,
    /// How long an answer may take: 50 to 10000, 1000 when nothing is said.
    timeout_ms: Option<u16>,
    /// How long an answer is believed: 60 to 31536000, 30 days when nothing is said.
    lifetime_seconds: Option<u32>,
    /// What one look-up costs the house.
    #[schema(example = "0.002")]
    cost: String,
    /// ISO 4217.
    #[schema(example = "EUR")]
    currency: String,
}

/// A provider.
#[derive(Serialize, ToSchema)]
struct LookupProvider {
    /// Its id.
    id: String,
    /// For people.
    name: String,
    /// Where it is asked.
    url: String,
    /// The header that carries the secret.
    header: Option<String>,
    /// Whether there is one.
    has_secret: bool,
    /// Where the facts of an answer stand.
    fields: LookupFields,
    /// Of several the smallest is asked.
    position: i32,
    /// How long an answer may take.
    timeout_ms: u16,
    /// How long an answer is believed.
    lifetime_seconds: u32,
    /// What one look-up costs the house.
    cost: String,
    /// ISO 4217.
    currency: String,
}

/// What is looked up for an account.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LookupTerms {
    /// `never`, `cached` or `always`; null: that of the account above, and `never` where nobody says anything.
    #[schema(example = "always")]
    policy: Option<String>,
    /// What the account pays its seller for a look-up that a provider answers; zero: the seller absorbs it.
    #[schema(example = "0.01")]
    price: Option<String>,
}

/// What is looked up for an account, and what follows from it.
#[derive(Serialize, ToSchema)]
struct AccountLookups {
    /// As it was agreed; null: that of the account above.
    policy: Option<&'static str>,
    /// The policy that is in force.
    in_force: &'static str,
    /// What the account pays its seller for a look-up.
    price: String,
    /// The currency of its wallet.
    currency: String,
}

fn view(row: Provider) -> LookupProvider {
    let Fields { network, mcc, mnc, ported, reachable } = row.fields;
    LookupProvider {
        id: row.id.to_string(),
        name: row.name,
        url: row.url,
        has_secret: row.secret_sealed.is_some(),
        header: row.header,
        fields: LookupFields { network, mcc, mnc, ported, reachable },
        position: row.position,
        timeout_ms: row.timeout_ms,
        lifetime_seconds: row.lifetime_seconds,
        cost: row.cost.to_string(),
        currency: row.currency.to_string(),
    }
}

fn read(api: &Api, body: CreateLookupProvider) -> Result<Provider, Problem> {
    let mut check = Check::default();
    let id = LookupProviderId::generate();
    check.label("/name", &body.name, 100);
    url(&mut check, &body.url, api.settings.private_webhooks);
    let secret = secret(&mut check, body.header.as_deref(), body.secret.as_deref());
    fields(&mut check, &body.fields);
    let timeout_ms = body.timeout_ms.unwrap_or(1_000);
    check.that((50..=10_000).contains(&timeout_ms), "/timeout_ms", "expected 50 to 10000");
    let lifetime_seconds = body.lifetime_seconds.unwrap_or(LIFETIME_SECONDS);
    check.that((60..=31_536_000).contains(&lifetime_seconds), "/lifetime_seconds", "expected 60 to 31536000");
    let cost = check.price("/cost", &body.cost);
    let currency: Option<Currency> = check.parse("/currency", &body.currency);
    let (cost, currency) = check.finish_with(cost.zip(currency))?;
    let sealed = secret.map(|secret| api.keys.seal(secret.as_bytes(), &lookups::secret_place(id)));
    let LookupFields { network, mcc, mnc, ported, reachable } = body.fields;
    Ok(Provider {
        id,
        name: body.name.trim().to_owned(),
        position: body.position.unwrap_or(100),
        url: body.url,
        header: body.header,
        secret_sealed: sealed.transpose().map_err(Problem::internal)?,
        fields: Fields { network, mcc, mnc, ported, reachable },
        timeout_ms,
        lifetime_seconds,
        cost,
        currency,
    })
}

fn url(check: &mut Check, url: &str, private_allowed: bool) {
    check.that(url.contains("{number}"), "/url", "expected {number} where the digits of the number go");
    let example = url.replace("{number}", "998901234567");
    if let Err(detail) = url_guard::check(&example, private_allowed) {
        check.refuse("/url", Code::InvalidRequest, detail);
    }
}

fn secret<'a>(check: &mut Check, header: Option<&str>, secret: Option<&'a str>) -> Option<&'a str> {
    check.that(header.is_some() == secret.is_some(), "/secret", "expected header and secret together, or neither");
    check.that(
        header.is_none_or(|name| name.parse::<HeaderName>().is_ok()),
        "/header",
        "expected the name of a header",
    );
    let good = secret.is_none_or(|value| value.len() <= 4_096 && HeaderValue::from_str(value).is_ok());
    check.that(good, "/secret", "expected a value of a header");
    secret
}

fn fields(check: &mut Check, fields: &LookupFields) {
    let LookupFields { network, mcc, mnc, ported, reachable } = fields;
    let named = network.is_some() != mcc.is_some() && (mcc.is_some() || mnc.is_none());
    check.that(named, "/fields", "expected network, or mcc and mnc");
    let all = [("network", network), ("mcc", mcc), ("mnc", mnc), ("ported", ported), ("reachable", reachable)];
    for (name, pointer) in all {
        let good = pointer.as_deref().is_none_or(|pointer| pointer.starts_with('/') && pointer.len() <= 200);
        check.that(good, &format!("/fields/{name}"), "expected a JSON pointer such as /data/0/mccmnc");
    }
}

/// Add a provider of look-ups.
#[utoipa::path(post, path = "/v1/lookup-providers", tag = "numbering", request_body = CreateLookupProvider,
    responses((status = 201, body = LookupProvider), Refusals))]
async fn create_provider(
    State(api): State<Arc<Api>>,
    caller: Caller,
    raw: Raw,
) -> Result<(StatusCode, Json<LookupProvider>), Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let new = read(&api, raw.parse()?)?;
    let mut tx = api.db.begin().await?;
    lookups::create_provider(&mut tx, &new).await?;
    let detail =
        json!({"name": new.name, "url": new.url, "cost": new.cost.to_string(), "currency": new.currency.to_string()});
    let change =
        Change { account: caller.account, action: "lookup_provider.create", subject: new.id.to_string(), detail };
    api.commit(tx, &caller, change).await?;
    Ok((StatusCode::CREATED, Json(view(new))))
}

/// List the providers of look-ups, in the order in which they are asked.
#[utoipa::path(get, path = "/v1/lookup-providers", tag = "numbering",
    responses((status = 200, body = List<LookupProvider>), Refusals))]
async fn list_providers(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<List<LookupProvider>>, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_house()?;
    let mut tx = api.db.begin().await?;
    let data = lookups::providers(&mut tx).await?.into_iter().map(view).collect();
    Ok(Json(List { data, has_more: false, next_cursor: None }))
}

/// Take a provider out of use.
#[utoipa::path(delete, path = "/v1/lookup-providers/{id}", tag = "numbering",
    params(("id" = String, Path, description = "`lkp_…`")), responses((status = 204), Refusals))]
async fn delete_provider(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let id: LookupProviderId = path_id(&id)?;
    let mut tx = api.db.begin().await?;
    found(lookups::delete_provider(&mut tx, id).await?)?;
    let (account, subject) = (caller.account, id.to_string());
    api.commit(tx, &caller, Change { account, action: "lookup_provider.delete", subject, detail: json!({}) }).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn show(api: &Api, account: AccountId) -> Result<Json<AccountLookups>, Problem> {
    let catalogue = api.catalogue.get();
    let own = catalogue.accounts.get(&account).ok_or_else(Problem::not_found)?;
    let terms = catalogue.lookups.get(&account).copied().unwrap_or_default();
    Ok(Json(AccountLookups {
        policy: terms.policy.map(Policy::name),
        in_force: catalogue.lookup_policy(account).name(),
        price: terms.price.to_string(),
        currency: own.currency.to_string(),
    }))
}

/// Read what is looked up for an account, and at what price.
#[utoipa::path(get, path = "/v1/accounts/{id}/lookups", tag = "numbering",
    params(("id" = String, Path, description = "`acc_…`")), responses((status = 200, body = AccountLookups), Refusals))]
async fn get_terms(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<AccountLookups>, Problem> {
    caller.may(Scope::AccountRead)?;
    let account: AccountId = path_id(&id)?;
    caller.sees(&api.catalogue.get(), account)?;
    show(&api, account)
}

/// Agree with an account below your own what is looked up for it, and at what price. The house may do so for itself, too.
#[utoipa::path(put, path = "/v1/accounts/{id}/lookups", tag = "numbering", request_body = LookupTerms,
    params(("id" = String, Path, description = "`acc_…`")), responses((status = 200, body = AccountLookups), Refusals))]
async fn put_terms(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    raw: Raw,
) -> Result<Json<AccountLookups>, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_seller()?;
    let account: AccountId = path_id(&id)?;
    caller.sees(&api.catalogue.get(), account)?;
    if account == caller.account && caller.is_house().is_err() {
        return Err(Problem::new(Code::Forbidden, "nobody but a seller above agrees with an account"));
    }
    let body: LookupTerms = raw.parse()?;
    let mut check = Check::default();
    let policy: Option<Policy> = check.parse_some("/policy", body.policy.as_deref());
    let price = body.price.as_deref().map_or(Some(Micros::ZERO), |price| check.price("/price", price));
    let price = check.finish_with(price)?;
    let mut tx = api.db.begin().await?;
    found(lookups::put_terms(&mut tx, caller.account, account, Terms { policy, price }).await?)?;
    let detail = json!({"policy": body.policy, "price": price.to_string()});
    let change = Change { account, action: "lookups.put", subject: account.to_string(), detail };
    api.commit(tx, &caller, change).await?;
    show(&api, account)
}
