//! What was answered lately, found again without the database.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use moka::sync::Cache;

/// How long a value is kept at most. Shorter than the truth behind it is: what is found is never older than that.
pub const KEPT_FOR: Duration = Duration::from_hours(24);
/// A larger value is not kept.
pub const VALUE_BYTES_MAX: usize = 64 * 1024;
/// Bytes of keys and values that one process keeps.
const KEPT_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// A memory that may forget at any time, and never says anything else than what was kept.
///
/// Whoever uses it has the truth elsewhere: nothing here is an error. A value that cannot be kept is not found later,
/// and a memory that does not answer has nothing.
#[async_trait]
pub trait Recall: Debug + Send + Sync {
    /// Keeps `value` under `key` for [`KEPT_FOR`], unless it is larger than [`VALUE_BYTES_MAX`].
    async fn keep(&self, key: &str, value: Bytes);

    /// What was kept under `key`.
    async fn recall(&self, key: &str) -> Option<Bytes>;
}

/// The memory of one process.
#[derive(Debug)]
pub struct InProcessRecall(Cache<String, Bytes>);

impl InProcessRecall {
    /// An empty memory.
    pub fn new() -> Self {
        let weigh = |key: &String, value: &Bytes| u32::try_from(key.len() + value.len()).unwrap_or(u32::MAX);
        Self(Cache::builder().max_capacity(KEPT_BYTES_MAX).weigher(weigh).time_to_live(KEPT_FOR).build())
    }
}

impl Default for InProcessRecall {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Recall for InProcessRecall {
    async fn keep(&self, key: &str, value: Bytes) {
        if value.len() <= VALUE_BYTES_MAX {
            self.0.insert(key.to_owned(), value);
        }
    }

    async fn recall(&self, key: &str) -> Option<Bytes> {
        self.0.get(key)
    }
}
