//! Timers: messages whose time has come or is over, the outbox, health of operators, partitions, what has grown old.
//!
//! Each look is a function of its own that can be called alone, by a process that runs them all at their
//! intervals ([`Sweep::run`]) or by a scheduler.

mod backlog;
mod books;
mod exports;
mod failover;
mod health;
mod late;
mod money;
mod round;
mod timer;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use domain::MessageId;
use domain::live::Live;
use domain::overrides::Overrides;
use host::Clock;
use queue::Queue;
use store::sweep::Retention;
use store::{Db, conclude, schedule, sweep};

use crate::round::{Found, every};

/// How often overdue messages are looked for.
const OVERDUE_EVERY: Duration = Duration::from_secs(10);
/// How often messages are looked for whose receipt is late.
const RECEIPTS_EVERY: Duration = Duration::from_secs(2);
/// How often scheduled messages are looked for.
const SCHEDULED_EVERY: Duration = Duration::from_millis(500);
/// Scheduled messages of one transaction.
const SCHEDULED_MAX: u16 = 500;
/// How often operators without a session are looked for.
const FAILOVER_EVERY: Duration = Duration::from_secs(5);
/// How long an operator may be without a session before what waits for it goes elsewhere, when nothing else is said: longer
/// than a restart of an edge or of the operator takes.
pub const FAILOVER_AFTER: TimeDelta = TimeDelta::seconds(60);
/// How often operators are judged: routing knows of a breaker that turned, or of a score, within five seconds.
const HEALTH_EVERY: Duration = Duration::from_secs(2);
/// How often parts are looked for whose others did not come.
const PARTS_EVERY: Duration = Duration::from_secs(5);
/// How long the parts of a message from a handset wait for each other, when nothing else is said.
pub const PARTS_WAIT: TimeDelta = TimeDelta::minutes(10);
/// How often balances are held against their thresholds, of customers and with suppliers.
const BALANCES_EVERY: Duration = Duration::from_secs(5);
/// How often partitions are made and dropped.
const PARTITIONS_EVERY: Duration = Duration::from_hours(1);
/// How often overrides of numbers are looked for whose time is over.
const NUMBERS_EVERY: Duration = Duration::from_mins(1);
/// How often open exports are looked for.
const EXPORTS_EVERY: Duration = Duration::from_secs(1);
/// CDRs that one page of an export looks at.
const EXPORT_PAGE: u16 = 2_000;
/// How often the outbox is looked at; publishers publish their own, this finds what a crash left.
const OUTBOX_EVERY: Duration = Duration::from_millis(200);
/// How often the queues and the outbox are measured: often enough for an alarm, seldom enough where each look is a
/// paid request.
const BACKLOG_EVERY: Duration = Duration::from_secs(30);
/// How often the journal is sealed.
const SEAL_EVERY: Duration = Duration::from_secs(10);
/// How often counters take what has ended.
const COUNTERS_EVERY: Duration = Duration::from_secs(2);
/// How often the check of the night is looked for.
const BOOKS_EVERY: Duration = Duration::from_mins(10);

/// Everything that timers do.
#[derive(Debug, Clone)]
pub struct Sweep {
    db: Db,
    queue: Arc<dyn Queue>,
    clock: Arc<dyn Clock>,
    retention: Retention,
    parts_wait: TimeDelta,
    failover_after: TimeDelta,
    /// Numbers that moved, as they were last read.
    overrides: Arc<Live<Overrides>>,
    export_page: u16,
}

impl Sweep {
    /// A sweep as the settings say.
    ///
    /// # Errors
    /// When a URL of the settings is missing or cannot be read, or the queue does not answer.
    pub async fn open(config: &host::Config) -> anyhow::Result<Self> {
        let outbox::Opened { db, queue, .. } = outbox::open(config).await?;
        let sweep = Self::new(db, queue, Arc::new(host::clock::System), Retention::default());
        Ok(sweep.with_failover_after(config.failover_after))
    }

