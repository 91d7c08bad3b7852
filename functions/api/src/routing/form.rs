//! What a routing rule says, as a request gives it and an answer shows it.

use domain::Encoding;
use domain::hours::OpenHours;
use domain::routing::rule::{Body, Share, Strategy, Then, When};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Api;
use crate::accounts::Reroute;
use crate::check::Check;
use crate::operators::check_hours;
use crate::problem::Code;

/// Entries of one list of a rule at most.
const ENTRIES_MAX: usize = 1_000;
/// The largest weight.
const WEIGHT_MAX: u32 = 1_000_000;

/// For which messages a rule holds: all conditions must fit; of a list, one must. What is not said fits all.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RuleWhen {
    /// Messages of these accounts, and of all below them.
    accounts: Vec<String>,
    /// Messages of accounts that pay by these plans.
    plans: Vec<String>,
    /// To these networks (MCC and MNC), or all of a country (MCC).
    #[schema(example = json!(["434", "40177"]))]
    networks: Vec<String>,
    /// To numbers that begin with these digits.
    #[schema(example = json!(["99890"]))]
    prefixes: Vec<String>,
    /// From these senders, in any case; with `*` at its end, all that begin so.
    #[schema(example = json!(["BANK*"]))]
    senders: Vec<String>,
    /// Of these classes of traffic; a message without a class fits none.
    #[schema(example = json!(["otp"]))]
    traffic_classes: Vec<String>,
    /// Made of these templates; a message without a template fits none.
    templates: Vec<String>,
    /// `gsm7`, `ucs2`, `latin1`, `binary`.
    encodings: Vec<String>,
    /// Of at least so many segments.
    segments_min: Option<u8>,
    /// Of at most so many segments.
    segments_max: Option<u8>,
    /// Within these hours.
    hours: Vec<RuleHours>,
}

/// Hours of some days of the week.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RuleHours {
    /// 1 (Monday) to 7; empty: every day.
    #[serde(default)]
    days: Vec<u8>,
    /// From this minute of the day, 0 to 1439.
    from_minute: u16,
    /// Until this minute of the day, 1 to 1440; before `from_minute` it is on the next day.
    until_minute: u16,
    /// In a zone of so many minutes east of UTC.
    #[serde(default)]
    zone_minutes: i16,
}

/// How the operators of such messages are ranked.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RuleThen {
    /// `least_cost` (default); `priority`: as named here; `weighted`: shared out by weights; `round_robin`: shared out
    /// evenly; `quality`: by the cost of a success; `block`: such messages are rejected.
    #[schema(example = "weighted")]
    strategy: Option<String>,
    /// Only these; empty: all.
    operators: Vec<RuleShare>,
    /// Not these.
    except: Vec<String>,
    /// These only when no other can.
    last_resort: Vec<String>,
    /// Whether a message goes to another operator after one took it and did not deliver it. Not said: as its account
    /// says.
    #[serde(skip_serializing_if = "Option::is_none")]
    reroute: Option<Reroute>,
}

/// An operator that a rule names.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RuleShare {
    /// Who.
    operator_id: String,
    /// Its part of the messages against that of the others, with `weighted`; 1 when nothing is said.
    weight: Option<u32>,
}

/// Reads both halves; what is wrong is noted.
pub(super) fn read(api: &Api, check: &mut Check, when: &RuleWhen, then: &RuleThen) -> Body {
    Body { when: read_when(check, when), then: read_then(api, check, then) }
}

/// Each entry of a list.
fn each<I, T>(
    check: &mut Check,
    pointer: &str,
    entries: &[I],
    mut read: impl FnMut(&mut Check, &str, &I) -> Option<T>,
) -> Vec<T> {
    check.that(entries.len() <= ENTRIES_MAX, pointer, "expected at most 1000");
    let entries = entries.iter().take(ENTRIES_MAX).enumerate();
    entries.filter_map(|(at, entry)| read(check, &format!("{pointer}/{at}"), entry)).collect()
}

