//! Settling and extending. A message moves by being published where it goes, confirmed, and acknowledged where it
//! was; a crash in between leaves it in both places, which "at least once" allows.

use std::time::Duration;

use futures_util::future::join_all;

use super::intake::{Held, Intake};
use super::publish::Parcel;
use super::{Shared, topology};
use crate::{Lease, Settle, SettleError};

/// A lease that still held, with its place in the batch.
struct Item {
    position: usize,
    lease: Lease,
    held: Held,
}

pub(super) async fn settle(shared: &Shared, queue: &str, batch: Vec<(Lease, Settle)>) -> Vec<Result<(), SettleError>> {
    let mut results: Vec<Result<(), SettleError>> = batch.iter().map(|_| Err(SettleError::Outdated)).collect();
    let Some(intake) = shared.intake_known(queue).await else {
        return results;
    };
    let (mut acks, mut retries, mut parks) = (Vec::new(), Vec::new(), Vec::new());
    for (position, (lease, settle)) in batch.into_iter().enumerate() {
        let Some(held) = intake.release(&lease) else { continue };
        let item = Item { position, lease, held };
        match settle {
            Settle::Ack => acks.push(item),
            Settle::Retry(after) => retries.push((item, after)),
            Settle::Park(why) => parks.push((item, why)),
        }
    }
    acks.extend(retry(shared, queue, &intake, retries, &mut results).await);
    acks.extend(park(shared, queue, &intake, parks, &mut results).await);
    let acked = join_all(acks.iter().map(|item| item.held.ack())).await;
    for (item, acked) in acks.iter().zip(acked) {
        results[item.position] = if acked { Ok(()) } else { Err(SettleError::Outdated) };
    }
    results
}

pub(super) async fn extend(
    shared: &Shared,
    queue: &str,
    leases: &[Lease],
    lease: Duration,
) -> Vec<Result<(), SettleError>> {
    let intake = shared.intake_known(queue).await;
    let extend = |one: &Lease| match &intake {
        Some(intake) if intake.extend(one, lease) => Ok(()),
        _ => Err(SettleError::Outdated),
    };
    leases.iter().map(extend).collect()
}

/// Sends messages again, now or later. Returns those that are to be acknowledged.
async fn retry(
    shared: &Shared,
    queue: &str,
    intake: &Intake,
    retries: Vec<(Item, Duration)>,
    results: &mut [Result<(), SettleError>],
) -> Vec<Item> {
    let again =
        |(item, after): &(Item, Duration)| (topology::wait_ms(*after), item.held.stamp.clone(), item.held.body.clone());
    let sent = shared.put(queue, retries.iter().map(again).collect()).await;
    moved(intake, retries.into_iter().map(|(item, _)| item), sent, results)
}

/// Sets messages aside. Returns those that are to be acknowledged.
async fn park(
    shared: &Shared,
    queue: &str,
    intake: &Intake,
    parks: Vec<(Item, String)>,
    results: &mut [Result<(), SettleError>],
) -> Vec<Item> {
    let aside = |(item, why): &(Item, String)| {
        let properties = item.held.stamp.parked(why);
        Parcel::to(topology::parked(queue), properties, item.held.body.clone())
    };
    let parcels: Vec<Parcel> = parks.iter().map(aside).collect();
    let sent = shared.publish(&parcels).await.into_iter().map(|sent| sent.map_err(|fault| fault.of(queue))).collect();
    moved(intake, parks.into_iter().map(|(item, _)| item), sent, results)
}

/// Parts what arrived at its new place from what did not, which stays leased.
fn moved(
    intake: &Intake,
    items: impl Iterator<Item = Item>,
    sent: Vec<Result<(), crate::Error>>,
    results: &mut [Result<(), SettleError>],
) -> Vec<Item> {
    let mut arrived = Vec::new();
    for (item, sent) in items.zip(sent) {
        match sent {
            Ok(()) => arrived.push(item),
            Err(error) => {
                results[item.position] = Err(SettleError::Failed(error));
                intake.put_back(&item.lease, item.held);
            }
        }
    }
    arrived
}
