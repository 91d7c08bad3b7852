//! The functions that consume queues, started as parts of a process.

use std::sync::Arc;

use anyhow::Result;
use bill::Bill;
use callback::{Callback, Deliverer, Reach, Schedule, Sender};
use clap::ValueEnum;
use dlr::Dlr;
use host::{Handler, Options, consume};
use inbound::Inbound;
use realtime::Realtime;
use route::Route;
use store::sweep::Retention;
use sweep::Sweep;
use tokio::sync::Notify;

use crate::platform::Platform;

/// Which addresses webhooks may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Webhooks {
    /// The public internet only: a customer's URL cannot point into the network of the platform
    Public,
    /// Any address, this machine included
    Anywhere,
}

impl Webhooks {
    fn reach(self) -> Reach {
        match self {
            Self::Public => Reach::Public,
            Self::Anywhere => Reach::Anywhere,
        }
    }
}

/// A function that consumes a queue or runs by timers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Function {
    /// Accepted messages get an operator
    Route,
    /// Outcomes of submits capture or release money
    Bill,
    /// Receipts become states
    Dlr,
    /// Messages from handsets become whole and find their account
    Inbound,
    /// Events go to customers' webhooks
    Callback,
    /// Events go to clients that listen over WebSocket; shares a Redis with the API, or a process
    Realtime,
    /// Timers: outbox, expiry, health, partitions, books
    Sweep,
}

/// Envelopes of one queue that one process handles at once. They meet at the same wallets and pages, so that more
/// of them would wait for each other and keep old row versions alive, and do no more work.
const CONCURRENCY: usize = 3;

impl Function {
    /// Every function.
    pub(crate) const ALL: [Self; 7] =
        [Self::Route, Self::Bill, Self::Dlr, Self::Inbound, Self::Callback, Self::Realtime, Self::Sweep];

    /// Starts the function; it ends at the platform's shutdown.
    pub(crate) fn start(self, platform: &Platform, webhooks: Webhooks) -> Result<()> {
        let (db, clock) = (platform.db.clone(), Arc::clone(&platform.clock));
        match self {
            Self::Route => start_consumer(platform, Route::new(db, Arc::clone(&platform.catalogue), clock)),
            Self::Bill => start_consumer(platform, Bill::new(db, clock)),
            Self::Dlr => start_consumer(platform, Dlr::new(db, clock)),
            Self::Inbound => start_consumer(platform, Inbound::new(db, clock)),
            Self::Callback => return start_callback(platform, webhooks),
            Self::Realtime => {
                start_consumer(platform, Realtime::over(Arc::clone(&platform.limits.fanout), clock));
            }
            Self::Sweep => start_sweep(platform),
        }
        Ok(())
    }
}

fn start_consumer<H: Handler>(platform: &Platform, handler: H) {
    let options = Options { grace: platform.grace, concurrency: CONCURRENCY, ..Options::of(H::NAME) };
    platform.run(consume(Arc::new(handler), Arc::clone(&platform.queue), options, platform.shutdown.clone()));
}

/// The handler stores deliveries; the deliverer beside it sends them.
fn start_callback(platform: &Platform, webhooks: Webhooks) -> Result<()> {
    let stored = Arc::new(Notify::new());
    let (db, clock) = (platform.db.clone(), Arc::clone(&platform.clock));
    let sender = Sender::new(Arc::clone(&platform.keys), webhooks.reach(), Schedule::default())?;
    let deliverer = Deliverer::new(db.clone(), sender, Arc::clone(&clock), Arc::clone(&stored));
    start_consumer(platform, Callback::new(db, clock, stored));
    let shutdown = platform.shutdown.clone();
    platform.run(async move { deliverer.run(shutdown.cancelled()).await });
    Ok(())
}

fn start_sweep(platform: &Platform) {
    let (db, clock) = (platform.db.clone(), Arc::clone(&platform.clock));
    let sweep = Sweep::new(db, Arc::clone(&platform.queue), clock, Retention::default())
        .with_failover_after(platform.failover_after);
    let shutdown = platform.shutdown.clone();
    platform.run(async move { Box::pin(sweep.run(shutdown.cancelled())).await });
}
