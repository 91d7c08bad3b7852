//! How operators do: what was counted is added up, breakers turn, and scores that changed are told to routing.
//!
//! One process judges at a time; the others only add up.

mod score;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use domain::routing::breaker::{Breaker, Evidence, State};
use domain::{Network, OperatorId};
use store::breakers::{self, SYSTEM, Stored};
use store::{Db, Tx, operator_counts, standings};

/// Answers how many rows were added up, breakers turned and scores changed.
pub(crate) async fn look(db: &Db, now: DateTime<Utc>) -> anyhow::Result<u64> {
    let folded = operator_counts::fold(db).await?;
    let mut tx = db.begin().await?;
    if !standings::lock(&mut tx).await? {
        return Ok(folded);
    }
    let turned = turn_breakers(&mut tx, now).await?;
    let changed = tell_scores(&mut tx, now).await?;
    tx.commit().await?;
    Ok(folded + u64::try_from(turned + changed)?)
}

async fn turn_breakers(tx: &mut Tx, now: DateTime<Utc>) -> anyhow::Result<usize> {
    let stored = breakers::list(tx, None).await?;
    let evidence = breakers::evidence(tx, now).await?;
    let turned = turns(&stored, &evidence.into_iter().collect(), now);
    for stored in &turned {
        breakers::turn(tx, stored).await?;
        let (operator, network) = (stored.operator.to_string(), stored.network);
        let (state, reason) = (stored.breaker.state.name(), &stored.reason);
        metrics::counter!("chappe_breaker_turns_total", "operator" => operator.clone(), "to" => state).increment(1);
        tracing::warn!(operator.id = operator, %network, state, "breaker of {operator} at {network} is {state}: {reason}");
    }
    let before = stored.iter().filter(|one| !turned.iter().any(|new| same_place(one, new)));
    let open = before.chain(&turned).filter(|one| matches!(one.breaker.state, State::Open | State::Held)).count();
    metrics::gauge!("chappe_breakers_open").set(u32::try_from(open)?);
    Ok(turned.len())
}

fn same_place(one: &Stored, other: &Stored) -> bool {
    (one.operator, one.network) == (other.operator, other.network)
}

/// The breakers that turn now.
fn turns(stored: &[Stored], evidence: &BTreeMap<(OperatorId, Network), Evidence>, now: DateTime<Utc>) -> Vec<Stored> {
    let known: BTreeMap<_, Breaker> = stored.iter().map(|one| ((one.operator, one.network), one.breaker)).collect();
    let places: BTreeSet<_> = known.keys().chain(evidence.keys()).copied().collect();
    let turn = |(operator, network)| {
        let place = (operator, network);
        let breaker = known.get(&place).copied().unwrap_or(Breaker::new(DateTime::UNIX_EPOCH));
        let seen = evidence.get(&place).copied().unwrap_or_default();
        let next = breaker.next(seen, now)?;
        let reason = reason(breaker.state, next.state, seen);
        Some(Stored { operator, network, breaker: next, reason, made_by: SYSTEM.to_owned() })
    };
    places.into_iter().filter_map(turn).collect()
}

fn reason(from: State, to: State, Evidence { submits, failures }: Evidence) -> String {
    match (from, to) {
        (State::HalfOpen, State::Closed) => format!("{failures} of {submits} probes failed"),
        (State::HalfOpen, _) => format!("still, {failures} of {submits} probes failed"),
        (_, State::HalfOpen) => "waited; a few messages probe".to_owned(),
        _ => format!("{failures} of {submits} submits failed"),
    }
}

async fn tell_scores(tx: &mut Tx, now: DateTime<Utc>) -> anyhow::Result<usize> {
    let measured = standings::measure(tx, None, now).await?;
    let records = standings::records(tx, now).await?;
    let stored = standings::stored(tx, None).await?;
    let news = score::News::of(&measured, &records, &stored, now);
    metrics::gauge!("chappe_operators_untrusted").set(u32::try_from(news.untrusted)?);
    if news.is_nothing() {
        return Ok(0);
    }
    standings::put(tx, &news.changed, &news.gone, now).await?;
    Ok(news.changed.len() + news.gone.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_without_a_breaker_opens_one_when_submits_fail() {
        let place = |number: u128| (OperatorId::from_uuid(uuid::Uuid::from_u128(number)), "43405".parse().unwrap());
        let evidence = BTreeMap::from([
            (place(1), Evidence { submits: 40, failures: 39 }),
            (place(2), Evidence { submits: 40, failures: 1 }),
        ]);
        let now = DateTime::from_timestamp(1_000, 0).unwrap();
        let turned = turns(&[], &evidence, now);
        let told: Vec<_> = turned.iter().map(|one| (one.operator, one.breaker.state, one.reason.as_str())).collect();
        assert_eq!(told, [(place(1).0, State::Open, "39 of 40 submits failed")]);
        assert!(turns(&turned, &evidence, now).is_empty(), "an open one waits");
        let later = turned[0].breaker.until.unwrap();
        let probing = turns(&turned, &BTreeMap::new(), later);
        assert_eq!((probing.len(), probing[0].breaker.state), (1, State::HalfOpen));
        let well = BTreeMap::from([(place(1), Evidence { submits: 5, failures: 0 })]);
        assert_eq!(turns(&probing, &well, later)[0].reason, "0 of 5 probes failed");
    }
}
