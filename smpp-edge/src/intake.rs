//! Where customers' submits go: in one process by a function call, across processes by the internal API.

use std::fmt::Debug;

use async_trait::async_trait;
use contract::intake::{AboutMessage, Answer, Submissions, SubmitVerdict};

/// What the edge asks of the platform for its customers. An error means that nothing is known: the customer is told
/// `ESME_RSYSERR`, or the same is asked again with [`Submissions::repeated`].
#[async_trait]
pub trait Intake: Debug + Send + Sync {
    /// Accepts or refuses each submission; one verdict for each, in their order. What is accepted is durable.
    async fn submit(&self, submissions: &Submissions) -> anyhow::Result<Vec<SubmitVerdict>>;

    /// Answers `query_sm`, `cancel_sm` and `replace_sm`.
    async fn about(&self, about: &AboutMessage) -> anyhow::Result<Answer>;
}
