//! What waits where, as gauges: the numbers that wake somebody at night.
//!
//! Every queue is measured by the one process that sweeps, so that a queue is not counted once for each process that
//! reads it. Where the sweep itself stands still, `chappe_backlog_measured_timestamp_seconds` grows old.

use chrono::{DateTime, Utc};
use queue::{Depth, Queue};
use store::{Db, outbox};

/// Rows of the outbox at which counting stops.
const OUTBOX_ROWS_MAX: i64 = 100_000;

/// Sets the gauges. A queue that does not answer is left as it was and fails the look.
pub(crate) async fn measure(db: &Db, queue: &dyn Queue, now: DateTime<Utc>) -> anyhow::Result<u64> {
    for name in queue.queues().await? {
        show(&name, &queue.depth(&name).await?);
    }
    let waiting = outbox::waiting(db, OUTBOX_ROWS_MAX).await?;
    let age = waiting.oldest.and_then(|oldest| (now - oldest).to_std().ok());
    metrics::gauge!("chappe_outbox_rows").set(u32::try_from(waiting.rows)?);
    metrics::gauge!("chappe_outbox_oldest_age_seconds").set(age.unwrap_or_default());
    metrics::gauge!("chappe_backlog_measured_timestamp_seconds").set(u32::try_from(now.timestamp())?);
    Ok(0)
}

fn show(queue: &str, depth: &Depth) {
    let name = || queue.to_owned();
    let counts = [
        (metrics::gauge!("chappe_queue_ready_messages", "queue" => name()), depth.ready),
        (metrics::gauge!("chappe_queue_waiting_messages", "queue" => name()), depth.waiting),
        (metrics::gauge!("chappe_queue_parked_messages", "queue" => name()), depth.parked),
    ];
    for (gauge, count) in counts {
        // Counting stops long before.
        gauge.set(u32::try_from(count).unwrap_or(u32::MAX));
    }
    metrics::gauge!("chappe_queue_oldest_age_seconds", "queue" => name()).set(depth.oldest_age.unwrap_or_default());
}
