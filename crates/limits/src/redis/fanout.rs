//! News by publish and subscribe: one connection of this process listens for all its listeners.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use ::redis::aio::{PubSub, PubSubSink};
use ::redis::{Client, RedisError};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::{ANSWER_LIMIT, Redis};
use crate::fanout::Topics;
use crate::{Fanout, Message, Subscription, Unavailable};

/// What every channel begins with; the topic follows.
const CHANNEL: &str = "chappe:{realtime}:";
/// The wait before a connection that was lost is made anew.
const AGAIN_AFTER: Duration = Duration::from_millis(250);
/// How often Redis is asked whether it still holds the subscriptions.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Messages that are sent to Redis at once.
const BATCH_MAX: usize = 500;

#[async_trait]
impl Fanout for Redis {
    async fn publish(&self, messages: &[Message]) -> Result<(), Unavailable> {
        for batch in messages.chunks(BATCH_MAX) {
            let mut pipe = ::redis::pipe();
            for message in batch {
                pipe.publish(format!("{CHANNEL}{}", message.topic), message.payload.as_ref()).ignore();
            }
            let sent: Result<(), RedisError> = pipe.query_async(&mut self.connection.clone()).await;
            sent.map_err(|error| Unavailable(error.to_string()))?;
        }
        Ok(())
    }

    fn subscribe(&self, topic: &str) -> Subscription {
        self.listening.get_or_init(|| {
            tokio::spawn(listen(self.client.clone(), Arc::downgrade(&self.topics)));
        });
        Topics::subscribe(&self.topics, topic)
    }
}

/// Listens for as long as the topics are there, and connects again whenever the connection was lost: then it
/// subscribes to everything anew. What is published meanwhile is not heard.
async fn listen(client: Client, topics: Weak<Topics>) {
    let mut away = false;
    while topics.strong_count() > 0 {
        let lost = match timeout(ANSWER_LIMIT, client.get_async_pubsub()).await {
            Ok(Ok(connection)) => {
                if std::mem::take(&mut away) {
                    tracing::info!("redis answers again, realtime goes on");
                }
                serve(connection, &topics).await
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no connection in time".to_owned()),
        };
        if let Err(error) = lost
            && !std::mem::replace(&mut away, true)
        {
            tracing::warn!(error, "redis does not answer, realtime pauses");
        }
        sleep(AGAIN_AFTER).await;
    }
}

/// Gives what the connection brings to the listeners until it is lost. `Ok`: nobody can listen any more.
async fn serve(connection: PubSub, topics: &Weak<Topics>) -> Result<(), String> {
    let (mut sink, mut messages) = connection.split();
    let mut subscribed = BTreeSet::new();
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut wanted = topics.upgrade().map(|topics| topics.names()).unwrap_or_default();
    loop {
        let Some(topics) = topics.upgrade() else { return Ok(()) };
        if wanted != subscribed {
            follow(&mut sink, &mut subscribed, wanted.clone()).await?;
        }
        tokio::select! {
            message = messages.next() => {
                let Some(message) = message else { return Err("the connection was lost".to_owned()) };
                hear(&topics, &message);
                // What is there already needs no look at the topics.
                while let Some(Some(message)) = futures_util::FutureExt::now_or_never(messages.next()) {
                    hear(&topics, &message);
                }
            }
            () = topics.changed() => wanted = topics.names(),
            _ = looks.tick() => answered(sink.ping::<::redis::Value>()).await?,
        }
    }
}

fn hear(topics: &Topics, message: &::redis::Msg) {
    if let Some(topic) = message.get_channel_name().strip_prefix(CHANNEL) {
        topics.tell(topic, Bytes::copy_from_slice(message.get_payload_bytes()));
    }
}

/// Makes `subscribed` what is `wanted`.
async fn follow(
    sink: &mut PubSubSink,
    subscribed: &mut BTreeSet<String>,
    wanted: BTreeSet<String>,
) -> Result<(), String> {
    let channels = |topics: Vec<&String>| topics.into_iter().map(|topic| format!("{CHANNEL}{topic}")).collect();
    let come: Vec<String> = channels(wanted.difference(subscribed).collect());
    let gone: Vec<String> = channels(subscribed.difference(&wanted).collect());
    if !come.is_empty() {
        answered(sink.subscribe(come)).await?;
    }
    if !gone.is_empty() {
        answered(sink.unsubscribe(gone)).await?;
    }
    *subscribed = wanted;
    Ok(())
}

async fn answered<T>(question: impl Future<Output = Result<T, RedisError>>) -> Result<(), String> {
    match timeout(ANSWER_LIMIT, question).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer in time".to_owned()),
    }
}
