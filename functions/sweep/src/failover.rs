//! Messages that wait for an operator without a session go to another one, where there is one that may carry them.
//!
//! They are taken out of the operator's queue, so that nobody else has them meanwhile; what stays goes back.

use std::time::Duration;

use chrono::{DateTime, Utc};
use contract::{Accepted, Envelope, Routed, SubmitKey, queues, seal};
use domain::reroute::HOPS_MAX;
use domain::{Catalogue, MessageId, OperatorId, State};
use queue::{Delivery, Lease, Out, Settle, Take};
use store::advance::{Event, append_events};
use store::hops::paid_per_segment;
use store::outages::{self, Waiting};
use store::{inbox, publish};

use crate::Sweep;

/// Who used an envelope, in the inbox.
const CONSUMER: &str = "failover";
/// Why such a message goes on, in its history.
const CODE: &str = "operator_down";
/// Envelopes of one receive, and receives of one look at an operator.
const ENVELOPES_MAX: usize = 10;
const RECEIVES_MAX: usize = 100;
/// Longer than an envelope takes.
const LEASE: Duration = Duration::from_mins(1);
/// What stays is not looked at again before.
const STAYS: Duration = Duration::from_secs(30);

impl Sweep {
    /// Sends messages to other operators that wait for one without a session. Answers how many.
    pub async fn failover(&self) -> anyhow::Result<u64> {
        let now = self.clock.now();
        let mut moved = 0;
        let mut catalogue = None;
        for operator in outages::down(&self.db, now, self.failover_after).await? {
            let name = queues::submit(operator);
            if self.queue.depth(&name).await?.ready == 0 {
                continue;
            }
            let catalogue = match &mut catalogue {
                Some(known) => known,
                empty => empty.insert(self.catalogue().await?),
            };
            moved += self.move_from(operator, catalogue, now).await?;
        }
        Ok(moved)
    }

    /// As it is at this moment. Numbers that moved are many: only what changed of them since the last time is read.
    async fn catalogue(&self) -> Result<Catalogue, store::Error> {
        let catalogue = store::catalogue::load(&self.db, &self.overrides.get()).await?;
        self.overrides.set(catalogue.overrides.clone());
        Ok(catalogue)
    }

    async fn move_from(&self, operator: OperatorId, catalogue: &Catalogue, now: DateTime<Utc>) -> anyhow::Result<u64> {
        let name = queues::submit(operator);
        let mut moved = 0;
        for _ in 0..RECEIVES_MAX {
            let take = Take { max: ENVELOPES_MAX, wait: Duration::ZERO, lease: LEASE };
            let received = self.queue.receive(&name, take).await?;
            if received.is_empty() {
                break;
            }
            let mut settles: Vec<(Lease, Settle)> = Vec::with_capacity(received.len());
            for delivery in received {
                let (count, settle) = self.move_one(operator, &delivery, (catalogue, now)).await?;
                moved += count;
                settles.push((delivery.lease, settle));
            }
            for result in self.queue.settle(&name, settles).await {
                result?;
            }
        }
        Ok(moved)
    }

    /// Moves what of an envelope another operator may carry; what stays goes back in an envelope of its own. Both are one
    /// transaction, which marks the envelope as used: it may come a second time, and nothing of it is lost then. What has moved
    /// has another hop, and whoever gets an old envelope asks for that.
    async fn move_one(
        &self,
        operator: OperatorId,
        delivery: &Delivery,
        (catalogue, now): (&Catalogue, DateTime<Utc>),
    ) -> anyhow::Result<(u64, Settle)> {
        let Ok(envelope) = serde_json::from_slice::<Envelope<Routed>>(&delivery.body) else {
            return Ok((0, Settle::Retry(STAYS)));
        };
        let keys: Vec<SubmitKey> = envelope.items.iter().map(|item| (item.message_id, item.hop)).collect();
        let mut tx = self.db.begin().await?;
        if !inbox::mark(&mut tx, CONSUMER, envelope.id).await? {
            return Ok((0, Settle::Ack));
        }
        let mut waiting = outages::waiting(&mut tx, operator, &keys).await?;
        waiting.retain(|one| finds_another(one, catalogue, now));
        let gone: Vec<(MessageId, u8)> = waiting.iter().map(|one| (one.item.message_id, one.hop)).collect();
        if gone.is_empty() {
            drop(tx);
            return self.put_back(operator, &envelope.items, now).await;
        }
        outages::take_back(&mut tx, &gone, now).await?;
        append_events(&mut tx, "sweep", &gone.iter().map(|(id, _)| event(*id, operator, now)).collect::<Vec<_>>())
            .await?;
        let items: Vec<_> =
            waiting.into_iter().map(|one| Accepted { waited_for: Some(operator), ..one.item }).collect();
        let how = self.db.publishing();
        publish::publish(&mut tx, how, queues::ROUTE, seal(&items, now)?, 0).await?;
        let stays = envelope.items.into_iter().filter(|item| gone.iter().all(|(id, _)| *id != item.message_id));
        let stays = seal(&stays.collect::<Vec<_>>(), now)?;
        let delay_ms = i64::try_from(STAYS.as_millis())?;
        publish::publish(&mut tx, how, &queues::submit(operator), stays, delay_ms).await?;
        tx.commit().await?;
        Ok((u64::try_from(gone.len())?, Settle::Ack))
    }

    /// An envelope of which nothing moves, in a new one: how often the old one came says nothing against it.
    async fn put_back(
        &self,
        operator: OperatorId,
        items: &[Routed],
        now: DateTime<Utc>,
    ) -> anyhow::Result<(u64, Settle)> {
        let again: Vec<Out> = seal(items, now)?.into_iter().map(|sealed| Out::after(STAYS, sealed.body)).collect();
        for sent in self.queue.send(&queues::submit(operator), &again).await {
            sent?;
        }
        Ok((0, Settle::Ack))
    }
}

/// Another operator is up that may carry it, and its hops are not used up.
fn finds_another(Waiting { item, paid, hop }: &Waiting, catalogue: &Catalogue, now: DateTime<Utc>) -> bool {
    let paid = paid_per_segment(paid, item.segments);
    let decision = catalogue.decide(&item.question(&paid, &[], now));
    let is_up = decision.choice().is_some_and(|choice| choice.bound);
    is_up && hop + 1 < HOPS_MAX && now < item.expires_at
}

fn event(message: MessageId, operator: OperatorId, at: DateTime<Utc>) -> Event {
    let (state, code, operator) = (State::Queued, Some(CODE.to_owned()), Some(operator));
    Event { message, at, state, code, segment: None, operator }
}
