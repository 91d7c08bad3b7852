//! `chappe smpp`: sessions with customers and operators as they stand now, and what they say.

mod house;
mod operators;
mod sessions;
mod trace;

use std::time::Duration;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::Value as Json;

use crate::cli::Common;
use crate::output::{Output, clear};
use crate::signals;
pub(super) use house::House;

const EXAMPLES: &str = "\
Examples:
  chappe smpp operators --watch                 binds, windows, rates and queues, again every two seconds
  chappe smpp sessions                          who is bound to us
  chappe smpp trace demo                        every PDU of the customer `demo`, in words
  chappe smpp trace op_01k… --pcap ucell.pcap   an operator's, for Wireshark
  chappe smpp trace --list                      what can be traced

For people of the house: these commands need the platform's secret, from the data folder or CHAPPE_SECRET_KEY.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Who is bound to us: customers' sessions over all edges
    Sessions(Look),
    /// With whom we are bound: operators' sessions over all edges, and what waits for each
    Operators(Look),
    /// Follow the PDUs of a session, a system or an operator
    Trace(trace::Options),
}

/// Where to look, and how often.
#[derive(Debug, Args)]
struct Look {
    /// Show it again every two seconds until Ctrl-C
    #[arg(long)]
    watch: bool,
    /// The platform's internal API
    #[arg(long, env = "CHAPPE_INTERNAL_URL", default_value = "http://127.0.0.1:8081", value_name = "URL")]
    internal_url: String,
}

/// How often a watched table is shown.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

pub(crate) async fn run(common: &Common, options: Options, out: &Output) -> Result<()> {
    match options.command {
        Command::Sessions(look) => show(common, &look, "/internal/smpp/sessions", out, sessions::show).await,
        Command::Operators(look) => show(common, &look, "/internal/smpp/operators", out, operators::show).await,
        Command::Trace(options) => trace::run(common, options, out).await,
    }
}

/// Shows what lies at `path`, once or until Ctrl-C.
async fn show(
    common: &Common,
    look: &Look,
    path: &str,
    out: &Output,
    table: fn(&Json, &Output) -> Result<()>,
) -> Result<()> {
    let house = House::new(common, &look.internal_url)?;
    if !look.watch {
        return table(&house.get(path).await?, out);
    }
    let mut stop = std::pin::pin!(signals::stop());
    loop {
        let answer = house.get(path).await?;
        clear();
        table(&answer, out)?;
        tokio::select! {
            () = &mut stop => return Ok(()),
            () = tokio::time::sleep(AGAIN_AFTER) => {}
        }
    }
}
