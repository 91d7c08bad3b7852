//! The way to the customer: answers to submits, receipts, and messages from handsets.

use bytes::BytesMut;
use smpp::pdu::{DataSm, ESM_INTERMEDIATE, ESM_RECEIPT, MessageResp, Sm};
use smpp::receipt::{self, Receipt, State};
use smpp::tlv::{self, Tag};
use smpp::{Body, Class, CommandId, EncodeError, Status, Tlvs, Window};

use super::{Answer, Session, resend_after};
use crate::account::{Delivery, What};
use crate::{Answers, Format, Nul, Profile, Wire};

/// Pause before a delivery that the customer could not take just then is sent again.
const AFTER_REFUSAL_MS: u64 = 1000;
/// A stray answer's sequence number is so much higher than a submit's.
const STRAY_OFFSET: u32 = 1_000_000;
/// The text of [`Format::Terse`].
const TERSE: &str = "id:{id} stat:{stat} err:{err}";
/// The text of [`Format::Reordered`].
const REORDERED: &str = "Stat:{stat} Err:{err} Done date:{done_date:14} ID:{id} Text:";

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
                sent += self.write_answers_to(&answer);
            }
        }
        if sent > 0 {
            self.shared.counters.answers_sent.add(sent);
        }
    }

    /// Writes an answer as often and as numbered as the profile says; returns how many were written.
    fn write_answers_to(&mut self, answer: &Answer) -> u64 {
        let stray = answer.sequence_number.wrapping_add(STRAY_OFFSET);
        let numbers = match self.profile.answers {
            Answers::InOrder | Answers::Reversed | Answers::Never => &[answer.sequence_number][..],
            Answers::Twice => &[answer.sequence_number; 2],
            Answers::Stray => &[stray, answer.sequence_number],
            Answers::Misnumbered => &[stray],
        };
        let mut written = 0;
        for &sequence_number in numbers {
            self.write_answer(answer, sequence_number);
            written += 1;
        }
        written
    }

    fn write_answer(&mut self, answer: &Answer, sequence_number: u32) {
        let Wire { id_on_refusal, id_nul, .. } = self.profile.wire;
        let refused = answer.status != Status::ROK;
        if refused && !id_on_refusal {
            return self.respond(answer.command_id, answer.status, sequence_number);
        }
        let id = self.profile.ids.render(answer.number);
        let end: &[u8] = match id_nul {
            Nul::One if !refused => {
                let resp = MessageResp::new(id.as_bytes());
                let body = match answer.command_id {
                    CommandId::DATA_SM_RESP => Body::DataSmResp(resp),
                    _ => Body::SubmitSmResp(resp),
                };
                return self.write(&body, sequence_number);
            }
            Nul::One => &[0],
            Nul::None => &[],
            Nul::Two => &[0, 0],
        };
        self.write_raw(answer.command_id, answer.status, sequence_number, &[id.as_bytes(), end].concat());
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
            bound.account.take(bound.seat, now_ms, self.in_flight.room().min(AT_ONCE), &mut taken);
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
        match &delivery.what {
            What::Mobile { esm_class, data_coding, octets, tlvs, data_sm } => {
                let (esm_class, data_coding, tlvs) = (*esm_class, *data_coding, Tlvs::new(tlvs));
                let sm = Sm { esm_class, data_coding, short_message: octets, tlvs, ..base };
                self.encode_sm(sequence_number, sm, *data_sm)
            }
            What::Receipt { number, state, error, .. } => {
                self.receipt_text(*number, &delivery.what, &mut text);
                self.receipt_tlvs(*number, *state, error, &mut tlvs)?;
                let receipts = &self.profile.receipts;
                let usual = if state.is_final() { ESM_RECEIPT } else { ESM_INTERMEDIATE };
                let esm_class = receipts.esm_class.unwrap_or(usual);
                let data_sm = receipts.data_sm;
                if data_sm {
                    tlv::put(&mut tlvs, Tag::MESSAGE_PAYLOAD, &text)?;
                }
                let sm = Sm { esm_class, short_message: &text, tlvs: Tlvs::new(&tlvs), ..base };
                self.encode_sm(sequence_number, sm, data_sm)
            }
        }
    }

    /// `data_sm` has its text among the TLVs already.
    fn encode_sm(&mut self, sequence_number: u32, sm: Sm<'_>, data_sm: bool) -> Result<(), EncodeError> {
        let Sm { source, destination, esm_class, data_coding, tlvs, .. } = sm;
        let body = if data_sm {
            Body::DataSm(DataSm { source, destination, esm_class, data_coding, tlvs, ..DataSm::default() })
        } else {
            Body::DeliverSm(sm)
        };
        smpp::encode(&mut self.out, Status::ROK, sequence_number, &body)
    }

    fn receipt_tlvs(&self, number: u64, state: State, error: &str, tlvs: &mut BytesMut) -> Result<(), EncodeError> {
        let receipts = &self.profile.receipts;
        if matches!(receipts.format, Format::Standard | Format::TlvOnly) {
            let id = receipts.tlv_ids.or(receipts.ids).unwrap_or(self.profile.ids).render(number);
            if receipts.tlv_without_nul {
                tlv::put(tlvs, Tag::RECEIPTED_MESSAGE_ID, id.as_bytes())?;
            } else {
                tlv::put_text(tlvs, Tag::RECEIPTED_MESSAGE_ID, id.as_bytes())?;
            }
            tlv::put(tlvs, Tag::MESSAGE_STATE, &[state.tlv()])?;
        }
        if receipts.network_error {
            const GSM: u8 = 3;
            let code: u16 = receipts.error_of(state, error).parse().unwrap_or_default();
            let [high, low] = code.to_be_bytes();
            tlv::put(tlvs, Tag::NETWORK_ERROR_CODE, &[GSM, high, low])?;
        }
        Ok(())
    }

    fn receipt_text(&self, number: u64, what: &What, text: &mut Vec<u8>) {
        let What::Receipt { state, error, submitted_ms, done_ms, .. } = what else { return };
        let receipts = &self.profile.receipts;
        let date = |at_ms| self.shared.clock.date(at_ms, receipts.utc_offset_minutes);
        let receipt = Receipt {
            id: Some(receipts.ids.unwrap_or(self.profile.ids).render(number).into()),
            submit_date: date(*submitted_ms),
            done_date: date(*done_ms),
            state: Some(*state),
            error: Some(receipts.error_of(*state, error).into()),
            ..Receipt::default()
        };
        *text = match (receipts.format, receipts.own_template()) {
            (Format::TlvOnly, _) => Vec::new(),
            (_, Some(own)) => receipt::render(&own, &receipt),
            (Format::Standard | Format::TextOnly, None) => receipt.to_octets(),
            (Format::Terse, None) => receipt::render(TERSE, &receipt),
            (Format::Reordered, None) => {
                let name = state.name().to_ascii_lowercase();
                receipt::render(&REORDERED.replace("{stat}", &name), &receipt)
            }
        };
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
