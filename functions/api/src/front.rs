//! What every request passes: an id, a time limit, security headers, metrics, and the body of refusals.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, header};
use uuid::Uuid;

use crate::Api;
use crate::problem::{Code, Problem};

/// How long a request may take.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// Names the request in the answer and in our logs.
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// Headers of every answer: nothing here is a page, nothing is cached, nothing is framed.
const SECURITY: [(HeaderName, HeaderValue); 4] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000")),
];

/// The middleware around every route.
pub(crate) async fn front(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = format!("req_{}", Uuid::now_v7().simple());
    let path = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let mut response = match tokio::time::timeout(time_limit(&request), next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            Problem::new(Code::Unavailable, "the request took too long; its outcome is not known").into_response()
        }
    };
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        log(&problem, &id);
        render(&mut response, &problem, &id);
    }
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    for (name, value) in &SECURITY {
        response.headers_mut().entry(name).or_insert_with(|| value.clone());
    }
    let route = path.as_ref().map_or("none", MatchedPath::as_str);
    measure(route, method.as_str(), response.status().as_u16(), started.elapsed());
    response
}

/// Less where the host has less time.
fn time_limit(request: &Request) -> Duration {
    let until = request.extensions().get::<host::Until>();
    until.map_or(TIME_LIMIT, |until| TIME_LIMIT.min(until.0.saturating_duration_since(tokio::time::Instant::now())))
}

/// Where nobody follows the catalogue, it is looked at before it is used. What says that the process lives, or what
/// it offers, needs none.
pub(crate) async fn fresh(State(api): State<Arc<Api>>, request: Request, next: Next) -> Result<Response, Problem> {
    if !["/healthz", "/openapi.json", "/errors"].contains(&request.uri().path()) {
        api.catalogue.keep_fresh().await?;
    }
    Ok(next.run(request).await)
}

/// The chain of causes, once, where the refusal leaves us. Refusals that are the caller's fault are not logged.
fn log(problem: &Problem, id: &str) {
    if let Some(cause) = problem.cause() {
        let code = problem.code().name();
        tracing::error!(request.id = %id, code, cause = format!("{cause:#}"), "answered {code} to {id}");
    }
}

fn render(response: &mut Response, problem: &Problem, id: &str) {
    // A body of strings and numbers can always be written.
    let body = serde_json::to_vec(&problem.body(id)).unwrap_or_default();
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    *response.body_mut() = Body::from(body);
}

fn measure(route: &str, method: &str, status: u16, took: Duration) {
    let class = match status {
        200..300 => "2xx",
        400..500 => "4xx",
        500..600 => "5xx",
        _ => "other",
    };
    let labels = [("route", route.to_owned()), ("method", method.to_owned()), ("class", class.to_owned())];
    metrics::counter!("chappe_http_requests_total", &labels).increment(1);
    metrics::histogram!("chappe_http_request_seconds", "route" => route.to_owned()).record(took);
}
