//! The messages of one session: which are being sent, which are in flight, what their answers mean.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use chrono::{DateTime, Utc};
use contract::edge::OperatorSettings;
use contract::profile::UnknownPolicy;
use domain::OperatorId;
use smpp::receipt::id::Rule;
use smpp::{Sequence, Status, Window};

use super::inbound::ids_of_responses;
use super::pace::Pace;
use crate::config::Config;
use crate::job::{Done, Job, Statuses, Verdict};
use crate::meters::Meters;
use crate::operator::Lane;
use crate::publish::Unpublished;

/// The window is refilled once this part of it is free: fewer and larger writes.
const REFILL_PART: usize = 8;

/// Where a segment in flight belongs.
#[derive(Clone, Copy, Debug)]
struct Ticket {
    slot: usize,
    segment: u8,
}

/// **Invariant:** a job lives in `slots` while it has segments in flight or to send here, and nowhere else then.
#[derive(Debug)]
pub(super) struct Flow {
    operator_id: OperatorId,
    window: Window<Ticket>,
    size: usize,
    slots: Vec<Option<Job>>,
    free: Vec<usize>,
    /// Jobs with segments to send, in order.
    sending: VecDeque<usize>,
    /// Taken from the pool, not yet in a slot.
    taken: VecDeque<Job>,
    pub(super) done: Vec<Done>,
    unpublished: Arc<Unpublished>,
    answers: Answers,
    pace: Pace,
    /// When the rate or a retry lets something go again.
    look_at: Option<Instant>,
}

impl Flow {
    pub(super) fn new(
        operator: &OperatorSettings,
        unpublished: Arc<Unpublished>,
        response_timeout: Duration,
        now: Instant,
    ) -> Self {
        let size = usize::from(operator.window);
        Self {
            operator_id: operator.id,
            window: Window::new(size, response_timeout),
            size,
            slots: Vec::new(),
            free: Vec::new(),
            sending: VecDeque::new(),
            taken: VecDeque::new(),
            done: Vec::new(),
            unpublished,
            answers: Answers::new(operator),
            pace: Pace::new(now),
            look_at: None,
        }
    }

    /// Another window, other meanings of answers.
    pub(super) fn adjust(&mut self, operator: &OperatorSettings) {
        self.size = usize::from(operator.window);
        self.window.resize(self.size);
        self.answers = Answers::new(operator);
    }

    pub(super) fn in_flight(&self) -> usize {
        self.window.len()
    }

