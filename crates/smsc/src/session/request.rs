//! What the customer asks for.

use std::sync::Arc;

use smpp::frame::BodyError;
use smpp::pdu::{Bind, BindResp, DataSm, QuerySmResp, Sm};
use smpp::receipt::State as MessageState;
use smpp::tlv::{self, Tag};
use smpp::udh::{Concat, Reference, Udh};
use smpp::{Body, CommandId, Frame, Header, Role, State, Status, Tlvs};

use super::{Answer, Session, Will};
use crate::account::{Delivery, Party, Through, What};
use crate::profile::Draw;
use crate::{Accepted, Answers, Mobile, Outcome, ReceiptParts, SecondFinal};

/// Octets of user data in one segment.
const USER_DATA_BYTES_MAX: usize = 140;
/// Receipts before the answer come so much earlier.
const HEAD_START_MS: u64 = 20;

/// Which choice about a message a random number is for.
mod salt {
    pub(super) const REFUSAL: u64 = 1;
    pub(super) const OUTCOME: u64 = 2;
    pub(super) const LATENCY: u64 = 3;
    pub(super) const DELAY: u64 = 4;
}

impl Session {
    /// Handles one PDU. Requests to which nothing else applies are answered with a bare header.
    pub(super) fn handle(&mut self, frame: &Frame<'_>, now_ms: u64) {
        let Header { command_id, command_status, sequence_number } = frame.header;
        if command_id.is_response() {
            match command_id {
                CommandId::DELIVER_SM_RESP | CommandId::DATA_SM_RESP | CommandId::GENERIC_NACK => {
                    self.handle_delivery_answer(now_ms, sequence_number, command_status);
                }
                CommandId::UNBIND_RESP => self.handle_unbind_answer(),
                _ => {}
            }
            return;
        }
        match (self.state.permits(Role::Esme, command_id), &frame.body) {
            (Err(Status::RINVCMDID), _) => {
                self.shared.counters.malformed.one();
                self.respond(CommandId::GENERIC_NACK, Status::RINVCMDID, sequence_number);
            }
            (Err(status), _) => self.respond(command_id.response(), status, sequence_number),
            (Ok(()), Err(BodyError { status, .. })) => {
                self.shared.counters.malformed.one();
                self.respond(command_id.response(), *status, sequence_number);
            }
            (Ok(()), Ok(body)) => self.handle_request(&frame.header, body, now_ms),
        }
    }

    fn handle_request(&mut self, header: &Header, body: &Body<'_>, now_ms: u64) {
        let Header { command_id, sequence_number, .. } = *header;
        match body {
            Body::SubmitSm(sm) => self.submit(header, sm, now_ms),
            Body::DataSm(data) => self.submit(header, &as_sm(data), now_ms),
            Body::BindTransmitter(bind) | Body::BindReceiver(bind) | Body::BindTransceiver(bind) => {
                self.bind(header, bind);
            }
            Body::EnquireLink if self.profile.link.ignore_enquire_link => {}
            Body::Unbind if self.profile.link.ignore_unbind => {}
            Body::EnquireLink => self.respond(command_id.response(), Status::ROK, sequence_number),
            Body::Unbind => {
                self.respond(command_id.response(), Status::ROK, sequence_number);
                self.state = State::Unbound;
                self.will = Will::Finish;
            }
            Body::QuerySm(query) => self.query(sequence_number, query.message_id, now_ms),
            Body::CancelSm(_) => self.respond(command_id.response(), Status::RCANCELFAIL, sequence_number),
            Body::ReplaceSm(_) => self.respond(command_id.response(), Status::RREPLACEFAIL, sequence_number),
            _ => self.respond(command_id.response(), Status::RINVCMDID, sequence_number),
        }
    }

