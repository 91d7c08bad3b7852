//! What is done about each PDU that arrives.

use std::time::Instant;

use bytes::{Buf, BytesMut};
use smpp::frame::{Header, encode_bare};
use smpp::{Body, CommandId, Frame, Framer, Policy, Role, Status, decode};

use super::{End, OUTPUT_BYTES_MAX, Phase, Session};
use crate::server::hub::CALL_MAX;

/// Answers a request that the state does not permit, or that nobody knows. Those that have no response of their own
/// get none; what only an SMSC sends and has none is nacked or, where it is harmless, ignored.
pub(in crate::server) fn refuse_by_state(
    output: &mut BytesMut,
    permitted: Result<(), Status>,
    command: CommandId,
    number: u32,
) {
    match (command, permitted) {
        (CommandId::ALERT_NOTIFICATION, _) => {}
        (CommandId::OUTBIND, _) => encode_bare(output, CommandId::GENERIC_NACK, Status::RINVCMDID, number),
        (_, Err(Status::RINVCMDID) | Ok(())) => {
            encode_bare(output, CommandId::GENERIC_NACK, Status::RINVCMDID, number);
        }
        (_, Err(status)) => encode_bare(output, command.response(), status, number),
    }
}

impl Session {
    /// Handles whole PDUs as far as the window and the output have room.
    pub(super) fn receive(&mut self, now: Instant) -> Result<(), End> {
        let framer = Framer::new(self.shared.bounds.pdu_bytes_max);
        let mut input = std::mem::take(&mut self.input);
        let mut handled = Ok(());
        let mut is_partial = false;
        if !self.batch.submissions.is_empty() {
            // The hub has not taken the last one yet.
            (self.input, self.partial_since) = (input, None);
            return Ok(());
        }
        while handled.is_ok() && self.may_take(now) {
            handled = match framer.peek(&input) {
                Ok(Some(octets)) => {
                    self.last_received = now;
                    let pdu = input.get(..octets).unwrap_or_default();
                    self.tap.received(pdu);
                    let handled = decode(pdu, Policy::Lenient).map_or(Ok(()), |pdu| self.pdu(&pdu, now));
                    input.advance(octets);
                    self.partial_since = None;
                    handled
                }
                Ok(None) => {
                    is_partial = !input.is_empty();
                    break;
                }
                Err(error) => {
                    encode_bare(&mut self.output, CommandId::GENERIC_NACK, Status::RINVCMDLEN, 0);
                    Err(error.into())
                }
            };
        }
        self.partial_since = is_partial.then(|| self.partial_since.unwrap_or(now));
        // An idle session keeps no buffer.
        self.input = if input.is_empty() { BytesMut::new() } else { input };
        handled
    }

    fn may_take(&mut self, now: Instant) -> bool {
        if self.is_full() {
            self.full_since.get_or_insert(now);
        } else {
            self.full_since = None;
        }
        let has_room = !self.is_full() || self.is_stalled(now);
        // A `submit_multi` brings up to 255 more.
        let is_small = self.batch.submissions.len() < CALL_MAX - 255;
        has_room && is_small && self.output.len() < OUTPUT_BYTES_MAX
    }

    /// As many requests are unanswered as the window has.
    pub(super) fn is_full(&self) -> bool {
        self.open >= usize::from(self.system.window).max(1)
    }

    /// The window has been full for so long that back-pressure helps nobody.
    pub(super) fn is_stalled(&self, now: Instant) -> bool {
        let stalled = |since| now.saturating_duration_since(since) >= self.shared.bounds.stall_after;
        self.full_since.is_some_and(stalled)
    }

    fn pdu(&mut self, pdu: &Frame<'_>, now: Instant) -> Result<(), End> {
        let Frame { header, body } = pdu;
        let (command, number) = (header.command_id, header.sequence_number);
        if command.is_response() {
            return self.response(header, now);
        }
        if let Err(status) = self.state.permits(Role::Esme, command) {
            refuse_by_state(&mut self.output, Err(status), command, number);
            return Ok(());
        }
        self.last_used = now;
        match body {
            Ok(Body::EnquireLink) => encode_bare(&mut self.output, command.response(), Status::ROK, number),
            Ok(Body::Unbind) => self.unbind(number, now),
            Ok(body) if self.phase == Phase::Open => self.request(command, number, body, now),
            // It stops: somebody else, or the same a little later, will take it.
            Ok(_) => self.refuse(command, Status::RSYSERR, number),
            Err(error) => {
                tracing::debug!(session.id = %self.id, "{command:?} of {}: {error}", self.system.system_id);
                self.refuse(command, error.status, number);
            }
        }
        Ok(())
    }

    fn request(&mut self, command: CommandId, number: u32, body: &Body<'_>, now: Instant) {
        let is_submit = matches!(command, CommandId::SUBMIT_SM | CommandId::DATA_SM | CommandId::SUBMIT_MULTI);
        if is_submit {
            self.counted.submits += 1;
            self.meters.submits.increment(1);
        }
        if self.is_full() || is_submit && !self.has_room() {
            return self.throttle(command, number);
        }
        match body {
            Body::SubmitSm(sm) => self.submit(number, sm, now),
            Body::DataSm(data) => self.submit_data(number, data, now),
            Body::SubmitMulti(multi) => self.submit_multi(number, multi, now),
            Body::QuerySm(query) => self.query(number, query),
            Body::CancelSm(cancel) => self.cancel(number, cancel),
            Body::ReplaceSm(replace) => self.replace(number, replace),
            _ => self.refuse(CommandId::GENERIC_NACK, Status::RINVCMDID, number),
        }
    }

    /// The peer's unbind is answered last: after everything that it has asked for.
    fn unbind(&mut self, number: u32, now: Instant) {
        let until = now + self.shared.config.drain;
        self.state = smpp::State::Unbound;
        self.phase = Phase::Draining(until, Some(number));
        self.deliveries.release();
    }

    /// A header-only answer.
    pub(super) fn refuse(&mut self, command: CommandId, status: Status, number: u32) {
        encode_bare(&mut self.output, command.response(), status, number);
        if command != CommandId::GENERIC_NACK {
            self.meters.answered(status, 1);
        }
    }

    pub(super) fn throttle(&mut self, command: CommandId, number: u32) {
        self.counted.throttled += 1;
        self.meters.throttles.increment(1);
        self.refuse(command, Status::RTHROTTLED, number);
    }

    fn response(&mut self, header: &Header, now: Instant) -> Result<(), End> {
        let number = header.sequence_number;
        if self.enquiry.is_some_and(|(sent, _)| sent == number) {
            // Any answer will do, also a refusal: it is alive.
            self.enquiry = None;
            return Ok(());
        }
        if let Phase::Unbinding(_, sent) = self.phase
            && sent == number
        {
            return Err(End::Unbound);
        }
        let status = match header.command_status {
            // A nack is a refusal, whatever it says.
            Status::ROK if header.command_id == CommandId::GENERIC_NACK => Status::RUNKNOWNERR,
            status => status,
        };
        self.delivery_answered(number, status, now);
        Ok(())
    }
}
