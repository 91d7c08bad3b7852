//! The hosts: the same bodies meet the same verdicts wherever they are handled.

mod consumer;
mod lambda;
mod spy;

use std::sync::Arc;
use std::time::Duration;

use ::host::{Delivery, Failure, Handler, Verdict, consume, process};
use ::queue::{Out, Queue, Settle};
use serde::Deserialize;
use testkit::Database;
use tokio_util::sync::CancellationToken;

use spy::Spy;

/// How long a test waits for what must happen.
const LIMIT: Duration = Duration::from_secs(20);

/// Every way in which handling can end; the third is not JSON, the fourth not an envelope.
const BODIES: [&str; 8] =
    [r#""good""#, r#""fault""#, "{broken", r#"{"v":1}"#, "", r#""reject""#, r#""panic""#, r#""hang""#];

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Order {
    Good,
    Fault,
    Reject,
    Panic,
    Hang,
}

/// Ends as the envelope says.
struct Obedient;

impl Handler for Obedient {
    const NAME: &'static str = "obedient";
    const TIME_LIMIT: Duration = Duration::from_millis(200);
    type Envelope = Order;

    async fn handle(&self, order: Order, _: &Delivery) -> Result<(), Failure> {
        match order {
            Order::Good => Ok(()),
            Order::Fault => Err(anyhow::anyhow!("no route to host").into()),
            Order::Reject => Err(Failure::reject("account is closed")),
            Order::Panic => panic!("out of cheese"),
            Order::Hang => std::future::pending().await,
        }
    }
}

/// What each body means, as `process` says it; the hosts must agree.
async fn verdicts() -> Vec<(String, Verdict)> {
    let mut verdicts = Vec::new();
    for body in BODIES {
        let delivery = Delivery { queue: "obedient".to_owned(), id: "1".to_owned(), received: 1, enqueued_at: None };
        verdicts.push((body.to_owned(), process(&Obedient, body.as_bytes(), &delivery).await));
    }
    verdicts
}

#[tokio::test]
async fn every_ending_is_told_apart() {
    let verdicts = verdicts().await;
    let names: Vec<&str> = verdicts.iter().map(|(_, verdict)| verdict.name()).collect();
    assert_eq!(names, ["ack", "retry", "park", "park", "park", "park", "retry", "retry"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_consumer_settles_as_process_judges() {
    let database = Database::fresh().await;
    let queue = Arc::new(Spy::on(::queue::open(&database.url()).await.unwrap()));
    queue.create("obedient").await.unwrap();
    let batch: Vec<Out> = BODIES.iter().map(|body| Out::now(*body)).collect();
    assert!(queue.send("obedient", &batch).await.iter().all(Result::is_ok));
    let shutdown = CancellationToken::new();
    let consuming =
        tokio::spawn(consume(Arc::new(Obedient), queue.clone(), consumer::options("obedient"), shutdown.clone()));
    testkit::eventually(LIMIT, async || queue.settled().len() >= BODIES.len()).await;
    shutdown.cancel();
    consuming.await.unwrap();
    for (body, verdict) in verdicts().await {
        let settle = match verdict {
            Verdict::Ack => Settle::Ack,
            Verdict::Retry(after) => Settle::Retry(after),
            Verdict::Park(why) => Settle::Park(why),
        };
        assert!(queue.settled().contains(&(body.clone(), settle)), "{body:?} in {:?}", queue.settled());
    }
    let depth = queue.depth("obedient").await.unwrap();
    assert_eq!((depth.ready + depth.waiting, depth.parked), (3, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn lambda_reports_as_process_judges() {
    let (followed_up, failures) = lambda::invoke_once(&BODIES).await;
    for (body, verdict) in verdicts().await {
        let told = followed_up.iter().find(|(of, _)| *of == body).map(|(_, verdict)| verdict.as_str());
        let expected = format!("{verdict:?}");
        assert_eq!(told, (verdict != Verdict::Ack).then_some(expected.as_str()), "{body:?}");
        assert_eq!(failures.contains(&body), matches!(verdict, Verdict::Retry(_)), "{body:?} in {failures:?}");
    }
}
