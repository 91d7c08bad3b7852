//! `chappe ledger verify`: the invariants of money, checked against what is stored.
//!
//! A full check reads everything. So that a chain of seals that was made again does not pass for the one it replaces,
//! the seal at which the last check ended that found nothing must be there as it was. An incremental check goes on from
//! there: it reads the seals and lines behind it, adds them to the sums of each wallet and each account with an operator
//! that were kept then, and leaves out messages that had ended for good and acts of people that were right. Every check
//! reads one picture of the database and disturbs no writer.

mod checkpoint;
mod counters;
mod earnings;
mod exchange;
mod lookups;
mod rules;
mod seals;

use std::fmt::{self, Write as _};

use chrono::{DateTime, Utc};

pub(in crate::ledger) use self::checkpoint::Since;
use self::checkpoint::Sums;
pub(in crate::ledger) use self::rules::whole;
use crate::ledger::acts;
use crate::{Db, Error};

/// Findings of one rule that are told; the rest is likely of the same cause.
const FOUND_MAX: usize = 100;

/// One broken invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which rule.
    pub rule: &'static str,
    /// What was found.
    pub found: String,
}

/// How much is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Everything.
    Full,
    /// What came since the last check that found nothing; everything where there was none.
    Incremental,
}

/// Where a check stands, for who waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The rule that is being checked.
    pub rule: &'static str,
    /// Its number, from 1.
    pub step: usize,
    /// How many there are.
    pub steps: usize,
    /// Lines of the journal that were compared with their seals.
    pub lines: i64,
    /// How many there are to compare.
    pub lines_total: i64,
}

/// What a check found.
#[derive(Debug, Clone)]
pub struct Audit {
    /// What was checked in fact: an incremental check without an earlier one is a full one.
    pub extent: Extent,
    /// Broken invariants; none: the books are right.
    pub violations: Vec<Violation>,
    /// Lines of the journal that were read.
    pub lines: i64,
    /// Seals that were checked.
    pub seals: i64,
    /// Number of the last seal, and its hash: kept elsewhere, it proves that the whole chain is the one of today.
    pub head: (i64, String),
}

/// Checks every invariant on one snapshot of the database. An empty answer means that the books are right.
pub async fn verify(db: &Db) -> Result<Vec<Violation>, Error> {
    Ok(audit(db, Extent::Full, Utc::now(), &mut |_| ()).await?.violations)
}

/// Checks the books, tells `progress` where it stands, and keeps how far they are right.
///
/// # Errors
/// When the database fails; wrong books are not an error, but [`Audit::violations`].
pub async fn audit(
    db: &Db,
    extent: Extent,
    now: DateTime<Utc>,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Audit, Error> {
    let mut tx = db.begin_picture().await?;
    // These statements read whole tables: let the planner join as it likes, and know what it is asked for.
    for setting in [
        "SET LOCAL enable_hashjoin = on",
        "SET LOCAL enable_seqscan = on",
        "SET LOCAL plan_cache_mode = force_custom_plan",
        "SET LOCAL work_mem = '64MB'",
    ] {
        sqlx::query(setting).execute(&mut *tx).await?;
    }
    let last = checkpoint::last(&mut tx).await?;
    let known = last.as_ref().map(Since::chain).unwrap_or_default();
    let since = match extent {
        Extent::Full => None,
        Extent::Incremental => last,
    };
    let extent = if since.is_some() { Extent::Incremental } else { Extent::Full };
    let mut since = since.unwrap_or_default();
    let mut watch = Watch::new(&mut tx, &since, progress).await?;

    watch.next("a sealed entry is as it was sealed");
    let chain = seals::check(&mut tx, since.chain(), &known, now, &mut watch).await?;
    watch.say(chain.found.clone());
    since.late.clone_from(&chain.late);
    rules::check(&mut tx, &since, &mut watch).await?;
    watch.next("what people moved is in the journal, and nothing exceeds its original");
    watch.violations.extend(acts::verify(&mut tx, &since).await?);

    let Watch { violations, count, .. } = watch;
    let head = (chain.sequence, hex(&chain.hash));
    let sums = if violations.is_empty() && chain.strays == 0 && chain.sequence > 0 {
        Some(Sums::read(&mut tx, &since, &chain, now).await?)
    } else {
        None
    };
    tx.rollback().await?;
    if let Some(sums) = sums {
        sums.keep(db, extent, now).await?;
    }
    Ok(Audit { extent, violations, lines: count.lines, seals: i64::try_from(count.seals).unwrap_or(i64::MAX), head })
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// What was read.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    seals: usize,
    lines: i64,
}

/// Gathers what is found, and tells who waits.
struct Watch<'a> {
    progress: &'a mut (dyn FnMut(Progress) + Send),
    at: Progress,
    count: Count,
    violations: Vec<Violation>,
}

impl fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("at", &self.at).field("violations", &self.violations).finish_non_exhaustive()
    }
}

impl<'a> Watch<'a> {
    async fn new(
        connection: &mut sqlx::PgConnection,
        since: &Since,
        progress: &'a mut (dyn FnMut(Progress) + Send),
    ) -> Result<Self, Error> {
        let lines_total = checkpoint::sealed_lines(connection, since).await?;
        let at = Progress { rule: "", step: 0, steps: rules::COUNT + 2, lines: 0, lines_total };
        Ok(Self { progress, at, count: Count::default(), violations: Vec::new() })
    }

    /// The next rule begins.
    fn next(&mut self, rule: &'static str) {
        self.at = Progress { rule, step: self.at.step + 1, ..self.at };
        (self.progress)(self.at);
    }

    fn add(&mut self, count: Count) {
        self.count.seals += count.seals;
        self.count.lines += count.lines;
        self.at.lines = self.count.lines;
        (self.progress)(self.at);
    }

    /// The current rule does not hold in these cases.
    fn say(&mut self, found: Vec<String>) {
        let rule = self.at.rule;
        self.violations.extend(found.into_iter().map(|found| Violation { rule, found }));
    }
}
