//! Second tries by a schedule from outside: EventBridge Scheduler on Lambda, `{"looks": ["due"]}` once a minute.

use anyhow::Context as _;
use async_trait::async_trait;
use host::Events;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::Callback;

/// What an event asks for. What EventBridge says beside it is left.
#[derive(Debug, Deserialize)]
struct Tick {
    #[serde(default)]
    looks: Vec<Look>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Look {
    /// Deliveries whose time has come.
    Due,
}

#[async_trait]
impl Events for Callback {
    async fn on_event(&self, event: Value, until: Instant) -> anyhow::Result<Value> {
        let tick: Tick = serde_json::from_value(event).context("the event of the timer cannot be read")?;
        tracing::debug!(looks = tick.looks.len(), "looking for due webhooks");
        let deliverer = self.on_demand.as_ref().context("this handler has a deliverer beside it")?;
        Ok(json!({ "due": deliverer.deliver_due(until).await? }))
    }
}
