//! From submits to their answers.

use std::sync::atomic::Ordering;
use std::time::Instant;

use domain::MessageId;
use limits::Rate;
use smpp::frame::encode_bare;
use smpp::pdu::{DataSm, MessageResp, Sm};
use smpp::{Body, CommandId, EncodeError, Status, encode};

use super::{Batch, Reply, Session};
use crate::server::submit::{self, Read};
use crate::status::SessionCell;

/// What a submission was asked by, and so how it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum Asked {
    /// `submit_sm` or `data_sm`, under this number.
    Alone(CommandId, u32),
    /// One addressee of a `submit_multi`.
    Of(super::multi::Key, u8),
}

/// One submission under way.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) struct Ticket {
    pub(super) asked: Asked,
    pub(super) message_id: MessageId,
    pub(super) at: Instant,
}

/// What a session has counted and not told yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    pub(super) submits: u64,
    pub(super) accepted: u64,
    pub(super) throttled: u64,
    pub(super) delivered: u64,
}

impl Counted {
    pub(super) fn tell(&mut self, cell: &SessionCell) {
        let Self { submits, accepted, throttled, delivered } = std::mem::take(self);
        for (cell, count) in [
            (&cell.submits, submits),
            (&cell.accepted, accepted),
            (&cell.throttled, throttled),
            (&cell.delivered, delivered),
        ] {
            if count > 0 {
                cell.fetch_add(count, Ordering::Relaxed);
            }
        }
    }
}

/// The batch as it is, and an empty one in its place.
pub(super) fn take_batch(batch: &mut Batch) -> Batch {
    let (submissions, tickets) = (std::mem::take(&mut batch.submissions), std::mem::take(&mut batch.tickets));
    Batch { submissions, tickets, reply: batch.reply.clone() }
}

impl Session {
    /// Whether all sessions together have room for more submits.
    pub(super) fn has_room(&self) -> bool {
        self.shared.unanswered.load(Ordering::Relaxed) < self.shared.bounds.unanswered_max
    }

    pub(super) fn submit(&mut self, number: u32, sm: &Sm<'_>, now: Instant) {
        let read = submit::from_sm(sm, &self.system, (self.shared.config.clock)());
        self.take(CommandId::SUBMIT_SM, number, read, now);
    }

    pub(super) fn submit_data(&mut self, number: u32, data: &DataSm<'_>, now: Instant) {
        let read = submit::from_data(data, &self.system, (self.shared.config.clock)());
        self.take(CommandId::DATA_SM, number, read, now);
    }

    fn take(&mut self, command: CommandId, number: u32, read: Result<Read, Status>, now: Instant) {
        match read {
            Ok(read) => {
                self.open += 1;
                self.add(Asked::Alone(command, number), read, now);
            }
            Err(status) => self.refuse(command, status, number),
        }
    }

    pub(super) fn add(&mut self, asked: Asked, read: Read, now: Instant) {
        let message_id = read.submission.message_id;
        self.batch.tickets.push(Ticket { asked, message_id, at: now });
        self.batch.submissions.push(read.submission);
        self.segments.push(read.segments);
    }

    /// Holds what this turn brought against the rate, and says which parts belong together.
    pub(super) async fn admit(&mut self, now: Instant) {
        let admitted = self.segments.len().min(self.batch.tickets.len());
        if admitted == 0 {
            return;
        }
        let passed = self.pass().await;
        self.segments.clear();
        let late = self.batch.tickets.split_off(passed.min(admitted));
        self.batch.submissions.truncate(self.batch.tickets.len());
        for ticket in late {
            self.counted.throttled += 1;
            self.meters.throttles.increment(1);
            // Header-only answers can always be written.
            let _ = self.answer(ticket, Status::RTHROTTLED);
        }
        for submission in &mut self.batch.submissions {
            if let Some(part_of) = submission.fields.part_of {
                submission.long = Some(self.shared.long.place(submission, part_of, now));
            }
        }
        self.shared.unanswered.fetch_add(self.batch.submissions.len(), Ordering::AcqRel);
    }

    /// How many submissions of the batch the rate lets through, from the first on. Asked for in steps of at most the
    /// burst, so that a limiter elsewhere is asked once or twice per read and not per message.
    async fn pass(&self) -> usize {
        let all = self.segments.len();
        let burst = self.system.burst.clamp(1, Rate::MAX);
        let Ok(rate) = Rate::new(self.system.segments_per_second.min(Rate::MAX), burst) else {
            // 0: no limit of its own.
            return all;
        };
        let key = format!("smpp:submit:{}", self.system.id);
        let now = self.shared.time_of_day();
        let mut passed = 0;
        while passed < all {
            let mut cost = 0_u32;
            let mut next = passed;
            while let Some(segments) = self.segments.get(next)
                && (next == passed || cost.saturating_add(*segments) <= burst)
            {
                cost = cost.saturating_add(*segments);
                next += 1;
            }
            if self.shared.limiter.take(&key, rate, cost, now).await.is_err() {
                break;
            }
            passed = next;
        }
        passed
    }

    /// Gives the batch to the hub, if that takes it at once; else the session waits with it and reads nothing.
    pub(super) fn hand_over(&mut self) {
        if !self.batch.submissions.is_empty()
            && let Ok(permit) = self.shared.hub.try_reserve()
        {
            permit.send(take_batch(&mut self.batch));
        }
    }

    pub(super) fn take_reply(&mut self, reply: Reply) -> Result<(), EncodeError> {
        match reply {
            Reply::Submits(tickets, statuses) => {
                let now = Instant::now();
                for (ticket, status) in tickets.into_iter().zip(statuses) {
                    self.meters.took(now.saturating_duration_since(ticket.at));
                    self.answer(ticket, status)?;
                }
                Ok(())
            }
            Reply::About(told) => self.answer_about(&told),
        }
    }

    fn answer(&mut self, ticket: Ticket, status: Status) -> Result<(), EncodeError> {
        let (command, number) = match ticket.asked {
            Asked::Alone(command, number) => (command, number),
            Asked::Of(key, index) => return self.answer_one(key, index, status),
        };
        self.open = self.open.saturating_sub(1);
        self.meters.answered(status, 1);
        if status != Status::ROK {
            encode_bare(&mut self.output, command.response(), status, number);
            return Ok(());
        }
        self.counted.accepted += 1;
        let id = self.system.receipts.id_form.render(ticket.message_id);
        let response = MessageResp::new(id.as_bytes());
        let body =
            if command == CommandId::DATA_SM { Body::DataSmResp(response) } else { Body::SubmitSmResp(response) };
        encode(&mut self.output, status, number, &body)
    }
}
