//! Envelopes in work: opened into jobs, checked for repetition, kept by extending their leases.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::edge::SubmitKey;
use contract::{Envelope, Routed, queues};
use domain::{EnvelopeId, OperatorId};
use queue::{Delivery, Lease, Settle, SettleError, chain};

use super::Shared;
use crate::job::{Encoder, Job};
use crate::recent::Recent;
use crate::track::Track;

/// Ids of envelopes that are remembered, to notice those that come again under a new delivery.
const ENVELOPES_REMEMBERED: usize = 20_000;
/// First guess of how many messages an envelope carries.
const MESSAGES_PER_ENVELOPE: usize = 20;
/// Waits before an envelope comes again whose outcomes may be on their way to being stored: the first, doubled each
/// time, and the longest. A queue may set aside what was received too often.
const STORING_DELAYS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// A repeated envelope that has not come again for so long is somebody else's.
const REPEATED_REMEMBERED: Duration = Duration::from_mins(10);
/// Wait before an envelope comes again of which we could not learn what became of it the first time.
const UNKNOWN_DELAY: Duration = Duration::from_secs(5);

/// The envelopes of one operator.
#[derive(Debug)]
pub(super) struct Envelopes {
    queue_name: Arc<str>,
    operator_id: OperatorId,
    shared: Shared,
    working: HashMap<EnvelopeId, Arc<Track>>,
    seen: Recent<EnvelopeId>,
    /// Envelopes that came again, and since when we know: what their former holder published lies in `bill` by then.
    repeated: HashMap<EnvelopeId, Instant>,
    /// A moving average, to take about as many messages as wanted.
    messages_per_envelope: usize,
}

impl Envelopes {
    pub(super) fn new(queue_name: Arc<str>, operator_id: OperatorId, shared: &Shared) -> Self {
        Self {
            queue_name,
            operator_id,
            shared: shared.clone(),
            working: HashMap::new(),
            seen: Recent::new(ENVELOPES_REMEMBERED),
            repeated: HashMap::new(),
            messages_per_envelope: MESSAGES_PER_ENVELOPE,
        }
    }

    pub(super) const fn queue_name(&self) -> &Arc<str> {
        &self.queue_name
    }

    pub(super) fn messages_per_envelope(&self) -> usize {
        self.messages_per_envelope.max(1)
    }

    /// Turns deliveries into jobs. What cannot be read is parked; what is done already is settled.
    pub(super) async fn open(&mut self, deliveries: Vec<Delivery>, encoder: &Encoder) -> Vec<Job> {
        self.working.retain(|_, track| !track.is_settled());
        let mut jobs = Vec::new();
        let mut settled = Vec::new();
        for delivery in deliveries {
            match serde_json::from_slice::<Envelope<Routed>>(&delivery.body) {
                Ok(envelope) => {
                    let settle = self.open_one(&delivery, envelope, encoder, &mut jobs).await;
                    settled.extend(settle.map(|settle| (delivery.lease, settle)));
                }
                // The message of a decode error may quote the body; where it went wrong is enough.
                Err(error) => {
                    let (kind, column) = (error.classify(), error.column());
                    tracing::error!("envelope {} of {} is parked: {kind:?}", delivery.id, self.queue_name);
                    settled.push((delivery.lease, Settle::Park(format!("cannot be read: {kind:?} at {column}"))));
                }
            }
        }
        self.settle(settled).await;
        jobs
    }

    /// Gives how to settle the delivery where nothing of it is left to do.
    async fn open_one(
        &mut self,
        delivery: &Delivery,
        envelope: Envelope<Routed>,
        encoder: &Encoder,
        jobs: &mut Vec<Job>,
    ) -> Option<Settle> {
        if let Some(track) = self.working.get(&envelope.id) {
            track.renew(delivery.lease.clone());
            return None;
        }
        self.messages_per_envelope = (self.messages_per_envelope * 7 + envelope.items.len()) / 8;
        let is_new = self.seen.insert(envelope.id);
        let repeated = !is_new || delivery.received > 1 || envelope.again;
        let known = match self.known(&envelope, repeated).await {
            Ok(Some(known)) => known,
            Ok(None) => return Some(Settle::Retry(storing_delay(delivery.received))),
            Err(error) => {
                tracing::warn!(error = %chain(error.as_ref()), "cannot ask for outcomes of envelope {}", envelope.id);
                return Some(Settle::Retry(UNKNOWN_DELAY));
            }
        };
        let items: Vec<Routed> =
            envelope.items.into_iter().filter(|item| !known.contains(&(item.message_id, item.hop))).collect();
        if items.is_empty() {
            return Some(Settle::Ack);
        }
        let track = Arc::new(Track::new(Arc::clone(&self.queue_name), delivery, items.len()));
        self.working.insert(envelope.id, Arc::clone(&track));
        jobs.extend(items.iter().map(|item| Job::new(item, Arc::clone(&track), encoder)));
        None
    }