    /// When something is due: an answer that did not come, or a rate that lets go again.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        [self.window.next_deadline(), self.look_at].into_iter().flatten().min()
    }

    /// Takes messages from the pool, if it may, and writes as many segments as window, rate and pace allow; gives how
    /// many.
    pub(super) fn fill(&mut self, may_take: bool, wire: &mut Wire, ctx: &mut Context<'_>) -> usize {
        let now = ctx.now;
        self.look_at = None;
        let room = self.unpublished.room(self.window.room());
        let nearly_full = room < self.size / REFILL_PART;
        if nearly_full || room == 0 {
            self.unpublished.hurry();
            return 0;
        }
        if let Some(until) = self.pace.paused(now.instant) {
            self.look_at = Some(until);
            return 0;
        }
        let waiting = self.sending.len();
        if may_take && waiting < room {
            self.look_at = ctx.lane.pool.take(room - waiting, now.instant, &mut self.taken);
        }
        self.seat(now.utc);
        let sent = self.send(room, wire, now);
        ctx.meters.submits.increment(u64::try_from(sent).unwrap_or(0));
        sent
    }

    /// Gives every message taken a slot, unless it is over already.
    fn seat(&mut self, now: DateTime<Utc>) {
        while let Some(job) = self.taken.pop_front() {
            if job.is_untouched() && job.track.is_lost() {
                self.done.push(job.give_back());
                continue;
            }
            if job.is_done() || job.is_expired(now) {
                self.done.push(job.finish(self.operator_id, now));
                continue;
            }
            let slot = self.free.pop().unwrap_or_else(|| {
                self.slots.push(None);
                self.slots.len() - 1
            });
            self.slots[slot] = Some(job);
            self.sending.push_back(slot);
        }
    }

    /// Writes up to `free` segments; gives how many.
    fn send(&mut self, free: usize, wire: &mut Wire, now: Now) -> usize {
        let mut sent = 0;
        while sent < free
            && let Some(&slot) = self.sending.front()
        {
            let Some(job) = self.slots.get_mut(slot).and_then(Option::as_mut) else {
                self.sending.pop_front();
                continue;
            };
            let waits = job.not_before().is_some();
            let Some(segment) = (if waits { None } else { job.send_next() }) else {
                self.sending.pop_front();
                continue;
            };
            let number = wire.sequence.take();
            let buffers = (&mut wire.output, &mut wire.scratch);
            let written = job.encoded().is_some_and(|pdus| pdus.write(buffers, segment, number, now.utc).is_ok());
            if !written {
                // A string with a NUL in it or a value that its length cannot tell; the operator would refuse it.
                job.refused(segment, Status::RINVMSGLEN, contract::OutcomeClass::Permanent);
                self.rest(slot, now.utc);
            } else if self.window.insert(number, Ticket { slot, segment }, now.instant).is_err() {
                job.unsend(segment);
                break;
            } else {
                sent += 1;
            }
        }
        sent
    }

    /// An answer to a submit.
    pub(super) fn answer(&mut self, number: u32, status: Status, id: &[u8], ctx: &mut Context<'_>) -> Answered {
        let Context { now, config, .. } = *ctx;
        let Some(answered) = self.window.answer(number) else {
            ctx.meters.unmatched.increment(1);
            return Answered::Unmatched;
        };
        let Ticket { slot, segment } = answered.request;
        ctx.meters.answered(status, now.instant.saturating_duration_since(answered.sent_at));
        let Some(job) = self.slots.get_mut(slot).and_then(Option::as_mut) else { return Answered::Unmatched };
        let mut result = Answered::Fine;
        match self.answers.statuses.verdict(status, job.attempts(), config.attempts_max) {
            Verdict::Accepted => {
                self.pace.accepted();
                job.accepted(segment, id, self.answers.ids);
            }
            Verdict::Throttled => {
                ctx.meters.throttles.increment(1);
                self.pace.throttled(now.instant);
                job.send_again(segment, now.instant + config.throttle_delay, false);
            }
            Verdict::Again => {
                let delay = config.temporary_delay * (u32::from(job.attempts()) + 1);
                job.send_again(segment, now.instant + delay, true);
            }
            Verdict::Elsewhere => {
                job.send_again(segment, now.instant, true);
                result = Answered::SessionLost;
            }
            Verdict::Refused(class) => job.refused(segment, status, class),
        }
        self.rest_or_return(slot, now.utc, ctx.lane);
        result
    }

    /// Segments that were not answered in time.
    pub(super) fn expire(&mut self, ctx: &mut Context<'_>) {
        while let Some(unanswered) = self.window.expire(ctx.now.instant) {
            self.unanswered(unanswered.request, ctx);
        }
    }

    fn unanswered(&mut self, ticket: Ticket, ctx: &mut Context<'_>) {
        ctx.meters.unanswered.increment(1);
        let resends = self.answers.unknown == UnknownPolicy::Resend;
        if let Some(job) = self.slots.get_mut(ticket.slot).and_then(Option::as_mut)
            && !(resends && job.resend(ticket.segment, ctx.now.instant))
        {
            job.unanswered(ticket.segment);
        }
        self.rest_or_return(ticket.slot, ctx.now.utc, ctx.lane);
    }

    /// Messages of which the operator has nothing go back to the pool; what was begun is finished.
    pub(super) fn release_untouched(&mut self, lane: &Lane) {
        while let Some(job) = self.taken.pop_back() {
            lane.pool.put_back(job);
        }
        for slot in std::mem::take(&mut self.sending).into_iter().rev() {
            let untouched = self.slots.get(slot).and_then(Option::as_ref).is_some_and(Job::is_untouched);
            match self.vacate_if(untouched, slot) {
                Some(job) => lane.pool.put_back(job),
                None => self.sending.push_front(slot),
            }
        }
    }

    fn vacate_if(&mut self, leaves: bool, slot: usize) -> Option<Job> {
        if leaves { self.vacate(slot) } else { None }
    }

    /// Unsent messages go back to the pool, for other binds. What is in flight stays.
    pub(super) fn release_unsent(&mut self, lane: &Lane) {
        // From the back, because each goes to the front of the pool: their order stays.
        while let Some(job) = self.taken.pop_back() {
            lane.pool.put_back(job);
        }
        while let Some(slot) = self.sending.pop_back() {
            let idle = self.slots.get(slot).and_then(Option::as_ref).is_some_and(Job::is_idle);
            if idle && let Some(job) = self.vacate(slot) {
                lane.pool.put_back(job);
            }
        }
        lane.ring();
    }

    /// The session is over: what is in flight has an unknown outcome, the rest goes back to the pool.
    pub(super) fn end(&mut self, ctx: &mut Context<'_>) {
        self.release_unsent(ctx.lane);
        for unanswered in self.window.drain() {
            self.unanswered(unanswered.request, ctx);
        }
        for slot in 0..self.slots.len() {
            if let Some(job) = self.vacate(slot) {
                ctx.lane.pool.put_back(job);
            }
        }
        ctx.lane.ring();
    }

    /// After an answer: a message that is done leaves, one that waits for a retry goes to the pool.
    fn rest_or_return(&mut self, slot: usize, now: DateTime<Utc>, lane: &Lane) {
        self.rest(slot, now);
        let waits = self.slots.get(slot).and_then(Option::as_ref);
        if waits.is_some_and(|job| job.is_idle() && job.not_before().is_some())
            && let Some(job) = self.vacate(slot)
        {
            self.sending.retain(|sending| *sending != slot);
            lane.pool.put_back(job);
        }
    }

    /// A message that is done leaves.
    fn rest(&mut self, slot: usize, now: DateTime<Utc>) {
        let job = self.slots.get(slot).and_then(Option::as_ref);
        if job.is_some_and(Job::is_done)
            && let Some(job) = self.vacate(slot)
        {
            let mut done = job.finish(self.operator_id, now);
            let segments = done.outcome.as_ref().map_or(0, |outcome| outcome.segments.len());
            done.counted = Some(self.unpublished.count(segments));
            self.done.push(done);
        }
    }

    fn vacate(&mut self, slot: usize) -> Option<Job> {
        let job = self.slots.get_mut(slot)?.take()?;
        self.free.push(slot);
        Some(job)
    }
}

/// One moment on both clocks, read once per turn and not per message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) instant: Instant,
    pub(super) utc: DateTime<Utc>,
}

/// Where submits are written, and how they are numbered.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) output: BytesMut,
    /// Room for the optional parameters of one PDU.
    pub(super) scratch: BytesMut,
    pub(super) sequence: Sequence,
}

/// How this operator's answers are read.
#[derive(Debug)]
struct Answers {
    statuses: Statuses,
    ids: Rule,
    unknown: UnknownPolicy,
}

impl Answers {
    fn new(operator: &OperatorSettings) -> Self {
        let profile = &operator.profile;
        let ids = ids_of_responses(profile.receipts.ids);
        Self { statuses: Statuses::new(&profile.errors), ids, unknown: profile.unknown }
    }
}

/// What the flow works with and does not own.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) now: Now,
    pub(super) config: &'a Config,
    pub(super) lane: &'a Lane,
    pub(super) meters: &'a mut Meters,
}

/// What an answer was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answered {
    /// To a submit of ours.
    Fine,
    /// To nothing in flight.
    Unmatched,
    /// It says that the session is not bound as we think.
    SessionLost,
}
