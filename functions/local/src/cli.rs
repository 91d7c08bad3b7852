//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::command::{
    cdr, edge, exchange_rates, explain, exports, health, house, ledger, messages, numbers, operators, parked, rates,
    report, revenue, routing, seed, send, smpp, smsc, statement, up, what_if, worker,
};

const EXAMPLES: &str = "\
Begin here:
  chappe up --demo                         start everything, with three simulated operators
  chappe send --to +998901234567 \"Hello\"   send a message to the demo
  chappe messages                          see what became of it
  chappe queues                            see what waits where

Settings come from options or from the environment; `chappe <command> --help` names both. Secrets may lie in files:
DATABASE_URL_FILE, QUEUE_URL_FILE, REDIS_URL_FILE, CHAPPE_SECRET_KEY_FILE and CHAPPE_API_KEY_FILE name them.";

/// Chappe, an SMS platform: takes messages over HTTPS, prices, routes and submits them to operators over SMPP,
/// tracks every receipt and settles every cent.
#[derive(Debug, Parser)]
#[command(name = "chappe", version, after_help = EXAMPLES, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Print JSON for programs instead of tables for people
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// The folder of the private database, the platform's secret and the demo key
    #[arg(long, global = true, env = "CHAPPE_DATA_DIR", default_value = ".data", value_name = "DIR")]
    pub(crate) data_dir: PathBuf,
    /// A PostgreSQL server to use instead of the private one
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub(crate) database_url: Option<String>,
    /// Where the queues are: postgres:, amqp:// or sqs://; the database when not given
    #[arg(long, global = true, env = "QUEUE_URL", hide_env_values = true, value_name = "URL")]
    pub(crate) queue_url: Option<String>,
    /// A Redis by which several processes with sessions share operators and limits: redis://, rediss:// or unix://
    #[arg(long, global = true, env = "REDIS_URL", hide_env_values = true, value_name = "URL")]
    pub(crate) redis_url: Option<String>,
}

/// How to reach the HTTP API.
#[derive(Debug, Args)]
pub(crate) struct Api {
    /// The API's address
    #[arg(long, env = "CHAPPE_URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
    /// The API key; without one the demo's key is read from the data folder
    #[arg(long, env = "CHAPPE_API_KEY", hide_env_values = true)]
    pub(crate) key: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start everything in this process: functions, edge, API and a private database where none is named
    Up(up::Options),
    /// Run some functions in a process of their own
    Worker(worker::Options),
    /// Run the sessions with operators in a process of their own
    Edge(edge::Options),
    /// Run a simulated operator: a real SMPP server that takes messages and sends receipts
    Smsc(smsc::Options),
    /// Send a message
    Send(send::Options),
    /// List messages, or show one with everything that happened to it
    Messages(messages::Options),
    /// Explain a message: prices, candidates and why not the others, hops, and why it ended
    Explain(explain::Options),
    /// See routing rules, what their versions changed, and who would carry a message
    Routing(routing::Options),
    /// Replay traffic by changed rules, rates and prices, and see what differs
    WhatIf(what_if::Options),
    /// Show what the account has, holds and may spend, and when it is empty
    Balance(Api),
    /// Show what a seller earned, put it into the wallet, or record that it was paid out
    Revenue(revenue::Options),
    /// Show every movement of a wallet, or the messages behind one of them
    Statement(statement::Options),
    /// Ask a running process whether it can work
    Health(health::Options),
    /// Begin an installation: make its first account, key and log-in
    House(house::Options),
    /// Bring the schema of the database up to date
    Migrate,
    /// Make the demo accounts, prices and operators in an empty database
    Seed(seed::Options),
    /// Import suppliers' rate sheets, and see what would lose money
    Rates(rates::Options),
    /// See and set by what costs in one currency are compared with prices in another
    ExchangeRates(exchange_rates::Options),
    /// Check the books
    Ledger(ledger::Options),
    /// Report what was sent, what came of it, what it cost and earned
    Report(report::Options),
    /// Export call detail records: all that a dispute needs
    Cdr(cdr::Options),
    /// List exports, and how far they are
    Exports(exports::Options),
    /// Import prefixes and numbers that moved
    Numbers(numbers::Options),
    /// Show every queue: what is ready, under way, and set aside
    #[command(after_help = "Examples:\n  chappe queues\n  chappe queues --json | jq '.[] | select(.parked > 0)'")]
    Queues,
    /// See the sessions with customers and operators, and what they say
    Smpp(smpp::Options),
    /// See how operators do at each network, which breakers are open, and whose receipts are not believed
    Operators(operators::Options),
    /// Look at queue messages that could not be handled; replay or drop them
    Parked(parked::Options),
}
