//! Every WebSocket of this process: how many each account has, and that whoever publishes knows of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use contract::realtime::ACCOUNT_CONNECTIONS_MAX;
use domain::AccountId;
use limits::{Fanout, Subscription};
use store::{Db, realtime};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use uuid::Uuid;

use crate::problem::{Code, Problem};

/// Connections of one process.
const CONNECTIONS_MAX: usize = 4_000;
/// How often the database is told who listens here.
const ANNOUNCE_EVERY: Duration = Duration::from_secs(10);
/// Who is not announced again counts as gone after this.
const ANNOUNCED_FOR: TimeDelta = TimeDelta::seconds(30);
/// How long the last word to the database may take.
const LEAVE_LIMIT: Duration = Duration::from_secs(2);

/// What all connections of a process share.
#[derive(Debug)]
pub(crate) struct Hub {
    db: Db,
    fanout: Arc<dyn Fanout>,
    /// Names this process in the database.
    instance: Uuid,
    accounts: Mutex<HashMap<AccountId, usize>>,
    pub(super) stop: CancellationToken,
    tasks: TaskTracker,
}

impl Hub {
    /// Starts to announce who listens; call it inside a runtime.
    pub(crate) fn start(db: Db, fanout: Arc<dyn Fanout>, stop: CancellationToken) -> Arc<Self> {
        let (instance, accounts, tasks) = (Uuid::now_v7(), Mutex::default(), TaskTracker::new());
        let hub = Arc::new(Self { db, fanout, instance, accounts, stop: stop.clone(), tasks });
        let announcing = announce(Arc::downgrade(&hub));
        tokio::spawn(async move { stop.run_until_cancelled(announcing).await });
        hub
    }

    /// Takes a place for a connection of `account`, or refuses with 429.
    pub(super) fn enter(this: &Arc<Self>, account: AccountId) -> Result<Seat, Problem> {
        if this.stop.is_cancelled() {
            return Err(Problem::new(Code::Unavailable, "this server stops; connect again"));
        }
        let token = this.tasks.token();
        {
            let mut accounts = this.lock();
            if accounts.values().sum::<usize>() >= CONNECTIONS_MAX {
                return Err(Problem::new(Code::TooManyConnections, "this server is full"));
            }
            let own = accounts.entry(account).or_default();
            if *own >= ACCOUNT_CONNECTIONS_MAX {
                let detail = "the account has 100 connections here already; close one that is not needed";
                return Err(Problem::new(Code::TooManyConnections, detail));
            }
            *own += 1;
        }
        // It listens before anybody learns that it does.
        let events = this.fanout.subscribe(&account.to_string());
        Ok(Seat { hub: Arc::clone(this), account, events, _token: token })
    }

    /// Waits until the process stops and every connection is closed, and takes its word back.
    pub(crate) async fn closed(&self) {
        self.stop.cancelled().await;
        self.tasks.close();
        self.tasks.wait().await;
        // What is not taken back ends by itself.
        let _ = tokio::time::timeout(LEAVE_LIMIT, realtime::leave(&self.db, self.instance)).await;
    }

    async fn announce(&self, accounts: &[AccountId]) -> Result<(), store::Error> {
        realtime::listen(&self.db, self.instance, accounts, Utc::now() + ANNOUNCED_FOR).await
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, usize>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says again and again who listens here.
async fn announce(hub: Weak<Hub>) {
    let mut turns = interval(ANNOUNCE_EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        let Some(hub) = hub.upgrade() else { return };
        let accounts: Vec<AccountId> = hub.lock().keys().copied().collect();
        if !accounts.is_empty()
            && let Err(error) = hub.announce(&accounts).await
        {
            tracing::warn!(error = %error, "cannot announce who listens");
        }
    }
}

/// A connection's place.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) hub: Arc<Hub>,
    account: AccountId,
    pub(super) events: Subscription,
    _token: TaskTrackerToken,
}

impl Seat {
    /// Makes it known that the account listens.
    pub(super) async fn announce(&mut self) -> Result<(), Problem> {
        metrics::counter!("chappe_realtime_connections_total").increment(1);
        Ok(self.hub.announce(&[self.account]).await?)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut accounts = self.hub.lock();
        if let Some(own) = accounts.get_mut(&self.account) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                accounts.remove(&self.account);
            }
        }
        let open = accounts.values().sum::<usize>();
        metrics::gauge!("chappe_realtime_connections").set(u32::try_from(open).unwrap_or(u32::MAX));
    }
}
