//! Sweeping by a schedule from outside: EventBridge Scheduler on Lambda.
//!
//! An event names the looks that it wants, `{"looks": ["outbox", "scheduled"]}`; one that names none wants all. Two
//! invocations may overlap: what one look has locked the other skips, and states only go up.

use std::collections::BTreeMap;

use anyhow::Context as _;
use async_trait::async_trait;
use host::{Events, Timer};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::Sweep;
use crate::round::ROUNDS_MAX;

/// What an event asks for. What EventBridge says beside it is left.
#[derive(Debug, Deserialize)]
struct Tick {
    looks: Option<Vec<Look>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Look {
    Scheduled,
    Overdue,
    Receipts,
    Failover,
    Parts,
    Outbox,
    Health,
    Balances,
    Partitions,
    Seal,
    Counters,
    Books,
    Numbers,
    Exports,
}

impl Look {
    /// Every look, the most urgent first.
    const ALL: [Self; 14] = [
        Self::Scheduled,
        Self::Overdue,
        Self::Receipts,
        Self::Failover,
        Self::Parts,
        Self::Outbox,
        Self::Health,
        Self::Balances,
        Self::Partitions,
        Self::Seal,
        Self::Counters,
        Self::Books,
        Self::Numbers,
        Self::Exports,
    ];

    /// Looks that are done for the moment when they were done once, whatever they found.
    const fn is_once(self) -> bool {
        matches!(self, Self::Scheduled | Self::Health | Self::Balances | Self::Partitions | Self::Seal | Self::Books)
    }
}

impl Timer for Sweep {
    const NAME: &'static str = "sweep";

    async fn run(&self, shutdown: CancellationToken) {
        Box::pin(Sweep::run(self, shutdown.cancelled())).await;
    }
}

#[async_trait]
impl Events for Sweep {
    async fn on_event(&self, event: Value, until: Instant) -> anyhow::Result<Value> {
        let tick: Tick = serde_json::from_value(event).context("the event of the timer cannot be read")?;
        let (mut done, mut failed) = (BTreeMap::new(), Vec::new());
        for look in tick.looks.unwrap_or(Look::ALL.to_vec()) {
            match self.repeat(look, until).await {
                Ok(found) => *done.entry(look).or_insert(0) += found,
                Err(error) => failed.push(format!("{look:?}: {error:#}").to_lowercase()),
            }
        }
        anyhow::ensure!(failed.is_empty(), "{}", failed.join("; "));
        Ok(serde_json::to_value(done)?)
    }
}

impl Sweep {
    /// One look as often as it finds work, while there is time and at most [`ROUNDS_MAX`] times: the next event goes on. Answers how much.
    async fn repeat(&self, look: Look, until: Instant) -> anyhow::Result<u64> {
        let mut done = 0;
        for _ in 0..ROUNDS_MAX {
            let found = self.look(look).await?;
            done += found;
            if found == 0 || look.is_once() || Instant::now() >= until {
                break;
            }
        }
        Ok(done)
    }

    async fn look(&self, look: Look) -> anyhow::Result<u64> {
        match look {
            Look::Scheduled => self.scheduled_ahead().await,
            Look::Overdue => self.overdue().await,
            Look::Receipts => self.receipts().await,
            Look::Failover => self.failover().await,
            Look::Parts => self.parts().await,
            Look::Outbox => self.outbox().await,
            Look::Health => self.health().await,
            Look::Balances => self.balances().await,
            Look::Partitions => self.partitions().await,
            Look::Seal => self.seal().await,
            Look::Counters => self.counters().await,
            Look::Books => self.books().await,
            Look::Numbers => self.numbers().await,
            Look::Exports => self.exports().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_names_its_looks() {
        let looks = |event: &str| serde_json::from_str::<Tick>(event).map(|tick| tick.looks);
        assert_eq!(looks(r#"{"looks":["outbox","overdue"]}"#).unwrap(), Some(vec![Look::Outbox, Look::Overdue]));
        assert_eq!(looks(r#"{"source":"aws.scheduler","detail":{}}"#).unwrap(), None);
        let unknown = looks(r#"{"looks":["dust"]}"#).unwrap_err().to_string();
        assert!(unknown.contains("unknown variant `dust`, expected one of `scheduled`, `overdue`"), "{unknown}");
    }
}
