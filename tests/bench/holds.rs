//! How many holds one wallet takes: messages for tomorrow are priced, held and stored, and nothing else goes on.

use anyhow::{Result, ensure};
use chrono::{SecondsFormat, TimeDelta, Utc};

use crate::report::{HOLDS_AIM, per_second, ratio, table, thousandths, verdict};
use crate::run::{Mode, load};
use crate::{Bench, print, say, usage};

/// Sends `messages` in each of the ways, all on the wallets of one client and its reseller, and prints the holds a second.
pub(crate) async fn run(bench: &mut Bench, modes: &[Mode], messages: u64) -> Result<()> {
    let mut rows = Vec::new();
    for mode in modes {
        rows.push(measure(bench, mode, messages.div_ceil(mode.batch) * mode.batch).await?);
    }
    print(&format!("\nHolds a second on one wallet, while nothing is sent, against the aim of {HOLDS_AIM}:\n"));
    table(&["messages for tomorrow", "holds", "/ aim", "p50", "p99", "chappe", "postgres"], &rows);
    let verified = bench.platform.ask(&["ledger", "verify"]).await?;
    print(&format!("\nchappe ledger verify, with all of that held: {}", verified.trim()));
    Ok(())
}

async fn measure(bench: &mut Bench, mode: &Mode, messages: u64) -> Result<Vec<String>> {
    say(&format!("{messages} messages for tomorrow, {}", mode.name));
    let mut plan = bench.plan(mode, &bench.operators[0], messages);
    plan.send_at = Some((Utc::now() + TimeDelta::days(1)).to_rfc3339_opts(SecondsFormat::Secs, true));
    let chappe = bench.platform.process.pid();
    let used = || anyhow::Ok((usage::of(chappe)?, usage::of_postgres_below(chappe)?));
    let held_before = bench.books.held().await?;
    let before = used()?;
    let tally = load(&plan).await?;
    let after = used()?;
    let held = bench.books.held().await? - held_before;
    ensure!(held > 0 && held % i64::try_from(messages)? == 0, "{held} micros are held for {messages} messages alike");
    let micros =
        |from: usage::Ticks, to: usage::Ticks| thousandths((to - from).micros(bench.ticks_per_second) / messages);
    let holds = per_second(messages, tally.elapsed_us);
    Ok(vec![
        mode.name.clone(),
        holds.to_string(),
        verdict(holds >= HOLDS_AIM, &ratio(holds, HOLDS_AIM)),
        thousandths(tally.p50_us),
        thousandths(tally.p99_us),
        micros(before.0, after.0),
        micros(before.1, after.1),
    ])
}
