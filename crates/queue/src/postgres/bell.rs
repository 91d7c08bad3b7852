//! Wakes waiting receivers: one listening connection per process, one bell per queue.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// The channel on which `queue.send` says the name of the queue.
const CHANNEL: &str = "queue";

/// How long to wait before listening again after the connection broke. Receivers poll meanwhile.
const RECONNECT: Duration = Duration::from_millis(250);

type Ropes = Arc<Mutex<HashMap<String, Arc<Notify>>>>;

/// The bells of all queues of this process. Listening starts with the first waiting receiver and ends with this.
#[derive(Debug, Default)]
pub(super) struct Bells {
    ropes: Ropes,
    listener: Mutex<Option<JoinHandle<()>>>,
}

impl Bells {
    /// The bell of one queue. Its `notified()` must be enabled before looking into the queue.
    pub(super) fn of(&self, queue: &str, options: &PgConnectOptions) -> Arc<Notify> {
        self.listen(options);
        let mut ropes = self.ropes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bell) = ropes.get(queue) {
            return Arc::clone(bell);
        }
        let bell = Arc::new(Notify::new());
        ropes.insert(queue.to_owned(), Arc::clone(&bell));
        bell
    }

    fn listen(&self, options: &PgConnectOptions) {
        let mut listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        if listener.as_ref().is_none_or(JoinHandle::is_finished) {
            let ropes = Arc::clone(&self.ropes);
            *listener = Some(tokio::spawn(listen_for_ever(options.clone(), ropes)));
        }
    }
}

impl Drop for Bells {
    fn drop(&mut self) {
        let listener = self.listener.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(listener) = listener.take() {
            listener.abort();
        }
    }
}

async fn listen_for_ever(options: PgConnectOptions, ropes: Ropes) {
    loop {
        if let Err(error) = listen_once(options.clone(), &ropes).await {
            tracing::warn!(%error, "queue listener lost its connection, receivers poll meanwhile");
        }
        ring_all(&ropes);
        tokio::time::sleep(RECONNECT).await;
    }
}

/// Listens until the connection breaks.
async fn listen_once(options: PgConnectOptions, ropes: &Ropes) -> Result<(), sqlx::Error> {
    let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(options);
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    ring_all(ropes);
    while let Some(notification) = listener.try_recv().await? {
        ring(ropes, notification.payload());
    }
    Ok(())
}

fn ring(ropes: &Ropes, queue: &str) {
    let ropes = ropes.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(bell) = ropes.get(queue) {
        bell.notify_waiters();
    }
}

/// After a gap in listening every receiver looks for itself.
fn ring_all(ropes: &Ropes) {
    let ropes = ropes.lock().unwrap_or_else(PoisonError::into_inner);
    ropes.values().for_each(|bell| bell.notify_waiters());
}
