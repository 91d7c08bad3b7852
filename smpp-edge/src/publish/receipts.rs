//! Receipts go to `dlr`; then the operator gets its answers.

use std::sync::Arc;

use contract::{Receipt, queues, seal};
use queue::{Out, Queue};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::send_all;
use crate::config::Config;

/// A receipt, and where to say that it is safe.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) receipt: Receipt,
    pub(crate) sequence_number: u32,
    /// Bounded by what a bind lets in: it refuses receipts while too many are unanswered.
    pub(crate) answer: mpsc::UnboundedSender<Published>,
}

/// Sequence numbers of `deliver_sm` that may be answered now.
pub(crate) type Published = Vec<u32>;

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
    let mut answers: Vec<(mpsc::UnboundedSender<Published>, Published)> = Vec::new();
    for Arrived { receipt, sequence_number, answer } in gathered {
        receipts.push(receipt);
        match answers.iter_mut().find(|(bind, _)| bind.same_channel(&answer)) {
            Some((_, numbers)) => numbers.push(sequence_number),
            None => answers.push((answer, vec![sequence_number])),
        }
    }
    match seal(&receipts, (config.clock)()) {
        Ok(sealed) => {
            let out = sealed.into_iter().map(|sealed| Out::after(config.receipt_delay, sealed.body));
            send_all(queue, queues::DLR, out.collect()).await;
        }
        Err(error) => {
            // A bug in the type. The operator gets no answer and sends them again.
            tracing::error!(error = %error, "receipts cannot be written");
            return;
        }
    }
    for (bind, numbers) in answers {
        // A bind that is gone needs no answer: its operator sends the receipt again.
        let _ = bind.send(numbers);
    }
}
