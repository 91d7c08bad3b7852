//! What takes rows from committed transactions, publishes them, and deletes them.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use queue::Queue;
use store::Db;
use store::outbox::{HandOver, Outboxed, forget};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::publish::publish;

/// Transactions whose rows wait; those of more are left to the look into the outbox.
const WAITING_MAX: usize = 4_096;
/// Rows of one round, about.
const ROUND_ROWS_MAX: usize = 500;
/// Rounds under way at the same time: one waits for the queues while the other waits for the database.
const ROUNDS_MAX: usize = 4;

/// The way from the outbox to the queues in one process.
pub struct Pump {
    db: Db,
    queue: Arc<dyn Queue>,
    /// `None`: whoever hands over waits for it.
    waiting: Option<mpsc::Sender<Vec<Outboxed>>>,
    /// Rows that were handed over and are not done with.
    open: AtomicUsize,
    done: Notify,
}

impl fmt::Debug for Pump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pump").field("queue", &self.queue).field("open", &self.open).finish_non_exhaustive()
    }
}

impl Pump {
    /// A pump that runs beside its process, until that ends.
    pub fn start(db: Db, queue: Arc<dyn Queue>) -> Arc<Self> {
        let (waiting, rows) = mpsc::channel(WAITING_MAX);
        let pump = Self::new(db, queue, Some(waiting));
        tokio::spawn(run(Arc::downgrade(&pump), rows));
        pump
    }

    /// A pump that is done before the one who hands over goes on.
    pub fn waiting(db: Db, queue: Arc<dyn Queue>) -> Arc<Self> {
        Self::new(db, queue, None)
    }

    fn new(db: Db, queue: Arc<dyn Queue>, waiting: Option<mpsc::Sender<Vec<Outboxed>>>) -> Arc<Self> {
        Arc::new(Self { db, queue, waiting, open: AtomicUsize::new(0), done: Notify::new() })
    }

    /// Waits until nothing that was handed over is open.
    pub async fn drained(&self) {
        loop {
            let done = self.done.notified();
            tokio::pin!(done);
            done.as_mut().enable();
            if self.open.load(Ordering::SeqCst) == 0 {
                return;
            }
            done.await;
        }
    }

    /// Publishes, then deletes. What is not published, or not deleted, is found by the look into the outbox.
    async fn carry(&self, rows: Vec<Outboxed>) {
        let ids: Vec<Uuid> = publish(self.queue.as_ref(), &rows).await;
        if let Err(error) = forget(&self.db, &ids).await {
            tracing::warn!(error = %error, "rows of the outbox are published and not deleted, they go again");
        }
        self.close(rows.len());
    }

    fn close(&self, rows: usize) {
        self.open.fetch_sub(rows, Ordering::SeqCst);
        self.done.notify_waiters();
    }
}

impl HandOver for Pump {
    fn take(&self, rows: Vec<Outboxed>) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.open.fetch_add(rows.len(), Ordering::SeqCst);
        let Some(waiting) = &self.waiting else { return Box::pin(self.carry(rows)) };
        if let Err(refused) = waiting.try_send(rows) {
            let left = refused.into_inner().len();
            metrics::counter!("chappe_outbox_rows_total", "result" => "overflow")
                .increment(u64::try_from(left).unwrap_or(0));
            self.close(left);
        }
        Box::pin(std::future::ready(()))
    }
}

/// Carries what is handed over, in rounds, until nobody holds the pump any more.
async fn run(pump: std::sync::Weak<Pump>, mut rows: mpsc::Receiver<Vec<Outboxed>>) {
    let rounds = Arc::new(Semaphore::new(ROUNDS_MAX));
    while let Some(first) = rows.recv().await {
        let Ok(permit) = Arc::clone(&rounds).acquire_owned().await else { return };
        let Some(pump) = pump.upgrade() else { return };
        let round = gather(first, &mut rows, pump.queue.as_ref()).await;
        tokio::spawn(async move {
            pump.carry(round).await;
            drop(permit);
        });
    }
}

/// Joins what is handed over at the same time, as far as a moment is worth it to the queue.
async fn gather(first: Vec<Outboxed>, rows: &mut mpsc::Receiver<Vec<Outboxed>>, queue: &dyn Queue) -> Vec<Outboxed> {
    let (mut round, until) = (first, Instant::now() + queue.linger());
    while round.len() < ROUND_ROWS_MAX {
        match timeout_at(until, rows.recv()).await {
            Ok(Some(more)) => round.extend(more),
            Ok(None) | Err(_) => break,
        }
    }
    round
}