    fn bind(&mut self, header: &Header, bind: &Bind<'_>) {
        if self.profile.link.ignore_bind {
            return;
        }
        let counters = &self.shared.counters;
        let refused = self.profile.bind_status.map_or(Ok(()), |status| Err(Status(status)));
        match refused.and_then(|()| self.shared.directory.bind(bind.system_id, bind.password)) {
            Err(status) => {
                counters.binds_refused.one();
                self.respond(header.command_id.response(), status, header.sequence_number);
                self.will = Will::Finish;
            }
            Ok(bound) => {
                counters.binds.one();
                self.bound = Some(bound);
                self.state = State::bound_by(header.command_id).unwrap_or_default();
                self.in_flight = super::deliver::window(&self.profile);
                self.welcome(header, bind.interface_version);
                self.schedule_mobile();
            }
        }
    }

    fn welcome(&mut self, header: &Header, interface_version: u8) {
        let mut tlvs = bytes::BytesMut::new();
        let speaks_tlvs = interface_version >= smpp::pdu::VERSION_3_4;
        let told = self.profile.link.interface_version.or(speaks_tlvs.then_some(smpp::pdu::VERSION_3_4));
        if let Some(version) = told.filter(|&version| version != 0) {
            // One octet always fits.
            let _fits = tlv::put(&mut tlvs, Tag::SC_INTERFACE_VERSION, &[version]);
        }
        let resp = BindResp { system_id: b"smsc", tlvs: Tlvs::new(&tlvs) };
        let body = match header.command_id {
            CommandId::BIND_TRANSMITTER => Body::BindTransmitterResp(resp),
            CommandId::BIND_RECEIVER => Body::BindReceiverResp(resp),
            _ => Body::BindTransceiverResp(resp),
        };
        self.write(&body, header.sequence_number);
    }

    fn query(&mut self, sequence_number: u32, message_id: &[u8], now_ms: u64) {
        let Some((state, done_ms)) = self.shared.recorder.find(message_id) else {
            return self.respond(CommandId::QUERY_SM_RESP, Status::RINVMSGID, sequence_number);
        };
        let state = state.filter(|_| done_ms <= now_ms).unwrap_or(MessageState::Enroute);
        let resp = QuerySmResp { message_id, message_state: state.tlv(), ..QuerySmResp::default() };
        self.write(&Body::QuerySmResp(resp), sequence_number);
    }

    fn submit(&mut self, header: &Header, sm: &Sm<'_>, now_ms: u64) {
        self.shared.counters.submits.one();
        if let Some(fault) = self.profile.fault.filter(|fault| self.submits >= fault.after_submits)
            && !self.go_bad(fault.kind)
        {
            return;
        }
        self.submits += 1;
        let number = self.shared.next_number();
        let latency_ms = self.profile.latency_ms + self.draw(number, salt::LATENCY).up_to(self.profile.jitter_ms);
        let submit = Submit { number, sm, now_ms, answer_ms: now_ms + latency_ms };
        let result = self.judge(&submit).and_then(|()| Part::read(sm));
        match &result {
            Ok(part) => self.take(&submit, part),
            Err(status) => self.count_refusal(*status),
        }
        if self.profile.answers != Answers::Never {
            let behind_ms = if self.profile.receipts.before_answer { HEAD_START_MS } else { 0 };
            let answer = Answer {
                command_id: header.command_id.response(),
                sequence_number: header.sequence_number,
                number,
                status: result.err().unwrap_or(Status::ROK),
            };
            self.answers.push(submit.answer_ms + behind_ms, answer);
        }
    }

    fn count_refusal(&self, status: Status) {
        self.shared.counters.refused.one();
        if status == self.profile.throttle_status() {
            self.shared.counters.throttled.one();
        }
    }

    fn draw(&self, number: u64, salt: u64) -> Draw {
        Draw::new(self.shared.seed, number, salt)
    }

    /// Whether the message is taken, by everything but its octets.
    fn judge(&mut self, submit: &Submit<'_>) -> Result<(), Status> {
        if self.profile.window_max.is_some_and(|max| self.answers.len() >= max) || self.is_too_fast(submit.now_ms) {
            return Err(self.profile.throttle_status());
        }
        let destination = submit.sm.destination.addr;
        if destination.is_empty() {
            return Err(Status::RINVDSTADR);
        }
        let refusal = match self.profile.rule(destination) {
            Some(rule) => rule.status,
            None => self.profile.refusal(self.draw(submit.number, salt::REFUSAL)),
        };
        refusal.map_or(Ok(()), |status| Err(Status(status)))
    }

