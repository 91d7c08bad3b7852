//! Lambda in small: its Runtime API (AWS Lambda, "Lambda runtime API"), and a child process that takes invocations
//! from it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::{Command as Builder, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Notify, mpsc, oneshot};

/// How long an invocation may take by the emulator's word, unless a test says otherwise.
const LEFT: Duration = Duration::from_secs(30);
/// How long a test waits for an answer.
const LIMIT: Duration = Duration::from_mins(1);

/// What a function answered: a response, or an error.
pub(crate) type Outcome = Result<Value, Value>;

struct Invocation {
    id: String,
    event: Value,
    left: Duration,
}

/// The Runtime API of one environment.
struct Emulator {
    invocations: tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    answers: Mutex<HashMap<String, oneshot::Sender<Outcome>>>,
    /// Somebody asked for the first invocation.
    ready: Notify,
}

type Shared = State<Arc<Emulator>>;

/// Waits for an invocation, as Lambda lets it.
async fn next(State(emulator): Shared) -> Response {
    emulator.ready.notify_one();
    let Some(invocation) = emulator.invocations.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let left_ms = i64::try_from(invocation.left.as_millis()).unwrap();
    let deadline_ms = chrono::Utc::now().timestamp_millis() + left_ms;
    let headers = [
        ("lambda-runtime-aws-request-id", invocation.id),
        ("lambda-runtime-deadline-ms", deadline_ms.to_string()),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-central-1:1:function:chappe".to_owned()),
        ("lambda-runtime-trace-id", "Root=1-0-0".to_owned()),
    ];
    (headers, Json(invocation.event)).into_response()
}

/// The runtime does not say that its answers are JSON, so the bytes are taken as they are.
async fn response(State(emulator): Shared, Path(id): Path<String>, answer: Bytes) -> StatusCode {
    emulator.answer(&id, Ok(serde_json::from_slice(&answer).unwrap()))
}

async fn error(State(emulator): Shared, Path(id): Path<String>, answer: Bytes) -> StatusCode {
    emulator.answer(&id, Err(serde_json::from_slice(&answer).unwrap()))
}

impl Emulator {
    fn answer(&self, id: &str, outcome: Outcome) -> StatusCode {
        let waiting = self.answers.lock().unwrap().remove(id);
        let Some(waiting) = waiting else { return StatusCode::BAD_REQUEST };
        // A test that no longer waits has failed already.
        let _ = waiting.send(outcome);
        StatusCode::ACCEPTED
    }
}

/// An environment of a function: one process, one invocation at a time.
pub(crate) struct Function {
    emulator: Arc<Emulator>,
    invoke: mpsc::Sender<Invocation>,
    count: AtomicU64,
    child: Child,
    output: tempfile::TempDir,
}

impl Function {
    /// Starts the program `chappe-<name>` and waits until it asks for its first invocation.
    pub(crate) async fn start(name: &str, settings: &[(String, String)]) -> Self {
        let mut command = Builder::new(program(name));
        command.envs(settings.iter().map(|(name, value)| (name, value)));
        Self::spawn(command).await
    }

    /// The same with another program.
    pub(crate) async fn spawn(mut command: Builder) -> Self {
        let (invoke, invocations) = mpsc::channel(16);
        let emulator = Arc::new(Emulator {
            invocations: tokio::sync::Mutex::new(invocations),
            answers: Mutex::default(),
            ready: Notify::new(),
        });
        let address = serve(Arc::clone(&emulator)).await;
        let output = testkit::temp_dir();
        let file = |name: &str| Stdio::from(std::fs::File::create(output.path().join(name)).unwrap());
        command
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "chappe")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .stdout(file("stdout"))
            .stderr(file("stderr"));
        let child = Command::from(command).kill_on_drop(true).spawn().unwrap();
        let function = Self { emulator, invoke, count: AtomicU64::new(0), child, output };
        let ready = tokio::time::timeout(LIMIT, function.emulator.ready.notified()).await;
        assert!(ready.is_ok(), "the function did not start: {}", function.errors());
        function
    }

    /// Has it handle one event.
    pub(crate) async fn invoke(&self, event: Value) -> Outcome {
        self.invoke_within(LEFT, event).await
    }

    /// The same with so much time until Lambda would end it.
    pub(crate) async fn invoke_within(&self, left: Duration, event: Value) -> Outcome {
        let id = format!("invocation-{}", self.count.fetch_add(1, Ordering::SeqCst));
        let (answer, answered) = oneshot::channel();
        self.emulator.answers.lock().unwrap().insert(id.clone(), answer);
        self.invoke.send(Invocation { id, event, left }).await.ok().unwrap();
        let outcome = tokio::time::timeout(LIMIT, answered).await;
        outcome.unwrap_or_else(|_| panic!("no answer: {}", self.errors())).unwrap()
    }

    /// What it answered well.
    pub(crate) async fn answer(&self, event: Value) -> Value {
        let outcome = self.invoke(event).await;
        outcome.unwrap_or_else(|error| panic!("{error}\n{}", self.errors()))
    }

    /// Its standard output.
    pub(crate) fn output(&self) -> String {
        std::fs::read_to_string(self.output.path().join("stdout")).unwrap()
    }

    /// Its standard error.
    pub(crate) fn errors(&self) -> String {
        std::fs::read_to_string(self.output.path().join("stderr")).unwrap()
    }

    /// Ends it.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }
}

async fn serve(emulator: Arc<Emulator>) -> String {
    let invocation = "/2018-06-01/runtime/invocation";
    let router = Router::new()
        .route(&format!("{invocation}/next"), get(next))
        .route(&format!("{invocation}/{{id}}/response"), post(response))
        .route(&format!("{invocation}/{{id}}/error"), post(error))
        .with_state(emulator);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Where the programs lie: beside this test's own executable, where `make test` builds them first.
static PROGRAMS: LazyLock<PathBuf> = LazyLock::new(|| {
    let own = std::env::current_exe().unwrap();
    // target/<profile>/deps/it-<hash>
    own.ancestors().nth(2).unwrap().to_owned()
});

/// The program of a function.
pub(crate) fn program(name: &str) -> PathBuf {
    let program = PROGRAMS.join(format!("chappe-{name}"));
    assert!(program.exists(), "{} is not built; infra/setup/test.sh builds it", program.display());
    program
}
