//! The session itself, apart from messages: what breaks it, links that are tested, and slow writing.

use bytes::{Buf, BufMut};
use smpp::pdu::Outbind;
use smpp::{Body, CommandId, Status};

use super::{OUT_BYTES_MAX, Session, Unbind, Will};
use crate::FaultKind;

/// What [`FaultKind::Garbage`] sends: a `command_length` that no PDU has, and more.
const GARBAGE: &[u8] = &[0xFF; 64];
/// Half of an answer: a header that announces 32 octets, and a little.
const HALF: &[u8] = &[0, 0, 0, 32, 0x80, 0, 0, 4, 0, 0, 0, 0, 0, 0];
/// A body where there is none to be.
pub(super) const ODD_BODY: &[u8] = b"odd\0";

impl Session {
    pub(super) fn send_outbind(&mut self) {
        let sequence_number = self.sequence.take();
        self.write(&Body::Outbind(Outbind { system_id: b"smsc", password: b"outbind" }), sequence_number);
    }

    /// Breaks what the profile says. Returns whether the submit is still to be answered.
    pub(super) fn go_bad(&mut self, kind: FaultKind) -> bool {
        match kind {
            FaultKind::NeverRead => {
                self.reads = false;
                return false;
            }
            FaultKind::Unbind => {
                if self.unbind == Unbind::NotAsked {
                    self.unbind = Unbind::Asked;
                    let sequence_number = self.sequence.take();
                    self.write(&Body::Unbind, sequence_number);
                }
                return true;
            }
            FaultKind::Close => self.will = Will::Close,
            FaultKind::Stall => self.will = Will::Stall,
            FaultKind::Garbage => self.end_with(GARBAGE, Will::Deaf),
            FaultKind::Cut => self.end_with(HALF, Will::Finish),
        }
        // The bind and its deliveries are free for other sessions.
        self.give_back();
        self.bound = None;
        false
    }

    fn end_with(&mut self, octets: &[u8], will: Will) {
        self.out.put_slice(octets);
        self.answers = crate::timetable::Timetable::default();
        self.will = will;
    }

    /// The other side agrees to go.
    pub(super) fn handle_unbind_answer(&mut self) {
        if self.unbind == Unbind::Asked {
            self.will = Will::Finish;
        }
    }

    /// Sends `enquire_link` as often as the profile says.
    pub(super) fn enquire(&mut self, now_ms: u64) {
        let due = self.next_enquiry_ms().is_some_and(|at_ms| at_ms <= now_ms);
        if let Some(every_ms) = self.profile.link.enquire_link_every_ms.filter(|_| due) {
            self.enquire_at_ms = now_ms + every_ms.max(1);
            let sequence_number = self.sequence.take();
            smpp::frame::encode_bare(&mut self.out, CommandId::ENQUIRE_LINK, Status::ROK, sequence_number);
        }
    }

    pub(super) fn next_enquiry_ms(&self) -> Option<u64> {
        let wanted = self.profile.link.enquire_link_every_ms.is_some()
            && self.bound.is_some()
            && self.will == Will::Serve
            && self.out.len() < OUT_BYTES_MAX;
        wanted.then_some(self.enquire_at_ms)
    }

    /// Octets of the next write.
    pub(super) fn write_bytes_max(&self) -> usize {
        self.profile.link.bytes_per_second_max.map_or(usize::MAX, |per_second| slice(per_second).0)
    }

    /// Accounts for octets that were written; none means that everything was sent.
    pub(super) fn wrote(&mut self, octets: usize) {
        self.out.advance(octets);
        self.unflushed = octets > 0;
        if let Some(per_second) = self.profile.link.bytes_per_second_max.filter(|_| octets > 0) {
            self.write_from_ms = self.shared.clock.now_ms() + slice(per_second).1;
        }
    }

    /// A PDU of any octets.
    pub(super) fn write_raw(&mut self, command_id: CommandId, status: Status, sequence_number: u32, body: &[u8]) {
        if let Err(error) = smpp::encode(&mut self.out, status, sequence_number, &Body::Other(command_id, body)) {
            tracing::error!(%error, "cannot encode {command_id:?}");
        }
    }
}

/// Octets of one write, and milliseconds until the next, for so many octets in a second.
fn slice(per_second: u32) -> (usize, u64) {
    let per_second = per_second.max(1);
    let octets = per_second.div_ceil(1000);
    (usize::try_from(octets).unwrap_or(usize::MAX), u64::from(octets * 1000 / per_second).max(1))
}
