//! The one road from bytes to a verdict: decode, open a span, set a time limit, catch a panic, run, map.
//!
//! **Invariant:** nothing of a body reaches a log line or a parking reason: not even the decoder's message, which
//! quotes what it read.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tracing::Instrument;

use crate::{Delivery, Failure, Handler};

/// How often a message is tried before it is parked. With a first delay of a second, that is about an hour.
pub const ATTEMPTS_MAX: u32 = 20;

/// Where the doubling of delays ends. A handler that asks for more gets what it asks for.
pub const RETRY_DELAY_MAX: Duration = Duration::from_mins(5);

/// What becomes of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Done.
    Ack,
    /// Again, after this time.
    Retry(Duration),
    /// Set aside, for this reason.
    Park(String),
}

impl Verdict {
    /// Its name in metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ack => "ack",
            Self::Retry(_) => "retry",
            Self::Park(_) => "park",
        }
    }
}

/// Handles one delivery. Never panics, and ends within the handler's time limit as long as the handler does not
/// block its thread.
pub async fn process<H: Handler>(handler: &H, body: &[u8], delivery: &Delivery) -> Verdict {
    process_within(handler, body, delivery, H::TIME_LIMIT).await
}

/// The same within `limit`, where that is shorter than the handler's own.
pub async fn process_within<H: Handler>(handler: &H, body: &[u8], delivery: &Delivery, limit: Duration) -> Verdict {
    let span =
        tracing::info_span!("handle", queue = %delivery.queue, message.id = %delivery.id, attempt = delivery.received);
    let started = Instant::now();
    let verdict = judge(handler, body, delivery, limit.min(H::TIME_LIMIT)).instrument(span).await;
    metrics::counter!("chappe_handled_total", "handler" => H::NAME, "verdict" => verdict.name()).increment(1);
    metrics::histogram!("chappe_handle_seconds", "handler" => H::NAME).record(started.elapsed());
    verdict
}

async fn judge<H: Handler>(handler: &H, body: &[u8], delivery: &Delivery, limit: Duration) -> Verdict {
    if delivery.received > ATTEMPTS_MAX {
        return park(format!("was received {} times and never settled", delivery.received));
    }
    let envelope = match serde_json::from_slice(body) {
        Ok(envelope) => envelope,
        Err(error) => return park(undecodable(H::NAME, &error)),
    };
    let handling = AssertUnwindSafe(handler.handle(envelope, delivery)).catch_unwind();
    let failure = match tokio::time::timeout(limit, handling).await {
        Ok(Ok(Ok(()))) => return Verdict::Ack,
        Ok(Ok(Err(failure))) => failure,
        Ok(Err(panic)) => anyhow::anyhow!("the handler panicked: {}", panic_text(panic.as_ref())).into(),
        Err(_) => anyhow::anyhow!("the handler took longer than {limit:?}").into(),
    };
    map(failure, delivery.received)
}

/// Maps a failure, and prints its whole chain, once.
fn map(failure: Failure, received: u32) -> Verdict {
    match failure {
        Failure::Reject { why } => park(why),
        Failure::Retry { cause, .. } if received >= ATTEMPTS_MAX => {
            park(format!("gave up after {received} attempts: {cause:#}"))
        }
        Failure::Retry { after, cause } => {
            let delay = retry_delay(after, received);
            tracing::warn!(?delay, "handling failed, comes again: {cause:#}");
            Verdict::Retry(delay)
        }
    }
}

fn park(why: String) -> Verdict {
    tracing::error!("parked: {why}");
    Verdict::Park(why)
}

/// The first delay, doubled for every attempt after the first.
fn retry_delay(first: Duration, received: u32) -> Duration {
    let doublings = received.saturating_sub(1).min(ATTEMPTS_MAX);
    let grown = first.saturating_mul(1 << doublings);
    grown.min(RETRY_DELAY_MAX.max(first))
}

/// Says where decoding failed and not at what.
fn undecodable(name: &str, error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Data => "is JSON, but not the envelope that is expected",
        serde_json::error::Category::Eof => "ends too early",
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => "is not JSON",
    };
    format!("body {what} (line {} column {}) for {name}", error.line(), error.column())
}

/// What the panic said.
fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Order {
        Good,
        Fault,
        Slow,
        Reject,
        Panic,
        Hang,
    }

    struct Obedient;

    impl Handler for Obedient {
        const NAME: &'static str = "obedient";
        const TIME_LIMIT: Duration = Duration::from_secs(5);
        type Envelope = Order;

        async fn handle(&self, order: Order, _: &Delivery) -> Result<(), Failure> {
            match order {
                Order::Good => Ok(()),
                Order::Fault => Err(anyhow::anyhow!("no route to host").context("cannot load").into()),
                Order::Slow => Err(Failure::retry(Duration::from_secs(40), anyhow::anyhow!("wait"))),
                Order::Reject => Err(Failure::reject("account is closed")),
                Order::Panic => panic!("out of cheese"),
                Order::Hang => std::future::pending().await,
            }
        }
    }

    async fn check(body: &str, received: u32, expected: Verdict) {
        let delivery = Delivery { queue: "obedient".to_owned(), id: "1".to_owned(), received, enqueued_at: None };
        let verdict = process(&Obedient, body.as_bytes(), &delivery).await;
        assert_eq!(verdict, expected, "{body} at receipt {received}");
    }

    fn parked(why: &str) -> Verdict {
        Verdict::Park(why.to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn every_ending_has_its_verdict() {
        let retry = |seconds| Verdict::Retry(Duration::from_secs(seconds));
        check(r#""good""#, 1, Verdict::Ack).await;
        check(r#""good""#, ATTEMPTS_MAX, Verdict::Ack).await;
        check(r#""fault""#, 1, retry(1)).await;
        check(r#""fault""#, 2, retry(2)).await;
        check(r#""fault""#, 9, retry(256)).await;
        check(r#""fault""#, 10, retry(300)).await;
        check(r#""fault""#, 19, retry(300)).await;
        check(r#""slow""#, 1, retry(40)).await;
        check(r#""slow""#, 19, retry(300)).await;
        check(r#""panic""#, 1, retry(1)).await;
        check(r#""hang""#, 1, retry(1)).await;
        check(r#""reject""#, 1, parked("account is closed")).await;
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_are_bounded() {
        check(r#""fault""#, 20, parked("gave up after 20 attempts: cannot load: no route to host")).await;
        check(r#""panic""#, 20, parked("gave up after 20 attempts: the handler panicked: out of cheese")).await;
        check(r#""hang""#, 20, parked("gave up after 20 attempts: the handler took longer than 5s")).await;
        check(r#""good""#, 21, parked("was received 21 times and never settled")).await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_decoded_is_parked_unquoted() {
        check("", 1, parked("body ends too early (line 1 column 0) for obedient")).await;
        check("{private", 1, parked("body is not JSON (line 1 column 2) for obedient")).await;
        let other = "body is JSON, but not the envelope that is expected (line 1 column 9) for obedient";
        check(r#""private""#, 1, parked(other)).await;
    }
}