fn read_when(check: &mut Check, when: &RuleWhen) -> When {
    let (min, max) = (when.segments_min, when.segments_max);
    let is_range = min.zip(max).is_none_or(|(min, max)| min <= max);
    check.that(is_range, "/when/segments_max", "expected no less than segments_min");
    When {
        accounts: each(check, "/when/accounts", &when.accounts, |check, at, id| check.parse(at, id)),
        plans: each(check, "/when/plans", &when.plans, |check, at, id| check.parse(at, id)),
        networks: each(check, "/when/networks", &when.networks, |check, at, network| check.parse(at, network)),
        prefixes: each(check, "/when/prefixes", &when.prefixes, |check, at, prefix| {
            let good = (1..=15).contains(&prefix.len()) && prefix.bytes().all(|byte| byte.is_ascii_digit());
            check.that(good, at, "expected 1 to 15 digits");
            Some(prefix.clone())
        }),
        senders: each(check, "/when/senders", &when.senders, |check, at, sender| {
            check.label(at, sender, 16);
            Some(sender.trim().to_owned())
        }),
        traffic_classes: each(check, "/when/traffic_classes", &when.traffic_classes, |check, at, name| {
            check.parse(at, name)
        }),
        templates: each(check, "/when/templates", &when.templates, |check, at, name| check.parse(at, name)),
        encodings: each(check, "/when/encodings", &when.encodings, |check, at, name| {
            let read = Encoding::parse(name).ok_or("expected gsm7, ucs2, latin1 or binary");
            check.value(at, Code::InvalidRequest, read)
        }),
        segments_min: min,
        segments_max: max,
        hours: each(check, "/when/hours", &when.hours, |check, at, hours| {
            let RuleHours { days, from_minute, until_minute, zone_minutes } = hours;
            let (from_minute, until_minute, zone_minutes) = (*from_minute, *until_minute, *zone_minutes);
            let hours = OpenHours { days: days.clone(), from_minute, until_minute, zone_minutes };
            check_hours(check, at, &hours);
            Some(hours)
        }),
    }
}

fn read_then(api: &Api, check: &mut Check, then: &RuleThen) -> Then {
    let catalogue = api.catalogue.get();
    let operator = |check: &mut Check, at: &str, id: &str| {
        let id = check.parse(at, id)?;
        let is_known = catalogue.operators.iter().any(|operator| operator.id == id);
        check.that(is_known, at, "there is no such operator");
        Some(id)
    };
    let strategy = then.strategy.as_deref().map(|name| {
        let read = serde_json::from_value(serde_json::Value::from(name));
        let read = read.map_err(|_| "expected least_cost, priority, weighted, round_robin, quality or block");
        check.value("/then/strategy", Code::InvalidRequest, read)
    });
    let strategy: Strategy = strategy.flatten().unwrap_or_default();
    let operators = each(check, "/then/operators", &then.operators, |check, at, share| {
        let weight = share.weight.unwrap_or(1);
        check.that(weight <= WEIGHT_MAX, &format!("{at}/weight"), "expected at most 1000000");
        Some(Share { operator_id: operator(check, &format!("{at}/operator_id"), &share.operator_id)?, weight })
    });
    let is_named = strategy != Strategy::Priority || !operators.is_empty() || !check.is_clean();
    check.that(is_named, "/then/operators", "priority ranks operators as they are named here: name them");
    Then {
        strategy,
        operators,
        except: each(check, "/then/except", &then.except, |check, at, id| operator(check, at, id)),
        last_resort: each(check, "/then/last_resort", &then.last_resort, |check, at, id| operator(check, at, id)),
        reroute: then.reroute.as_ref().map(|reroute| reroute.read(check, "/then/reroute")),
    }
}

/// Both halves as they are shown.
pub(super) fn show(body: Body) -> (RuleWhen, RuleThen) {
    let texts = |ids: Vec<domain::OperatorId>| ids.iter().map(ToString::to_string).collect();
    let When {
        accounts,
        plans,
        networks,
        prefixes,
        senders,
        traffic_classes,
        templates,
        encodings,
        segments_min,
        segments_max,
        hours,
    } = body.when;
    let when = RuleWhen {
        accounts: accounts.iter().map(ToString::to_string).collect(),
        plans: plans.iter().map(ToString::to_string).collect(),
        networks: networks.iter().map(ToString::to_string).collect(),
        prefixes,
        senders,
        traffic_classes: traffic_classes.iter().map(ToString::to_string).collect(),
        templates: templates.iter().map(ToString::to_string).collect(),
        encodings: encodings.iter().map(|encoding| encoding.name().to_owned()).collect(),
        segments_min,
        segments_max,
        hours: hours.into_iter().map(show_hours).collect(),
    };
    let Then { strategy, operators, except, last_resort, reroute } = body.then;
    let share = |share: Share| RuleShare { operator_id: share.operator_id.to_string(), weight: Some(share.weight) };
    let then = RuleThen {
        strategy: Some(strategy.name().to_owned()),
        operators: operators.into_iter().map(share).collect(),
        except: texts(except),
        last_resort: texts(last_resort),
        reroute: reroute.map(Reroute::show),
    };
    (when, then)
}

fn show_hours(hours: OpenHours) -> RuleHours {
    let OpenHours { days, from_minute, until_minute, zone_minutes } = hours;
    RuleHours { days, from_minute, until_minute, zone_minutes }
}
