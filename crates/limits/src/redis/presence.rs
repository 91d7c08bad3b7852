//! Whether Redis answers: while it does not, no request of a customer waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::redis::aio::ConnectionManager;
use tokio::time::{sleep, timeout};

use super::ANSWER_LIMIT;

/// How often a Redis that is away is asked whether it is back.
const ASK_AGAIN_EVERY: Duration = Duration::from_millis(500);

/// What this process knows of Redis.
#[derive(Debug, Default)]
pub(super) struct Presence {
    away: AtomicBool,
}

impl Presence {
    pub(super) fn is_away(&self) -> bool {
        self.away.load(Ordering::Relaxed)
    }
}

/// Redis did not answer. The first who learns it sends somebody to look for it, so that no request has to.
pub(super) fn lost(presence: &Arc<Presence>, connection: &ConnectionManager, why: &str) {
    if presence.away.swap(true, Ordering::Relaxed) {
        return;
    }
    tracing::warn!(error = why, "redis does not answer: rates are shares of this process until it does");
    let (presence, mut connection) = (Arc::downgrade(presence), connection.clone());
    tokio::spawn(async move {
        loop {
            sleep(ASK_AGAIN_EVERY).await;
            let answer = timeout(ANSWER_LIMIT, ::redis::cmd("PING").query_async::<String>(&mut connection)).await;
            let Some(presence) = presence.upgrade() else { return };
            if matches!(answer, Ok(Ok(_))) {
                tracing::info!("redis answers again");
                presence.away.store(false, Ordering::Relaxed);
                return;
            }
        }
    });
}
