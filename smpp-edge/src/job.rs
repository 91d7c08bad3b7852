//! One message on its way through the edge: its segments, their answers, and the outcome that follows.

mod answer;
mod encode;

pub(crate) use answer::{Statuses, Verdict};
pub(crate) use encode::{Encoded, Encoder};

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use contract::{Outcome, OutcomeClass, Routed, SegmentOutcome, SubmitKey};
use domain::{AccountId, MessageId, OperatorId};
use smpp::Status;
use smpp::receipt::id::Rule;

use crate::publish::Counted;
use crate::track::Track;

/// A message for one operator, encoded.
///
/// **Invariant:** every segment is in `todo`, in flight at one bind, or done (in `answers`); a job with segments in
/// flight is owned by their bind.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) track: Arc<Track>,
    message_id: MessageId,
    account_id: AccountId,
    hop: u8,
    expires_at: DateTime<Utc>,
    /// Its PDUs; `None` for a text that cannot be encoded.
    encoded: Option<Encoded>,
    /// Segments to send, from 0.
    todo: VecDeque<u8>,
    in_flight: u8,
    answers: Vec<SegmentOutcome>,
    /// Segments that were sent again because no answer came, each at most once.
    resent: Vec<u8>,
    /// The operator receipts all parts by the id of the first.
    one_receipt: bool,
    /// Times that a refusal was answered by sending again; shared by the segments.
    attempts: u8,
    /// Segments that wait for a retry do so until then.
    not_before: Option<Instant>,
    /// A segment was refused for good: the others are not worth sending.
    refused: Option<OutcomeClass>,
}

/// What a message leaves behind when the edge is done with it.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) track: Arc<Track>,
    pub(crate) key: SubmitKey,
    /// `None`: it goes back to the queue.
    pub(crate) outcome: Option<Outcome>,
    /// Its room in the window of the session that finished it, until it is published.
    pub(crate) counted: Option<Counted>,
}

impl Job {
    /// Encodes a routed message. A text that cannot be encoded gives a job without segments, which ends at once as
    /// refused.
    pub(crate) fn new(routed: &Routed, track: Arc<Track>, encoder: &Encoder) -> Self {
        let written = encoder.encode(routed).ok();
        let pdus = written.as_ref().map_or(0, Encoded::pdus);
        Self {
            track,
            message_id: routed.message_id,
            account_id: routed.account_id,
            hop: routed.hop,
            expires_at: routed.expires_at,
            refused: written.is_none().then_some(OutcomeClass::Permanent),
            encoded: written,
            todo: (0..u8::try_from(pdus).unwrap_or(u8::MAX)).collect(),
            in_flight: 0,
            answers: Vec::new(),
            resent: Vec::new(),
            one_receipt: encoder.profile().receipts.one_for_all_parts,
            attempts: 0,
            not_before: None,
        }
    }

    /// What its PDUs say.
    pub(crate) const fn encoded(&self) -> Option<&Encoded> {
        self.encoded.as_ref()
    }

    /// Segments that wait to be sent.
    pub(crate) fn todo(&self) -> usize {
        self.todo.len()
    }

    /// Nothing was sent that is not answered yet.
    pub(crate) const fn is_idle(&self) -> bool {
        self.in_flight == 0
    }

    /// Until when its segments wait, where they wait for a retry.
    pub(crate) const fn not_before(&self) -> Option<Instant> {
        self.not_before
    }

    /// The wait is over.
    pub(crate) const fn wake(&mut self) {
        self.not_before = None;
    }

    /// Takes a segment to send.
    pub(crate) fn send_next(&mut self) -> Option<u8> {
        let segment = self.todo.pop_front()?;
        self.in_flight = self.in_flight.saturating_add(1);
        Some(segment)
    }

