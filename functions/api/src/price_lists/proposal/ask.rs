//! What prices are asked for: how they come from costs.

use chrono::{DateTime, Utc};
use domain::Micros;
use domain::price_rule::PriceRule;
use domain::tariff::ChargeOn;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::check::Check;
use crate::problem::{Code, Problem};

/// Rules of one proposal at most.
const RULES_MAX: usize = 1_000;
/// The largest margin: a hundred times the cost.
const MARGIN_PERMILLE_MAX: u32 = 100_000;

/// How prices come from costs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProposePrices {
    /// From when they hold; now when nothing is said. Costs of that time count.
    effective_from: Option<String>,
    /// 1 to 1,000 rules. Of several for a network, that of the network goes before that of its country, and that before one
    /// for all; at each place that of the class of traffic before that of every class. What has no rule stays as it is.
    #[schema(inline)]
    rules: Vec<CostRule>,
    /// When the money is taken, for networks without a price before: `submit` (default) or `delivered`.
    charge_on: Option<String>,
    /// To publish: `fingerprint` of the proposal that was looked at.
    fingerprint: Option<String>,
}

/// A price is the cost and a margin on it, rounded up once to a step.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CostRule {
    /// For this country; for all when nothing is said.
    #[schema(example = "434")]
    mcc: Option<String>,
    /// For this network of it.
    mnc: Option<String>,
    /// For this class of traffic; for every class that has no rule of its own there when nothing is said.
    #[schema(example = "otp")]
    traffic_class: Option<String>,
    /// So many thousandths of the cost on top of it; 0 when nothing is said.
    #[schema(example = 200)]
    margin_permille: Option<u32>,
    /// And this for each segment.
    #[schema(example = "0.0005")]
    add: Option<String>,
    /// Never below this.
    min: Option<String>,
    /// Rounded up to a whole multiple of this.
    #[schema(example = "0.0001")]
    step: Option<String>,
}

/// A request that was read.
pub(super) struct Ask {
    pub(super) at: DateTime<Utc>,
    pub(super) rules: Vec<PriceRule>,
    /// For places without a price before.
    pub(super) charge_on: ChargeOn,
    pub(super) fingerprint: Option<String>,
}

pub(super) fn read(body: &ProposePrices) -> Result<Ask, Problem> {
    let mut check = Check::default();
    let now = crate::time::now();
    let at = check.time("/effective_from", body.effective_from.as_deref()).unwrap_or(now);
    check.that(at >= now - chrono::TimeDelta::minutes(5), "/effective_from", "expected a time that is not over");
    let count = (1..=RULES_MAX).contains(&body.rules.len());
    check.that(count, "/rules", "expected 1 to 1000 rules");
    let charge_on = check.charge_on(body.charge_on.as_deref());
    let mut rules: Vec<PriceRule> = Vec::new();
    for (nth, rule) in body.rules.iter().take(RULES_MAX).enumerate() {
        let pointer = format!("/rules/{nth}");
        let Some(rule) = read_rule(&mut check, &pointer, rule) else { continue };
        let is_first = rules.iter().all(|other| (other.network, other.class) != (rule.network, rule.class));
        check.that(is_first, &pointer, "another rule is for the same network and class of traffic");
        rules.push(rule);
    }
    check.finish()?;
    let charge_on = charge_on.unwrap_or_default();
    Ok(Ask { at, rules, charge_on, fingerprint: body.fingerprint.clone() })
}

fn read_rule(check: &mut Check, at: &str, rule: &CostRule) -> Option<PriceRule> {
    let network = match (&rule.mcc, &rule.mnc) {
        (Some(mcc), mnc) => Some(Some(check.network(at, mcc, mnc.as_deref())?)),
        (None, None) => Some(None),
        (None, Some(_)) => {
            check.refuse(&format!("{at}/mcc"), Code::InvalidRequest, "an MNC needs its MCC");
            None
        }
    };
    let class = check.parse_some(&format!("{at}/traffic_class"), rule.traffic_class.as_deref());
    let mut amount = |name: &str, text: Option<&str>, default: i64| {
        text.map_or(Some(Micros::new(default)), |text| check.price(&format!("{at}/{name}"), text))
    };
    let add = amount("add", rule.add.as_deref(), 0);
    let min = amount("min", rule.min.as_deref(), 0);
    let step = amount("step", rule.step.as_deref(), 1);
    check.that(step != Some(Micros::ZERO), &format!("{at}/step"), "expected more than nothing");
    let margin_permille = rule.margin_permille.unwrap_or(0);
    let good = margin_permille <= MARGIN_PERMILLE_MAX;
    check.that(good, &format!("{at}/margin_permille"), "expected at most 100000");
    Some(PriceRule { network: network?, class, margin_permille, add: add?, min: min?, step: step? })
}
