//! What a function is beside the handler of a queue: what it does with other events, and with the passing of time.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::Handler;

/// What a function does with events that are no batch of a queue: a timer's, a WebSocket's. They come on Lambda only;
/// other hosts have loops and listeners in their place.
#[async_trait]
pub trait Events: Send + Sync {
    /// Handles one event and answers what Lambda hands back to whoever sent it; the answer must be there at `until`.
    /// An error fails the invocation.
    async fn on_event(&self, event: Value, until: Instant) -> anyhow::Result<Value>;
}

/// When the answer to a request must be there: an extension of requests that come through Lambda.
#[derive(Clone, Copy, Debug)]
pub struct Until(pub Instant);

/// A function as its hosts take it: a handler, and what it does with other events where it does something.
pub struct Function<H> {
    pub(crate) handler: Arc<H>,
    pub(crate) events: Option<Arc<dyn Events>>,
}

impl<H> fmt::Debug for Function<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function").field("takes_events", &self.events.is_some()).finish_non_exhaustive()
    }
}

impl<H: Handler> Function<H> {
    /// A function that handles a queue and nothing else.
    pub fn new(handler: H) -> Self {
        Self { handler: Arc::new(handler), events: None }
    }
}

impl<H: Handler + Events> Function<H> {
    /// A function whose handler takes other events, too.
    pub fn with_events(handler: H) -> Self {
        let handler = Arc::new(handler);
        let events: Arc<dyn Events> = Arc::<H>::clone(&handler);
        Self { events: Some(events), handler }
    }
}

/// A function without a queue: time starts it. On Lambda a schedule sends events; elsewhere it runs its own loops.
pub trait Timer: Events + 'static {
    /// Names the function in logs.
    const NAME: &'static str;

    /// Does everything at its time, until `shutdown`.
    fn run(&self, shutdown: CancellationToken) -> impl Future<Output = ()> + Send;
}
