//! From the setting to what keeps seats and rates.

use std::sync::Arc;

use crate::redis::{InvalidUrl, Redis};
use crate::{Directory, InProcess, InProcessDirectory, Limiter};

/// Keys whose rate one process remembers.
const KEYS_MAX: usize = 100_000;

/// What keeps seats, and what keeps rates.
pub type Opened = (Arc<dyn Directory>, Arc<dyn Limiter>);

/// Opens what keeps seats and rates: the Redis at `url` (`redis://`, `rediss://`, `unix://`), which all processes that
/// name it share, or without a `url` this process alone.
///
/// Connects when it is first used, and again whenever the connection was lost; a Redis that is away is an error of
/// each call and not of this one. Call it inside a tokio runtime.
pub fn open(url: Option<&str>) -> Result<Opened, InvalidUrl> {
    let Some(url) = url else {
        return Ok((Arc::new(InProcessDirectory::new()), Arc::new(InProcess::new(KEYS_MAX))));
    };
    let redis = Arc::new(Redis::open(url, InProcess::new(KEYS_MAX))?);
    Ok((Arc::<Redis>::clone(&redis), redis))
}
