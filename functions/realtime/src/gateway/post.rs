//! Posting to a connection of API Gateway.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_apigatewaymanagement::Client;
use aws_sdk_apigatewaymanagement::config::timeout::TimeoutConfig;
use aws_sdk_apigatewaymanagement::operation::post_to_connection::PostToConnectionError;
use aws_sdk_apigatewaymanagement::primitives::Blob;
use bytes::Bytes;

/// How long one post may take, with its repeats.
const POST_LIMIT: Duration = Duration::from_secs(5);

/// Why a post failed.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// There is no such connection any more (410).
    #[error("the connection is gone")]
    Gone,
    /// Anything else: throttled, too large, no answer.
    #[error("a post failed")]
    Failed(#[source] anyhow::Error),
}

/// Posts to connections.
#[async_trait]
pub trait PostToConnection: fmt::Debug + Send + Sync {
    /// Posts `body` to `connection` as one message.
    async fn post(&self, connection: &str, body: Bytes) -> Result<(), PostError>;
}

/// The management API of a stage.
#[derive(Debug)]
pub struct ManagementApi(Client);

impl ManagementApi {
    /// The one at `endpoint`: `https://{api}.execute-api.{region}.amazonaws.com/{stage}`. Region and credentials are
    /// the environment's.
    pub async fn open(endpoint: &str) -> Self {
        let limits = TimeoutConfig::builder().operation_timeout(POST_LIMIT).build();
        let config = aws_config::defaults(aws_config::BehaviorVersion::latest())
            .endpoint_url(endpoint)
            .timeout_config(limits)
            .load()
            .await;
        Self(Client::new(&config))
    }

    /// The one that `client` calls.
    pub fn new(client: Client) -> Self {
        Self(client)
    }
}

#[async_trait]
impl PostToConnection for ManagementApi {
    async fn post(&self, connection: &str, body: Bytes) -> Result<(), PostError> {
        let posted = self.0.post_to_connection().connection_id(connection).data(Blob::new(body)).send().await;
        posted.map(drop).map_err(|error| {
            let is_gone = error.as_service_error().is_some_and(PostToConnectionError::is_gone_exception);
            // API Gateway's 410 does not always name its error.
            let status = error.raw_response().map(|response| response.status().as_u16());
            if is_gone || status == Some(410) { PostError::Gone } else { PostError::Failed(error.into()) }
        })
    }
}
