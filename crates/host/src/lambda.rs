//! The host of AWS Lambda: batches of a queue behind an SQS event source mapping with `ReportBatchItemFailures`,
//! other events, and HTTP behind an HTTP API.
//!
//! The process is frozen from each answer to the next invocation. So nothing is left to the background: functions come
//! to rest in [`Handler::before_freeze`], and metrics are written as log lines ([`Emf`]) before the answer.
//!
//! An invocation ends before Lambda would end it: at its deadline less a margin ([`Window`]) what is not done is given
//! up, and told to be so.

mod batch;
mod emf;
mod followup;
mod http;
mod window;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use anyhow::Context as _;
use futures_util::FutureExt as _;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;

pub use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};

pub use crate::events::Events;
pub use batch::{Batches, FAN_OUT};
pub use emf::Emf;
pub use followup::{Followup, ReportOnly, Settling};
pub use http::run_http;
pub use window::Window;

use crate::Handler;

/// Serves batches, and other events where there is someone for them, until Lambda ends the process.
pub async fn run<H: Handler>(batches: Batches<H>, events: Option<Arc<dyn Events>>) -> anyhow::Result<()> {
    let (batches, emf) = (Arc::new(batches), Emf::install()?);
    serve(move |event, window| {
        let (batches, events, emf) = (Arc::clone(&batches), events.clone(), emf.clone());
        async move {
            let answer = answer(&batches, events.as_deref(), event, window).await;
            rest(batches.handler(), window).await;
            emf.flush();
            answer
        }
    })
    .await
}

/// Serves events that are no batches until Lambda ends the process.
pub async fn run_events(events: Arc<dyn Events>) -> anyhow::Result<()> {
    let emf = Emf::install()?;
    serve(move |event, window| {
        let (events, emf) = (Arc::clone(&events), emf.clone());
        async move {
            let answer = on_event(events.as_ref(), event, window).await;
            emf.flush();
            answer
        }
    })
    .await
}

async fn serve<F>(invoke: impl Fn(Value, Window) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<Value>>,
{
    let service = service_fn(|event: LambdaEvent<Value>| {
        let window = Window::of(&event.context);
        let invoked = invoke(event.payload, window);
        async move { invoked.await.inspect_err(|error| tracing::error!("the invocation failed: {error:#}")).map_err(told) }
    });
    lambda_runtime::run(service).await.map_err(|error| anyhow::anyhow!(error))
}

/// What Lambda is told of an error, the whole chain.
#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
fn told(error: anyhow::Error) -> String {
    format!("{error:#}")
}

async fn answer<H: Handler>(
    batches: &Batches<H>,
    events: Option<&dyn Events>,
    event: Value,
    window: Window,
) -> anyhow::Result<Value> {
    if is_batch(&event) {
        let batch: SqsEvent = serde_json::from_value(event).context("the batch cannot be read")?;
        return Ok(serde_json::to_value(batches.handle(batch, window).await?)?);
    }
    let events = events.with_context(|| format!("{} takes batches of a queue, and this event is none", H::NAME))?;
    on_event(events, event, window).await
}

/// SQS says of every record where it comes from. A record that does not is not of SQS, and could not be reported.
fn is_batch(event: &Value) -> bool {
    let records = event["Records"].as_array();
    records.is_some_and(|records| records.iter().any(|record| record["eventSource"] == "aws:sqs"))
}

async fn on_event(events: &dyn Events, event: Value, window: Window) -> anyhow::Result<Value> {
    let answer = tokio::time::timeout_at(window.answer_by(), events.on_event(event, window.work_until()));
    answer.await.context("the event took longer than the function may run")?
}

/// Lets the function come to rest. What fails there has no answer to change: it is logged.
async fn rest<H: Handler>(handler: &H, window: Window) {
    let resting = AssertUnwindSafe(handler.before_freeze(window.work_until())).catch_unwind();
    match tokio::time::timeout_at(window.answer_by(), resting).await {
        Ok(Ok(())) => {}
        Ok(Err(_)) => tracing::error!("{} panicked before it was frozen", H::NAME),
        Err(_) => tracing::warn!("{} did not come to rest before it is frozen", H::NAME),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_told_from_other_events() {
        let rows = [
            (r#"{"Records":[{"eventSource":"aws:sqs"}]}"#, true),
            (r#"{"Records":[{"eventSource":"aws:s3"}]}"#, false),
            (r#"{"Records":[]}"#, false),
            (r#"{"looks":["outbox"]}"#, false),
            ("null", false),
        ];
        for (event, expected) in rows {
            assert_eq!(is_batch(&serde_json::from_str(event).unwrap()), expected, "{event}");
        }
    }
}
