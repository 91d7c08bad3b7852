//! A customer's webhook: a real HTTP server that keeps what it gets and can be down or slow.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) id: String,
    timestamp: i64,
    signature: String,
    bytes: Bytes,
    /// What it was answered.
    pub(crate) answered: u16,
}

impl Received {
    /// The state that it tells, and of which message.
    pub(crate) fn told(&self) -> (String, String) {
        let body = self.body();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        assert_eq!(text(&body["type"]), format!("message.{}", text(&body["data"]["state"])));
        (text(&body["data"]["id"]), text(&body["data"]["state"]))
    }

    pub(crate) fn body(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap()
    }

    /// Signed with `secret`, for this body and none other.
    pub(crate) fn assert_signed(&self, secret: &str) {
        let expected = callback::signature(secret, &self.id, self.timestamp, &self.bytes).unwrap();
        assert!(self.signature.split(' ').any(|one| one == expected), "a wrong signature on {}", self.id);
        let now = chrono::Utc::now().timestamp();
        assert!((now - 300..=now + 5).contains(&self.timestamp), "signed at {} and it is {now}", self.timestamp);
    }
}

#[derive(Debug)]
struct Shared {
    received: Mutex<Vec<Received>>,
    status: AtomicU16,
    /// Answers that may go out: closed (no permits) while the customer hangs.
    open: Semaphore,
}

/// A running receiver. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Hook {
    port: u16,
    shared: Arc<Shared>,
    _stop: DropGuard,
}

impl Hook {
    /// Starts one that answers 200 at once.
    pub(crate) async fn start() -> Self {
        let shared = Shared {
            received: Mutex::default(),
            status: AtomicU16::new(StatusCode::OK.as_u16()),
            open: Semaphore::new(Semaphore::MAX_PERMITS),
        };
        let shared = Arc::new(shared);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let router = Router::new().route("/events", post(receive)).with_state(shared.clone());
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move {
            stopped.run_until_cancelled(async { axum::serve(listener, router).await.unwrap() }).await;
        });
        Self { port, shared, _stop: stop.drop_guard() }
    }

    /// Where it listens, under this name of this machine.
    pub(crate) fn url(&self, host: &str) -> String {
        format!("http://{host}:{}/events", self.port)
    }

    /// Answers this from now on.
    pub(crate) fn set_status(&self, status: StatusCode) {
        self.shared.status.store(status.as_u16(), Ordering::Relaxed);
    }

    /// Keeps every request waiting from now on, until [`Hook::go_on`].
    pub(crate) fn hang(&self) {
        self.shared.open.forget_permits(Semaphore::MAX_PERMITS);
    }

    /// Answers again, also to those who wait.
    pub(crate) fn go_on(&self) {
        self.shared.open.add_permits(Semaphore::MAX_PERMITS);
    }

    /// Every request so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }

    /// The states that it was told of `message` and took, in the order in which they came.
    pub(crate) fn told(&self, message: &str) -> Vec<String> {
        let taken = self.received().into_iter().filter(|request| request.answered == 200);
        taken.map(|request| request.told()).filter(|(id, _)| id == message).map(|(_, state)| state).collect()
    }
}

async fn receive(State(shared): State<Arc<Shared>>, headers: HeaderMap, bytes: Bytes) -> StatusCode {
    let header = |name: &str| headers.get(name).unwrap().to_str().unwrap().to_owned();
    let status = shared.status.load(Ordering::Relaxed);
    let received = Received {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp").parse().unwrap(),
        signature: header("webhook-signature"),
        bytes,
        answered: status,
    };
    shared.received.lock().unwrap().push(received);
    let _answers = shared.open.acquire().await.unwrap();
    StatusCode::from_u16(status).unwrap()
}
