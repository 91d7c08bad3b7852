//! One try: the request that a customer gets, and what its answer means.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use contract::CustomerEvent;
use host::secrets::Keys;
use store::webhooks::Attempt;

use crate::schedule::Schedule;
use crate::sign::signature;
use egress::Reach;

/// How long a customer may take to answer.
pub(crate) const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// Sends events.
#[derive(Debug, Clone)]
pub struct Sender {
    client: reqwest::Client,
    keys: Arc<Keys>,
    reach: Reach,
    schedule: Schedule,
}

impl Sender {
    /// A sender that signs with the keys of accounts and reaches what `reach` allows.
    pub fn new(keys: Arc<Keys>, reach: Reach, schedule: Schedule) -> anyhow::Result<Self> {
        let client = egress::client(reach, ANSWER_LIMIT).context("no webhooks can be sent")?;
        Ok(Self { client, keys, reach, schedule })
    }

    /// Tries `event` once; `attempts` were made before. The customer may take `limit` to answer.
    pub async fn attempt(&self, event: &CustomerEvent, attempts: i16, now: DateTime<Utc>, limit: Duration) -> Attempt {
        let tries = usize::try_from(attempts).unwrap_or(0) + 1;
        match self.post(event, now, limit).await {
            Ok(response) if response.status().is_success() => Attempt::Delivered { status: response.status().as_u16() },
            Ok(response) => {
                let status = response.status().as_u16();
                // 410 Gone: the customer wants no more of it.
                let wait = (status != 410).then(|| self.schedule.wait(tries, retry_after(&response))).flatten();
                failed(Some(status), format!("answered {status}"), wait, now)
            }
            Err(error) => failed(None, format!("{error:#}"), self.schedule.wait(tries, None), now),
        }
    }

    async fn post(
        &self,
        event: &CustomerEvent,
        now: DateTime<Utc>,
        limit: Duration,
    ) -> anyhow::Result<reqwest::Response> {
        let url: reqwest::Url = event.url().parse().context("the URL cannot be read")?;
        egress::check(self.reach, &url)?;
        let body = event.body().to_string().into_bytes();
        let id = format!("evt_{}", event.id().simple());
        let secret = self.keys.webhook_secret(&event.account_id().to_string());
        let signed = signature(&secret, &id, now.timestamp(), &body).context("the signing key cannot be read")?;
        let request = self
            .client
            .post(url)
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", now.timestamp())
            .header("webhook-signature", signed)
            .timeout(limit)
            .body(body);
        request.send().await.map_err(|error| anyhow::Error::new(error.without_url()))
    }
}

/// `Retry-After` in seconds (RFC 9110 section 10.2.3); the form with a date is not honoured.
fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    response.headers().get("retry-after")?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

fn failed(status: Option<u16>, error: String, wait: Option<Duration>, now: DateTime<Utc>) -> Attempt {
    let next_attempt_at = wait.and_then(|wait| chrono::TimeDelta::from_std(wait).ok()).map(|wait| now + wait);
    Attempt::Failed { status, error, next_attempt_at }
}