    /// Sweeps over `db`, publishing to `queue`.
    pub fn new(db: Db, queue: Arc<dyn Queue>, clock: Arc<dyn Clock>, retention: Retention) -> Self {
        Self {
            db,
            queue,
            clock,
            retention,
            parts_wait: PARTS_WAIT,
            failover_after: FAILOVER_AFTER,
            export_page: EXPORT_PAGE,
            overrides: Arc::default(),
        }
    }

    /// Lets the parts of a message from a handset wait for each other so long, at most [`inbound::TOGETHER`].
    #[must_use]
    pub fn with_parts_wait(self, parts_wait: TimeDelta) -> Self {
        Self { parts_wait: parts_wait.min(inbound::TOGETHER), ..self }
    }

    /// Looks at so many CDRs for each page of an export.
    #[must_use]
    pub fn with_export_page(self, export_page: u16) -> Self {
        Self { export_page: export_page.max(1), ..self }
    }

    /// Lets an operator be without a session for so long before what waits for it goes elsewhere.
    #[must_use]
    pub fn with_failover_after(self, failover_after: Duration) -> Self {
        Self { failover_after: TimeDelta::from_std(failover_after).unwrap_or(FAILOVER_AFTER), ..self }
    }

    /// Runs every look at its interval until `shutdown`.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        tokio::select! {
            () = shutdown => {}
            () = every("overdue", OVERDUE_EVERY, || self.end_overdue()) => {}
            () = every("receipts", RECEIPTS_EVERY, || self.look_for_receipts()) => {}
            () = every("scheduled", SCHEDULED_EVERY, || self.scheduled()) => {}
            () = every("failover", FAILOVER_EVERY, || self.failover()) => {}
            () = every("parts", PARTS_EVERY, || self.complete_parts()) => {}
            () = every("health", HEALTH_EVERY, || self.health()) => {}
            () = every("balances", BALANCES_EVERY, || self.balances()) => {}
            () = every("partitions", PARTITIONS_EVERY, || self.partitions()) => {}
            () = every("outbox", OUTBOX_EVERY, || self.empty_outbox()) => {}
            () = every("numbers", NUMBERS_EVERY, || self.numbers()) => {}
            () = every("exports", EXPORTS_EVERY, || self.exports()) => {}
            () = every("backlog", BACKLOG_EVERY, || self.backlog()) => {}
            () = every("seal", SEAL_EVERY, || self.seal()) => {}
            () = every("counters", COUNTERS_EVERY, || self.counters()) => {}
            () = every("books", BOOKS_EVERY, || self.books()) => {}
        }
    }

    /// Ends messages whose validity and grace are over: never submitted means expired and released, submitted
    /// without a receipt means unconfirmed and settled by the tariff. Answers how many.
    pub async fn overdue(&self) -> anyhow::Result<u64> {
        Ok(self.end_overdue().await?.done)
    }

    async fn end_overdue(&self) -> anyhow::Result<Found> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let found = sweep::overdue(&mut tx, now).await?;
        let (advances, events) = verdict::end(&found, now);
        // A receipt for an operator of before may be at work on them: its cost belongs into the CDR.
        let ending: Vec<MessageId> = advances.iter().map(|advance| advance.message).collect();
        store::dlr::lock(&mut tx, &ending).await?;
        let moved = store::advance::advance(&mut tx, advances, now).await?;
        store::advance::append_events(&mut tx, "sweep", &events).await?;
        conclude::conclude(&mut tx, &self.db, &moved, now).await?;
        tx.commit().await?;
        Ok(Found { done: u64::try_from(moved.len())?, is_full: found.len() >= usize::from(sweep::OVERDUE_MAX) })
    }

    /// Sends messages on their way whose time has come. Answers how many.
    pub async fn scheduled(&self) -> anyhow::Result<u64> {
        self.send_scheduled(TimeDelta::zero()).await
    }

    /// The same, and what is due before the next tick of a timer that ticks once a minute: it waits in the queue.
    pub async fn scheduled_ahead(&self) -> anyhow::Result<u64> {
        self.send_scheduled(schedule::AHEAD).await
    }

    async fn send_scheduled(&self, ahead: TimeDelta) -> anyhow::Result<u64> {
        let mut released = 0;
        loop {
            let now = self.clock.now();
            let sent = schedule::send(&self.db, now, now + ahead, SCHEDULED_MAX).await?;
            released += u64::try_from(sent)?;
            if sent < usize::from(SCHEDULED_MAX) {
                return Ok(released);
            }
        }
    }

    /// Hands over messages from handsets whose missing parts did not come in time. Answers how many.
    pub async fn parts(&self) -> anyhow::Result<u64> {
        Ok(self.complete_parts().await?.done)
    }

    async fn complete_parts(&self) -> anyhow::Result<Found> {
        let done = inbound::complete_overdue(&self.db, self.clock.now(), self.parts_wait).await?;
        Ok(Found::of(done, inbound::OVERDUE_MAX))
    }

    /// Judges how operators did lately: scores and circuit breakers. Answers how much was new.
    pub async fn health(&self) -> anyhow::Result<u64> {
        health::look(&self.db, self.clock.now()).await
    }

    /// Tells whose balance fell below a threshold, and raises alarms for suppliers that run low. Answers how many fell.
    pub async fn balances(&self) -> anyhow::Result<u64> {
        money::look(&self.db, self.clock.now()).await
    }

    /// Makes the partitions of the weeks ahead and drops what is past its time.
    pub async fn partitions(&self) -> anyhow::Result<u64> {
        let now = self.clock.now();
        let made = sweep::partitions(&self.db, now).await?;
        let dropped = sweep::retention(&self.db, self.retention, now).await?;
        Ok(dropped + u64::try_from(made)?)
    }

    /// Ends overrides and look-ups of numbers whose time is over. Answers how many rows.
    pub async fn numbers(&self) -> anyhow::Result<u64> {
        let now = self.clock.now();
        Ok(store::overrides::sweep(&self.db, now).await? + store::lookups::sweep(&self.db, now).await?)
    }

    /// Makes exports, page by page, until none is open, and drops old ones. Answers how many pages and files.
    pub async fn exports(&self) -> anyhow::Result<u64> {
        let dropped = store::exports::sweep(&self.db, self.clock.now()).await?;
        Ok(dropped + exports::work(&self.db, self.export_page, || self.clock.now()).await?)
    }

    /// Publishes what a crash left in the outbox. Answers how many rows.
    pub async fn outbox(&self) -> anyhow::Result<u64> {
        Ok(self.empty_outbox().await?.done)
    }

    async fn empty_outbox(&self) -> anyhow::Result<Found> {
        let done = outbox::sweep_up(&self.db, self.queue.as_ref(), self.clock.now()).await?;
        Ok(Found::of(done, outbox::LEFT_MAX))
    }
}

impl Sweep {
    /// Measures what waits in the queues and in the outbox, for who watches the platform.
    pub async fn backlog(&self) -> anyhow::Result<u64> {
        backlog::measure(&self.db, self.queue.as_ref(), self.clock.now()).await
    }
}

impl Sweep {
    /// Seals what was written to the journal. Answers how many entries.
    pub async fn seal(&self) -> anyhow::Result<u64> {
        books::seal(&self.db, self.clock.now()).await
    }

    /// Folds what ended into the counters of the reports. Answers how many rows.
    pub async fn counters(&self) -> anyhow::Result<u64> {
        books::count(&self.db).await
    }

    /// Checks the books once a night: what is new, and everything once a week. Answers 1 where it did.
    pub async fn books(&self) -> anyhow::Result<u64> {
        books::check(&self.db, self.clock.now()).await
    }
}
