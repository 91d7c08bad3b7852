//! What a replay is asked for: the traffic, and the settings that differ.

mod drafts;
mod listed;

use chrono::{DateTime, TimeDelta, Utc};
use domain::AccountId;
use domain::what_if::Drafts;
use serde::Deserialize;
use serde_json::{Value, json};
use store::what_if::Period;
use utoipa::ToSchema;

use self::drafts::{DraftExchangeRate, DraftGuard, DraftRate, DraftRule, DraftTariff};
use self::listed::Line;
pub(super) use self::listed::{Kind, Listed};
use crate::Api;
use crate::check::Check;
use crate::problem::Problem;

/// Lines of traffic that are kept with the question that named them.
const LINES_KEPT_MAX: usize = 1_000;
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
    /// This traffic instead of that of the past: 100000 lines at most, of 10 million messages in all.
    messages: Option<Vec<Line>>,
    /// The same as CSV: a million lines at most, of 10 million messages in all. The first line names the columns: `to`, and
    /// as many of `account_id`, `from`, `traffic_class`, `template`, `encoding`, `segments` and `count` as are needed, in any
    /// order. An empty value is one that is not said.
    #[schema(example = "to,from,count\n+998931234567,Bank,100\n")]
    csv: Option<String>,
    /// As if the traffic were sent in the week that begins at this time, each message on its own weekday and hour; now
    /// when nothing is said. Listed messages are sent at this time.
    at: Option<String>,
    /// New rules; one with the id of a rule takes its place.
    #[serde(default)]
    rules: Vec<DraftRule>,
    /// Rules that are taken away.
    #[serde(default)]
    without_rules: Vec<String>,
    /// Guards of the margin, each in place of the one of the same account, operator and network.
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

/// `house` asks.
pub(super) fn read(api: &Api, house: AccountId, body: &AskWhatIf) -> Result<Asked, Problem> {
    let now = crate::time::now();
    let catalogue = api.catalogue.get();
    let mut check = Check::default();
    let at = check.time("/at", body.at.as_deref()).unwrap_or(now);
    let drafts = drafts::read(api, &catalogue, &mut check, body);
    let traffic = match listed::read(&catalogue, &mut check, body, house) {
        Some(lines) => Traffic::Listed(lines),
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

/// The question as it is kept: of traffic that was given, only how much it was.
pub(super) fn kept(body: &[u8]) -> Value {
    let mut asked: Value = serde_json::from_slice(body).unwrap_or_default();
    if let Some(Value::Array(lines)) = asked.get("messages")
        && lines.len() > LINES_KEPT_MAX
    {
        asked["messages"] = json!({"lines": lines.len()});
    }
    if let Some(Value::String(csv)) = asked.get("csv") {
        asked["csv"] = json!({"bytes": csv.len()});
    }
    asked
}
