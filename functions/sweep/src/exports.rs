//! Exports of CDRs: a page, a chunk, and on. Each page is one transaction, so that a worker that dies leaves whole pages,
//! and the next one goes on behind them.

mod render;

use std::io::Write as _;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;
use store::exports::{self, Export, Step};
use store::{Db, cdr};

use render::Viewer;

/// Pages that one look makes; the next look goes on.
const PAGES_MAX: u64 = 100;
/// Bytes of one file at most.
const BYTES_MAX: i64 = 4 * 1024 * 1024 * 1024;

/// Makes pages of open exports, of `look_at` CDRs each, whose turn it is first. Answers how many.
pub(crate) async fn work(db: &Db, look_at: u16, now: impl Fn() -> DateTime<Utc>) -> anyhow::Result<u64> {
    for done in 0..PAGES_MAX {
        let mut tx = db.begin().await?;
        let Some(export) = exports::next(&mut tx, now()).await? else { return Ok(done) };
        let made = page(&mut tx, db, &export, look_at).await;
        let step = match made {
            Ok(step) => step,
            Err(error) => {
                // The transaction may be broken: what went wrong is noted in another.
                drop(tx);
                failed(exports::stumbled(db, export.id, now()).await?);
                return Err(error);
            }
        };
        exports::step(&mut tx, &export, &step, now()).await?;
        store::tx::commit(tx).await?;
        failed(step.error.is_some());
        metrics::counter!("chappe_export_rows_total").increment(u64::try_from(step.rows).unwrap_or(0));
    }
    Ok(PAGES_MAX)
}

/// Counts exports that come to nothing; the counter is there from the first look on.
fn failed(has_failed: bool) {
    metrics::counter!("chappe_exports_failed_total").increment(u64::from(has_failed));
}

async fn page(tx: &mut store::Connection, db: &Db, export: &Export, look_at: u16) -> anyhow::Result<Step> {
    let page = cdr::page(tx, db, export, look_at).await?;
    let rows = i64::try_from(page.cdrs.len())?;
    let viewer = Viewer::of(tx, export).await?;
    let text = viewer.render(export, &page)?;
    // A packed file without a record is a member without content, not nothing.
    let is_whole = page.cursor.is_none() && export.chunks == 0;
    let is_packed = export.gzip && (is_whole || !text.is_empty());
    let body = if is_packed { pack(&text)? } else { text.into_bytes() };
    let too_large = export.bytes + i64::try_from(body.len())? > BYTES_MAX;
    Ok(Step {
        body,
        rows,
        rows_estimated: estimated(export, rows, page.cursor.map(|cursor| cursor.0)),
        cursor: page.cursor,
        error: too_large.then_some("the file would have more than 4 GiB; ask for a shorter time"),
    })
}

/// Chunks are members of one gzip file (RFC 1952 section 2.2): they are packed apart and read as one.
fn pack(text: &str) -> anyhow::Result<Vec<u8>> {
    let mut packed = GzEncoder::new(Vec::with_capacity(text.len() / 8), Compression::fast());
    packed.write_all(text.as_bytes()).context("cannot pack a page")?;
    packed.finish().context("cannot pack a page")
}

/// Rows of the whole, by how much of its time is done: CDRs are read in the order of their time.
fn estimated(export: &Export, rows: i64, last: Option<uuid::Uuid>) -> i64 {
    let done = export.rows_done + rows;
    let Some(at) = last.and_then(|id| id.get_timestamp()) else { return done };
    let (seconds, _) = at.to_unix();
    let passed = i64::try_from(seconds).unwrap_or(0).saturating_sub(export.accepted_from.timestamp()).max(1);
    let whole = (export.accepted_to.min(export.created_at) - export.accepted_from).num_seconds().max(1);
    done.saturating_mul(whole).checked_div(passed.min(whole)).unwrap_or(done).max(done)
}
