//! `chappe edge`: the sessions with operators in a process of their own, without a database.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;
use host::config::Need;
use host::secrets::Keys;
use host::{shutdown, telemetry};
use secrecy::ExposeSecret;
use smpp_edge::EdgeStatus;

use crate::cli::Common;
use crate::edge::name::Named;
use crate::edge::{self, Link, Station, watch};
use crate::http::{listen, url_of};
use crate::output::line;
use crate::{platform, settings, smpp, status};

const EXAMPLES: &str = "\
Examples:
  QUEUE_URL=postgres://… CHAPPE_SECRET_KEY=… chappe edge --internal-url http://10.0.0.5:8081
  chappe edge --name tashkent-1
  chappe edge --redis-url redis://10.0.0.6      beside others: they share the binds of each operator

Needs CHAPPE_SECRET_KEY, QUEUE_URL or DATABASE_URL for the queues, and REDIS_URL where there are several. It opens no database connection of its own:
settings come from the internal API, messages from the queues.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// The platform's internal API
    #[arg(long, env = "CHAPPE_INTERNAL_URL", default_value = "http://127.0.0.1:8081", value_name = "URL")]
    internal_url: String,
    #[command(flatten)]
    named: Named,
    /// Where customers bind over SMPP, such as 0.0.0.0:2775; nowhere when not given
    #[arg(long, env = "CHAPPE_SMPP_ADDR", value_name = "ADDR")]
    smpp_addr: Option<SocketAddr>,
    /// Where its health and metrics are (/healthz, /readyz, /metrics), and where `chappe smpp trace` finds it; a free port when not given
    #[arg(long, env = "CHAPPE_WATCH_ADDR", default_value = "127.0.0.1:0", value_name = "ADDR")]
    watch_addr: SocketAddr,
    #[command(flatten)]
    smpp: smpp::Options,
}

pub(crate) async fn run(common: &Common, options: Options) -> Result<()> {
    let config = settings::read_whole(common, None, None, &[Need::Queue, Need::SecretKey]).await?;
    let metrics = telemetry::init(&config)?;
    let door = listen("CHAPPE_WATCH_ADDR", options.watch_addr).await?;
    let secret = config.secret_key.as_ref().context("there is no secret key")?;
    let keys = Arc::new(Keys::new(secret.expose_secret())?);
    let link = Arc::new(Link::remote(&options.internal_url, &keys)?);
    let name = options.named.name();
    let ports = smpp::Ports::open(options.smpp_addr, &options.smpp).await?;
    if let Some(addr) = ports.addr()? {
        line(&format!("customers bind over SMPP at {addr}"));
    }
    let limits = platform::open_limits(&config)?;
    limits.join(edge::INSTANCES);
    line(&format!("the edge is watched at {}", url_of(door.local_addr()?)));
    let (status, shutdown) = (EdgeStatus::new(), shutdown::signal()?);
    let watch = watch::router(status.tracer().clone(), Arc::clone(&keys), shutdown.clone());
    let watch = watch.merge(status::router(Arc::new(move || metrics.render()), status::of_edge(status.clone())));
    let serving = axum::serve(door, watch).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    tokio::spawn(serving.into_future());
    let station = Station {
        server: ports.server(&limits, &link, &keys, &name),
        name,
        link,
        queue: platform::open_queue(&config).await?,
        directory: limits.directory,
        grace: config.grace,
        status,
        shutdown,
    };
    line("the edge runs; Ctrl-C stops it");
    edge::run(station).await;
    Ok(())
}
