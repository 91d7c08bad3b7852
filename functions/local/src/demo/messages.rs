//! The demo's past: three messages that end differently, sent like any other when the demo is made.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::client::{Client, text};

/// Recipient, sender ID and text; what becomes of them is the simulated operators' doing.
const MESSAGES: [(&str, &str, &str); 3] = [
    ("+998901000001", "TestCompany", "Your order 7 is on its way"),
    ("+998931000002", "TestCompany", "Your order 8 is on its way"),
    ("+998991000003", "1234", "Your code is 4711"),
];
/// How long the start waits for them to end, so that the first look shows them done.
const WAIT_MAX: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Sends them and waits until they have ended. The platform runs without them too, so a failure is only told.
pub(crate) async fn send_first_messages(url: &str, key: &str) {
    if let Err(error) = send(url, key).await {
        tracing::warn!(cause = format!("{error:#}"), "the demo's first messages were not sent");
    }
}

async fn send(url: &str, key: &str) -> Result<()> {
    let client = Client::at(url, key)?;
    let end = Instant::now() + WAIT_MAX;
    for (to, from, text) in MESSAGES {
        client.post("/v1/messages", &json!({ "to": to, "from": from, "text": text })).await?;
    }
    while Instant::now() < end && !all_ended(&client).await? {
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}

async fn all_ended(client: &Client) -> Result<bool> {
    let page = client.get("/v1/messages", &[]).await?;
    let under_way = ["accepted", "queued", "sent", "buffered"];
    Ok(crate::client::list(&page, "data").iter().all(|message| !under_way.contains(&text(message, "state").as_str())))
}
