//! Gathers the single sends that run at the same time in this process, and accepts them together.
//!
//! A send that is alone goes at once. While a batch is under way, those that come wait for it, and under load a
//! moment longer for each other: load makes batches larger instead of making more of them. One batch at a time is
//! enough, for batches of one wallet would only wait for each other in the database.

use std::sync::Arc;
use std::time::Duration;

use store::Db;
use store::accept::{Acceptance, Single, accept_gathered};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::problem::{Code, Problem};

/// Sends that wait for a batch; more are refused with 503.
const WAITING_MAX: usize = 10_000;
/// Messages of one batch.
const BATCH_MAX: usize = 500;
/// Batches under way at the same time.
const UNDER_WAY_MAX: usize = 1;
/// How long a batch waits for company under load.
const LINGER: Duration = Duration::from_millis(4);
/// The size of the last batch from which on there is load.
const LOAD_MESSAGES: usize = 8;
/// How long a send waits for its verdict.
const VERDICT_LIMIT: Duration = Duration::from_secs(20);

/// One send, and where its verdict goes.
struct Job {
    single: Single,
    verdict: oneshot::Sender<Result<Acceptance, Problem>>,
}

/// The way into the gatherer.
#[derive(Debug, Clone)]
pub(crate) struct Intake(mpsc::Sender<Job>);

impl Intake {
    /// Starts the gatherer. It ends when the last `Intake` is dropped and its last batch is done.
    pub(crate) fn start(db: Db) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        tokio::spawn(gather(db, receiver));
        Self(sender)
    }

    /// Accepts one send, with others.
    ///
    /// # Errors
    /// When too many wait, or the database fails.
    pub(crate) async fn accept(&self, single: Single) -> Result<Acceptance, Problem> {
        self.offer(single)?.verdict().await
    }

    /// Puts one send among those that wait.
    ///
    /// # Errors
    /// When too many wait; nothing was done then.
    pub(crate) fn offer(&self, single: Single) -> Result<Waiting, Problem> {
        let (verdict, waiting) = oneshot::channel();
        let full = |_| Problem::new(Code::Unavailable, "too many sends wait at this moment; nothing was done");
        self.0.try_send(Job { single, verdict }).map_err(full)?;
        Ok(Waiting(waiting))
    }
}

/// A send that waits for its verdict.
#[derive(Debug)]
pub(crate) struct Waiting(oneshot::Receiver<Result<Acceptance, Problem>>);

impl Waiting {
    /// What became of it.
    ///
    /// # Errors
    /// When the database fails, or nothing is known in time.
    pub(crate) async fn verdict(self) -> Result<Acceptance, Problem> {
        match tokio::time::timeout(VERDICT_LIMIT, self.0).await {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(_)) | Err(_) => Err(Problem::new(
                Code::Unavailable,
                "the outcome is not known; send again with the same Idempotency-Key",
            )),
        }
    }
}

async fn gather(db: Db, mut jobs: mpsc::Receiver<Job>) {
    let under_way = Arc::new(Semaphore::new(UNDER_WAY_MAX));
    let mut last = 0;
    loop {
        let mut batch = Vec::new();
        if jobs.recv_many(&mut batch, BATCH_MAX).await == 0 {
            return;
        }
        let Ok(permit) = Arc::clone(&under_way).acquire_owned().await else { return };
        if last >= LOAD_MESSAGES {
            linger(&mut jobs, &mut batch).await;
        }
        // What came while the last batch was under way goes with this one.
        fill(&mut jobs, &mut batch);
        last = batch.len();
        let db = db.clone();
        tokio::spawn(async move {
            accept(&db, batch).await;
            drop(permit);
        });
    }
}

async fn linger(jobs: &mut mpsc::Receiver<Job>, batch: &mut Vec<Job>) {
    let until = tokio::time::Instant::now() + LINGER;
    while batch.len() < BATCH_MAX {
        let room = BATCH_MAX - batch.len();
        match tokio::time::timeout_at(until, jobs.recv_many(batch, room)).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

fn fill(jobs: &mut mpsc::Receiver<Job>, batch: &mut Vec<Job>) {
    while batch.len() < BATCH_MAX {
        match jobs.try_recv() {
            Ok(job) => batch.push(job),
            Err(_) => return,
        }
    }
}

async fn accept(db: &Db, batch: Vec<Job>) {
    let (singles, verdicts): (Vec<Single>, Vec<_>) = batch.into_iter().map(|job| (job.single, job.verdict)).unzip();
    metrics::histogram!("chappe_intake_batch_messages").record(u32::try_from(singles.len()).unwrap_or(u32::MAX));
    match accept_gathered(db, &singles).await {
        Ok(accepted) => {
            for (verdict, accepted) in verdicts.into_iter().zip(accepted) {
                // Who no longer listens has hung up; the message is accepted all the same.
                let _ = verdict.send(Ok(accepted));
            }
        }
        Err(error) => {
            let problem = Problem::from(error);
            for verdict in verdicts {
                let _ = verdict.send(Err(problem.clone()));
            }
        }
    }
}
