//! Receipts go to `dlr` and messages from handsets to `inbound`; then the operator gets its answers.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use contract::{InboundPart, Item, Receipt, queues, seal};
use queue::{Out, Queue};
use smpp::CommandId;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::send_all;
use crate::config::Config;

/// What an operator sent, and where to say that it is safe.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) what: What,
    pub(crate) request: Request,
    /// Bounded by what a bind lets in: it refuses more while too many are unanswered.
    pub(crate) answer: mpsc::UnboundedSender<Published>,
}

/// What it is.
#[derive(Debug)]
pub(crate) enum What {
    Receipt(Receipt),
    Inbound(InboundPart),
}

/// The PDU that brought it: `deliver_sm` or `data_sm`, and its sequence number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) command_id: CommandId,
    pub(crate) sequence_number: u32,
}

/// Requests that may be answered now.
pub(crate) type Published = Vec<Request>;

/// Runs until every sender is gone and everything is published.
pub(super) async fn run(mut arrived: mpsc::Receiver<Vec<Arrived>>, queue: Arc<dyn Queue>, config: Arc<Config>) {
    while let Some(mut gathered) = arrived.recv().await {
        sleep(config.receipt_gather).await;
        while let Ok(more) = arrived.try_recv() {
            gathered.extend(more);
        }
        publish(gathered, queue.as_ref(), &config).await;
    }
}

async fn publish(gathered: Vec<Arrived>, queue: &dyn Queue, config: &Config) {
    let mut receipts = Vec::with_capacity(gathered.len());
    let mut inbound = Vec::new();
    let mut answers: Vec<(mpsc::UnboundedSender<Published>, Published)> = Vec::new();
    for Arrived { what, request, answer } in gathered {
        match what {
            What::Receipt(receipt) => receipts.push(receipt),
            What::Inbound(part) => inbound.push(part),
        }
        match answers.iter_mut().find(|(bind, _)| bind.same_channel(&answer)) {
            Some((_, requests)) => requests.push(request),
            None => answers.push((answer, vec![request])),
        }
    }
    let now = (config.clock)();
    let (Some(receipts), Some(inbound)) = (bodies(&receipts, now), bodies(&inbound, now)) else { return };
    let later = receipts.into_iter().map(|body| Out::after(config.receipt_delay, body));
    send_all(queue, queues::DLR, later.collect()).await;
    send_all(queue, queues::INBOUND, inbound.into_iter().map(Out::now).collect()).await;
    for (bind, requests) in answers {
        // A bind that is gone needs no answer: its operator sends the same again.
        let _ = bind.send(requests);
    }
}

/// `None` is a bug in the type. The operator gets no answer and sends everything again.
fn bodies<T: Item>(items: &[T], now: DateTime<Utc>) -> Option<Vec<Vec<u8>>> {
    match seal(items, now) {
        Ok(sealed) => Some(sealed.into_iter().map(|sealed| sealed.body).collect()),
        Err(error) => {
            tracing::error!(error = %error, "{} cannot be written", T::KIND);
            None
        }
    }
}
