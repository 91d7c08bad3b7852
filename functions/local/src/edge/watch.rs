//! Looking into a running edge over HTTP: the PDUs of its sessions, as lines of JSON. For people of the house only:
//! who asks must know the platform's secret, since PDUs hold numbers and texts.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use futures_util::stream;
use host::secrets::Keys;
use serde::{Deserialize, Serialize};
use smpp_edge::{Direction, Traced, Tracer};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Where PDUs are watched.
pub(crate) const TRACE: &str = "/internal/edge/trace";
/// Where the sessions that can be watched are listed.
pub(crate) const NAMES: &str = "/internal/edge/session-names";

/// An empty line goes out so often where there is nothing to tell: who no longer reads is noticed.
const STILL_THERE: Duration = Duration::from_secs(5);

/// One PDU on its line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) at: DateTime<Utc>,
    pub(crate) session: String,
    pub(crate) local: std::net::SocketAddr,
    pub(crate) peer: std::net::SocketAddr,
    /// The peer connected to us.
    pub(crate) we_listen: bool,
    pub(crate) received: bool,
    /// Base64.
    pub(crate) pdu: String,
    pub(crate) left_out: usize,
}

/// A session that can be watched.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Name {
    /// Any of these names it.
    pub(crate) names: Vec<String>,
    pub(crate) peer: std::net::SocketAddr,
}

#[derive(Debug, Deserialize)]
struct What {
    what: String,
}

/// The routes, behind the token of the internal API.
/// A look ends at the shutdown.
pub(crate) fn router(tracer: Tracer, keys: Arc<Keys>, shutdown: CancellationToken) -> Router {
    Router::new()
        .route(TRACE, get(trace))
        .route(NAMES, get(names))
        .layer(middleware::from_fn_with_state(keys, authenticate))
        .with_state(Watched { tracer, shutdown })
}

#[derive(Clone)]
struct Watched {
    tracer: Tracer,
    shutdown: CancellationToken,
}

async fn authenticate(State(keys): State<Arc<Keys>>, request: Request, next: Next) -> Response {
    let token = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = token.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    // Both sides are hashed: the comparison takes the same time for every wrong token.
    if keys.matches(token.as_bytes(), &keys.hash(keys.internal_token().as_bytes())) {
        return next.run(request).await;
    }
    StatusCode::UNAUTHORIZED.into_response()
}

async fn names(State(Watched { tracer, .. }): State<Watched>) -> axum::Json<Vec<Name>> {
    let sessions = tracer.sessions().into_iter();
    axum::Json(sessions.map(|session| Name { names: session.names.clone(), peer: session.peer }).collect())
}

async fn trace(State(Watched { tracer, shutdown }): State<Watched>, Query(What { what }): Query<What>) -> Response {
    let from = tracer.watch(&what);
    let lines = stream::unfold((from, shutdown), |(mut from, shutdown)| async move {
        let line = shutdown.run_until_cancelled(next_line(&mut from)).await??;
        Some((Ok::<_, Infallible>(line), (from, shutdown)))
    });
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response()
}

async fn next_line(from: &mut mpsc::Receiver<Traced>) -> Option<Bytes> {
    let mut line = match timeout(STILL_THERE, from.recv()).await {
        Ok(traced) => serde_json::to_vec(&line(&traced?)).ok()?,
        Err(_) => Vec::new(),
    };
    line.push(b'\n');
    Some(line.into())
}

fn line(traced: &Traced) -> Line {
    Line {
        at: traced.at,
        session: traced.session.names.first().cloned().unwrap_or_default(),
        local: traced.session.local,
        peer: traced.session.peer,
        we_listen: traced.session.we_listen,
        received: traced.direction == Direction::Received,
        pdu: STANDARD.encode(&traced.pdu),
        left_out: traced.left_out,
    }
}
