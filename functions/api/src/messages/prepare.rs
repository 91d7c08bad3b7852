//! From a request to a message that only its wallet can still refuse. Pure: catalogue and clock are arguments.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use contract::Encoding;
use domain::catalogue::PriceError;
use domain::tariff::Chain;
use domain::{AccountId, Catalogue, MessageId, Micros, Network, Number, Private, Sender, TrafficClass};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use smpp::text;
use store::accept::NewMessage;
use utoipa::ToSchema;

use super::url_guard;
use crate::check::Check;
use crate::lookups::LookedUp;
use crate::problem::{Code, FieldError};

/// How long a message may take when nothing is said: a day.
const VALIDITY_SECONDS: i64 = 86_400;
/// Shortest and longest validity: a minute and a week.
const VALIDITY_BOUNDS: std::ops::RangeInclusive<i64> = 60..=604_800;
/// How far ahead a message can be scheduled. With a day of validity it is still within the reach of receipts.
pub(crate) const SCHEDULE_MAX: TimeDelta = TimeDelta::days(7);
/// A time of delivery that is over by less than this means now: clocks differ.
pub(crate) const SCHEDULE_SLACK: TimeDelta = TimeDelta::hours(1);
/// Characters of a customer's reference.
const REFERENCE_MAX: usize = 128;
/// Entries of a customer's metadata.
const METADATA_KEYS_MAX: usize = 20;
/// Characters of a key of it.
const METADATA_KEY_MAX: usize = 40;
/// Characters of a value of it.
const METADATA_VALUE_MAX: usize = 500;

/// A message to send.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendRequest {
    /// The recipient: digits with the country code, behind an optional `+` or `00`.
    #[schema(example = "+998901234567")]
    pub to: String,
    /// The sender ID: a name of up to 11 characters or up to 15 digits, approved for the account.
    #[schema(example = "TestCompany")]
    pub from: String,
    /// What it says. The encoding (GSM 7-bit or UCS-2) and the number of segments follow from it.
    #[schema(value_type = String, example = "Your code is 4711")]
    pub text: Private,
    /// Your own reference, up to 128 characters; lists can be filtered by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "order-17")]
    pub client_reference: Option<String>,
    /// What kind of traffic it is, as agreed with your provider: a lower-case name of up to 40 characters. Prices and
    /// routes can depend on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "otp")]
    pub traffic_class: Option<String>,
    /// The name of the template that the text was made of: up to 64 characters of a-z, 0-9, `-`, `_` and `.`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "login-code.v2")]
    pub template: Option<String>,
    /// Seconds after which the message is given up: 60 to 604800, a day when nothing is said. With `send_at` at most
    /// a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 3600)]
    pub validity_seconds: Option<i64>,
    /// Sent at this time and not before: at most seven days ahead. The validity begins then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "2027-01-31T12:00:00Z")]
    pub send_at: Option<String>,
    /// Where events of this message are posted: http or https.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "https://example.com/events")]
    pub status_url: Option<String>,
    /// Refuse the message when it would cost more than this in total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "200.00")]
    pub max_price: Option<String>,
    /// Up to 20 values of your own: strings, numbers, booleans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, additional_properties)]
    pub metadata: Option<Map<String, Value>>,
}

/// What a preparation reads besides the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// Now, to the millisecond.
    pub now: DateTime<Utc>,
    /// May events go to private addresses? For machines of one's own.
    pub private_urls: bool,
    /// What was looked up for this message.
    pub looked_up: &'a LookedUp,
}

