//! `cargo run --release -p sqs-emulator [-- 127.0.0.1:9324]`: an SQS without Amazon, until Ctrl-C.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use sqs_emulator::SqsEmulator;

/// Where it listens unless told.
const ADDRESS: &str = "127.0.0.1:9324";

#[tokio::main]
async fn main() -> Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| ADDRESS.to_owned());
    let address: SocketAddr = address.parse().context("name an address like 127.0.0.1:9324")?;
    let emulator = SqsEmulator::start_at(address).await?;
    eprintln!("an emulator of SQS listens; QUEUE_URL={}", emulator.url("demo"));
    tokio::signal::ctrl_c().await.context("cannot wait for Ctrl-C")?;
    eprintln!("requests:");
    for (action, count) in emulator.requests() {
        eprintln!("{count:10} {action}");
    }
    Ok(())
}
