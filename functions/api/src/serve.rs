//! The API as a program of its own.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::serve::ListenerExt as _;
use host::config::{Config, EXIT_USAGE, Environment, Need};
use host::secrets::Keys;
use host::{shutdown, telemetry};
use secrecy::ExposeSecret;
use store::holder::Holder;
use store::{Db, Publish};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{Api, Parts, Settings, internal_router, router};

/// Runs the API until it is asked to stop: the public one on `CHAPPE_HTTP_ADDR`, the internal one on
/// `CHAPPE_INTERNAL_ADDR`.
pub fn run() -> ExitCode {
    let config = match Config::read(&Environment, &[Need::Database, Need::Queue, Need::SecretKey]) {
        Ok(config) => config,
        Err(errors) => {
            eprintln!("{errors}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime.context("no runtime").and_then(|runtime| runtime.block_on(serve(&config))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("api failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(config: &Config) -> anyhow::Result<()> {
    let metrics = telemetry::init(config)?;
    let stop = shutdown::signal()?;
    let (database_url, queue_url) = (config.database_url()?, config.queue_url()?);
    let db = Db::open(database_url, Publish::between(database_url, queue_url))?;
    let catalogue = Holder::load(db.clone()).await.context("cannot read the catalogue")?;
    let secret = config.secret_key.as_ref().context("there is no secret key")?;
    let queue = queue::open(queue_url).await?;
    // Accepting publishes to `route`: it must be there before the first send, whoever starts first.
    for name in contract::queues::ALWAYS {
        queue.create(name).await.with_context(|| format!("cannot make the queue {name}"))?;
    }
    let api = Api::new(Parts {
        db,
        catalogue: Arc::clone(&catalogue),
        keys: Arc::new(Keys::new(secret.expose_secret())?),
        queue,
        settings: Settings::default(),
        metrics: Arc::new(move || metrics.render()),
    });
    let public =
        TcpListener::bind(config.http_addr).await.with_context(|| format!("cannot listen on {}", config.http_addr))?;
    let internal = TcpListener::bind(config.internal_addr)
        .await
        .with_context(|| format!("cannot listen on {}", config.internal_addr))?;
    let listening = async {
        tokio::try_join!(listen(public, router(Arc::clone(&api)), &stop), listen(internal, internal_router(api), &stop))
    };
    let grace_is_over = async {
        stop.cancelled().await;
        tokio::time::sleep(config.grace).await;
    };
    let following = catalogue.follow(stop.cancelled());
    tokio::select! {
        (listened, ()) = async { tokio::join!(listening, following) } => listened.map(|_| ()),
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
