//! The catalogue in memory: one immutable picture that requests and routing decisions read without waiting.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use domain::Catalogue;
use tokio::sync::Mutex;

use crate::{Db, Error, catalogue};

/// How often the version is looked at: a change made elsewhere is seen within this time.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Holds the newest catalogue that this process has read.
#[derive(Debug)]
pub struct Holder {
    db: Db,
    current: ArcSwap<Catalogue>,
    /// One reader at a time: whoever waited finds the work done.
    reading: Mutex<()>,
}

impl Holder {
    /// Reads the catalogue for the first time.
    pub async fn load(db: Db) -> Result<Arc<Self>, Error> {
        let first = catalogue::load(&db).await?;
        Ok(Arc::new(Self { db, current: ArcSwap::from_pointee(first), reading: Mutex::new(()) }))
    }

    /// The catalogue as it stands. Cheap; hold it for one request.
    pub fn get(&self) -> Guard<Arc<Catalogue>> {
        self.current.load()
    }

    /// Reads the catalogue anew when its version has changed. Behind a change that has committed, the next
    /// [`Holder::get`] sees it: a process reads its own writes.
    pub async fn refresh(&self) -> Result<(), Error> {
        let _reading = self.reading.lock().await;
        if catalogue::version(&self.db).await? != self.current.load().version {
            self.current.store(Arc::new(catalogue::load(&self.db).await?));
        }
        Ok(())
    }

    /// Follows changes that others make, until `shutdown`. A database that does not answer is asked again; the
    /// last picture stays in force meanwhile.
    pub async fn follow(&self, shutdown: impl Future<Output = ()>) {
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            if let Err(error) = self.refresh().await {
                tracing::warn!(error = %error, "cannot refresh the catalogue");
            }
        }
    }
}
