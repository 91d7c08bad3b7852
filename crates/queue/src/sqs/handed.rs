//! A message as SQS hands it out, made ours.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::body::{DUE, ENCODING, decode, seconds_up};
use super::taken::Taken;
use crate::{Delivery, Lease};

/// A delay is composed of one that SQS knows and of times hidden, which count as receipts: this is how long one of
/// those is at most.
const HIDE_MAX: Duration = Duration::from_hours(11);

/// The delay that SQS knew, before the first time hidden.
const FIRST_DELAY: Duration = Duration::from_mins(15);

/// A message as SQS hands it out: to us, or to Lambda in an event.
#[derive(Clone)]
pub struct Handed {
    /// `MessageId`, and in an event `messageId`.
    pub id: String,
    /// `ReceiptHandle`: good for this receipt, in this queue.
    pub receipt_handle: String,
    /// `Body`.
    pub text: String,
    /// `ApproximateReceiveCount`.
    pub received: u32,
    /// `SentTimestamp`.
    pub sent_at: DateTime<Utc>,
    /// The message attribute `encoding`.
    pub encoding: Option<String>,
    /// The message attribute `due`, milliseconds of the Unix epoch: a delay that SQS does not know.
    pub due: Option<String>,
}

impl Handed {
    /// The name of the attribute of a message whose body is not plain text.
    pub const ENCODING: &str = ENCODING;

    /// The name of the attribute of a message with a delay that SQS does not know.
    pub const DUE: &str = DUE;

    /// How long the message must be hidden again, as it came before it is due. It is not to be handled then.
    pub fn early(&self, now: DateTime<Utc>) -> Option<Duration> {
        let wait = (self.due_at()? - now).to_std().ok()?;
        (!wait.is_zero()).then(|| wait.min(HIDE_MAX))
    }

    /// A delivery to settle with [`Queue::settle`](crate::Queue::settle). The lease is as long as the message is hidden;
    /// `None` where that is not known.
    pub fn delivery(self, lease: Option<Duration>) -> Delivery {
        let received = self.received.saturating_sub(self.times_hidden()).max(1);
        let body = decode(self.text, self.encoding.as_deref());
        let taken = Taken::new(self.id.clone(), body.clone(), received, self.sent_at);
        if let Some(lease) = lease {
            taken.hold(lease);
        }
        Delivery {
            id: self.id,
            lease: Lease::of_sqs(self.receipt_handle, Arc::new(taken)),
            body,
            received,
            enqueued_at: self.sent_at,
        }
    }

    fn due_at(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.due.as_deref()?.parse().ok()?)
    }

    /// How many receipts came before it was due.
    fn times_hidden(&self) -> u32 {
        let delay = self.due_at().and_then(|due| (due - self.sent_at).to_std().ok()).unwrap_or_default();
        let hidden_s = seconds_up(delay.saturating_sub(FIRST_DELAY));
        u32::try_from(hidden_s.div_ceil(HIDE_MAX.as_secs())).unwrap_or(0)
    }
}

impl std::fmt::Debug for Handed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handed").field("id", &self.id).field("body_bytes", &self.text.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn handed(delay: Option<Duration>, received: u32) -> Handed {
        Handed {
            id: "id".to_owned(),
            receipt_handle: "handle".to_owned(),
            text: "secret".to_owned(),
            received,
            sent_at: SENT,
            encoding: None,
            due: delay.map(|delay| delay.as_millis().to_string()),
        }
    }

    #[test]
    fn a_message_that_comes_early_is_hidden_until_it_is_due() {
        let (day, minute) = (Duration::from_hours(24), Duration::from_mins(1));
        let rows = [
            (None, minute, None),
            (Some(day), minute, Some(HIDE_MAX)),
            (Some(day), day.checked_sub(minute).unwrap(), Some(minute)),
            (Some(day), day, None),
            (Some(day), day + minute, None),
        ];
        for (delay, passed, expected) in rows {
            assert_eq!(handed(delay, 1).early(SENT + passed), expected, "{delay:?} {passed:?}");
        }
    }

    #[test]
    fn receipts_before_it_was_due_do_not_count() {
        let rows = [
            (None, 3, 3),
            (Some(Duration::from_mins(15)), 1, 1),
            (Some(Duration::from_hours(1)), 2, 1),
            (Some(Duration::from_hours(24)), 4, 1),
            (Some(Duration::from_hours(24)), 6, 3),
            (Some(Duration::from_hours(24)), 1, 1),
        ];
        for (delay, received, expected) in rows {
            let delivery = handed(delay, received).delivery(None);
            assert_eq!(delivery.received, expected, "{delay:?} {received}");
        }
        assert!(!format!("{:?} {:?}", handed(None, 1), handed(None, 1).delivery(None)).contains("secret"));
    }
}
