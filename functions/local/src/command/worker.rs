//! `chappe worker`: functions in a process of their own, beside others on the same queues.

use std::sync::Arc;

use anyhow::{Result, ensure};
use clap::Args;
use host::config::Need;
use host::{shutdown, telemetry};

use crate::cli::Common;
use crate::exit::Misused;
use crate::functions::{Function, Webhooks};
use crate::http::{self, Doors};
use crate::output::line;
use crate::platform::Platform;
use crate::settings;
use crate::status::{self, Metrics, Watched};

const EXAMPLES: &str = "\
Examples:
  chappe worker route                   one function
  chappe worker bill dlr callback       several in one process
  chappe worker sweep                   the timers; one process of these is enough
  chappe worker --api                   the HTTP API and the internal API, without any function

Needs DATABASE_URL, CHAPPE_SECRET_KEY, and QUEUE_URL where the queues are not in the database; REDIS_URL where there
are several of the API, or realtime apart from it.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// What to run
    #[arg(required_unless_present = "api", value_enum)]
    functions: Vec<Function>,
    /// Serve the HTTP API and the internal API as well
    #[arg(long)]
    api: bool,
    /// Which addresses webhooks may reach
    #[arg(long, value_enum, default_value = "public")]
    webhooks: Webhooks,
    #[command(flatten)]
    watched: Watched,
}

pub(crate) async fn run(common: &Common, options: Options) -> Result<()> {
    let config = settings::read_whole(common, None, None, &[Need::Database, Need::Queue, Need::SecretKey]).await?;
    let alone = options.functions.contains(&Function::Realtime) && config.redis_url.is_none() && !options.api;
    ensure!(!alone, Misused("realtime needs REDIS_URL to reach the API, or --api in this process".to_owned()));
    let doors = if options.api { Some(Doors::open(&config).await?) } else { None };
    let watched = options.watched.open().await?;
    let metrics = telemetry::init(&config)?;
    let metrics: Metrics = Arc::new(move || metrics.render());
    let platform = Platform::open(&config, shutdown::signal()?).await?;
    for function in options.functions {
        function.start(&platform, options.webhooks)?;
    }
    let watch = status::router(Arc::clone(&metrics), status::of_functions(platform.db.clone()));
    let metrics = status::serve(&platform, watched, watch.clone(), metrics)?;
    if let Some(doors) = doors {
        let api = http::api(&platform, metrics, options.webhooks);
        let url = http::start(&platform, doors, api, watch)?;
        line(&format!("the API is at {url}"));
    }
    line("working; Ctrl-C stops");
    platform.stopped().await;
    Ok(())
}
