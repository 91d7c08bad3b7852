//! Messages that go back to their queue go in an envelope of their own.
//!
//! Their old envelope would come again as a repeated one, and whoever gets that has to find out first what became of
//! its messages. Here that is known: of these, nothing was sent.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use contract::{Envelope, Routed, SubmitKey, seal};
use queue::{Lease, Out, Queue, Settle, SettleError, chain};

use crate::config::Config;
use crate::track::Back;

/// Wait before messages that were given back come again.
const RETURN_DELAY: Duration = Duration::from_secs(1);

/// Puts messages into the queue anew. Gives what to settle their old envelopes with: where that fails, or a crash comes
/// between, an old envelope comes again as well, and its messages have their outcomes by then.
pub(super) async fn replace(queue: &dyn Queue, name: &str, backs: Vec<Back>, config: &Config) -> Vec<(Lease, Settle)> {
    if backs.is_empty() {
        return Vec::new();
    }
    let leases: Vec<Lease> = backs.iter().map(|back| back.lease.clone()).collect();
    let held = queue.extend(name, &leases, config.lease).await;
    let (mut settles, mut fresh, mut replaced) = (Vec::new(), Vec::new(), Vec::new());
    for (back, held) in backs.into_iter().zip(held) {
        match held.map(|()| remainder(&back, (config.clock)())) {
            Ok(Some(outs)) => {
                replaced.push((back.lease, outs.len()));
                fresh.extend(outs);
            }
            // Somebody else got it, with everything in it.
            Err(SettleError::Outdated) => {}
            Ok(None) | Err(SettleError::Failed(_)) => settles.push((back.lease, Settle::Retry(RETURN_DELAY))),
        }
    }
    let mut sent = queue.send(name, &fresh).await.into_iter();
    for (lease, count) in replaced {
        // Every answer is taken out, whichever failed.
        let failures = sent.by_ref().take(count).filter_map(Result::err).inspect(|error| {
            tracing::warn!(error = %chain(error), "cannot put messages back into {name}");
        });
        let settle = if failures.count() == 0 { Settle::Ack } else { Settle::Retry(RETURN_DELAY) };
        settles.push((lease, settle));
    }
    settles
}

/// What goes into the queue; `None` for what cannot be written, which goes back whole.
fn remainder(back: &Back, at: DateTime<Utc>) -> Option<Vec<Out>> {
    let keys: HashSet<SubmitKey> = back.keys.iter().copied().collect();
    let mut envelope: Envelope<Routed> = serde_json::from_slice(&back.body).ok()?;
    envelope.items.retain(|item| keys.contains(&(item.message_id, item.hop)));
    let sealed = seal(&envelope.items, at).ok()?;
    let outs: Vec<Out> = sealed.into_iter().map(|one| Out::after(RETURN_DELAY, one.body)).collect();
    Some(outs).filter(|outs| !outs.is_empty())
}