    /// A segment that was taken but never reached the wire.
    pub(crate) fn unsend(&mut self, segment: u8) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.todo.push_front(segment);
    }

    /// A segment goes again at `due`; `counted` against the attempts or not.
    pub(crate) fn send_again(&mut self, segment: u8, due: Instant, counted: bool) {
        self.unsend(segment);
        self.attempts = self.attempts.saturating_add(u8::from(counted));
        self.not_before = Some(self.not_before.map_or(due, |other| other.max(due)));
    }

    /// How often it was sent again because of a refusal.
    pub(crate) const fn attempts(&self) -> u8 {
        self.attempts
    }

    /// The operator took a segment. Its id is brought to the form in which receipts are looked up.
    pub(crate) fn accepted(&mut self, segment: u8, smpp_message_id: &[u8], rule: Rule) {
        let id = rule.apply(&String::from_utf8_lossy(smpp_message_id)).into_owned();
        self.answered(segment, Some(Status::ROK), Some(id).filter(|id| !id.is_empty()));
    }

    /// The operator refused a segment for good; the others are not sent any more.
    pub(crate) fn refused(&mut self, segment: u8, status: Status, class: OutcomeClass) {
        self.answered(segment, Some(status), None);
        self.refused = Some(self.refused.map_or(class, |before| worse(before, class)));
        self.todo.clear();
    }

    /// A segment was sent, and no answer will come.
    pub(crate) fn unanswered(&mut self, segment: u8) {
        self.answered(segment, None, None);
    }

    /// A segment was sent, no answer will come, and it goes again; `false` where it did so before.
    pub(crate) fn resend(&mut self, segment: u8, now: Instant) -> bool {
        let is_first = !self.resent.contains(&segment);
        if is_first {
            self.resent.push(segment);
            self.send_again(segment, now, false);
        }
        is_first
    }

    fn answered(&mut self, segment: u8, status: Option<Status>, smpp_message_id: Option<String>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let status = status.map(|status| status.0);
        self.answers.push(self.answer(segment, status, smpp_message_id));
    }

    /// What is told of a segment, from 0.
    fn answer(&self, segment: u8, status: Option<u32>, smpp_message_id: Option<String>) -> SegmentOutcome {
        let part_of = self.encoded.as_ref().and_then(|encoded| encoded.part_of(segment));
        SegmentOutcome { segment: segment.saturating_add(1), status, smpp_message_id, part_of }
    }

    /// Whether nothing is left to send or to wait for.
    pub(crate) fn is_done(&self) -> bool {
        self.todo.is_empty() && self.in_flight == 0
    }

    /// Its validity ran out, nobody took any of it, and nothing is under way.
    pub(crate) fn is_expired(&self, now: DateTime<Utc>) -> bool {
        now >= self.expires_at && self.in_flight == 0
    }

    /// The outcome of everything that happened to it. What was not sent by now never is.
    pub(crate) fn finish(mut self, operator_id: OperatorId, at: DateTime<Utc>) -> Done {
        for segment in std::mem::take(&mut self.resent) {
            let told = segment.saturating_add(1);
            if self.answers.iter().all(|answer| answer.segment != told) {
                self.answers.push(self.answer(segment, None, None));
            }
        }
        let class = self.class();
        self.answers.sort_unstable_by_key(|answer| answer.segment);
        let outcome = Outcome {
            message_id: self.message_id,
            account_id: self.account_id,
            operator_id,
            hop: self.hop,
            class,
            at,
            segments: self.billed_answers(),
        };
        Done { track: self.track, key: (self.message_id, self.hop), outcome: Some(outcome), counted: None }
    }

    /// An answer for each segment that the customer pays, however many PDUs this operator wanted for them: the last
    /// PDU stands for what it took along, and what had to be sent beyond is not told.
    fn billed_answers(&mut self) -> Vec<SegmentOutcome> {
        let mut answers = std::mem::take(&mut self.answers);
        let Some(encoded) = &self.encoded else { return answers };
        let (pdus, billed) = (encoded.pdus(), usize::from(encoded.billed));
        if self.one_receipt && answers.len() > 1 {
            let first = answers.iter().find_map(|answer| answer.smpp_message_id.clone());
            for answer in answers.iter_mut().filter(|answer| answer.status == Some(Status::ROK.0)) {
                answer.smpp_message_id.clone_from(&first);
            }
        }
        answers.retain(|answer| usize::from(answer.segment) <= billed);
        if pdus < billed
            && answers.len() == pdus
            && let Some(last) = answers.last().cloned()
        {
            let taken_along = (last.segment.saturating_add(1)..=encoded.billed).take(billed - pdus);
            answers.extend(taken_along.map(|segment| SegmentOutcome { segment, ..last.clone() }));
        }
        answers
    }

    /// It goes back to the queue as it came. Only for jobs of which the operator has nothing.
    pub(crate) fn give_back(self) -> Done {
        Done { track: self.track, key: (self.message_id, self.hop), outcome: None, counted: None }
    }

    /// Whether the operator may have any of it.
    pub(crate) fn is_untouched(&self) -> bool {
        self.answers.is_empty() && self.in_flight == 0 && self.resent.is_empty()
    }

    /// A refusal for good decides; then an answer that never came; then a refusal that another operator may not
    /// share. A message of which one segment was accepted is not sent elsewhere: it would arrive in parts twice.
    fn class(&self) -> OutcomeClass {
        let accepted = self.answers.iter().any(|answer| answer.status == Some(Status::ROK.0));
        let unknown = self.answers.iter().any(|answer| answer.status.is_none());
        match self.refused {
            Some(OutcomeClass::Permanent) => OutcomeClass::Permanent,
            _ if unknown => OutcomeClass::Unknown,
            Some(_) if accepted => OutcomeClass::Permanent,
            Some(class) => class,
            None if self.answers.len() == self.encoded.as_ref().map_or(0, Encoded::pdus) => OutcomeClass::Accepted,
            None if accepted => OutcomeClass::Permanent,
            None => OutcomeClass::Expired,
        }
    }
}

fn worse(a: OutcomeClass, b: OutcomeClass) -> OutcomeClass {
    if a == OutcomeClass::Permanent { a } else { b }
}

#[cfg(test)]
pub(crate) mod tests;
