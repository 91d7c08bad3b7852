//! What machines ask every long-running process, whatever it runs: does it live (`/healthz`), can it work (`/readyz`),
//! how is it doing (`/metrics`).

use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use futures_util::future::BoxFuture;
use smpp_edge::EdgeStatus;
use store::Db;

/// Renders the metrics of this process for Prometheus.
pub(crate) type Metrics = Arc<dyn Fn() -> String + Send + Sync>;

/// Why a process cannot work now; `None` when it can.
type Obstacle = Option<&'static str>;

/// Looks whether a process can work.
pub(crate) type Ready = Arc<dyn Fn() -> BoxFuture<'static, Obstacle> + Send + Sync>;

/// The media type of Prometheus' text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4";

/// The three routes. For the platform's own network: metrics name customers and operators.
pub(crate) fn router(metrics: Metrics, ready: Ready) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(async move || answer(ready().await)))
        .route("/metrics", get(async move || ([(header::CONTENT_TYPE, TEXT_FORMAT)], metrics())))
}

fn answer(obstacle: Obstacle) -> Response {
    match obstacle {
        None => "ready\n".into_response(),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

/// A function can work when the database answers and its schema is there.
pub(crate) fn of_functions(db: Db) -> Ready {
    Arc::new(move || {
        let db = db.clone();
        Box::pin(async move {
            match store::schema::is_current(&db).await {
                Ok(true) => None,
                Ok(false) => Some("the schema is not up to date: a migration has not run"),
                Err(_) => Some("the database does not answer"),
            }
        })
    })
}

/// An edge can work once it has been told its operators and customers. It then works without the rest of the platform
/// for a while, so nothing else is asked.
pub(crate) fn of_edge(status: EdgeStatus) -> Ready {
    Arc::new(move || {
        let obstacle = (!status.has_settings()).then_some("the settings have not come yet from the internal API");
        Box::pin(async move { obstacle })
    })
}
