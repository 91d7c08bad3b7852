//! Connections that API Gateway holds for us (its WebSocket API): their rows in the database, the posts to them, and
//! the events of their life.
//!
//! API Gateway calls the function for `$connect`, `$default` and `$disconnect`; what goes to a client is posted to the
//! management API of the stage (`POST /@connections/{id}`).

mod credentials;
mod events;
mod post;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use contract::RealtimeEvent;
use contract::realtime::{Filter, Frame};
use domain::AccountId;
use futures_util::{StreamExt as _, stream};
use host::Config;
use host::secrets::Keys;
use store::realtime::{self, Connection};
use store::{Db, Publish};

pub use post::{ManagementApi, PostError, PostToConnection};

/// Connections that are posted to at the same time.
const POSTS_MAX: usize = 32;

/// The connections of one API Gateway.
pub struct Gateway {
    db: Db,
    keys: Arc<Keys>,
    posts: Arc<dyn PostToConnection>,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("db", &self.db).finish_non_exhaustive()
    }
}

/// How the posts of one connection ended.
enum Ended {
    Posted,
    /// The connection is gone, or has become useless.
    Gone(String),
    Failed,
}

impl Gateway {
    /// The connections of the stage at `CHAPPE_REALTIME_ENDPOINT`.
    ///
    /// # Errors
    /// When a setting is missing or cannot be read.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        let db = Db::open(config.database_url()?, Publish::between(config.database_url()?, config.queue_url()?))?;
        let posts = ManagementApi::open(config.realtime_endpoint()?).await;
        Ok(Self::new(db, Arc::new(config.keys()?), Arc::new(posts)))
    }

    /// Connections in `db`, posted to by `posts`.
    pub fn new(db: Db, keys: Arc<Keys>, posts: Arc<dyn PostToConnection>) -> Self {
        Self { db, keys, posts }
    }

    /// Posts each event to the connections of who listens to it, in its order. A connection that is gone is
    /// forgotten; one that cannot be posted to misses the rest of this envelope.
    pub(crate) async fn post(&self, items: &[RealtimeEvent]) -> Result<(), store::Error> {
        let mut of_account: HashMap<AccountId, Vec<usize>> = HashMap::new();
        for (at, item) in items.iter().enumerate() {
            for listener in &item.listeners {
                of_account.entry(*listener).or_default().push(at);
            }
        }
        let frames: Vec<Frame> = items.iter().map(RealtimeEvent::frame).collect();
        let accounts: Vec<AccountId> = of_account.keys().copied().collect();
        let connections = realtime::connections(&self.db, &accounts).await?;
        let posts = connections.into_iter().map(|connection| {
            let wanted =
                of_account.get(&connection.holder.account).into_iter().flatten().filter_map(|at| frames.get(*at));
            self.post_to(connection, wanted.collect())
        });
        let ended: Vec<Ended> = stream::iter(posts).buffer_unordered(POSTS_MAX).collect().await;
        let failed = ended.iter().filter(|ended| matches!(ended, Ended::Failed)).count();
        metrics::counter!("chappe_realtime_posts_failed_total").increment(u64::try_from(failed).unwrap_or(u64::MAX));
        let gone = ended.into_iter().filter_map(|ended| match ended {
            Ended::Gone(id) => Some(id),
            Ended::Posted | Ended::Failed => None,
        });
        let gone: Vec<String> = gone.collect();
        if gone.is_empty() { Ok(()) } else { realtime::disconnect(&self.db, &gone).await }
    }

    async fn post_to(&self, connection: Connection, frames: Vec<&Frame>) -> Ended {
        // What was stored was read when it came.
        let filter = Filter::of(connection.events.iter().map(String::as_str)).unwrap_or_default();
        for frame in frames.into_iter().filter(|frame| filter.passes(&frame.name)) {
            match self.posts.post(&connection.id, frame.json.clone().into()).await {
                Ok(()) => {}
                Err(PostError::Gone) => return Ended::Gone(connection.id),
                Err(PostError::Failed(error)) => {
                    tracing::warn!(error = format!("{error:#}"), "cannot post to a connection");
                    return Ended::Failed;
                }
            }
        }
        Ended::Posted
    }
}
