//! AWS Secrets Manager: secrets that are read at the start, and again when one of them was rotated.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use aws_config::BehaviorVersion;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::DisplayErrorContext;
use secrecy::SecretString;
use tokio::sync::Mutex;

/// How long one attempt to read may take, and all attempts together. A start on Lambda has ten seconds.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(2);
const READ_LIMIT: Duration = Duration::from_secs(6);

/// How long a value that was read is good without being read again.
const LIFETIME: Duration = Duration::from_mins(5);
/// Whoever doubts a value that is younger gets it all the same: a password that is wrong everywhere must not become a
/// flood of requests.
const DOUBT_AFTER: Duration = Duration::from_secs(5);

/// The secrets of this process. Holds no more than the settings name.
pub(crate) struct Manager {
    client: Client,
    /// Locked while one is read: whoever waits finds it there.
    known: Mutex<HashMap<String, (Instant, SecretString)>>,
}

impl Manager {
    /// Finds region, credentials and endpoint in the environment, as AWS SDKs do.
    pub(crate) async fn connect() -> Self {
        let limits =
            TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_LIMIT).operation_timeout(READ_LIMIT).build();
        let config = aws_config::defaults(BehaviorVersion::latest()).timeout_config(limits).load().await;
        Self { client: Client::new(&config), known: Mutex::default() }
    }

    /// The value of a secret, at most [`LIFETIME`] old.
    pub(crate) async fn read(&self, arn: &str) -> anyhow::Result<SecretString> {
        self.younger_than(LIFETIME, arn).await
    }

    /// The value of a secret that did not do: at most [`DOUBT_AFTER`] old.
    pub(crate) async fn read_anew(&self, arn: &str) -> anyhow::Result<SecretString> {
        self.younger_than(DOUBT_AFTER, arn).await
    }

    async fn younger_than(&self, age: Duration, arn: &str) -> anyhow::Result<SecretString> {
        let mut known = self.known.lock().await;
        if let Some((read_at, value)) = known.get(arn)
            && read_at.elapsed() < age
        {
            return Ok(value.clone());
        }
        let value = self.fetch(arn).await?;
        known.insert(arn.to_owned(), (Instant::now(), value.clone()));
        Ok(value)
    }

    async fn fetch(&self, arn: &str) -> anyhow::Result<SecretString> {
        let answer = self.client.get_secret_value().secret_id(arn).send().await;
        let answer = answer.map_err(|error| anyhow::anyhow!("{}", DisplayErrorContext(&error)));
        let answer = answer.with_context(|| format!("cannot read the secret {arn}"))?;
        let value = answer.secret_string.with_context(|| format!("the secret {arn} is no text"))?;
        Ok(SecretString::from(value))
    }
}
