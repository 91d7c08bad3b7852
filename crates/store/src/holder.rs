//! The catalogue in memory: one immutable picture that requests and routing decisions read without waiting.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};
use domain::Catalogue;
use domain::overrides::Overrides;
use tokio::sync::Mutex;

use crate::{Db, Error, catalogue, standings};

/// How often the version is looked at: a change made elsewhere is seen within this time.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How old a picture may be that is only looked at on demand: see [`Holder::keep_fresh`].
const FRESH: Duration = Duration::from_secs(2);

/// Holds the newest catalogue that this process has read.
#[derive(Debug)]
pub struct Holder {
    db: Db,
    current: ArcSwap<Catalogue>,
    /// When the version was looked at; never, while nothing was read. Locked by one reader at a time: whoever waited
    /// finds the work done.
    looked_at: Mutex<Option<Instant>>,
}

impl Holder {
    /// Reads the catalogue for the first time.
    pub async fn load(db: Db) -> Result<Arc<Self>, Error> {
        let first = catalogue::load(&db, &Overrides::default()).await?;
        Ok(Arc::new(Self { db, current: ArcSwap::from_pointee(first), looked_at: Mutex::new(Some(Instant::now())) }))
    }

    /// An empty catalogue: who uses it asks for [`Holder::keep_fresh`] before, so that a process starts without its
    /// database.
    pub fn unread(db: Db) -> Arc<Self> {
        Arc::new(Self { db, current: ArcSwap::from_pointee(Catalogue::default()), looked_at: Mutex::new(None) })
    }

    /// The catalogue as it stands. Cheap; hold it for one request.
    pub fn get(&self) -> Guard<Arc<Catalogue>> {
        self.current.load()
    }

    /// Reads the catalogue anew when its version has changed, or only how operators stand, which changes far more often.
    /// Behind a change that has committed, the next
    /// [`Holder::get`] sees it: a process reads its own writes.
    pub async fn refresh(&self) -> Result<(), Error> {
        let mut looked_at = self.looked_at.lock().await;
        self.look(&mut looked_at).await
    }

    /// Looks for changes unless that was done a moment ago: for a process that is frozen between its requests, where
    /// nobody [follows](Holder::follow). When the database does not answer, the last picture stays in force.
    ///
    /// # Errors
    /// When there is no picture yet.
    pub async fn keep_fresh(&self) -> Result<(), Error> {
        let mut looked_at = self.looked_at.lock().await;
        match *looked_at {
            Some(at) if at.elapsed() < FRESH => Ok(()),
            None => self.look(&mut looked_at).await,
            Some(_) => {
                if let Err(error) = self.look(&mut looked_at).await {
                    tracing::warn!(error = %error, "cannot refresh the catalogue");
                }
                Ok(())
            }
        }
    }

    async fn look(&self, looked_at: &mut Option<Instant>) -> Result<(), Error> {
        let (version, standings) = catalogue::versions(&self.db).await?;
        let current = self.get();
        if looked_at.is_none() || version != current.version {
            let overrides = current.overrides.clone();
            self.current.store(Arc::new(catalogue::load(&self.db, &overrides).await?));
        } else if standings != current.standings.get().version {
            current.standings.set(standings::load(&self.db).await?);
        }
        *looked_at = Some(Instant::now());
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
