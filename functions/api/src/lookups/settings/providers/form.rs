//! Providers of look-ups as they are given and shown.

use domain::lookup::{Fields, Provider};
use domain::{Currency, LookupProviderId};
use reqwest::header::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use store::lookups;
use utoipa::ToSchema;

use crate::Api;
use crate::check::Check;
use crate::messages::url_guard;
use crate::problem::{Code, Problem};

/// How long an answer is believed when nothing is said: 30 days.
const LIFETIME_SECONDS: u32 = 30 * 86_400;

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
pub(super) struct CreateLookupProvider {
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

/// What to change of a provider; what is not named stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeLookupProvider {
    /// For people.
    name: Option<String>,
    /// The digits of the number take the place of `{number}`. Another address needs the secret again.
    url: Option<String>,
    /// The header that carries the secret; given together with it.
    header: Option<String>,
    /// Its value; never shown again.
    secret: Option<String>,
    /// Where the facts of an answer stand, all of them.
    #[schema(inline)]
    fields: Option<LookupFields>,
    /// Of several the smallest is asked.
    position: Option<i32>,
    /// How long an answer may take: 50 to 10000.
    timeout_ms: Option<u16>,
    /// How long an answer is believed: 60 to 31536000.
    lifetime_seconds: Option<u32>,
    /// What one look-up costs the house from now on.
    cost: Option<String>,
    /// ISO 4217.
    currency: Option<String>,
}

/// A provider.
#[derive(Serialize, ToSchema)]
pub(super) struct LookupProvider {
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

pub(super) fn view(row: Provider) -> LookupProvider {
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

pub(super) fn read(api: &Api, body: CreateLookupProvider) -> Result<Provider, Problem> {
    let mut check = Check::default();
    let id = LookupProviderId::generate();
    check.label("/name", &body.name, 100);
    url(&mut check, &body.url, api.settings.private_webhooks);
    let secret = secret(&mut check, body.header.as_deref(), body.secret.as_deref());
    fields(&mut check, &body.fields);
    let timeout_ms = body.timeout_ms.unwrap_or(1_000);
    let lifetime_seconds = body.lifetime_seconds.unwrap_or(LIFETIME_SECONDS);
    times(&mut check, timeout_ms, lifetime_seconds);
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

/// The provider with the changes of `body`.
pub(super) fn changed(api: &Api, old: &Provider, body: ChangeLookupProvider) -> Result<Provider, Problem> {
    let mut check = Check::default();
    let mut new = old.clone();
    if let Some(name) = body.name {
        check.label("/name", &name, 100);
        name.trim().clone_into(&mut new.name);
    }
    if let Some(address) = body.url {
        url(&mut check, &address, api.settings.private_webhooks);
        let keeps_secret = old.secret_sealed.is_some() && body.secret.is_none();
        check.that(address == old.url || !keeps_secret, "/secret", "another address needs the secret again");
        new.url = address;
    }
    let secret = secret(&mut check, body.header.as_deref(), body.secret.as_deref());
    if let Some(given) = &body.fields {
        fields(&mut check, given);
        let LookupFields { network, mcc, mnc, ported, reachable } = given.clone();
        new.fields = Fields { network, mcc, mnc, ported, reachable };
    }
    new.position = body.position.unwrap_or(old.position);
    new.timeout_ms = body.timeout_ms.unwrap_or(old.timeout_ms);
    new.lifetime_seconds = body.lifetime_seconds.unwrap_or(old.lifetime_seconds);
    times(&mut check, new.timeout_ms, new.lifetime_seconds);
    let cost = body.cost.as_deref().and_then(|cost| check.price("/cost", cost));
    new.cost = cost.unwrap_or(old.cost);
    new.currency = check.parse_some("/currency", body.currency.as_deref()).unwrap_or(old.currency);
    check.finish()?;
    if let Some(secret) = secret {
        let sealed = api.keys.seal(secret.as_bytes(), &lookups::secret_place(old.id)).map_err(Problem::internal)?;
        (new.header, new.secret_sealed) = (body.header, Some(sealed));
    }
    Ok(new)
}

fn times(check: &mut Check, timeout_ms: u16, lifetime_seconds: u32) {
    check.that((50..=10_000).contains(&timeout_ms), "/timeout_ms", "expected 50 to 10000");
    check.that((60..=31_536_000).contains(&lifetime_seconds), "/lifetime_seconds", "expected 60 to 31536000");
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