    fn is_too_fast(&mut self, now_ms: u64) -> bool {
        let second = now_ms / 1000;
        if self.rate.second != second {
            self.rate = super::Rate { second, count: 0 };
        }
        self.rate.count = self.rate.count.saturating_add(1);
        self.profile.submits_per_second_max.is_some_and(|max| self.rate.count > max)
    }

    /// Records a message and schedules its receipts.
    fn take(&mut self, submit: &Submit<'_>, part: &Part<'_>) {
        self.shared.counters.accepted.one();
        let Submit { number, sm, now_ms, answer_ms } = *submit;
        let receipts = &self.profile.receipts;
        let rule = self.profile.rule(sm.destination.addr);
        let reply = rule.and_then(|rule| rule.reply.as_deref()).map(|text| reply(sm, text));
        let outcome = rule
            .and_then(|rule| rule.outcome)
            .unwrap_or_else(|| receipts.outcomes.of(self.draw(number, salt::OUTCOME)));
        let delay_ms = receipts.delay_ms + self.draw(number, salt::DELAY).up_to(receipts.jitter_ms);
        let done_ms = answer_ms + delay_ms;
        if let Some((state, error)) = outcome.state()
            && receipts.enabled
            && is_wanted(sm.registered_delivery, state)
            && part.is_reported(receipts.parts)
        {
            self.schedule(sm, &What::Receipt { number, state, error, submitted_ms: now_ms, done_ms }, done_ms);
        }
        if let Some(mobile) = reply {
            self.push_mobile(&mobile, done_ms);
        }
        if self.shared.recorder.wants_messages() {
            self.record(submit, part, outcome, done_ms);
        }
    }

    /// The profile's messages from handsets, for a session that can take them.
    fn schedule_mobile(&mut self) {
        if self.state.can_deliver() {
            let profile = Arc::clone(&self.profile);
            profile.mobile.iter().for_each(|mobile| self.push_mobile(mobile, 0));
        }
    }

    fn push_mobile(&mut self, mobile: &Mobile, due_ms: u64) {
        match mobile.deliveries(self.shared.next_reference()) {
            Ok(deliveries) => self.later.extend(deliveries.into_iter().map(|delivery| (due_ms, delivery))),
            Err(error) => tracing::warn!(%error, "cannot send a message from a handset"),
        }
    }

    fn record(&mut self, submit: &Submit<'_>, part: &Part<'_>, outcome: Outcome, done_ms: u64) {
        let Some(bound) = &self.bound else { return };
        let system_id = Arc::clone(&bound.account.system_id);
        let sm = submit.sm;
        self.accepted.push(Accepted {
            system_id,
            number: submit.number,
            source: sm.source.addr.into(),
            destination: sm.destination.addr.into(),
            esm_class: sm.esm_class,
            data_coding: sm.data_coding,
            registered_delivery: sm.registered_delivery,
            part: part.concat,
            body: part.body.into(),
            ids: self.profile.ids,
            state: outcome.state().map(|(state, _)| state),
            done_ms,
        });
    }

    /// Puts the receipt, as often as the profile says, into the batch for the outbox.
    fn schedule(&mut self, sm: &Sm<'_>, what: &What, due_ms: u64) {
        let What::Receipt { number, submitted_ms, .. } = *what else { return };
        let receipts = &self.profile.receipts;
        let other_bind = self.bound.as_ref().filter(|_| receipts.other_bind);
        let through = other_bind.map_or(Through::Any, |bound| Through::NotBind(bound.seat.bind));
        // A receipt goes from the addressee to the sender.
        let (source, destination) = (Party::of(sm.destination), Party::of(sm.source));
        let delivery =
            |what| Delivery { source: source.clone(), destination: destination.clone(), attempts: 0, through, what };
        let report = |(state, error), done_ms| What::Receipt { number, state, error, submitted_ms, done_ms };
        if receipts.intermediate {
            self.later.push((due_ms, delivery(report((MessageState::Enroute, "000"), due_ms))));
        }
        for _ in 0..receipts.copies {
            self.later.push((due_ms, delivery(what.clone())));
        }
        if let Some(SecondFinal { outcome, after_ms }) = receipts.second_final
            && let Some(end) = outcome.state()
        {
            let due_ms = due_ms + after_ms;
            self.later.push((due_ms, delivery(report(end, due_ms))));
        }
    }
}

