//! Parked messages. To look at a queue means to take its messages and give them back; one process at a time does so.

use lapin::message::Delivery as Raw;

use super::fault::{Fault, within};
use super::publish::Parcel;
use super::stamp::{self, Stamp};
use super::{Shared, topology};
use crate::{Error, Parked};

/// How many parked messages are gone through to find one.
const SCAN_MAX: usize = 10_000;

/// What becomes of the message that was found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Replay,
    Discard,
}

pub(super) async fn parked(shared: &Shared, queue: &str, limit: usize) -> Result<Vec<Parked>, Error> {
    list(shared, queue, limit.min(SCAN_MAX)).await.map_err(|fault| fault.of(queue))
}

async fn list(shared: &Shared, queue: &str, limit: usize) -> Result<Vec<Parked>, Fault> {
    let session = shared.sending.session().await?;
    let locked = shared.names.lock(&session).await?;
    let name = topology::parked(queue);
    let mut parked = Vec::new();
    while parked.len() < limit
        && let Some(got) =
            within("looking at parked messages", locked.channel.basic_get(name.as_str().into(), <_>::default())).await?
    {
        parked.push(as_parked(got.delivery));
    }
    locked.release().await;
    parked.sort_by_key(|one| one.parked_at);
    Ok(parked)
}

fn as_parked(raw: Raw) -> Parked {
    let stamp = Stamp::of(&raw);
    let (why, parked_at) = stamp::parked(&raw);
    Parked {
        why,
        parked_at,
        received: stamp.received,
        enqueued_at: stamp.sent_at(),
        id: stamp.id,
        body: raw.data.into(),
    }
}

/// Replays or discards the parked message with this id; `false` when there is none.
pub(super) async fn settle(shared: &Shared, queue: &str, id: &str, found: Found) -> Result<bool, Error> {
    find(shared, queue, id, found).await.map_err(|fault| fault.of(queue))
}

async fn find(shared: &Shared, queue: &str, id: &str, found: Found) -> Result<bool, Fault> {
    let session = shared.sending.session().await?;
    let locked = shared.names.lock(&session).await?;
    let name = topology::parked(queue);
    for _ in 0..SCAN_MAX {
        let getting = locked.channel.basic_get(name.as_str().into(), <_>::default());
        let Some(got) = within("looking for a parked message", getting).await? else { break };
        if got.delivery.properties.message_id().as_ref().is_none_or(|own| own.as_str() != id) {
            continue;
        }
        let (acker, body) = (got.delivery.acker, got.delivery.data);
        if found == Found::Replay {
            let parcel = Parcel::to(queue, Stamp::fresh().properties(), body.into());
            shared.publish(&[parcel]).await.pop().unwrap_or(Err(Fault::Nacked))?;
        }
        within("settling a parked message", acker.ack(<_>::default())).await?;
        locked.release().await;
        return Ok(true);
    }
    locked.release().await;
    Ok(false)
}
