//! Lambda in small: an emulator of its Runtime API, and a child process that takes one invocation from it.
//!
//! The child is this very test binary: `lambda_child` does nothing unless it runs where Lambda would run it.

use std::io::Write as _;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use ::host::Verdict;
use ::host::config::{Environment, Strings as _};
use ::host::lambda::{Followup, SqsMessage, run};
use async_trait::async_trait;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::{Notify, oneshot};

use super::{LIMIT, Obedient};

/// Begins the lines with which the child tells its verdicts.
const MARK: &str = "verdict ";

/// Tells every verdict on standard output; says that parked records need no more care.
struct Teller;

#[async_trait]
impl Followup for Teller {
    async fn follow_up(&self, record: &SqsMessage, verdict: &Verdict) -> bool {
        let line = json!([record.body, format!("{verdict:?}")]);
        writeln!(std::io::stdout().lock(), "\n{MARK}{line}").unwrap();
        matches!(verdict, Verdict::Park(_))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lambda_child() {
    if Environment.get("AWS_LAMBDA_RUNTIME_API").unwrap().is_some() {
        run(Arc::new(Obedient), Arc::new(Teller)).await.unwrap();
    }
}

/// The Runtime API of one invocation.
struct Emulator {
    event: Mutex<Option<Value>>,
    answer: Mutex<Option<oneshot::Sender<Value>>>,
    never: Notify,
}

type Shared = State<Arc<Emulator>>;

/// The first call gets the event; the next one waits, as Lambda lets it.
async fn next(State(emulator): Shared) -> impl IntoResponse {
    let event = emulator.event.lock().unwrap().take();
    let Some(event) = event else {
        emulator.never.notified().await;
        unreachable!("nobody notifies");
    };
    let headers = [
        ("lambda-runtime-aws-request-id", "the-request"),
        ("lambda-runtime-deadline-ms", "4102444800000"),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-central-1:1:function:obedient"),
        ("lambda-runtime-trace-id", "Root=1-0-0"),
    ];
    (headers, Json(event))
}

/// The runtime does not say that its answers are JSON, so the bytes are taken as they are.
async fn answered(State(emulator): Shared, answer: Bytes) -> impl IntoResponse {
    let sender = emulator.answer.lock().unwrap().take();
    sender.unwrap().send(serde_json::from_slice(&answer).unwrap()).unwrap();
    axum::http::StatusCode::ACCEPTED
}

async fn serve(emulator: Arc<Emulator>) -> String {
    let invocation = "/2018-06-01/runtime/invocation";
    let router = Router::new()
        .route(&format!("{invocation}/next"), get(next))
        .route(&format!("{invocation}/{{id}}/response"), post(answered))
        .route(&format!("{invocation}/{{id}}/error"), post(answered))
        .with_state(emulator);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn event(bodies: &[&str]) -> Value {
    let record = |(index, body): (usize, &&str)| {
        json!({
            "messageId": format!("id-{index}"),
            "body": body,
            "attributes": {"ApproximateReceiveCount": "1"},
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-central-1:1:obedient",
        })
    };
    json!({"Records": bodies.iter().enumerate().map(record).collect::<Vec<_>>()})
}

/// Has the child handle one batch. Returns the verdicts that it followed up, and the bodies that it reported failed.
pub(super) async fn invoke_once(bodies: &[&str]) -> (Vec<(String, String)>, Vec<String>) {
    let (answer, answered) = oneshot::channel();
    let emulator =
        Emulator { event: Mutex::new(Some(event(bodies))), answer: Mutex::new(Some(answer)), never: Notify::new() };
    let address = serve(Arc::new(emulator)).await;
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "host::lambda::lambda_child", "--nocapture"])
        .env("AWS_LAMBDA_RUNTIME_API", address)
        .env("AWS_LAMBDA_FUNCTION_NAME", "obedient")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let answer = tokio::time::timeout(LIMIT, answered).await.unwrap().unwrap();
    child.kill().await.unwrap();
    let mut told = String::new();
    child.stdout.take().unwrap().read_to_string(&mut told).await.unwrap();
    (told.lines().filter_map(verdict).collect(), failures(&answer, bodies))
}

fn verdict(line: &str) -> Option<(String, String)> {
    serde_json::from_str(line.strip_prefix(MARK)?).ok()
}

fn failures(answer: &Value, bodies: &[&str]) -> Vec<String> {
    let failures = answer["batchItemFailures"].as_array().unwrap_or_else(|| panic!("not a batch response: {answer}"));
    let index = |failure: &Value| failure["itemIdentifier"].as_str()?.strip_prefix("id-")?.parse::<usize>().ok();
    failures.iter().map(|failure| bodies[index(failure).unwrap()].to_owned()).collect()
}