/// The handset's answer to a message.
fn reply(sm: &Sm<'_>, text: &str) -> Mobile {
    let number = |address: &[u8]| String::from_utf8_lossy(address).into_owned();
    Mobile::new(number(sm.destination.addr), number(sm.source.addr), text)
}

/// A submit, and when it came and is answered.
#[derive(Clone, Copy)]
struct Submit<'a> {
    number: u64,
    sm: &'a Sm<'a>,
    now_ms: u64,
    answer_ms: u64,
}

/// `registered_delivery`, bits 1-0: 1 always, 2 on failure, 3 on success (the last from 5.0).
fn is_wanted(registered_delivery: u8, state: MessageState) -> bool {
    match registered_delivery & 0b11 {
        0 => false,
        1 => true,
        2 => state != MessageState::Delivered,
        _ => state == MessageState::Delivered,
    }
}

/// `data_sm` is a `submit_sm` with another layout; its text is in `message_payload`.
fn as_sm<'a>(data: &DataSm<'a>) -> Sm<'a> {
    Sm {
        service_type: data.service_type,
        source: data.source,
        destination: data.destination,
        esm_class: data.esm_class,
        registered_delivery: data.registered_delivery,
        data_coding: data.data_coding,
        tlvs: data.tlvs,
        ..Sm::default()
    }
}

/// The user data of a segment.
struct Part<'a> {
    concat: Option<Concat>,
    body: &'a [u8],
}

impl<'a> Part<'a> {
    /// Whether this part has a receipt where these parts have one.
    fn is_reported(&self, parts: ReceiptParts) -> bool {
        self.concat.is_none_or(|concat| match parts {
            ReceiptParts::Each => true,
            ReceiptParts::First => concat.part == 1,
            ReceiptParts::Last => concat.part == concat.total,
        })
    }

    fn read(sm: &Sm<'a>) -> Result<Self, Status> {
        let text = sm.text();
        let (concat, body) = if sm.has_udh() {
            let (udh, body) = Udh::parse(text).map_err(|_| Status::RINVESMCLASS)?;
            (udh.concat(), body)
        } else {
            (sar(sm.tlvs), text)
        };
        if sm.short_message.is_empty() || fits(sm.data_coding, text.len() - body.len(), body.len()) {
            Ok(Self { concat, body })
        } else {
            Err(Status::RINVMSGLEN)
        }
    }
}

/// Whether header and body fit into one segment on the radio, where GSM text is packed.
fn fits(data_coding: u8, header_bytes: usize, body_bytes: usize) -> bool {
    use smpp::text::Encoding;
    let room_bytes = USER_DATA_BYTES_MAX.saturating_sub(header_bytes);
    match Encoding::from_data_coding(data_coding) {
        Some(Encoding::Gsm7) => body_bytes <= room_bytes * 8 / 7,
        Some(Encoding::Ucs2 | Encoding::Latin1) | None => body_bytes <= room_bytes,
    }
}

/// Concatenation by TLVs instead of a header.
fn sar(tlvs: Tlvs<'_>) -> Option<Concat> {
    let reference = tlvs.int(Tag::SAR_MSG_REF_NUM)?;
    let total = u8::try_from(tlvs.int(Tag::SAR_TOTAL_SEGMENTS)?).ok()?;
    let part = u8::try_from(tlvs.int(Tag::SAR_SEGMENT_SEQNUM)?).ok()?;
    let reference = Reference::Bits16(u16::try_from(reference).ok()?);
    (part >= 1 && part <= total).then_some(Concat { reference, total, part })
}
