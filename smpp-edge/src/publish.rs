//! What binds have to say goes out gathered: outcomes to `bill`, receipts to `dlr`, messages from handsets to
//! `inbound`.

mod arrivals;
mod back;
mod outcomes;
mod unpublished;

pub(crate) use arrivals::{Arrived, Published, Request, What};
pub(crate) use unpublished::{Counted, Unpublished};

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contract::edge::SubmitKey;
use queue::{Out, Queue};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::job::Done;
use crate::recent::Recent;

/// Batches that wait for a publisher; behind that, binds keep what they have and stop taking.
const BATCHES_MAX: usize = 256;
/// Submits whose outcome was published and that are remembered, to drop repetitions without asking.
const FINISHED_REMEMBERED: usize = 100_000;
/// First and longest wait after the queue failed.
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// The ends that binds and takers hold. The publishers end when the last clone is gone.
#[derive(Clone, Debug)]
pub(crate) struct Publishers {
    pub(crate) outcomes: mpsc::Sender<Vec<Done>>,
    pub(crate) arrivals: mpsc::Sender<Vec<Arrived>>,
    pub(crate) finished: Finished,
    /// Ends the gathering of outcomes at once.
    pub(crate) urgent: Arc<Notify>,
}

/// Starts both publishers; the task ends when both have, or one panicked.
pub(crate) fn start(config: &Arc<Config>, queue: &Arc<dyn Queue>) -> (Publishers, JoinHandle<()>) {
    let (outcomes, outcomes_rx) = mpsc::channel(BATCHES_MAX);
    let (arrivals, arrivals_rx) = mpsc::channel(BATCHES_MAX);
    let finished = Finished(Arc::new(Mutex::new(Recent::new(FINISHED_REMEMBERED))));
    let urgent = Arc::new(Notify::new());
    let ends = (finished.clone(), Arc::clone(&urgent));
    let outcome_task = outcomes::run(outcomes_rx, Arc::clone(queue), Arc::clone(config), ends);
    let arrival_task = arrivals::run(arrivals_rx, Arc::clone(queue), Arc::clone(config));
    let task = tokio::spawn(async move {
        tokio::join!(outcome_task, arrival_task);
    });
    (Publishers { outcomes, arrivals, finished, urgent }, task)
}

/// Submits whose outcome this edge has published.
#[derive(Clone, Debug)]
pub(crate) struct Finished(Arc<Mutex<Recent<SubmitKey>>>);

impl Finished {
    /// Those among `keys`.
    pub(crate) fn of(&self, keys: &[SubmitKey]) -> HashSet<SubmitKey> {
        let finished = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.iter().filter(|key| finished.contains(key)).copied().collect()
    }

    fn add(&self, keys: impl Iterator<Item = SubmitKey>) {
        let mut finished = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            finished.insert(key);
        }
    }
}

/// Sends until everything is durable. Only a stop of the edge ends it earlier; then the envelopes come again.
async fn send_all(queue: &dyn Queue, name: &str, mut batch: Vec<Out>) {
    if batch.is_empty() {
        return;
    }
    let mut pause = RETRY_MIN;
    loop {
        let results = queue.send(name, &batch).await;
        let mut error = None;
        let mut failed = Vec::new();
        for (out, result) in batch.into_iter().zip(results) {
            match result {
                Ok(()) => {}
                Err(queue::SendError::TooLarge { bytes }) => {
                    tracing::error!("an envelope of {bytes} bytes for {name} is dropped: no queue takes it");
                }
                Err(queue::SendError::Failed(why)) => {
                    error = Some(why);
                    failed.push(out);
                }
            }
        }
        let Some(error) = error else { return };
        tracing::warn!(error = %error, "cannot publish {} envelopes to {name}, trying again", failed.len());
        batch = failed;
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RETRY_MAX);
    }
}
