//! From the setting to what keeps seats and rates, remembers answers and spreads news.

use std::sync::Arc;

use crate::redis::{InvalidUrl, Redis};
use crate::{Directory, Fanout, InProcess, InProcessDirectory, InProcessFanout, InProcessRecall, Limiter, Recall};

/// Keys whose rate one process remembers.
const KEYS_MAX: usize = 100_000;

/// Everything that processes share, or that one process keeps for itself. A cheap handle.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Keeps seats.
    pub directory: Arc<dyn Directory>,
    /// Keeps rates.
    pub limiter: Arc<dyn Limiter>,
    /// Remembers answers.
    pub recall: Arc<dyn Recall>,
    /// Spreads news.
    pub fanout: Arc<dyn Fanout>,
    redis: Option<Arc<Redis>>,
}

impl Opened {
    /// This process alone.
    pub fn in_process() -> Self {
        Self {
            directory: Arc::new(InProcessDirectory::new()),
            limiter: Arc::new(InProcess::new(KEYS_MAX)),
            recall: Arc::new(InProcessRecall::new()),
            fanout: Arc::new(InProcessFanout::new()),
            redis: None,
        }
    }

    /// Makes this process one of those of `group` that take from the same rates, for as long as it lives. While Redis
    /// is away, each takes its share of every rate: the rate over the number that lived last. A process of several
    /// groups takes the share of the largest. Does nothing where nothing is shared. Call it inside a tokio runtime.
    pub fn join(&self, group: &'static str) {
        if let Some(redis) = &self.redis {
            Redis::join(redis, group);
        }
    }

    /// Whether other processes can be reached through it.
    pub fn is_shared(&self) -> bool {
        self.redis.is_some()
    }
}

/// Opens what keeps seats and rates, remembers and spreads: the Redis at `url` (`redis://`, `rediss://`, `unix://`),
/// which all processes that name it share, or without a `url` this process alone.
///
/// Connects when it is first used, and again whenever the connection was lost; a Redis that is away is an error of
/// each call and not of this one. Call it inside a tokio runtime.
pub fn open(url: Option<&str>) -> Result<Opened, InvalidUrl> {
    let Some(url) = url else { return Ok(Opened::in_process()) };
    let redis = Arc::new(Redis::open(url, InProcess::new(KEYS_MAX))?);
    Ok(Opened {
        directory: Arc::<Redis>::clone(&redis),
        limiter: Arc::<Redis>::clone(&redis),
        recall: Arc::<Redis>::clone(&redis),
        fanout: Arc::<Redis>::clone(&redis),
        redis: Some(redis),
    })
}
