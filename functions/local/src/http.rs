//! The HTTP API and the internal API of this process.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Result;
use api::{Api, Parts, Settings};
use axum::Router;
use axum::serve::ListenerExt as _;
use host::Config;
use tokio::net::TcpListener;

use crate::exit::Misused;
use crate::functions::Webhooks;
use crate::platform::Platform;
use crate::status::Metrics;

/// The listeners, opened before anything else starts: a taken port is told at once.
#[derive(Debug)]
pub(crate) struct Doors {
    public: TcpListener,
    internal: TcpListener,
}

impl Doors {
    pub(crate) async fn open(config: &Config) -> Result<Self> {
        let public = listen("CHAPPE_HTTP_ADDR", config.http_addr).await?;
        let internal = listen("CHAPPE_INTERNAL_ADDR", config.internal_addr).await?;
        Ok(Self { public, internal })
    }
}

pub(crate) async fn listen(setting: &str, addr: SocketAddr) -> Result<TcpListener, Misused> {
    let say = |error| Misused(format!("cannot listen on {addr}: {error}; stop what listens there, or set {setting}"));
    TcpListener::bind(addr).await.map_err(say)
}

/// The API of this process; it tells `metrics` to everybody, where there are any.
pub(crate) fn api(platform: &Platform, metrics: Option<Metrics>, webhooks: Webhooks) -> Arc<Api> {
    let settings = Settings { private_webhooks: webhooks == Webhooks::Anywhere, ..Settings::default() };
    platform.limits.join(api::INSTANCES);
    Api::new(Parts {
        db: platform.db.clone(),
        catalogue: Arc::clone(&platform.catalogue),
        keys: Arc::clone(&platform.keys),
        queue: Arc::clone(&platform.queue),
        limits: platform.limits.clone(),
        settings,
        stop: platform.shutdown.clone(),
        metrics,
    })
}

/// Serves `api` on both listeners until the platform's shutdown, and `watch` beside the internal API: health, metrics,
/// and what else is for the house alone. Answers the URL of the public API.
pub(crate) fn start(platform: &Platform, doors: Doors, api: Arc<Api>, watch: Router) -> Result<String> {
    let url = url_of(doors.public.local_addr()?);
    platform.run({
        let api = Arc::clone(&api);
        async move { api.closed().await }
    });
    platform.run(serve(platform.clone(), doors.public, api::router(Arc::clone(&api))));
    platform.run(serve(platform.clone(), doors.internal, api::internal_router(api).merge(watch)));
    Ok(url)
}

/// Serves `watch` alone: what a process has to say that serves no API.
pub(crate) fn watch(platform: &Platform, door: TcpListener, watch: Router) {
    platform.run(serve(platform.clone(), door, watch));
}

/// Serves until the shutdown, then lets requests under way end, within the grace.
async fn serve(platform: Platform, listener: TcpListener, router: Router) {
    let shutdown = platform.shutdown.clone();
    // An answer is one small packet: waiting for more to send with it would only delay it.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let serving = axum::serve(listener, router).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let limit = async {
        shutdown.cancelled().await;
        tokio::time::sleep(platform.grace).await;
    };
    tokio::select! {
        served = serving.into_future() => {
            if let Err(error) = served {
                tracing::error!("the listener failed: {error}");
            }
        }
        () = limit => tracing::warn!("grace is over, requests under way are broken off"),
    }
}

/// Where a person reaches a listener: one on every address is reached on this machine's own.
pub(crate) fn url_of(addr: SocketAddr) -> String {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, addr.port()))
}
