//! Receiving, in a task of its own: whoever stops waiting for it loses no message, because the task gives back what
//! it got.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Shared;
use super::answer::{ack, give_back};
use super::fault::Fault;
use super::flow::Came;
use super::stamp::Stamp;
use crate::{Delivery, Error, RECEIVE_MAX, Settle, Take, name_is_valid};

pub(super) async fn receive(shared: &Arc<Shared>, queue: &str, take: Take) -> Result<Vec<Delivery>, Error> {
    if !name_is_valid(queue) {
        return Err(Error::NoQueue(queue.to_owned()));
    }
    if take.max == 0 {
        return Ok(Vec::new());
    }
    let (answer, answered) = oneshot::channel();
    tokio::spawn(run(Arc::clone(shared), queue.to_owned(), take, answer));
    match answered.await {
        Ok(received) => received.map_err(|fault| fault.of(queue)),
        Err(_) => Err(Fault::Cancelled.into()),
    }
}

type Answer = oneshot::Sender<Result<Vec<Delivery>, Fault>>;

async fn run(shared: Arc<Shared>, queue: String, take: Take, mut answer: Answer) {
    let received = look_until(&shared, &queue, take, &mut answer).await;
    if let Err(Ok(unwanted)) = answer.send(received) {
        let batch = unwanted.into_iter().map(|one| (one.lease, Settle::Retry(std::time::Duration::ZERO))).collect();
        super::settle::settle(&shared, &queue, batch).await;
        let_go(&shared, &queue).await;
    }
}

/// Looks until something came that is due, or the time is over.
async fn look_until(shared: &Shared, queue: &str, take: Take, answer: &mut Answer) -> Result<Vec<Delivery>, Fault> {
    let max = take.max.min(RECEIVE_MAX);
    let deadline = Instant::now() + take.wait;
    loop {
        let intake = shared.taking.session().await?.intake(queue).await?;
        let came = intake.flow.take(max, deadline, answer).await?;
        let (early, due): (Vec<Came>, Vec<Came>) = came.into_iter().partition(|came| Stamp::of(&came.raw).left_ms > 0);
        let found = intake.lease(due, take.lease);
        put_again(shared, queue, early).await;
        if !found.is_empty() || Instant::now() >= deadline || answer.is_closed() {
            return Ok(found);
        }
    }
}

/// Gives back what came ahead of a call.
pub(super) async fn let_go(shared: &Shared, queue: &str) {
    if let Some(intake) = shared.intake_known(queue).await {
        put_again(shared, queue, intake.flow.close(Instant::now()).await).await;
    }
}

/// Puts messages that nobody received yet where they belong: those that must wait longer into their next bucket, the
/// others at the end of the queue. Not returned to the broker, which would count that as a receipt.
async fn put_again(shared: &Shared, queue: &str, came: Vec<Came>) {
    if came.is_empty() {
        return;
    }
    let mut taken = Vec::with_capacity(came.len());
    let mut parcels = Vec::with_capacity(came.len());
    for Came { raw, place, .. } in came {
        let stamp = Stamp::unreceived(&raw);
        taken.push((raw.acker, place));
        parcels.push((stamp.left_ms, stamp, Bytes::from(raw.data)));
    }
    let moved = shared.put(queue, parcels).await;
    let (done, left): (Vec<_>, Vec<_>) = taken.into_iter().zip(moved).partition(|(_, moved)| moved.is_ok());
    join_all(done.iter().map(|((acker, _), _)| ack(acker))).await;
    give_back(left.into_iter().map(|((acker, _), _)| acker)).await;
}
