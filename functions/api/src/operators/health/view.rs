//! What is shown of an operator's health.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::Network;
use domain::routing::breaker::State;
use domain::routing::health::{Counts, Score};
use domain::routing::trust::Reason;
use serde::Serialize;
use store::standings::{Look, Stored};
use store::{breakers, operators};
use utoipa::ToSchema;

/// How an operator does.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OperatorHealth {
    /// Who.
    operator_id: String,
    /// For people.
    name: String,
    /// Segments that it may be given on one day (UTC); 0: no limit.
    daily_cap: u64,
    /// Segments that it was given today, where it has a cap.
    routed_today: u64,
    /// At all networks together, for those where too little is known; null: too little is known altogether.
    overall: Option<HealthScore>,
    /// Each network with traffic of late, a score, or a breaker that was ever open.
    networks: Vec<NetworkHealth>,
}

/// How an operator does at one network.
#[derive(Debug, Serialize, ToSchema)]
struct NetworkHealth {
    /// Which network, or which country: that of numbers whose network is not known, and of a breaker for all its networks.
    #[schema(example = "43405")]
    mcc_mnc: String,
    /// What routing goes by; null: too little is known.
    score: Option<HealthScore>,
    /// What was counted in the last 15 minutes.
    counts: HealthCounts,
    /// Whether messages go there.
    breaker: CircuitBreaker,
}

/// Parts in thousandths; the whole is their product.
#[derive(Debug, Serialize, ToSchema)]
struct HealthScore {
    /// The whole: cost is divided by it where a rule ranks by `quality`.
    health_permille: u16,
    /// Submits that were accepted; what is wrong with a message does not count.
    success_permille: u16,
    /// Messages that were delivered, of those with a final receipt or without one for five minutes.
    delivery_permille: u16,
    /// 30 seconds by the time in which 95 % were delivered.
    speed_permille: u16,
    /// How far receipts are believed; below 500 the operator comes behind all that are trusted.
    trust_permille: u16,
    /// Why not fully.
    doubts: Vec<TrustDoubt>,
    /// What it rests on: `measured` of late; `kept` as it was judged last, since too little was counted after; `regaining`:
    /// measured of late, and it was worse before; `unknown`: nothing was judged here, it is that of all networks together.
    #[schema(example = "measured")]
    basis: &'static str,
    /// Of a thousand messages, how many no longer go by an old judgement: it grows over hours, and soon where what is
    /// measured meanwhile is good.
    regained_permille: u16,
}

/// A reason why receipts are not believed.
#[derive(Debug, Serialize, ToSchema)]
struct TrustDoubt {
    /// `delivered_to_dead`, `untrue_tests`, `too_fast`, `too_late`, `all_alike`, `delivers_everything`,
    /// `converts_less` or `not_received`.
    #[schema(example = "too_fast")]
    doubt: &'static str,
    /// What it takes from 1,000.
    takes: u16,
}

/// Segments of the last 15 minutes.
#[derive(Debug, Default, Serialize, ToSchema)]
struct HealthCounts {
    /// Accepted by the operator.
    accepted: u64,
    /// Refused for a reason of the operator's.
    refused: u64,
    /// Refused for one of the message's own.
    rejected: u64,
    /// Never answered.
    unanswered: u64,
    /// Receipts that say delivered.
    delivered: u64,
    /// Final receipts that say something else.
    failed: u64,
    /// Accepted more than five minutes ago, and no final receipt.
    missing: u64,
    /// Half were delivered within this time, in milliseconds, rounded up to the end of a class.
    p50_ms: Option<i64>,
    /// And 95 % within this.
    p95_ms: Option<i64>,
}

/// A circuit breaker.
#[derive(Debug, Serialize, ToSchema)]
struct CircuitBreaker {
    /// `closed`, `open`, `half_open`, or `held`: opened by a person.
    state: &'static str,
    /// Since when.
    #[serde(serialize_with = "crate::time::millis_some")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    since: Option<DateTime<Utc>>,
    /// Of an open one: when it lets a few messages probe.
    #[serde(serialize_with = "crate::time::millis_some")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    until: Option<DateTime<Utc>>,
    /// How often it opened, one after the other.
    openings: u8,
    /// Why it stands so.
    reason: String,
    /// `system`, or the key or user that turned it by hand.
    made_by: String,
}

impl OperatorHealth {
    pub(super) fn of(operator: &operators::Operator, routed: i64, look: Look) -> Self {
        let mut networks: BTreeMap<Network, NetworkHealth> = BTreeMap::new();
        let mut overall = None;
        for (_, network, counts) in &look.counts {
            place(&mut networks, *network).counts = show_counts(counts);
        }
        for stored in look.stored {
            match stored.place.1 {
                None => overall = Some(show_score(stored)),
                Some(network) => place(&mut networks, network).score = Some(show_score(stored)),
            }
        }
        for stored in look.breakers {
            let network = stored.network;
            place(&mut networks, network).breaker = show_breaker(stored);
        }
        Self {
            operator_id: operator.id.to_string(),
            name: operator.name.clone(),
            daily_cap: operator.daily_cap,
            routed_today: routed.unsigned_abs(),
            overall,
            networks: networks.into_values().collect(),
        }
    }
}

fn place(networks: &mut BTreeMap<Network, NetworkHealth>, network: Network) -> &mut NetworkHealth {
    networks.entry(network).or_insert_with(|| NetworkHealth {
        mcc_mnc: network.to_string(),
        score: None,
        counts: HealthCounts::default(),
        breaker: CircuitBreaker {
            state: State::Closed.name(),
            since: None,
            until: None,
            openings: 0,
            reason: String::new(),
            made_by: breakers::SYSTEM.to_owned(),
        },
    })
}

fn show_score(Stored { score, basis, doubts, .. }: Stored) -> HealthScore {
    let doubt = |Reason { doubt, takes }: Reason| TrustDoubt { doubt: doubt.name(), takes };
    let Score { success, delivery, speed, trust } = score;
    HealthScore {
        health_permille: score.permille(),
        success_permille: success,
        delivery_permille: delivery,
        speed_permille: speed,
        trust_permille: trust,
        doubts: doubts.0.into_iter().map(doubt).collect(),
        basis: basis.name(),
        regained_permille: basis.regained(),
    }
}

fn show_counts(counts: &Counts) -> HealthCounts {
    HealthCounts {
        accepted: counts.accepted,
        refused: counts.refused,
        rejected: counts.rejected,
        unanswered: counts.unanswered,
        delivered: counts.delivered,
        failed: counts.failed,
        missing: counts.missing,
        p50_ms: counts.latencies.percentile_ms(500),
        p95_ms: counts.latencies.percentile_ms(950),
    }
}

fn show_breaker(stored: breakers::Stored) -> CircuitBreaker {
    CircuitBreaker {
        state: stored.breaker.state.name(),
        since: Some(stored.breaker.since),
        until: stored.breaker.until,
        openings: stored.breaker.openings,
        reason: stored.reason,
        made_by: stored.made_by,
    }
}
