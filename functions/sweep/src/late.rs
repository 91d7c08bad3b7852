//! Messages whose receipt is late go to another operator, where their policy says so.

use chrono::{DateTime, Utc};
use contract::{queues, seal};
use domain::State;
use domain::reroute::{self, Verdict, Why};
use store::advance::{Event, append_events};
use store::hops::{self, Again};
use store::receipt_timers::{self, Late};
use store::{Tx, publish};

use crate::Sweep;
use crate::round::Found;

/// Why such a message goes on, in its history.
const CODE: &str = "receipt_timeout";

impl Sweep {
    /// Sends messages on to another operator whose receipt did not come in the time of their policy. One that finds no
    /// other waits on. Answers how many were looked at.
    pub async fn receipts(&self) -> anyhow::Result<u64> {
        Ok(self.look_for_receipts().await?.done)
    }

    pub(crate) async fn look_for_receipts(&self) -> anyhow::Result<Found> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let (late, looked) = receipt_timers::late(&mut tx, now).await?;
        let agains = judge(&mut tx, &late, now).await?;
        let events: Vec<Event> = agains.iter().map(|again| event(again, now)).collect();
        append_events(&mut tx, "sweep", &events).await?;
        let items = hops::again(&mut tx, agains).await?;
        publish::publish(&mut tx, self.db.publishing(), queues::ROUTE, seal(&items, now)?, 0).await?;
        tx.commit().await?;
        Ok(Found::of(u64::try_from(looked)?, receipt_timers::TIMERS_MAX))
    }
}

/// Which of them go on.
async fn judge(tx: &mut Tx, late: &[Late], now: DateTime<Utc>) -> Result<Vec<Again>, store::Error> {
    let messages: Vec<_> = late.iter().map(|late| (late.account, late.message)).collect();
    let standings = hops::standing(tx, &messages).await?;
    let goes_on = |late: &&Late| {
        let standing = standings.get(&late.message);
        let verdict = standing.map(|standing| reroute::verdict(standing, late.hop, Why::NoReceipt, now));
        matches!(verdict, Some(Verdict::Reroute { .. }))
    };
    // Nothing ends for want of a receipt alone: where there is no other operator, it waits.
    let again = |late: &Late| Again { account: late.account, message: late.message, is_taken: true, otherwise: None };
    Ok(late.iter().filter(goes_on).map(again).collect())
}

fn event(again: &Again, at: DateTime<Utc>) -> Event {
    let code = Some(CODE.to_owned());
    Event { message: again.message, at, state: State::Queued, code, segment: None, operator: None }
}
