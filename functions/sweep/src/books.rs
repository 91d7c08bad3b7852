//! The books: seals over the journal, counters of traffic, and the check of every night.

use chrono::{DateTime, Utc};
use store::ledger::{Audit, GRACE};
use store::{Db, ledger, traffic};

/// Broken invariants that are told in the log; the check itself tells them all.
const TOLD_MAX: usize = 20;

/// Seals what was written. Answers how many entries.
pub(crate) async fn seal(db: &Db, now: DateTime<Utc>) -> anyhow::Result<u64> {
    let sealed = ledger::seal(db, now, GRACE).await?;
    let age = sealed.oldest_unsealed.and_then(|oldest| (now - oldest).to_std().ok());
    metrics::gauge!("chappe_ledger_unsealed_age_seconds").set(age.unwrap_or_default());
    metrics::counter!("chappe_ledger_sealed_entries_total").increment(sealed.entries);
    metrics::counter!("chappe_ledger_late_entries_total").increment(sealed.late);
    if sealed.late > 0 {
        tracing::warn!(entries = sealed.late, "journal entries came late: the clock of some machine stands behind");
    }
    Ok(sealed.entries + sealed.late)
}

/// Folds what ended into the counters of the reports. Answers how many rows.
pub(crate) async fn count(db: &Db) -> anyhow::Result<u64> {
    Ok(traffic::fold(db).await?)
}

/// Checks the books where that is due, and says how the last check ended, whichever process made it: a process that has just
/// started knows it, too, and none holds on to what it found itself some nights ago. Answers 1 where it checked.
pub(crate) async fn check(db: &Db, now: DateTime<Utc>) -> anyhow::Result<u64> {
    let audit = ledger::nightly(db, now).await;
    if let Ok(Some(audit)) = &audit {
        tell(audit);
    }
    // Also where the check of this night fails: then it is the time of the last one that says so.
    if let Some(last) = ledger::last_night(db).await? {
        metrics::gauge!("chappe_ledger_violations").set(last.violations);
        metrics::gauge!("chappe_ledger_checked_timestamp_seconds").set(u32::try_from(last.at.timestamp())?);
    }
    Ok(u64::from(audit?.is_some()))
}

/// The hash of the last seal in a log that is kept elsewhere proves later that no seal before it was replaced.
fn tell(audit: &Audit) {
    let (seal, hash) = &audit.head;
    let (lines, findings) = (audit.lines, audit.violations.len());
    tracing::info!(seal, hash, lines, findings, extent = ?audit.extent, "the books were checked");
    for violation in audit.violations.iter().take(TOLD_MAX) {
        tracing::error!(rule = violation.rule, found = violation.found, "the books are wrong");
    }
}
