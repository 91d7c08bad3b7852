//! Logs and metrics: set up once, at the start of a program.

mod process;

use std::io;
use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{Config, LogFormat};

/// What the AMQP library says of messages that a broker returns quotes their bodies, which hold texts and numbers.
const SILENT: &str = "lapin::returned_messages=off";

/// How often histograms are tidied, so that they do not grow while nobody asks for metrics, and the process measured.
const UPKEEP: Duration = Duration::from_secs(5);

/// Bounds of histograms of seconds: a millisecond to half a minute.
const SECONDS: [f64; 12] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0];

/// Starts logging to standard error and recording metrics. Returns what renders the metrics for Prometheus.
/// Once per process, within the runtime.
pub fn init(config: &Config) -> anyhow::Result<PrometheusHandle> {
    init_logs(config)?;
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .install_recorder()
        .context("recording metrics was started before")?;
    tokio::spawn(keep_up(handle.clone()));
    Ok(handle)
}

/// Starts logging, where metrics go another way: on Lambda, see `lambda::Emf`. A line is written before its call
/// returns, so that a process that is frozen owes none.
pub fn init_logs(config: &Config) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log_filter).context("the log filter is wrong")?;
    let filter = filter.add_directive(SILENT.parse().context("the silenced target is wrong")?);
    let logs = fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = match config.log_format {
        LogFormat::Json => logs.json().flatten_event(true).with_current_span(true).try_init(),
        LogFormat::Pretty => logs.with_target(false).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!(error)).context("logging was started before")
}

async fn keep_up(handle: PrometheusHandle) {
    loop {
        process::measure();
        tokio::time::sleep(UPKEEP).await;
        handle.run_upkeep();
    }
}