/// Makes a message of `account` from `request`, or says everything that is wrong with it.
///
/// # Errors
/// Every wrong field, with its JSON pointer.
pub fn prepare(
    catalogue: &Catalogue,
    account: AccountId,
    request: SendRequest,
    terms: Terms<'_>,
) -> Result<NewMessage, Vec<FieldError>> {
    let mut check = Check::default();
    let to = check.value("/to", Code::InvalidNumber, Number::parse(&request.to));
    let from = check.value("/from", Code::InvalidSender, Sender::parse(&request.from));
    let counted = count(&mut check, request.text.expose());
    let max_price = request.max_price.as_deref().and_then(|price| check.limit("/max_price", price));
    let validity = validity(&mut check, request.validity_seconds, request.send_at.is_some());
    let scheduled_at = send_at(&mut check, request.send_at.as_deref(), terms.now);
    let status_url = request
        .status_url
        .as_deref()
        .and_then(|url| check.value("/status_url", Code::InvalidRequest, url_guard::check(url, terms.private_urls)));
    let traffic_class = check.parse_some("/traffic_class", request.traffic_class.as_deref());
    let template = check.parse_some("/template", request.template.as_deref());
    reference(&mut check, request.client_reference.as_deref());
    metadata(&mut check, request.metadata.as_ref());
    if let Some(from) = &from
        && !catalogue.sender_allowed(account, from)
    {
        check.refuse("/from", Code::SenderNotAllowed, "the sender ID is not approved for this account");
    }
    let want = |to| {
        let network = catalogue.network_of(to, terms.looked_up.network(account, to));
        Priced { account, network, class: traffic_class, at: terms.now }
    };
    let priced = to.and_then(|to| price(&mut check, catalogue, want(to)));
    if let (Some((_, chain)), Some((_, segments)), Some(max)) = (&priced, counted, max_price) {
        below(&mut check, chain, segments, max);
    }
    let clean = check.is_clean();
    match (to, from, counted, priced) {
        (Some(to), Some(from), Some((encoding, segments)), Some((mcc_mnc, chain))) if clean => Ok(NewMessage {
            id: MessageId::generate(),
            account_id: account,
            to,
            from,
            text: request.text,
            encoding,
            segments,
            mcc_mnc,
            traffic_class,
            template,
            chain: Arc::new(chain),
            client_reference: request.client_reference,
            status_url,
            metadata: request.metadata.map(Value::Object),
            expires_at: scheduled_at.unwrap_or(terms.now) + validity,
            scheduled_at,
            created_at: terms.now,
            capped_key: None,
            smpp: None,
        }),
        _ => Err(foremost(check.into_errors())),
    }
}

/// A suspended account has one thing to hear; what else is wrong does not matter then.
fn foremost(mut errors: Vec<FieldError>) -> Vec<FieldError> {
    if errors.iter().any(|error| error.code == Code::AccountSuspended) {
        errors.retain(|error| error.code == Code::AccountSuspended);
    }
    errors
}

fn count(check: &mut Check, body: &str) -> Option<(Encoding, u8)> {
    if body.is_empty() {
        check.refuse("/text", Code::EmptyText, "a message has at least one character");
        return None;
    }
    if body.contains('\0') {
        check.refuse("/text", Code::InvalidRequest, "a text cannot hold the character U+0000");
        return None;
    }
    let count = text::count(body);
    let encoding = match count.encoding {
        text::Encoding::Gsm7 => Encoding::Gsm7,
        text::Encoding::Ucs2 => Encoding::Ucs2,
        text::Encoding::Latin1 => Encoding::Latin1,
    };
    let segments = u8::try_from(count.segments).ok().filter(|n| usize::from(*n) <= text::PARTS_MAX);
    if segments.is_none() {
        let detail = format!("the text needs {} segments; a message has at most {}", count.segments, text::PARTS_MAX);
        check.refuse("/text", Code::TextTooLong, detail);
    }
    Some((encoding, segments?))
}

