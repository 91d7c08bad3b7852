//! Publishing: a batch goes out as a whole, then its confirms are awaited as a whole.
//!
//! What the broker cannot route it returns before it confirms it. lapin hands a returned message out with whichever
//! confirm comes next, so it is told by its id, and a channel carries one batch at a time.

use std::collections::HashSet;

use bytes::Bytes;
use futures_util::future::join_all;
use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Channel};

use super::fault::{Fault, within};
use super::link::Session;

/// The most messages, and octets, that wait for their confirms on one channel.
const CHUNK_ITEMS_MAX: usize = 256;
const CHUNK_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A message on its way to the broker.
#[derive(Debug)]
pub(super) struct Parcel {
    /// Empty for the default exchange, whose keys are names of queues.
    pub(super) exchange: &'static str,
    pub(super) key: String,
    /// With a message id.
    pub(super) properties: BasicProperties,
    pub(super) body: Bytes,
}

impl Parcel {
    /// A message straight into a queue.
    pub(super) fn to(queue: impl Into<String>, properties: BasicProperties, body: Bytes) -> Self {
        Self { exchange: "", key: queue.into(), properties, body }
    }
}

/// Publishes parcels. Returns one result per parcel, in order; `Ok` means durable. One that goes to a queue that does
/// not exist is [`Fault::Unroutable`]; news that nobody is bound to are fine.
pub(super) async fn publish(session: &Session, parcels: &[Parcel]) -> Vec<Result<(), Fault>> {
    let mut results = Vec::with_capacity(parcels.len());
    let mut rest = parcels;
    while !rest.is_empty() {
        let (chunk, later) = rest.split_at(chunk_len(rest));
        rest = later;
        match session.publishing(async |channel| publish_chunk(channel, chunk).await).await {
            Ok(published) => results.extend(published),
            Err(fault) => results.extend(chunk.iter().map(|_| Err(fault.clone()))),
        }
    }
    results
}

/// How many parcels go together; at least one.
fn chunk_len(parcels: &[Parcel]) -> usize {
    let mut bytes = 0;
    let fitting = parcels.iter().take(CHUNK_ITEMS_MAX).take_while(|parcel| {
        bytes += parcel.body.len();
        bytes <= CHUNK_BYTES_MAX
    });
    fitting.count().max(1)
}

async fn publish_chunk(channel: &Channel, chunk: &[Parcel]) -> Result<Vec<Result<(), Fault>>, Fault> {
    let sending = join_all(chunk.iter().map(|parcel| publish_one(channel, parcel)));
    let confirms = within("publishing", async { sending.await.into_iter().collect::<Result<Vec<_>, _>>() }).await?;
    let confirming = async { join_all(confirms).await.into_iter().collect::<Result<Vec<_>, _>>() };
    let confirmed = within("confirming", confirming).await?;
    let mut taken = Vec::with_capacity(confirmed.len());
    let mut returned = HashSet::new();
    for confirmation in confirmed {
        taken.push(confirmation.is_ack());
        let message = confirmation.take_message();
        returned.extend(message.and_then(|message| message.delivery.properties.message_id().clone()));
    }
    let result = |(parcel, taken): (&Parcel, bool)| match parcel.properties.message_id() {
        Some(id) if returned.contains(id) => Err(Fault::Unroutable),
        _ if taken => Ok(()),
        _ => Err(Fault::Nacked),
    };
    Ok(chunk.iter().zip(taken).map(result).collect())
}

async fn publish_one(channel: &Channel, parcel: &Parcel) -> lapin::Result<lapin::PublisherConfirm> {
    let options = BasicPublishOptions { mandatory: parcel.exchange.is_empty(), immediate: false };
    let (exchange, key) = (parcel.exchange.into(), parcel.key.as_str().into());
    channel.basic_publish(exchange, key, options, &parcel.body, parcel.properties.clone()).await
}
