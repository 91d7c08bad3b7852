//! The SDK: how it finds credentials, how long it waits, how often it tries.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::config::Credentials;

use super::address::Address;

/// The longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The longest that one attempt of a call may take, a long poll's wait not counted.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest that a call may take with all its attempts and the pauses between them.
const CALL_TIMEOUT: Duration = Duration::from_secs(25);

/// How often a call is tried at most, where the SDK knows that another attempt may help.
const ATTEMPTS_MAX: u32 = 3;

/// The longest wait that SQS knows (`WaitTimeSeconds`).
pub(super) const LONG_POLL: Duration = Duration::from_secs(20);

/// Clients of the services; cheap to clone. They connect at first use.
#[derive(Clone, Debug)]
pub(super) struct Clients {
    pub(super) sqs: aws_sdk_sqs::Client,
    /// For `ReceiveMessage`, which waits longer.
    pub(super) poll: aws_sdk_sqs::Client,
    pub(super) sns: aws_sdk_sns::Client,
}

impl Clients {
    /// Reads the environment and the profile files, as every program of AWS does; asks nobody over the network.
    pub(super) async fn of(address: &Address) -> Self {
        let config = load(address).await;
        let poll = aws_sdk_sqs::config::Builder::from(&config).timeout_config(timeouts(LONG_POLL)).build();
        Self {
            sqs: aws_sdk_sqs::Client::new(&config),
            poll: aws_sdk_sqs::Client::from_conf(poll),
            sns: aws_sdk_sns::Client::new(&config),
        }
    }
}

/// Credentials and endpoint by the default chain, unless the URL names an endpoint: then the environment's
/// credentials, or made-up ones, as a server that is not Amazon's takes any.
async fn load(address: &Address) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(address.region.clone()))
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX))
        .timeout_config(timeouts(Duration::ZERO))
        // The time-outs above end what stalls.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let Some(endpoint) = &address.endpoint {
        let made_up = Credentials::new("test", "test", None, None, "queue URL");
        let chain = CredentialsProviderChain::first_try("environment", EnvironmentVariableCredentialsProvider::new())
            .or_else("made up", made_up);
        loader = loader.endpoint_url(endpoint).credentials_provider(chain);
    }
    loader.load().await
}

fn timeouts(wait: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT + wait)
        .operation_timeout(CALL_TIMEOUT + wait)
        .build()
}
