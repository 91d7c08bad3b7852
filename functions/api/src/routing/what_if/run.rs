//! The replay itself: pages of traffic through two catalogues.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use domain::routing::Question;
use domain::what_if::{Report, Turns, WhatIf};
use domain::{Catalogue, WhatIfId};
use store::what_if::{self, Period, Sent};
use uuid::Uuid;

use super::form::{Asked, Kind, Listed, Traffic};
use super::view;
use crate::Api;

/// Listed messages of one step: a breath for the other tasks between them.
const STEP: u32 = 5_000;
/// How often a replay says how far it is; far less than [`what_if::SILENT`].
const TOLD_EVERY: Duration = Duration::from_secs(2);

/// Replays, and stores what came of it.
pub(super) async fn run(api: Arc<Api>, id: WhatIfId, asked: Asked) {
    let replayed = replay(&api, id, asked).await;
    let result = replayed.map_err(|error| {
        tracing::warn!(what_if.id = %id, error = %error, "replay {id} failed");
        "the traffic could not be read; ask again".to_owned()
    });
    if let Err(error) = what_if::end(&api.db, id, result, crate::time::now()).await {
        tracing::warn!(what_if.id = %id, error = %error, "cannot store what replay {id} found");
    }
}

async fn replay(api: &Api, id: WhatIfId, asked: Asked) -> Result<serde_json::Value, store::Error> {
    let catalogue = Catalogue::clone(&api.catalogue.get());
    let what_if = WhatIf::new(catalogue, &asked.drafts);
    let mut report = Report::default();
    match asked.traffic {
        Traffic::Listed(lines) => listed(api, id, (&what_if, &lines, asked.at), &mut report).await?,
        Traffic::Past(period) => past(api, id, (&what_if, &period, asked.at), &mut report).await?,
    }
    what_if::progress(&api.db, id, report.messages, crate::time::now()).await?;
    Ok(serde_json::to_value(view::show(&report, what_if.before()))?)
}

async fn listed(
    api: &Api,
    id: WhatIfId,
    (what_if, lines, at): (&WhatIf, &[Listed], DateTime<Utc>),
    report: &mut Report,
) -> Result<(), store::Error> {
    let mut turns = Turns::default();
    let (mut left, mut told) = (STEP, Instant::now());
    for line in lines {
        let question = listed_question(line, at);
        let mut count = line.count;
        while count > 0 {
            let now = count.min(left);
            what_if.list(&question, u64::from(now), &mut turns, report);
            (count, left) = (count - now, left - now);
            if left > 0 {
                continue;
            }
            left = STEP;
            metrics::counter!("chappe_what_if_messages_total").increment(u64::from(STEP));
            tokio::task::yield_now().await;
            if told.elapsed() >= TOLD_EVERY {
                told = Instant::now();
                what_if::progress(&api.db, id, report.messages, crate::time::now()).await?;
            }
        }
    }
    Ok(())
}

fn listed_question(line: &Listed, at: DateTime<Utc>) -> Question<'_> {
    let kind: &Kind = &line.kind;
    Question {
        account: kind.account,
        to: line.to,
        network: line.network,
        sender: &kind.from,
        traffic_class: kind.traffic_class,
        template: kind.template.as_ref(),
        encoding: kind.encoding,
        segments: kind.segments,
        // Listed messages take the turns of the replay.
        turn: 0,
        tried: &[],
        paid: &[],
        probes: &[],
        earned: None,
        priced_at: at,
        at,
    }
}

async fn past(
    api: &Api,
    id: WhatIfId,
    (what_if, period, at): (&WhatIf, &Period, DateTime<Utc>),
    report: &mut Report,
) -> Result<(), store::Error> {
    let mut after = Uuid::nil();
    loop {
        let page = what_if::sent(&api.db, period, after).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.id.uuid();
        for sent in &page {
            what_if.replay(&question(sent, at), report);
        }
        metrics::counter!("chappe_what_if_messages_total").increment(u64::try_from(page.len()).unwrap_or_default());
        what_if::progress(&api.db, id, report.messages, crate::time::now()).await?;
    }
}

fn question(sent: &Sent, at: DateTime<Utc>) -> Question<'_> {
    let at = same_hour(sent.at, at);
    Question {
        account: sent.account,
        to: sent.to,
        network: sent.network,
        sender: &sent.from,
        traffic_class: sent.traffic_class,
        template: sent.template.as_ref(),
        encoding: sent.encoding,
        segments: sent.segments,
        // The turn that it had, by the random end of its id.
        turn: sent.id.uuid().as_u64_pair().1 & (u64::MAX >> 2),
        tried: &[],
        paid: &[],
        probes: &[],
        earned: None,
        priced_at: at,
        at,
    }
}

/// The weekday and hour of `sent` in the week that begins at `from`.
fn same_hour(sent: DateTime<Utc>, from: DateTime<Utc>) -> DateTime<Utc> {
    let week = TimeDelta::weeks(1).num_milliseconds();
    let ahead = (sent - from).num_milliseconds().rem_euclid(week);
    from + TimeDelta::milliseconds(ahead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traffic_keeps_its_weekday_and_hour() {
        let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        for (sent, from, expected) in [
            ("2026-11-23T10:00:00Z", "2026-11-28T12:00:00Z", "2026-11-30T10:00:00Z"),
            ("2026-11-21T11:59:59Z", "2026-11-28T12:00:00Z", "2026-12-05T11:59:59Z"),
            ("2026-11-28T12:00:00Z", "2026-11-28T12:00:00Z", "2026-11-28T12:00:00Z"),
            ("2026-12-29T00:00:00Z", "2026-11-28T12:00:00Z", "2026-12-01T00:00:00Z"),
        ] {
            assert_eq!(same_hour(time(sent), time(from)), time(expected), "{sent}");
        }
    }
}
