use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use serde_json::json;

use super::*;
use crate::Failure;
use crate::lambda::ReportOnly;

/// Takes so many seconds as the envelope says, and counts how many do so at a time.
#[derive(Default)]
struct Sleeper {
    running: AtomicUsize,
    most: AtomicUsize,
}

impl Handler for Sleeper {
    const NAME: &'static str = "sleeper";
    type Envelope = u64;

    async fn handle(&self, seconds: u64, _: &Delivery) -> Result<(), Failure> {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(running, Ordering::SeqCst);
        sleep_until(Instant::now() + Duration::from_secs(seconds)).await;
        self.running.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }
}

fn batch(bodies: &[&str]) -> SqsEvent {
    let record = |(index, body): (usize, &&str)| json!({ "messageId": format!("id-{index}"), "body": body });
    let records: Vec<_> = bodies.iter().enumerate().map(record).collect();
    serde_json::from_value(json!({ "Records": records })).unwrap()
}

fn failures(response: &SqsBatchResponse) -> Vec<&str> {
    response.batch_item_failures.iter().map(|failure| failure.item_identifier.as_str()).collect()
}

#[tokio::test]
async fn a_record_without_an_id_fails_the_invocation() {
    let batches = Batches::new(Arc::new(Sleeper::default()), Arc::new(ReportOnly));
    for id in ["null", "\"\""] {
        let event = format!(r#"{{"Records":[{{"messageId":"a","body":"1"}},{{"messageId":{id},"body":"1"}}]}}"#);
        let event: SqsEvent = serde_json::from_str(&event).unwrap();
        assert!(batches.handle(event, Window::lasting(Duration::from_secs(9))).await.is_err());
    }
}

#[tokio::test]
async fn what_sqs_tells_of_a_record_is_kept() {
    let record = r#"{"messageId":"a","eventSourceARN":"arn:aws:sqs:eu-central-1:1:chappe-route",
        "attributes":{"ApproximateReceiveCount":"7","SentTimestamp":"1700000000123"}}"#;
    let batches = Batches::new(Arc::new(Sleeper::default()), Arc::new(ReportOnly));
    let delivery = batches.delivery(&serde_json::from_str(record).unwrap());
    assert_eq!((delivery.queue.as_str(), delivery.received), ("chappe-route", 7));
    assert_eq!(delivery.enqueued_at.unwrap().timestamp_millis(), 1_700_000_000_123);
}

#[tokio::test(start_paused = true)]
async fn no_more_records_run_at_a_time_than_there_are_connections() {
    for (connections, expected) in [(Some(1), 1), (Some(2), 2), (Some(99), FAN_OUT), (None, FAN_OUT)] {
        let handler = Arc::new(Sleeper::default());
        let batches = Batches::new(Arc::clone(&handler), Arc::new(ReportOnly)).at_once(connections);
        let response = batches.handle(batch(&["1"; 20]), Window::lasting(Duration::from_mins(1))).await.unwrap();
        assert_eq!(failures(&response), [""; 0]);
        assert_eq!(handler.most.load(Ordering::SeqCst), expected, "{connections:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_batch_ends_before_lambda_ends_it() {
    let rows: [(&[&str], &[&str]); 4] = [
        // One at a time gets what is left of ten seconds, less the margin: nine.
        (&["8"], &[]),
        (&["12"], &["id-0"]),
        // Three rounds fit when none takes more than three seconds.
        (&["2", "2", "2"], &[]),
        (&["4", "2", "2"], &["id-0"]),
    ];
    for (bodies, expected) in rows {
        let batches = Batches::new(Arc::new(Sleeper::default()), Arc::new(ReportOnly)).at_once(Some(1));
        let (window, started) = (Window::lasting(Duration::from_secs(10)), Instant::now());
        let response = batches.handle(batch(bodies), window).await.unwrap();
        assert_eq!(failures(&response), expected, "{bodies:?}");
        assert!(started.elapsed() <= Duration::from_secs(9), "{bodies:?} took {:?}", started.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_begun_in_time_is_reported() {
    let batches = Batches::new(Arc::new(Sleeper::default()), Arc::new(ReportOnly));
    let response = batches.handle(batch(&["0", "0"]), Window::lasting(Duration::ZERO)).await.unwrap();
    assert_eq!(failures(&response), ["id-0", "id-1"]);
}

/// Notes what it is told, and answers as it was made to.
struct Told(Mutex<Vec<String>>, bool);

#[async_trait]
impl Followup for Told {
    async fn follow_up(&self, ended: &[(&SqsMessage, &Verdict)]) -> Vec<bool> {
        for (record, verdict) in ended {
            self.0.lock().unwrap().push(format!("{} {}", record.message_id.as_deref().unwrap(), verdict.name()));
        }
        vec![self.1; ended.len()]
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_parked_is_reported() {
    for (parks, expected) in [(true, &[][..]), (false, &["id-1"])] {
        let followup = Arc::new(Told(Mutex::default(), parks));
        let told: Arc<dyn Followup> = followup.clone();
        let batches = Batches::new(Arc::new(Sleeper::default()), told);
        let response =
            batches.handle(batch(&["0", "poison", "0"]), Window::lasting(Duration::from_secs(9))).await.unwrap();
        assert_eq!(failures(&response), expected);
        assert_eq!(*followup.0.lock().unwrap(), ["id-1 park"]);
    }
}
