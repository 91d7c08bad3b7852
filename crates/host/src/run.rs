//! The main of a function: settings, telemetry, and the host that fits.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use secrecy::ExposeSecret;

use crate::config::{Config, EXIT_USAGE, Environment, Need};
use crate::consumer::{Options, consume};
use crate::{Handler, shutdown, telemetry};

/// Runs a function until it is asked to stop: on Lambda where `AWS_LAMBDA_RUNTIME_API` is set, and otherwise as a
/// consumer of `QUEUE_URL`.
///
/// ```no_run
/// # use host::{Config, Delivery, Failure, Handler};
/// # struct Route;
/// # impl Route { async fn open(_: &Config) -> anyhow::Result<Self> { Ok(Self) } }
/// # impl Handler for Route {
/// #     const NAME: &'static str = "route";
/// #     type Envelope = serde::de::IgnoredAny;
/// #     async fn handle(&self, _: Self::Envelope, _: &Delivery) -> Result<(), Failure> { Ok(()) }
/// # }
/// fn main() -> std::process::ExitCode {
///     host::run(async |config| Route::open(config).await)
/// }
/// ```
pub fn run<H: Handler>(make_handler: impl AsyncFnOnce(&Config) -> anyhow::Result<H>) -> ExitCode {
    let config = match Config::read(&Environment, &[Need::Database, Need::Queue]) {
        Ok(config) => config,
        Err(errors) => {
            eprintln!("{errors}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ended = runtime.context("no runtime").and_then(|runtime| runtime.block_on(serve(&config, make_handler)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{} failed: {error:#}", H::NAME);
            ExitCode::FAILURE
        }
    }
}

async fn serve<H: Handler>(
    config: &Config,
    make_handler: impl AsyncFnOnce(&Config) -> anyhow::Result<H>,
) -> anyhow::Result<()> {
    telemetry::init(config)?;
    let handler = Arc::new(make_handler(config).await?);
    if config.is_lambda { serve_lambda(handler).await } else { serve_queue(config, handler).await }
}

#[cfg(feature = "lambda")]
async fn serve_lambda<H: Handler>(handler: Arc<H>) -> anyhow::Result<()> {
    crate::lambda::run(handler, Arc::new(crate::lambda::ReportOnly)).await
}

#[cfg(not(feature = "lambda"))]
#[expect(clippy::unused_async, reason = "stands in for the host that was left out")]
async fn serve_lambda<H: Handler>(_: Arc<H>) -> anyhow::Result<()> {
    anyhow::bail!("this program was built without the feature `lambda`")
}

async fn serve_queue<H: Handler>(config: &Config, handler: Arc<H>) -> anyhow::Result<()> {
    let url = config.queue_url.as_ref().context("QUEUE_URL is missing")?;
    let queue = queue::open(url.expose_secret()).await?;
    let shutdown = shutdown::signal()?;
    let options = Options { grace: config.grace, ..Options::of(H::NAME) };
    tracing::info!("consuming queue {}", H::NAME);
    consume(handler, queue, options, shutdown).await;
    Ok(())
}
