//! What goes to the customer: receipts and messages from handsets, within the window.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use contract::SystemSettings;
use smpp::status::Class;
use smpp::{Status, Window};
use tokio::sync::Notify;

use super::Session;
use crate::server::bounds::Bounds;
use crate::server::lane::{Fate, Job, Lane, Receiver};
use crate::server::render::{self, Rendered};

/// Names a delivery of this session.
type Key = u64;

/// The deliveries of one session.
#[derive(Debug)]
pub(super) struct Deliveries {
    receiver: Option<Receiver>,
    lane: Option<Arc<Lane>>,
    /// PDUs that are sent and not answered.
    window: Window<Key>,
    /// PDUs to send: the rest of a message in parts.
    ready: VecDeque<(Key, Rendered)>,
    open: HashMap<Key, Open>,
    next: Key,
    /// Nothing is sent before that: the peer asked for patience.
    paused_until: Option<Instant>,
    /// Never rings; for sessions that receive nothing.
    silent: Arc<Notify>,
}

/// A delivery some PDUs of which have no answer yet.
#[derive(Debug)]
struct Open {
    job: Job,
    left: usize,
    worst: Verdict,
}

/// What a customer's answer says of a delivery, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Taken,
    /// It will never take this.
    Refused(Status),
    Later(Status),
}

impl Verdict {
    const fn of(status: Status) -> Self {
        match status {
            Status::ROK => Self::Taken,
            Status::RX_P_APPN | Status::RX_R_APPN => Self::Refused(status),
            _ => match status.class() {
                Class::Permanent | Class::Config => Self::Refused(status),
                _ => Self::Later(status),
            },
        }
    }
}

impl Deliveries {
    pub(super) fn new(receiver: Option<Receiver>, system: &SystemSettings, bounds: &Bounds) -> Self {
        Self {
            lane: receiver.as_ref().map(|receiver| Arc::clone(&receiver.lane)),
            receiver,
            window: Window::new(system.window.into(), bounds.response_timeout),
            ready: VecDeque::new(),
            open: HashMap::new(),
            next: 0,
            paused_until: None,
            silent: Arc::default(),
        }
    }

    /// Rings when there is something to deliver.
    pub(super) fn bell(&self) -> Arc<Notify> {
        Arc::clone(self.receiver.as_ref().map_or(&self.silent, |receiver| &receiver.bell))
    }

    pub(super) fn in_flight(&self) -> usize {
        self.window.len()
    }

    pub(super) fn resize(&mut self, window: usize) {
        self.window.resize(window);
        if let Some(receiver) = &mut self.receiver {
            receiver.resize(window);
        }
    }

    /// Takes nothing more from the lane; what is sent may still be answered.
    pub(super) fn release(&mut self) {
        self.receiver = None;
        let mut unsent = Vec::new();
        for (key, _) in std::mem::take(&mut self.ready) {
            let Some(open) = self.open.get_mut(&key) else { continue };
            open.left = open.left.saturating_sub(1);
            // Of one that is half sent nothing more comes: it goes out again as a whole.
            open.worst = Verdict::Later(Status::RSYSERR);
            if open.left == 0 {
                unsent.extend(self.open.remove(&key).map(|open| open.job));
            }
        }
        if let Some(lane) = &self.lane {
            lane.put_back(unsent);
        }
    }

    pub(super) fn next_wake(&self, now: Instant) -> Option<Instant> {
        let paused = self.paused_until.filter(|until| *until > now);
        [self.window.next_deadline(), paused].into_iter().flatten().min()
    }

    /// At the end everything without an answer goes to another session, in its order.
    pub(super) fn hand_back(&mut self) {
        self.receiver = None;
        let mut open: Vec<(Key, Open)> = self.open.drain().collect();
        open.sort_unstable_by_key(|(key, _)| *key);
        if let Some(lane) = &self.lane {
            lane.put_back(open.into_iter().map(|(_, open)| open.job).collect());
        }
    }
}

impl Session {
    /// Sends what the window has room for, and gives up on what was not answered in time.
    pub(super) fn deliver(&mut self, now: Instant) {
        while let Some(late) = self.deliveries.window.expire(now) {
            self.cell.set_error("a delivery was not answered in time".to_owned());
            self.delivery_ended(late.request, Verdict::Later(Status::RUNKNOWNERR));
        }
        if self.deliveries.paused_until.is_some_and(|until| until > now) {
            return;
        }
        while self.deliveries.window.room() > 0 {
            if let Some((key, pdu)) = self.deliveries.ready.pop_front() {
                let number = self.sequence.take();
                pdu.write(&mut self.output, number);
                // There is room, and no number comes twice within a window.
                let _ = self.deliveries.window.insert(number, key, now);
                self.last_used = now;
                continue;
            }
            let Some(receiver) = &self.deliveries.receiver else { return };
            let jobs = receiver.lane.take(self.deliveries.window.room());
            if jobs.is_empty() {
                return;
            }
            for job in jobs {
                self.prepare(job);
            }
        }
    }

    fn prepare(&mut self, job: Job) {
        let Some(lane) = self.deliveries.lane.clone() else { return };
        if job.deliver.expires_at <= (self.shared.config.clock)() {
            tracing::info!("delivery {} to {} has expired", job.deliver.id, self.system.system_id);
            self.meters.delivered("expired");
            let _ = lane.fates.send((job, Fate::Done));
            return;
        }
        match render::pdus(&job.deliver, &self.system, self.version, lane.reference()) {
            Ok(pdus) => {
                let key = self.deliveries.next;
                self.deliveries.next += 1;
                let left = pdus.len();
                self.deliveries.open.insert(key, Open { job, left, worst: Verdict::Taken });
                self.deliveries.ready.extend(pdus.into_iter().map(|pdu| (key, pdu)));
            }
            Err(error) => {
                tracing::error!(error = %error, "delivery {} fits no PDU, it is dropped", job.deliver.id);
                self.meters.delivered("unwritable");
                let _ = lane.fates.send((job, Fate::Done));
            }
        }
    }

    pub(super) fn delivery_answered(&mut self, number: u32, status: Status, now: Instant) {
        // Late, repeated or made up.
        let Some(answered) = self.deliveries.window.answer(number) else { return };
        self.last_used = now;
        let verdict = Verdict::of(status);
        if let Verdict::Later(status) = verdict {
            self.deliveries.paused_until = Some(now + self.shared.bounds.pause);
            self.cell.set_error(format!("a delivery was answered with {status}"));
        }
        self.delivery_ended(answered.request, verdict);
    }

    fn delivery_ended(&mut self, key: Key, verdict: Verdict) {
        let deliveries = &mut self.deliveries;
        let Some(open) = deliveries.open.get_mut(&key) else { return };
        open.worst = open.worst.max(verdict);
        open.left = open.left.saturating_sub(1);
        if open.left > 0 {
            return;
        }
        let (Some(open), Some(lane)) = (deliveries.open.remove(&key), &deliveries.lane) else { return };
        let id = open.job.deliver.id;
        let fate = match open.worst {
            Verdict::Taken => {
                self.counted.delivered += 1;
                self.meters.delivered("taken");
                Fate::Done
            }
            Verdict::Refused(status) => {
                tracing::warn!("delivery {id} was refused by {} with {status}", self.system.system_id);
                self.cell.set_error(format!("a delivery was refused with {status}"));
                self.meters.delivered("refused");
                Fate::Done
            }
            Verdict::Later(_) => {
                self.meters.delivered("later");
                Fate::Later
            }
        };
        let _ = lane.fates.send((open.job, fate));
    }
}
