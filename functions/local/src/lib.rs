//! Everything in one program: `chappe up` runs every function, the edge and a private database in one process;
//! the other commands run one part, or look into a running platform.

mod banner;
mod cli;
mod client;
mod command;
mod database;
mod demo;
mod edge;
mod exit;
mod folder;
mod functions;
mod http;
mod output;
mod platform;
mod progress;
mod settings;
mod signals;
mod smpp;
mod status;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use output::Output;

/// Reads the command line, runs the command, and says how it went: 0 done, 1 failed, 64 asked for wrongly.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return exit::of_parsing(&error),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(run(cli)));
    exit::of_result(result)
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let out = Output::new(cli.common.json);
    let common = &cli.common;
    match cli.command {
        Command::Up(options) => Box::pin(command::up::run(common, options)).await,
        Command::Worker(options) => command::worker::run(common, options).await,
        Command::Edge(options) => command::edge::run(common, options).await,
        Command::Smsc(options) => command::smsc::run(options).await,
        Command::Send(options) => command::send::run(common, options, &out).await,
        Command::Messages(options) => command::messages::run(common, options, &out).await,
        Command::Explain(options) => command::explain::run(common, options, &out).await,
        Command::Routing(options) => command::routing::run(common, options, &out).await,
        Command::WhatIf(options) => command::what_if::run(common, options, &out).await,
        Command::Balance(options) => command::balance::run(common, options, &out).await,
        Command::Revenue(options) => command::revenue::run(common, options, &out).await,
        Command::Statement(options) => command::statement::run(common, options, &out).await,
        Command::Health(options) => command::health::run(options).await,
        Command::House(options) => command::house::run(common, options, &out).await,
        Command::Migrate => command::migrate::run(common).await,
        Command::Seed(options) => command::seed::run(common, options).await,
        Command::Rates(options) => command::rates::run(common, options, &out).await,
        Command::ExchangeRates(options) => command::exchange_rates::run(common, options, &out).await,
        Command::Ledger(options) => command::ledger::run(common, options, &out).await,
        Command::Report(options) => command::report::run(common, options, &out).await,
        Command::Cdr(options) => command::cdr::run(common, options, &out).await,
        Command::Exports(options) => command::exports::run(common, options, &out).await,
        Command::Numbers(options) => command::numbers::run(common, options, &out).await,
        Command::Queues => command::queues::run(common, &out).await,
        Command::Smpp(options) => command::smpp::run(common, options, &out).await,
        Command::Operators(options) => command::operators::run(common, options, &out).await,
        Command::Parked(options) => command::parked::run(common, options, &out).await,
    }
}