    /// Which messages of an envelope have their outcome already, or have ended. What this edge published itself it knows; of a
    /// repeated envelope, and of messages that another operator had, it asks. `None`: nobody can say yet.
    async fn known(
        &mut self,
        envelope: &Envelope<Routed>,
        repeated: bool,
    ) -> anyhow::Result<Option<HashSet<SubmitKey>>> {
        let keys: Vec<SubmitKey> = envelope.items.iter().map(|item| (item.message_id, item.hop)).collect();
        let mut known = self.shared.publishers.finished.of(&keys);
        if repeated && known.len() < keys.len() {
            if !self.outcomes_are_stored(envelope.id).await? {
                return Ok(None);
            }
            tracing::info!("envelope {} came again for operator {}", envelope.id, self.operator_id);
            known.extend(self.shared.settings.outcomes_known(&keys).await?);
        } else if !repeated && keys.iter().any(|(_, hop)| *hop > 0) {
            // Another operator took it before, and may have delivered it meanwhile: then it has ended.
            known.extend(self.shared.settings.outcomes_known(&keys).await?);
        }
        Ok(Some(known))
    }

    /// Whether everything that the former holder of a repeated envelope published has been stored: an outcome that
    /// still lies in `bill` is known to nobody, and its message would be sent again. Where the queue cannot count what
    /// other processes hold of it, a moment in which each of them has had its turn must do.
    async fn outcomes_are_stored(&mut self, id: EnvelopeId) -> anyhow::Result<bool> {
        self.repeated.retain(|_, since| since.elapsed() < REPEATED_REMEMBERED);
        let since = *self.repeated.entry(id).or_insert_with(Instant::now);
        let depth = self.shared.queue.depth(queues::BILL).await?;
        let is_later = |age: Option<Duration>| age.is_none_or(|age| age < since.elapsed());
        let stored = is_later(depth.oldest_age)
            && is_later(depth.oldest_waiting_age)
            && since.elapsed() >= self.shared.queue.unseen_for();
        if stored {
            self.repeated.remove(&id);
        }
        Ok(stored)
    }

    /// Extends every lease that is still needed. An envelope that somebody else got is theirs from now on.
    pub(super) async fn extend(&mut self) {
        self.working.retain(|_, track| !track.is_settled());
        if self.working.is_empty() {
            return;
        }
        let tracks: Vec<(EnvelopeId, Arc<Track>)> =
            self.working.iter().map(|(id, track)| (*id, Arc::clone(track))).collect();
        let leases: Vec<Lease> = tracks.iter().map(|(_, track)| track.lease()).collect();
        let results = self.shared.queue.extend(&self.queue_name, &leases, self.shared.config.lease).await;
        for ((id, track), result) in tracks.into_iter().zip(results) {
            match result {
                Err(SettleError::Outdated) if !track.is_settled() => {
                    tracing::warn!("envelope {id} of {} was given to somebody else", self.queue_name);
                    track.lose();
                    self.working.remove(&id);
                }
                Err(SettleError::Failed(error)) => {
                    tracing::warn!(error = %chain(&error), "cannot extend the lease of envelope {id}");
                }
                _ => {}
            }
        }
    }

    async fn settle(&self, settled: Vec<(Lease, Settle)>) {
        if settled.is_empty() {
            return;
        }
        for result in self.shared.queue.settle(&self.queue_name, settled).await {
            if let Err(error) = result {
                tracing::warn!(error = %chain(&error), "cannot settle an envelope of {}", self.queue_name);
            }
        }
    }
}

/// How long an envelope that was received so often waits for outcomes to be stored.
fn storing_delay(received: u32) -> Duration {
    let (first, longest) = STORING_DELAYS;
    let doublings = received.saturating_sub(2).min(6);
    (first * 2_u32.pow(doublings)).min(longest)
}
