//! Outcomes go to `bill`; then their envelopes are settled.

use std::collections::HashMap;
use std::sync::Arc;

use contract::{Outcome, Sealed, SubmitKey, queues, seal};
use queue::{Lease, Out, Queue, Settle};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until};

use super::{Finished, back, send_all};
use crate::config::Config;
use crate::job::Done;
use crate::meters;
use crate::track::{Back, End, Track};

/// Outcomes gathered at most before they are published.
const OUTCOMES_MAX: usize = 1_000;

/// Runs until every sender is gone and everything is published.
pub(super) async fn run(
    mut done: mpsc::Receiver<Vec<Done>>,
    queue: Arc<dyn Queue>,
    config: Arc<Config>,
    (finished, urgent): (Finished, Arc<Notify>),
) {
    while let Some(first) = done.recv().await {
        let until = Instant::now() + config.outcome_gather;
        let mut gathered = first;
        while gathered.len() < OUTCOMES_MAX {
            tokio::select! {
                more = done.recv() => match more {
                    Some(more) => gathered.extend(more),
                    None => break,
                },
                () = sleep_until(until) => break,
                () = urgent.notified() => break,
            }
        }
        publish(gathered, queue.as_ref(), &config, &finished).await;
    }
}

/// Publishes first and settles after: the order is the promise.
async fn publish(gathered: Vec<Done>, queue: &dyn Queue, config: &Config, finished: &Finished) {
    let mut outcomes = Vec::with_capacity(gathered.len());
    let mut tracks: Vec<(Arc<Track>, Option<SubmitKey>)> = Vec::with_capacity(gathered.len());
    let mut counted = Vec::with_capacity(gathered.len());
    for done in gathered {
        tracks.push((done.track, done.outcome.is_none().then_some(done.key)));
        outcomes.extend(done.outcome);
        counted.extend(done.counted);
    }
    match seal(&outcomes, (config.clock)()) {
        Ok(sealed) if sealed.is_empty() => {}
        Ok(sealed) => send_all(queue, queues::BILL, sealed.into_iter().map(out).collect()).await,
        Err(error) => {
            // A bug in the type. The envelopes stay unsettled and come again.
            tracing::error!(error = %error, "outcomes cannot be written");
            return;
        }
    }
    // Durable: the windows have room again.
    drop(counted);
    for outcome in &outcomes {
        meters::outcome(outcome.class);
    }
    finished.add(outcomes.iter().map(|Outcome { message_id, hop, .. }| (*message_id, *hop)));
    settle(&tracks, queue, config).await;
}

/// An envelope with the account that its first outcome is of: queues that share themselves fairly do so by it.
fn out(sealed: Sealed) -> Out {
    Out { group: sealed.tenant.map(|account| account.to_string()), ..Out::now(sealed.body) }
}

/// What ends on one queue.
#[derive(Default)]
struct Ends {
    settles: Vec<(Lease, Settle)>,
    backs: Vec<Back>,
}

async fn settle(tracks: &[(Arc<Track>, Option<SubmitKey>)], queue: &dyn Queue, config: &Config) {
    let mut by_queue: HashMap<&Arc<str>, Ends> = HashMap::new();
    for (track, returned) in tracks {
        let Some(end) = track.finish_one(*returned) else { continue };
        let ends = by_queue.entry(track.queue()).or_default();
        match end {
            End::Over(lease) => ends.settles.push((lease, Settle::Ack)),
            End::Back(back) => ends.backs.push(back),
        }
    }
    for (name, Ends { mut settles, backs }) in by_queue {
        settles.extend(back::replace(queue, name, backs, config).await);
        for result in queue.settle(name, settles).await {
            if let Err(error) = result {
                // It comes again, and its outcomes are known by then.
                tracing::warn!(error = %error, "cannot settle an envelope of {name}");
            }
        }
    }
}
