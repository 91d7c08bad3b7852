//! `chappe seed`: the demo's accounts and prices in a database, without running anything.

use std::net::SocketAddr;

use anyhow::Result;
use clap::Args;
use host::config::Need;
use tokio_util::sync::CancellationToken;

use crate::cli::Common;
use crate::demo;
use crate::folder::Folder;
use crate::output::line;
use crate::platform::Platform;
use crate::{database, settings};

const EXAMPLES: &str = "\
The operators of the demo are expected at CHAPPE_SMSC_ADDR and the two ports behind it; `chappe up --demo` runs
them there, and so does `chappe smsc --account chappe:demo --listen <address>` for one of them.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Where the demo's first operator listens
    #[arg(long, env = "CHAPPE_SMSC_ADDR", default_value = "127.0.0.1:2776", value_name = "ADDR")]
    smsc_addr: SocketAddr,
}

pub(crate) async fn run(common: &Common, options: Options) -> Result<()> {
    let folder = Folder::new(&common.data_dir);
    let (secret, url) = (folder.secret()?, database::url(common)?);
    let config = settings::read(common, Some(secret), Some(url), &[Need::Database, Need::Queue, Need::SecretKey])?;
    let stop = CancellationToken::new();
    let platform = Platform::open(&config, stop.clone()).await?;
    let is_new = demo::prepare(&platform, &folder, &demo::addresses(options.smsc_addr)?).await?;
    stop.cancel();
    line(if is_new { "the demo is made" } else { "the demo was there; its operators are up to date" });
    Ok(())
}
