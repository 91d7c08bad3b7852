//! What machines ask every long-running process, whatever it runs: does it live (`/healthz`), can it work (`/readyz`),
//! how is it doing (`/metrics`).

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use clap::Args;
use futures_util::future::BoxFuture;
use smpp_edge::EdgeStatus;
use store::Db;
use tokio::net::TcpListener;

use crate::http::{self, listen, url_of};
use crate::output::line;
use crate::platform::Platform;

/// Renders the metrics of this process for Prometheus.
pub(crate) type Metrics = Arc<dyn Fn() -> String + Send + Sync>;

/// Where a process is watched.
#[derive(Debug, Args)]
pub(crate) struct Watched {
    /// Where health and metrics of this process are (/healthz, /readyz, /metrics), such as 0.0.0.0:9464; when not given,
    /// beside the APIs, and nowhere where these are not served
    #[arg(long, env = "CHAPPE_WATCH_ADDR", value_name = "ADDR")]
    watch_addr: Option<SocketAddr>,
}

impl Watched {
    /// The listener, where there is to be one.
    pub(crate) async fn open(&self) -> Result<Option<TcpListener>> {
        let Some(addr) = self.watch_addr else { return Ok(None) };
        Ok(Some(listen("CHAPPE_WATCH_ADDR", addr).await?))
    }
}

/// Serves `watch` at a door of its own, where there is one. Answers what the public API may then tell of `metrics`: they
/// name routes and customers, so that it tells them only where nobody else does.
pub(crate) fn serve(
    platform: &Platform,
    door: Option<TcpListener>,
    watch: Router,
    metrics: Metrics,
) -> Result<Option<Metrics>> {
    let Some(door) = door else { return Ok(Some(metrics)) };
    line(&format!("this process is watched at {}", url_of(door.local_addr()?)));
    http::watch(platform, door, watch);
    Ok(None)
}

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
