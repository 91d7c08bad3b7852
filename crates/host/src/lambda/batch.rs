//! Batches of a queue.
//!
//! Bodies are decoded one by one in [`process_within`]: a body that cannot be read must not sink its neighbours, and a
//! panic is caught per record for the same reason. A record without an id cannot be reported on its own (AWS takes an
//! empty id for the failure of the whole batch), so the invocation fails, openly.
//!
//! **Invariant:** a record that is not reported as failed is done, or lies in the parking queue.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::followup::{Taken, received, sent_at};
use super::{Followup, SqsBatchResponse, SqsEvent, SqsMessage, Window};
use crate::process::{Verdict, process_within};
use crate::{Delivery, Handler};

/// The most records of a batch that are handled at a time.
pub const FAN_OUT: usize = 10;

/// When a record comes again that was not done in time.
const LATE_AFTER: Duration = Duration::from_secs(1);

/// A handler of batches.
pub struct Batches<H> {
    handler: Arc<H>,
    followup: Arc<dyn Followup>,
    at_once: usize,
}

impl<H> fmt::Debug for Batches<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batches").field("at_once", &self.at_once).finish_non_exhaustive()
    }
}

impl<H: Handler> Batches<H> {
    /// Hands records to `handler`, [`FAN_OUT`] at a time, and what is not done to `followup`.
    pub fn new(handler: Arc<H>, followup: Arc<dyn Followup>) -> Self {
        Self { handler, followup, at_once: FAN_OUT }
    }

    /// Handles no more records at a time than there are connections to the database: one that waits for a connection
    /// only uses up its own time.
    #[must_use]
    pub fn at_once(self, connections: Option<u32>) -> Self {
        let connections = connections.and_then(|max| usize::try_from(max).ok()).unwrap_or(FAN_OUT);
        Self { at_once: connections.clamp(1, FAN_OUT), ..self }
    }

    pub(super) fn handler(&self) -> &H {
        &self.handler
    }

    /// Handles the records of one invocation, and lists those that SQS must keep: what is to come again, and what was
    /// not begun or not done when the time was over.
    pub async fn handle(&self, event: SqsEvent, window: Window) -> anyhow::Result<SqsBatchResponse> {
        let records: Vec<Arc<SqsMessage>> = event.records.into_iter().map(Arc::new).collect();
        if records.iter().any(|record| record.message_id.as_deref().unwrap_or_default().is_empty()) {
            bail!("a record has no id, so no record can be reported alone");
        }
        let verdicts = self.judge(&records, window.work_until()).await;
        let over = self.follow_up(&records, &verdicts, window.answer_by()).await;
        let mut response = SqsBatchResponse::default();
        for (record, is_over) in records.iter().zip(over) {
            if !is_over {
                response.add_failure(record.message_id.clone().unwrap_or_default());
            }
        }
        Ok(response)
    }

    /// A verdict for every record; those that came to none in time come again soon.
    async fn judge(&self, records: &[Arc<SqsMessage>], until: Instant) -> Vec<Verdict> {
        let limit = self.time_limit(records.len(), until);
        let mut verdicts: Vec<Option<Verdict>> = vec![None; records.len()];
        let mut waiting = records.iter().enumerate();
        let mut tasks = JoinSet::new();
        loop {
            while tasks.len() < self.at_once
                && Instant::now() < until
                && let Some((index, record)) = waiting.next()
            {
                tasks.spawn(self.handle_record(index, record, limit));
            }
            tokio::select! {
                ended = tasks.join_next() => match ended {
                    Some(Ok((index, verdict))) => verdicts[index] = Some(verdict),
                    Some(Err(error)) => tracing::error!("the task of a record was lost: {error}"),
                    None => break,
                },
                () = sleep_until(until) => break,
            }
        }
        let late = verdicts.iter().filter(|verdict| verdict.is_none()).count();
        if late > 0 {
            tracing::warn!(late, "{late} records were not done in time, they come again");
        }
        // What still runs ends here, in the middle: its transaction is rolled back.
        tasks.shutdown().await;
        // Their visibility timeout is several times as long as this invocation was.
        verdicts.into_iter().map(|verdict| verdict.unwrap_or(Verdict::Retry(LATE_AFTER))).collect()
    }

    /// How long one record may take, so that all of them fit.
    fn time_limit(&self, records: usize, until: Instant) -> Duration {
        let rounds = u32::try_from(records.div_ceil(self.at_once)).unwrap_or(u32::MAX).max(1);
        H::TIME_LIMIT.min(until.saturating_duration_since(Instant::now()) / rounds)
    }

    fn handle_record(
        &self,
        index: usize,
        record: &SqsMessage,
        limit: Duration,
    ) -> impl Future<Output = (usize, Verdict)> + use<H> {
        let (handler, delivery) = (Arc::clone(&self.handler), self.delivery(record));
        let taken = self.followup.take(record);
        async move {
            match taken {
                Taken::Early(wait) => (index, Verdict::Retry(wait)),
                Taken::Body(body) => (index, process_within(handler.as_ref(), &body, &delivery, limit).await),
            }
        }
    }

    /// For every record whether nothing is left to do.
    async fn follow_up(&self, records: &[Arc<SqsMessage>], verdicts: &[Verdict], by: Instant) -> Vec<bool> {
        let mut over: Vec<bool> = verdicts.iter().map(|verdict| *verdict == Verdict::Ack).collect();
        let mut places = Vec::new();
        let mut ended = Vec::new();
        for (place, (record, verdict)) in records.iter().zip(verdicts).enumerate() {
            if *verdict != Verdict::Ack {
                places.push(place);
                ended.push((record.as_ref(), verdict));
            }
        }
        if ended.is_empty() {
            return over;
        }
        let Ok(done) = timeout_at(by, self.followup.follow_up(&ended)).await else {
            tracing::warn!("what was not handled could not be followed up in time, it comes again");
            return over;
        };
        for (place, is_over) in places.into_iter().zip(done) {
            over[place] = is_over;
        }
        over
    }

    fn delivery(&self, record: &SqsMessage) -> Delivery {
        Delivery {
            queue: self.followup.queue_of(record),
            id: record.message_id.clone().unwrap_or_default(),
            received: received(record),
            enqueued_at: sent_at(record),
        }
    }
}

#[cfg(test)]
mod tests;
