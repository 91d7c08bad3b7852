//! Which database and which queues a command looks into.

use std::sync::Arc;

use anyhow::Result;
use queue::Queue;
use store::{Db, Publish};

use crate::cli::Common;
use crate::exit::Misused;
use crate::folder::Folder;
use crate::settings::given;

/// The database that was named, or the private one that `chappe up` runs in the data folder.
pub(crate) fn url(common: &Common) -> Result<String> {
    if let Some(url) = given(common.database_url.as_deref(), "DATABASE_URL")? {
        return Ok(url);
    }
    let folder = Folder::new(&common.data_dir);
    let mut running = pgserver::running_url(&folder.postgres()?)?;
    if running.is_none() {
        // Root looks at a platform of another user, as service managers run it.
        running = pgserver::running_url(&folder.postgres_of_its_user())?;
    }
    Ok(running.ok_or_else(|| {
        Misused(format!(
            "no database: nothing runs in {}; start `chappe up`, or set DATABASE_URL",
            common.data_dir.display()
        ))
    })?)
}

/// The database of [`url`]; connects at first use.
pub(crate) fn open(common: &Common) -> Result<Db> {
    let url = url(common)?;
    Db::open(&url, publishing(common)?).map_err(|error| Misused(format!("DATABASE_URL: {error}")).into())
}

/// How messages leave a transaction: with it where the queues are in the same database, by the outbox otherwise.
fn publishing(common: &Common) -> Result<Publish> {
    Ok(if queue_url(common)?.is_some() { Publish::Outbox } else { Publish::InTransaction })
}

/// The queues that were named, or those in the database.
pub(crate) async fn queues(common: &Common) -> Result<Arc<dyn Queue>> {
    let url = match queue_url(common)? {
        Some(url) => url,
        None => url(common)?,
    };
    queue::open(&url).await.map_err(|error| Misused(format!("QUEUE_URL: {error}")).into())
}

/// Where the queues are when they are not in the database, which `postgres:` alone means.
fn queue_url(common: &Common) -> Result<Option<String>> {
    Ok(given(common.queue_url.as_deref(), "QUEUE_URL")?.filter(|url| url != "postgres:"))
}
