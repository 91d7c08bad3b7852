//! Joins what all sessions submit into few calls of the intake.
//!
//! A batch that is alone goes at once. While others are under way, those that come wait a moment for each other: load
//! makes calls larger instead of making more of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use contract::intake::{Submission, Submissions, SubmitVerdict};
use smpp::Status;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::bounds::Bounds;
use super::session::Reply;

/// Batches that wait for a call; sessions wait with more.
pub(super) const BATCHES_MAX: usize = 1024;
/// Submissions of one call.
pub(super) const CALL_MAX: usize = 1_000;
/// Calls under way at the same time.
const CALLS_MAX: u32 = 4;
/// How long a call waits for company while others are under way.
const LINGER: Duration = Duration::from_millis(3);

/// What one read of one session brought.
#[derive(Debug)]
pub(super) struct Batch<T = super::session::Ticket> {
    pub(super) submissions: Vec<Submission>,
    /// One for each submission.
    pub(super) tickets: Vec<T>,
    pub(super) reply: mpsc::UnboundedSender<Reply>,
}

/// Calls the intake.
#[derive(Debug)]
pub(super) struct Hub {
    calls: Arc<Calls>,
    permits: Arc<Semaphore>,
}

#[derive(Debug)]
struct Calls {
    intake: Arc<dyn crate::intake::Intake>,
    unanswered: Arc<AtomicUsize>,
    idle: Notify,
    bounds: Bounds,
}

impl Hub {
    pub(super) fn new(intake: Arc<dyn crate::intake::Intake>, bounds: &Bounds, unanswered: Arc<AtomicUsize>) -> Self {
        let permits = Arc::new(Semaphore::new(usize::try_from(CALLS_MAX).unwrap_or(1)));
        Self { calls: Arc::new(Calls { intake, unanswered, idle: Notify::new(), bounds: bounds.clone() }), permits }
    }

    /// Runs until every session is gone and everything has its verdict.
    pub(super) async fn run(self, mut batches: mpsc::Receiver<Batch>) {
        let mut held = None;
        loop {
            let first = match held.take() {
                Some(batch) => batch,
                None => match batches.recv().await {
                    Some(batch) => batch,
                    None => break,
                },
            };
            let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await else { break };
            let mut call = vec![first];
            held = self.gather(&mut batches, &mut call).await;
            tokio::spawn(Arc::clone(&self.calls).make(call, permit));
        }
        let _all_done = self.permits.acquire_many(CALLS_MAX).await;
    }

    /// Adds what is there and, while others are under way, what comes within a moment. Gives back a batch that is too
    /// large for this call.
    async fn gather(&self, batches: &mut mpsc::Receiver<Batch>, call: &mut Vec<Batch>) -> Option<Batch> {
        let until = Instant::now() + LINGER;
        let mut count: usize = call.iter().map(|batch| batch.submissions.len()).sum();
        loop {
            let idle = self.calls.idle.notified();
            let batch = match batches.try_recv() {
                Ok(batch) => batch,
                Err(_) if self.is_alone() || count >= CALL_MAX => return None,
                Err(_) => tokio::select! {
                    batch = batches.recv() => batch?,
                    () = idle => continue,
                    () = sleep_until(until) => return None,
                },
            };
            if count + batch.submissions.len() > CALL_MAX {
                return Some(batch);
            }
            count += batch.submissions.len();
            call.push(batch);
        }
    }

    /// Nothing is under way but the call that is being gathered.
    fn is_alone(&self) -> bool {
        u32::try_from(self.permits.available_permits()).is_ok_and(|free| free + 1 >= CALLS_MAX)
    }
}

impl Calls {
    async fn make(self: Arc<Self>, call: Vec<Batch>, permit: OwnedSemaphorePermit) {
        let mut submissions = Vec::with_capacity(call.iter().map(|batch| batch.submissions.len()).sum());
        let mut parts = Vec::with_capacity(call.len());
        for batch in call {
            submissions.extend(batch.submissions);
            parts.push((batch.tickets, batch.reply));
        }
        let count = submissions.len();
        metrics::histogram!("edge_customer_call_messages").record(u32::try_from(count).unwrap_or(u32::MAX));
        let mut verdicts = self.ask(submissions).await.into_iter();
        for (tickets, reply) in parts {
            let statuses = verdicts.by_ref().take(tickets.len()).collect();
            // A session that is gone needs no answer: its customer submits again, or asks.
            let _ = reply.send(Reply::Submits(tickets, statuses));
        }
        self.unanswered.fetch_sub(count, Ordering::AcqRel);
        drop(permit);
        self.idle.notify_one();
    }

    /// One status for each submission. What failed is asked again a few times, then nothing is known.
    async fn ask(&self, submissions: Vec<Submission>) -> Vec<Status> {
        let count = submissions.len();
        let mut submissions = Submissions { submissions, repeated: false };
        let mut wait = self.bounds.intake_again;
        for attempt in 1..=self.bounds.intake_tries {
            match timeout(self.bounds.intake_timeout, self.intake.submit(&submissions)).await {
                Ok(Ok(verdicts)) if verdicts.len() == count => return verdicts.iter().map(status).collect(),
                Ok(Ok(verdicts)) => tracing::error!("{} verdicts came for {count} submissions", verdicts.len()),
                Ok(Err(error)) => tracing::warn!(error = %format!("{error:#}"), "the intake failed, try {attempt}"),
                Err(_) => tracing::warn!("the intake did not answer in time, try {attempt}"),
            }
            submissions.repeated = true;
            sleep(wait).await;
            wait = wait.saturating_mul(2);
        }
        vec![Status::RSYSERR; count]
    }
}

fn status(verdict: &SubmitVerdict) -> Status {
    match verdict {
        SubmitVerdict::Accepted => Status::ROK,
        // A refusal is never told as a success, whatever it says.
        SubmitVerdict::Refused(refusal) if refusal.status == Status::ROK.0 => Status::RSYSERR,
        SubmitVerdict::Refused(refusal) => Status(refusal.status),
    }
}
