//! `chappe seed`: the demo's accounts and prices in a database, without running anything.

use anyhow::Result;
use host::config::Need;
use tokio_util::sync::CancellationToken;

use crate::cli::Common;
use crate::demo;
use crate::folder::Folder;
use crate::output::line;
use crate::platform::Platform;
use crate::{database, settings};

pub(crate) async fn run(common: &Common) -> Result<()> {
    let folder = Folder::new(&common.data_dir);
    let (secret, url) = (folder.secret()?, database::url(common)?);
    let config = settings::read(common, Some(secret), Some(url), &[Need::Database, Need::Queue, Need::SecretKey])?;
    let stop = CancellationToken::new();
    let platform = Platform::open(&config, stop.clone()).await?;
    let is_new = demo::prepare(&platform, &folder, &demo::default_addresses()).await?;
    stop.cancel();
    line(if is_new { "the demo is made" } else { "the demo was there; its operators are up to date" });
    Ok(())
}
