//! The way to the customer: answers to submits, receipts, and messages from handsets.

use bytes::BytesMut;
use smpp::pdu::{ESM_INTERMEDIATE, ESM_RECEIPT, MessageResp, Sm};
use smpp::receipt::{self, Receipt};
use smpp::tlv::{self, Tag};
use smpp::{Body, Class, CommandId, EncodeError, Status, Tlvs, Window};

use super::{Answer, Session, resend_after};
use crate::account::{Delivery, What};
use crate::{Answers, Format, Profile};

/// Pause before a delivery that the customer could not take just then is sent again.
const AFTER_REFUSAL_MS: u64 = 1000;

/// The window of deliveries of a session that begins under this profile.
pub(super) fn window(profile: &Profile) -> Window<Delivery> {
    Window::new(profile.receipts.window, resend_after(profile))
}

impl Session {
    /// Writes the answers whose time has come.
    pub(super) fn write_answers(&mut self, now_ms: u64) {
        let mut sent = 0;
        while let Some(mut bucket) = self.answers.pop(now_ms) {
            if self.profile.answers == Answers::Reversed {
                bucket.reverse();
            }
            for answer in bucket {
                sent += 1;
                self.write_answer(&answer);
            }
        }
        if sent > 0 {
            self.shared.counters.answers_sent.add(sent);
        }
    }

    fn write_answer(&mut self, answer: &Answer) {
        let number = match answer.result {
            Ok(number) => number,
            Err(status) => return self.respond(answer.command_id, status, answer.sequence_number),
        };
        let id = self.profile.ids.render(number);
        let resp = MessageResp::new(id.as_bytes());
        let body = match answer.command_id {
            CommandId::DATA_SM_RESP => Body::DataSmResp(resp),
            _ => Body::SubmitSmResp(resp),
        };
        self.write(&body, answer.sequence_number);
    }

    /// Everything written here was made here, so that an error is ours and not the peer's.
    pub(super) fn write(&mut self, body: &Body<'_>, sequence_number: u32) {
        if let Err(error) = smpp::encode(&mut self.out, Status::ROK, sequence_number, body) {
            let command_id = body.command_id();
            tracing::error!(%error, "cannot encode {command_id:?}");
        }
    }

    /// Sends again, through any session, what was not confirmed in time.
    pub(super) fn expire(&mut self, now_ms: u64) {
        if self.in_flight.is_empty() {
            return;
        }
        let now = self.shared.clock.instant(now_ms).into_std();
        while let Some(expired) = self.in_flight.expire(now) {
            self.shared.counters.deliveries_failed.one();
            self.again(now_ms, expired.request);
        }
        self.commit();
    }

    /// Writes deliveries as far as the window has room.
    pub(super) fn write_deliveries(&mut self, now_ms: u64) {
        while self.may_deliver()
            && let Some(bound) = &self.bound
        {
            // So many at a time that the limit of the buffer is overrun by little.
            const AT_ONCE: usize = 256;
            let mut taken = Vec::new();
            bound.0.take(now_ms, self.in_flight.room().min(AT_ONCE), &mut taken);
            if taken.is_empty() {
                return;
            }
            for delivery in taken {
                self.write_delivery(now_ms, delivery);
            }
        }
    }

    fn write_delivery(&mut self, now_ms: u64, mut delivery: Delivery) {
        let counter = match delivery.what {
            What::Receipt { .. } => &self.shared.counters.receipts_sent,
            What::Mobile { .. } => &self.shared.counters.mobile_sent,
        };
        counter.one();
        delivery.attempts += 1;
        let sequence_number = self.sequence.take();
        if let Err(error) = self.encode_delivery(sequence_number, &delivery) {
            tracing::error!(%error, "cannot encode a delivery");
            self.shared.counters.deliveries_dropped.one();
            return;
        }
        let now = self.shared.clock.instant(now_ms).into_std();
        // There is room, and a number comes again only after all others.
        if self.in_flight.insert(sequence_number, delivery, now).is_err() {
            self.shared.counters.deliveries_dropped.one();
        }
    }

    fn encode_delivery(&mut self, sequence_number: u32, delivery: &Delivery) -> Result<(), EncodeError> {
        let base =
            Sm { source: delivery.source.address(), destination: delivery.destination.address(), ..Sm::default() };
        let (mut text, mut tlvs) = (Vec::new(), BytesMut::new());
        let sm = match &delivery.what {
            What::Mobile { esm_class, data_coding, octets } => {
                Sm { esm_class: *esm_class, data_coding: *data_coding, short_message: octets, ..base }
            }
            What::Receipt { number, state, .. } => {
                let id = self.profile.receipts.ids.unwrap_or(self.profile.ids).render(*number);
                self.receipt_text(&id, &delivery.what, &mut text);
                if matches!(self.profile.receipts.format, Format::Standard | Format::TlvOnly) {
                    tlv::put_text(&mut tlvs, Tag::RECEIPTED_MESSAGE_ID, id.as_bytes())?;
                    tlv::put(&mut tlvs, Tag::MESSAGE_STATE, &[state.tlv()])?;
                }
                let esm_class = if state.is_final() { ESM_RECEIPT } else { ESM_INTERMEDIATE };
                Sm { esm_class, short_message: &text, tlvs: Tlvs::new(&tlvs), ..base }
            }
        };
        smpp::encode(&mut self.out, Status::ROK, sequence_number, &Body::DeliverSm(sm))
    }

    fn receipt_text(&self, id: &str, what: &What, text: &mut Vec<u8>) {
        let What::Receipt { state, error, submitted_ms, done_ms, .. } = what else { return };
        let date = |at_ms| self.shared.clock.date(at_ms);
        let name = state.name();
        match self.profile.receipts.format {
            Format::Standard | Format::TextOnly => {
                let receipt = Receipt {
                    id: Some(id.into()),
                    submit_date: date(*submitted_ms),
                    done_date: date(*done_ms),
                    state: Some(*state),
                    error: Some((*error).into()),
                    ..Receipt::default()
                };
                *text = receipt.to_octets();
            }
            Format::TlvOnly => {}
            Format::Terse => *text = format!("id:{id} stat:{name} err:{error}").into_bytes(),
            Format::Reordered => {
                let receipt::Date { year, month, day, hour, minute, second } = date(*done_ms).unwrap_or_default();
                let done = format!("{year}{month:02}{day:02}{hour:02}{minute:02}{second:02}");
                let name = name.to_ascii_lowercase();
                *text = format!("Stat:{name} Err:{error} Done date:{done} ID:{id} Text:").into_bytes();
            }
        }
    }

    /// The customer's answer to a delivery.
    pub(super) fn handle_delivery_answer(&mut self, now_ms: u64, sequence_number: u32, status: Status) {
        let Some(answered) = self.in_flight.answer(sequence_number) else { return };
        let counters = &self.shared.counters;
        match status.class() {
            Class::Accepted => counters.deliveries_confirmed.one(),
            Class::Throttle | Class::Temporary | Class::Unknown => {
                counters.deliveries_failed.one();
                self.again(now_ms + AFTER_REFUSAL_MS, answered.request);
            }
            Class::Permanent | Class::Session | Class::Config => {
                counters.deliveries_failed.one();
                counters.deliveries_dropped.one();
            }
        }
    }

    /// Puts a delivery back, unless it was tried often enough.
    fn again(&mut self, due_ms: u64, delivery: Delivery) {
        if delivery.attempts < self.profile.receipts.attempts_max {
            self.later.push((due_ms, delivery));
        } else {
            self.shared.counters.deliveries_dropped.one();
        }
    }
}
