//! The main of a function: settings, secrets, telemetry, and the host that fits.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;

use crate::config::{Config, EXIT_USAGE, Environment, Errors, Need};
use crate::consumer::{Options, consume};
use crate::events::{Function, Timer};
use crate::{Handler, shutdown, telemetry};

/// What every function needs.
const NEEDS: [Need; 2] = [Need::Database, Need::Queue];

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
    start(H::NAME, &NEEDS, async move |config| {
        open_telemetry(config)?;
        let function = Function::new(make_handler(config).await?);
        serve(config, function).await
    })
}

/// The same for a function that takes other events, too: see [`Function::with_events`].
pub fn run_with<H: Handler>(make: impl AsyncFnOnce(&Config) -> anyhow::Result<Function<H>>) -> ExitCode {
    start(H::NAME, &NEEDS, async move |config| {
        open_telemetry(config)?;
        let function = make(config).await?;
        serve(config, function).await
    })
}

/// Runs a function without a queue until it is asked to stop.
pub fn run_timer<T: Timer>(make: impl AsyncFnOnce(&Config) -> anyhow::Result<T>) -> ExitCode {
    start(T::NAME, &NEEDS, async move |config| {
        open_telemetry(config)?;
        let timer = make(config).await?;
        if config.is_lambda {
            return serve_lambda_timer(timer).await;
        }
        tracing::info!("the timers of {} run", T::NAME);
        timer.run(shutdown::signal()?).await;
        Ok(())
    })
}

/// Reads the settings, fetches what lies elsewhere, and serves. What is wrong is told on standard error.
pub fn start(name: &str, needs: &[Need], serve: impl AsyncFnOnce(&Config) -> anyhow::Result<()>) -> ExitCode {
    let mut config = match Config::read(&Environment, needs) {
        Ok(config) => config,
        Err(errors) => return misused(&errors),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(name, &anyhow::Error::new(error).context("no runtime")),
    };
    if let Err(errors) = runtime.block_on(config.fetch_secrets()) {
        return misused(&errors);
    }
    match runtime.block_on(serve(&config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(name, &error),
    }
}

fn misused(errors: &Errors) -> ExitCode {
    eprintln!("{errors}");
    ExitCode::from(EXIT_USAGE)
}

fn failed(name: &str, error: &anyhow::Error) -> ExitCode {
    eprintln!("{name} failed: {error:#}");
    ExitCode::FAILURE
}

async fn serve<H: Handler>(config: &Config, function: Function<H>) -> anyhow::Result<()> {
    if config.is_lambda { serve_lambda(config, function).await } else { serve_queue(config, function.handler).await }
}

/// On Lambda metrics go with the answers; nobody could fetch them from there.
fn open_telemetry(config: &Config) -> anyhow::Result<()> {
    if config.is_lambda {
        return telemetry::init_logs(config);
    }
    telemetry::init(config).map(drop)
}

#[cfg(feature = "lambda")]
async fn serve_lambda<H: Handler>(config: &Config, function: Function<H>) -> anyhow::Result<()> {
    use crate::lambda::{Batches, Settling, run};
    let queue_url = config.queue_url()?;
    let settling = Settling::new(queue::open(queue_url).await?, queue_url);
    let batches = Batches::new(function.handler, Arc::new(settling)).at_once(config.db_connections);
    run(batches, function.events).await
}

#[cfg(feature = "lambda")]
async fn serve_lambda_timer<T: Timer>(timer: T) -> anyhow::Result<()> {
    crate::lambda::run_events(Arc::new(timer)).await
}

#[cfg(not(feature = "lambda"))]
#[expect(clippy::unused_async, reason = "stands in for the host that was left out")]
async fn serve_lambda<H: Handler>(_: &Config, _: Function<H>) -> anyhow::Result<()> {
    anyhow::bail!("this program was built without the feature `lambda`")
}

#[cfg(not(feature = "lambda"))]
#[expect(clippy::unused_async, reason = "stands in for the host that was left out")]
async fn serve_lambda_timer<T: Timer>(_: T) -> anyhow::Result<()> {
    anyhow::bail!("this program was built without the feature `lambda`")
}

async fn serve_queue<H: Handler>(config: &Config, handler: Arc<H>) -> anyhow::Result<()> {
    let queue = queue::open(config.queue_url()?).await.context("QUEUE_URL")?;
    let shutdown = shutdown::signal()?;
    let options = Options { grace: config.grace, ..Options::of(H::NAME) };
    tracing::info!("consuming queue {}", H::NAME);
    consume(handler, queue, options, shutdown).await;
    Ok(())
}
