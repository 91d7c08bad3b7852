//! The answers to deliveries.

use std::time::Duration;

use futures_util::future::join_all;
use lapin::Acker;
use lapin::options::BasicNackOptions;
use tokio::time::{Instant, timeout};

use super::fault::CALL_TIMEOUT;

/// How often an answer that is not written yet looks whether its connection still stands.
const ALIVE_TICK: Duration = Duration::from_millis(50);

/// Tells the broker that a message is done; whether that still counts.
pub(super) async fn ack(acker: &Acker) -> bool {
    written(acker, acker.ack(<_>::default())).await
}

/// Gives messages back to the broker. Where that fails, the connection is gone, and the broker takes them back on its
/// own.
pub(super) async fn give_back(ackers: impl IntoIterator<Item = Acker>) {
    let options = BasicNackOptions { multiple: false, requeue: true };
    let nacking = ackers.into_iter().map(|acker| async move { written(&acker, acker.nack(options)).await });
    join_all(nacking).await;
}

/// Waits until an answer to a delivery is written; whether it was. lapin loses an answer that is given in the moment
/// in which its connection ends, and whoever waits for that one waits for ever: so the connection is looked at too.
async fn written(acker: &Acker, answer: impl Future<Output = lapin::Result<bool>>) -> bool {
    let mut answer = std::pin::pin!(answer);
    let give_up = Instant::now() + CALL_TIMEOUT;
    loop {
        match timeout(ALIVE_TICK, &mut answer).await {
            Ok(written) => return matches!(written, Ok(true)),
            Err(_) if acker.poisoned() || Instant::now() >= give_up => return false,
            Err(_) => {}
        }
    }
}
