//! The API as a program of its own.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::serve::ListenerExt as _;
use host::config::{Config, Need};
use host::{shutdown, telemetry};
use secrecy::ExposeSecret;
use store::holder::Holder;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{Api, Parts, Settings, internal_router, router};

/// Runs the API until it is asked to stop: the public one on `CHAPPE_HTTP_ADDR`, the internal one on
/// `CHAPPE_INTERNAL_ADDR`; on Lambda, the public one for API Gateway.
pub fn run() -> ExitCode {
    host::start("api", &[Need::Database, Need::Queue, Need::SecretKey], async |config| {
        if config.is_lambda { serve_lambda(config).await } else { serve(config).await }
    })
}

/// Behind an HTTP API. Nothing is asked of database and queue at the start, so that it stands while they are away;
/// queues are made by whoever made the function.
#[cfg(feature = "lambda")]
async fn serve_lambda(config: &Config) -> anyhow::Result<()> {
    telemetry::init_logs(config)?;
    let outbox::Opened { db, queue, .. } = outbox::open(config).await?;
    let settings = Settings { private_webhooks: config.private_webhooks, on_demand: true, ..Settings::default() };
    let api = Api::new(Parts {
        catalogue: Holder::unread(db.clone()),
        db,
        keys: Arc::new(config.keys()?),
        queue,
        limits: limits::open(config.redis_url.as_ref().map(ExposeSecret::expose_secret)).context("REDIS_URL")?,
        settings,
        // Who is frozen does not stop.
        stop: CancellationToken::new(),
        // They go to CloudWatch: nobody can ask this environment, or knows which one it is.
        metrics: None,
    });
    let resting = Arc::clone(&api);
    host::lambda::run_http(router(api), move || {
        let api = Arc::clone(&resting);
        async move { api.before_freeze().await }
    })
    .await
}

#[cfg(not(feature = "lambda"))]
#[expect(clippy::unused_async, reason = "stands in for the host that was left out")]
async fn serve_lambda(_: &Config) -> anyhow::Result<()> {
    anyhow::bail!("this program was built without the feature `lambda`")
}

async fn serve(config: &Config) -> anyhow::Result<()> {
    let metrics = telemetry::init(config)?;
    let stop = shutdown::signal()?;
    let outbox::Opened { db, queue, .. } = outbox::open(config).await?;
    let catalogue = Holder::load(db.clone()).await.context("cannot read the catalogue")?;
    // Accepting publishes to `route`: it must be there before the first send, whoever starts first.
    for name in contract::queues::ALWAYS {
        queue.create(name).await.with_context(|| format!("cannot make the queue {name}"))?;
    }
    let limits = limits::open(config.redis_url.as_ref().map(ExposeSecret::expose_secret)).context("REDIS_URL")?;
    limits.join(crate::INSTANCES);
    let api = Api::new(Parts {
        db,
        catalogue: Arc::clone(&catalogue),
        keys: Arc::new(config.keys()?),
        queue,
        limits,
        settings: Settings { private_webhooks: config.private_webhooks, ..Settings::default() },
        stop: stop.clone(),
        metrics: Some(Arc::new(move || metrics.render())),
    });
    listen_both(config, api, &catalogue, stop).await
}

async fn listen_both(
    config: &Config,
    api: Arc<Api>,
    catalogue: &Holder,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let public =
        TcpListener::bind(config.http_addr).await.with_context(|| format!("cannot listen on {}", config.http_addr))?;
    let internal = TcpListener::bind(config.internal_addr)
        .await
        .with_context(|| format!("cannot listen on {}", config.internal_addr))?;
    let (public, internal) = (listen(public, router(Arc::clone(&api)), &stop), {
        let router = internal_router(Arc::clone(&api));
        listen(internal, router, &stop)
    });
    let listening = async { tokio::try_join!(public, internal) };
    let grace_is_over = async {
        stop.cancelled().await;
        tokio::time::sleep(config.grace).await;
    };
    let following = catalogue.follow(stop.cancelled());
    tokio::select! {
        (listened, (), ()) = async { tokio::join!(listening, following, api.closed()) } => listened.map(|_| ()),
        () = grace_is_over => Ok(()),
    }
}

/// Serves until `stop`, and then what is under way.
async fn listen(listener: TcpListener, router: Router, stop: &CancellationToken) -> anyhow::Result<()> {
    // An answer is one small packet: waiting for more to send with it would only delay it.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, router)
        .with_graceful_shutdown(stop.clone().cancelled_owned())
        .await
        .context("a listener failed")
}
