//! Where the edge learns what to do: in one process by function calls, across processes by the internal API.

use std::collections::HashSet;
use std::fmt::Debug;

use async_trait::async_trait;
use contract::edge::{EdgeSnapshot, SubmitKey};

/// What the edge asks of the rest of the platform.
#[async_trait]
pub trait Settings: Debug + Send + Sync {
    /// The settings of now, or `None` where they still are those of `known_version`.
    async fn snapshot(&self, known_version: Option<i64>) -> anyhow::Result<Option<EdgeSnapshot>>;

    /// Which of these submits have an outcome already. Asked when an envelope comes a second time: only the others
    /// are submitted.
    async fn outcomes_known(&self, submits: &[SubmitKey]) -> anyhow::Result<HashSet<SubmitKey>>;
}
