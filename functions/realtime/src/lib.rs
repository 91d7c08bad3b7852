//! Queue `realtime`: events on their way to clients that listen at this moment, over WebSocket.
//!
//! The connections are held by the processes of the API, which hear of events by [`limits::Fanout`]; or, on AWS, by
//! API Gateway, to which events are posted (feature `lambda`). Either way it is best effort: who is not there misses
//! it, an old event is dropped, and nothing of it is ever parked.

#[cfg(feature = "lambda")]
pub mod gateway;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use chrono::TimeDelta;
use contract::{Envelope, RealtimeEvent, queues};
use host::{Clock, Delivery, Failure, Handler};
use limits::{Fanout, Message};
use secrecy::ExposeSecret as _;

/// An event that is older than this is no news: a client has read the message itself by now.
const STALE_AFTER: TimeDelta = TimeDelta::seconds(60);
/// The wait before events are tried again that could not be spread.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The handler of queue `realtime`.
#[derive(Debug)]
pub struct Realtime {
    way: Way,
    clock: Arc<dyn Clock>,
}

/// How events reach the connections.
#[derive(Debug)]
enum Way {
    /// Processes of the API hold them.
    Fanout(Arc<dyn Fanout>),
    /// API Gateway holds them.
    #[cfg(feature = "lambda")]
    Gateway(gateway::Gateway),
}

impl Realtime {
    /// A handler as the settings say: on Lambda for the connections of API Gateway, elsewhere for those of the
    /// processes of the API, which it reaches through the Redis of `REDIS_URL`.
    ///
    /// # Errors
    /// When a setting is missing or cannot be read.
    #[cfg_attr(not(feature = "lambda"), expect(clippy::unused_async, reason = "API Gateway's client is made so"))]
    pub async fn open(config: &host::Config) -> anyhow::Result<Self> {
        let clock = Arc::new(host::clock::System);
        #[cfg(feature = "lambda")]
        if config.is_lambda {
            return Ok(Self { way: Way::Gateway(gateway::Gateway::open(config).await?), clock });
        }
        ensure!(!config.is_lambda, "this program was built without the feature `lambda`");
        let url = config.redis_url.as_ref().context(
            "REDIS_URL is missing: without it, this function and the API must run in one process (chappe up)",
        )?;
        Ok(Self::over(limits::open(Some(url.expose_secret()))?.fanout, clock))
    }

    /// A handler that spreads events by `fanout`.
    pub fn over(fanout: Arc<dyn Fanout>, clock: Arc<dyn Clock>) -> Self {
        Self { way: Way::Fanout(fanout), clock }
    }

    /// A handler that posts events to the connections of `gateway`.
    #[cfg(feature = "lambda")]
    pub fn through(gateway: gateway::Gateway, clock: Arc<dyn Clock>) -> Self {
        Self { way: Way::Gateway(gateway), clock }
    }
}

impl Handler for Realtime {
    const NAME: &'static str = queues::REALTIME;
    type Envelope = Envelope<RealtimeEvent>;

    async fn handle(&self, envelope: Envelope<RealtimeEvent>, _: &Delivery) -> Result<(), Failure> {
        if self.clock.now() - envelope.at > STALE_AFTER {
            let dropped = u64::try_from(envelope.items.len()).unwrap_or(u64::MAX);
            metrics::counter!("chappe_realtime_stale_total").increment(dropped);
            return Ok(());
        }
        match &self.way {
            Way::Fanout(fanout) => {
                let messages = messages(&envelope.items);
                fanout.publish(&messages).await.map_err(|error| Failure::retry(AGAIN_AFTER, error))
            }
            #[cfg(feature = "lambda")]
            Way::Gateway(gateway) => {
                gateway.post(&envelope.items).await.map_err(|error| Failure::retry(AGAIN_AFTER, error))
            }
        }
    }
}

/// Each event for each account that listens to it.
fn messages(items: &[RealtimeEvent]) -> Vec<Message> {
    let mut messages = Vec::with_capacity(items.len());
    for item in items {
        let payload = bytes::Bytes::from(item.frame().packed());
        for listener in &item.listeners {
            messages.push(Message { topic: listener.to_string(), payload: payload.clone() });
        }
    }
    messages
}
