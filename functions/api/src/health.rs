//! What machines ask: does it live, can it work, how is it doing, and what does it offer.

use std::sync::{Arc, LazyLock};

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::openapi::{Refusals, document};
use crate::problem::{Code, Problem};

/// The description of the API, made once.
static DOCUMENT: LazyLock<String> = LazyLock::new(document);
/// The catalogue of errors.
const ERRORS: &str = include_str!("../errors.md");

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .routes(routes!(metrics))
        .routes(routes!(openapi))
        .routes(routes!(errors))
}

/// The process lives.
#[utoipa::path(get, path = "/healthz", tag = "system", security(()), responses((status = 200, body = String)))]
async fn healthz() -> &'static str {
    "ok\n"
}

/// The process can work: the database answers, and its schema is there.
#[utoipa::path(get, path = "/readyz", tag = "system", security(()), responses((status = 200, body = String), Refusals))]
async fn readyz(State(api): State<Arc<Api>>) -> Result<&'static str, Problem> {
    if !store::schema::is_current(&api.db).await? {
        return Err(Problem::new(Code::Unavailable, "the schema is not up to date: a migration has not run"));
    }
    Ok("ready\n")
}

/// Metrics of this process, in the text format of Prometheus; not found where the platform tells them elsewhere.
#[utoipa::path(get, path = "/metrics", tag = "system", security(()), responses((status = 200, body = String), Refusals))]
async fn metrics(State(api): State<Arc<Api>>) -> Result<Response, Problem> {
    let render = api.metrics.as_ref().ok_or_else(Problem::not_found)?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], render()).into_response())
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "system", security(()), responses((status = 200, body = Object)))]
async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response()
}

/// The catalogue of error codes, in Markdown.
#[utoipa::path(get, path = "/errors", tag = "system", security(()), responses((status = 200, body = String)))]
async fn errors() -> Response {
    ([(header::CONTENT_TYPE, "text/markdown; charset=utf-8")], ERRORS).into_response()
}