fn validity(check: &mut Check, seconds: Option<i64>, is_scheduled: bool) -> TimeDelta {
    let seconds = seconds.unwrap_or(VALIDITY_SECONDS);
    if is_scheduled {
        let good = (*VALIDITY_BOUNDS.start()..=VALIDITY_SECONDS).contains(&seconds);
        check.that(good, "/validity_seconds", "expected 60 to 86400 seconds with send_at");
    } else {
        check.that(VALIDITY_BOUNDS.contains(&seconds), "/validity_seconds", "expected 60 to 604800 seconds");
    }
    TimeDelta::try_seconds(seconds).unwrap_or_default()
}

/// The time of delivery, where it lies ahead; one that has just passed means now.
fn send_at(check: &mut Check, text: Option<&str>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let at = check.time("/send_at", text)?;
    let good = (now - SCHEDULE_SLACK..=now + SCHEDULE_MAX).contains(&at);
    check.that(good, "/send_at", "expected a time within the next seven days");
    Some(at).filter(|at| *at > now)
}

fn reference(check: &mut Check, reference: Option<&str>) {
    if let Some(reference) = reference {
        check.label("/client_reference", reference, REFERENCE_MAX);
    }
}

fn metadata(check: &mut Check, metadata: Option<&Map<String, Value>>) {
    let Some(metadata) = metadata else { return };
    check.that(metadata.len() <= METADATA_KEYS_MAX, "/metadata", "expected at most 20 entries");
    let short = |text: &str, max: usize| text.chars().count() <= max && !text.contains('\0');
    for (key, value) in metadata.iter().take(METADATA_KEYS_MAX) {
        let good = match value {
            Value::String(text) => short(text, METADATA_VALUE_MAX),
            Value::Number(_) | Value::Bool(_) => true,
            Value::Null | Value::Array(_) | Value::Object(_) => false,
        };
        if !good || !short(key, METADATA_KEY_MAX) {
            let detail = "expected keys of up to 40 characters, and strings of up to 500, numbers or booleans";
            check.refuse("/metadata", Code::InvalidRequest, detail);
            return;
        }
    }
}

fn price(check: &mut Check, catalogue: &Catalogue, what: Priced) -> Option<(Network, Chain)> {
    let priced = price_of(catalogue, what);
    priced
        .map_err(|code| match code {
            Code::AccountSuspended => {
                check.refuse("", code, "the account, or one above it, is suspended");
            }
            _ => check.refuse("/to", code, "no price is in force for the network of this number"),
        })
        .ok()
}

/// What a price depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Priced {
    /// Who sends.
    pub(crate) account: AccountId,
    /// Where to; `None`: no country has the calling code.
    pub(crate) network: Option<Network>,
    /// What kind of traffic.
    pub(crate) class: Option<TrafficClass>,
    /// When it is accepted.
    pub(crate) at: DateTime<Utc>,
}

/// The network of a message, and who pays what for it.
///
/// # Errors
/// [`Code::UnpricedDestination`] or [`Code::AccountSuspended`].
pub(crate) fn price_of(catalogue: &Catalogue, what: Priced) -> Result<(Network, Chain), Code> {
    let Priced { account, network, class, at } = what;
    let network = network.ok_or(Code::UnpricedDestination)?;
    let chain = catalogue.chain(account, network, class, at).map_err(|error| match error {
        PriceError::Unpriced | PriceError::Currency => Code::UnpricedDestination,
        PriceError::Suspended => Code::AccountSuspended,
    })?;
    Ok((network, chain))
}

fn below(check: &mut Check, chain: &Chain, segments: u8, max: Micros) {
    let total = total(chain, segments);
    if total.is_none_or(|total| total > max) {
        let shown = total.map_or_else(|| "more than can be counted".to_owned(), |total| total.to_string());
        check.refuse("/max_price", Code::AboveMaxPrice, format!("the message would cost {shown} {}", chain.currency));
    }
}

/// What the sender itself pays for the message.
pub(crate) fn total(chain: &Chain, segments: u8) -> Option<Micros> {
    chain.links.first()?.price.times(u16::from(segments))
}

#[cfg(test)]
#[path = "prepare_tests.rs"]
mod tests;
