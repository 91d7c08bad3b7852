//! `chappe edge`: the sessions with operators in a process of their own, without a database.

use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;
use host::config::Need;
use host::secrets::Keys;
use host::{shutdown, telemetry};
use secrecy::ExposeSecret;

use crate::cli::Common;
use crate::edge::{self, Link, Station};
use crate::output::line;
use crate::{platform, settings};

const EXAMPLES: &str = "\
Examples:
  QUEUE_URL=postgres://… CHAPPE_SECRET_KEY=… chappe edge --internal-url http://10.0.0.5:8081
  chappe edge --name tashkent-1

Needs CHAPPE_SECRET_KEY, and QUEUE_URL or DATABASE_URL for the queues. It opens no database connection of its own:
settings come from the internal API, messages from the queues.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// The platform's internal API
    #[arg(long, env = "CHAPPE_INTERNAL_URL", default_value = "http://127.0.0.1:8081", value_name = "URL")]
    internal_url: String,
    /// Names this edge where its sessions are shown; made of the process id when not given
    #[arg(long)]
    name: Option<String>,
}

pub(crate) async fn run(common: &Common, options: Options) -> Result<()> {
    let config = settings::read(common, None, None, &[Need::Queue, Need::SecretKey])?;
    telemetry::init(&config)?;
    let secret = config.secret_key.as_ref().context("there is no secret key")?;
    let link = Link::remote(&options.internal_url, &Keys::new(secret.expose_secret())?)?;
    let station = Station {
        name: options.name.unwrap_or_else(|| format!("edge-{}", std::process::id())),
        link: Arc::new(link),
        queue: platform::open_queue(&config).await?,
        grace: config.grace,
        shutdown: shutdown::signal()?,
    };
    line("the edge runs; Ctrl-C stops it");
    edge::run(station).await;
    Ok(())
}
