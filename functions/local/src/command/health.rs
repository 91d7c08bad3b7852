//! `chappe health`: asks a process of ours whether it can work. Images without a shell or curl call it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::output::line;

const EXAMPLES: &str = "\
Ends with 0 when the process is ready, and with 1 when it is not or nobody answers.

Examples:
  chappe health                                  what CHAPPE_WATCH_URL names, by default the internal API
  chappe health --url http://127.0.0.1:8080      the public API";

/// How long an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(4);

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Where the process is watched
    #[arg(long, env = "CHAPPE_WATCH_URL", default_value = "http://127.0.0.1:8081", value_name = "URL")]
    url: String,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let url = format!("{}/readyz", options.url.trim_end_matches('/'));
    let http = reqwest::Client::builder().timeout(ANSWER_LIMIT).no_proxy().build().context("no HTTP client")?;
    let answer = http.get(&url).send().await.with_context(|| format!("no answer from {url}"))?;
    let status = answer.status();
    if !status.is_success() {
        let why = answer.text().await.unwrap_or_default();
        bail!("{url} answers {status}: {}", why.trim());
    }
    line("ready");
    Ok(())
}
