//! What a replay is asked for: the traffic, and the settings that differ.

mod drafts;

use chrono::{DateTime, TimeDelta, Utc};
use domain::what_if::Drafts;
use domain::{AccountId, Catalogue, Encoding, Network, Number, TrafficClass};
use serde::Deserialize;
use store::what_if::Period;
use utoipa::ToSchema;

use self::drafts::{DraftExchangeRate, DraftGuard, DraftRate, DraftRule, DraftTariff};
use crate::Api;
use crate::auth::Caller;
use crate::check::Check;
use crate::problem::{Code, Problem};

/// Lines of traffic at most.
const LINES_MAX: usize = 10_000;
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
    /// Buy rates, each in place of the operator's own for that network or country and class of traffic.
    #[serde(default)]
    rates: Vec<DraftRate>,
    /// Sell prices, each in place of the plan's own for that network or country and class of traffic.
    #[serde(default)]
    tariffs: Vec<DraftTariff>,
    /// Exchange rates, each in place of those from the same currency into the same other one.
    #[serde(default)]
    exchange_rates: Vec<DraftExchangeRate>,
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
    let drafts = drafts::read(api, &catalogue, &mut check, body);
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
