//! News for the world outside: topic exchanges that anybody may bind a queue to.

use std::sync::Arc;

use lapin::ExchangeKind;
use lapin::options::ExchangeDeclareOptions;

use super::fault::{Fault, within};
use super::link::Session;
use super::publish::{Parcel, publish};
use super::stamp;
use crate::{News, Topic};

/// Kept on disk by every queue that is durable.
const PERSISTENT: u8 = 2;

/// Publishes news; one result per item. What nobody listens to is gone, and that is fine.
pub(super) async fn announce(session: &Arc<Session>, news: &[News]) -> Vec<Result<(), Fault>> {
    if let Err(fault) = session.exchanges.get_or_try_init(|| declare(session)).await {
        return news.iter().map(|_| Err(fault.clone())).collect();
    }
    let parcels: Vec<Parcel> = news.iter().map(parcel).collect();
    publish(session, &parcels).await
}

async fn declare(session: &Session) -> Result<(), Fault> {
    let channel = session.channel().await?;
    for topic in Topic::ALL {
        let options = ExchangeDeclareOptions { durable: true, ..<_>::default() };
        let declaring = channel.exchange_declare(topic.name().into(), ExchangeKind::Topic, options, <_>::default());
        within("declaring an exchange", declaring).await?;
    }
    Ok(())
}

fn parcel(news: &News) -> Parcel {
    let properties = lapin::BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_content_type("application/json".into())
        .with_message_id(news.id.as_str().into())
        .with_app_id("chappe".into())
        .with_timestamp(u64::try_from(stamp::now_ms() / 1_000).unwrap_or(0));
    Parcel { exchange: news.topic.name(), key: news.key.clone(), properties, body: news.body.clone() }
}
